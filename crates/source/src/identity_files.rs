//! An identity from PEM files that somebody else rotates.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use meshtls_identity::{MeshDomains, SpiffeId};
use meshtls_rustls::TlsProfile;
use meshtls_svid::{
    KeyFileExposure, LoadError, SvidError, SvidHandle, TrustBundle, TrustBundles, X509Svid,
    key_file_exposure,
};

use crate::check::Check;
use crate::read::{Content, Fingerprint, Fingerprints, Looked, read_file};
use crate::watch::{self, Polled};
use crate::{IdentityChange, IdentityError, ReadError, Report, Reporter, Silent, Watch};

/// Where the PEM files of an identity are.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "an identity in PEM files is these three")]
pub struct IdentityPaths {
    /// The certificate chain, leaf first.
    pub certificate: PathBuf,
    /// The private key of the leaf. It may be the same file as `certificate`.
    pub key: PathBuf,
    /// The trust anchors of the mesh's own trust domain.
    pub roots: PathBuf,
}

/// The identity in three PEM files, in use through a [`SvidHandle`].
///
/// New material is checked before it replaces good material: the key fits the certificate, the chain verifies now
/// against the new roots, the identity is the same. While it does not pass, the last good one stays in use: a half
/// written file, or a certificate whose key comes a moment later, disturbs nobody.
pub struct IdentityFiles {
    paths: IdentityPaths,
    check: Check,
    change: IdentityChange,
    exposed_key: ExposedKey,
    handle: Arc<SvidHandle>,
    current: SpiffeId,
    in_use: Fingerprint,
    /// The refused reading that was reported last and why, until the source is good again.
    refused: Option<(Fingerprint, &'static str)>,
    fingerprints: Fingerprints,
    reporter: Arc<dyn Reporter>,
    every: Duration,
}

impl IdentityFiles {
    /// Loads the identity at `paths`. The roots are those of the mesh's own trust domain and of every alias. `profile`
    /// gives the clock and the algorithms by which the material is checked.
    ///
    /// # Errors
    ///
    /// Every variant of [`IdentityError`] but [`IdentityError::OtherIdentity`]: a bad first load refuses to start.
    pub fn open(
        paths: IdentityPaths,
        domains: MeshDomains,
        profile: TlsProfile,
    ) -> Result<Self, IdentityError> {
        let check = Check { domains, profile };
        let fingerprints = Fingerprints::default();
        let looked = fingerprints.look(Pem::read(&paths));
        let (svid, bundles) = looked.found?.material(&paths, &check)?;
        Ok(Self {
            paths,
            check,
            change: IdentityChange::Refuse,
            exposed_key: ExposedKey::Report,
            current: svid.id().clone(),
            handle: Arc::new(SvidHandle::new(svid, bundles)),
            in_use: looked.fingerprint,
            refused: None,
            fingerprints,
            reporter: Arc::new(Silent),
            every: watch::DEFAULT_EVERY,
        })
    }

    /// Whether new files may carry another SPIFFE ID. Default: [`IdentityChange::Refuse`].
    #[must_use]
    pub fn identity_change(self, change: IdentityChange) -> Self {
        Self { change, ..self }
    }

    /// Refuses a key file that others than its owner may read (Unix file modes), now and at every change. Default: it is
    /// used and reported.
    ///
    /// # Errors
    ///
    /// [`IdentityError::ExposedKey`] for the key loaded first.
    pub fn refuse_exposed_key(self) -> Result<Self, IdentityError> {
        let files = Self { exposed_key: ExposedKey::Refuse, ..self };
        files.check_key_file()?;
        Ok(files)
    }

    /// Tells `reporter` what happens while the files are watched. Default: nobody.
    #[must_use]
    pub fn reporter(self, reporter: Arc<dyn Reporter>) -> Self {
        Self { reporter, ..self }
    }

    /// Looks at the files every `every`. Default: one second; less than 10 ms counts as 10 ms.
    #[must_use]
    pub fn poll_every(self, every: Duration) -> Self {
        Self { every: every.max(watch::SHORTEST_EVERY), ..self }
    }

    /// The handle through which the current identity is read.
    #[must_use]
    pub fn handle(&self) -> Arc<SvidHandle> {
        Arc::clone(&self.handle)
    }

