//! What policies are in force, from which files, and how their source fares.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use meshtls_policy::{PolicyHandle, PolicySet};
use meshtls_rustls::WithCauses;
use tokio::time::Instant;

use crate::freshness::Freshness;
use crate::{PolicyError, WhenStale};

/// How a source of policies fares, readable at any time. Clones show the same source.
#[derive(Clone)]
pub struct PolicyHealth(Arc<Standing>);

impl PolicyHealth {
    pub(crate) fn new(standing: Arc<Standing>) -> Self {
        Self(standing)
    }

    /// How it fares now.
    #[must_use]
    pub fn status(&self) -> PolicyStatus {
        self.0.status()
    }

    /// Why the source is not taken as it reads now; `None` while it reads as what is in force.
    #[must_use]
    pub fn last_error(&self) -> Option<Arc<PolicyError>> {
        self.0.state().last_error.clone()
    }

    /// [`PolicyStatus::is_ready`], now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.status().is_ready()
    }
}

impl fmt::Debug for PolicyHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PolicyHealth").field(&self.status()).finish()
    }
}

/// How a source of policies fares at one moment. `Display` gives a line for an operator.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PolicyStatus {
    /// The file or directory.
    pub path: PathBuf,
    /// The version of the policy handle that the source made last.
    pub version: u64,
    /// The files that the policies in force are from: those with an object of a kind that is read, in byte order.
    pub files: Vec<PathBuf>,
    /// How many objects of such kinds are in force.
    pub objects: usize,
    /// How long ago they were loaded.
    pub loaded: Duration,
    /// How long ago the source was last seen to read as what is in force. While all is well it is less than two of
    /// [`PolicyFiles::poll_every`](crate::PolicyFiles::poll_every); it grows while the source is unreadable, bad or
    /// hanging, and while nobody watches it.
    pub age: Duration,
    /// Why the source is not taken as it reads now; `None` while it reads as what is in force.
    pub last_error: Option<Arc<PolicyError>>,
    /// Whether [`age`](Self::age) has exceeded the bound that [`PolicyFiles::stale_after`](crate::PolicyFiles::stale_after)
    /// sets, and what that means.
    pub stale: Option<WhenStale>,
}

impl PolicyStatus {
    /// No only if the policies are stale and that was said to mean [`WhenStale::NotReady`].
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.stale != Some(WhenStale::NotReady)
    }
}

impl fmt::Display for PolicyStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, version, files, objects, age, .. } = self;
        let (path, files, age) = (path.display(), files.len(), age.as_secs());
        write!(f, "version {version} of {path} (objects: {objects}, files: {files}), {age} s old")?;
        if let Some(then) = self.stale {
            write!(f, ", which is too old: {then}")?;
        }
        match &self.last_error {
            Some(error) => write!(f, "; the new ones are refused: {}", WithCauses(&**error)),
            None => Ok(()),
        }
    }
}

/// What is in force, shared by who looks at the files, who guards their age, and who asks.
pub(crate) struct Standing {
    path: PathBuf,
    handle: PolicyHandle,
    state: Mutex<State>,
}

struct State {
    version: u64,
    files: BTreeSet<PathBuf>,
    objects: usize,
    loaded: Instant,
    /// When a look began that read what is in force.
    confirmed: Instant,
    last_error: Option<Arc<PolicyError>>,
    freshness: Option<Freshness>,
    /// Whether the guard has acted since.
    expired: bool,
    /// What was in force before the guard tightened it.
    untightened: Option<Arc<PolicySet>>,
}

