//! The policies in force, replaceable while connections read them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use event_listener::Event;

use crate::{PolicyChanges, PolicySet, Rollout, Schedule};

/// The policies in force. Clones share them.
///
/// Reading takes no lock and waits for nobody. Whoever replaces a set waits for others who do.
#[derive(Clone, Debug)]
pub struct PolicyHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    current: ArcSwap<PolicySnapshot>,
    /// Held by whoever replaces the snapshot.
    replacing: Mutex<()>,
    replaced: Event,
}

impl PolicyHandle {
    /// A handle whose first set has version 1.
    pub fn new(set: PolicySet) -> Self {
        let first = PolicySnapshot { version: 1, set: Arc::new(set), schedule: None, before: None };
        Self {
            shared: Arc::new(Shared {
                current: ArcSwap::from_pointee(first),
                replacing: Mutex::new(()),
                replaced: Event::new(),
            }),
        }
    }

    /// The set in force now. Ask one set for everything about a connection, so that two sets never mix.
    pub fn load(&self) -> Arc<PolicySet> {
        Arc::clone(&self.shared.current.load().set)
    }

    /// The set in force now, with its version and what becomes of live connections.
    pub fn snapshot(&self) -> Arc<PolicySnapshot> {
        self.shared.current.load_full()
    }

    /// Puts `set` in force for every later [`load`](Self::load), and gives its version.
    ///
    /// Connections that are alive live on. If an earlier set was [staged](Self::stage), its schedule goes on, and it can no
    /// longer be taken back.
    pub fn replace(&self, set: PolicySet) -> u64 {
        self.put(|current| (Arc::new(set), current.schedule, None))
    }

    /// As [`replace`](Self::replace), and live connections that `set` would refuse are to end as `rollout` says, counted
    /// from `now`.
    ///
    /// Whatever `set` allows is allowed at once. Nothing is closed here: whoever keeps the connections asks the
    /// [`PolicySnapshot::schedule`].
    pub fn stage(&self, set: PolicySet, rollout: Rollout, now: Instant) -> u64 {
        self.put(|current| {
            let before = Before { set: Arc::clone(&current.set), schedule: current.schedule };
            (Arc::new(set), Some(Schedule::new(rollout, now)), Some(before))
        })
    }

    /// Puts the set back in force that was there before the staged one, and gives it a new version.
    ///
    /// Connections that would have ended live on; those that have ended are gone.
    ///
    /// # Errors
    ///
    /// [`NothingStaged`]: the set in force was not staged, or was itself put back.
    pub fn take_back(&self) -> Result<u64, NothingStaged> {
        self.try_put(|current| {
            let Before { set, schedule } = current.before.clone().ok_or(NothingStaged)?;
            Ok((set, schedule, None))
        })
    }

    /// The version of the set in force now: 1 for the first, then one more with each set that is put in force.
    pub fn version(&self) -> u64 {
        self.shared.current.load().version
    }

    /// Tells of every later change.
    pub fn changes(&self) -> PolicyChanges {
        PolicyChanges::new(self.clone())
    }

    /// What is notified after each change.
    pub(crate) fn replaced(&self) -> &Event {
        &self.shared.replaced
    }

    fn put(&self, next: impl FnOnce(&PolicySnapshot) -> Next) -> u64 {
        let next = |current: &PolicySnapshot| Ok::<_, std::convert::Infallible>(next(current));
        match self.try_put(next) {
            Ok(version) => version,
            Err(never) => match never {},
        }
    }

    fn try_put<E>(&self, next: impl FnOnce(&PolicySnapshot) -> Result<Next, E>) -> Result<u64, E> {
        let shared = &*self.shared;
        // The lock guards no data: a panic of another holder has left none half changed.
        let turn = shared
            .replacing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let current = self.snapshot();
        let (set, schedule, before) = next(&current)?;
        let version = current.version.saturating_add(1);
        shared
            .current
            .store(Arc::new(PolicySnapshot { version, set, schedule, before }));
        drop(turn);
        shared.replaced.notify(usize::MAX);
        Ok(version)
    }
}

type Next = (Arc<PolicySet>, Option<Schedule>, Option<Before>);

/// A set of policies, and how it came into force.
#[derive(Clone, Debug)]
pub struct PolicySnapshot {
    version: u64,
    set: Arc<PolicySet>,
    schedule: Option<Schedule>,
    before: Option<Before>,
}

/// What a staged set took the place of.
#[derive(Clone, Debug)]
struct Before {
    set: Arc<PolicySet>,
    schedule: Option<Schedule>,
}

impl PolicySnapshot {
    /// How many sets the handle has held, this one included.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The policies.
    pub fn set(&self) -> &Arc<PolicySet> {
        &self.set
    }

    /// When a live connection ends that [`set`](Self::set) would refuse; `None` if it lives on.
    ///
    /// Take it when a connection is first found to be refused, and keep it with the connection: a later set may have another.
    /// Drop it when a later set would accept the connection.
    pub fn schedule(&self) -> Option<Schedule> {
        self.schedule
    }

    /// Whether [`PolicyHandle::take_back`] would put another set in force.
    pub fn is_staged(&self) -> bool {
        self.before.is_some()
    }
}

/// There is no staged set to take back.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the policies in force were not staged, so there is nothing to take back")]
#[non_exhaustive]
pub struct NothingStaged;
