//! What a JWT claims, and whom that names.

use meshtls_identity::{ServiceAccountId, SpiffeId, TrustDomain};
use rustls_pki_types::UnixTime;
use serde::Deserialize;

/// The claims that count (RFC 7519 section 4.1, and Kubernetes' own). Others are passed over; one that is there twice is refused.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Audience>,
    exp: Option<serde_json::Number>,
    nbf: Option<serde_json::Number>,
    #[serde(rename = "kubernetes.io")]
    kubernetes: Option<Kubernetes>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// What a bound service account token says of itself.
#[derive(Clone, Debug, Deserialize)]
struct Kubernetes {
    namespace: String,
    serviceaccount: ServiceAccount,
}

#[derive(Clone, Debug, Deserialize)]
struct ServiceAccount {
    name: String,
}

impl Claims {
    /// Reads the payload of a token.
    pub(crate) fn read(payload: &[u8]) -> Result<Self, ClaimsError> {
        serde_json::from_slice(payload).map_err(|_text| ClaimsError::Malformed)
    }

    /// Checks whose token it is, for whom, and whether it is valid at `now`: from `nbf` on, and before `exp`, which must be there.
    pub(crate) fn check(
        &self,
        issuer: &str,
        audience: &str,
        now: UnixTime,
    ) -> Result<(), ClaimsError> {
        if self.iss.as_deref() != Some(issuer) {
            return Err(ClaimsError::Issuer);
        }
        let meant = match &self.aud {
            None => false,
            Some(Audience::One(one)) => one == audience,
            Some(Audience::Several(several)) => several.iter().any(|one| one == audience),
        };
        if !meant {
            return Err(ClaimsError::Audience);
        }
        let now = now.as_secs();
        let exp = self.exp.as_ref().ok_or(ClaimsError::NoExpiry)?;
        // A fraction of a second is cut off: it ends too early rather than too late.
        if now >= seconds(exp).ok_or(ClaimsError::Malformed)? {
            return Err(ClaimsError::Expired);
        }
        if let Some(nbf) = &self.nbf {
            let from = seconds(nbf).ok_or(ClaimsError::Malformed)?;
            let begun = if nbf.is_u64() { now >= from } else { now > from };
            if !begun {
                return Err(ClaimsError::NotYetValid);
            }
        }
        Ok(())
    }

    /// Whom the token names.
    pub(crate) fn id(&self, trust_domain: &TrustDomain) -> Result<SpiffeId, ClaimsError> {
        let account = |namespace: &str, name: &str| {
            ServiceAccountId::new(trust_domain, namespace, name)
                .map(SpiffeId::from)
                .map_err(|_names| ClaimsError::Subject)
        };
        let by_subject = match self.sub.as_deref() {
            None => None,
            Some(sub) => match sub.strip_prefix("system:serviceaccount:") {
                Some(account_of) => {
                    let (namespace, name) =
                        account_of.split_once(':').ok_or(ClaimsError::Subject)?;
                    Some(account(namespace, name)?)
                }
                None if sub.starts_with("spiffe://") => {
                    let id: SpiffeId = sub.parse().map_err(|_id| ClaimsError::Subject)?;
                    if !id.is_member_of(trust_domain) || id.path().is_empty() {
                        return Err(ClaimsError::ForeignSubject { presented: id });
                    }
                    Some(id)
                }
                None => return Err(ClaimsError::Subject),
            },
        };
        let by_kubernetes = match &self.kubernetes {
            None => None,
            Some(token) => Some(account(&token.namespace, &token.serviceaccount.name)?),
        };
        match (by_subject, by_kubernetes) {
            (Some(one), Some(other)) if one != other => Err(ClaimsError::Disagree),
            (Some(id), _) | (None, Some(id)) => Ok(id),
            (None, None) => Err(ClaimsError::Subject),
        }
    }
}

/// A `NumericDate` (RFC 7519 section 2) without its fraction.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "within the bounds asked for first; a cast of a float cuts its fraction off"
)]
fn seconds(number: &serde_json::Number) -> Option<u64> {
    number.as_u64().or_else(|| {
        let float = number.as_f64()?;
        (0.0..=9e15).contains(&float).then_some(float as u64)
    })
}

/// Why the claims of a JWT are not accepted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimsError {
    /// No JSON object with claims of the right kinds, each at most once.
    #[error("the claims cannot be read")]
    Malformed,
    /// Another issuer.
    #[error("the token is of another issuer")]
    Issuer,
    /// Meant for somebody else.
    #[error("the token is meant for another audience")]
    Audience,
    /// There is no `exp`.
    #[error("the token never expires")]
    NoExpiry,
    /// `exp` is over.
    #[error("the token has expired")]
    Expired,
    /// `nbf` has not come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The subject is neither a service account nor a SPIFFE ID.
    #[error("the subject is neither a service account nor a SPIFFE ID")]
    Subject,
    /// The subject is no workload of the own trust domain.
    #[error("{presented} is no workload of the own trust domain")]
    ForeignSubject {
        /// Who it is.
        presented: SpiffeId,
    },
    /// `sub` and `kubernetes.io` name different accounts.
    #[error("the subject is another account than that of `kubernetes.io`")]
    Disagree,
}

impl ClaimsError {
    /// A short label for metrics. It stays the same over releases.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "jwt_claims_malformed",
            Self::Issuer => "jwt_issuer",
            Self::Audience => "jwt_audience",
            Self::NoExpiry => "jwt_without_expiry",
            Self::Expired => "jwt_expired",
            Self::NotYetValid => "jwt_not_yet_valid",
            Self::Subject => "jwt_subject",
            Self::ForeignSubject { .. } => "jwt_foreign_subject",
            Self::Disagree => "jwt_subjects_disagree",
        }
    }
}
