//! The renewal of an identity: ask an issuer, check the answer, put it into use, and again at half of its life.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use meshtls_ca::KeyType;
use meshtls_identity::MeshDomains;
use meshtls_rustls::TlsProfile;
use meshtls_svid::{TrustBundle, TrustBundles, X509Svid};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::backoff::{Backoff, FIRST_WAIT};
use crate::check::{Check, Overlap};
use crate::{
    Clock, FederatedBundles, IdentityChange, IdentityError, IdentityHealth, Issued, Issuer,
    IssuerAtHand, IssuerError, LiveSvid, Random, Report, Reporter, Silent, SvidRequest,
    SystemClock, SystemRandom, Wanted, Watch, renew_after,
};

/// An identity that is kept fresh, in use through a [`LiveSvid`].
///
/// Each X509-SVID is replaced when half of the life that it came with is over ([`renew_after`]); if the issuer draws
/// the keys itself, as with files, when the issuer has [changed](Issuer::changed). What comes is checked before it is put
/// into use: the key fits, the chain verifies now to the roots that came with it, so that it is covered by the bundle that
/// peers will use, and the identity is the wanted one.
///
/// If that fails, the current X509-SVID stays in use until it ends, and the issuer is asked again after 0.5 s, then
/// twice that, up to [`Issuer::longest_wait`], each give or take a fifth, so that a fleet does not come back in one instant. A
/// permanent refusal is waited out at the longest wait from the beginning.
///
/// The wall clock is believed: while it is outside of the life of the current X509-SVID, that one counts as over or as not
/// yet begun, and another is asked for.
pub struct Renewal {
    issuer: Arc<dyn Issuer>,
    wanted: Wanted,
    change: IdentityChange,
    check: Check,
    live: Arc<LiveSvid>,
    health: IdentityHealth,
    clock: Arc<dyn Clock>,
    federated: FederatedBundles,
    random: Box<dyn Random>,
    reporter: Arc<dyn Reporter>,
    backoff: Backoff,
    due: Due,
    current: Option<Current>,
    /// What the issuer had seen when it was asked last.
    seen: Option<u64>,
    /// The label of the failure that was reported last, until there is none.
    reported: Option<&'static str>,
    /// Whether the same failure is to be reported again.
    report_again: bool,
    end_reported: bool,
}

/// When to ask the issuer next.
#[derive(Clone, Copy, Debug)]
enum Due {
    /// At once: there is nothing yet.
    Now,
    /// When the monotonic clock shows this, or the wall clock that.
    Renewal { at: Duration, wall: UnixTime },
    /// When the monotonic clock shows this, after a failure.
    Retry { at: Duration },
    /// When the issuer says so.
    Change,
}

/// What is in use.
struct Current {
    svid: Arc<X509Svid>,
    roots: Vec<CertificateDer<'static>>,
    arrived: UnixTime,
}

impl Renewal {
    /// Begins with nothing: `issuer` is asked once [`watch`](Self::watch) is called, and until it has answered there is no
    /// identity. Trust is the issuer's roots, for the own domain and every alias of `domains`. `profile` gives the algorithms
    /// that the answers are checked with, and the time.
    #[must_use]
    pub fn new(
        issuer: Arc<dyn Issuer>,
        wanted: Wanted,
        domains: MeshDomains,
        profile: TlsProfile,
    ) -> Self {
        let clock = Arc::new(SystemClock::of(&profile));
        Self::with_clock(issuer, wanted, domains, profile, clock)
    }

    /// Begins with nothing, and goes by another clock than the [`SystemClock`] of `profile`.
    #[must_use]
    pub fn with_clock(
        issuer: Arc<dyn Issuer>,
        wanted: Wanted,
        domains: MeshDomains,
        profile: TlsProfile,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let live = Arc::new(LiveSvid::new(Arc::clone(&clock)));
        Self {
            issuer,
            wanted,
            change: IdentityChange::Refuse,
            check: Check { domains, profile },
            health: IdentityHealth::new(Arc::clone(&live), Arc::clone(&clock)),
            live,
            clock,
            federated: FederatedBundles::fixed([]),
            random: Box::new(SystemRandom),
            reporter: Arc::new(Silent),
            backoff: Backoff::default(),
            due: Due::Now,
            current: None,
            seen: None,
            reported: None,
            report_again: false,
            end_reported: false,
        }
    }

