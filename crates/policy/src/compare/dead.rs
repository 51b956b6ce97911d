//! Policies that stop deciding anything.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Proposal;
use super::outcome::Route;
use crate::{Inventory, PolicySet, ResourceName};

/// A policy that decides something before and nothing after, and is still there: it can go, or something is wrong.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[non_exhaustive]
pub struct DeadPolicy {
    /// Its kind: `PeerAuthentication` or `DestinationRule`.
    pub kind: &'static str,
    /// Its name.
    pub name: ResourceName,
}

impl DeadPolicy {
    fn new(kind: &'static str, name: &ResourceName) -> Self {
        Self { kind, name: name.clone() }
    }
}

const MODE: &str = "PeerAuthentication";
const RULE: &str = "DestinationRule";

/// Compares what decides the modes of the fleet's ports and the TLS of its clients.
pub(super) fn all(
    old: &PolicySet,
    new: &PolicySet,
    after: &Proposal<'_>,
    inventory: &Inventory,
    routes: &[Route<'_>],
) -> Vec<DeadPolicy> {
    let before = deciding(old, inventory, routes);
    let still = deciding(new, inventory, routes);
    let mut there: BTreeSet<DeadPolicy> = BTreeSet::new();
    let policies = after.resources.peer_authentications().iter();
    there.extend(policies.map(|policy| DeadPolicy::new(MODE, policy.name())));
    let rules = after.resources.destination_rules().iter();
    there.extend(rules.map(|rule| DeadPolicy::new(RULE, rule.name())));
    before
        .difference(&still)
        .filter(|policy| there.contains(policy))
        .cloned()
        .collect()
}

fn deciding(set: &PolicySet, inventory: &Inventory, routes: &[Route<'_>]) -> BTreeSet<DeadPolicy> {
    let ports = inventory.members().iter().flat_map(|member| {
        // Port 0 stands for every port that no service names.
        let served = member.ports.iter().map(|port| port.workload_port);
        served.chain([0]).map(move |port| (&member.workload, port))
    });
    let modes = ports.filter_map(|(workload, port)| {
        Some(DeadPolicy::new(MODE, set.resolve(workload, port).winner().policy()?))
    });
    let rules = routes.iter().flat_map(|route| {
        let rules = route
            .outbound(set)
            .map(|outbound| outbound.rules)
            .unwrap_or_default();
        rules.into_iter().map(|name| DeadPolicy::new(RULE, &name))
    });
    modes.chain(rules).collect()
}
