//! Identity and trust as values: from PEM, from files, in a handle.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use meshtls_identity::{AcceptedDomains, TrustDomain};
use meshtls_svid::{
    BundleError, KeyFileExposure, LoadError, PemError, RejectSvid, RevocationListError, SvidError,
    SvidHandle, SvidSnapshot, SvidSource, TrustBundle, TrustBundles, Usage, Validation, X509Svid,
    key_file_exposure, validate,
};
use meshtls_testkit::{Revocations, TestCa, test_time};
use rustls_pki_types::CertificateDer;

const LEDGER: &str = "spiffe://prod.example/ns/pay/sa/ledger";

fn domain(name: &str) -> TrustDomain {
    name.parse().unwrap()
}

/// A directory that is removed at the end of the test.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("svid-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn pem_round_trip() {
    let svid = TestCa::new("prod.example").with_intermediate().svid(LEDGER);
    let (chain, key) = (svid.chain_pem(), svid.key_pem());
    for (name, chain, key) in [
        ("two texts", chain.clone(), key.to_string()),
        ("one text", format!("{chain}{}", *key), format!("{chain}{}", *key)),
        (
            "CRLF and a byte order mark",
            format!("\u{feff}{chain}").replace('\n', "\r\n"),
            key.to_string(),
        ),
    ] {
        let read = X509Svid::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
        assert_eq!(read.chain(), svid.chain(), "{name}");
        assert_eq!(read.private_key(), svid.private_key(), "{name}");
        assert_eq!(read.id().as_str(), LEDGER, "{name}");
        assert_eq!(
            (read.not_before(), read.not_after()),
            (svid.not_before(), svid.not_after()),
            "{name}"
        );
        assert_eq!(read.serial(), svid.serial(), "{name}");
    }
}

#[test]
fn pem_that_is_refused() {
    let ca = TestCa::new("prod.example");
    let svid = ca.svid(LEDGER);
    let (chain, key) = (svid.chain_pem(), svid.key_pem());
    let root = ca.bundle().to_pem();
    let swapped = PemError::WrongLabel { wanted: "CERTIFICATE", found: vec!["PRIVATE KEY".into()] };
    let no_key = PemError::WrongLabel { wanted: "PRIVATE KEY", found: vec!["CERTIFICATE".into()] };
    for (name, chain, key, want) in [
        ("no chain", "", key.as_str(), SvidError::Chain(PemError::Empty)),
        ("no key", &chain, "", SvidError::Key(PemError::Empty)),
        ("swapped", &key, &chain, SvidError::Chain(swapped)),
        ("a chain for a key", &chain, &chain, SvidError::Key(no_key)),
    ] {
        let got = X509Svid::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err();
        assert_eq!(got, want, "{name}");
    }
    let rejected = X509Svid::from_pem(root.as_bytes(), key.as_bytes()).unwrap_err();
    let SvidError::Rejected(rejected) = rejected else { panic!("{rejected:?}") };
    assert_eq!(rejected.reason(), "signing_certificate", "a root is no identity");

    let unreadable = vec![svid.chain()[0].clone(), vec![1].into()];
    let got = X509Svid::new(unreadable, svid.private_key().clone_key()).unwrap_err();
    assert!(matches!(got, SvidError::Rejected(RejectSvid::Malformed { .. })), "{got:?}");
}

#[test]
fn the_key_is_not_shown() {
    let svid = TestCa::new("prod.example").svid(LEDGER);
    let shown = format!(
        "{svid:?} {:?}",
        SvidHandle::new(TestCa::new("prod.example").svid(LEDGER), TrustBundles::new([]))
    );
    assert!(shown.contains("ns/pay/sa/ledger"), "{shown}");
    let key = svid.key_pem();
    for line in key.lines().filter(|line| !line.starts_with("---")) {
        assert!(!shown.contains(line));
    }
    assert!(shown.len() < 1_500, "nor are the bytes of certificates: {shown}");
}

