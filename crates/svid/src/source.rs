//! Where the own X509-SVID and the trust bundles come from, read once per connection.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use crate::{TrustBundles, X509Svid};

/// Gives the current identity and trust. Asked at each handshake, so it must not block.
pub trait SvidSource: fmt::Debug + Send + Sync {
    /// Gives the newest snapshot: identity and bundles that belong together.
    ///
    /// # Errors
    ///
    /// [`SvidUnavailable`] while there is none, or none that may still be used.
    fn snapshot(&self) -> Result<Arc<SvidSnapshot>, SvidUnavailable>;
}

/// Identity and trust as they were at one moment.
#[derive(Clone, Debug)]
pub struct SvidSnapshot {
    svid: Arc<X509Svid>,
    bundles: Arc<TrustBundles>,
    generation: u64,
}

impl SvidSnapshot {
    /// Puts a snapshot together. `generation` grows with every change, so that what was built from an
    /// older one can be told apart.
    #[must_use]
    pub fn new(svid: Arc<X509Svid>, bundles: Arc<TrustBundles>, generation: u64) -> Self {
        Self { svid, bundles, generation }
    }

    /// Gives the own X509-SVID.
    #[must_use]
    pub fn svid(&self) -> &Arc<X509Svid> {
        &self.svid
    }

    /// Gives the bundles that peers are verified by.
    #[must_use]
    pub fn bundles(&self) -> &Arc<TrustBundles> {
        &self.bundles
    }

    /// Gives the number of this snapshot in its source, counted up from 0.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

/// There is no identity to show.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SvidUnavailable {
    /// None has been issued or loaded yet.
    #[error("no X509-SVID has been obtained yet")]
    NotYet,
    /// The last one is over, and no newer one could be obtained.
    #[error("own SVID expired, and no newer one could be obtained")]
    Expired,
}

/// A [`SvidSource`] that holds what it was given last. Reads take no lock.
#[derive(Debug)]
pub struct SvidHandle {
    current: ArcSwap<SvidSnapshot>,
    writing: Mutex<()>,
}

impl SvidHandle {
    /// Begins with generation 0.
    #[must_use]
    pub fn new(svid: X509Svid, bundles: TrustBundles) -> Self {
        let first = SvidSnapshot::new(Arc::new(svid), Arc::new(bundles), 0);
        Self { current: ArcSwap::from_pointee(first), writing: Mutex::new(()) }
    }

    /// Puts a new identity and new bundles in place for the handshakes to come, in one step, and gives the
    /// new generation. Whether they are any good is the caller's to check.
    pub fn replace(&self, svid: X509Svid, bundles: TrustBundles) -> u64 {
        // Writers take turns, so that no two snapshots have the same generation.
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = self.current.load().generation.saturating_add(1);
        let next = SvidSnapshot::new(Arc::new(svid), Arc::new(bundles), generation);
        self.current.store(Arc::new(next));
        generation
    }

    /// Gives the current snapshot; unlike a [`SvidSource`] in general, a handle always has one.
    #[must_use]
    pub fn load(&self) -> Arc<SvidSnapshot> {
        self.current.load_full()
    }
}

impl SvidSource for SvidHandle {
    fn snapshot(&self) -> Result<Arc<SvidSnapshot>, SvidUnavailable> {
        Ok(self.load())
    }
}
