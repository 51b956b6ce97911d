//! How the sources of other domains' bundles fare.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meshtls_identity::TrustDomain;
use meshtls_rustls::WithCauses;

use crate::{FederationError, UnixTime};

/// How the sources of other domains' bundles fare, at any time. Clones see the same.
#[derive(Clone, Debug, Default)]
pub struct FederationHealth(Arc<Mutex<BTreeMap<TrustDomain, FederationStatus>>>);

/// How the source of one domain's bundle fares.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FederationStatus {
    /// The domain.
    pub trust_domain: TrustDomain,
    /// When a good bundle was last loaded or fetched, be it the same as before. `None`: not yet.
    pub last_success: Option<UnixTime>,
    /// Why the last try failed, if it did, with its causes. At most 1,024 characters.
    pub last_error: Option<String>,
    /// The sequence number of the bundle in use, if its document has one.
    pub sequence: Option<u64>,
    /// When the endpoint is asked next. `None` for other sources, and before the first time.
    pub next_refresh: Option<UnixTime>,
}

impl FederationHealth {
    /// Gives the status of every domain that has a source, sorted by domain.
    #[must_use]
    pub fn statuses(&self) -> Vec<FederationStatus> {
        self.lock().values().cloned().collect()
    }

    /// Gives the status of one domain, if it has a source.
    #[must_use]
    pub fn status(&self, trust_domain: &TrustDomain) -> Option<FederationStatus> {
        self.lock().get(trust_domain).cloned()
    }

    pub(crate) fn add(&self, trust_domain: &TrustDomain) -> Result<(), FederationError> {
        match self.lock().entry(trust_domain.clone()) {
            Entry::Occupied(_) => {
                Err(FederationError::TwoSources { trust_domain: trust_domain.clone() })
            }
            Entry::Vacant(entry) => {
                entry.insert(FederationStatus {
                    trust_domain: trust_domain.clone(),
                    last_success: None,
                    last_error: None,
                    sequence: None,
                    next_refresh: None,
                });
                Ok(())
            }
        }
    }

    pub(crate) fn succeeded(&self, domain: &TrustDomain, now: UnixTime, sequence: Option<u64>) {
        if let Some(status) = self.lock().get_mut(domain) {
            status.last_success = Some(now);
            status.last_error = None;
            status.sequence = sequence;
        }
    }

    pub(crate) fn failed(&self, domain: &TrustDomain, error: &FederationError) {
        if let Some(status) = self.lock().get_mut(domain) {
            let text = WithCauses(error).to_string();
            status.last_error = Some(text.chars().take(MAX_CHARS).collect());
        }
    }

    /// What is in use was seen again, after a failure.
    pub(crate) fn confirmed(&self, domain: &TrustDomain, now: UnixTime) {
        if let Some(status) = self.lock().get_mut(domain) {
            status.last_success = Some(now);
            status.last_error = None;
        }
    }

    #[cfg(feature = "federation")]
    pub(crate) fn next_refresh(&self, domain: &TrustDomain, at: UnixTime) {
        if let Some(status) = self.lock().get_mut(domain) {
            status.next_refresh = Some(at);
        }
    }

    // Nothing panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<TrustDomain, FederationStatus>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const MAX_CHARS: usize = 1024;