#[test]
fn files() {
    let dir = Dir::new();
    let ca = TestCa::new("prod.example").with_intermediate();
    let svid = ca.svid(LEDGER);
    let chain = dir.write("chain.pem", svid.chain_pem());
    let key = dir.write("key.pem", svid.key_pem().as_bytes());
    let root = dir.write("root.pem", ca.bundle().to_pem());
    assert_eq!(X509Svid::from_files(&chain, &key).unwrap().chain(), svid.chain());
    let bundle = TrustBundle::from_file(domain("prod.example"), &root).unwrap();
    assert_eq!(bundle.anchors(), ca.bundle().anchors());
    let both = dir.write("both.pem", format!("{}{}", *svid.key_pem(), svid.chain_pem()));
    assert_eq!(X509Svid::from_files(&both, &both).unwrap().chain(), svid.chain());
}

#[test]
fn files_that_are_refused() {
    let dir = Dir::new();
    let svid = TestCa::new("prod.example").svid(LEDGER);
    let chain = dir.write("chain.pem", svid.chain_pem());
    let key = dir.write("key.pem", svid.key_pem().as_bytes());
    let empty = dir.write("empty.pem", "");
    let two_keys = dir.write("two-keys.pem", svid.key_pem().repeat(2));
    let torn = dir.write("torn.pem", &svid.chain_pem()[..300]);
    let huge = dir.write("huge.pem", vec![b'\n'; (1 << 20) + 1]);
    let largest = dir.write("largest.pem", vec![b'\n'; 1 << 20]);
    let missing = dir.0.join("missing.pem");

    for (name, chain, key, at, want) in [
        ("missing", &missing, &key, &missing, "cannot read"),
        ("a directory", &dir.0, &key, &dir.0, "is not a regular file"),
        ("larger than 1 MiB", &huge, &key, &huge, "is larger than 1048576 bytes"),
        ("1 MiB of nothing", &largest, &key, &largest, "the text is empty"),
        ("empty chain", &empty, &key, &empty, "the text is empty"),
        ("empty key", &chain, &empty, &empty, "the text is empty"),
        ("two keys", &chain, &two_keys, &two_keys, "there are 2 private keys, wanted one"),
        ("torn chain", &torn, &key, &torn, "block 1 (line 1) has no end"),
        (
            "the key of the chain's file",
            &chain,
            &chain,
            &chain,
            "no `PRIVATE KEY` block, but `CERTIFICATE`",
        ),
    ] {
        let text = whole_text(&X509Svid::from_files(chain, key).unwrap_err());
        assert!(text.contains(at.to_str().unwrap()) && text.contains(want), "{name}: {text}");
    }

    let got = TrustBundle::from_file(domain("prod.example"), &chain).unwrap_err();
    let LoadError::Bundle { path, source } = got else { panic!("{got:?}") };
    assert_eq!((path, source), (chain, BundleError::NotAuthority { at: 0 }));
}

#[test]
fn files_of_revocation_lists() {
    let dir = Dir::new();
    let ca = TestCa::new("prod.example");
    let lists = [Revocations::Nobody, Revocations::OutOfDate]
        .map(|said| ca.revocation_list_pem(said))
        .concat();
    let file = dir.write("lists.pem", &lists);
    let read = ca.bundle().with_revocation_file(&file).unwrap();
    assert!(format!("{read:?}").contains("revocation_lists: 2"), "{read:?}");
    let chain = ca.svid(LEDGER).chain().to_vec();
    assert_eq!(verdict(&read, &chain), None);
    // It binds: with the lists of another authority alone, nobody knows about this one's.
    let other = TestCa::new("prod.example");
    let strange = other.bundle().with_revocation_file(&file).unwrap();
    let chain = other.svid(LEDGER).chain().to_vec();
    assert_eq!(verdict(&strange, &chain), Some("revocation_unknown"));
}

