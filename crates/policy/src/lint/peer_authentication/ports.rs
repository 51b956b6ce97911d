//! Port entries that do nothing.

use super::scope::Scope;
use crate::PeerAuthentication;
use crate::lint::code::Code;
use crate::lint::finding::{Findings, some_of};
use crate::lint::world::KnownPorts;

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
        let known = KnownPorts::of(&group.members);
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
    known: &KnownPorts<'_>,
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
