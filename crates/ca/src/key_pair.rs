//! A private key in memory, drawn from aws-lc-rs where that feature is on, else from ring.

use std::fmt;

#[cfg(feature = "aws-lc-rs")]
use aws_lc_rs as backend;
#[cfg(not(feature = "aws-lc-rs"))]
use ring as backend;

use backend::rand::{SecureRandom as _, SystemRandom};
use backend::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaKeyPair,
};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

use crate::{KeyAlgorithm, KeyType, PublicKey, SignError, Signer};
use crate::{pem, pkcs8};

/// A private key and its public half. The key is wiped from memory when this is dropped.
pub struct KeyPair {
    /// Always PKCS #8.
    der: Zeroizing<PrivateKeyDer<'static>>,
    secret: Secret,
    public: PublicKey,
}

enum Secret {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// Why there is no key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No unencrypted private key in PEM (PKCS #8, PKCS #1 or SEC 1) was found.
    #[error("no unencrypted private key in the PEM")]
    NoKey,
    /// Not a consistent key of a kind in [`KeyAlgorithm`]; an elliptic curve key without its public half; RSA
    /// below 2048 bits, or above what the backend takes (ring: 4096, aws-lc-rs: 8192).
    #[error("the private key is malformed or of an unsupported kind")]
    Rejected,
    /// ring cannot make RSA keys; turn on the feature `aws-lc-rs`.
    #[error("this build cannot generate RSA keys: that needs the feature aws-lc-rs")]
    RsaGeneration,
    /// The system's source of randomness failed.
    #[error("the system gave no random bytes")]
    Random,
}

impl KeyPair {
    /// Draws a new key from the system's randomness.
    ///
    /// # Errors
    ///
    /// * [`KeyError::RsaGeneration`]: RSA without the feature `aws-lc-rs`.
    /// * [`KeyError::Random`]: the system gave no random bytes.
    pub fn generate(key_type: KeyType) -> Result<Self, KeyError> {
        let rng = SystemRandom::new();
        let ecdsa = |algorithm| {
            let key = EcdsaKeyPair::generate_pkcs8(algorithm, &rng).map_err(no_random)?;
            Ok(Zeroizing::new(key.as_ref().to_vec()))
        };
        let pkcs8 = match key_type {
            KeyType::P256 => ecdsa(P256)?,
            KeyType::P384 => ecdsa(P384)?,
            KeyType::Ed25519 => {
                let mut seed = Zeroizing::new([0; 32]);
                fill_random(&mut *seed)?;
                pkcs8::from_ed25519_seed(&seed)
            }
            KeyType::Rsa2048 => generate_rsa()?,
        };
        Self::from_pkcs8(pkcs8)
    }

    /// Takes a key in PKCS #8, PKCS #1 or SEC 1.
    ///
    /// # Errors
    ///
    /// [`KeyError::Rejected`].
    pub fn from_der(key: &PrivateKeyDer<'_>) -> Result<Self, KeyError> {
        match key {
            PrivateKeyDer::Pkcs8(key) => {
                Self::from_pkcs8(Zeroizing::new(key.secret_pkcs8_der().to_vec()))
            }
            PrivateKeyDer::Pkcs1(key) => {
                Self::from_pkcs8(pkcs8::from_pkcs1(key.secret_pkcs1_der()))
            }
            PrivateKeyDer::Sec1(key) => [pkcs8::Curve::P256, pkcs8::Curve::P384]
                .into_iter()
                .find_map(|curve| {
                    Self::from_pkcs8(pkcs8::from_sec1(key.secret_sec1_der(), curve)).ok()
                })
                .ok_or(KeyError::Rejected),
            _ => Err(KeyError::Rejected),
        }
    }

    /// Takes the first private key in a PEM text.
    ///
    /// # Errors
    ///
    /// [`KeyError::NoKey`] and [`KeyError::Rejected`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_secret| KeyError::NoKey)?;
        Self::from_der(&Zeroizing::new(key))
    }

    /// A copy of the private key, in PKCS #8. The caller wipes it.
    #[must_use]
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        self.der.clone_key()
    }

    /// The private key as a `PRIVATE KEY` block, which is wiped when it is dropped.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        pem::private_key(self.der.secret_der())
    }

    fn from_pkcs8(der: Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        let (secret, public) = read(&der)?;
        // What we sign with must be what we would issue for.
        PublicKey::from_spki(&public.spki()).map_err(|_bounds| KeyError::Rejected)?;
        let der = PrivateKeyDer::Pkcs8(der.to_vec().into());
        Ok(Self { der: Zeroizing::new(der), secret, public })
    }
}

