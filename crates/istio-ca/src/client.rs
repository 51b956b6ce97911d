//! An [`Issuer`] that asks a CA over gRPC.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use meshtls_ca::PublicKey;
use meshtls_rustls::rustls::server::ParsedCertificate;
use meshtls_rustls::{TlsProfile, log_text};
use meshtls_source::{
    Issued, Issuer, IssuerError, IssuerFuture, Random, SvidRequest, SystemRandom,
};
use meshtls_svid::{SvidSnapshot, SvidSource};
use tokio::net::TcpStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Code, Request, Status};
use zeroize::Zeroizing;

use crate::answer::{AnswerError, MAX_ANSWER_BYTES, read_answer};
use crate::pem::write_csr;
use crate::proto::IstioCertificateRequest;
use crate::proto::istio_certificate_service_client::IstioCertificateServiceClient;
use crate::retry::{ATTEMPTS, is_retried, wait};
use crate::token::{TokenError, read_token};
use crate::transport::{Connection, Transport};
use crate::trust::{CaTls, CaTrust, TlsError, TrustError};

/// A client of Istio's certificate service: of istiod, of [`IstioCaServer`](crate::IstioCaServer), or of whatever else speaks it.
///
/// Each request has a connection of its own, with what the files and the [`SvidSource`] hold then. A call that ends in a code
/// that may pass is made again up to four times, after 100 ms, then twice that, give or take 10 % (Istio's agent does the same).
///
/// # Reasons
///
/// Labels of the [`IssuerError`]s. Those that may pass: `ca_unreachable`, `ca_deadline`, `ca_tls` (the server is not who it should
/// be, or broke TLS), `ca_token`, `ca_roots`, and by the code of the answer `ca_cancelled`, `ca_deadline`, `ca_exhausted`,
/// `ca_aborted`, `ca_internal`, `ca_unavailable`. Those that stay: `ca_unauthenticated`, `ca_denied`, `ca_invalid`,
/// `ca_unimplemented`, `ca_refused` (all other codes), and those of [`AnswerError::reason`].
pub struct IstioCaClient {
    address: String,
    trust: CaTrust,
    profile: TlsProfile,
    token: Option<PathBuf>,
    own: OnceLock<Arc<dyn SvidSource>>,
    cluster_id: Option<MetadataValue<Ascii>>,
    deadline: Duration,
    random: Mutex<Box<dyn Random>>,
    dial: Dial,
}

impl IstioCaClient {
    /// Where Istio's own CA listens in a cluster.
    pub const ISTIOD: &'static str = "istiod.istio-system.svc:15012";

