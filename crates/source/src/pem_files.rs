//! PEM files that somebody else rotates, as an issuer that brings its keys along.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use meshtls_identity::TrustDomain;
use meshtls_svid::{
    KeyFileExposure, LoadError, SvidError, TrustBundle, X509Svid, key_file_exposure,
};

use crate::read::{Content, Fingerprint, Fingerprints, Looked, read_file};
use crate::watch::{DEFAULT_EVERY, SETTLE, SHORTEST_EVERY};
use crate::{
    Issued, Issuer, IssuerAtHand, IssuerError, IssuerFuture, ReadError, Report, Reporter, Silent,
    SvidRequest,
};

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

/// The identity in three PEM files.
///
/// Half a file, or a certificate whose key comes a moment later, disturbs nobody: the files are read when they have
/// stood still for 50 ms, and a pair that does not fit is refused by who [renews](crate::Renewal). Each file may have 1 MiB.
#[derive(Clone)]
pub struct PemFiles {
    paths: IdentityPaths,
    trust_domain: TrustDomain,
    exposed_key: ExposedKey,
    reporter: Arc<dyn Reporter>,
    every: Duration,
    fingerprints: Fingerprints,
    /// Of which content an exposed key was reported last.
    reported: Arc<Mutex<Option<Fingerprint>>>,
}

impl PemFiles {
    /// Reads the files at `paths`; the roots there are those of `trust_domain`.
    #[must_use]
    pub fn new(paths: IdentityPaths, trust_domain: TrustDomain) -> Self {
        Self {
            paths,
            trust_domain,
            exposed_key: ExposedKey::Report,
            reporter: Arc::new(Silent),
            every: DEFAULT_EVERY,
            fingerprints: Fingerprints::default(),
            reported: Arc::default(),
        }
    }

    /// Refuses a key file that others than its owner may read (Unix file modes). Default: it is used and reported.
    #[must_use]
    pub fn refuse_exposed_key(self) -> Self {
        Self { exposed_key: ExposedKey::Refuse, ..self }
    }

    /// Tells `reporter` of a key file that others may read ([`Report::KeyExposed`]), once for each content. Default: nobody.
    #[must_use]
    pub fn reporter(self, reporter: Arc<dyn Reporter>) -> Self {
        Self { reporter, ..self }
    }

    /// Looks at the files every `every`. Default: one second; less than 10 ms counts as 10 ms.
    #[must_use]
    pub fn poll_every(self, every: Duration) -> Self {
        Self { every: every.max(SHORTEST_EVERY), ..self }
    }

    /// Looks on a thread that may block.
    async fn look(&self) -> Result<Looked<Pem>, IssuerError> {
        let files = self.clone();
        tokio::task::spawn_blocking(move || files.look_now())
            .await
            .map_err(|error| IssuerError::retryable("shutting_down", error))
    }

    fn look_now(&self) -> Looked<Pem> {
        self.fingerprints.look(Pem::read(&self.paths))
    }

    fn read(&self, looked: Looked<Pem>, request: &SvidRequest) -> Result<Issued, IssuerError> {
        request.note(looked.fingerprint.number());
        let issued = self
            .understand(looked.found)
            .map_err(|error| IssuerError::retryable(error.reason(), error))?;
        self.report_exposed_key(looked.fingerprint);
        Ok(issued)
    }

    fn understand(&self, found: Result<Pem, ReadError>) -> Result<Issued, PemFilesError> {
        let (Pem { certificate, key, roots }, paths) = (found?, &self.paths);
        let svid = X509Svid::from_pem(&certificate, &key).map_err(|source| {
            let path =
                if matches!(source, SvidError::Key(_)) { &paths.key } else { &paths.certificate };
            LoadError::Svid { path: path.clone(), source }
        })?;
        let bundle = TrustBundle::from_pem(self.trust_domain.clone(), &roots)
            .map_err(|source| LoadError::Bundle { path: paths.roots.clone(), source })?;
        if let (ExposedKey::Refuse, KeyFileExposure::Others { mode }) =
            (self.exposed_key, key_file_exposure(&paths.key)?)
        {
            return Err(PemFilesError::ExposedKey { path: paths.key.clone(), mode });
        }
        let issued = Issued::new(svid.chain().to_vec(), bundle.anchors().to_vec());
        Ok(issued.with_key(svid.private_key().clone_key()))
    }

    fn report_exposed_key(&self, fingerprint: Fingerprint) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if *reported == Some(fingerprint) {
            return;
        }
        *reported = Some(fingerprint);
        if let Ok(KeyFileExposure::Others { mode }) = key_file_exposure(&self.paths.key) {
            self.reporter
                .report(&Report::KeyExposed { path: &self.paths.key, mode });
        }
    }
}

impl Issuer for PemFiles {
    fn issue<'a>(
        &'a self,
        request: &'a SvidRequest,
    ) -> IssuerFuture<'a, Result<Issued, IssuerError>> {
        Box::pin(async move {
            let mut looked = self.look().await?;
            for _ in 0..LOOKS {
                tokio::time::sleep(SETTLE).await;
                let again = self.look().await?;
                if again == looked {
                    return self.read(looked, request);
                }
                looked = again;
            }
            Err(IssuerError::retryable("unsettled", Unsettled))
        })
    }

    fn changed(&self, since: Option<u64>) -> IssuerFuture<'_, ()> {
        Box::pin(async move {
            loop {
                tokio::time::sleep(self.every).await;
                if let Ok(looked) = self.look().await
                    && since.is_some_and(|since| since != looked.fingerprint.number())
                {
                    return;
                }
            }
        })
    }

    /// As often as the files are looked at: nobody else is asked, and with time a certificate becomes valid.
    fn longest_wait(&self) -> Duration {
        self.every
    }
}

impl IssuerAtHand for PemFiles {
    fn issue_now(&self, request: &SvidRequest) -> Result<Issued, IssuerError> {
        self.read(self.look_now(), request)
    }
}

impl fmt::Debug for PemFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PemFiles")
            .field("paths", &self.paths)
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}

/// Why PEM files give no identity. It is the source of the [`IssuerError`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PemFilesError {
    /// A file could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The PEM text holds no X509-SVID or no trust bundle.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Others than its owner may read the file of the private key, and that is to be refused.
    #[error("others may read the private key {} (mode {mode:o})", path.display())]
    ExposedKey {
        /// The file.
        path: PathBuf,
        /// Its permission bits, such as `0o644`.
        mode: u32,
    },
}

impl PemFilesError {
    /// A short stable label, for metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Read(error) => error.reason(),
            Self::Load(_) => "load",
            Self::ExposedKey { .. } => "exposed_key",
        }
    }
}

/// What to do with a key file that others may read.
#[derive(Clone, Copy, Debug)]
enum ExposedKey {
    Report,
    Refuse,
}

/// The files did not stand still.
#[derive(Debug, thiserror::Error)]
#[error("the files changed with each of {LOOKS} looks")]
struct Unsettled;

/// What is read at the three paths, before it is understood.
struct Pem {
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
}

/// How often files are looked at, 50 ms apart, until two looks read the same.
const LOOKS: u32 = 20;
