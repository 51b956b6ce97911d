//! Which IDs are accepted.

use std::{collections::BTreeSet, fmt};

use crate::{EmptyMatcher, PrincipalPattern, SpiffeId, TrustDomain};

/// Which SPIFFE IDs a caller accepts at the other end.
///
/// There is no default: accepting anybody must be written out.
///
/// ```
/// # use meshtls_identity::{IdMatcher, SpiffeId};
/// let blue: SpiffeId = "spiffe://prod.example/ns/pay/sa/blue".parse()?;
/// let green: SpiffeId = "spiffe://prod.example/ns/pay/sa/green".parse()?;
/// let accepted = IdMatcher::one_of([blue, green.clone()])?;
/// assert!(accepted.matches(&green));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum IdMatcher {
    /// Every ID of every trust domain: no name check.
    Any,
    /// This ID only.
    Exact(SpiffeId),
    /// Any of these IDs. [`IdMatcher::one_of`] makes it.
    OneOf(IdSet),
    /// Every ID of this trust domain, its own one without path included.
    MemberOf(TrustDomain),
    /// Every ID whose principal matches this pattern.
    Principal(PrincipalPattern),
}

impl IdMatcher {
    /// Accepts any of `ids`, each exactly.
    ///
    /// # Errors
    ///
    /// [`EmptyMatcher`] if there are none: an empty list means "anybody" to some and "nobody" to others.
    pub fn one_of(ids: impl IntoIterator<Item = SpiffeId>) -> Result<Self, EmptyMatcher> {
        let ids: BTreeSet<_> = ids.into_iter().collect();
        if ids.is_empty() { Err(EmptyMatcher) } else { Ok(Self::OneOf(IdSet(ids))) }
    }

    /// Whether `id` is accepted.
    #[must_use]
    pub fn matches(&self, id: &SpiffeId) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact == id,
            Self::OneOf(ids) => ids.contains(id),
            Self::MemberOf(trust_domain) => id.is_member_of(trust_domain),
            Self::Principal(pattern) => pattern.matches(id),
        }
    }
}

impl fmt::Display for IdMatcher {
    /// A phrase for "accepted: ...", such as `spiffe://prod.example/ns/pay/sa/ledger` or `any of <id>, <id>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any SPIFFE ID"),
            Self::Exact(id) => write!(f, "{id}"),
            Self::OneOf(ids) => write!(f, "any of {ids}"),
            Self::MemberOf(trust_domain) => write!(f, "any ID of trust domain {trust_domain}"),
            Self::Principal(pattern) => write!(f, "any principal like {pattern}"),
        }
    }
}

/// At least one SPIFFE ID, each once, in byte order. It prints as a list with commas.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IdSet(BTreeSet<SpiffeId>);

impl IdSet {
    /// Whether `id` is in it.
    #[must_use]
    pub fn contains(&self, id: &SpiffeId) -> bool {
        self.0.contains(id)
    }

    /// The IDs in byte order.
    pub fn iter(&self) -> impl Iterator<Item = &SpiffeId> {
        self.0.iter()
    }
}

impl fmt::Display for IdSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, &self.0)
    }
}

/// Writes `items` with a comma and a space between them.
pub(crate) fn write_list<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    items: impl IntoIterator<Item = T>,
) -> fmt::Result {
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}
