//! A subject's public key: read strictly, so that it is written back byte for byte.

use std::ops::RangeInclusive;

use rcgen::PublicKeyData as _;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::{PublicKey as ParsedKey, RSAPublicKey};
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::bridge::BridgedKey;

/// A public key of a kind that X509-SVIDs carry: what a certificate is issued for.
///
/// Invariant: `SubjectPublicKeyInfo` built from `algorithm` and `bits` is the one that was read. Holding
/// one proves nothing about who has the private key; [`csr::check`](crate::csr::check) does.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct PublicKey {
    algorithm: KeyAlgorithm,
    /// The contents of `subjectPublicKey` (RFC 5280 section 4.1.2.7).
    bits: Vec<u8>,
}

/// The kinds of keys that are issued for and signed with.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// ECDSA on P-256; signs with SHA-256.
    P256,
    /// ECDSA on P-384; signs with SHA-384.
    P384,
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// RSA of 2048 to 8192 bits; signs with PKCS #1 v1.5 and SHA-256.
    Rsa,
}

/// Why a public key is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// Not the DER of one `SubjectPublicKeyInfo`, or a key that is no value of its algorithm.
    #[error("malformed public key")]
    Malformed,
    /// Neither P-256, P-384 (uncompressed), Ed25519 nor RSA.
    #[error("unsupported kind of public key")]
    Unsupported,
    /// RSA below 2048 bits (Istio's bound) or above 8192 (our bound: what the providers verify).
    #[error("RSA key of {bits} bits, wanted 2048 to 8192")]
    RsaSize {
        /// Length of the modulus.
        bits: usize,
    },
}

impl PublicKey {
    /// Reads the DER of a `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    ///
    /// * [`PublicKeyError::Malformed`]: not DER, trailing bytes, or a key of the wrong length.
    /// * [`PublicKeyError::Unsupported`]: another algorithm or curve, or parameters unlike RFC 5480, 8410, 3279.
    /// * [`PublicKeyError::RsaSize`]: RSA shorter than 2048 or longer than 8192 bits.
    pub fn from_spki(spki: &[u8]) -> Result<Self, PublicKeyError> {
        let Ok(([], parsed)) = SubjectPublicKeyInfo::from_der(spki) else {
            return Err(PublicKeyError::Malformed);
        };
        let bits = parsed.subject_public_key.data.as_ref();
        // Written back and compared: one test for algorithm, curve and parameters alike.
        let key = KeyAlgorithm::ALL
            .into_iter()
            .map(|algorithm| Self { algorithm, bits: bits.to_vec() })
            .find(|key| key.spki().as_ref() == spki)
            .ok_or(PublicKeyError::Unsupported)?;
        match key.algorithm {
            KeyAlgorithm::P256 => check_point(bits, 65)?,
            KeyAlgorithm::P384 => check_point(bits, 97)?,
            KeyAlgorithm::Ed25519 if bits.len() == 32 => {}
            KeyAlgorithm::Ed25519 => return Err(PublicKeyError::Malformed),
            KeyAlgorithm::Rsa => match parsed.parsed() {
                Ok(ParsedKey::RSA(rsa)) => check_rsa(&rsa)?,
                _ => return Err(PublicKeyError::Malformed),
            },
        }
        Ok(key)
    }

    /// The key's kind.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The length of an RSA key's modulus, in bits. `None` for other kinds.
    #[must_use]
    pub fn rsa_bits(&self) -> Option<usize> {
        match self.algorithm {
            KeyAlgorithm::Rsa => {
                let (_, key) = RSAPublicKey::from_der(&self.bits).ok()?;
                rsa_bits(&key).ok()
            }
            KeyAlgorithm::P256 | KeyAlgorithm::P384 | KeyAlgorithm::Ed25519 => None,
        }
    }

    /// The DER of the `SubjectPublicKeyInfo` (RFC 5280 section 4.1.2.7).
    #[must_use]
    pub fn spki(&self) -> SubjectPublicKeyInfoDer<'static> {
        BridgedKey(self).subject_public_key_info().into()
    }

    /// The contents of `subjectPublicKey`.
    pub(crate) fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// `bits` were read from, or made as, a key of kind `algorithm`.
    #[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
    pub(crate) fn from_checked(algorithm: KeyAlgorithm, bits: &[u8]) -> Self {
        Self { algorithm, bits: bits.to_vec() }
    }

    /// A key identifier: the last 20 bytes of the key, which for every kind here are as good as random.
    ///
    /// RFC 5280 section 4.2.1.2 names SHA-1 as a common method and admits others that give unique values;
    /// this one needs no hash and so no crypto provider.
    #[cfg(feature = "authority")]
    pub(crate) fn key_id(&self) -> Vec<u8> {
        let from = self.bits.len().saturating_sub(20);
        self.bits.get(from..).unwrap_or_default().to_vec()
    }
}

impl KeyAlgorithm {
    const ALL: [Self; 4] = [Self::P256, Self::P384, Self::Ed25519, Self::Rsa];
}

/// An uncompressed point (SEC 1 section 2.3.3). That it is on the curve shows when a signature is verified.
fn check_point(bits: &[u8], len: usize) -> Result<(), PublicKeyError> {
    match bits {
        [4, ..] if bits.len() == len => Ok(()),
        // Compressed (SEC 1 section 2.3.3); RFC 5480 section 2.2 makes support optional.
        [2 | 3, ..] => Err(PublicKeyError::Unsupported),
        _ => Err(PublicKeyError::Malformed),
    }
}

fn check_rsa(key: &RSAPublicKey<'_>) -> Result<(), PublicKeyError> {
    let bits = rsa_bits(key)?;
    if RSA_BITS.contains(&bits) { Ok(()) } else { Err(PublicKeyError::RsaSize { bits }) }
}

fn rsa_bits(key: &RSAPublicKey<'_>) -> Result<usize, PublicKeyError> {
    let significant = key.modulus.iter().skip_while(|&&byte| byte == 0);
    let first = significant
        .clone()
        .next()
        .ok_or(PublicKeyError::Malformed)?;
    Ok(significant
        .count()
        .saturating_mul(8)
        .saturating_sub(first.leading_zeros().try_into().unwrap_or(0)))
}

const RSA_BITS: RangeInclusive<usize> = 2048..=8192;