#[test]
fn files_of_revocation_lists_that_are_refused() {
    const RUBBISH: &str = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n";
    let dir = Dir::new();
    let ca = TestCa::new("prod.example");
    let good = ca.revocation_list_pem(Revocations::Nobody);
    let missing = dir.0.join("missing.pem");
    let huge = dir.write("huge.pem", vec![b'\n'; (1 << 20) + 1]);
    let read = |path: &Path| ca.bundle().with_revocation_file(path).unwrap_err();
    for (name, path, want) in [
        ("missing", &missing, "cannot read"),
        ("a directory", &dir.0, "is not a regular file"),
        ("larger than 1 MiB", &huge, "is larger than 1048576 bytes"),
    ] {
        let text = whole_text(&read(path));
        assert!(text.contains(path.to_str().unwrap()) && text.contains(want), "{name}: {text}");
    }
    let wrong = PemError::WrongLabel { wanted: "X509 CRL", found: vec!["CERTIFICATE".into()] };
    for (name, text, want) in [
        ("empty", String::new(), RevocationListError::Pem(PemError::Empty)),
        ("of certificates", ca.bundle().to_pem(), RevocationListError::Pem(wrong)),
        ("the second malformed", good + RUBBISH, RevocationListError::Malformed { at: 1 }),
    ] {
        let file = dir.write("lists.pem", text);
        let error = read(&file);
        assert!(error.to_string().contains(file.to_str().unwrap()), "{name}: {error}");
        let LoadError::RevocationLists { path, source } = error else {
            panic!("{name}: {error:?}")
        };
        assert_eq!((path, source), (file, want), "{name}");
    }
}

/// Why the chain is rejected, if it is.
fn verdict(bundle: &TrustBundle, chain: &[CertificateDer<'_>]) -> Option<&'static str> {
    let bundles = TrustBundles::new([bundle.clone()]);
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    let now = test_time();
    let rules = Validation::new(&bundles, &AcceptedDomains::Any, algorithms, Usage::Client, now);
    validate(chain, &rules).err().map(|reject| reject.reason())
}

fn whole_text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

#[cfg(unix)]
#[test]
fn a_fifo_is_refused_without_waiting_for_its_writer() {
    let dir = Dir::new();
    let fifo = dir.0.join("fifo");
    let made = std::process::Command::new("mkfifo")
        .arg(&fifo)
        .status()
        .unwrap();
    assert!(made.success());
    let got = TrustBundle::from_file(domain("prod.example"), &fifo).unwrap_err();
    assert!(matches!(got, LoadError::NotAFile { .. }), "{got:?}");
    let got = X509Svid::from_files(Path::new("/dev/zero"), &fifo).unwrap_err();
    assert!(matches!(got, LoadError::NotAFile { .. }), "{got:?}");
}

#[cfg(unix)]
#[test]
fn who_may_read_a_key_file() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = Dir::new();
    let key = dir.write("key.pem", "");
    for (mode, want) in [
        (0o600, KeyFileExposure::OwnerOnly),
        (0o400, KeyFileExposure::OwnerOnly),
        (0o640, KeyFileExposure::Others { mode: 0o640 }),
        (0o604, KeyFileExposure::Others { mode: 0o604 }),
        (0o644, KeyFileExposure::Others { mode: 0o644 }),
    ] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(key_file_exposure(&key).unwrap(), want, "{mode:o}");
    }
    assert!(matches!(key_file_exposure(&dir.0.join("missing")), Err(LoadError::Read { .. })));
}

#[test]
fn bundles_that_are_refused() {
    let ca = TestCa::new("prod.example");
    let root = ca.bundle().anchors()[0].clone();
    let leaf = ca.svid(LEDGER).chain()[0].clone();
    for (name, authorities, want) in [
        ("none", vec![], BundleError::Empty),
        ("a leaf", vec![root.clone(), leaf], BundleError::NotAuthority { at: 1 }),
        ("not DER", vec![root.clone(), root, vec![1].into()], BundleError::Malformed { at: 2 }),
    ] {
        let got = TrustBundle::new(domain("prod.example"), authorities).unwrap_err();
        assert_eq!(got, want, "{name}");
    }
    let got = TrustBundle::from_pem(domain("prod.example"), b"").unwrap_err();
    assert_eq!(got, BundleError::Pem(PemError::Empty));
}

