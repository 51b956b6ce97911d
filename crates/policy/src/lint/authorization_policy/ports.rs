//! Ports that do not mean what they seem to.

use std::rc::Rc;

use super::asked::Asked;
use crate::lint::code::Code;
use crate::lint::finding::{Findings, some_of};
use crate::lint::world::KnownPorts;
use crate::{Attribute, AuthorizationPolicy};

/// Ports are those that workloads listen on (rule AZ-16). `known` is asked only if there are ports.
pub(super) fn check<'k>(
    policy: &AuthorizationPolicy,
    rules: &[Vec<Asked<'_>>],
    known: impl FnOnce() -> Option<Rc<KnownPorts<'k>>>,
    findings: &mut Findings<'_>,
) {
    let over_ports = |asked: &&Asked<'_>| asked.attribute == Attribute::DestinationPort;
    let mut lists = rules.iter().flatten().filter(over_ports).peekable();
    let Some(known) = lists.peek().is_some().then(known).flatten() else { return };
    for asked in lists {
        for (nth, value) in asked.values.iter().enumerate() {
            let Ok(port) = value.parse::<u16>() else { continue };
            if known.listens.contains(&port) {
                continue;
            }
            match known.services.get(&port) {
                Some((host, targets)) => findings.add(
                    Code::PortIsServicePort,
                    policy,
                    asked.value_field(nth),
                    format!(
                        "{port} is the port of the Service {host}; the container port is {}",
                        some_of(targets)
                    ),
                    format!(
                        "ports are container ports: write {} instead of {port}",
                        some_of(targets)
                    ),
                ),
                None => findings.add(
                    Code::PortUnserved,
                    policy,
                    asked.value_field(nth),
                    format!(
                        "no workload of this policy is known to listen on port {port}, only on {}",
                        some_of(&known.listens)
                    ),
                    "the container port that is meant",
                ),
            }
        }
    }
}
