//! Certificate signing requests (PKCS #10, RFC 2986): make one, check one.
//!
//! Only the public key of a request counts. Its subject, names and extensions are ignored, since the
//! identity is decided by whoever issues: a CA that copied names from requests would be a confused deputy.

use rcgen::{CertificateParams, DistinguishedName};
use rustls_pki_types::{
    AlgorithmIdentifier, CertificateSigningRequestDer, SignatureVerificationAlgorithm,
};
use x509_parser::asn1_rs::Any;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer as _;

use crate::bridge::BridgedSigner;
use crate::{PublicKey, PublicKeyError, SignError, Signer};

/// The longest request that is read, in bytes of DER (our bound). RSA of 8192 bits needs about 2.5 KiB.
pub const MAX_LEN: usize = 16 * 1024;

/// Makes a request for the key of `signer`, with an empty subject and no attributes.
///
/// # Errors
///
/// [`SignError`]: the key could not sign.
pub fn build(signer: &dyn Signer) -> Result<CertificateSigningRequestDer<'static>, SignError> {
    let signer = BridgedSigner::new(signer);
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    match params.serialize_request(&signer) {
        Ok(request) => Ok(request.into()),
        Err(error) => Err(signer.cause(error)),
    }
}

/// Checks that whoever made the DER request `der` holds its private key, and gives the public key.
///
/// `algorithms` are those of the crypto provider, as in rustls' `WebPkiSupportedAlgorithms::all`. The
/// request has no time and no nonce: a replayed one passes, and yields the same key.
///
/// # Errors
///
/// * [`RejectCsr::TooLarge`]: longer than [`MAX_LEN`].
/// * [`RejectCsr::Malformed`], [`RejectCsr::TrailingBytes`]: not one request of version 1 in DER.
/// * [`RejectCsr::Key`]: see [`PublicKey::from_spki`].
/// * [`RejectCsr::UnsupportedSignature`]: no algorithm for that kind of key and signature.
/// * [`RejectCsr::BadSignature`]: the signature is not of that key over these bytes.
pub fn check(
    der: &[u8],
    algorithms: &[&dyn SignatureVerificationAlgorithm],
) -> Result<PublicKey, RejectCsr> {
    if der.len() > MAX_LEN {
        return Err(RejectCsr::TooLarge { len: der.len() });
    }
    let Ok((rest, request)) = X509CertificationRequest::from_der(der) else {
        return Err(RejectCsr::Malformed);
    };
    if !rest.is_empty() {
        return Err(RejectCsr::TrailingBytes);
    }
    let request_info = &request.certification_request_info;
    if request_info.version.0 != 0 || request.signature_value.unused_bits != 0 {
        return Err(RejectCsr::Malformed);
    }
    let spki = request_info.subject_pki.raw;
    let key = PublicKey::from_spki(spki).map_err(RejectCsr::Key)?;

    let key_algorithm = key_algorithm(spki).ok_or(RejectCsr::Malformed)?;
    let signature_algorithm = signature_algorithm(der).ok_or(RejectCsr::Malformed)?;
    let algorithm = algorithms
        .iter()
        .find(|algorithm| {
            is(algorithm.public_key_alg_id(), key_algorithm)
                && is(algorithm.signature_alg_id(), signature_algorithm)
        })
        .ok_or(RejectCsr::UnsupportedSignature)?;
    match algorithm.verify_signature(key.bits(), request_info.raw, &request.signature_value.data) {
        Ok(()) => Ok(key),
        Err(_) => Err(RejectCsr::BadSignature),
    }
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RejectCsr {
    /// Longer than [`MAX_LEN`].
    #[error("the request has {len} bytes, more than {MAX_LEN}")]
    TooLarge {
        /// Length of the request, in bytes.
        len: usize,
    },
    /// Not the DER of a version 1 `CertificationRequest` (RFC 2986 section 4).
    #[error("malformed request")]
    Malformed,
    /// Something follows the request.
    #[error("bytes after the end of the request")]
    TrailingBytes,
    /// The public key is of no kind we issue for.
    #[error("the request's public key is refused")]
    Key(#[source] PublicKeyError),
    /// The crypto provider has no algorithm for this signature by this kind of key.
    #[error("unsupported signature algorithm")]
    UnsupportedSignature,
    /// The signature does not prove possession of the private key.
    #[error("the signature was not made by the request's key")]
    BadSignature,
}

impl RejectCsr {
    /// A short label for metrics. It stays the same over releases.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "csr_too_large",
            Self::Malformed => "csr_malformed",
            Self::TrailingBytes => "csr_trailing_bytes",
            Self::Key(PublicKeyError::Malformed) => "csr_key_malformed",
            Self::Key(PublicKeyError::Unsupported) => "csr_key_unsupported",
            Self::Key(PublicKeyError::RsaSize { .. }) => "csr_key_size",
            Self::UnsupportedSignature => "csr_signature_unsupported",
            Self::BadSignature => "csr_signature_bad",
        }
    }
}

/// `AlgorithmIdentifier` of pki-types holds the contents without tag and length.
fn is(wanted: AlgorithmIdentifier, contents: &[u8]) -> bool {
    wanted.as_ref() == contents
}

/// The contents of the key's `AlgorithmIdentifier`, from a `SubjectPublicKeyInfo`.
fn key_algorithm(spki: &[u8]) -> Option<&[u8]> {
    let (spki, _) = element(SEQUENCE, spki)?;
    Some(element(SEQUENCE, spki)?.0)
}

/// The contents of the signature's `AlgorithmIdentifier`, from a request that is three elements and no more.
///
/// x509-parser is lax about what no signature covers: the classes of these tags, and what follows inside.
fn signature_algorithm(request: &[u8]) -> Option<&[u8]> {
    let (request, _) = element(SEQUENCE, request)?;
    let (_, after_info) = element(SEQUENCE, request)?;
    let (algorithm, after_algorithm) = element(SEQUENCE, after_info)?;
    let (_, end) = element(BIT_STRING, after_algorithm)?;
    end.is_empty().then_some(algorithm)
}

/// The contents of the element that `der` begins with, and what follows it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (rest, element) = Any::from_der(der).ok()?;
    (der.first() == Some(&tag)).then_some((element.data, rest))
}

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
