//! An authority in a directory, as a process sees it that issues from there and follows its rotation.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use meshtls_identity::TrustDomain;
use rustls_pki_types::{SignatureVerificationAlgorithm, UnixTime};

use super::ledger_file::LedgerFile;
use super::state_file::{At, is_key_of};
use super::{CaDir, LEDGER, LOCK, Loaded, StepError, StoreError, files};
use crate::rotating::last_unrecorded;
use crate::rotation::unused;
use crate::{
    Authority, AuthorityOptions, AuthorityPem, AuthorityRoots, IssueError, IssueRequest,
    IssuedSvid, IssuingAuthority, KeyPair, Ledger, LedgerEntry, Readiness, Rotation, Serial,
    SerialSource, Step,
};

/// The authority in a directory: it issues, records what it issued, and follows the rotation whichever process takes
/// its steps.
///
/// Each call looks first whether another process has taken a step: one look at the name of the file that holds the
/// state, which is kept open, so that another file cannot pass for it. [`issue`](IssuingAuthority::issue) and the steps
/// hold the lock of the directory, one at a time over all processes: what is recorded was issued in the generation
/// that the directory is in. Issuing waits for the disk once.
///
/// If the directory cannot be read, [`roots`](IssuingAuthority::roots) gives what was read last, as if the caller had
/// asked a moment earlier. Nothing is issued then: it could not be recorded, and a step would not wait for it.
///
/// All of this may block: on the disk, and on a process that holds the lock.
pub struct SharedAuthority {
    directory: CaDir,
    trust_domain: TrustDomain,
    algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
    current: RwLock<Arc<Loaded>>,
    /// Taken before the lock of the directory, which is one for each file that is open.
    ledger: Mutex<LedgerFile>,
}

impl SharedAuthority {
    /// Opens the authority in the directory `path`, or makes a self-signed root there, as
    /// [`CaDir::open_or_create`] does.
    ///
    /// A directory without a record of what was issued, one made for Istio for instance, gets one: steps then wait
    /// until [`Authority::MAX_TTL`] after `now` for what may have been issued before. An authority that has expired is
    /// opened, so that it can be rotated out; it issues nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError`] names the file and what to do about it.
    pub fn open_or_create(
        path: &Path,
        trust_domain: &TrustDomain,
        options: &AuthorityOptions,
        algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
        now: UnixTime,
        serials: &mut dyn SerialSource,
    ) -> Result<Self, StoreError> {
        let directory = CaDir { path: path.to_owned() };
        let _lock = directory.create_and_lock()?;
        let record = directory.file(LEDGER);
        if !directory.is_complete()? {
            // Before the root, so that whoever finds a root without a record knows that the record is late.
            LedgerFile::create(&record, None)?;
            directory.complete(trust_domain, options, algorithms, now, serials)?;
        }
        let loaded = directory.load(trust_domain, algorithms, At::Near(now))?;
        directory.publish(&loaded)?;
        let mut ledger = LedgerFile::default();
        ledger.catch_up(&record, unrecorded_until(&loaded.rotation, now))?;
        Ok(Self {
            directory,
            trust_domain: trust_domain.clone(),
            algorithms,
            current: RwLock::new(Arc::new(loaded)),
            ledger: Mutex::new(ledger),
        })
    }

    /// Where the rotation stands, as the directory says at this moment.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: the directory cannot be read.
    pub fn rotation(&self, now: UnixTime) -> Result<Rotation, StoreError> {
        Ok(self.refresh(now)?.rotation.clone())
    }

    /// The X509-SVID with this serial number, whichever process issued it; see [`Ledger::find`].
    ///
    /// # Errors
    ///
    /// [`StoreError`]: the directory cannot be read.
    pub fn find(&self, serial: &Serial, now: UnixTime) -> Result<Option<LedgerEntry>, StoreError> {
        self.locked(now, |_, ledger| Ok(ledger.ledger().find(serial).cloned()))
    }

    /// A copy of the record.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: the directory cannot be read.
    pub fn ledger(&self, now: UnixTime) -> Result<Ledger, StoreError> {
        self.locked(now, |_, ledger| Ok(ledger.ledger().clone()))
    }