    /// Begins with an X509-SVID: an issuer at hand is asked here and now.
    ///
    /// # Errors
    ///
    /// [`IdentityError`]: a bad beginning refuses to start.
    pub fn at_hand(
        issuer: Arc<dyn IssuerAtHand>,
        wanted: Wanted,
        domains: MeshDomains,
        profile: TlsProfile,
    ) -> Result<Self, IdentityError> {
        let away: Arc<dyn Issuer> = Arc::<dyn IssuerAtHand>::clone(&issuer);
        let mut renewal = Self::new(away, wanted, domains, profile);
        let request = renewal.request();
        let answer = issuer.issue_now(&request);
        renewal.take(answer, request)?;
        Ok(renewal)
    }

    /// Takes the jitter from `random`. Default: [`SystemRandom`].
    #[must_use]
    pub fn random(self, random: Box<dyn Random>) -> Self {
        let mut renewal = Self { random, ..self };
        if let (Due::Renewal { .. }, Some(current)) = (renewal.due, &renewal.current) {
            let (arrived, not_after) = (current.arrived, current.svid.not_after());
            renewal.due = renewal.at_half_life(arrived, not_after);
        }
        renewal
    }

    /// Trusts these authorities of other domains too, each for its own domain, as they are at any time. A bundle of the own
    /// domain among them does not count. Default: none.
    #[must_use]
    pub fn federated(self, federated: FederatedBundles) -> Self {
        let renewal = Self { federated, ..self };
        // With none there is nothing to put beside the identity in use, which keeps its generation.
        if !renewal.federated.current().is_empty() {
            renewal.federate();
        }
        renewal
    }

    /// Whether what comes may carry another SPIFFE ID. Default: [`IdentityChange::Refuse`].
    #[must_use]
    pub fn identity_change(self, change: IdentityChange) -> Self {
        Self { change, ..self }
    }

    /// Tells `reporter` what happens while the identity is kept fresh. Default: nobody.
    #[must_use]
    pub fn reporter(self, reporter: Arc<dyn Reporter>) -> Self {
        Self { reporter, ..self }
    }

    /// The identity in use.
    #[must_use]
    pub fn live(&self) -> Arc<LiveSvid> {
        Arc::clone(&self.live)
    }

    /// How the identity fares.
    #[must_use]
    pub fn health(&self) -> IdentityHealth {
        self.health.clone()
    }

    /// Starts to keep the identity fresh, until the returned value is dropped.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with time enabled.
    pub fn watch(self) -> Watch {
        Watch::spawn(self.keep_fresh())
    }

    async fn keep_fresh(mut self) {
        let (issuer, clock) = (Arc::clone(&self.issuer), Arc::clone(&self.clock));
        let mut federated = self.federated.clone();
        loop {
            self.report_end();
            let (wait, within) = self.rest();
            let changed = tokio::select! {
                biased;
                () = federated.changed() => {
                    self.federate();
                    continue;
                }
                () = issuer.changed(self.seen) => true,
                () = clock.sleep(wait, within) => false,
            };
            if changed {
                // Another failure deserves another report, and is not waited for as long.
                self.report_again = true;
                self.backoff.reset();
            } else if !self.is_due() {
                continue;
            }
            let Some(request) = drawn(self.request(), self.wanted.key_type).await else { return };
            let patience = self.patience();
            let answer = tokio::select! {
                biased;
                answer = issuer.issue(&request) => answer,
                () = clock.sleep(patience, always()) => Err(IssuerError::retryable("timeout", Silence(patience))),
            };
            let outcome = self.take(answer, request);
            self.tell(outcome);
        }
    }

    /// How long to wait, and while the wall clock is within what.
    fn rest(&self) -> (Duration, RangeInclusive<UnixTime>) {
        let left = |at: Duration| at.saturating_sub(self.clock.monotonic());
        match self.due {
            Due::Now => (Duration::ZERO, always()),
            Due::Renewal { at, wall } => (left(at), self.life(wall)),
            Due::Retry { at } => (left(at), self.until_the_end()),
            Due::Change => (Duration::MAX, self.until_the_end()),
        }
    }

    fn is_due(&self) -> bool {
        match self.due {
            Due::Now => true,
            Due::Renewal { at, wall } => {
                self.clock.monotonic() >= at || !self.life(wall).contains(&self.clock.wall())
            }
            Due::Retry { at } => self.clock.monotonic() >= at,
            Due::Change => false,
        }
    }

    /// From the first valid second of what is in use until `wall`.
    fn life(&self, wall: UnixTime) -> RangeInclusive<UnixTime> {
        match &self.current {
            Some(current) => current.svid.not_before()..=wall,
            None => *always().start()..=wall,
        }
    }

