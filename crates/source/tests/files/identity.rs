//! Identities from PEM files.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use meshtls_ca::KeyType;
use meshtls_identity::MeshDomains;
use meshtls_rustls::TlsProfile;
use meshtls_source::{
    IdentityChange, IdentityError, IdentityPaths, LiveSvid, PemFiles, Renewal, Wanted, Watch,
};
use meshtls_svid::X509Svid;
use meshtls_testkit::{ManualClock, TestCa};
use tempfile::{TempDir, tempdir};

use crate::reports::Reports;

pub(crate) const ID: &str = "spiffe://prod.example/ns/pay/sa/ledger";

/// Every test runs once with each. The output of a failed test ends with the provider's name.
fn profiles() -> impl Iterator<Item = TlsProfile> {
    [("ring", TlsProfile::ring()), ("aws-lc-rs", TlsProfile::aws_lc_rs())]
        .into_iter()
        .map(|(provider, profile)| {
            println!("with {provider}");
            profile
        })
}

/// Three files, and a clock.
pub(crate) struct Files {
    pub(crate) directory: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) ca: TestCa,
    pub(crate) profile: TlsProfile,
}

impl Files {
    pub(crate) fn new(profile: &TlsProfile) -> Self {
        let ca = TestCa::new("prod.example");
        let clock = Arc::new(ManualClock::new(ca.now()));
        let profile = profile.clone().with_time(Arc::<ManualClock>::clone(&clock));
        let files = Self { directory: tempdir().unwrap(), clock, ca, profile };
        files.write(&files.ca.svid(ID));
        fs::write(files.paths().roots, files.ca.bundle().to_pem()).unwrap();
        files
    }

    pub(crate) fn paths(&self) -> IdentityPaths {
        let at = |name| self.directory.path().join(name);
        IdentityPaths { certificate: at("tls.crt"), key: at("tls.key"), roots: at("ca.crt") }
    }

    pub(crate) fn write(&self, svid: &X509Svid) {
        fs::write(self.paths().certificate, svid.chain_pem()).unwrap();
        self.write_key(&svid.key_pem());
    }

    fn write_key(&self, pem: &str) {
        fs::write(self.paths().key, pem).unwrap();
        self.set_key_mode(0o600);
    }