    /// How long one attempt may take, connection included, unless told otherwise.
    pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);

    /// Asks the CA at `address`, such as [`ISTIOD`](Self::ISTIOD): a host and a port.
    #[must_use]
    pub fn new(address: impl Into<String>, trust: CaTrust, profile: TlsProfile) -> Self {
        Self {
            address: address.into(),
            trust,
            profile,
            token: None,
            own: OnceLock::new(),
            cluster_id: None,
            deadline: Self::DEFAULT_DEADLINE,
            random: Mutex::new(Box::new(SystemRandom::default())),
            dial: Dial::Tcp,
        }
    }

    /// Shows the bearer token in the file at `path`, which is read at every request, so that it may be renewed.
    ///
    /// Who may read the file is not checked here, since Kubernetes mounts tokens for all users of a container:
    /// see [`key_file_exposure`](meshtls_svid::key_file_exposure).
    #[must_use]
    pub fn token_file(self, path: impl Into<PathBuf>) -> Self {
        Self { token: Some(path.into()), ..self }
    }

    /// Sends the name of the cluster along, which tells istiod who can judge the token. A name that is no printable ASCII is
    /// sent escaped, and known to nobody.
    #[must_use]
    pub fn cluster_id(self, id: &str) -> Self {
        let escaped: String = id.escape_default().collect();
        Self { cluster_id: MetadataValue::try_from(escaped).ok(), ..self }
    }

    /// Bounds each attempt. Default: [`DEFAULT_DEADLINE`](Self::DEFAULT_DEADLINE).
    #[must_use]
    pub fn attempt_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Takes the jitter of the waits from `random`. Default: [`SystemRandom`].
    #[must_use]
    pub fn random(self, random: Box<dyn Random>) -> Self {
        Self { random: Mutex::new(random), ..self }
    }

    /// Shows the newest X509-SVID of `source` at each connection from now on. The token is sent only while there is none: before
    /// the first, and after the last has expired.
    ///
    /// It can be said once, and later than everything else, since the identity may come from this very client; what is said
    /// again has no effect.
    pub fn show(&self, source: Arc<dyn SvidSource>) {
        self.own.get_or_init(|| source);
    }

    async fn request(&self, request: &SvidRequest) -> Result<Issued, IssuerError> {
        let csr = request.csr()?;
        let message = IstioCertificateRequest {
            csr: write_csr(csr),
            // Rounded up: a fraction of a second is no reason for the default of a day.
            validity_duration: request.ttl().map_or(0, whole_seconds),
            metadata: None,
        };
        let mut attempt = 0_u32;
        let elements = loop {
            attempt = attempt.saturating_add(1);
            let failure = match tokio::time::timeout(self.deadline, self.call(&message)).await {
                Ok(Ok(elements)) => break elements,
                Ok(Err(failure)) => failure,
                Err(_elapsed) => CallError::Deadline { after: self.deadline },
            };
            if attempt >= ATTEMPTS || !failure.is_retried() {
                return Err(failure.into());
            }
            let pause = {
                let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
                wait(attempt, &mut **random)
            };
            tokio::time::sleep(pause).await;
        };
        let issued = read_answer(&elements).map_err(refused)?;
        is_for(&issued, csr).map_err(refused)?;
        Ok(issued)
    }

    /// One attempt.
    async fn call(&self, message: &IstioCertificateRequest) -> Result<Vec<String>, CallError> {
        let own = self.own.get().and_then(|source| source.snapshot().ok());
        let (tls, token) = self.credentials(own).await?;
        let stream = self
            .dial
            .connect(&self.address)
            .await
            .map_err(CallError::Unreachable)?;
        let stream = tls.connect(stream).await?;
        let mut client = IstioCertificateServiceClient::with_origin(
            Connection::open(stream).await?,
            self.origin()?,
        )
        .max_decoding_message_size(MAX_ANSWER_BYTES);
        let mut request = Request::new(message.clone());
        request.set_timeout(self.deadline);
        if let Some(bearer) = token {
            request.metadata_mut().insert("authorization", bearer);
        }
        if let Some(cluster) = &self.cluster_id {
            request.metadata_mut().insert("clusterid", cluster.clone());
        }
        let answer = client.create_certificate(request).await?;
        Ok(answer.into_inner().cert_chain)
    }

    /// What proves who we are, and what proves who the CA is. Files are read where that may block.
    async fn credentials(
        &self,
        own: Option<Arc<SvidSnapshot>>,
    ) -> Result<(CaTls, Option<MetadataValue<Ascii>>), CallError> {
        let (trust, profile) = (self.trust.clone(), self.profile.clone());
        let token = if own.is_some() { None } else { self.token.clone() };
        let read = tokio::task::spawn_blocking(move || {
            let tls = trust.client(&profile, own.as_deref())?;
            let token = token.map(|path| bearer(&path)).transpose()?;
            Ok((tls, token))
        });
        match read.await {
            Ok(read) => read,
            Err(ended) => Err(CallError::Unreachable(io::Error::other(ended))),
        }
    }

    /// What stands in `:scheme` and `:authority`.
    fn origin(&self) -> Result<http::Uri, CallError> {
        format!("https://{}", self.address)
            .parse()
            .map_err(|error: http::uri::InvalidUri| {
                CallError::Unreachable(io::Error::new(io::ErrorKind::InvalidInput, error))
            })
    }
}

impl Issuer for IstioCaClient {
    fn issue<'a>(
        &'a self,
        request: &'a SvidRequest,
    ) -> IssuerFuture<'a, Result<Issued, IssuerError>> {
        Box::pin(self.request(request))
    }
}

impl fmt::Debug for IstioCaClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IstioCaClient")
            .field("address", &self.address)
            .field("trust", &self.trust)
            .field("token", &self.token)
            .field("cluster_id", &self.cluster_id)
            .finish_non_exhaustive()
    }
}

/// How the CA is reached.
enum Dial {
    Tcp,
    /// In memory: for tests whose clock stands.
    #[cfg(test)]
    Memory(Box<dyn Fn() -> tokio::io::DuplexStream + Send + Sync>),
}