    /// Whether `step` may be taken at `now`; see [`Rotation::ready`].
    ///
    /// # Errors
    ///
    /// [`StepError`]: it may not, or the directory cannot be read.
    pub fn ready(&self, step: Step, now: UnixTime) -> Result<(), StepError> {
        self.locked(now, |loaded, ledger| Ok(loaded.rotation.ready(step, ledger.ledger(), now)?))
    }

    /// Makes a new root, which is trusted from now on; see [`Rotation::prepare`].
    ///
    /// # Errors
    ///
    /// [`StepError`]; [`StoreError::NotMade`] if there is no new root.
    pub fn prepare(
        &self,
        options: &AuthorityOptions,
        now: UnixTime,
        serials: &mut dyn SerialSource,
    ) -> Result<Rotation, StepError> {
        self.step(now, |rotation, _| {
            rotation.ready(Step::Prepare, &Ledger::new(), now)?;
            let not_made = |source| self.directory.not_made(source);
            let key =
                KeyPair::generate(options.key_type).map_err(|error| not_made(error.into()))?;
            let key = Arc::new(key);
            let next = Authority::self_signed_with(
                self.trust_domain.clone(),
                Arc::<KeyPair>::clone(&key),
                options.lifetime,
                now,
                serials,
            );
            let next = next.map_err(|error| not_made(error.into()))?;
            Ok((rotation.prepare(next, now)?, Some(key)))
        })
    }

    /// Trusts the roots of an authority that was made elsewhere; see [`Rotation::prepare`].
    ///
    /// # Errors
    ///
    /// [`StepError`]; [`StoreError::NextUnusable`] if the texts are no authority.
    pub fn prepare_with(
        &self,
        pem: &AuthorityPem<'_>,
        now: UnixTime,
    ) -> Result<Rotation, StepError> {
        self.step(now, |rotation, _| {
            rotation.ready(Step::Prepare, &Ledger::new(), now)?;
            let (next, key) = pem
                .load(self.trust_domain.clone(), self.algorithms, |_path, _roots| now)
                .map_err(|source| StoreError::NextUnusable { source })?;
            Ok((rotation.prepare(next, now)?, Some(key)))
        })
    }

    /// Lets the new authority sign; see [`Rotation::activate`].
    ///
    /// # Errors
    ///
    /// [`StepError`].
    pub fn activate(&self, now: UnixTime, readiness: Readiness) -> Result<Rotation, StepError> {
        self.step(now, |rotation, ledger| Ok((rotation.activate(ledger, now, readiness)?, None)))
    }

    /// Ends the trust in the old root; see [`Rotation::retire`].
    ///
    /// # Errors
    ///
    /// [`StepError`].
    pub fn retire(&self, now: UnixTime, readiness: Readiness) -> Result<Rotation, StepError> {
        self.step(now, |rotation, ledger| Ok((rotation.retire(ledger, now, readiness)?, None)))
    }

    /// Goes one phase back; see [`Rotation::back`].
    ///
    /// # Errors
    ///
    /// [`StepError`].
    pub fn back(&self, now: UnixTime, readiness: Readiness) -> Result<Rotation, StepError> {
        self.step(now, |rotation, ledger| Ok((rotation.back(ledger, now, readiness)?, None)))
    }

    /// Drops what is remembered, for good, and its key from the directory; see [`Rotation::forget`].
    ///
    /// # Errors
    ///
    /// [`StepError`].
    pub fn forget(&self, now: UnixTime) -> Result<Rotation, StepError> {
        self.step(now, |rotation, _| Ok((rotation.forget()?, None)))
    }

    /// Gives the root a new certificate for the same key; see [`Rotation::renew`].
    ///
    /// # Errors
    ///
    /// [`StepError`].
    pub fn renew(
        &self,
        lifetime: Duration,
        now: UnixTime,
        serials: &mut dyn SerialSource,
    ) -> Result<Rotation, StepError> {
        self.step(now, |rotation, ledger| {
            Ok((rotation.renew(lifetime, ledger, now, serials)?, None))
        })
    }

