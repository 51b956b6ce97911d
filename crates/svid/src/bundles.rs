//! The trust bundles of all domains that a workload knows.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use meshtls_identity::TrustDomain;

use crate::bundle::TrustBundle;

/// Trust bundles, one per trust domain.
///
/// A chain is verified with the bundle of the domain in its ID, and with no other (SPIFFE Trust Domain and
/// Bundle, section 6). Istio's data plane does it differently: see [`istio_flat`](Self::istio_flat). A clone shares
/// the authorities.
#[derive(Clone, Debug)]
pub struct TrustBundles {
    trust: Trust,
}

#[derive(Clone, Debug)]
enum Trust {
    Bound {
        bundles: BTreeMap<TrustDomain, TrustBundle>,
        aliases: BTreeMap<TrustDomain, TrustDomain>,
    },
    Flat(TrustBundle),
}

impl TrustBundles {
    /// Collects bundles. Two of the same domain become one with the authorities of both.
    ///
    /// No bundle at all is allowed: then every chain is rejected as of an unknown trust domain.
    #[must_use]
    pub fn new(bundles: impl IntoIterator<Item = TrustBundle>) -> Self {
        let mut by_domain = BTreeMap::new();
        for bundle in bundles {
            match by_domain.entry(bundle.trust_domain().clone()) {
                Entry::Vacant(entry) => {
                    entry.insert(bundle);
                }
                Entry::Occupied(mut entry) => entry.get_mut().absorb(bundle),
            }
        }
        Self { trust: Trust::Bound { bundles: by_domain, aliases: BTreeMap::new() } }
    }

    /// Lets the IDs of **every** trust domain be verified by one set of authorities, as Istio's sidecars
    /// do: any of these authorities can then issue any identity. Several bundles become one.
    ///
    /// Who uses it should say why; [`new`](Self::new) is the SPIFFE way.
    #[must_use]
    pub fn istio_flat(
        mut bundle: TrustBundle,
        more: impl IntoIterator<Item = TrustBundle>,
    ) -> Self {
        for next in more {
            bundle.absorb(next);
        }
        Self { trust: Trust::Flat(bundle) }
    }

    /// Lets IDs of `alias` be verified by the bundle of `of`, unless `alias` has a bundle of its own.
    ///
    /// Without effect while `of` has none, and on a flat set, where every domain is known anyway.
    #[must_use]
    pub fn with_alias(mut self, alias: TrustDomain, of: TrustDomain) -> Self {
        if let Trust::Bound { aliases, .. } = &mut self.trust {
            aliases.insert(alias, of);
        }
        self
    }

    /// Gives the bundle that IDs of `domain` are verified by.
    #[must_use]
    pub fn bundle_for(&self, domain: &TrustDomain) -> Option<&TrustBundle> {
        match &self.trust {
            Trust::Bound { bundles, aliases } => bundles
                .get(domain)
                .or_else(|| bundles.get(aliases.get(domain)?)),
            Trust::Flat(bundle) => Some(bundle),
        }
    }

    /// Gives the domains that have a bundle: sorted, then aliases without a bundle of their own, sorted.
    ///
    /// For a flat set this is the domain of its first bundle, although every domain has an answer.
    pub fn domains(&self) -> impl Iterator<Item = &TrustDomain> {
        let (own, aliased) = match &self.trust {
            Trust::Bound { bundles, aliases } => {
                let aliased = aliases
                    .iter()
                    .filter(|(alias, of)| !bundles.contains_key(alias) && bundles.contains_key(of))
                    .map(|(alias, _)| alias);
                (Some(bundles.keys()), Some(aliased))
            }
            Trust::Flat(_) => (None, None),
        };
        let flat = match &self.trust {
            Trust::Flat(bundle) => Some(bundle.trust_domain()),
            Trust::Bound { .. } => None,
        };
        own.into_iter()
            .flatten()
            .chain(aliased.into_iter().flatten())
            .chain(flat)
    }

    /// Gives every bundle.
    pub fn bundles(&self) -> impl Iterator<Item = &TrustBundle> {
        let (bound, flat) = match &self.trust {
            Trust::Bound { bundles, .. } => (Some(bundles.values()), None),
            Trust::Flat(bundle) => (None, Some(bundle)),
        };
        bound.into_iter().flatten().chain(flat)
    }
}
