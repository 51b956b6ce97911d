//! The renewal by a clock that the test moves: a year in a second, jumps of the wall clock, issuers that fail in every way.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests end the test by a panic")]

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use meshtls_ca::{Authority, IssueRequest, KeyType, RandomSerials, csr};
use meshtls_identity::MeshDomains;
use meshtls_rustls::TlsProfile;
use meshtls_rustls::rustls::time_provider::TimeProvider;
use meshtls_source::{
    Clock, FederatedBundles, Federation, IdentityChange, IdentityError, IdentityHealth,
    IdentityState, Issued, Issuer, IssuerError, IssuerFuture, LiveSvid, Renewal, Report, Reporter,
    SvidRequest, SystemRandom, UnixTime, Wanted, Watch,
};
use meshtls_svid::{SvidSource, SvidUnavailable};
use meshtls_testkit::TestCa;
use tokio::sync::Notify;

const ID: &str = "spiffe://prod.example/ns/pay/sa/ledger";
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Time stands still while the renewal works, and jumps to the end of each wait, until `stop_at`.
#[derive(Debug)]
struct Virtual {
    hands: Mutex<Hands>,
    stopped: Notify,
    go_on: Notify,
}

#[derive(Debug)]
struct Hands {
    monotonic: Duration,
    wall: u64,
    stop_at: Duration,
    /// Whether somebody waits for more time.
    idle: bool,
}

impl Virtual {
    fn new(wall: UnixTime) -> Arc<Self> {
        let hands = Hands {
            monotonic: Duration::ZERO,
            wall: wall.as_secs() * 1000,
            stop_at: Duration::ZERO,
            idle: false,
        };
        Arc::new(Self { hands: Mutex::new(hands), stopped: Notify::new(), go_on: Notify::new() })
    }

    /// Lets `time` pass.
    async fn pass(&self, time: Duration) {
        {
            let mut hands = self.hands.lock().unwrap();
            hands.stop_at += time;
            hands.idle = false;
        }
        self.go_on.notify_one();
        while !self.hands.lock().unwrap().idle {
            self.stopped.notified().await;
        }
    }

    /// Sets the wall clock forth or back.
    fn set_wall(&self, seconds: i64) {
        let mut hands = self.hands.lock().unwrap();
        hands.wall = hands.wall.saturating_add_signed(seconds * 1000);
    }
}

impl Clock for Virtual {
    fn wall(&self) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_millis(self.hands.lock().unwrap().wall))
    }

    fn monotonic(&self) -> Duration {
        self.hands.lock().unwrap().monotonic
    }

    fn sleep(&self, wait: Duration, within: RangeInclusive<UnixTime>) -> IssuerFuture<'_, ()> {
        let until = self.monotonic().saturating_add(wait);
        Box::pin(async move {
            loop {
                {
                    let mut hands = self.hands.lock().unwrap();
                    let now = UnixTime::since_unix_epoch(Duration::from_millis(hands.wall));
                    if hands.monotonic >= until || !within.contains(&now) {
                        return;
                    }
                    let outside = (within.end().as_secs().saturating_add(1)).saturating_mul(1000);
                    let step = (until - hands.monotonic)
                        .min(Duration::from_millis(outside.saturating_sub(hands.wall)))
                        .min(hands.stop_at - hands.monotonic);
                    hands.monotonic += step;
                    hands.wall += u64::try_from(step.as_millis()).unwrap();
                    if hands.monotonic < hands.stop_at {
                        continue;
                    }
                    hands.idle = true;
                }
                self.stopped.notify_one();
                self.go_on.notified().await;
            }
        })
    }
}

impl TimeProvider for Virtual {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.wall())
    }
}

/// How the issuer answers.
type Answer = dyn Fn(&Office, &SvidRequest) -> Result<Issued, IssuerError> + Send + Sync;

/// Answers as it is told.
struct Office {
    clock: Arc<Virtual>,
    ca: TestCa,
    asked: AtomicU32,
    answer: Mutex<Arc<Answer>>,
    changed: Notify,
}

