//! Compiled policies: immutable, indexed, resolved without allocation.

use std::sync::Arc;

use crate::authorization::AuthorizationPolicies;
use crate::mode_policies::ModePolicies;
use crate::rule_lookup::DestinationRules;
use crate::sidecar::SidecarIndex;
use crate::{MeshSettings, MtlsMode, Provenance, Resolved, Resources, Workload, WorkloadPolicies};

/// Policies of a mesh, ready to be asked.
///
/// A set never changes: a new one replaces it, through a [`PolicyHandle`](crate::PolicyHandle).
#[derive(Clone, Debug)]
pub struct PolicySet {
    settings: MeshSettings,
    modes: ModePolicies,
    sidecars: SidecarIndex,
    authorization: AuthorizationPolicies,
    destination_rules: DestinationRules,
    tightened: bool,
    provenance: Provenance,
}

impl PolicySet {
    /// Compiles the policies in `resources`.
    ///
    /// The objects are taken as they are, also those that [`Resources::parse`] would refuse: the answers are then what
    /// Istio's control plane answers for them (rules PA-1 to PA-11).
    pub fn compile(settings: MeshSettings, resources: &Resources) -> Self {
        let modes =
            ModePolicies::compile(&settings.root_namespace, resources.peer_authentications());
        let sidecars = SidecarIndex::new(resources.sidecars());
        let authorization =
            AuthorizationPolicies::compile(&settings, resources.authorization_policies());
        let destination_rules = DestinationRules::compile(&settings, resources.destination_rules());
        let provenance = Provenance::of(resources);
        Self {
            settings,
            modes,
            sidecars,
            authorization,
            destination_rules,
            tightened: false,
            provenance,
        }
    }

    /// The same policies, with every port of every workload at STRICT: for who may not rely on them any more, such as when
    /// nobody can say whether they still hold.
    ///
    /// It is what servers do that is tightened. What clients do stays as the policies say, because the other end is not
    /// tightened with them: [`namespace_mode`](Self::namespace_mode) and [`outbound`](Self::outbound) answer as before.
    /// Clients that DISABLE tells to send plaintext are refused, then. A port whose TLS a `Sidecar` ends
    /// ([`ingress_tls`](Self::ingress_tls)) is not opened to the mesh: that block goes by the mode as written.
    #[must_use]
    pub fn tightened(&self) -> Self {
        Self { tightened: true, ..self.clone() }
    }

    /// Whether every port is STRICT because the set was [`tightened`](Self::tightened).
    pub fn is_tightened(&self) -> bool {
        self.tightened
    }

    /// Names where the policies came from, such as a path.
    #[must_use]
    pub fn with_source(mut self, name: impl Into<String>) -> Self {
        self.provenance.source = name.into();
        self
    }

    /// Where the policies came from.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// The settings the set was compiled with.
    pub fn settings(&self) -> &MeshSettings {
        &self.settings
    }

    /// The mode of a workload's `port`, and the policy it comes from. Policies on trial take no part
    /// ([`PeerAuthentication::is_dry_run`](crate::PeerAuthentication::is_dry_run)).
    ///
    /// `port` is the port the workload listens on (container port), never a service port; 0 asks for "any port without an
    /// entry of its own".
    ///
    /// Does not allocate. It takes one lookup for the namespace and one for each label of the workload, however many
    /// policies there are; a process that is one workload asks its [view](Self::for_workload) instead.
    pub fn resolve(&self, workload: &Workload, port: u16) -> Resolved<'_> {
        self.resolve_as_written(workload, port)
            .tightened(self.tightened)
    }

    /// As [`resolve`](Self::resolve), also where the set was [`tightened`](Self::tightened).
    pub(crate) fn resolve_as_written(&self, workload: &Workload, port: u16) -> Resolved<'_> {
        Resolved::merge(self.modes.levels(workload), port)
    }

    /// What [`resolve`](Self::resolve) would answer if no policy were on trial, that is, if the annotation were removed from
    /// all of them; `None` if no policy on trial would count for this workload. Does not allocate.
    ///
    /// Where it is there the mode may still be the same: the policy on trial counts, and changes nothing.
    pub fn shadow(&self, workload: &Workload, port: u16) -> Option<Resolved<'_>> {
        let levels = self.modes.trial_levels(workload)?;
        Some(Resolved::merge(levels, port).tightened(self.tightened))
    }

    /// What this set says about one workload, for a process that is that workload: asked per connection, it searches nothing.
    pub fn for_workload(self: &Arc<Self>, workload: &Workload) -> WorkloadPolicies {
        WorkloadPolicies::new(Arc::clone(self), workload)
    }

    /// What clients take for the mode of a whole namespace: its own policy, else the mesh's, else PERMISSIVE.
    ///
    /// Policies with a selector and port entries are not in it (rule PA-11).
    pub fn namespace_mode(&self, namespace: &str) -> MtlsMode {
        Resolved::merge(self.modes.namespace_levels(namespace), 0).mode()
    }

    /// The `Sidecar` objects.
    pub(crate) fn sidecars(&self) -> &SidecarIndex {
        &self.sidecars
    }

    /// The `AuthorizationPolicy` objects, to choose those for a workload in advance.
    pub fn authorization_policies(&self) -> &AuthorizationPolicies {
        &self.authorization
    }

    /// The rules that clients go by.
    pub(crate) fn destination_rules(&self) -> &DestinationRules {
        &self.destination_rules
    }

    /// The `PeerAuthentication` policies.
    pub(crate) fn modes(&self) -> &ModePolicies {
        &self.modes
    }
}