    /// Starts to watch the files, until the returned value is dropped. What counts as a change, and when it is taken,
    /// is as for [`PolicyFiles::watch`](crate::PolicyFiles::watch).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with time enabled.
    pub fn watch(self) -> Watch {
        let every = self.every;
        self.report_exposed_key();
        Watch::spawn(watch::poll(self, every))
    }

    fn check_key_file(&self) -> Result<(), IdentityError> {
        match self.exposed_key {
            ExposedKey::Report => Ok(()),
            ExposedKey::Refuse => match key_file_exposure(&self.paths.key)? {
                KeyFileExposure::Others { mode } => {
                    Err(IdentityError::ExposedKey { path: self.paths.key.clone(), mode })
                }
                KeyFileExposure::OwnerOnly | KeyFileExposure::Unknown => Ok(()),
            },
        }
    }

    fn report_exposed_key(&self) {
        if let Ok(KeyFileExposure::Others { mode }) = key_file_exposure(&self.paths.key) {
            self.reporter
                .report(&Report::KeyExposed { path: &self.paths.key, mode });
        }
    }

    /// Puts `pem` into use, if it is good.
    fn replace(&mut self, pem: Result<Pem, ReadError>) -> Result<u64, IdentityError> {
        let (svid, bundles) = pem?.material(&self.paths, &self.check)?;
        self.change.check(&self.current, svid.id())?;
        self.check_key_file()?;
        self.current = svid.id().clone();
        Ok(self.handle.replace(svid, bundles))
    }
}

/// What to do with a key file that others may read.
#[derive(Clone, Copy, Debug)]
enum ExposedKey {
    Report,
    Refuse,
}

impl Polled for IdentityFiles {
    type Reading = Looked<Pem>;

    fn read(&self) -> Looked<Pem> {
        self.fingerprints.look(Pem::read(&self.paths))
    }

    // What was refused is judged again at every look: with time, a certificate becomes valid.
    fn is_news(&mut self, looked: &Looked<Pem>) -> bool {
        looked.fingerprint != self.in_use || self.refused.is_some()
    }

    fn judge(&mut self, looked: Looked<Pem>) {
        if looked.fingerprint == self.in_use {
            self.refused = None;
            self.reporter.report(&Report::Recovered);
            return;
        }
        match self.replace(looked.found) {
            Ok(generation) => {
                self.in_use = looked.fingerprint;
                self.refused = None;
                self.reporter
                    .report(&Report::IdentityReplaced { generation });
                self.report_exposed_key();
            }
            Err(error) => {
                let refused = Some((looked.fingerprint, error.reason()));
                if self.refused != refused {
                    self.refused = refused;
                    self.reporter.report(&Report::IdentityKept(&error));
                }
            }
        }
    }
}

impl fmt::Debug for IdentityFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityFiles")
            .field("paths", &self.paths)
            .field("every", &self.every)
            .field("current", &self.current)
            .finish_non_exhaustive()
    }
}

/// What is read at the three paths, before it is understood.
pub(crate) struct Pem {
    certificate: Content,
    key: Content,
    roots: Content,
}

impl Hash for Pem {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for content in [&self.certificate, &self.key, &self.roots] {
            content.as_slice().hash(state);
        }
    }
}

impl Pem {
    fn read(paths: &IdentityPaths) -> Result<Self, ReadError> {
        Ok(Self {
            certificate: read_file(&paths.certificate)?,
            key: read_file(&paths.key)?,
            roots: read_file(&paths.roots)?,
        })
    }

    fn material(
        &self,
        paths: &IdentityPaths,
        check: &Check,
    ) -> Result<(X509Svid, TrustBundles), IdentityError> {
        let svid = X509Svid::from_pem(&self.certificate, &self.key).map_err(|source| {
            let path =
                if matches!(source, SvidError::Key(_)) { &paths.key } else { &paths.certificate };
            LoadError::Svid { path: path.clone(), source }
        })?;
        let roots = TrustBundle::from_pem(check.domains.own().clone(), &self.roots)
            .map_err(|source| LoadError::Bundle { path: paths.roots.clone(), source })?;
        let bundles = check.bundles(roots);
        check.usable(&svid, &bundles)?;
        Ok((svid, bundles))
    }
}
