//! Bounded places for connections that are not yet accepted, and the rule by which one is shed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::{Instant, sleep},
};

/// A bounded number of places, taken in order. When they are full the one that was taken first is shed.
///
/// An honest client speaks within a round trip, so under a flood of silent ones the oldest is the least likely to be
/// honest. Refusing the newest instead would let the flood lock everybody out for a whole deadline.
#[derive(Debug)]
pub(crate) struct Slots {
    taken: Mutex<Taken>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    by_age: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    since: Instant,
    /// Dropping it sheds the slot.
    _holder: oneshot::Sender<()>,
}

/// A place. Dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    id: u64,
    shed: oneshot::Receiver<()>,
}

impl Slots {
    /// `capacity` is at least 1.
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { taken: Mutex::default(), capacity })
    }

    /// Takes a place, at the expense of the oldest if there is none.
    pub(crate) fn enter(self: &Arc<Self>, now: Instant) -> Slot {
        let (holder, shed) = oneshot::channel();
        let mut taken = self.taken();
        let id = taken.next;
        taken.next = id.wrapping_add(1);
        while taken.by_age.len() >= self.capacity && taken.by_age.pop_first().is_some() {}
        taken
            .by_age
            .insert(id, Entry { since: now, _holder: holder });
        drop(taken);
        Slot { slots: Arc::clone(self), id, shed }
    }

    /// Sheds the oldest if it was taken at least `age` ago. Whether there was one.
    pub(crate) fn shed_oldest(&self, age: Duration, now: Instant) -> bool {
        let mut taken = self.taken();
        match taken.by_age.first_entry() {
            Some(oldest) if now.saturating_duration_since(oldest.get().since) >= age => {
                oldest.remove();
                true
            }
            Some(_) | None => false,
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // No step under the lock leaves the map half changed.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Waits until the slot is shed. Cancel safe.
    pub(crate) async fn shed(&mut self) {
        // Nothing is ever sent: the error is the message.
        (&mut self.shed).await.ok();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.taken().by_age.remove(&self.id);
    }
}

/// A bounded number of handshakes in flight; further ones wait in order.
///
/// Whoever has waited for [`PATIENCE`] sheds the oldest handshake in flight, if that has lasted for [`STALLED`]: peers that
/// stall within a handshake do not hold up the others. Under plain load nothing is shed.
#[derive(Debug)]
pub(crate) struct Handshakes {
    permits: Arc<Semaphore>,
    slots: Arc<Slots>,
}

/// The right to do a handshake.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) slot: Slot,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Handshakes {
    /// `capacity` is between 1 and [`Semaphore::MAX_PERMITS`].
    pub(crate) fn new(capacity: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(capacity)), slots: Slots::new(usize::MAX) }
    }

    /// Waits for a turn. Cancel safe, but the place in the queue is lost.
    pub(crate) async fn turn(&self) -> Turn {
        let mut permit = std::pin::pin!(Arc::clone(&self.permits).acquire_owned());
        let permit = loop {
            tokio::select! {
                biased;
                // The semaphore is never closed.
                permit = &mut permit => break permit.ok(),
                () = sleep(PATIENCE) => {
                    self.slots.shed_oldest(STALLED, Instant::now());
                },
            }
        };
        Turn { slot: self.slots.enter(Instant::now()), _permit: permit }
    }
}

/// How long one waits for a turn before it looks for a stalled handshake.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);
/// A handshake that has lasted this long may be shed. An honest one takes two round trips.
pub(crate) const STALLED: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    async fn is_shed(slot: &mut Slot) -> bool {
        timeout(Duration::ZERO, slot.shed()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_is_shed_when_full() {
        let slots = Slots::new(2);
        let mut first = slots.enter(Instant::now());
        let mut second = slots.enter(Instant::now());
        assert!(!is_shed(&mut first).await);
        let mut third = slots.enter(Instant::now());
        assert!(is_shed(&mut first).await);
        assert!(!is_shed(&mut second).await && !is_shed(&mut third).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_given_back_makes_room() {
        let slots = Slots::new(1);
        drop(slots.enter(Instant::now()));
        let mut only = slots.enter(Instant::now());
        assert!(!is_shed(&mut only).await);
        drop(only);
        assert!(slots.taken().by_age.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn one_is_shed_only_at_its_age() {
        let slots = Slots::new(4);
        let now = Instant::now();
        let mut slot = slots.enter(now);
        assert!(!slots.shed_oldest(STALLED, now + STALLED / 2));
        assert!(slots.shed_oldest(STALLED, now + STALLED));
        assert!(is_shed(&mut slot).await);
        assert!(!slots.shed_oldest(STALLED, now + STALLED), "none is left");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_handshake_gives_way_to_one_that_waits() {
        let handshakes = Arc::new(Handshakes::new(1));
        let mut stalled = handshakes.turn().await;
        let next = tokio::spawn({
            let handshakes = Arc::clone(&handshakes);
            async move { handshakes.turn().await }
        });
        let started = Instant::now();
        stalled.slot.shed().await;
        assert!(started.elapsed() >= STALLED);
        drop(stalled);
        next.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_fast_handshake_is_not_shed() {
        let handshakes = Arc::new(Handshakes::new(1));
        let mut fast = handshakes.turn().await;
        let next = tokio::spawn({
            let handshakes = Arc::clone(&handshakes);
            async move { handshakes.turn().await }
        });
        sleep(STALLED / 2).await;
        assert!(!is_shed(&mut fast.slot).await);
        drop(fast);
        next.await.unwrap();
    }
}
