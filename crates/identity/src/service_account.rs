//! Istio's identity of a service account.

use std::{fmt, str::FromStr};

use crate::{
    ParseIdError, ServiceAccountIdError, SpiffeId, TrustDomain,
    grammar::{SCHEME, check_segment},
    spiffe_id::check_len,
};

/// A SPIFFE ID in Istio's layout: `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`.
///
/// Invariant: the path has exactly these four segments. Namespace and service account may hold whatever a path
/// segment may (SPIFFE-ID section 2.2); Kubernetes' narrower rules for names are not checked.
/// It prints, as Istio's policies write it, without `spiffe://`, and is parsed with and without.
/// It converts into a [`SpiffeId`] by a move: nothing is allocated, and cloning copies no text.
///
/// ```
/// # use meshtls_identity::{ServiceAccountId, SpiffeId, TrustDomain};
/// let account: ServiceAccountId = "prod.example/ns/pay/sa/ledger".parse()?;
/// assert_eq!((account.namespace(), account.service_account()), ("pay", "ledger"));
/// assert_eq!(account.spiffe_id().as_str(), "spiffe://prod.example/ns/pay/sa/ledger");
/// # Ok::<(), meshtls_identity::ServiceAccountIdError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ServiceAccountId(SpiffeId);

impl ServiceAccountId {
    /// Composes the identity of `service_account` in `namespace`.
    ///
    /// # Errors
    ///
    /// A [`ParseIdError`] if one of the names is no path segment (a slash in it is a
    /// [`ParseIdError::ForbiddenByte`]), or the whole is longer than [`SpiffeId::MAX_LEN`].
    /// Offsets count from the `spiffe://` of the ID.
    pub fn new(
        trust_domain: &TrustDomain,
        namespace: &str,
        service_account: &str,
    ) -> Result<Self, ParseIdError> {
        let mut text = format!("{SCHEME}{trust_domain}/ns/");
        check_segment(namespace, text.len())?;
        text.push_str(namespace);
        text.push_str("/sa/");
        check_segment(service_account, text.len())?;
        text.push_str(service_account);
        check_len(text.len())?;
        Ok(Self(SpiffeId::from_checked(text.into(), trust_domain.clone())))
    }

    /// The trust domain.
    #[must_use]
    pub fn trust_domain(&self) -> &TrustDomain {
        self.0.trust_domain()
    }

    /// The namespace, never empty.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.0.path().split('/').nth(2).unwrap_or_default()
    }

    /// The name of the service account, never empty.
    #[must_use]
    pub fn service_account(&self) -> &str {
        self.0.path().split('/').nth(4).unwrap_or_default()
    }

    /// The same identity as a SPIFFE ID.
    #[must_use]
    pub fn spiffe_id(&self) -> &SpiffeId {
        &self.0
    }

    /// The same namespace and service account in another trust domain.
    ///
    /// # Errors
    ///
    /// [`ParseIdError::TooLong`] if the longer name takes the ID past [`SpiffeId::MAX_LEN`].
    pub fn in_trust_domain(&self, trust_domain: &TrustDomain) -> Result<Self, ParseIdError> {
        Self::new(trust_domain, self.namespace(), self.service_account())
    }
}

impl FromStr for ServiceAccountId {
    type Err = ServiceAccountIdError;

    /// Parses `<trust domain>/ns/<namespace>/sa/<service account>`, with or without `spiffe://` before it.
    fn from_str(text: &str) -> Result<Self, ServiceAccountIdError> {
        let id: SpiffeId = if text.starts_with(SCHEME) {
            text.parse()?
        } else {
            check_len(text.len())?;
            format!("{SCHEME}{text}").parse()?
        };
        id.try_into()
    }
}

impl fmt::Display for ServiceAccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.principal())
    }
}

impl From<ServiceAccountId> for SpiffeId {
    /// Moves: allocates nothing.
    fn from(id: ServiceAccountId) -> Self {
        id.0
    }
}

impl TryFrom<SpiffeId> for ServiceAccountId {
    type Error = ServiceAccountIdError;

    fn try_from(id: SpiffeId) -> Result<Self, ServiceAccountIdError> {
        let mut segments = id.path().split('/').skip(1);
        let mut next = || segments.next();
        // A parsed ID has no empty segments, so only their number and the two keywords are in question.
        match (next(), next(), next(), next(), next()) {
            (Some("ns"), Some(_), Some("sa"), Some(_), None) => Ok(Self(id)),
            _ => Err(ServiceAccountIdError::Layout),
        }
    }
}

impl TryFrom<&SpiffeId> for ServiceAccountId {
    type Error = ServiceAccountIdError;

    fn try_from(id: &SpiffeId) -> Result<Self, ServiceAccountIdError> {
        id.clone().try_into()
    }
}
