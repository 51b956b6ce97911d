//! Policies from a file or a directory, loaded again when they change.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use meshtls_policy::{MeshSettings, PolicyHandle, PolicySet, Resources, Skipped, Warning};

use crate::policy_text::PolicyText;
use crate::read::{Fingerprint, Fingerprints, Looked};
use crate::watch::{self, Polled};
use crate::{PolicyError, ReadError, Report, Reporter, Silent, Watch};

/// The policies of a file or a directory, in force through a [`PolicyHandle`].
///
/// What is read of a directory, [`load_resources`](crate::load_resources) says. All files count as one: a change is
/// taken whole or refused whole, and then the last good set stays in force.
pub struct PolicyFiles {
    path: PathBuf,
    settings: MeshSettings,
    handle: PolicyHandle,
    in_force: Fingerprint,
    /// The files that the policies in force are from.
    filled: BTreeSet<PathBuf>,
    /// The refused reading that was reported last, until the source is good again.
    refused: Option<Fingerprint>,
    fingerprints: Fingerprints,
    /// Of the first load, until there is a reporter to tell.
    first: Remarks,
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
        let looked = fingerprints.look(PolicyText::read(&path));
        let text = looked.found?;
        let parsed = text.parse()?;
        let set = PolicySet::compile(settings.clone(), &parsed.resources);
        Ok(Self {
            path,
            settings,
            handle: PolicyHandle::new(set),
            in_force: looked.fingerprint,
            filled: parsed.filled,
            refused: None,
            fingerprints,
            first: Remarks::of(&parsed.resources),
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

    /// The handle through which the current policies are read.
    #[must_use]
    pub fn handle(&self) -> PolicyHandle {
        self.handle.clone()
    }

    /// The file or directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Starts to watch the files, until the returned value is dropped.
    ///
    /// The content is compared, not its time or its inode: a swapped symbolic link (as Kubernetes does it with mounted
    /// volumes) is a change, a touched file is none. A change is taken when it has been still for 50 ms.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with time enabled.
    pub fn watch(mut self) -> Watch {
        Watch::spawn(async move {
            std::mem::take(&mut self.first).tell(&*self.reporter);
            let every = self.every;
            watch::poll(self, every).await;
        })
    }

    /// Puts `reading` in force, if it is a good one.
    fn replace(
        &mut self,
        reading: Result<PolicyText, ReadError>,
    ) -> Result<(u64, Remarks), PolicyError> {
        let parsed = reading?.parse()?;
        if let Some(path) = parsed.emptied(&self.filled, &self.path) {
            return Err(PolicyError::Emptied { path });
        }
        let set = PolicySet::compile(self.settings.clone(), &parsed.resources);
        self.filled = parsed.filled;
        Ok((self.handle.replace(set), Remarks::of(&parsed.resources)))
    }
}

impl Polled for PolicyFiles {
    type Reading = Looked<PolicyText>;

    fn read(&self) -> Looked<PolicyText> {
        self.fingerprints.look(PolicyText::read(&self.path))
    }

    // Policies do not change with time: what was refused once need not be judged again.
    fn is_news(&self, looked: &Looked<PolicyText>) -> bool {
        looked.fingerprint != self.refused.unwrap_or(self.in_force)
    }

    fn judge(&mut self, looked: Looked<PolicyText>) {
        if looked.fingerprint == self.in_force {
            self.refused = None;
            self.reporter.report(&Report::Recovered);
            return;
        }
        match self.replace(looked.found) {
            Ok((version, remarks)) => {
                self.in_force = looked.fingerprint;
                self.refused = None;
                self.reporter.report(&Report::PoliciesReplaced { version });
                remarks.tell(&*self.reporter);
            }
            Err(error) => {
                self.refused = Some(looked.fingerprint);
                self.reporter.report(&Report::PoliciesKept(&error));
            }
        }
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
            .field("path", &self.path)
            .field("every", &self.every)
            .field("version", &self.handle.version())
            .finish_non_exhaustive()
    }
}
