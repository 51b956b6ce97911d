use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use meshtls_identity::TrustDomain;
use meshtls_rustls::TlsProfile;
use meshtls_rustls::rustls::crypto::ring::default_provider;
use meshtls_svid::{BundleDocument, TrustBundle};
use meshtls_testkit::{ManualClock, TestCa, test_time};
use tokio::time::Instant;

use super::{DEFAULT_REFRESH, Fetch, LONGEST_REFRESH, Refresh, SHORTEST_REFRESH};
use crate::federated::FederatedSet;
use crate::{FederatedBundles, FederationHealth, FetchError, Report, Watch, WhenEmpty};

const PARTNER: &str = "partner.example";

fn partner() -> TrustDomain {
    PARTNER.parse().unwrap()
}

fn document() -> BundleDocument {
    BundleDocument::new(TestCa::new(PARTNER).bundle()).unwrap()
}

/// Answers what is left of the script, then that there is no answer. Notes when it was asked, since the start.
#[derive(Clone)]
struct Script {
    start: Instant,
    answers: Arc<Mutex<VecDeque<BundleDocument>>>,
    asked: Arc<Mutex<Vec<u64>>>,
    known: Arc<Mutex<Vec<TrustBundle>>>,
}

impl Fetch for Script {
    async fn fetch(&self, known: &[TrustBundle]) -> Result<BundleDocument, FetchError> {
        self.asked
            .lock()
            .unwrap()
            .push(self.start.elapsed().as_secs());
        *self.known.lock().unwrap() = known.to_vec();
        let answer = self.answers.lock().unwrap().pop_front();
        answer.ok_or(FetchError::Status { status: 503 })
    }
}

struct Running {
    script: Script,
    clock: Arc<ManualClock>,
    bundles: FederatedBundles,
    health: FederationHealth,
    reports: Arc<Mutex<Vec<String>>>,
    _watch: Watch,
}

impl Running {
    /// With the randomness in its middle, so that nothing is added to a wait.
    fn start(when_empty: WhenEmpty, answers: impl IntoIterator<Item = BundleDocument>) -> Self {
        Self::with_random(when_empty, answers, 0.5)
    }

    fn with_random(
        when_empty: WhenEmpty,
        answers: impl IntoIterator<Item = BundleDocument>,
        random: f64,
    ) -> Self {
        let clock = Arc::new(ManualClock::new(test_time()));
        let time = Arc::<ManualClock>::clone(&clock);
        let profile = TlsProfile::new(Arc::new(default_provider())).with_time(time);
        let set = FederatedSet::new([]);
        let health = FederationHealth::default();
        health.add(&partner()).unwrap();
        let script = Script {
            start: Instant::now(),
            answers: Arc::new(Mutex::new(answers.into_iter().collect())),
            asked: Arc::default(),
            known: Arc::default(),
        };
        let reports = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&reports);
        let refresh = Refresh {
            fetch: script.clone(),
            trust_domain: partner(),
            url: "https://partner.example/".to_owned(),
            when_empty,
            random: Box::new(move || random),
            profile,
            known: set.bundles(),
            health: health.clone(),
            reporter: Arc::new(move |report: &Report<'_>| {
                log.lock().unwrap().push(report.to_string());
            }),
            sequence: None,
            interval: DEFAULT_REFRESH,
            failures: 0,
            reported: None,
            set: set.clone(),
        };
        Self {
            script,
            clock,
            bundles: set.bundles(),
            health,
            reports,
            _watch: Watch::spawn(refresh.run()),
        }
    }

    async fn after(&self, seconds: u64) {
        tokio::time::sleep_until(self.script.start + Duration::from_secs(seconds) + HALF).await;
    }

    fn asked(&self) -> Vec<u64> {
        self.script.asked.lock().unwrap().clone()
    }

    fn answer(&self, document: BundleDocument) {
        self.script.answers.lock().unwrap().push_back(document);
    }

    fn in_use(&self) -> Option<TrustBundle> {
        self.bundles.current().first().cloned()
    }

    fn reports(&self) -> String {
        std::mem::take(&mut *self.reports.lock().unwrap()).join("; ")
    }
}

const HALF: Duration = Duration::from_millis(500);

