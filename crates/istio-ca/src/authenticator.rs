//! Who asks for a certificate: what a caller shows, and who judges it.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;

use meshtls_ca::AuthenticatedBy;
use meshtls_identity::SpiffeId;
use meshtls_rustls::VerifiedPeer;
use rustls_pki_types::UnixTime;
use zeroize::Zeroizing;

/// Judges what a caller shows. The server asks its authenticators in order, and the first that knows the caller decides.
pub trait Authenticator: fmt::Debug + Send + Sync {
    /// The kind of credential, for the audit log.
    fn by(&self) -> AuthenticatedBy;

    /// Tells who the caller is.
    ///
    /// # Errors
    ///
    /// [`NotAuthenticated`]: the next authenticator is asked.
    fn authenticate<'a>(&'a self, shown: &'a Shown) -> AuthenticatorFuture<'a>;
}

/// What [`Authenticator`] gives: a trait object cannot have `async fn`.
pub type AuthenticatorFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Caller, NotAuthenticated>> + Send + 'a>>;

/// What a caller shows.
#[derive(Clone)]
#[non_exhaustive]
pub struct Shown {
    /// The peer of the TLS connection, if it has an X509-SVID.
    pub peer: Option<VerifiedPeer>,
    /// The bearer token of the request.
    pub bearer: Option<Zeroizing<String>>,
    /// From where the connection comes.
    pub address: SocketAddr,
    /// The time of the request.
    pub now: UnixTime,
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown")
            .field("peer", &self.peer)
            .field("bearer", &self.bearer.is_some())
            .field("address", &self.address)
            .field("now", &self.now)
            .finish()
    }
}

/// A caller whom an authenticator knows.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Caller {
    /// Who it is.
    pub id: SpiffeId,
    /// Which credential it was, for the audit: never the credential itself.
    pub credential: Option<String>,
    /// The last second at which the credential is good.
    pub valid_until: Option<UnixTime>,
}

impl Caller {
    /// A caller of which no more is known than its ID.
    #[must_use]
    pub fn new(id: SpiffeId) -> Self {
        Self { id, credential: None, valid_until: None }
    }

    /// Says which of several credentials it was.
    #[must_use]
    pub fn with_credential(self, credential: impl Into<String>) -> Self {
        Self { credential: Some(credential.into()), ..self }
    }

    /// Says until when it is good.
    #[must_use]
    pub fn valid_until(self, last: UnixTime) -> Self {
        Self { valid_until: Some(last), ..self }
    }
}

/// Why an authenticator does not know a caller. Nothing of it is told to the caller.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotAuthenticated {
    /// The caller shows no credential of this kind.
    #[error("no credential of this kind is shown")]
    NotShown,
    /// The credential is not accepted.
    #[error("the credential is refused")]
    Refused {
        /// A short label for metrics.
        reason: &'static str,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Nobody can say now: keys or files are not there. The caller may come again.
    #[error("the credential cannot be judged now")]
    CannotTell {
        /// A short label for metrics.
        reason: &'static str,
        /// What is missing.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl NotAuthenticated {
    /// A credential that is not accepted.
    #[must_use]
    pub fn refused(reason: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Refused { reason, source: source.into() }
    }

    /// One that nobody can judge now.
    #[must_use]
    pub fn cannot_tell(
        reason: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::CannotTell { reason, source: source.into() }
    }

    /// A short label for metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotShown => "not_shown",
            Self::Refused { reason, .. } | Self::CannotTell { reason, .. } => reason,
        }
    }
}

/// Knows callers by the X509-SVID that they show in the TLS handshake: they keep their ID.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ClientCertificate;

impl Authenticator for ClientCertificate {
    fn by(&self) -> AuthenticatedBy {
        AuthenticatedBy::ClientCertificate
    }

    fn authenticate<'a>(&'a self, shown: &'a Shown) -> AuthenticatorFuture<'a> {
        // The connection may be older than the request: that its certificate is still good is asked again when it is decided.
        let known = shown
            .peer
            .as_ref()
            .map_or(Err(NotAuthenticated::NotShown), |peer| {
                Ok(Caller::new(peer.id().clone()).valid_until(peer.not_after()))
            });
        Box::pin(std::future::ready(known))
    }
}