impl Office {
    fn issue_by(&self, ca: &Authority, request: &SvidRequest) -> Issued {
        let profile = TlsProfile::ring();
        let algorithms = profile.provider().signature_verification_algorithms.all;
        let key = csr::check(request.csr().unwrap(), algorithms).unwrap();
        let wanted =
            IssueRequest::new(&key, request.id()).with_ttl(request.ttl().unwrap_or_default());
        let chain = ca
            .issue(&wanted, self.clock.wall(), &mut RandomSerials)
            .unwrap();
        Issued::new(chain, ca.roots().to_vec())
    }

    fn answers(
        &self,
        answer: impl Fn(&Self, &SvidRequest) -> Result<Issued, IssuerError> + Send + Sync + 'static,
    ) {
        *self.answer.lock().unwrap() = Arc::new(answer);
    }

    fn is_well(&self) {
        self.answers(|office, request| Ok(office.issue_by(office.ca.authority(), request)));
    }

    fn is_away(&self) {
        self.answers(|_, _| Err(IssuerError::retryable("away", "nobody is there")));
    }

    fn asked(&self) -> u32 {
        self.asked.swap(0, Ordering::SeqCst)
    }
}

impl std::fmt::Debug for Office {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Office")
    }
}

impl Issuer for Office {
    fn issue<'a>(
        &'a self,
        request: &'a SvidRequest,
    ) -> IssuerFuture<'a, Result<Issued, IssuerError>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = Arc::clone(&*self.answer.lock().unwrap());
        Box::pin(async move {
            let answer = answer(self, request);
            if matches!(&answer, Err(error) if error.reason() == "silent") {
                std::future::pending::<()>().await;
            }
            answer
        })
    }

    fn changed(&self, _: Option<u64>) -> IssuerFuture<'_, ()> {
        Box::pin(self.changed.notified())
    }
}

#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl Reporter for Diary {
    fn report(&self, report: &Report<'_>) {
        let what = match report {
            Report::IdentityReplaced { generation } => generation.to_string(),
            Report::IdentityWithoutOverlap { .. } => "without overlap".to_owned(),
            Report::IdentityExpired { .. } => "expired".to_owned(),
            Report::IdentityKept(error) => error.reason().to_owned(),
            Report::Recovered => "recovered".to_owned(),
            other => panic!("{other:?}"),
        };
        self.0.lock().unwrap().push(what);
    }
}

struct World {
    clock: Arc<Virtual>,
    office: Arc<Office>,
    diary: Arc<Diary>,
    live: Arc<LiveSvid>,
    health: IdentityHealth,
    _watch: Watch,
}

impl World {
    fn new(ttl: Duration) -> Self {
        Self::with(ttl, |renewal| renewal)
    }

    fn with(ttl: Duration, settings: impl FnOnce(Renewal) -> Renewal) -> Self {
        let ca = TestCa::new("prod.example");
        let clock = Virtual::new(ca.now());
        let office = Arc::new(Office {
            clock: Arc::clone(&clock),
            ca,
            asked: AtomicU32::new(0),
            answer: Mutex::new(Arc::new(|_, _| panic!("not told how to answer"))),
            changed: Notify::new(),
        });
        office.is_well();
        let diary = Arc::new(Diary::default());
        let renewal = Renewal::with_clock(
            Arc::<Office>::clone(&office),
            Wanted::new(ID.parse().unwrap()).with_ttl(ttl),
            MeshDomains::new("prod.example".parse().unwrap(), []),
            TlsProfile::ring().with_time(Arc::<Virtual>::clone(&clock)),
            Arc::<Virtual>::clone(&clock),
        )
        .random(Box::new(|| 0.5))
        .reporter(Arc::<Diary>::clone(&diary));
        let renewal = settings(renewal);
        let (live, health) = (renewal.live(), renewal.health());
        Self { clock, office, diary, live, health, _watch: renewal.watch() }
    }

    /// What was reported since the last call.
    fn diary(&self) -> String {
        std::mem::take(&mut *self.diary.0.lock().unwrap()).join(", ")
    }

    fn state(&self) -> IdentityState {
        self.health.status().state
    }
}