    #[cfg(unix)]
    fn set_key_mode(&self, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(self.paths().key, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[cfg(not(unix))]
    fn set_key_mode(&self, _: u32) {}

    pub(crate) fn source(&self) -> PemFiles {
        PemFiles::new(self.paths(), self.ca.trust_domain().clone())
    }

    pub(crate) fn open(&self, files: PemFiles) -> Result<Renewal, IdentityError> {
        let aliases = ["old.example".parse().unwrap()];
        let domains = MeshDomains::new(self.ca.trust_domain().clone(), aliases);
        let wanted = Wanted::new(ID.parse().unwrap());
        Renewal::at_hand(Arc::new(files), wanted, domains, self.profile.clone())
    }

    pub(crate) fn watched(&self, change: IdentityChange) -> Watched {
        let reports = Reports::new();
        let source = self.source().reporter(Arc::<Reports>::clone(&reports));
        let renewal = self
            .open(source)
            .unwrap()
            .identity_change(change)
            .reporter(Arc::<Reports>::clone(&reports));
        Watched { live: renewal.live(), reports, _watch: renewal.watch() }
    }
}

pub(crate) struct Watched {
    pub(crate) live: Arc<LiveSvid>,
    pub(crate) reports: Arc<Reports>,
    _watch: Watch,
}

#[tokio::test(start_paused = true)]
async fn a_new_pair_is_used_from_the_next_handshake_on() {
    for profile in profiles() {
        let files = Files::new(&profile);
        let watched = files.watched(IdentityChange::Refuse);
        let before = watched.live.newest().unwrap();
        assert_eq!(before.svid().id().as_str(), ID);
        let alias = "old.example".parse().unwrap();
        assert_eq!(
            before.bundles().bundle_for(&alias).unwrap().trust_domain(),
            files.ca.trust_domain()
        );
        assert_eq!(watched.reports.after_some_looks().await, "");

        files.write(&files.ca.svid(ID));
        assert_eq!(watched.reports.after_some_looks().await, "generation 1");
        assert_ne!(watched.live.newest().unwrap().svid().serial(), before.svid().serial());
    }
}

#[tokio::test(start_paused = true)]
async fn key_and_certificate_may_come_one_after_the_other() {
    for profile in profiles() {
        for (name, certificate_first) in [("certificate first", true), ("key first", false)] {
            let files = Files::new(&profile);
            let watched = files.watched(IdentityChange::Refuse);
            let new = files.ca.svid(ID);
            let write = |certificate: bool| {
                if certificate {
                    fs::write(files.paths().certificate, new.chain_pem()).unwrap();
                } else {
                    files.write_key(&new.key_pem());
                }
            };
            write(certificate_first);
            assert_eq!(watched.reports.after_some_looks().await, "kept: key", "{name}");
            assert_eq!(watched.live.newest().unwrap().generation(), 0, "{name}");
            write(!certificate_first);
            assert_eq!(watched.reports.after_some_looks().await, "generation 1", "{name}");
            assert_eq!(watched.live.newest().unwrap().svid().serial(), new.serial(), "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bad_material_keeps_the_good_one_and_is_reported_once() {
    type Spoil = fn(&Files);
    let cases: &[(&str, &str, Spoil)] = &[
        ("half a certificate", "load", |files| {
            let pem = files.ca.svid(ID).chain_pem();
            fs::write(files.paths().certificate, &pem[..pem.len() / 2]).unwrap();
        }),
        ("half a key", "load", |files| {
            let pem = files.ca.svid(ID).key_pem();
            fs::write(files.paths().key, &pem[..pem.len() / 2]).unwrap();
        }),
        ("an empty certificate", "load", |files| fs::write(files.paths().certificate, "").unwrap()),
        ("an empty key", "load", |files| fs::write(files.paths().key, "").unwrap()),
        ("no roots", "load", |files| fs::write(files.paths().roots, "").unwrap()),
        ("a leaf as root", "load", |files| {
            fs::write(files.paths().roots, files.ca.svid(ID).chain_pem()).unwrap();
        }),
        ("two keys", "load", |files| {
            let pem = files.ca.svid(ID).key_pem();
            fs::write(files.paths().key, format!("{}{}", &*pem, &*pem)).unwrap();
        }),
        ("an encrypted key", "load", |files| {
            let pem = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
            fs::write(files.paths().key, pem).unwrap();
        }),
        ("a key that is none", "key", |files| {
            let pem = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
            fs::write(files.paths().key, pem).unwrap();
        }),
        ("a large file", "too_large", |files| {
            fs::File::create(files.paths().roots)
                .unwrap()
                .set_len(100 << 20)
                .unwrap();
        }),
        ("a deleted key", "unreadable", |files| fs::remove_file(files.paths().key).unwrap()),
        ("a directory", "not_a_file", |files| {
            fs::remove_file(files.paths().key).unwrap();
            fs::create_dir(files.paths().key).unwrap();
        }),
        ("another identity", "other_identity", |files| {
            files.write(&files.ca.svid("spiffe://prod.example/ns/pay/sa/other"));
        }),
        ("an unknown domain", "unknown_trust_domain", |files| {
            files
                .write(&TestCa::new("evil.example").svid("spiffe://evil.example/ns/pay/sa/ledger"));
        }),
        ("an authority that the roots do not know", "untrusted_issuer", |files| {
            files.write(&TestCa::new("prod.example").svid(ID));
        }),
        ("roots that do not cover the certificate", "untrusted_issuer", |files| {
            fs::write(files.paths().roots, TestCa::new("prod.example").bundle().to_pem()).unwrap();
        }),
        ("expired", "expired", |files| {
            let hour = Duration::from_secs(3600);
            files.write(&files.ca.svid_with(ID, KeyType::P256, hour, files.ca.now()));
            files.clock.advance(hour + Duration::from_secs(1));
        }),
    ];
    for profile in profiles() {
        for (name, want, spoil) in cases {
            let files = Files::new(&profile);
            let watched = files.watched(IdentityChange::Refuse);
            let good: Vec<_> = [files.paths().certificate, files.paths().key, files.paths().roots]
                .map(|path| (fs::read(&path).unwrap(), path))
                .into();
            spoil(&files);
            assert_eq!(watched.reports.after_some_looks().await, format!("kept: {want}"), "{name}");
            assert_eq!(watched.live.newest().unwrap().generation(), 0, "{name}");

            for (content, path) in good {
                fs::remove_dir(&path).ok();
                fs::write(&path, content).unwrap();
            }
            files.set_key_mode(0o600);
            assert_eq!(watched.reports.after_some_looks().await, "recovered", "{name}");
            files.write(&files.ca.svid_with(
                ID,
                KeyType::P256,
                Duration::from_secs(7200),
                files.clock.now(),
            ));
            assert_eq!(watched.reports.after_some_looks().await, "generation 1", "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_certificate_of_the_future_is_used_when_its_time_comes() {
    for profile in profiles() {
        let files = Files::new(&profile);
        let watched = files.watched(IdentityChange::Refuse);
        let hour = Duration::from_secs(3600);
        let later = meshtls_source::UnixTime::since_unix_epoch(
            Duration::from_secs(files.ca.now().as_secs()) + hour,
        );
        files.write(&files.ca.svid_with(ID, KeyType::P256, hour, later));
        assert_eq!(watched.reports.after_some_looks().await, "kept: not_yet_valid");
        files.clock.advance(hour);
        assert_eq!(watched.reports.after_some_looks().await, "generation 1");
    }
}

#[tokio::test(start_paused = true)]
async fn two_roots_cover_the_change_from_one_to_the_other() {
    for profile in profiles() {
        let files = Files::new(&profile);
        let watched = files.watched(IdentityChange::Refuse);
        let next = TestCa::new("prod.example");
        fs::write(files.paths().roots, files.ca.bundle().to_pem() + &next.bundle().to_pem())
            .unwrap();
        assert_eq!(watched.reports.after_some_looks().await, "generation 1", "both are trusted");
        files.write(&next.svid(ID));
        assert_eq!(
            watched.reports.after_some_looks().await,
            "generation 2",
            "the new one has issued"
        );
        fs::write(files.paths().roots, next.bundle().to_pem()).unwrap();
        assert_eq!(watched.reports.after_some_looks().await, "generation 3", "the old one is gone");
    }
}

#[tokio::test(start_paused = true)]
async fn another_identity_has_to_be_allowed() {
    for profile in profiles() {
        let files = Files::new(&profile);
        let watched = files.watched(IdentityChange::Allow);
        let other = "spiffe://prod.example/ns/pay/sa/other";
        files.write(&files.ca.svid(other));
        assert_eq!(watched.reports.after_some_looks().await, "generation 1");
        assert_eq!(watched.live.newest().unwrap().svid().id().as_str(), other);
    }
}

#[tokio::test(start_paused = true)]
async fn one_file_may_hold_certificate_and_key_in_the_dialect_of_windows() {
    for profile in profiles() {
        let files = Files::new(&profile);
        let svid = files.ca.svid(ID);
        let text = format!("\u{feff}# a comment\n{}{}", svid.chain_pem(), &*svid.key_pem())
            .replace('\n', "\r\n");
        let both = files.directory.path().join("both.pem");
        fs::write(&both, text).unwrap();
        let paths = IdentityPaths { certificate: both.clone(), key: both, ..files.paths() };
        let source = PemFiles::new(paths, files.ca.trust_domain().clone());
        let newest = files.open(source).unwrap().live().newest().unwrap();
        assert_eq!(newest.svid().serial(), svid.serial());
    }
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_key_that_others_may_read_is_reported_or_refused() {
    for profile in profiles() {
        let files = Files::new(&profile);
        files.set_key_mode(0o644);
        let watched = files.watched(IdentityChange::Refuse);
        assert_eq!(watched.reports.take(), "exposed 644");
        files.write(&files.ca.svid(ID));
        files.set_key_mode(0o640);
        assert_eq!(watched.reports.after_some_looks().await, "exposed 640, generation 1");

        let error = files
            .open(files.source().refuse_exposed_key())
            .map(|_| ())
            .unwrap_err();
        assert_eq!(error.reason(), "exposed_key");
        let text = meshtls_rustls::WithCauses(&error).to_string();
        assert!(text.ends_with("tls.key (mode 640)"), "{text}");

        files.set_key_mode(0o600);
        let reports = Reports::new();
        let strict = files.open(files.source().refuse_exposed_key()).unwrap();
        let _watch = strict.reporter(Arc::<Reports>::clone(&reports)).watch();
        files.write(&files.ca.svid(ID));
        files.set_key_mode(0o644);
        assert_eq!(reports.after_some_looks().await, "kept: exposed_key");
        files.set_key_mode(0o600);
        assert_eq!(reports.after_some_looks().await, "generation 1");
    }
}

#[test]
fn a_bad_first_load_refuses_to_start() {
    for profile in profiles() {
        let reason = |files: &Files| files.open(files.source()).map(|_| ()).unwrap_err().reason();
        let files = Files::new(&profile);
        fs::remove_file(files.paths().key).unwrap();
        assert_eq!(reason(&files), "unreadable");

        let files = Files::new(&profile);
        fs::write(files.paths().key, files.ca.svid(ID).key_pem()).unwrap();
        assert_eq!(reason(&files), "key");

        let files = Files::new(&profile);
        files.clock.advance(Duration::from_secs(25 * 3600));
        assert_eq!(reason(&files), "expired");
    }
}
