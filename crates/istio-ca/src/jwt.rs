//! Callers who show a JWT: of a Kubernetes service account, or a JWT-SVID.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use meshtls_ca::AuthenticatedBy;
use meshtls_identity::TrustDomain;
use meshtls_svid::{LoadError, read_file};
use rustls_pki_types::UnixTime;
use zeroize::Zeroizing;

use crate::authenticator::{Authenticator, AuthenticatorFuture, Caller, NotAuthenticated, Shown};
use crate::claims::Claims;
pub use crate::claims::ClaimsError;

/// Knows callers by a JWT that an issuer has signed for this server.
///
/// The keys come from a JWKS file, which is read at every request, so that keys may be rotated: replace it by a rename. Signatures are
/// verified by `jsonwebtoken` with AWS-LC, whatever the provider of TLS. The algorithm must be on the list and fit the key; those with
/// a shared secret, and none at all, are never on it. Times are judged by the request's own, without any allowance for clock skew.
///
/// Who the caller is:
///
/// * the claim `kubernetes.io` of a bound service account token, or the subject `system:serviceaccount:<namespace>:<name>`: the ID
///   `spiffe://<trust domain>/ns/<namespace>/sa/<name>`; where both are there, they must agree;
/// * a subject that is a SPIFFE ID of the own trust domain (JWT-SVID): that ID.
pub struct JwtCallers {
    trust_domain: TrustDomain,
    jwks: PathBuf,
    issuer: String,
    audience: String,
    algorithms: Vec<JwtAlgorithm>,
    read: Mutex<Option<Arc<Keys>>>,
}

/// An algorithm by which a JWT may be signed (RFC 7518 section 3.1, RFC 8037). There is none with a shared secret.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum JwtAlgorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
    /// RSA (PKCS #1 v1.5) with SHA-256; what Kubernetes uses.
    Rs256,
    /// RSA (PKCS #1 v1.5) with SHA-384.
    Rs384,
    /// RSA (PKCS #1 v1.5) with SHA-512.
    Rs512,
    /// RSA (PSS) with SHA-256.
    Ps256,
    /// RSA (PSS) with SHA-384.
    Ps384,
    /// RSA (PSS) with SHA-512.
    Ps512,
}

impl JwtAlgorithm {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
    ];

    fn named(algorithm: Algorithm) -> Option<Self> {
        Some(match algorithm {
            Algorithm::ES256 => Self::Es256,
            Algorithm::ES384 => Self::Es384,
            Algorithm::EdDSA => Self::EdDsa,
            Algorithm::RS256 => Self::Rs256,
            Algorithm::RS384 => Self::Rs384,
            Algorithm::RS512 => Self::Rs512,
            Algorithm::PS256 => Self::Ps256,
            Algorithm::PS384 => Self::Ps384,
            Algorithm::PS512 => Self::Ps512,
            _ => return None,
        })
    }
}

/// The file's content, and the keys in it.
struct Keys {
    text: Zeroizing<Vec<u8>>,
    keys: Vec<Jwk>,
}

impl JwtCallers {
    /// The audience that a token must name unless told otherwise: Istio's.
    pub const DEFAULT_AUDIENCE: &'static str = "istio-ca";

    /// Knows callers by tokens of `issuer` (the claim `iss`), whose keys are in the JWKS file at `jwks`.
    #[must_use]
    pub fn new(
        trust_domain: TrustDomain,
        jwks: impl Into<PathBuf>,
        issuer: impl Into<String>,
    ) -> Self {
        Self {
            trust_domain,
            jwks: jwks.into(),
            issuer: issuer.into(),
            audience: Self::DEFAULT_AUDIENCE.to_owned(),
            algorithms: JwtAlgorithm::ALL.to_vec(),
            read: Mutex::new(None),
        }
    }

    /// Wants another audience. Default: [`DEFAULT_AUDIENCE`](Self::DEFAULT_AUDIENCE).
    #[must_use]
    pub fn audience(self, audience: impl Into<String>) -> Self {
        Self { audience: audience.into(), ..self }
    }

