//! Policies from a file or a directory, loaded again when they change.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use meshtls_policy::{MeshSettings, PolicyHandle, PolicySet, Resources, Skipped, Warning};
use tokio::time::Instant;

use crate::freshness::{self, Freshness};
use crate::policy_health::{Confirmed, Loaded, Standing};
use crate::policy_text::{PolicyText, UNSETTLED};
use crate::read::{Fingerprint, Fingerprints, Looked};
use crate::watch::{self, Polled};
use crate::{PolicyError, PolicyHealth, ReadError, Report, Reporter, Silent, Watch, WhenStale};

/// The policies of a file or a directory, in force through a [`PolicyHandle`].
///
/// What is read of a directory, [`load_resources`](crate::load_resources) says. All files count as one: a change is
/// taken whole or refused whole, and then the last good set stays in force.
pub struct PolicyFiles {
    settings: MeshSettings,
    standing: Arc<Standing>,
    in_force: Fingerprint,
    /// The refused reading that was reported last, until the source is good again.
    refused: Option<Fingerprint>,
    /// How many looks in a row found a content that did not last.
    unsettled: u32,
    fingerprints: Fingerprints,
    /// Of the first load, until there is a reporter to tell.
    first: Remarks,
    freshness: Option<Freshness>,
    reporter: Arc<dyn Reporter>,
    every: Duration,
}

impl PolicyFiles {
    /// Loads the policies at `path`, a file or a directory. A directory without policy files is an empty set.
    ///
    /// # Errors
    ///
    /// Every variant of [`PolicyError`] but [`PolicyError::Emptied`]: a bad first load refuses to start.
    pub fn open(path: impl Into<PathBuf>, settings: MeshSettings) -> Result<Self, PolicyError> {
        let path = path.into();
        let fingerprints = Fingerprints::default();
        let began = Instant::now();
        let text = PolicyText::read_still(&path)?;
        let parsed = text.parse()?;
        let first = Loaded {
            set: PolicySet::compile(settings.clone(), &parsed.resources),
            files: parsed.filled,
            objects: parsed.objects,
            began,
        };
        Ok(Self {
            settings,
            standing: Arc::new(Standing::new(path, first)),
            in_force: fingerprints.look(Ok(text)).fingerprint,
            refused: None,
            unsettled: 0,
            fingerprints,
            first: Remarks::of(&parsed.resources),
            freshness: None,
            reporter: Arc::new(Silent),
            every: watch::DEFAULT_EVERY,
        })
    }

    /// Tells `reporter` what happens while the files are watched. Default: nobody.
    #[must_use]
    pub fn reporter(self, reporter: Arc<dyn Reporter>) -> Self {
        Self { reporter, ..self }
    }

    /// Looks at the files every `every`. Default: one second; less than 10 ms counts as 10 ms.
    #[must_use]
    pub fn poll_every(self, every: Duration) -> Self {
        Self { every: every.max(watch::SHORTEST_EVERY), ..self }
    }

    /// Says how old the policies in force may get, and what happens then. Default: as old as they like.
    ///
    /// Their age counts from the last look at which the files read as what is in force. It grows while the files cannot be
    /// read, are refused, never stay still, or while looking at them hangs, as network file systems do. A good look ends it.
    /// Time is the monotonic clock's: on most systems it stands still while the machine sleeps.
    ///
    /// Less than two of [`poll_every`](Self::poll_every) and a second counts as that.
    #[must_use]
    pub fn stale_after(self, max_age: Duration, then: WhenStale) -> Self {
        Self { freshness: Some(Freshness { max_age, then }), ..self }
    }

    /// The handle through which the current policies are read.
    #[must_use]
    pub fn handle(&self) -> PolicyHandle {
        self.standing.handle().clone()
    }

    /// How the source fares, readable at any time, also after [`watch`](Self::watch).
    #[must_use]
    pub fn health(&self) -> PolicyHealth {
        PolicyHealth::new(Arc::clone(&self.standing))
    }