/// Twice a day a new X509-SVID, every thirty days a new root, each with overlap: nobody notices.
#[tokio::test]
async fn a_year_of_rotations() {
    let roots: Vec<_> = (0..13).map(|_| TestCa::new("prod.example")).collect();
    let world = World::with(DAY, |renewal| renewal.random(Box::new(SystemRandom::default())));
    let begin = world.clock.wall().as_secs();
    world.office.answers(move |office, request| {
        let day = (office.clock.wall().as_secs() - begin) / 86_400;
        let (month, day) = (usize::try_from(day / 30).unwrap(), day % 30);
        let [old, new] = [&roots[month], &roots[month + 1]].map(TestCa::authority);
        let (signer, trusted) = match day {
            0..10 => (old, vec![old]),
            10..20 => (old, vec![old, new]), // prepared
            _ => (new, vec![old, new]),      // activated; the next month retires the old one
        };
        let mut issued = office.issue_by(signer, request);
        issued.roots = trusted.iter().flat_map(|ca| ca.roots().to_vec()).collect();
        Ok(issued)
    });
    let mut expired = 0;
    for _ in 0..359 {
        world.clock.pass(DAY).await;
        expired += u32::from(world.live.snapshot().is_err());
    }
    assert_eq!(expired, 0);
    let asked = world.office.asked();
    assert!((700..=740).contains(&asked), "about twice a day: {asked}");
    let diary = world.diary();
    assert_eq!(
        diary,
        (0..asked)
            .map(|n| n.to_string())
            .collect::<Vec<_>>()
            .join(", ")
    );
    assert_eq!(world.state(), IdentityState::Fresh);
}

/// istio/istio#26682.
#[tokio::test]
async fn lifetimes_of_seconds() {
    for (ttl, least, most) in [(1, 100, 200), (2, 90, 110), (5, 35, 50), (60, 2, 4)] {
        let world = World::new(SECOND * ttl);
        for _ in 0..200 {
            world.clock.pass(Duration::from_millis(500)).await;
            assert!(world.live.snapshot().is_ok(), "life of {ttl} s");
        }
        let asked = world.office.asked();
        assert!((least..=most).contains(&asked), "life of {ttl} s: {asked} in 100 s");
    }
}

#[tokio::test]
async fn before_the_first_answer_there_is_no_identity() {
    let world = World::new(HOUR);
    world.office.is_away();
    assert_eq!(world.live.snapshot().unwrap_err(), SvidUnavailable::NotYet);
    world.clock.pass(SECOND * 60).await;
    assert_eq!(world.live.snapshot().unwrap_err(), SvidUnavailable::NotYet);
    let status = world.health.status();
    assert_eq!((status.state, status.ready), (IdentityState::NotYet, false));
    assert!(
        status
            .to_string()
            .ends_with("the issuer cannot answer now: nobody is there"),
        "{status}"
    );

    let mut changes = world.live.changes();
    world.office.is_well();
    world.clock.pass(SECOND * 150).await;
    assert_eq!(changes.next().await.generation(), 0);
    assert_eq!(world.diary(), "away, 0");
    assert!(world.health.is_ready());
}

#[tokio::test]
async fn a_permanent_refusal_is_not_hurried_and_not_the_end() {
    let world = World::new(DAY);
    world
        .office
        .answers(|_, _| Err(IssuerError::permanent("refused", "not you")));
    world.clock.pass(SECOND * 301).await;
    assert_eq!(world.office.asked(), 3, "at once, after 150 s and after 300 s");
    world.office.is_well();
    world.clock.pass(SECOND * 150).await;
    assert_eq!(world.diary(), "refused, 0");
}

#[tokio::test]
async fn an_issuer_that_is_silent_is_given_up() {
    let world = World::new(HOUR);
    world
        .office
        .answers(|_, _| Err(IssuerError::retryable("silent", "")));
    world
        .clock
        .pass(SECOND * 120 + Duration::from_millis(100))
        .await;
    assert_eq!(world.diary(), "timeout");
    world.office.is_well();
    world.clock.pass(SECOND).await;
    assert_eq!(world.diary(), "0");
}

