//! An authority in memory whose root can be rotated while it issues.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use meshtls_identity::TrustDomain;
use rustls_pki_types::UnixTime;

use crate::rotation::unused;
use crate::{
    Authority, AuthorityRoots, IssueError, IssueRequest, IssuedSvid, IssuingAuthority, Ledger,
    LedgerEntry, Readiness, Rotation, RotationError, Serial, SerialSource, Step,
};

/// A [`Rotation`] and its [`Ledger`] in memory, for a process that issues to its fleet alone.
///
/// Callers issue at the same time as each other. A step waits for those that are issuing, so everything is recorded in
/// the generation it was issued in. Both end with the process: an authority whose X509-SVIDs outlive it is
/// [adopted](Self::adopting) by the next one, or kept in a directory.
#[derive(Debug)]
pub struct RotatingAuthority {
    trust_domain: TrustDomain,
    rotation: RwLock<Arc<Rotation>>,
    ledger: Mutex<Ledger>,
}

impl RotatingAuthority {
    /// An authority that has issued nothing yet.
    #[must_use]
    pub fn new(authority: Authority) -> Self {
        Self::with_ledger(authority, Ledger::new())
    }

    /// An authority that may have issued before: what lives of that is waited for until
    /// [`Authority::MAX_TTL`] after `now`.
    #[must_use]
    pub fn adopting(authority: Authority, now: UnixTime) -> Self {
        let ledger = Ledger::with_unrecorded(last_unrecorded(&authority, now));
        Self::with_ledger(authority, ledger)
    }

    fn with_ledger(authority: Authority, ledger: Ledger) -> Self {
        Self {
            trust_domain: authority.trust_domain().clone(),
            rotation: RwLock::new(Arc::new(Rotation::steady(authority))),
            ledger: Mutex::new(ledger),
        }
    }

    /// Where the rotation stands.
    #[must_use]
    pub fn rotation(&self) -> Arc<Rotation> {
        Arc::clone(&self.state())
    }

    /// The X509-SVID with this serial number, if it is recorded; see [`Ledger::find`].
    #[must_use]
    pub fn find(&self, serial: &Serial) -> Option<LedgerEntry> {
        self.record().find(serial).cloned()
    }

    /// A copy of the record.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.record().clone()
    }

    /// Whether `step` may be taken at `now`; see [`Rotation::ready`].
    ///
    /// # Errors
    ///
    /// [`RotationError::NotAllowed`] and [`RotationError::NotReady`].
    pub fn ready(&self, step: Step, now: UnixTime) -> Result<(), RotationError> {
        let rotation = self.state();
        rotation.ready(step, &self.record(), now)
    }

    /// Trusts the roots of `next` from now on; see [`Rotation::prepare`].
    ///
    /// # Errors
    ///
    /// Those of [`Rotation::prepare`].
    pub fn prepare(&self, next: Authority, now: UnixTime) -> Result<Arc<Rotation>, RotationError> {
        self.step(|rotation, _| rotation.prepare(next, now))
    }

    /// Lets the new authority sign; see [`Rotation::activate`].
    ///
    /// # Errors
    ///
    /// Those of [`Rotation::activate`].
    pub fn activate(
        &self,
        now: UnixTime,
        readiness: Readiness,
    ) -> Result<Arc<Rotation>, RotationError> {
        self.step(|rotation, ledger| rotation.activate(ledger, now, readiness))
    }

    /// Ends the trust in the old root; see [`Rotation::retire`].
    ///
    /// # Errors
    ///
    /// Those of [`Rotation::retire`].
    pub fn retire(
        &self,
        now: UnixTime,
        readiness: Readiness,
    ) -> Result<Arc<Rotation>, RotationError> {
        self.step(|rotation, ledger| rotation.retire(ledger, now, readiness))
    }

    /// Goes one phase back; see [`Rotation::back`].
    ///
    /// # Errors
    ///
    /// Those of [`Rotation::back`].
    pub fn back(
        &self,
        now: UnixTime,
        readiness: Readiness,
    ) -> Result<Arc<Rotation>, RotationError> {
        self.step(|rotation, ledger| rotation.back(ledger, now, readiness))
    }

    /// Drops what is remembered, for good; see [`Rotation::forget`].
    ///
    /// # Errors
    ///
    /// Those of [`Rotation::forget`].
    pub fn forget(&self) -> Result<Arc<Rotation>, RotationError> {
        self.step(|rotation, _| rotation.forget())
    }

    /// Gives the root a new certificate for the same key; see [`Rotation::renew`].
    ///
    /// # Errors
    ///
    /// Those of [`Rotation::renew`].
    pub fn renew(
        &self,
        lifetime: Duration,
        now: UnixTime,
        serials: &mut dyn SerialSource,
    ) -> Result<Arc<Rotation>, RotationError> {
        self.step(|rotation, ledger| rotation.renew(lifetime, ledger, now, serials))
    }

    fn step(
        &self,
        take: impl FnOnce(&Rotation, &Ledger) -> Result<Rotation, RotationError>,
    ) -> Result<Arc<Rotation>, RotationError> {
        // Nobody issues while this is held.
        let mut rotation = self
            .rotation
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let next = Arc::new(take(&rotation, &self.record())?);
        *rotation = Arc::clone(&next);
        Ok(next)
    }

    /// A panic elsewhere leaves a whole state behind: it is exchanged in one assignment.
    fn state(&self) -> RwLockReadGuard<'_, Arc<Rotation>> {
        self.rotation.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IssuingAuthority for RotatingAuthority {
    fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    fn issue(
        &self,
        request: &IssueRequest<'_>,
        now: UnixTime,
        serials: &mut dyn SerialSource,
    ) -> Result<IssuedSvid, IssueError> {
        // Held until what was issued is recorded.
        let rotation = self.state();
        let serial = unused(&self.record(), serials)?;
        let (svid, entry) = rotation.issue(request, now, serial)?;
        let mut ledger = self.record();
        // Another caller may have drawn the same number in the meantime.
        ledger.record(entry)?;
        if ledger.is_sweep_due() {
            ledger.sweep(now);
        }
        Ok(svid)
    }

    fn roots(&self, _now: UnixTime) -> Result<AuthorityRoots, IssueError> {
        Ok(self.state().roots())
    }
}

/// Until when something can live that `authority` issued before `now`.
pub(crate) fn last_unrecorded(authority: &Authority, now: UnixTime) -> UnixTime {
    let longest = now.as_secs().saturating_add(Authority::MAX_TTL.as_secs());
    UnixTime::since_unix_epoch(Duration::from_secs(longest)).min(authority.not_after())
}
