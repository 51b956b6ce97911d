//! Waiting for other policies to come into force.

use std::sync::Arc;

use crate::{PolicyHandle, PolicySnapshot};

/// Tells of changes of a [`PolicyHandle`], under any async runtime.
///
/// Changes that come faster than they are asked for are told as one, the last.
#[derive(Debug)]
pub struct PolicyChanges {
    handle: PolicyHandle,
    /// The version told last.
    seen: u64,
}

impl PolicyChanges {
    pub(crate) fn new(handle: PolicyHandle) -> Self {
        Self { seen: handle.version(), handle }
    }

    /// Waits until other policies are in force than those told last, or than those in force when
    /// [`PolicyHandle::changes`] was called; gives them. It waits for ever if nobody replaces them.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no change.
    pub async fn next(&mut self) -> Arc<PolicySnapshot> {
        loop {
            // Listening begins before the look, so that no change falls between the two.
            let replaced = self.handle.replaced().listen();
            let snapshot = self.handle.snapshot();
            if snapshot.version() != self.seen {
                self.seen = snapshot.version();
                return snapshot;
            }
            replaced.await;
        }
    }
}
