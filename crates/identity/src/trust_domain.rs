//! The name of a trust domain.

use std::{fmt, str::FromStr, sync::Arc};

use crate::{
    ParseIdError, SpiffeId,
    grammar::{SCHEME, check_trust_domain},
};

/// The name of a trust domain, such as `prod.example`.
///
/// Invariant: 1 to [`MAX_LEN`](Self::MAX_LEN) bytes of `[a-z0-9._-]` (SPIFFE-ID sections 2.1, 2.3).
/// Only the parsers of this crate make one, so every value keeps it. Cloning copies no text.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TrustDomain(Arc<str>);

impl TrustDomain {
    /// The most bytes a name may have (SPIFFE-ID section 2.3).
    pub const MAX_LEN: usize = 255;

    /// `cluster.local`, the trust domain of a mesh that was given no other (Istio's default).
    #[must_use]
    pub fn cluster_local() -> Self {
        Self::from_checked("cluster.local")
    }

    /// The name, without scheme.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ID of the domain itself: `spiffe://<name>`, without path. It identifies no workload.
    #[must_use]
    pub fn spiffe_id(&self) -> SpiffeId {
        SpiffeId::from_checked(format!("{SCHEME}{self}").into(), self.clone())
    }

    /// `name` has passed [`check_trust_domain`].
    pub(crate) fn from_checked(name: &str) -> Self {
        Self(name.into())
    }
}

impl FromStr for TrustDomain {
    type Err = ParseIdError;

    /// Parses the bare name, without `spiffe://`.
    fn from_str(name: &str) -> Result<Self, ParseIdError> {
        check_trust_domain(name, 0)?;
        Ok(Self::from_checked(name))
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