/// After an outage the requests of a fleet are spread: no second sees more than a few of a hundred.
#[tokio::test]
async fn a_fleet_does_not_come_back_in_one_instant() {
    let mut seconds = std::collections::BTreeMap::new();
    for n in 0..100_u32 {
        let mut state = n;
        let random = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state) / f64::from(u32::MAX)
        };
        let world = World::with(DAY, |renewal| renewal.random(Box::new(random)));
        world.clock.pass(HOUR).await;
        world.office.is_away();
        world.clock.pass(HOUR * 15).await;
        let (begin, arrived) = (world.clock.monotonic(), Arc::new(Mutex::new(None)));
        let noted = Arc::clone(&arrived);
        world.office.answers(move |office, request| {
            *noted.lock().unwrap() = Some(office.clock.monotonic() - begin);
            Ok(office.issue_by(office.ca.authority(), request))
        });
        world.clock.pass(SECOND * 180).await;
        let wait = arrived.lock().unwrap().unwrap();
        *seconds.entry(wait.as_secs()).or_insert(0) += 1;
    }
    assert!(seconds.len() > 40, "{seconds:?}");
    assert!(seconds.values().all(|requests| *requests <= 8), "{seconds:?}");
}

#[tokio::test]
async fn the_wall_clock_is_believed_in_both_directions() {
    let days = |days: i64| days * 86_400;
    let world = World::new(DAY);
    world.clock.pass(HOUR).await;
    assert_eq!(world.diary(), "0");

    world.clock.set_wall(days(3));
    assert_eq!(world.live.snapshot().unwrap_err(), SvidUnavailable::Expired);
    world.clock.pass(SECOND * 5).await;
    assert_eq!(world.diary(), "1", "three days on, another is asked for at once");
    assert!(world.live.snapshot().is_ok());

    world.clock.set_wall(-days(3));
    assert!(world.live.snapshot().is_ok(), "it is not yet valid, and shown: it does no harm");
    world.clock.pass(SECOND * 5).await;
    assert_eq!(world.diary(), "2", "and back: another is asked for at once");
    assert_eq!(world.state(), IdentityState::Fresh);

    world.office.answers(|office, request| {
        // The issuer's clock is right, ours is three days late.
        let key = csr::check(
            request.csr().unwrap(),
            TlsProfile::ring()
                .provider()
                .signature_verification_algorithms
                .all,
        );
        let right = UnixTime::since_unix_epoch(
            Duration::from_secs(office.clock.wall().as_secs()) + DAY * 3,
        );
        let key = key.unwrap();
        let request = IssueRequest::new(&key, request.id());
        let chain = office
            .ca
            .authority()
            .issue(&request, right, &mut RandomSerials)
            .unwrap();
        Ok(Issued::new(chain, office.ca.authority().roots().to_vec()))
    });
    world.clock.pass(HOUR * 13).await;
    assert_eq!(world.diary(), "not_yet_valid", "what is not valid by our clock is not taken");
    assert_eq!(world.state(), IdentityState::Degraded);
    world.office.is_well();
    world.clock.set_wall(days(3));
    world.clock.pass(SECOND * 180).await;
    assert_eq!(world.diary(), "expired, 3", "once the clock is right, so is all else");
}

