//! Istio's patterns over principals.

use std::{fmt, str::FromStr, sync::Arc};

use crate::{EmptyPattern, SpiffeId};

/// A pattern over principals, as Istio's policies write them: SPIFFE IDs without `spiffe://`.
///
/// | pattern | matches |
/// | --- | --- |
/// | `*` | every principal that is not empty |
/// | `*x` | every principal that ends in `x` |
/// | `x*` | every principal that begins with `x` |
/// | anything else | exactly that text |
///
/// The rows are tried from top to bottom, and a star in any other place is an ordinary byte (Istio:
/// `pilot/pkg/security/authz/matcher/string.go`). Case counts. Aliases of trust domains are not looked at.
///
/// ```
/// # use meshtls_identity::{PrincipalPattern, SpiffeId};
/// let pay: PrincipalPattern = "prod.example/ns/pay/*".parse()?;
/// let ledger: SpiffeId = "spiffe://prod.example/ns/pay/sa/ledger".parse()?;
/// assert!(pay.matches(&ledger));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PrincipalPattern(Arc<str>);

impl PrincipalPattern {
    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the principal of `id` matches.
    #[must_use]
    pub fn matches(&self, id: &SpiffeId) -> bool {
        self.matches_text(id.principal())
    }

    /// Whether `principal` matches. It is compared as it is: take `spiffe://` off a SPIFFE ID first.
    #[must_use]
    pub fn matches_text(&self, principal: &str) -> bool {
        if &*self.0 == "*" {
            !principal.is_empty()
        } else if let Some(suffix) = self.0.strip_prefix('*') {
            principal.ends_with(suffix)
        } else if let Some(prefix) = self.0.strip_suffix('*') {
            principal.starts_with(prefix)
        } else {
            *principal == *self.0
        }
    }
}

impl FromStr for PrincipalPattern {
    type Err = EmptyPattern;

    /// Takes any text but the empty one, which Istio refuses in a policy.
    fn from_str(text: &str) -> Result<Self, EmptyPattern> {
        if text.is_empty() { Err(EmptyPattern) } else { Ok(Self(text.into())) }
    }
}

impl fmt::Display for PrincipalPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
