//! The bundles of other trust domains from files.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use meshtls_identity::TrustDomain;
use meshtls_rustls::TlsProfile;
use meshtls_source::{FederatedBundles, Federation, FederationError, FederationHealth, Watch};
use meshtls_svid::{BundleDocument, TrustBundle};
use meshtls_testkit::{ManualClock, TestCa, test_time};
use tempfile::{TempDir, tempdir};

use crate::reports::Reports;

fn partner() -> TrustDomain {
    "partner.example".parse().unwrap()
}

fn document(bundle: TrustBundle, sequence: u64) -> String {
    BundleDocument::new(bundle)
        .unwrap()
        .with_sequence(sequence)
        .to_json()
}

struct Dir(TempDir);

impl Dir {
    fn new() -> Self {
        Self(tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("partner")
    }

    fn write(&self, text: impl AsRef<[u8]>) {
        fs::write(self.path(), text).unwrap();
    }

    fn open(&self, clock: &Arc<ManualClock>) -> Result<Federation, FederationError> {
        let profile = TlsProfile::ring().with_time(Arc::<ManualClock>::clone(clock));
        Federation::new(profile).file(partner(), self.path())
    }
}

struct Watched {
    clock: Arc<ManualClock>,
    bundles: FederatedBundles,
    health: FederationHealth,
    reports: Arc<Reports>,
    _watch: Watch,
}

impl Watched {
    fn new(dir: &Dir) -> Self {
        let clock = Arc::new(ManualClock::new(test_time()));
        let reports = Reports::new();
        let federation = dir
            .open(&clock)
            .unwrap()
            .reporter(Arc::<Reports>::clone(&reports));
        let (bundles, health) = (federation.bundles(), federation.health());
        Self { clock, bundles, health, reports, _watch: federation.watch() }
    }

    fn in_use(&self) -> TrustBundle {
        self.bundles.current().first().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_may_be_pem_or_a_document_and_change_from_one_to_the_other() {
    let (dir, ca) = (Dir::new(), TestCa::new("partner.example"));
    dir.write(ca.bundle().to_pem());
    let mut watched = Watched::new(&dir);
    assert_eq!(watched.in_use(), ca.bundle());
    assert_eq!(watched.reports.after_some_looks().await, "");

    let next = TestCa::new("partner.example");
    dir.write(document(next.bundle(), 7));
    assert_eq!(watched.reports.after_some_looks().await, "partner.example Some(7)");
    assert_eq!(watched.in_use(), next.bundle());
    let news = tokio::time::timeout(Duration::from_secs(1), watched.bundles.changed());
    assert!(news.await.is_ok(), "it is told");
    assert_eq!(watched.health.status(&partner()).unwrap().sequence, Some(7));

    // Whoever writes the file says which is the newest.
    dir.write(document(ca.bundle(), 6));
    assert_eq!(watched.reports.after_some_looks().await, "partner.example Some(6)");
    assert_eq!(watched.in_use(), ca.bundle());
    dir.write(next.bundle().to_pem());
    assert_eq!(watched.reports.after_some_looks().await, "partner.example None");
    let status = watched.health.status(&partner()).unwrap();
    assert_eq!((status.sequence, status.next_refresh), (None, None));
}

#[tokio::test(start_paused = true)]
async fn a_bad_file_keeps_the_bundle_and_is_reported_once() {
    let ca = TestCa::new("partner.example");
    let good = document(ca.bundle(), 1);
    let leaf = ca.svid("spiffe://partner.example/x").chain_pem();
    let other = TestCa::new("other.example").bundle();
    for (name, bad, reason) in [
        ("nothing", String::new(), "bundle_pem"),
        ("half of it", good[..good.len() / 2].to_owned(), "document_not_json"),
        ("no authority", r#"{"keys":[]}"#.to_owned(), "document_without_authority"),
        ("a leaf", leaf, "bundle_not_authority"),
        ("another domain's document", document(other.clone(), 2), "bundle_other_domain"),
        ("another domain's PEM", other.to_pem(), "bundle_other_domain"),
        ("a large one", " ".repeat((1 << 20) + 1), "too_large"),
    ] {
        let dir = Dir::new();
        dir.write(&bad);
        let clock = Arc::new(ManualClock::new(test_time()));
        assert_eq!(dir.open(&clock).unwrap_err().reason(), reason, "{name}: no start with it");

        dir.write(&good);
        let watched = Watched::new(&dir);
        dir.write(&bad);
        let kept = format!("partner.example kept: {reason}");
        assert_eq!(watched.reports.after_some_looks().await, kept, "{name}");
        assert_eq!(watched.in_use(), ca.bundle(), "{name}");
        let status = watched.health.status(&partner()).unwrap();
        assert!(status.last_error.is_some(), "{name}");
        assert_eq!((status.last_success, status.sequence), (Some(test_time()), Some(1)), "{name}");

        watched.clock.advance(Duration::from_secs(60));
        dir.write(&good);
        assert_eq!(watched.reports.after_some_looks().await, "partner.example confirmed", "{name}");
        let status = watched.health.status(&partner()).unwrap();
        assert_eq!(status.last_error, None, "{name}");
        assert_eq!(status.last_success, Some(watched.clock.now()), "{name}");
    }
}

#[test]
fn a_domain_has_one_source() {
    let (dir, ca) = (Dir::new(), TestCa::new("partner.example"));
    dir.write(ca.bundle().to_pem());
    let clock = Arc::new(ManualClock::new(test_time()));
    let federation = dir.open(&clock).unwrap();
    let error = federation.fixed(ca.bundle()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the trust domain `partner.example` has two sources of its bundle"
    );

    let missing = Federation::new(TlsProfile::ring()).file(partner(), dir.path().join("x"));
    assert_eq!(missing.unwrap_err().reason(), "unreadable");
}