#[tokio::test]
async fn what_comes_is_checked_before_it_is_used() {
    type Spoil = fn(&Office, &SvidRequest) -> Result<Issued, IssuerError>;
    let cases: [(&str, &str, Spoil); 9] = [
        ("a chain for another key", "key", |office, request| {
            let other = SvidRequest::new(request.id().clone(), KeyType::P256, None);
            request.csr().unwrap();
            Ok(office.issue_by(office.ca.authority(), &other))
        }),
        ("roots that do not cover the chain", "untrusted_issuer", |office, request| {
            let chain = office.issue_by(office.ca.authority(), request).chain;
            Ok(Issued::new(chain, TestCa::new("prod.example").authority().roots().to_vec()))
        }),
        ("no roots", "roots", |office, request| {
            Ok(Issued::new(office.issue_by(office.ca.authority(), request).chain, vec![]))
        }),
        ("a leaf as root", "roots", |office, request| {
            let chain = office.issue_by(office.ca.authority(), request).chain;
            Ok(Issued::new(chain.clone(), chain))
        }),
        ("no chain", "svid", |office, request| {
            request.csr().unwrap();
            Ok(Issued::new(vec![], office.ca.authority().roots().to_vec()))
        }),
        ("neither key nor request", "no_key", |office, _| {
            let svid = office.ca.svid(ID);
            Ok(Issued::new(svid.chain().to_vec(), office.ca.authority().roots().to_vec()))
        }),
        ("another identity", "other_identity", |office, _| {
            let svid = office.ca.svid_with(
                "spiffe://prod.example/x",
                KeyType::P256,
                HOUR,
                office.clock.wall(),
            );
            let issued = Issued::new(svid.chain().to_vec(), office.ca.authority().roots().to_vec());
            Ok(issued.with_key(svid.private_key().clone_key()))
        }),
        ("what has expired", "expired", |office, _| {
            let svid = office
                .ca
                .svid_with(ID, KeyType::P256, SECOND, office.ca.now());
            let issued = Issued::new(svid.chain().to_vec(), office.ca.authority().roots().to_vec());
            Ok(issued.with_key(svid.private_key().clone_key()))
        }),
        ("an issuer that refuses", "refused", |_, _| Err(IssuerError::permanent("refused", "no"))),
    ];
    for (name, want, spoil) in cases {
        let world = World::new(HOUR);
        world.clock.pass(SECOND).await;
        let before = world.live.snapshot().unwrap();
        world.office.answers(spoil);
        world.clock.pass(HOUR / 2 + SECOND).await;
        assert_eq!(world.diary(), format!("0, {want}"), "{name}");
        assert_eq!(
            world.live.snapshot().unwrap().svid().serial(),
            before.svid().serial(),
            "{name}"
        );
        world.office.is_well();
        world.clock.pass(SECOND * 180).await;
        assert_eq!(world.diary(), "1", "{name}");
    }
}

#[tokio::test]
async fn another_identity_has_to_be_allowed() {
    let world = World::with(HOUR, |renewal| renewal.identity_change(IdentityChange::Allow));
    world.clock.pass(SECOND).await;
    world.office.answers(|office, _| {
        let svid = office.ca.svid_with(
            "spiffe://prod.example/x",
            KeyType::P256,
            HOUR,
            office.clock.wall(),
        );
        let issued = Issued::new(svid.chain().to_vec(), office.ca.authority().roots().to_vec());
        Ok(issued.with_key(svid.private_key().clone_key()))
    });
    world.clock.pass(HOUR).await;
    assert_eq!(world.live.snapshot().unwrap().svid().id().as_str(), "spiffe://prod.example/x");
}

/// Who rotates a root without overlap is told so: peers that have only the old bundle are lost.
#[tokio::test]
async fn a_root_without_overlap_is_reported() {
    let world = World::new(HOUR);
    world.clock.pass(SECOND).await;
    let next = Arc::new(TestCa::new("prod.example"));
    let ca = Arc::clone(&next);
    world
        .office
        .answers(move |office, request| Ok(office.issue_by(ca.authority(), request)));
    world.office.changed.notify_one();
    world.clock.pass(SECOND).await;
    assert_eq!(
        world.diary(),
        "0, without overlap, 1",
        "a change is not waited for until half of life"
    );
    world.clock.pass(HOUR).await;
    assert_eq!(world.diary(), "2, 3", "and is overlap from then on");
}