    /// Until the last valid second of what is in use; once its end is reported, from the second after.
    fn until_the_end(&self) -> RangeInclusive<UnixTime> {
        let Some(current) = &self.current else { return always() };
        let end = current.svid.not_after();
        if self.end_reported {
            later(end, Duration::ZERO)..=*always().end()
        } else {
            *always().start()..=end
        }
    }

    fn report_end(&mut self) {
        let Some(Current { svid, .. }) = &self.current else { return };
        let is_over = self.clock.wall() > svid.not_after();
        let is_news = is_over && !self.end_reported;
        // A clock that was set back makes it valid again, and then it ends once more.
        self.end_reported = is_over;
        if is_news {
            self.reporter
                .report(&Report::IdentityExpired { not_after: svid.not_after() });
        }
    }

    /// How long to wait for an answer: a quarter of what is left to lose, so that a silent issuer is asked again before the end.
    fn patience(&self) -> Duration {
        let now = self.clock.wall();
        let left = self
            .current
            .as_ref()
            .map(|current| left(now, current.svid.not_after()));
        match left {
            Some(left) if !left.is_zero() => (left / 4).clamp(SHORTEST_PATIENCE, LONGEST_PATIENCE),
            _ => LONGEST_PATIENCE,
        }
    }

    fn request(&self) -> SvidRequest {
        let Wanted { id, key_type, ttl } = self.wanted.clone();
        SvidRequest::new(id, key_type, ttl)
    }

    /// Checks an answer and puts it into use, and settles when to ask next. Gives the new generation, or `None` where the
    /// answer is what is in use.
    fn take(
        &mut self,
        answer: Result<Issued, IssuerError>,
        request: SvidRequest,
    ) -> Result<Option<u64>, IdentityError> {
        let now = self.clock.wall();
        self.seen = request.noted().or(self.seen);
        let taken = answer
            .map_err(IdentityError::Issuer)
            .and_then(|issued| self.put_into_use(issued, request, now));
        let outcome = match taken {
            Ok((not_after, schedule, generation)) => {
                self.backoff.reset();
                self.due = match schedule {
                    Schedule::OnChange => Due::Change,
                    Schedule::AtHalfLife => self.at_half_life(now, not_after),
                };
                Ok(generation)
            }
            Err(error) => {
                let end = self
                    .current
                    .as_ref()
                    .map(|current| current.svid.not_after());
                let left = end.map_or(Duration::ZERO, |end| left(now, end));
                let longest = self.issuer.longest_wait().clamp(FIRST_WAIT, LONGEST_OF_ALL);
                let wait =
                    self.backoff
                        .next(error.is_permanent(), left, longest, &mut *self.random);
                self.due = Due::Retry { at: self.clock.monotonic().saturating_add(wait) };
                Err(error)
            }
        };
        let mut account = self.health.account();
        if outcome.is_ok() {
            account.failures = 0;
            account.last_error = None;
        }
        if matches!(outcome, Ok(Some(_))) {
            account.arrived = Some(now);
        }
        account.due = match self.due {
            Due::Now | Due::Change => None,
            Due::Renewal { at, .. } | Due::Retry { at } => Some(at),
        };
        drop(account);
        outcome
    }

    fn at_half_life(&mut self, arrived: UnixTime, not_after: UnixTime) -> Due {
        let wait = renew_after(arrived, not_after, &mut *self.random).max(FIRST_WAIT);
        let at = self.clock.monotonic().saturating_add(wait);
        Due::Renewal { at, wall: later(arrived, wait) }
    }

