//! The builder of a workload, which composes identity, policies, acceptor and connector.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use meshtls_acceptor::Observer;
use meshtls_ca::KeyType;
use meshtls_identity::{ServiceAccountId, TrustDomain};
use meshtls_policy::{
    Discovery, Inventory, Labels, MeshSettings, MinimumTls, PolicyHandle, PolicySet, Resources,
    Workload as Subject,
};
use meshtls_rustls::{TlsMinimum, TlsProfile};
use meshtls_source::{
    FederatedBundles, Federation, IdentityError, LiveSvid, PemFiles, PolicyFiles, PolicyHealth,
    Renewal, Report, Reporter, Silent, Wanted, Watch, load_resources,
};
use meshtls_svid::SvidSource;

use crate::workload::{Renewed, Workload};
use crate::{IdentityFrom, PoliciesFrom, StartError};

/// Builds a [`Workload`]; [`Workload::builder`] begins it.
#[must_use]
pub struct WorkloadBuilder {
    id: ServiceAccountId,
    identity: IdentityFrom,
    svid_ttl: Option<Duration>,
    key_type: KeyType,
    subject: Subject,
    settings: MeshSettings,
    profile: Option<TlsProfile>,
    policies: PoliciesFrom,
    services: Services,
    observer: Option<Arc<dyn Observer>>,
    federation: Option<Federation>,
    reporter: Arc<dyn Reporter>,
}

/// What the connector knows of other services.
enum Services {
    From(Box<PoliciesFrom>),
    Discovery(Arc<dyn Discovery>),
}

impl WorkloadBuilder {
    pub(crate) fn new(id: ServiceAccountId, identity: IdentityFrom) -> Self {
        Self {
            settings: MeshSettings::new(id.trust_domain().clone()),
            subject: Subject::new(id.namespace(), Labels::default()),
            id,
            identity,
            svid_ttl: None,
            key_type: KeyType::default(),
            profile: None,
            policies: PoliciesFrom::default(),
            services: Services::From(Box::default()),
            observer: None,
            federation: None,
            reporter: Arc::new(Silent::default()),
        }
    }