impl Standing {
    pub(crate) fn new(path: PathBuf, first: Loaded) -> Self {
        let Loaded { set, files, objects, began } = first;
        let handle = PolicyHandle::new(set);
        let state = State {
            version: handle.version(),
            files,
            objects,
            loaded: began,
            confirmed: began,
            last_error: None,
            freshness: None,
            expired: false,
            untightened: None,
        };
        Self { path, handle, state: Mutex::new(state) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn handle(&self) -> &PolicyHandle {
        &self.handle
    }

    pub(crate) fn bound(&self, freshness: Option<Freshness>) {
        self.state().freshness = freshness;
    }

    /// The files that the policies in force are from.
    pub(crate) fn files(&self) -> BTreeSet<PathBuf> {
        self.state().files.clone()
    }

    /// Puts policies in force, and gives their version.
    pub(crate) fn load(&self, loaded: Loaded) -> u64 {
        let Loaded { set, files, objects, began } = loaded;
        let mut state = self.state();
        state.files = files;
        state.objects = objects;
        state.loaded = began;
        state.confirm(began);
        let (set, untightened) = match state.stale() {
            Some(WhenStale::Strict) if state.expired => (set.tightened(), Some(Arc::new(set))),
            _ => (set, None),
        };
        state.untightened = untightened;
        state.version = self.handle.replace(set);
        state.version
    }

    /// The look that began then read what is in force.
    pub(crate) fn confirm(&self, began: Instant) -> Confirmed {
        let mut state = self.state();
        let was_well = state.last_error.is_none() && !state.expired;
        state.confirm(began);
        if was_well || state.expired {
            return Confirmed::AsBefore;
        }
        // Somebody may have replaced by hand what the guard put in force.
        let put_back = state
            .untightened
            .take()
            .filter(|_| self.handle.load().is_tightened());
        let Some(set) = put_back else { return Confirmed::Recovered };
        state.version = self.handle.replace(PolicySet::clone(&set));
        Confirmed::PutBack { version: state.version }
    }

    pub(crate) fn refuse(&self, error: Arc<PolicyError>) {
        self.state().last_error = Some(error);
    }

    /// When the policies will be too old if nothing is confirmed; `None` if they are, or may get as old as they like.
    pub(crate) fn stale_at(&self) -> Option<Instant> {
        let state = self.state();
        let freshness = state.freshness.filter(|_| !state.expired)?;
        state.confirmed.checked_add(freshness.max_age)
    }

    /// Acts if the policies have become too old since the last time. Gives their age then.
    pub(crate) fn expire(&self) -> Option<Duration> {
        let mut state = self.state();
        let then = state.stale().filter(|_| !state.expired)?;
        state.expired = true;
        if then == WhenStale::Strict {
            let set = self.handle.load();
            state.version = self.handle.replace(set.tightened());
            state.untightened = Some(set);
        }
        Some(state.confirmed.elapsed())
    }

    fn status(&self) -> PolicyStatus {
        let state = self.state();
        PolicyStatus {
            path: self.path.clone(),
            version: state.version,
            files: state.files.iter().cloned().collect(),
            objects: state.objects,
            loaded: state.loaded.elapsed(),
            age: state.confirmed.elapsed(),
            last_error: state.last_error.clone(),
            stale: state.stale(),
        }
    }

    // What is behind the lock is whole between any two statements.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn confirm(&mut self, began: Instant) {
        self.confirmed = began;
        self.last_error = None;
        // A look that hung for long confirms what was long ago.
        self.expired = self.expired && self.stale().is_some();
    }

    fn stale(&self) -> Option<WhenStale> {
        let freshness = self.freshness?;
        (self.confirmed.elapsed() >= freshness.max_age).then_some(freshness.then)
    }
}

/// What a look that read what is in force has brought.
pub(crate) enum Confirmed {
    /// All was well, or is not yet because the look took too long.
    AsBefore,
    /// A problem is over.
    Recovered,
    /// A problem is over, and with it the tightening.
    PutBack {
        /// The version of the policy handle now.
        version: u64,
    },
}

/// Good policies that were read.
pub(crate) struct Loaded {
    pub(crate) set: PolicySet,
    pub(crate) files: BTreeSet<PathBuf>,
    pub(crate) objects: usize,
    /// When the look began that read them.
    pub(crate) began: Instant,
}