    /// The file or directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.standing.path()
    }

    /// Starts to watch the files, until the returned value is dropped.
    ///
    /// The content is compared, not its time or its inode: a swapped symbolic link (as Kubernetes does it with mounted
    /// volumes) is a change, a touched file is none. A change is taken when it has been still for 50 ms. So however often
    /// files change, they are loaded at most once in each [`poll_every`](Self::poll_every), and the last content wins.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with time enabled.
    pub fn watch(mut self) -> Watch {
        let (every, reporter) = (self.every, Arc::clone(&self.reporter));
        let shortest = every
            .saturating_mul(2)
            .saturating_add(Duration::from_secs(1));
        let freshness = self
            .freshness
            .map(|Freshness { max_age, then }| Freshness { max_age: max_age.max(shortest), then });
        let standing = Arc::clone(&self.standing);
        standing.bound(freshness);
        let watch = Watch::spawn(async move {
            std::mem::take(&mut self.first).tell(&*self.reporter);
            watch::poll(self, every).await;
        });
        match freshness {
            Some(freshness) => watch.and(freshness::guard(standing, freshness, reporter, every)),
            None => watch,
        }
    }

    /// Puts `found` in force, if it is good.
    fn replace(
        &self,
        found: Result<PolicyText, ReadError>,
        began: Instant,
    ) -> Result<(u64, Remarks), PolicyError> {
        let parsed = found?.parse()?;
        if let Some(path) = parsed.emptied(&self.standing.files(), self.path()) {
            return Err(PolicyError::Emptied { path });
        }
        let remarks = Remarks::of(&parsed.resources);
        let version = self.standing.load(Loaded {
            set: PolicySet::compile(self.settings.clone(), &parsed.resources),
            files: parsed.filled,
            objects: parsed.objects,
            began,
        });
        Ok((version, remarks))
    }

    /// Takes note of a look that read what is in force.
    fn confirm(&self, began: Instant) {
        let put_back = match self.standing.confirm(began) {
            Confirmed::AsBefore => return,
            Confirmed::Recovered => None,
            Confirmed::PutBack { version } => Some(version),
        };
        self.reporter.report(&Report::Recovered);
        if let Some(version) = put_back {
            self.reporter.report(&Report::PoliciesReplaced { version });
        }
    }

    fn keep(&self, error: PolicyError) {
        let error = Arc::new(error);
        self.standing.refuse(Arc::clone(&error));
        self.reporter.report(&Report::PoliciesKept(&error));
    }
}

impl Polled for PolicyFiles {
    type Reading = Look;

    fn read(&self) -> Look {
        let began = Instant::now();
        Look { began, looked: self.fingerprints.look(PolicyText::read(self.path())) }
    }

    // Policies do not change with time: what was refused once need not be judged again.
    fn is_news(&mut self, look: &Look) -> bool {
        let fingerprint = look.looked.fingerprint;
        if fingerprint == self.in_force {
            self.unsettled = 0;
            self.refused = None;
            self.confirm(look.began);
            return false;
        }
        // Having been told of the unrest, its end is news in any case.
        let is_news = self.unsettled >= UNSETTLED || self.refused != Some(fingerprint);
        if !is_news {
            self.unsettled = 0;
        }
        is_news
    }

    fn unsettled(&mut self) {
        self.unsettled = self.unsettled.saturating_add(1);
        if self.unsettled == UNSETTLED {
            let path = self.path().to_owned();
            self.keep(PolicyError::Unsettled { path, looks: UNSETTLED });
        }
    }

    fn judge(&mut self, Look { began, looked }: Look) {
        self.unsettled = 0;
        match self.replace(looked.found, began) {
            Ok((version, remarks)) => {
                self.in_force = looked.fingerprint;
                self.refused = None;
                self.reporter.report(&Report::PoliciesReplaced { version });
                remarks.tell(&*self.reporter);
            }
            Err(error) => {
                self.refused = Some(looked.fingerprint);
                self.keep(error);
            }
        }
    }
}

/// One look at the files, and when it began.
pub(crate) struct Look {
    began: Instant,
    looked: Looked<PolicyText>,
}

impl PartialEq for Look {
    fn eq(&self, other: &Self) -> bool {
        self.looked == other.looked
    }
}

/// What the operator should know of policies that were taken.
#[derive(Default)]
struct Remarks {
    skipped: Vec<Skipped>,
    warnings: Vec<Warning>,
}

impl Remarks {
    fn of(resources: &Resources) -> Self {
        Self { skipped: resources.skipped().to_vec(), warnings: resources.warnings().to_vec() }
    }

    fn tell(&self, reporter: &dyn Reporter) {
        for skipped in &self.skipped {
            reporter.report(&Report::PolicySkipped(skipped));
        }
        for warning in &self.warnings {
            reporter.report(&Report::PolicyWarning(warning));
        }
    }
}

impl fmt::Debug for PolicyFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyFiles")
            .field("path", &self.path())
            .field("every", &self.every)
            .field("version", &self.standing.handle().version())
            .finish_non_exhaustive()
    }
}