#[tokio::test]
async fn the_same_answer_again_changes_nothing() {
    let world = World::new(HOUR);
    let kept = Arc::new(Mutex::new(None));
    world.office.answers(move |office, _| {
        let mut kept = kept.lock().unwrap();
        let svid = kept.get_or_insert_with(|| {
            office
                .ca
                .svid_with(ID, KeyType::P256, HOUR, office.clock.wall())
        });
        let issued = Issued::new(svid.chain().to_vec(), office.ca.authority().roots().to_vec());
        Ok(issued.with_key(svid.private_key().clone_key()))
    });
    world.clock.pass(HOUR / 2 + SECOND).await;
    assert_eq!(world.office.asked(), 1, "who brings the keys says when");
    assert_eq!(world.health.status().next_renewal, None);
    world.office.changed.notify_one();
    world.clock.pass(SECOND).await;
    assert_eq!((world.office.asked(), world.live.snapshot().unwrap().generation()), (1, 0));
    assert_eq!(world.diary(), "0");
    world.clock.pass(HOUR).await;
    assert_eq!(world.diary(), "expired");
    world.office.changed.notify_one();
    world.clock.pass(SECOND).await;
    assert_eq!(world.diary(), "expired", "the same files again are of no use once they have ended");
}

/// 24 hours: not ready from five minutes before the end; one minute: from six seconds before.
#[tokio::test]
async fn readiness_ends_before_the_identity_does() {
    for (life, margin) in [(DAY, SECOND * 300), (SECOND * 60, SECOND * 6)] {
        let world = World::new(life);
        world.clock.pass(Duration::from_millis(1)).await;
        world.office.is_away();
        world.clock.pass(life - margin - SECOND * 2).await;
        assert!(world.health.is_ready(), "{life:?}");
        assert_eq!(world.state(), IdentityState::Degraded);
        world.clock.pass(SECOND * 4).await;
        assert!(!world.health.is_ready(), "{life:?}");
        assert!(world.live.snapshot().is_ok(), "{life:?}: it is still served");
    }
}

#[tokio::test]
async fn watchers_are_told_of_the_last_change() {
    let world = World::new(HOUR);
    world.clock.pass(SECOND).await;
    let mut changes = world.live.changes();
    world.clock.pass(HOUR * 2).await;
    let told = changes.next().await;
    assert_eq!(told.generation(), world.live.snapshot().unwrap().generation());
    assert!(told.generation() >= 3);
    tokio::select! {
        biased;
        told = changes.next() => panic!("told again: {told:?}"),
        () = std::future::ready(()) => {}
    }
}

#[tokio::test]
async fn a_snapshot_allocates_nothing() {
    let world = World::new(HOUR);
    world.clock.pass(SECOND).await;
    let allocated = allocation_counter::measure(|| {
        for _ in 0..100 {
            std::hint::black_box(world.live.snapshot().unwrap());
        }
    });
    assert_eq!(allocated.count_total, 0);
}

/// Each domain's bundle is its own, and one that claims to be of our domain does not count.
#[tokio::test]
async fn bundles_of_other_domains_stand_beside_the_own_one() {
    let (partner, impostor) = (TestCa::new("partner.example"), TestCa::new("prod.example"));
    let federated = FederatedBundles::fixed([partner.bundle(), impostor.bundle()]);
    let world = World::with(HOUR, |renewal| renewal.federated(federated));
    world.clock.pass(HOUR).await;
    let snapshot = world.live.snapshot().unwrap();
    let anchors = |domain: &str| {
        let bundle = snapshot.bundles().bundle_for(&domain.parse().unwrap());
        bundle.map(|bundle| bundle.anchors().to_vec())
    };
    assert_eq!(anchors("prod.example").unwrap(), world.office.ca.bundle().anchors());
    assert_eq!(anchors("partner.example").unwrap(), partner.bundle().anchors());
    assert_eq!(anchors("third.example"), None);
}

