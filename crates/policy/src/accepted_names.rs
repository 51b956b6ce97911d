//! The names a server may present: secure naming.

use std::collections::BTreeSet;
use std::fmt;

use meshtls_identity::{IdMatcher, MeshDomains, SpiffeId};
use serde::{Serialize, Serializer};

/// A name that a server's certificate may carry.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_enums, reason = "a name either is a SPIFFE ID or it is not")]
pub enum PeerName {
    /// A SPIFFE ID: what workloads of the mesh present.
    Spiffe(SpiffeId),
    /// Any other text, such as a DNS name in `subjectAltNames`. No mesh certificate carries one.
    Other(String),
}

impl From<&str> for PeerName {
    fn from(text: &str) -> Self {
        text.parse()
            .map_or_else(|_| Self::Other(text.to_owned()), Self::Spiffe)
    }
}

impl From<SpiffeId> for PeerName {
    fn from(id: SpiffeId) -> Self {
        Self::Spiffe(id)
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spiffe(id) => f.write_str(id.as_str()),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// As its text.
impl Serialize for PeerName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whom a client lets answer.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "no check at all is a case that callers must handle")]
pub enum AcceptedNames {
    /// Anybody with a certificate of the mesh: nothing says who serves the destination, and Istio then checks no name.
    Anybody,
    /// Whoever presents one of these.
    OneOf(NameSet),
}

impl AcceptedNames {
    /// Accepts `names` and the same service accounts under each alias of the trust domain; [`Anybody`](Self::Anybody) if
    /// there are none.
    pub(crate) fn expanded(names: &[PeerName], domains: &MeshDomains) -> Self {
        let expanded: BTreeSet<PeerName> = names
            .iter()
            .flat_map(|name| match name {
                PeerName::Spiffe(id) => domains
                    .expand(id)
                    .into_iter()
                    .map(PeerName::Spiffe)
                    .collect(),
                PeerName::Other(_) => vec![name.clone()],
            })
            .collect();
        if expanded.is_empty() { Self::Anybody } else { Self::OneOf(NameSet(expanded)) }
    }

    /// Accepts exactly `names`, without aliases of the trust domain; `None` if there are none.
    pub(crate) fn exactly(names: &[String]) -> Option<Self> {
        NameSet::of_texts(names).map(Self::OneOf)
    }

    /// The same as a matcher over verified SPIFFE IDs.
    ///
    /// `None` if nobody can match: there are names, but none of them is a SPIFFE ID.
    pub fn matcher(&self) -> Option<IdMatcher> {
        let names = match self {
            Self::Anybody => return Some(IdMatcher::Any),
            Self::OneOf(names) => names,
        };
        let ids = names.iter().filter_map(|name| match name {
            PeerName::Spiffe(id) => Some(id.clone()),
            PeerName::Other(_) => None,
        });
        IdMatcher::one_of(ids).ok()
    }
}

impl fmt::Display for AcceptedNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = match self {
            Self::Anybody => return f.write_str("anybody in the mesh"),
            Self::OneOf(names) => names,
        };
        names.fmt(f)
    }
}

/// Names in byte order, at least one.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct NameSet(BTreeSet<PeerName>);

impl NameSet {
    /// `None` without a name.
    pub(crate) fn of_texts(names: &[String]) -> Option<Self> {
        let names: BTreeSet<PeerName> = names
            .iter()
            .map(|name| PeerName::from(name.as_str()))
            .collect();
        (!names.is_empty()).then_some(Self(names))
    }

    /// The names, in byte order of their kind: SPIFFE IDs first.
    pub fn iter(&self) -> impl Iterator<Item = &PeerName> {
        self.0.iter()
    }
}

/// Separated by commas.
impl fmt::Display for NameSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, name) in self.iter().enumerate() {
            let comma = if nth == 0 { "" } else { ", " };
            write!(f, "{comma}{name}")?;
        }
        Ok(())
    }
}
