//! Port entries that do nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::scope::{Group, Scope};
use crate::PeerAuthentication;
use crate::lint::code::Code;
use crate::lint::finding::{Findings, some_of};

/// Port entries without a selector have no effect (rule PA-8). Validation refuses them, values may have them.
pub(super) fn without_selector(scope: &Scope<'_>, findings: &mut Findings<'_>) {
    for policy in &scope.level {
        if !policy.ports.is_empty() {
            findings.add(
                Code::PortEntriesWithoutSelector,
                *policy,
                "spec.portLevelMtls",
                format!("no effect on port {}: port entries need a selector", some_of(policy.ports.keys())),
                "in each namespace, a policy with the labels of those workloads as selector and with these port entries",
            );
        }
    }
}

/// The entries of the policies that can have some.
pub(super) fn entries(scope: &Scope<'_>, findings: &mut Findings<'_>) {
    for group in &scope.groups {
        let known = Known::of(group);
        for policy in &group.policies {
            for (port, mode) in &policy.ports {
                match &known {
                    Some(known) if !known.listens.contains(port) => {
                        unserved(policy, *port, known, findings);
                    }
                    _ => redundant(scope, policy, *port, mode.is_none(), findings),
                }
            }
        }
    }
}

/// No selected workload listens on the port; it may be the port of a Service instead (rule PA-9).
fn unserved(
    policy: &PeerAuthentication,
    port: u16,
    known: &Known<'_>,
    findings: &mut Findings<'_>,
) {
    let field = format!("spec.portLevelMtls.{port}");
    match known.services.get(&port) {
        Some((host, targets)) => findings.add(
            Code::PortEntryIsServicePort,
            policy,
            field,
            format!(
                "no effect: {port} is the port of the Service {host}; the container port is {}",
                some_of(targets)
            ),
            format!(
                "portLevelMtls counts container ports: write {} instead of {port}",
                some_of(targets)
            ),
        ),
        None => findings.add(
            Code::PortEntryUnserved,
            policy,
            field,
            format!(
                "no selected workload is known to listen on port {port}, only on {}",
                some_of(&known.listens)
            ),
            "the container port that is meant, or no entry",
        ),
    }
}

/// The entry says what holds without it (rule PA-8).
fn redundant(
    scope: &Scope<'_>,
    policy: &PeerAuthentication,
    port: u16,
    unset: bool,
    findings: &mut Findings<'_>,
) {
    let merged = scope.context.merged_mode(policy);
    if scope.context.port_mode(policy, port) != merged {
        return;
    }
    let what = if unset { "UNSET, so that" } else { "changes nothing:" };
    findings.add(
        Code::PortEntryRedundant,
        policy,
        format!("spec.portLevelMtls.{port}"),
        format!("{what} port {port} is {merged} as every port of these workloads"),
        "another mode, or no entry",
    );
}

/// What the inventory knows of the ports of a group's workloads.
struct Known<'a> {
    listens: BTreeSet<u16>,
    /// By service port: a host that has it, and the workload ports it leads to.
    services: BTreeMap<u16, (&'a str, BTreeSet<u16>)>,
}

impl<'a> Known<'a> {
    /// Nothing, if a workload's ports are not known: it may listen anywhere.
    fn of(group: &Group<'a>) -> Option<Self> {
        if group.members.is_empty() || group.members.iter().any(|member| member.ports.is_empty()) {
            return None;
        }
        let mut known = Self { listens: BTreeSet::new(), services: BTreeMap::new() };
        for member in &group.members {
            known.listens.extend(&member.ports);
            for (port, service) in &member.service_ports {
                let (_, targets) = known
                    .services
                    .entry(*port)
                    .or_insert_with(|| (&service.host, BTreeSet::new()));
                targets.extend(&service.ports);
            }
        }
        Some(known)
    }
}
