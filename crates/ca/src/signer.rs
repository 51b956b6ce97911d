//! What signs: a key in memory, or one that never leaves its KMS.

use std::error::Error;
use std::fmt::Debug;

use crate::PublicKey;

/// A private key that signs, wherever it lives.
///
/// [`sign`](Self::sign) may block, for instance on a call to a KMS: call what signs from where blocking is allowed.
/// `Debug` must not show the key.
pub trait Signer: Debug + Send + Sync {
    /// The public half. It is the same at every call.
    fn public_key(&self) -> &PublicKey;

    /// Signs `message`, which is not yet hashed, as [`KeyAlgorithm`](crate::KeyAlgorithm) says.
    ///
    /// ECDSA signatures are DER (`Ecdsa-Sig-Value`, RFC 3279 section 2.2.3).
    ///
    /// # Errors
    ///
    /// Whatever kept the signature from being made.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// A signature could not be made. The cause is in [`source`](Error::source).
#[derive(Debug, thiserror::Error)]
#[error("the signing key failed")]
pub struct SignError(#[source] Box<dyn Error + Send + Sync>);

impl SignError {
    /// Wraps the cause.
    #[must_use]
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}