/// A bundle that changes is in use from the next handshake on, with the certificate that is in use.
#[tokio::test]
async fn a_change_of_another_domains_bundle_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("partner.pem");
    let (old, new) = (TestCa::new("partner.example"), TestCa::new("partner.example"));
    std::fs::write(&path, old.bundle().to_pem()).unwrap();
    let domain = || old.trust_domain().clone();
    let federation = Federation::new(TlsProfile::ring())
        .file(domain(), &path)
        .unwrap();
    let federation = federation.poll_every(Duration::from_millis(10));
    let world = World::with(HOUR, |renewal| renewal.federated(federation.bundles()));
    world.clock.pass(SECOND).await;
    let (before, mut changes) = (world.live.snapshot().unwrap(), world.live.changes());
    let _watch = federation.watch();
    std::fs::write(&path, new.bundle().to_pem()).unwrap();
    let after = tokio::time::timeout(SECOND * 10, changes.next())
        .await
        .unwrap();
    assert_eq!(after.generation(), before.generation() + 1);
    assert_eq!(after.svid().serial(), before.svid().serial());
    let bundle = after.bundles().bundle_for(&domain()).unwrap();
    assert_eq!(bundle.anchors(), new.bundle().anchors());
    assert_eq!(world.diary(), "0, 1");
}

/// One that hangs near the end of a life is given up in time for another attempt.
#[tokio::test]
async fn a_silent_issuer_is_asked_again_before_the_end() {
    let world = World::new(SECOND * 60);
    world.clock.pass(SECOND).await;
    world
        .office
        .answers(|_, _| Err(IssuerError::retryable("silent", "")));
    world.clock.pass(SECOND * 45).await;
    assert_eq!(world.diary(), "0, timeout");
    assert!(world.office.asked() >= 3, "the first, and at least two while it was silent");
    world.office.is_well();
    world.clock.pass(SECOND * 10).await;
    assert_eq!(world.diary(), "1");
    assert_eq!(world.state(), IdentityState::Fresh);
}

#[tokio::test]
async fn every_request_has_a_key_of_its_own() {
    let keys = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = Arc::clone(&keys);
    let world = World::new(HOUR);
    world.office.answers(move |office, request| {
        seen.lock().unwrap().insert(request.csr().unwrap().to_vec());
        Ok(office.issue_by(office.ca.authority(), request))
    });
    world.clock.pass(HOUR * 5).await;
    assert!(keys.lock().unwrap().len() >= 10);
}

#[test]
fn the_error_says_what_the_issuer_said() {
    let error = IdentityError::Issuer(IssuerError::permanent("refused", "not you"));
    assert_eq!(
        meshtls_rustls::WithCauses(&error).to_string(),
        "there is no new certificate: the issuer refuses: not you"
    );
}

/// A jump forth and back is no end: the real one is told of too.
#[tokio::test]
async fn each_end_is_reported() {
    let days = |days: i64| days * 86_400;
    let world = World::new(DAY);
    world.clock.pass(SECOND).await;
    world.office.is_away();
    world.clock.set_wall(days(3));
    world.clock.pass(SECOND * 5).await;
    assert_eq!(world.diary(), "0, away, expired");
    world.clock.set_wall(-days(3));
    world.clock.pass(HOUR * 23).await;
    assert!(world.live.snapshot().is_ok(), "back, and valid for an hour more");
    world.clock.pass(HOUR * 2).await;
    assert_eq!(world.live.snapshot().unwrap_err(), SvidUnavailable::Expired);
    assert_eq!(world.diary(), "expired");
}

/// Whoever sends the same chain again while it is not valid yet is not asked without end.
#[tokio::test]
async fn the_same_answer_before_its_time_is_not_hurried() {
    let world = World::new(DAY);
    let kept = Arc::new(Mutex::new(None));
    world.office.answers(move |office, request| {
        let mut kept = kept.lock().unwrap();
        let issued = kept.get_or_insert_with(|| office.issue_by(office.ca.authority(), request));
        let again = Issued::new(issued.chain.clone(), issued.roots.clone());
        // A loop without a wait would hang the test: it is let out, and has been counted.
        if office.asked.load(Ordering::SeqCst) < 100 {
            Ok(again)
        } else {
            Err(IssuerError::permanent("hurried", ""))
        }
    });
    world.clock.pass(HOUR).await;
    world.clock.set_wall(-3 * 86_400);
    world.clock.pass(SECOND * 10).await;
    assert!((2..=10).contains(&world.office.asked()));
    assert_eq!(world.diary(), "0, not_yet_valid");
    assert_eq!(world.state(), IdentityState::Degraded);
}