#[test]
fn bundles_by_domain() {
    let (prod, other) = (TestCa::new("prod.example"), TestCa::new("other.example"));
    let second = TestCa::new("prod.example");
    let bundles =
        TrustBundles::new([prod.bundle(), other.bundle(), second.bundle(), prod.bundle()])
            .with_alias(domain("old.example"), domain("prod.example"))
            .with_alias(domain("other.example"), domain("prod.example"))
            .with_alias(domain("lost.example"), domain("unknown.example"));

    let merged = bundles.bundle_for(&domain("prod.example")).unwrap();
    let wanted = [prod.bundle().anchors(), second.bundle().anchors()].concat();
    assert_eq!(merged.anchors(), wanted, "two become one, nothing twice");
    let domains: Vec<_> = bundles.domains().map(TrustDomain::as_str).collect();
    assert_eq!(domains, ["other.example", "prod.example", "old.example"]);
    for (asked, want) in [
        ("prod.example", Some("prod.example")),
        ("old.example", Some("prod.example")),
        ("other.example", Some("other.example")),
        ("lost.example", None),
        ("unknown.example", None),
        ("prod.example.evil", None),
    ] {
        let got = bundles
            .bundle_for(&domain(asked))
            .map(|bundle| bundle.trust_domain().as_str());
        assert_eq!(got, want, "{asked}");
    }
    assert_eq!(bundles.bundles().count(), 2);

    let flat = TrustBundles::istio_flat(prod.bundle(), [other.bundle()]);
    assert_eq!(
        flat.bundle_for(&domain("any.example"))
            .unwrap()
            .anchors()
            .len(),
        2
    );
    assert_eq!(flat.domains().map(TrustDomain::as_str).collect::<Vec<_>>(), ["prod.example"]);
    assert_eq!(flat.bundles().count(), 1);
}

#[test]
fn a_handle_swaps_identity_and_trust_as_one() {
    let (old, new) = (TestCa::new("prod.example"), TestCa::new("prod.example"));
    let handle = Arc::new(SvidHandle::new(old.svid(LEDGER), old.bundles()));
    let source: Arc<dyn SvidSource> = Arc::<SvidHandle>::clone(&handle);
    let before = source.snapshot().unwrap();
    assert_eq!(before.generation(), 0);

    assert_eq!(handle.replace(new.svid(LEDGER), new.bundles()), 1);
    let after = source.snapshot().unwrap();
    assert_eq!(after.generation(), 1);
    assert_eq!(
        after
            .bundles()
            .bundle_for(&domain("prod.example"))
            .unwrap()
            .anchors(),
        new.bundle().anchors()
    );
    assert_eq!(before.generation(), 0, "who holds the old snapshot keeps it whole");
    assert_eq!(
        before
            .bundles()
            .bundle_for(&domain("prod.example"))
            .unwrap()
            .anchors(),
        old.bundle().anchors()
    );
}

#[test]
fn writers_of_a_handle_take_turns() {
    let ca = TestCa::new("prod.example");
    let handle = SvidHandle::new(ca.svid(LEDGER), ca.bundles());
    let mut generations = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| [(); 5].map(|()| handle.replace(ca.svid(LEDGER), ca.bundles())))
            })
            .collect();
        writers
            .into_iter()
            .flat_map(|writer| writer.join().unwrap())
            .collect::<Vec<_>>()
    });
    generations.sort_unstable();
    assert_eq!(generations, (1..=20).collect::<Vec<_>>());
    assert_eq!(handle.load().generation(), 20);
}

#[test]
fn snapshots_can_be_put_together() {
    let ca = TestCa::new("prod.example");
    let snapshot = SvidSnapshot::new(Arc::new(ca.svid(LEDGER)), Arc::new(ca.bundles()), 7);
    assert_eq!((snapshot.generation(), snapshot.svid().id().as_str()), (7, LEDGER));
}
