//! The mesh-wide settings that change what policies mean.

use meshtls_identity::{MeshDomains, TrustDomain};

/// The settings of the mesh (Istio's `meshConfig`) that policies and secure naming depend on.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct MeshSettings {
    /// The namespace whose policies count for the whole mesh. Default `istio-system`.
    pub root_namespace: String,
    /// The trust domain of the mesh. Default `cluster.local`.
    pub trust_domain: TrustDomain,
    /// Trust domains that mean the same as [`trust_domain`](Self::trust_domain). Default none.
    pub trust_domain_aliases: Vec<TrustDomain>,
    /// Whether clients choose mTLS by themselves where no rule says otherwise. Default true.
    pub enable_auto_mtls: bool,
    /// Whether the TLS blocks of `Sidecar` ingress listeners take effect. Default true; Istio's own default is false, where a
    /// port whose owner wrote such a block serves plaintext.
    pub sidecar_ingress_tls: bool,
    /// Whose clients go by a `DestinationRule` that does not say it. Default `*`, everybody; `.` is its own namespace. Other
    /// entries have no effect, as in Istio.
    pub default_destination_rule_export_to: Vec<String>,
}

impl MeshSettings {
    /// The settings of a mesh with this trust domain, all else at its default.
    pub fn new(trust_domain: TrustDomain) -> Self {
        Self {
            root_namespace: "istio-system".to_owned(),
            trust_domain,
            trust_domain_aliases: Vec::new(),
            enable_auto_mtls: true,
            sidecar_ingress_tls: true,
            default_destination_rule_export_to: vec!["*".to_owned()],
        }
    }

    /// Sets the root namespace.
    #[must_use]
    pub fn with_root_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.root_namespace = namespace.into();
        self
    }

    /// Sets the trust domain.
    #[must_use]
    pub fn with_trust_domain(mut self, trust_domain: TrustDomain) -> Self {
        self.trust_domain = trust_domain;
        self
    }

    /// Sets the aliases of the trust domain.
    #[must_use]
    pub fn with_trust_domain_aliases(
        mut self,
        aliases: impl IntoIterator<Item = TrustDomain>,
    ) -> Self {
        self.trust_domain_aliases = aliases.into_iter().collect();
        self
    }

    /// Sets whether clients choose mTLS by themselves.
    #[must_use]
    pub fn with_enable_auto_mtls(mut self, enable: bool) -> Self {
        self.enable_auto_mtls = enable;
        self
    }

    /// Sets whether the TLS blocks of `Sidecar` ingress listeners take effect.
    #[must_use]
    pub fn with_sidecar_ingress_tls(mut self, enable: bool) -> Self {
        self.sidecar_ingress_tls = enable;
        self
    }

    /// Sets whose clients go by a `DestinationRule` that does not say it.
    #[must_use]
    pub fn with_default_destination_rule_export_to(
        mut self,
        namespaces: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.default_destination_rule_export_to = namespaces.into_iter().map(Into::into).collect();
        self
    }

    /// The mesh's own trust domain with its aliases.
    pub fn domains(&self) -> MeshDomains {
        MeshDomains::new(self.trust_domain.clone(), self.trust_domain_aliases.iter().cloned())
    }
}

/// Istio's defaults.
impl Default for MeshSettings {
    fn default() -> Self {
        Self::new(TrustDomain::cluster_local())
    }
}
