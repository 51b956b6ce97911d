//! Identities that an authority reissues. Time is tokio's, paused, and the wall clock follows it; nothing sleeps for real.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests end the test by a panic")]
#![expect(clippy::print_stdout, reason = "a failed test shows which provider it ran with")]

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use meshtls_ca::{KeyType, RandomSerials, Serial, SerialError, SerialSource};
use meshtls_identity::MeshDomains;
use meshtls_rustls::TlsProfile;
use meshtls_rustls::rustls::time_provider::TimeProvider;
use meshtls_source::{AuthorityIdentity, IdentityError, Report, Reporter, UnixTime, Wanted, Watch};
use meshtls_svid::SvidHandle;
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
            other => panic!("{other:?}"),
        };
        self.1
            .lock()
            .unwrap()
            .push((self.0.elapsed().as_millis(), what));
    }
}

struct World {
    handle: Arc<SvidHandle>,
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
        let identity = AuthorityIdentity::issue(
            Arc::new(ca.authority().clone()),
            Box::new(Serials(Arc::clone(&broken))),
            Wanted::new(ID.parse().unwrap())
                .with_ttl(ttl)
                .with_key_type(KeyType::P256),
            MeshDomains::new(ca.trust_domain().clone(), ["old.example".parse().unwrap()]),
            profile.clone().with_time(Arc::<Wall>::clone(&wall)),
        )
        .unwrap()
        .random(Box::new(|| 0.5))
        .reporter(Arc::<Diary>::clone(&diary));
        Self { handle: identity.handle(), wall, broken, diary, watch: identity.watch() }
    }

    fn diary(&self) -> Vec<(u128, String)> {
        std::mem::take(&mut *self.diary.1.lock().unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn an_identity_is_reissued_at_half_of_its_life() {
    for profile in profiles() {
        let world = World::new(&profile, DAY);
        let first = world.handle.load();
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
        assert_ne!(world.handle.load().svid().serial(), first.svid().serial());
    }
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_of_seconds_renews_in_time() {
    for profile in profiles() {
        let world = World::new(&profile, Duration::from_secs(2));
        for _ in 0..60 {
            sleep(Duration::from_secs(1)).await;
            let left = world.handle.load().svid().not_after().as_secs();
            assert!(left >= world.wall.current_time().unwrap().as_secs(), "it has expired");
        }
        let renewals = world.diary().len();
        assert!((50..=60).contains(&renewals), "{renewals}");
    }
}

#[tokio::test(start_paused = true)]
async fn failures_keep_the_current_one_and_are_tried_again_ever_slower() {
    for profile in profiles() {
        let world = World::new(&profile, DAY);
        world.broken.store(true, Ordering::SeqCst);
        sleep(HOUR * 12 + Duration::from_secs(300)).await;
        let diary = world.diary();
        assert!(diary.iter().all(|(_, what)| what == "issue"), "{diary:?}");
        let waits: Vec<_> = diary.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        assert_eq!(waits[..8], [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000]);
        assert_eq!(world.handle.load().generation(), 0);

        world.broken.store(false, Ordering::SeqCst);
        sleep(Duration::from_secs(150)).await;
        assert_eq!(world.diary().last().unwrap().1, "1", "it recovers within one wait");
        sleep(HOUR * 13).await;
        assert_eq!(world.diary().last().unwrap().1, "2", "and goes on as before");
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_longer_than_a_life_ends_without_restart() {
    for profile in profiles() {
        let world = World::new(&profile, HOUR);
        world.broken.store(true, Ordering::SeqCst);
        sleep(HOUR * 5).await;
        let tries = world.diary().len();
        assert!(
            (100..130).contains(&tries),
            "every 150 s at most, not more often after expiry: {tries}"
        );
        world.broken.store(false, Ordering::SeqCst);
        sleep(Duration::from_secs(150)).await;
        assert_eq!(world.diary().last().unwrap().1, "1");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_forward_hastens_the_renewal_and_one_set_back_does_not_delay_it() {
    for profile in profiles() {
        let world = World::new(&profile, DAY);
        sleep(HOUR).await;
        world.wall.wrong_by.store(15 * 3600, Ordering::SeqCst);
        sleep(Duration::from_secs(61)).await;
        assert_eq!(world.diary().len(), 1, "within a minute");

        let world = World::new(&profile, DAY);
        sleep(HOUR).await;
        world.wall.wrong_by.store(-3600, Ordering::SeqCst);
        sleep(HOUR * 11 + Duration::from_secs(1)).await;
        assert_eq!(world.diary().len(), 1, "by the monotonic clock");
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_the_watch_stops_it() {
    for profile in profiles() {
        let World { handle, watch, .. } = World::new(&profile, DAY);
        drop(watch);
        sleep(DAY * 2).await;
        assert_eq!(handle.load().generation(), 0);
    }
}

#[test]
fn what_cannot_be_issued_refuses_to_start() {
    for profile in profiles() {
        let ca = TestCa::new("prod.example");
        let issue = |id: &str, ttl: Duration, now: UnixTime| {
            AuthorityIdentity::issue(
                Arc::new(ca.authority().clone()),
                Box::new(RandomSerials),
                Wanted::new(id.parse().unwrap()).with_ttl(ttl),
                MeshDomains::new(ca.trust_domain().clone(), []),
                profile
                    .clone()
                    .with_time(Arc::new(meshtls_testkit::ManualClock::new(now))),
            )
            .map(|_| ())
            .unwrap_err()
        };
        for (name, id, ttl, now) in [
            ("another trust domain", "spiffe://evil.example/ns/a/sa/b", HOUR, ca.now()),
            ("longer than 90 days", ID, DAY * 91, ca.now()),
            ("a clock before the authority's birth", ID, HOUR, UnixTime::since_unix_epoch(HOUR)),
        ] {
            let error = issue(id, ttl, now);
            assert!(matches!(error, IdentityError::Issue(_)), "{name}: {error:?}");
            assert_eq!(error.reason(), "issue", "{name}");
        }
    }
}