#[tokio::test(start_paused = true)]
async fn the_hint_is_followed_within_bounds() {
    let hint = |seconds| document().with_refresh_hint(Duration::from_secs(seconds));
    for (name, document, want) in [
        ("no hint", document(), DEFAULT_REFRESH),
        ("a hint", hint(1000), Duration::from_secs(1000)),
        ("none at all", hint(0), SHORTEST_REFRESH),
        ("too often", hint(59), SHORTEST_REFRESH),
        ("too seldom", hint(2_419_200), LONGEST_REFRESH),
        ("absurd", hint(u64::MAX), LONGEST_REFRESH),
    ] {
        for (random, ratio) in [(0.5, 1.0), (0.0, 0.95), (1.0, 1.05)] {
            let wait = want.mul_f64(ratio).as_secs();
            let running = Running::with_random(WhenEmpty::Keep, [document.clone()], random);
            running.after(0).await;
            assert_eq!(running.asked(), [0], "{name}: at once");
            let status = running.health.status(&partner()).unwrap();
            assert_eq!(
                status.next_refresh.unwrap().as_secs(),
                test_time().as_secs() + wait,
                "{name}"
            );
            running.after(wait - 1).await;
            assert_eq!(running.asked(), [0], "{name}");
            running.after(wait).await;
            assert_eq!(running.asked(), [0, wait], "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn failures_keep_the_bundle_and_are_retried_ever_more_slowly() {
    let good = document()
        .with_sequence(3)
        .with_refresh_hint(Duration::from_secs(86_400));
    let running = Running::start(WhenEmpty::Keep, [good.clone()]);
    running.after(0).await;
    assert_eq!(running.reports(), "bundle of `partner.example` replaced (sequence 3)");
    let status = running.health.status(&partner()).unwrap();
    assert_eq!((status.last_success, status.last_error), (Some(test_time()), None));
    assert_eq!(status.sequence, Some(3));

    running.clock.advance(Duration::from_secs(86_000));
    running.after(86_400 + 1220).await;
    let since: Vec<u64> = running
        .asked()
        .iter()
        .skip(1)
        .map(|at| at - 86_400)
        .collect();
    assert_eq!(since, [0, 5, 15, 35, 75, 155, 315, 615, 915, 1215], "up to every 300 s");
    assert_eq!(
        running.reports(),
        "bundle of `partner.example` kept, no new one: no bundle of `partner.example` from \
         https://partner.example/: the endpoint answers with status 503",
        "reported once"
    );
    assert_eq!(running.in_use().as_ref(), good.bundle(), "kept");
    let status = running.health.status(&partner()).unwrap();
    assert_eq!(status.last_success, Some(test_time()));
    assert!(status.last_error.unwrap().ends_with("status 503"));
    assert_eq!(status.sequence, Some(3));

    running.answer(good);
    running.after(86_400 + 1520).await;
    assert_eq!(running.reports(), "bundle of `partner.example` is good again and unchanged");
    let status = running.health.status(&partner()).unwrap();
    assert_eq!(status.last_error, None);
    assert_eq!(status.last_success, Some(running.clock.now()));
}

#[tokio::test(start_paused = true)]
async fn a_first_fetch_that_fails_is_retried_soon() {
    for (name, random, want) in
        [("middle", 0.5, [0, 5, 15]), ("early", 0.0, [0, 4, 12]), ("late", 1.0, [0, 6, 18])]
    {
        let running = Running::with_random(WhenEmpty::Keep, [], random);
        running.after(20).await;
        assert_eq!(running.asked(), want, "{name}");
        assert_eq!(running.in_use(), None, "{name}");
        running.answer(document());
        running.after(60).await;
        assert!(running.in_use().is_some(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn sequence_numbers_order_documents() {
    let at = |sequence: u64| document().with_sequence(sequence);
    let kept = "bundle of `partner.example` kept, no new one: no bundle of `partner.example` from \
                https://partner.example/: ";
    for (name, second, want) in [
        ("a higher one", at(8), "bundle of `partner.example` replaced (sequence 8)".to_owned()),
        ("the same", at(7), "bundle of `partner.example` replaced (sequence 7)".to_owned()),
        ("none", document(), "bundle of `partner.example` replaced".to_owned()),
        ("a lower one", at(6), format!("{kept}the document has sequence 6, which is older than 7")),
    ] {
        let first = at(7);
        let running = Running::start(WhenEmpty::Keep, [first.clone(), second.clone()]);
        running.after(0).await;
        assert_eq!(running.in_use().as_ref(), first.bundle(), "{name}");
        running.reports();
        running.after(300).await;
        assert_eq!(running.reports(), want, "{name}");
        let in_use = if want.starts_with(kept) { &first } else { &second };
        assert_eq!(running.in_use().as_ref(), in_use.bundle(), "{name}");
        let status = running.health.status(&partner()).unwrap();
        assert_eq!(status.sequence, in_use.sequence(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_document_keeps_the_bundle_or_ends_the_trust_as_was_asked_for() {
    let empty = || BundleDocument::without_authorities(partner()).with_sequence(2);
    let good = document().with_sequence(1);
    let running = Running::start(WhenEmpty::Keep, [good.clone(), empty()]);
    running.after(300).await;
    assert!(
        running
            .reports()
            .ends_with("the document has no X509-SVID authority")
    );
    assert_eq!(running.in_use().as_ref(), good.bundle());
    assert_eq!(running.health.status(&partner()).unwrap().sequence, Some(1));

    let again = document().with_sequence(3);
    let running =
        Running::start(WhenEmpty::Distrust, [good.clone(), empty(), empty(), good, again.clone()]);
    running.after(0).await;
    running.reports();
    running.after(600).await;
    let revoked = "bundle of `partner.example` revoked by its domain, which is trusted no more";
    assert_eq!(running.reports(), revoked, "told once");
    assert_eq!(running.in_use(), None);
    assert_eq!(running.health.status(&partner()).unwrap().sequence, Some(2));
    running.after(900).await;
    assert!(running.reports().ends_with("which is older than 2"), "an old one brings nothing back");
    assert_eq!(running.in_use(), None);
    running.after(905).await;
    assert_eq!(running.in_use().as_ref(), again.bundle());
}

#[tokio::test(start_paused = true)]
async fn each_fetch_is_verified_by_what_was_fetched_last() {
    let (first, second) = (document(), document());
    let running = Running::start(WhenEmpty::Keep, [first.clone(), second.clone()]);
    for (at, want) in [(0, None), (300, first.bundle()), (600, second.bundle())] {
        running.after(at).await;
        let known = running.script.known.lock().unwrap().clone();
        assert_eq!(known.first(), want, "after {at} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumped_makes_a_refresh_due() {
    let hint = Duration::from_secs(3600);
    let running = Running::start(WhenEmpty::Keep, [document().with_refresh_hint(hint)]);
    running.after(30).await;
    running.clock.advance(hint + Duration::from_secs(1));
    running.after(61).await;
    assert_eq!(running.asked(), [0, 60], "the machine slept meanwhile");
}
