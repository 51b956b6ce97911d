//! The trust domains of a mesh: its own, its aliases, and those whose members it accepts.

use std::{collections::BTreeSet, fmt};

use crate::{ServiceAccountId, SpiffeId, TrustDomain, matcher::write_list};

/// A mesh's own trust domain and its aliases (Istio: `meshConfig.trustDomain` and `trustDomainAliases`).
///
/// ```
/// # use meshtls_identity::{MeshDomains, TrustDomain};
/// let mesh = MeshDomains::new("new.example".parse()?, ["old.example".parse::<TrustDomain>()?]);
/// assert!(mesh.contains(&"old.example".parse()?));
/// # Ok::<(), meshtls_identity::ParseIdError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MeshDomains {
    own: TrustDomain,
    aliases: Vec<TrustDomain>,
}

impl MeshDomains {
    /// A mesh of trust domain `own`, which is also known by `aliases`. A repeated alias counts once.
    pub fn new(own: TrustDomain, aliases: impl IntoIterator<Item = TrustDomain>) -> Self {
        let mut unique = Vec::new();
        for alias in aliases {
            if !unique.contains(&alias) {
                unique.push(alias);
            }
        }
        Self { own, aliases: unique }
    }

    /// The mesh's own trust domain: the one its workloads are issued identities in.
    #[must_use]
    pub fn own(&self) -> &TrustDomain {
        &self.own
    }

    /// The aliases, in the order given.
    #[must_use]
    pub fn aliases(&self) -> &[TrustDomain] {
        &self.aliases
    }

    /// Whether `trust_domain` is the own one or an alias.
    #[must_use]
    pub fn contains(&self, trust_domain: &TrustDomain) -> bool {
        self.own == *trust_domain || self.aliases.contains(trust_domain)
    }

    /// The IDs that stand for `id` where a server is named: `id` first, then the same service account in each alias.
    ///
    /// The domain of `id` itself does not matter, and the own domain is not added: Istio keeps what is given and adds
    /// only the aliases (`pkg/spiffe/spiffe.go`, `ExpandWithTrustDomains`). An ID in another layout than Istio's
    /// stands for itself alone, and so does one that an alias would take past [`SpiffeId::MAX_LEN`]. No ID comes twice.
    #[must_use]
    pub fn expand(&self, id: &SpiffeId) -> Vec<SpiffeId> {
        let mut ids = vec![id.clone()];
        if let Ok(account) = ServiceAccountId::try_from(id) {
            let renamed = self
                .aliases
                .iter()
                .filter_map(|alias| account.in_trust_domain(alias).ok());
            ids.extend(renamed.map(SpiffeId::from).filter(|renamed| renamed != id));
        }
        ids
    }

    /// Accepts members of the own trust domain and of every alias, as Istio's servers do.
    #[must_use]
    pub fn accepted(&self) -> AcceptedDomains {
        [&self.own]
            .into_iter()
            .chain(&self.aliases)
            .cloned()
            .collect()
    }
}

/// Which trust domains a peer's ID may be in. Whether its chain is trusted is another question.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "no check at all is a case that callers must handle")]
pub enum AcceptedDomains {
    /// Any: the trust domain is not checked (Istio: `PILOT_SKIP_VALIDATE_TRUST_DOMAIN`).
    Any,
    /// These only. If there are none, nobody is accepted.
    Only(BTreeSet<TrustDomain>),
}

impl AcceptedDomains {
    /// Whether a peer of `trust_domain` may connect. The whole name is compared, so `cluster.local` does not
    /// accept `cluster.local.evil`.
    #[must_use]
    pub fn accepts(&self, trust_domain: &TrustDomain) -> bool {
        match self {
            Self::Any => true,
            Self::Only(domains) => domains.contains(trust_domain),
        }
    }
}

impl FromIterator<TrustDomain> for AcceptedDomains {
    /// [`AcceptedDomains::Only`] these.
    fn from_iter<I: IntoIterator<Item = TrustDomain>>(domains: I) -> Self {
        Self::Only(domains.into_iter().collect())
    }
}

impl fmt::Display for AcceptedDomains {
    /// The domains with commas between them, or `any trust domain`, or `no trust domain`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any trust domain"),
            Self::Only(domains) if domains.is_empty() => f.write_str("no trust domain"),
            Self::Only(domains) => write_list(f, domains),
        }
    }
}
