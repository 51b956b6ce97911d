//! Our keys as rcgen sees them. Nothing of rcgen leaves this crate.

use std::cell::RefCell;

use rcgen::{PublicKeyData, SignatureAlgorithm, SigningKey};

use crate::public_key::{KeyAlgorithm, PublicKey};
use crate::signer::{SignError, Signer};

/// A subject's key.
pub(crate) struct BridgedKey<'a>(pub(crate) &'a PublicKey);

impl PublicKeyData for BridgedKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0.bits()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self.0.algorithm() {
            KeyAlgorithm::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            KeyAlgorithm::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            KeyAlgorithm::Ed25519 => &rcgen::PKCS_ED25519,
            KeyAlgorithm::Rsa => &rcgen::PKCS_RSA_SHA256,
        }
    }
}

/// A signer. rcgen has no room for the cause of a failed signature, so it waits here.
pub(crate) struct BridgedSigner<'a> {
    signer: &'a dyn Signer,
    failure: RefCell<Option<SignError>>,
}

impl<'a> BridgedSigner<'a> {
    pub(crate) fn new(signer: &'a dyn Signer) -> Self {
        Self { signer, failure: RefCell::default() }
    }

    /// Why rcgen failed: the signer's own error if there was one.
    pub(crate) fn cause(&self, error: rcgen::Error) -> SignError {
        self.failure.take().unwrap_or_else(|| SignError::new(error))
    }
}

impl PublicKeyData for BridgedSigner<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.signer.public_key().bits()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        BridgedKey(self.signer.public_key()).algorithm()
    }
}

impl SigningKey for BridgedSigner<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.signer.sign(message).map_err(|error| {
            self.failure.replace(Some(error));
            rcgen::Error::RemoteKeyError
        })
    }
}
