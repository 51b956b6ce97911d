//! What an issuer is asked for: an identity for a key that is drawn here.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use meshtls_ca::KeyType;
use meshtls_identity::SpiffeId;
use rustls_pki_types::{CertificateSigningRequestDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::IssuerError;

/// One request for an X509-SVID. Each has a key of its own, drawn when it is first asked for.
pub struct SvidRequest {
    id: SpiffeId,
    key_type: KeyType,
    ttl: Option<Duration>,
    drawn: OnceLock<Drawn>,
    noted: OnceLock<u64>,
}

/// The key, and the request that it signed.
struct Drawn {
    csr: CertificateSigningRequestDer<'static>,
    key: Zeroizing<PrivateKeyDer<'static>>,
}

impl SvidRequest {
    /// Asks for `id`, with a key of kind `key_type`. Without a `ttl` the issuer says how long.
    #[must_use]
    pub fn new(id: SpiffeId, key_type: KeyType, ttl: Option<Duration>) -> Self {
        Self { id, key_type, ttl, drawn: OnceLock::new(), noted: OnceLock::new() }
    }

    /// Who the requester is, by its own word. An issuer knows it by other means, or believes it at its own risk.
    #[must_use]
    pub fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// How long the X509-SVID is to live, counted from the answer.
    #[must_use]
    pub fn ttl(&self) -> Option<Duration> {
        self.ttl
    }

    /// The certificate signing request (PKCS #10). At the first call the key is drawn, which takes 0.1 s for RSA.
    ///
    /// # Errors
    ///
    /// [`IssuerError::Permanent`] `no_key`: this build cannot draw such a key.
    pub fn csr(&self) -> Result<&CertificateSigningRequestDer<'static>, IssuerError> {
        if let Some(drawn) = self.drawn.get() {
            return Ok(&drawn.csr);
        }
        let drawn = draw(self.key_type)?;
        Ok(&self.drawn.get_or_init(|| drawn).csr)
    }

    /// Notes what an issuer has seen of the world, as a number that is another one after each change, for
    /// [`Issuer::changed`](crate::Issuer::changed). The first note counts.
    pub fn note(&self, seen: u64) {
        self.noted.get_or_init(|| seen);
    }

    /// What the issuer noted.
    #[must_use]
    pub fn noted(&self) -> Option<u64> {
        self.noted.get().copied()
    }

    /// The private key, if [`csr`](Self::csr) was asked for.
    #[must_use]
    pub fn into_key(self) -> Option<Zeroizing<PrivateKeyDer<'static>>> {
        self.drawn.into_inner().map(|drawn| drawn.key)
    }
}

impl fmt::Debug for SvidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SvidRequest")
            .field("id", &self.id)
            .field("key_type", &self.key_type)
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}

#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
fn draw(key_type: KeyType) -> Result<Drawn, IssuerError> {
    let no_key =
        |error: Box<dyn std::error::Error + Send + Sync>| IssuerError::permanent("no_key", error);
    let key = meshtls_ca::KeyPair::generate(key_type).map_err(|error| no_key(error.into()))?;
    let csr = meshtls_ca::csr::build(&key).map_err(|error| no_key(error.into()))?;
    Ok(Drawn { csr, key: Zeroizing::new(key.private_key()) })
}

#[cfg(not(any(feature = "aws-lc-rs", feature = "ring")))]
fn draw(_: KeyType) -> Result<Drawn, IssuerError> {
    Err(IssuerError::permanent(
        "no_key",
        "this build cannot draw keys: turn on the feature `ring` or `aws-lc-rs`",
    ))
}