impl Dial {
    async fn connect(&self, address: &str) -> io::Result<Box<dyn Transport>> {
        match self {
            Self::Tcp => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            #[cfg(test)]
            Self::Memory(connect) => Ok(Box::new(connect())),
        }
    }
}

/// Why one attempt failed. The text of a status comes from the other end: it is bounded and escaped.
#[derive(Debug, thiserror::Error)]
enum CallError {
    /// The CA cannot be reached.
    #[error("the CA cannot be reached")]
    Unreachable(#[source] io::Error),
    /// The attempt took too long.
    #[error("the CA has not answered within {} ms", after.as_millis())]
    Deadline {
        /// How long it was waited for.
        after: Duration,
    },
    /// The handshake failed.
    #[error("the TLS handshake with the CA failed")]
    Tls(#[from] TlsError),
    /// There is no TLS to speak.
    #[error("TLS with the CA cannot be set up")]
    Trust(#[from] TrustError),
    /// There is no token to show.
    #[error("there is no token to show to the CA")]
    Token(#[from] TokenError),
    /// The call ended in another code than "ok".
    #[error("the CA answers {code:?}: {}", log_text(message))]
    Status {
        /// The code.
        code: Code,
        /// What the other end says.
        message: String,
    },
}

impl CallError {
    fn is_retried(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Deadline { .. } => true,
            Self::Tls(error) => error.is_transport(),
            Self::Trust(_) | Self::Token(_) => false,
            Self::Status { code, .. } => is_retried(*code),
        }
    }
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        Self::Status { code: status.code(), message: status.message().to_owned() }
    }
}

impl From<CallError> for IssuerError {
    fn from(error: CallError) -> Self {
        let (reason, stays) = match &error {
            CallError::Unreachable(_) => ("ca_unreachable", false),
            CallError::Deadline { .. } => ("ca_deadline", false),
            CallError::Tls(tls) if tls.is_transport() => ("ca_unreachable", false),
            CallError::Tls(_) => ("ca_tls", false),
            CallError::Trust(_) => ("ca_roots", false),
            CallError::Token(_) => ("ca_token", false),
            CallError::Status { code, .. } => match code {
                Code::Cancelled => ("ca_cancelled", false),
                Code::DeadlineExceeded => ("ca_deadline", false),
                Code::ResourceExhausted => ("ca_exhausted", false),
                Code::Aborted => ("ca_aborted", false),
                Code::Internal => ("ca_internal", false),
                Code::Unavailable => ("ca_unavailable", false),
                Code::Unauthenticated => ("ca_unauthenticated", true),
                Code::PermissionDenied => ("ca_denied", true),
                Code::InvalidArgument => ("ca_invalid", true),
                Code::Unimplemented => ("ca_unimplemented", true),
                _ => ("ca_refused", true),
            },
        };
        if stays { Self::permanent(reason, error) } else { Self::retryable(reason, error) }
    }
}

fn refused(error: AnswerError) -> IssuerError {
    IssuerError::permanent(error.reason(), error)
}

/// Checks that the leaf is for the key of the request.
fn is_for(issued: &Issued, csr: &[u8]) -> Result<(), AnswerError> {
    let leaf = issued.chain.first().ok_or(AnswerError::MalformedLeaf)?;
    let leaf = ParsedCertificate::try_from(leaf).map_err(|_der| AnswerError::MalformedLeaf)?;
    let key = PublicKey::from_spki(&leaf.subject_public_key_info())
        .map_err(|_kind| AnswerError::OtherKey)?;
    // Our own request holds the key as it is written; nothing in it came from elsewhere.
    let spki = key.spki();
    let asked = csr
        .windows(spki.len())
        .any(|window| window == spki.as_ref());
    if asked { Ok(()) } else { Err(AnswerError::OtherKey) }
}

/// The header's value. It is marked, so that nobody logs it.
fn bearer(path: &Path) -> Result<MetadataValue<Ascii>, TokenError> {
    let token = read_token(path)?;
    let text = Zeroizing::new(format!("Bearer {}", *token));
    let mut value = MetadataValue::try_from(text.as_str())
        .map_err(|_text| TokenError::NotAToken { path: path.to_owned() })?;
    value.set_sensitive(true);
    Ok(value)
}

fn whole_seconds(ttl: Duration) -> i64 {
    let up = u64::from(ttl.subsec_nanos() > 0);
    i64::try_from(ttl.as_secs().saturating_add(up)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
