//! Identities that an authority reissues. Time is tokio's, paused, and the wall clock follows it; nothing sleeps for real.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests end the test by a panic")]
#![expect(clippy::print_stdout, reason = "a failed test shows which provider it ran with")]

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use meshtls_ca::{KeyType, RandomSerials, RotatingAuthority, Serial, SerialError, SerialSource};
use meshtls_identity::MeshDomains;
use meshtls_rustls::TlsProfile;
use meshtls_rustls::rustls::time_provider::TimeProvider;
use meshtls_source::{
    AuthorityIssuer, FederatedBundles, IdentityError, IdentityHealth, IdentityState, IssuerError,
    LiveSvid, Renewal, Report, Reporter, UnixTime, Wanted, Watch,
};
use meshtls_svid::{SvidSource, SvidUnavailable};
use meshtls_testkit::TestCa;
use tokio::time::{Instant, sleep};

const ID: &str = "spiffe://prod.example/ns/pay/sa/ledger";
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Every test runs once with each. The output of a failed test ends with the provider's name.
fn profiles() -> impl Iterator<Item = TlsProfile> {
    [("ring", TlsProfile::ring()), ("aws-lc-rs", TlsProfile::aws_lc_rs())]
        .into_iter()
        .map(|(provider, profile)| {
            println!("with {provider}");
            profile
        })
}

/// Shows the time of the authority's birth, and moves with tokio's clock; it can be set wrong.
#[derive(Debug)]
struct Wall {
    started: Instant,
    birth: UnixTime,
    wrong_by: AtomicI64,
}

impl TimeProvider for Wall {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = self.birth.as_secs() + self.started.elapsed().as_secs();
        let seconds = seconds.saturating_add_signed(self.wrong_by.load(Ordering::SeqCst));
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// Serial numbers, or none while `broken`.
struct Serials(Arc<AtomicBool>);

impl SerialSource for Serials {
    fn next_serial(&mut self) -> Result<Serial, SerialError> {
        if self.0.load(Ordering::SeqCst) {
            Err(SerialError::new("broken"))
        } else {
            RandomSerials.next_serial()
        }
    }
}

/// Keeps what happened and when, in milliseconds.
struct Diary(Instant, Mutex<Vec<(u128, String)>>);

impl Reporter for Diary {
    fn report(&self, report: &Report<'_>) {
        let what = match report {
            Report::IdentityReplaced { generation } => generation.to_string(),
            Report::IdentityKept(error) => error.reason().to_owned(),
            Report::IdentityExpired { .. } => "expired".to_owned(),
            other => panic!("{other:?}"),
        };
        self.1
            .lock()
            .unwrap()
            .push((self.0.elapsed().as_millis(), what));
    }
}

struct World {
    live: Arc<LiveSvid>,
    health: IdentityHealth,
    wall: Arc<Wall>,
    broken: Arc<AtomicBool>,
    diary: Arc<Diary>,
    watch: Watch,
}

impl World {
    /// An identity that lives for `ttl`, reissued without jitter.
    fn new(profile: &TlsProfile, ttl: Duration) -> Self {
        let ca = TestCa::new("prod.example");
        let started = Instant::now();
        let wall = Arc::new(Wall { started, birth: ca.now(), wrong_by: AtomicI64::new(0) });
        let broken = Arc::new(AtomicBool::new(false));
        let diary = Arc::new(Diary(started, Mutex::default()));
        let profile = profile.clone().with_time(Arc::<Wall>::clone(&wall));
        let issuer = AuthorityIssuer::new(
            Arc::new(ca.authority().clone()),
            Box::new(Serials(Arc::clone(&broken))),
            profile.clone(),
        )
        .poll_every(HOUR);
        let wanted = Wanted::new(ID.parse().unwrap())
            .with_ttl(ttl)
            .with_key_type(KeyType::P256);
        let domains = MeshDomains::new(ca.trust_domain().clone(), ["old.example".parse().unwrap()]);
        let renewal = Renewal::at_hand(Arc::new(issuer), wanted, domains, profile)
            .unwrap()
            .federated(FederatedBundles::fixed([]))
            .random(Box::new(|| 0.5))
            .reporter(Arc::<Diary>::clone(&diary));
        let (live, health) = (renewal.live(), renewal.health());
        Self { live, health, wall, broken, diary, watch: renewal.watch() }
    }

