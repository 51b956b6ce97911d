//! Findings about `ServiceEntry`.

use std::collections::{BTreeMap, HashMap};

use super::code::Code;
use super::context::Context;
use super::finding::{Findings, some_of};
use super::selectors::Selectors;
use super::workload_entry;
use crate::field::shorten;
use crate::host_name::normalize;
use crate::{EndpointTls, Labels, Location, ServiceEntry, WorkloadEntry};

pub(super) fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for entry in context.resources.service_entries() {
        without_account(entry, findings);
        for (nth, endpoint) in entry.endpoints.iter().enumerate() {
            let field = format!("spec.endpoints[{nth}]");
            workload_entry::contradiction(entry, &field, endpoint, findings);
        }
    }
    selectors(context, findings);
    host_twice(context, findings);
}

/// Endpoints of a service of the mesh without identity: clients send them plaintext.
fn without_account(entry: &ServiceEntry, findings: &mut Findings<'_>) {
    let outside = |nth: usize| {
        let endpoint = entry.endpoints.get(nth)?;
        let unknown = endpoint.service_account.is_none()
            && EndpointTls::of_labels(&endpoint.labels).is_none();
        unknown.then_some((nth, &endpoint.address))
    };
    let outside: Vec<_> = (0..entry.endpoints.len()).filter_map(outside).collect();
    if let (Location::MeshInternal, [(first, _), ..]) = (entry.location, outside.as_slice()) {
        findings.add(
            Code::EndpointWithoutAccount,
            entry,
            format!("spec.endpoints[{first}]"),
            format!(
                "endpoints of a service of the mesh that are not in the mesh, so that clients send them plaintext: {}",
                some_of(outside.iter().map(|(_, address)| address))
            ),
            format!("a serviceAccount for each; or the label {}: disabled, if plaintext is meant", EndpointTls::LABEL),
        );
    }
}

/// A `workloadSelector` without a `WorkloadEntry`, or with some that have no identity.
fn selectors(context: &Context<'_>, findings: &mut Findings<'_>) {
    let mut namespaces: BTreeMap<&str, Vec<(&ServiceEntry, &Labels)>> = BTreeMap::new();
    for entry in context.resources.service_entries() {
        if let Some(labels) = entry
            .workload_selector
            .as_ref()
            .filter(|labels| !labels.is_empty())
        {
            namespaces
                .entry(entry.metadata.name.namespace())
                .or_default()
                .push((entry, labels));
        }
    }
    let mut workloads: HashMap<&str, Vec<&WorkloadEntry>> = HashMap::new();
    for workload in context.resources.workload_entries() {
        workloads
            .entry(workload.metadata.name.namespace())
            .or_default()
            .push(workload);
    }
    for (namespace, entries) in namespaces {
        let index = Selectors::new(entries.iter().map(|(_, labels)| *labels));
        let mut serves = vec![false; entries.len()];
        for workload in workloads.get(namespace).into_iter().flatten() {
            let mut in_mesh_service = false;
            for number in index.selecting(&workload.workload.labels) {
                if let (Some(serves), Some((entry, _))) =
                    (serves.get_mut(number), entries.get(number))
                {
                    *serves = true;
                    in_mesh_service |= entry.location == Location::MeshInternal;
                }
            }
            if in_mesh_service {
                workload_entry::without_account(workload, findings);
            }
        }
        for ((entry, labels), _) in entries.iter().zip(serves).filter(|(_, serves)| !serves) {
            findings.add(
                Code::NoEntrySelected,
                *entry,
                "spec.workloadSelector.labels",
                format!("no WorkloadEntry of namespace {namespace} has the labels {labels}: the service has no endpoints"),
                "the labels of the WorkloadEntry objects that serve it",
            );
        }
    }
}

/// A host and port of which an older entry of the namespace answers.
fn host_twice(context: &Context<'_>, findings: &mut Findings<'_>) {
    let mut entries: Vec<&ServiceEntry> = context.resources.service_entries().iter().collect();
    entries.sort_by(|a, b| a.metadata.precedence(&b.metadata));
    let mut known: HashMap<(&str, String, u16), &ServiceEntry> = HashMap::new();
    for entry in entries {
        let namespace = entry.metadata.name.namespace();
        for (nth, host) in entry.hosts.iter().enumerate() {
            let host = normalize(host).into_owned();
            let mut taken = None;
            for port in &entry.ports {
                let first = *known
                    .entry((namespace, host.clone(), port.number))
                    .or_insert(entry);
                if !std::ptr::eq(first, entry) {
                    taken = taken.or(Some((first, port.number)));
                }
            }
            if let Some((first, port)) = taken {
                findings.add(
                    Code::HostTwice,
                    entry,
                    format!("spec.hosts[{nth}]"),
                    format!(
                        "{} has {} on port {port} already and is older: this one is not asked",
                        first.metadata.name,
                        shorten(&host)
                    ),
                    format!(
                        "put the endpoints into {}, or another port or host here",
                        first.metadata.name
                    ),
                );
            }
        }
    }
}
