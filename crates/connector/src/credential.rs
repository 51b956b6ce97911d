//! Credentials by name: what a `DestinationRule` calls `credentialName`.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use meshtls_svid::{KeyedChain, ServerAuthorities};

/// Looks up the credentials that rules name: in Kubernetes, Secrets. Without one, such a rule makes no connection.
///
/// It is asked for every connection, on the caller's own task, so it must not block: it gives what it has at hand.
pub trait CredentialResolver: fmt::Debug + Send + Sync {
    /// The credential of this name, as the rule writes it.
    ///
    /// # Errors
    ///
    /// [`CredentialError`]: there is none, or it cannot be used.
    fn credential(&self, name: &str) -> Result<Credential, CredentialError>;
}

/// What a credential holds: authorities that vouch for servers (for SIMPLE and MUTUAL), and a certificate with its key (for
/// MUTUAL). Cheap to clone.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Credential {
    pub(crate) authorities: Option<Arc<ServerAuthorities>>,
    pub(crate) certificate: Option<Arc<KeyedChain>>,
}

impl Credential {
    /// An empty credential.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets who vouches for servers; revocation lists belong to it.
    #[must_use]
    pub fn with_authorities(mut self, authorities: Arc<ServerAuthorities>) -> Self {
        self.authorities = Some(authorities);
        self
    }

    /// Sets what is presented to servers.
    #[must_use]
    pub fn with_certificate(mut self, certificate: Arc<KeyedChain>) -> Self {
        self.certificate = Some(certificate);
        self
    }
}

/// Why a credential cannot be had.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct CredentialError(Box<dyn Error + Send + Sync>);

impl CredentialError {
    /// With this cause, which may be a text.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}