    fn diary(&self) -> Vec<(u128, String)> {
        std::mem::take(&mut *self.diary.1.lock().unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn an_identity_is_reissued_at_half_of_its_life() {
    for profile in profiles() {
        let world = World::new(&profile, DAY);
        let first = world.live.newest().unwrap();
        assert_eq!(first.generation(), 0, "no federation is no change");
        assert_eq!(first.svid().id().as_str(), ID);
        assert!(
            first
                .bundles()
                .bundle_for(&"old.example".parse().unwrap())
                .is_some(),
            "the alias is known"
        );

        sleep(DAY * 30 + HOUR).await;
        let diary = world.diary();
        assert_eq!(diary.len(), 60, "twice a day");
        for (n, (at, what)) in (1..).zip(&diary) {
            assert_eq!(*what, n.to_string());
            let due = (HOUR * 12 * n).as_millis();
            assert!(
                (due..due + 1000 * u128::from(n)).contains(at),
                "renewal {n}: {at} ms, due {due}"
            );
        }
        assert_ne!(world.live.newest().unwrap().svid().serial(), first.svid().serial());
    }
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_of_seconds_renews_in_time() {
    for profile in profiles() {
        let world = World::new(&profile, Duration::from_secs(2));
        for _ in 0..60 {
            sleep(Duration::from_secs(1)).await;
            let left = world.live.newest().unwrap().svid().not_after().as_secs();
            assert!(left >= world.wall.current_time().unwrap().as_secs(), "it has expired");
        }
        let renewals = world.diary().len();
        assert!((50..=60).contains(&renewals), "{renewals}");
    }
}

/// The CA is away for longer than half of a lifetime: traffic goes on, health says so, and it ends within one wait.
#[tokio::test(start_paused = true)]
async fn an_outage_shorter_than_a_life_is_seen_and_survived() {
    for profile in profiles() {
        let world = World::new(&profile, DAY);
        assert_eq!(world.health.status().state, IdentityState::Fresh);
        world.broken.store(true, Ordering::SeqCst);
        sleep(HOUR * 20).await;
        let diary = world.diary();
        assert_eq!(diary.len(), 1, "one report while it stays the same: {diary:?}");
        assert_eq!(diary[0].1, "no_serial");
        let status = world.health.status();
        assert_eq!((status.state, status.ready), (IdentityState::Degraded, true), "{status}");
        assert!((190..230).contains(&status.failures), "every 150 s or so: {}", status.failures);
        assert!(world.live.snapshot().is_ok(), "the current one is served");

        world.broken.store(false, Ordering::SeqCst);
        sleep(Duration::from_secs(150)).await;
        assert_eq!(world.diary().last().unwrap().1, "1", "it recovers within one wait");
        let status = world.health.status();
        assert_eq!((status.state, status.failures), (IdentityState::Fresh, 0));
        assert!(status.last_error.is_none());
        sleep(HOUR * 13).await;
        assert_eq!(world.diary().last().unwrap().1, "2", "and goes on as before");
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_longer_than_a_life_refuses_handshakes_and_ends_without_restart() {
    for profile in profiles() {
        let world = World::new(&profile, HOUR);
        world.broken.store(true, Ordering::SeqCst);
        sleep(HOUR - Duration::from_secs(280)).await;
        let status = world.health.status();
        assert_eq!(
            (status.state, status.ready),
            (IdentityState::Degraded, false),
            "before the end"
        );
        assert!(world.live.snapshot().is_ok(), "and still served");

        sleep(Duration::from_secs(290)).await;
        assert_eq!(world.live.snapshot().unwrap_err(), SvidUnavailable::Expired);
        assert_eq!(world.health.status().state, IdentityState::Expired);
        sleep(HOUR * 4).await;
        let failures = world.health.status().failures;
        assert!(
            (100..130).contains(&failures),
            "every 150 s at most, not more often after expiry: {failures}"
        );
        let diary: Vec<_> = world.diary().into_iter().map(|(_, what)| what).collect();
        assert_eq!(diary, ["no_serial", "expired"]);

        world.broken.store(false, Ordering::SeqCst);
        sleep(Duration::from_secs(150)).await;
        assert_eq!(world.diary().last().unwrap().1, "1");
        assert!(world.live.snapshot().is_ok());
        assert!(world.health.is_ready());
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_forward_hastens_the_renewal_and_one_set_back_does_not_delay_it() {
    for profile in profiles() {
        let world = World::new(&profile, DAY);
        sleep(HOUR).await;
        world.wall.wrong_by.store(15 * 3600, Ordering::SeqCst);
        sleep(Duration::from_secs(6)).await;
        assert_eq!(world.diary().len(), 1, "within five seconds");

        let world = World::new(&profile, DAY);
        sleep(HOUR).await;
        world.wall.wrong_by.store(-3500, Ordering::SeqCst);
        sleep(HOUR * 11 + Duration::from_secs(1)).await;
        assert_eq!(world.diary().len(), 1, "by the monotonic clock");
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_the_watch_stops_it() {
    for profile in profiles() {
        let World { live, watch, .. } = World::new(&profile, DAY);
        drop(watch);
        sleep(DAY * 2).await;
        assert_eq!(live.newest().unwrap().generation(), 0);
    }
}

#[test]
fn what_cannot_be_issued_refuses_to_start() {
    for profile in profiles() {
        let ca = TestCa::new("prod.example");
        let issue = |id: &str, ttl: Duration, now: UnixTime| {
            let clock = Arc::new(meshtls_testkit::ManualClock::new(now));
            let profile = profile.clone().with_time(clock);
            let authority = Arc::new(ca.authority().clone());
            let issuer = AuthorityIssuer::new(authority, Box::new(RandomSerials), profile.clone());
            let wanted = Wanted::new(id.parse().unwrap()).with_ttl(ttl);
            let domains = MeshDomains::new(ca.trust_domain().clone(), []);
            Renewal::at_hand(Arc::new(issuer), wanted, domains, profile)
                .map(|_| ())
                .unwrap_err()
        };
        let (foreign, birth) =
            ("spiffe://evil.example/ns/a/sa/b", UnixTime::since_unix_epoch(HOUR));
        for (name, id, ttl, now, permanent, reason) in [
            ("another trust domain", foreign, HOUR, ca.now(), true, "foreign_trust_domain"),
            ("longer than 90 days", ID, DAY * 91, ca.now(), true, "ttl_too_long"),
            ("before the authority's birth", ID, HOUR, birth, false, "signer_not_yet_valid"),
        ] {
            let error = issue(id, ttl, now);
            assert_eq!(error.reason(), reason, "{name}");
            let IdentityError::Issuer(error) = error else { panic!("{name}: {error:?}") };
            assert_eq!(matches!(error, IssuerError::Permanent { .. }), permanent, "{name}");
        }
    }
}

/// Two identities may share an issuer: each is told of a new root, whoever is answered first.
#[tokio::test(start_paused = true)]
async fn a_new_root_is_told_to_everybody_who_shares_the_issuer() {
    let ca = TestCa::new("prod.example");
    let profile =
        TlsProfile::ring().with_time(Arc::new(meshtls_testkit::ManualClock::new(ca.now())));
    let authority = Arc::new(RotatingAuthority::new(ca.authority().clone()));
    let shared = Arc::<RotatingAuthority>::clone(&authority);
    let issuer = Arc::new(AuthorityIssuer::new(shared, Box::new(RandomSerials), profile.clone()));
    let renewals = ["a", "b"].map(|name| {
        let wanted = Wanted::new(format!("spiffe://prod.example/{name}").parse().unwrap());
        let domains = MeshDomains::new(ca.trust_domain().clone(), []);
        let issuer = Arc::<AuthorityIssuer>::clone(&issuer);
        Renewal::at_hand(issuer, wanted, domains, profile.clone()).unwrap()
    });
    let lives = renewals.each_ref().map(Renewal::live);
    let _watches = renewals.map(Renewal::watch);
    authority
        .prepare(TestCa::new("prod.example").authority().clone(), ca.now())
        .unwrap();
    sleep(Duration::from_secs(5)).await;
    for live in lives {
        let snapshot = live.newest().unwrap();
        let bundle = snapshot.bundles().bundle_for(ca.trust_domain()).unwrap();
        assert_eq!(bundle.anchors().len(), 2, "{}", snapshot.svid().id());
    }
}
