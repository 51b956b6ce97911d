//! The sources of other domains' bundles, together.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use meshtls_identity::TrustDomain;
use meshtls_rustls::TlsProfile;
use meshtls_svid::TrustBundle;

use crate::federated::FederatedSet;
use crate::federated_file::FederatedFile;
use crate::watch;
use crate::{
    FederatedBundles, FederationError, FederationHealth, Reporter, Silent, UnixTime, Watch,
};

/// Where the bundles of other trust domains come from: at most one source for each.
///
/// Whatever goes wrong later, the last good bundle of a domain stays in use, and what went wrong is reported and can be
/// read ([`FederationHealth`]).
///
/// ```no_run
/// use meshtls_rustls::TlsProfile;
/// use meshtls_source::{Federation, FederationError};
///
/// # async fn run(profile: TlsProfile) -> Result<(), FederationError> {
/// let federation = Federation::new(profile)
///     .file("partner.example".parse().unwrap(), "/etc/mesh/partner.json")?;
/// let mut bundles = federation.bundles();
/// let watch = federation.watch(); // until it is dropped
/// bundles.changed().await;
/// println!("{:?}", bundles.current());
/// # drop(watch);
/// # Ok(())
/// # }
/// ```
pub struct Federation {
    profile: TlsProfile,
    set: FederatedSet,
    health: FederationHealth,
    files: Vec<FederatedFile>,
    #[cfg(feature = "federation")]
    endpoints: Vec<crate::BundleEndpoint>,
    reporter: Arc<dyn Reporter>,
    every: Duration,
}

impl Federation {
    /// Without any source. `profile` gives the clock, and the TLS of bundle endpoints.
    #[must_use]
    pub fn new(profile: TlsProfile) -> Self {
        Self {
            profile,
            set: FederatedSet::new([]),
            health: FederationHealth::default(),
            files: vec![],
            #[cfg(feature = "federation")]
            endpoints: vec![],
            reporter: Arc::new(Silent),
            every: watch::DEFAULT_EVERY,
        }
    }

    /// Adds a bundle that does not change.
    ///
    /// # Errors
    ///
    /// [`FederationError::TwoSources`].
    pub fn fixed(self, bundle: TrustBundle) -> Result<Self, FederationError> {
        self.health.add(bundle.trust_domain())?;
        self.health
            .succeeded(bundle.trust_domain(), self.now(), None);
        self.set.put(bundle);
        Ok(self)
    }

    /// Adds the bundle of `trust_domain` in the file at `path`, which is loaded now and watched later: PEM, or a SPIFFE
    /// bundle document, which begins with `{`. Of a document only the authorities count: whoever writes the file says
    /// which is the newest, and the file is looked at as often as any.
    ///
    /// # Errors
    ///
    /// Every variant of [`FederationError`] but that of endpoints: a bad first load refuses to start.
    pub fn file(
        mut self,
        trust_domain: TrustDomain,
        path: impl Into<PathBuf>,
    ) -> Result<Self, FederationError> {
        self.health.add(&trust_domain)?;
        let (file, loaded) = FederatedFile::open(trust_domain.clone(), path.into())?;
        self.health
            .succeeded(&trust_domain, self.now(), loaded.sequence);
        self.set.put(loaded.bundle);
        self.files.push(file);
        Ok(self)
    }

    /// Adds a bundle endpoint, which is asked once this is watched. Until it answers, its domain is unknown; but where the
    /// endpoint's own bootstrap bundle is of that domain, it is in use at once (SPIFFE Federation, section 4.2).
    ///
    /// # Errors
    ///
    /// [`FederationError::TwoSources`].
    #[cfg(feature = "federation")]
    #[cfg_attr(docsrs, doc(cfg(feature = "federation")))]
    pub fn endpoint(mut self, endpoint: crate::BundleEndpoint) -> Result<Self, FederationError> {
        self.health.add(endpoint.trust_domain())?;
        if let Some(bundle) = endpoint.self_serving_bootstrap() {
            self.set.put(bundle.clone());
        }
        self.endpoints.push(endpoint);
        Ok(self)
    }

    /// Tells `reporter` what happens while the sources are watched. Default: nobody.
    #[must_use]
    pub fn reporter(self, reporter: Arc<dyn Reporter>) -> Self {
        Self { reporter, ..self }
    }

    /// Looks at files every `every`. Default: one second; less than 10 ms counts as 10 ms.
    #[must_use]
    pub fn poll_every(self, every: Duration) -> Self {
        Self { every: every.max(watch::SHORTEST_EVERY), ..self }
    }

    /// The bundles, which change while this is watched.
    #[must_use]
    pub fn bundles(&self) -> FederatedBundles {
        self.set.bundles()
    }

    /// How the sources fare.
    #[must_use]
    pub fn health(&self) -> FederationHealth {
        self.health.clone()
    }

    /// Starts to keep the bundles fresh, until the returned value is dropped. What counts as a change of a file, and when
    /// it is taken, is as for [`PolicyFiles::watch`](crate::PolicyFiles::watch).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with time enabled, and with I/O where there are endpoints.
    pub fn watch(self) -> Watch {
        // Holds the writing end, so that `watch` means the same with fixed bundles only.
        let set = self.set.clone();
        let mut watch = Watch::spawn(async move {
            std::future::pending::<()>().await;
            drop(set);
        });
        for file in self.files {
            let kept = file.kept_in(
                self.set.clone(),
                self.health.clone(),
                Arc::clone(&self.reporter),
                self.profile.clone(),
            );
            watch = watch.and(watch::poll(kept, self.every));
        }
        #[cfg(feature = "federation")]
        for endpoint in self.endpoints {
            let refresh = crate::bundle_refresh::Refresh::of(
                endpoint,
                &self.profile,
                self.set.clone(),
                self.health.clone(),
                Arc::clone(&self.reporter),
            );
            watch = watch.and(refresh.run());
        }
        watch
    }

    fn now(&self) -> UnixTime {
        now(&self.profile)
    }
}

impl fmt::Debug for Federation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Federation")
            .field("bundles", &self.set.bundles().current())
            .finish_non_exhaustive()
    }
}

/// The time by the clock of `profile`. A broken clock reads as 1970.
pub(crate) fn now(profile: &TlsProfile) -> UnixTime {
    let broken = UnixTime::since_unix_epoch(Duration::ZERO);
    profile.time().current_time().unwrap_or(broken)
}