impl Signer for KeyPair {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let rng = SystemRandom::new();
        match &self.secret {
            Secret::Ecdsa(key) => Ok(key
                .sign(&rng, message)
                .map_err(no_signature)?
                .as_ref()
                .to_vec()),
            Secret::Ed25519(key) => Ok(key.sign(message).as_ref().to_vec()),
            Secret::Rsa(key) => {
                let mut signature = vec![0; modulus_len(key)];
                key.sign(&signature::RSA_PKCS1_SHA256, &rng, message, &mut signature)
                    .map_err(no_signature)?;
                Ok(signature)
            }
        }
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair")
            .field("algorithm", &self.public.algorithm())
            .finish_non_exhaustive()
    }
}

/// Fills `bytes` from the system's randomness.
pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<(), KeyError> {
    SystemRandom::new().fill(bytes).map_err(no_random)
}

/// The key tells its kind: the first that takes it.
fn read(pkcs8: &[u8]) -> Result<(Secret, PublicKey), KeyError> {
    if let Ok(key) = ecdsa(P256, pkcs8) {
        let public = PublicKey::from_checked(KeyAlgorithm::P256, key.public_key().as_ref());
        return Ok((Secret::Ecdsa(key), public));
    }
    if let Ok(key) = ecdsa(P384, pkcs8) {
        let public = PublicKey::from_checked(KeyAlgorithm::P384, key.public_key().as_ref());
        return Ok((Secret::Ecdsa(key), public));
    }
    // OpenSSL writes Ed25519 keys without their public half, so there is nothing to compare.
    if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8) {
        let public = PublicKey::from_checked(KeyAlgorithm::Ed25519, key.public_key().as_ref());
        return Ok((Secret::Ed25519(key), public));
    }
    let key = RsaKeyPair::from_pkcs8(pkcs8).map_err(|_last| KeyError::Rejected)?;
    let public = PublicKey::from_checked(KeyAlgorithm::Rsa, key.public_key().as_ref());
    Ok((Secret::Rsa(key), public))
}

const P256: &EcdsaSigningAlgorithm = &signature::ECDSA_P256_SHA256_ASN1_SIGNING;
const P384: &EcdsaSigningAlgorithm = &signature::ECDSA_P384_SHA384_ASN1_SIGNING;

#[cfg(feature = "aws-lc-rs")]
fn ecdsa(
    algorithm: &'static EcdsaSigningAlgorithm,
    pkcs8: &[u8],
) -> Result<EcdsaKeyPair, backend::error::KeyRejected> {
    EcdsaKeyPair::from_pkcs8(algorithm, pkcs8)
}

#[cfg(not(feature = "aws-lc-rs"))]
fn ecdsa(
    algorithm: &'static EcdsaSigningAlgorithm,
    pkcs8: &[u8],
) -> Result<EcdsaKeyPair, backend::error::KeyRejected> {
    EcdsaKeyPair::from_pkcs8(algorithm, pkcs8, &SystemRandom::new())
}

#[cfg(feature = "aws-lc-rs")]
fn modulus_len(key: &RsaKeyPair) -> usize {
    key.public_modulus_len()
}

#[cfg(not(feature = "aws-lc-rs"))]
fn modulus_len(key: &RsaKeyPair) -> usize {
    key.public().modulus_len()
}

#[cfg(feature = "aws-lc-rs")]
fn generate_rsa() -> Result<Zeroizing<Vec<u8>>, KeyError> {
    use backend::encoding::{AsDer as _, Pkcs8V1Der};
    use backend::rsa::{KeyPair, KeySize};
    let key = KeyPair::generate(KeySize::Rsa2048).map_err(no_random)?;
    let der: Pkcs8V1Der<'_> = key.as_der().map_err(no_random)?;
    Ok(Zeroizing::new(der.as_ref().to_vec()))
}

#[cfg(not(feature = "aws-lc-rs"))]
fn generate_rsa() -> Result<Zeroizing<Vec<u8>>, KeyError> {
    Err(KeyError::RsaGeneration)
}

fn no_random(_: backend::error::Unspecified) -> KeyError {
    KeyError::Random
}

fn no_signature(_: backend::error::Unspecified) -> SignError {
    SignError::new("the crypto backend made no signature")
}