    /// Accepts these algorithms only. Default: [`JwtAlgorithm::ALL`].
    #[must_use]
    pub fn algorithms(self, algorithms: impl IntoIterator<Item = JwtAlgorithm>) -> Self {
        Self { algorithms: algorithms.into_iter().collect(), ..self }
    }

    /// Judges `token` at the time `now`. Reads a file: call it where blocking is allowed.
    ///
    /// # Errors
    ///
    /// [`JwtError`]: the first rule that is broken.
    pub fn judge(&self, token: &str, now: UnixTime) -> Result<Caller, JwtError> {
        let keys = self.keys()?;
        if token.len() > MAX_JWT_BYTES {
            return Err(JwtError::TooLong { bytes: token.len() });
        }
        let (message, signature) = token.rsplit_once('.').ok_or(JwtError::Malformed)?;
        let (_, payload) = message.split_once('.').ok_or(JwtError::Malformed)?;
        let header = jsonwebtoken::decode_header(token).map_err(|_text| JwtError::Header)?;
        if header.crit.is_some() {
            return Err(JwtError::Critical);
        }
        let algorithm = JwtAlgorithm::named(header.alg)
            .filter(|algorithm| self.algorithms.contains(algorithm))
            .ok_or(JwtError::Algorithm)?;
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_text| JwtError::Malformed)?;
        let mut candidates = keys
            .keys
            .iter()
            .filter(|key| fits(key, algorithm, header.kid.as_deref()))
            .peekable();
        if candidates.peek().is_none() {
            return Err(JwtError::UnknownKey);
        }
        if !candidates.any(|key| verifies(key, header.alg, message, &signature)) {
            return Err(JwtError::Signature);
        }
        let payload = URL_SAFE_NO_PAD
            .decode(payload)
            .map_err(|_text| JwtError::Malformed)?;
        let claims = Claims::read(&payload)?;
        claims.check(&self.issuer, &self.audience, now)?;
        Ok(Caller::new(claims.id(&self.trust_domain)?))
    }

    /// The keys in the file as it is now.
    fn keys(&self) -> Result<Arc<Keys>, JwtError> {
        let text = read_file(&self.jwks)?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = read.as_ref().filter(|keys| *keys.text == *text) {
            return Ok(Arc::clone(keys));
        }
        // What cannot be read leaves nothing behind: the old keys may have been taken away.
        *read = None;
        let set: JwkSet = serde_json::from_slice(&text).map_err(|_text| JwtError::Jwks)?;
        let keys = Arc::new(Keys { text, keys: set.keys });
        *read = Some(Arc::clone(&keys));
        Ok(keys)
    }
}

/// Whether a key may verify a token of `algorithm` that names `kid`.
fn fits(key: &Jwk, algorithm: JwtAlgorithm, kid: Option<&str>) -> bool {
    let of_kind = match (&key.algorithm, algorithm) {
        (AlgorithmParameters::EllipticCurve(key), JwtAlgorithm::Es256) => {
            key.curve == EllipticCurve::P256
        }
        (AlgorithmParameters::EllipticCurve(key), JwtAlgorithm::Es384) => {
            key.curve == EllipticCurve::P384
        }
        (AlgorithmParameters::OctetKeyPair(key), JwtAlgorithm::EdDsa) => {
            key.curve == EllipticCurve::Ed25519
        }
        (
            AlgorithmParameters::RSA(_),
            JwtAlgorithm::Rs256
            | JwtAlgorithm::Rs384
            | JwtAlgorithm::Rs512
            | JwtAlgorithm::Ps256
            | JwtAlgorithm::Ps384
            | JwtAlgorithm::Ps512,
        ) => true,
        _ => false,
    };
    let named = key
        .common
        .key_algorithm
        .is_none_or(|named| for_algorithm(named) == Some(algorithm));
    let for_signatures = match &key.common.public_key_use {
        None | Some(PublicKeyUse::Signature) => true,
        Some(_) => false,
    };
    let known = kid.is_none_or(|kid| key.common.key_id.as_deref() == Some(kid));
    of_kind && named && for_signatures && known
}

