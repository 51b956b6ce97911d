//! Compiled policies: immutable, indexed by namespace, resolved without allocation.

use std::collections::HashMap;

use crate::{MeshSettings, MtlsMode, PeerAuthentication, Resolved, Resources, Workload};

/// Policies of a mesh, ready to be asked.
///
/// A set never changes: a new one replaces it, through a [`PolicyHandle`](crate::PolicyHandle).
#[derive(Clone, Debug)]
pub struct PolicySet {
    settings: MeshSettings,
    namespaces: HashMap<Box<str>, NamespacePolicies>,
}

impl PolicySet {
    /// Compiles the policies in `resources`.
    ///
    /// The objects are taken as they are, also those that [`Resources::parse`] would refuse: the answers are then what
    /// Istio's control plane answers for them (rules PA-1 to PA-11).
    pub fn compile(settings: MeshSettings, resources: &Resources) -> Self {
        let mut sorted: Vec<&PeerAuthentication> =
            resources.peer_authentications().iter().collect();
        sorted.sort_by(|a, b| a.metadata.precedence(&b.metadata));
        let mut namespaces: HashMap<Box<str>, NamespacePolicies> = HashMap::new();
        for policy in sorted {
            namespaces
                .entry(policy.name().namespace().into())
                .or_default()
                .add(policy.clone());
        }
        Self { settings, namespaces }
    }

    /// The settings the set was compiled with.
    pub fn settings(&self) -> &MeshSettings {
        &self.settings
    }

    /// The mode of a workload's `port`, and the policy it comes from. Does not allocate.
    ///
    /// `port` is the port the workload listens on (container port), never a service port; 0 asks for "any port without an
    /// entry of its own".
    pub fn resolve(&self, workload: &Workload, port: u16) -> Resolved<'_> {
        let mesh = self.mesh_policy();
        let own = self.own_namespace(&workload.namespace);
        let namespace = own.and_then(|own| own.level.as_ref());
        let selected = own.and_then(|own| own.selecting(workload));
        Resolved::merge(mesh, namespace, selected, port)
    }

    /// What clients take for the mode of a whole namespace: its own policy, else the mesh's, else PERMISSIVE.
    ///
    /// Policies with a selector and port entries are not in it (rule PA-11).
    pub fn namespace_mode(&self, namespace: &str) -> MtlsMode {
        let own = self
            .own_namespace(namespace)
            .and_then(|own| own.level.as_ref());
        Resolved::merge(self.mesh_policy(), own, None, 0).mode()
    }

    /// The policy that counts for the whole mesh.
    pub(crate) fn mesh_policy(&self) -> Option<&PeerAuthentication> {
        self.namespaces
            .get(self.settings.root_namespace.as_str())?
            .level
            .as_ref()
    }

    /// The policies of a workload's namespace; none for the root namespace, whose policies are the mesh level.
    pub(crate) fn own_namespace(&self, namespace: &str) -> Option<&NamespacePolicies> {
        if namespace == self.settings.root_namespace {
            None
        } else {
            self.namespaces.get(namespace)
        }
    }

    /// All namespaces with policies, in no particular order.
    pub(crate) fn namespaces(&self) -> impl Iterator<Item = (&str, &NamespacePolicies)> {
        self.namespaces
            .iter()
            .map(|(name, policies)| (&**name, policies))
    }
}

/// The policies of one namespace, each list in order of precedence.
#[derive(Clone, Debug, Default)]
pub(crate) struct NamespacePolicies {
    /// The one without selector that counts.
    pub(crate) level: Option<PeerAuthentication>,
    /// Others without selector: dropped, because [`level`](Self::level) is older.
    pub(crate) superseded: Vec<PeerAuthentication>,
    /// Those with a selector.
    pub(crate) selective: Vec<PeerAuthentication>,
}

impl NamespacePolicies {
    /// Takes the next policy in order of precedence.
    fn add(&mut self, policy: PeerAuthentication) {
        if !policy.selector.is_empty() {
            self.selective.push(policy);
        } else if self.level.is_none() {
            self.level = Some(policy);
        } else {
            self.superseded.push(policy);
        }
    }

    /// Every policy, in no particular order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &PeerAuthentication> {
        self.level
            .iter()
            .chain(&self.superseded)
            .chain(&self.selective)
    }

    /// The oldest policy whose selector selects the workload: it wins whole.
    pub(crate) fn selecting(&self, workload: &Workload) -> Option<&PeerAuthentication> {
        self.selective
            .iter()
            .find(|policy| policy.selector.select(&workload.labels))
    }
}
