//! The identity in use, as handshakes read it and as others are told of its changes.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use meshtls_svid::{SvidSnapshot, SvidSource, SvidUnavailable, TrustBundles, X509Svid};
use tokio::sync::watch;

use crate::Clock;

/// The identity and the trust that a [`Renewal`](crate::Renewal) keeps fresh.
///
/// A snapshot costs no lock and no allocation. There is none before the first X509-SVID has come, nor while the newest
/// one is over: then handshakes are refused, rather than made with what every peer rejects.
pub struct LiveSvid {
    current: ArcSwapOption<SvidSnapshot>,
    clock: Arc<dyn Clock>,
    changes: watch::Sender<Option<u64>>,
}

impl LiveSvid {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { current: ArcSwapOption::empty(), clock, changes: watch::Sender::new(None) }
    }

    /// The newest snapshot, be it over or not. `None` before the first.
    #[must_use]
    pub fn newest(&self) -> Option<Arc<SvidSnapshot>> {
        self.current.load_full()
    }

    /// Begins to listen to changes: those from now on.
    #[must_use]
    pub fn changes(self: &Arc<Self>) -> SvidChanges {
        SvidChanges { live: Arc::clone(self), seen: self.changes.subscribe() }
    }

    /// Puts new material in place, and gives its generation. There is one writer: the renewal.
    pub(crate) fn publish(&self, svid: Arc<X509Svid>, bundles: Arc<TrustBundles>) -> u64 {
        let next = |last: Arc<SvidSnapshot>| last.generation().saturating_add(1);
        let generation = self.newest().map_or(0, next);
        let snapshot = SvidSnapshot::new(svid, bundles, generation);
        self.current.store(Some(Arc::new(snapshot)));
        self.changes.send_replace(Some(generation));
        generation
    }
}

impl SvidSource for LiveSvid {
    fn snapshot(&self) -> Result<Arc<SvidSnapshot>, SvidUnavailable> {
        let snapshot = self.newest().ok_or(SvidUnavailable::NotYet)?;
        if self.clock.wall() > snapshot.svid().not_after() {
            return Err(SvidUnavailable::Expired);
        }
        Ok(snapshot)
    }
}

impl fmt::Debug for LiveSvid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveSvid")
            .field("newest", &self.newest())
            .finish_non_exhaustive()
    }
}

/// Tells of changes of a [`LiveSvid`]. Changes that come faster than they are asked for are told as one, the last.
#[derive(Clone, Debug)]
pub struct SvidChanges {
    live: Arc<LiveSvid>,
    seen: watch::Receiver<Option<u64>>,
}

impl SvidChanges {
    /// Waits for the next change, and gives what is in use since. It waits for ever if there is none.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no change.
    pub async fn next(&mut self) -> Arc<SvidSnapshot> {
        loop {
            // The sender lives in `live`, so it does not go away.
            let changed = self.seen.changed().await;
            if let (Ok(()), Some(snapshot)) = (changed, self.live.newest()) {
                return snapshot;
            }
        }
    }
}
