//! The policies in force, replaceable while connections read them.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::PolicySet;

/// The policies in force. Clones share them; reading takes no lock.
#[derive(Clone, Debug)]
pub struct PolicyHandle {
    current: Arc<ArcSwap<PolicySnapshot>>,
}

impl PolicyHandle {
    /// A handle whose first set has version 1.
    pub fn new(set: PolicySet) -> Self {
        Self {
            current: Arc::new(ArcSwap::from_pointee(PolicySnapshot {
                version: 1,
                set: Arc::new(set),
            })),
        }
    }

    /// The set in force now. Ask one set for everything about a connection, so that two sets never mix.
    pub fn load(&self) -> Arc<PolicySet> {
        Arc::clone(&self.current.load().set)
    }

    /// The set in force now, with its version.
    pub fn snapshot(&self) -> Arc<PolicySnapshot> {
        self.current.load_full()
    }

    /// Puts `set` in force for every later [`load`](Self::load), and gives its version.
    pub fn replace(&self, set: PolicySet) -> u64 {
        let set = Arc::new(set);
        let previous = self.current.rcu(|current| PolicySnapshot {
            version: current.version.saturating_add(1),
            set: Arc::clone(&set),
        });
        previous.version.saturating_add(1)
    }

    /// The version of the set in force now: 1 for the first, then one more with each [`replace`](Self::replace).
    pub fn version(&self) -> u64 {
        self.current.load().version
    }
}

/// A set of policies and its version.
#[derive(Clone, Debug)]
pub struct PolicySnapshot {
    version: u64,
    set: Arc<PolicySet>,
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
}