    /// Takes a step: under the lock, from the state and the record that are in the directory then.
    fn step(
        &self,
        now: UnixTime,
        take: impl FnOnce(&Rotation, &Ledger) -> Result<(Rotation, Option<Arc<KeyPair>>), StepError>,
    ) -> Result<Rotation, StepError> {
        self.locked(now, |loaded, ledger| {
            let (next, new_key) = take(&loaded.rotation, ledger.ledger())?;
            let authorities: Vec<_> = std::iter::once(next.signing())
                .chain(next.other())
                .collect();
            let keys = loaded.keys.iter().cloned().chain(new_key);
            let keys: Vec<_> = keys
                .filter(|key| authorities.iter().any(|it| is_key_of(key, it)))
                .collect();
            self.directory.commit(&next, &keys, self.algorithms, now)?;
            let loaded = self.refresh(now)?;
            // The step is taken. What is not copied now is copied when the directory is opened, or at the next step.
            match self.directory.publish(&loaded) {
                Ok(()) | Err(_) => Ok(next),
            }
        })
    }

    /// Does `work` under the lock, with the newest state and record.
    fn locked<T, E: From<StoreError>>(
        &self,
        now: UnixTime,
        work: impl FnOnce(&Loaded, &mut LedgerFile) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut ledger = self.record();
        let _lock = files::lock(&self.directory.file(LOCK))?;
        let loaded = self.refresh(now)?;
        let late = unrecorded_until(&loaded.rotation, now);
        ledger.catch_up(&self.directory.file(LEDGER), late)?;
        work(&loaded, &mut ledger)
    }

    /// The newest state: what is known already, unless the directory has another one.
    fn refresh(&self, now: UnixTime) -> Result<Arc<Loaded>, StoreError> {
        let known = self.known();
        if self.directory.is_current(&known)? {
            return Ok(known);
        }
        // One thread reads; the others find what it read.
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if !self.directory.is_current(&current)? {
            let newest = self
                .directory
                .load(&self.trust_domain, self.algorithms, At::Near(now))?;
            *current = Arc::new(newest);
        }
        Ok(Arc::clone(&current))
    }

    fn known(&self) -> Arc<Loaded> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A panic in the middle may have left half a change: the record is then read anew.
    fn record(&self) -> MutexGuard<'_, LedgerFile> {
        self.ledger.lock().unwrap_or_else(|poisoned| {
            self.ledger.clear_poison();
            let mut ledger = poisoned.into_inner();
            *ledger = LedgerFile::default();
            ledger
        })
    }
}

impl IssuingAuthority for SharedAuthority {
    fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    fn issue(
        &self,
        request: &IssueRequest<'_>,
        now: UnixTime,
        serials: &mut dyn SerialSource,
    ) -> Result<IssuedSvid, IssueError> {
        let issued = self.locked(now, |loaded, ledger| {
            let path = self.directory.file(LEDGER);
            let serial = unused(ledger.ledger(), serials)?;
            let (svid, entry) = loaded.rotation.issue(request, now, serial)?;
            ledger.append(&path, entry)?;
            // It is recorded. A record that stays longer than it could be costs room only.
            match ledger.compact(&path, now) {
                Ok(()) | Err(_) => Ok(svid),
            }
        });
        issued.map_err(|error| match error {
            Failure::Store(error) => IssueError::Unavailable(Box::new(error)),
            Failure::Issue(error) => error,
        })
    }

    fn roots(&self, now: UnixTime) -> Result<AuthorityRoots, IssueError> {
        let loaded = self.refresh(now).unwrap_or_else(|_unreadable| self.known());
        Ok(loaded.rotation.roots())
    }
}

impl fmt::Debug for SharedAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedAuthority")
            .field("directory", &self.directory)
            .field("trust_domain", &self.trust_domain)
            .finish_non_exhaustive()
    }
}

/// Until when something can live that either authority issued before `now`: both may have, and may live for
/// different times.
fn unrecorded_until(rotation: &Rotation, now: UnixTime) -> UnixTime {
    let signing = last_unrecorded(rotation.signing(), now);
    rotation
        .other()
        .map_or(signing, |other| signing.max(last_unrecorded(other, now)))
}

/// Why nothing was issued: the directory, or the authority in it.
enum Failure {
    Store(StoreError),
    Issue(IssueError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<IssueError> for Failure {
    fn from(error: IssueError) -> Self {
        Self::Issue(error)
    }
}
