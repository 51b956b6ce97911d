//! Authorities and X509-SVIDs whose keys are drawn here.

use std::sync::Arc;
use std::time::Duration;

use meshtls_identity::{SpiffeId, TrustDomain};
use meshtls_svid::{SvidError, X509Svid};
use rustls_pki_types::UnixTime;

use crate::{
    Authority, IssueError, IssueRequest, KeyError, KeyPair, KeyType, SerialSource, Signer,
};

/// How a new root is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct AuthorityOptions {
    /// The kind of its key: P-256 unless told otherwise.
    pub key_type: KeyType,
    /// How long it lives: [`Authority::DEFAULT_ROOT_LIFETIME`] unless told otherwise.
    pub lifetime: Duration,
}

impl Default for AuthorityOptions {
    fn default() -> Self {
        Self { key_type: KeyType::default(), lifetime: Authority::DEFAULT_ROOT_LIFETIME }
    }
}

impl AuthorityOptions {
    /// Sets the kind of the root's key.
    #[must_use]
    pub fn with_key_type(self, key_type: KeyType) -> Self {
        Self { key_type, ..self }
    }

    /// Sets how long the root lives.
    #[must_use]
    pub fn with_lifetime(self, lifetime: Duration) -> Self {
        Self { lifetime, ..self }
    }
}

impl Authority {
    /// Makes a self-signed root with a new key; see [`self_signed_with`](Self::self_signed_with).
    ///
    /// # Errors
    ///
    /// [`GenerateError::Key`] and [`GenerateError::Issue`].
    pub fn self_signed(
        trust_domain: TrustDomain,
        options: &AuthorityOptions,
        now: UnixTime,
        serials: &mut dyn SerialSource,
    ) -> Result<Self, GenerateError> {
        let key = Arc::new(KeyPair::generate(options.key_type)?);
        Ok(Self::self_signed_with(trust_domain, key, options.lifetime, now, serials)?)
    }

    /// Draws a key and issues an X509-SVID for it; see [`issue`](Self::issue). No `ttl` means 24 hours.
    ///
    /// For a workload in the same process as its authority. Others draw their own key and send a request.
    ///
    /// # Errors
    ///
    /// [`GenerateError`]: the key, the issuance, or an ID that makes a certificate too large.
    pub fn issue_svid(
        &self,
        id: &SpiffeId,
        key_type: KeyType,
        ttl: Option<Duration>,
        now: UnixTime,
        serials: &mut dyn SerialSource,
    ) -> Result<X509Svid, GenerateError> {
        let key = KeyPair::generate(key_type)?;
        let request = IssueRequest::new(key.public_key(), id).with_ttl(ttl.unwrap_or_default());
        let chain = self.issue(&request, now, serials)?;
        Ok(X509Svid::new(chain, key.private_key())?)
    }
}

/// Why there is no new authority or X509-SVID.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Nothing was issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// What was issued is no X509-SVID.
    #[error(transparent)]
    Svid(#[from] SvidError),
}