    /// Adds a label, which selectors of policies match.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.subject.labels.insert(key, value);
        self
    }

    /// Sets all settings of the mesh at once, such as those that [`MeshSettings::parse`] reads from Istio's `meshConfig`. Their
    /// trust domain must be that of the workload. Call it before those that set one of them.
    ///
    /// They act on what comes in (trust domains, detection timeout), on what goes out (auto mTLS, rules of other namespaces),
    /// and on both (lowest TLS version: the profile's, if that is higher).
    ///
    /// ```no_run
    /// use meshtls::policy::MeshSettings;
    /// use meshtls::{IdentityFrom, Workload};
    ///
    /// # #[cfg(feature = "ring")]
    /// # fn start() -> Result<(), Box<dyn std::error::Error>> {
    /// let text = std::fs::read_to_string("mesh.yaml")?;
    /// let mesh = MeshSettings::parse("mesh.yaml", &text)?;
    /// for skipped in &mesh.skipped {
    ///     eprintln!("{skipped}");
    /// }
    /// let id = "prod.example/ns/foo/sa/httpbin".parse()?;
    /// let workload = Workload::builder(id, IdentityFrom::ca_dir("ca"))
    ///     .mesh_settings(mesh.settings)
    ///     .start()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn mesh_settings(mut self, settings: MeshSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Sets how long each X509-SVID lives, counted from its issuance. Default: what the issuer gives, 24 hours for a CA directory. It
    /// is renewed at half of that. PEM files say it themselves.
    pub fn svid_ttl(mut self, ttl: Duration) -> Self {
        self.svid_ttl = Some(ttl);
        self
    }

    /// Sets the kind of key that is drawn for each X509-SVID. Default P-256. PEM files bring theirs along.
    pub fn svid_key_type(mut self, key_type: KeyType) -> Self {
        self.key_type = key_type;
        self
    }

    /// Sets the namespace whose policies hold for the whole mesh. Default `istio-system`.
    pub fn root_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.settings = self.settings.with_root_namespace(namespace);
        self
    }

    /// Sets the aliases of the trust domain: other names under which members of the mesh are known. Default none.
    pub fn trust_domain_aliases(mut self, aliases: impl IntoIterator<Item = TrustDomain>) -> Self {
        self.settings = self.settings.with_trust_domain_aliases(aliases);
        self
    }

    /// Sets where policies come from. Default nowhere: every port is PERMISSIVE.
    pub fn policies(mut self, policies: impl Into<PoliciesFrom>) -> Self {
        self.policies = policies.into();
        self
    }

    /// Sets where the services come from that [`Workload::connector`] knows: `ServiceEntry` and `WorkloadEntry` documents, read once.
    /// Default nowhere: every host is outside the mesh.
    pub fn services(mut self, services: impl Into<PoliciesFrom>) -> Self {
        self.services = Services::From(Box::new(services.into()));
        self
    }

    /// Sets a discovery of your own in place of [`services`](Self::services).
    pub fn discovery(mut self, discovery: Arc<dyn Discovery>) -> Self {
        self.services = Services::Discovery(discovery);
        self
    }

    /// Sets crypto provider, clock and minimum TLS version. Default: the feature's provider (`ring` before `aws-lc-rs`), the system's
    /// clock, TLS 1.2.
    pub fn tls(mut self, profile: TlsProfile) -> Self {
        self.profile = Some(profile);
        self
    }

    /// Sets where the trust bundles of other trust domains come from, by which their members are known. Each vouches for its own domain
    /// alone. Default none.
    ///
    /// It says who *can* be known, not who is welcome: servers of another domain have to be named by the services or rules that
    /// one calls, and clients are let in once their domain is among the accepted ones of the [mesh settings](Self::mesh_settings).
    ///
    /// ```no_run
    /// use meshtls::policy::MeshSettings;
    /// use meshtls::rustls::TlsProfile;
    /// use meshtls::source::Federation;
    /// use meshtls::{IdentityFrom, Workload};
    ///
    /// # #[cfg(feature = "ring")]
    /// # fn start() -> Result<(), Box<dyn std::error::Error>> {
    /// let federation = Federation::new(TlsProfile::ring())
    ///     .file("partner.example".parse()?, "/etc/mesh/partner.json")?;
    /// let settings = MeshSettings::new("prod.example".parse()?)
    ///     .with_accepted_trust_domains(["partner.example".parse()?]);
    /// let id = "prod.example/ns/foo/sa/httpbin".parse()?;
    /// let workload = Workload::builder(id, IdentityFrom::ca_dir("ca"))
    ///     .mesh_settings(settings)
    ///     .federation(federation)
    ///     .start()?;
    /// # drop(workload);
    /// # Ok(())
    /// # }
    /// ```
    pub fn federation(mut self, federation: Federation) -> Self {
        self.federation = Some(federation);
        self
    }

    /// Sets who is told how each inbound connection ended up. Default nobody.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Sets who is told when an identity or policies were replaced, or kept because new ones were bad. Default nobody.
    pub fn reporter(mut self, reporter: Arc<dyn Reporter>) -> Self {
        self.reporter = reporter;
        self
    }

    /// Loads everything, checks it, and starts to keep it fresh.
    ///
    /// It reads files and, for [`IdentityFrom::CaDir`], may generate keys: call it before traffic matters.
    ///
    /// # Errors
    ///
    /// * [`StartError::NoProvider`], [`StartError::NoRuntime`]: something is missing around it.
    /// * [`StartError::CaDir`], [`StartError::Identity`], [`StartError::OtherIdentity`]: the identity.
    /// * [`StartError::OtherTrustDomain`], [`StartError::NoBundleFor`]: the settings of the mesh.
    /// * [`StartError::FederatedOwnDomain`], [`StartError::FederationOfSource`]: the bundles of other domains.
    /// * [`StartError::Policies`], [`StartError::Text`]: policies or services.
    pub fn start(mut self) -> Result<Workload, StartError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(StartError::NoRuntime);
        }
        let profile = self
            .profile
            .clone()
            .or_else(default_profile)
            .ok_or(StartError::NoProvider)?;
        let profile = match self.settings.minimum_tls {
            MinimumTls::Tls12 => profile,
            MinimumTls::Tls13 => profile.with_minimum_version(TlsMinimum::Tls13),
        };
        if self.settings.trust_domain != *self.id.trust_domain() {
            return Err(StartError::OtherTrustDomain {
                settings: self.settings.trust_domain,
                expected: self.id.spiffe_id().clone(),
            });
        }
        self.check_accepted_domains()?;
        let mut watches = Vec::new();
        let federation = self.federation.take();
        let federated = federation.as_ref().map(Federation::bundles);
        let (svid, renewed) = self.identity(&profile, federated, &mut watches)?;
        let health = federation.as_ref().map(Federation::health);
        if let Some(federation) = federation {
            watches.push(federation.reporter(Arc::clone(&self.reporter)).watch());
        }
        let (policies, policy_health) = self.policy_handle(&mut watches)?;
        let discovery = self.discovery_of_services()?;
        Ok(Workload {
            id: self.id,
            subject: self.subject,
            profile,
            svid,
            renewed,
            policies,
            policy_health,
            discovery,
            observer: self.observer,
            federation: health,
            _watches: watches,
        })
    }

    /// Members of a domain that no bundle is for cannot be checked, and the own domain has its bundle already.
    fn check_accepted_domains(&self) -> Result<(), StartError> {
        if matches!(self.identity, IdentityFrom::Source(_)) {
            return Ok(());
        }
        let vouched = self.settings.domains();
        let federated: Vec<TrustDomain> = self
            .federation
            .iter()
            .flat_map(|federation| federation.health().statuses())
            .map(|status| status.trust_domain)
            .collect();
        if let Some(domain) = federated.iter().find(|domain| *domain == vouched.own()) {
            return Err(StartError::FederatedOwnDomain { domain: domain.clone() });
        }
        let mut accepted = self.settings.accepted_trust_domains.iter();
        match accepted.find(|domain| !vouched.contains(domain) && !federated.contains(domain)) {
            Some(domain) => Err(StartError::NoBundleFor { domain: domain.clone() }),
            None => Ok(()),
        }
    }

    fn identity(
        &self,
        profile: &TlsProfile,
        federated: Option<FederatedBundles>,
        watches: &mut Vec<Watch>,
    ) -> Result<(Arc<dyn SvidSource>, Option<Renewed>), StartError> {
        let id = self.id.spiffe_id();
        let wanted = Wanted::new(id.clone()).with_key_type(self.key_type);
        let wanted = match self.svid_ttl {
            Some(ttl) => wanted.with_ttl(ttl),
            None => wanted,
        };
        let (domains, profile) = (self.settings.domains(), profile.clone());
        let renewal = match &self.identity {
            #[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
            IdentityFrom::CaDir(directory) => {
                let issuer = crate::ca_dir::open(directory, self.id.trust_domain(), &profile)?;
                Renewal::at_hand(Arc::new(issuer), wanted, domains, profile)
            }
            IdentityFrom::PemFiles(paths) => {
                let files = PemFiles::new(paths.clone(), self.id.trust_domain().clone())
                    .reporter(Arc::clone(&self.reporter));
                Renewal::at_hand(Arc::new(files), wanted, domains, profile)
            }
            IdentityFrom::Issuer(issuer) => {
                Ok(Renewal::new(Arc::clone(issuer), wanted, domains, profile))
            }
            #[cfg(feature = "istio-ca")]
            IdentityFrom::IstioCa(client) => {
                let issuer = Arc::<meshtls_istio_ca::IstioCaClient>::clone(client);
                let renewal = Renewal::new(issuer, wanted, domains, profile);
                client.show(renewal.live());
                Ok(renewal)
            }
            IdentityFrom::Source(_) if federated.is_some() => {
                return Err(StartError::FederationOfSource);
            }
            IdentityFrom::Source(source) => {
                // One that has nothing yet will be asked again at each handshake.
                if let Ok(snapshot) = source.snapshot()
                    && snapshot.svid().id() != id
                {
                    let presented = snapshot.svid().id().clone();
                    return Err(StartError::OtherIdentity { presented, expected: id.clone() });
                }
                return Ok((Arc::clone(source), None));
            }
        };
        let renewal = renewal
            .map_err(|error| match error {
                IdentityError::OtherIdentity { current: expected, presented } => {
                    StartError::OtherIdentity { presented, expected }
                }
                error => error.into(),
            })?
            .federated(federated.unwrap_or_else(|| FederatedBundles::fixed([])))
            .reporter(Arc::clone(&self.reporter));
        let renewed = Renewed { live: renewal.live(), health: renewal.health() };
        watches.push(renewal.watch());
        Ok((Arc::<LiveSvid>::clone(&renewed.live), Some(renewed)))
    }

    fn policy_handle(
        &self,
        watches: &mut Vec<Watch>,
    ) -> Result<(PolicyHandle, Option<PolicyHealth>), StartError> {
        if let PoliciesFrom::Path { path, stale_after } = &self.policies {
            let mut files = PolicyFiles::open(path, self.settings.clone())?
                .reporter(Arc::clone(&self.reporter));
            if let Some((max_age, then)) = *stale_after {
                files = files.stale_after(max_age, then);
            }
            let (handle, health) = (files.handle(), files.health());
            watches.push(files.watch());
            return Ok((handle, Some(health)));
        }
        let resources = self.resources(&self.policies)?;
        Ok((PolicyHandle::new(PolicySet::compile(self.settings.clone(), &resources)), None))
    }

    /// Reads resources once, and reports what of them has no effect or is odd.
    fn resources(&self, from: &PoliciesFrom) -> Result<Resources, StartError> {
        let resources = match from {
            PoliciesFrom::Nowhere => Resources::default(),
            PoliciesFrom::Text { name, text } => Resources::parse(name, text)?,
            PoliciesFrom::Path { path, .. } => load_resources(path)?,
            PoliciesFrom::Value(resources) => resources.clone(),
        };
        for skipped in resources.skipped() {
            self.reporter.report(&Report::PolicySkipped(skipped));
        }
        for warning in resources.warnings() {
            self.reporter.report(&Report::PolicyWarning(warning));
        }
        Ok(resources)
    }

    fn discovery_of_services(&self) -> Result<Arc<dyn Discovery>, StartError> {
        match &self.services {
            Services::Discovery(discovery) => Ok(Arc::clone(discovery)),
            Services::From(from) => {
                Ok(Arc::new(Inventory::from_resources(&self.settings, &self.resources(from)?)))
            }
        }
    }
}

impl fmt::Debug for WorkloadBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkloadBuilder")
            .field("id", &self.id)
            .field("identity", &self.identity)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

/// The provider of the feature that is on: no feature changes what another one has chosen.
fn default_profile() -> Option<TlsProfile> {
    #[cfg(feature = "ring")]
    return Some(TlsProfile::ring());
    #[cfg(all(feature = "aws-lc-rs", not(feature = "ring")))]
    return Some(TlsProfile::aws_lc_rs());
    #[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
    None
}