    fn put_into_use(
        &mut self,
        issued: Issued,
        request: SvidRequest,
        now: UnixTime,
    ) -> Result<(UnixTime, Schedule, Option<u64>), IdentityError> {
        let Issued { chain, roots, key } = issued;
        let schedule = if key.is_some() { Schedule::OnChange } else { Schedule::AtHalfLife };
        if let Some(current) = &self.current
            && current.svid.chain() == chain
            && current.roots == roots
            && key
                .as_ref()
                .is_none_or(|key| key.secret_der() == current.svid.private_key().secret_der())
        {
            let not_after = current.svid.not_after();
            // What is in use may have ended meanwhile, or not have begun by a clock that was set back.
            return if (current.svid.not_before()..=not_after).contains(&now) {
                Ok((not_after, schedule, None))
            } else {
                self.check.usable(&current.svid, &self.bundles(&roots)?)?;
                Ok((not_after, schedule, None))
            };
        }
        let key = key
            .or_else(|| request.into_key())
            .ok_or(IdentityError::NoKey)?;
        let svid = X509Svid::new(chain, key.clone_key()).map_err(IdentityError::Svid)?;
        let bundles = self.bundles(&roots)?;
        self.check.usable(&svid, &bundles)?;
        self.change.check(&self.wanted.id, svid.id())?;
        let overlap = match self.live.newest() {
            Some(before) => self.check.overlap(&svid, before.bundles()),
            None => Overlap::Whole,
        };
        let not_after = svid.not_after();
        let svid = Arc::new(svid);
        let generation = self.live.publish(Arc::clone(&svid), Arc::new(bundles));
        self.current = Some(Current { svid, roots, arrived: now });
        self.end_reported = false;
        if overlap == Overlap::None {
            self.reporter
                .report(&Report::IdentityWithoutOverlap { generation });
        }
        Ok((not_after, schedule, Some(generation)))
    }

    /// What is trusted with `roots`, and with the bundles of other domains as they are now.
    fn bundles(&self, roots: &[CertificateDer<'static>]) -> Result<TrustBundles, IdentityError> {
        let own = TrustBundle::new(self.check.domains.own().clone(), roots.to_vec())
            .map_err(IdentityError::Roots)?;
        Ok(self.check.bundles(own, &self.federated.current()))
    }

    /// Puts other bundles of other domains beside the identity in use.
    fn federate(&self) {
        let Some(current) = &self.current else { return };
        // These roots have been a bundle before.
        let Ok(bundles) = self.bundles(&current.roots) else { return };
        let generation = self
            .live
            .publish(Arc::clone(&current.svid), Arc::new(bundles));
        self.reporter
            .report(&Report::IdentityReplaced { generation });
    }

    fn tell(&mut self, outcome: Result<Option<u64>, IdentityError>) {
        let report_again = std::mem::take(&mut self.report_again);
        match outcome {
            Ok(Some(generation)) => {
                self.reported = None;
                self.reporter
                    .report(&Report::IdentityReplaced { generation });
            }
            Ok(None) => {
                if self.reported.take().is_some() {
                    self.reporter.report(&Report::Recovered);
                }
            }
            Err(error) => {
                if report_again || self.reported != Some(error.reason()) {
                    self.reported = Some(error.reason());
                    self.reporter.report(&Report::IdentityKept(&error));
                }
                let mut account = self.health.account();
                account.failures = account.failures.saturating_add(1);
                account.last_error = Some(Arc::new(error));
            }
        }
    }
}

/// Who says when the next X509-SVID comes.
#[derive(Clone, Copy, Debug)]
enum Schedule {
    AtHalfLife,
    OnChange,
}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewal")
            .field("wanted", &self.wanted)
            .field("issuer", &self.issuer)
            .field("due", &self.due)
            .finish_non_exhaustive()
    }
}

/// A key that takes long is drawn where that keeps nobody waiting. `None` when the runtime shuts down.
async fn drawn(request: SvidRequest, key_type: KeyType) -> Option<SvidRequest> {
    if key_type != KeyType::Rsa2048 {
        return Some(request);
    }
    let drawn = tokio::task::spawn_blocking(move || {
        // If there is no key, the issuer will be told why.
        drop(request.csr());
        request
    });
    drawn.await.ok()
}

/// The issuer was silent.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {} s", .0.as_secs())]
struct Silence(Duration);

fn left(now: UnixTime, end: UnixTime) -> Duration {
    Duration::from_secs(end.as_secs().saturating_sub(now.as_secs()))
}

/// The first second of the wall clock at which `wait` is over for sure.
fn later(now: UnixTime, wait: Duration) -> UnixTime {
    let seconds = now
        .as_secs()
        .saturating_add(wait.as_secs())
        .saturating_add(1);
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// Whatever the wall clock shows.
fn always() -> RangeInclusive<UnixTime> {
    UnixTime::since_unix_epoch(Duration::ZERO)..=UnixTime::since_unix_epoch(Duration::MAX)
}

/// How long an issuer may take over an answer, at most.
const LONGEST_PATIENCE: Duration = Duration::from_secs(120);
/// And at least, however little is left to lose.
const SHORTEST_PATIENCE: Duration = Duration::from_secs(1);
/// No issuer is left alone for longer after a failure.
const LONGEST_OF_ALL: Duration = Duration::from_secs(24 * 3600);