fn for_algorithm(named: KeyAlgorithm) -> Option<JwtAlgorithm> {
    Algorithm::try_from(named)
        .ok()
        .and_then(JwtAlgorithm::named)
}

/// By AWS-LC in so many words: `jsonwebtoken::decode` would take a default of the whole process, and panics where two are compiled in.
fn verifies(key: &Jwk, algorithm: Algorithm, message: &str, signature: &Vec<u8>) -> bool {
    let provider = &jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
    DecodingKey::from_jwk(key)
        .and_then(|key| (provider.verifier_factory)(&algorithm, &key))
        .is_ok_and(|verifier| verifier.verify(message.as_bytes(), signature).is_ok())
}

impl Authenticator for Arc<JwtCallers> {
    fn by(&self) -> AuthenticatedBy {
        AuthenticatedBy::Token
    }

    fn authenticate<'a>(&'a self, shown: &'a Shown) -> AuthenticatorFuture<'a> {
        let (callers, now) = (Self::clone(self), shown.now);
        // Three parts, as every JWS in compact form has: other tokens are not ours to judge.
        let token = shown
            .bearer
            .as_ref()
            .filter(|bearer| bearer.matches('.').count() == 2)
            .cloned();
        Box::pin(async move {
            let token = token.ok_or(NotAuthenticated::NotShown)?;
            let judged = tokio::task::spawn_blocking(move || callers.judge(&token, now));
            match judged.await {
                Ok(Ok(caller)) => Ok(caller),
                Ok(Err(error @ (JwtError::Jwks | JwtError::Unreadable(_)))) => {
                    Err(NotAuthenticated::cannot_tell(error.reason(), error))
                }
                Ok(Err(error)) => Err(NotAuthenticated::refused(error.reason(), error)),
                Err(ended) => Err(NotAuthenticated::cannot_tell("jwt_not_judged", ended)),
            }
        })
    }
}

impl fmt::Debug for JwtCallers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtCallers")
            .field("trust_domain", &self.trust_domain)
            .field("jwks", &self.jwks)
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}

/// Why a JWT tells nobody's name. The token is never shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JwtError {
    /// The file with the keys cannot be read.
    #[error("the keys cannot be read")]
    Unreadable(#[from] LoadError),
    /// The file with the keys is no JWKS.
    #[error("the file of the keys is no JWKS")]
    Jwks,
    /// The token is longer than any good one (16 KiB, our bound).
    #[error("the token has {bytes} bytes, more than {MAX_JWT_BYTES}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// Not three parts in base64.
    #[error("the token is no JWS in compact form")]
    Malformed,
    /// The first part is no header, or names an algorithm that nobody knows.
    #[error("the token's header cannot be read")]
    Header,
    /// The header names something that must be understood (RFC 7515 section 4.1.11), and nothing like that is.
    #[error("the token's header has critical parameters")]
    Critical,
    /// The algorithm is not on the list.
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// No key has the name in the header and fits the algorithm.
    #[error("no key fits the token")]
    UnknownKey,
    /// The signature is of none of the keys that fit.
    #[error("the token's signature is of none of the keys")]
    Signature,
    /// What the token claims.
    #[error("the token's claims are not accepted")]
    Claims(#[from] ClaimsError),
}

impl JwtError {
    /// A short label for metrics. It stays the same over releases.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "jwks_unreadable",
            Self::Jwks => "jwks_malformed",
            Self::TooLong { .. } => "jwt_too_long",
            Self::Malformed => "jwt_malformed",
            Self::Header => "jwt_header",
            Self::Critical => "jwt_critical",
            Self::Algorithm => "jwt_algorithm",
            Self::UnknownKey => "jwt_unknown_key",
            Self::Signature => "jwt_signature",
            Self::Claims(error) => error.reason(),
        }
    }
}

const MAX_JWT_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests;
