//! The mesh-wide settings that change what policies mean.

use std::time::Duration;

use meshtls_identity::{AcceptedDomains, MeshDomains, TrustDomain};

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
    /// Further trust domains whose members may connect, without meaning the same as [`trust_domain`](Self::trust_domain): no
    /// policy that names one is taken for the other. Default none. Istio: `caCertificates[].trustDomains`.
    pub accepted_trust_domains: Vec<TrustDomain>,
    /// Whether clients choose mTLS by themselves where no rule says otherwise. Default true.
    pub enable_auto_mtls: bool,
    /// Whether the TLS blocks of `Sidecar` ingress listeners take effect. Default true; Istio's own default is false, where a
    /// port whose owner wrote such a block serves plaintext.
    pub sidecar_ingress_tls: bool,
    /// Whose clients go by a `DestinationRule` that does not say it. Default `*`, everybody; `.` is its own namespace. Other
    /// entries have no effect, as in Istio.
    pub default_destination_rule_export_to: Vec<String>,
    /// The lowest version of TLS between members of the mesh. Default [`MinimumTls::Tls12`].
    pub minimum_tls: MinimumTls,
    /// How long the first bytes of a connection are waited for; `None` is the default of whoever accepts connections. Istio's
    /// own default, to wait for ever, must be asked for where connections are accepted.
    pub protocol_detection_timeout: Option<Duration>,
}

/// The lowest version of TLS between members of the mesh.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_enums, reason = "Istio has these two")]
pub enum MinimumTls {
    /// TLS 1.2.
    #[default]
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl MeshSettings {
    /// The settings of a mesh with this trust domain, all else at its default.
    pub fn new(trust_domain: TrustDomain) -> Self {
        Self {
            root_namespace: "istio-system".to_owned(),
            trust_domain,
            trust_domain_aliases: Vec::new(),
            accepted_trust_domains: Vec::new(),
            enable_auto_mtls: true,
            sidecar_ingress_tls: true,
            default_destination_rule_export_to: vec!["*".to_owned()],
            minimum_tls: MinimumTls::Tls12,
            protocol_detection_timeout: None,
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

    /// Sets the trust domains whose members may connect, beside the mesh's own and its aliases.
    #[must_use]
    pub fn with_accepted_trust_domains(
        mut self,
        domains: impl IntoIterator<Item = TrustDomain>,
    ) -> Self {
        self.accepted_trust_domains = domains.into_iter().collect();
        self
    }

    /// Sets the lowest version of TLS between members of the mesh.
    #[must_use]
    pub fn with_minimum_tls(mut self, minimum: MinimumTls) -> Self {
        self.minimum_tls = minimum;
        self
    }

    /// Sets how long the first bytes of a connection are waited for; 0 and `None` leave it to whoever accepts connections.
    #[must_use]
    pub fn with_protocol_detection_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.protocol_detection_timeout = timeout.into().filter(|timeout| !timeout.is_zero());
        self
    }

    /// The trust domains whose members may connect: the mesh's own, its aliases, and the accepted ones.
    pub fn accepted_domains(&self) -> AcceptedDomains {
        [&self.trust_domain]
            .into_iter()
            .chain(&self.trust_domain_aliases)
            .chain(&self.accepted_trust_domains)
            .cloned()
            .collect()
    }

    /// The mesh's own trust domain with its aliases: what means the same to policies and to secure naming.
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
