//! What every rule may look at.

use super::world::World;
use crate::{Inventory, MeshSettings, MtlsMode, PeerAuthentication, PolicySet, Resources};

/// The objects, what is known of the mesh, and the answers that follow.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) settings: &'a MeshSettings,
    pub(super) resources: &'a Resources,
    pub(super) inventory: Option<&'a Inventory>,
    /// The workloads, where an inventory tells.
    pub(super) world: Option<World>,
    /// What is enforced: without policies on trial.
    pub(super) enforced: PolicySet,
    /// What would be, were no policy on trial.
    pub(super) rehearsed: PolicySet,
    /// The policies in force that say something else than STRICT, of a port at least.
    pub(super) lax: Vec<&'a PeerAuthentication>,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        settings: &'a MeshSettings,
        resources: &'a Resources,
        inventory: Option<&'a Inventory>,
    ) -> Self {
        let policies = resources.peer_authentications().iter();
        let enforced = policies.clone().filter(|policy| !policy.is_dry_run());
        let compile = |policies: Vec<PeerAuthentication>| {
            PolicySet::compile(settings.clone(), &policies.into_iter().collect())
        };
        let says_strict =
            |mode: &Option<MtlsMode>| mode.is_none_or(|mode| mode == MtlsMode::Strict);
        let lax = enforced
            .clone()
            .filter(|policy| !says_strict(&policy.mode) || !policy.ports.values().all(says_strict));
        Self {
            settings,
            resources,
            inventory,
            world: inventory.map(World::new),
            lax: lax.collect(),
            enforced: compile(enforced.cloned().collect()),
            rehearsed: compile(
                policies
                    .map(|policy| policy.clone().with_dry_run(false))
                    .collect(),
            ),
        }
    }

    /// The mode of the ports without an entry, where `policy` is the one that selects the workload.
    pub(super) fn merged_mode(&self, policy: &PeerAuthentication) -> MtlsMode {
        let above = || self.enforced.namespace_mode(policy.name().namespace());
        policy.mode.unwrap_or_else(above)
    }

    /// The mode of a port, where `policy` is the one that selects the workload.
    pub(super) fn port_mode(&self, policy: &PeerAuthentication, port: u16) -> MtlsMode {
        let entry = policy.ports.get(&port).copied().flatten();
        entry.unwrap_or_else(|| self.merged_mode(policy))
    }

    /// Whether a namespace is the one whose policies are the mesh's.
    pub(super) fn is_root(&self, namespace: &str) -> bool {
        namespace == self.settings.root_namespace
    }
}
