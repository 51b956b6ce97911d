//! The directory: made once, opened afterwards, and what is refused about it.

#![cfg(all(feature = "store", any(feature = "ring", feature = "aws-lc-rs")))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use meshtls_ca::store::{CaDir, StoreError};
use meshtls_ca::{Authority, AuthorityOptions, KeyType, RandomSerials};
use meshtls_identity::TrustDomain;
use rustls_pki_types::UnixTime;
use tempfile::TempDir;

#[test]
fn a_root_is_made_once() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("not/there/yet");
    let made = open(&path).unwrap();
    assert_eq!(files(&path), [".lock", "ca-cert.pem", "ca-key.pem", "root-cert.pem"]);
    let opened = open(&path).unwrap();
    assert_eq!(opened.roots(), made.roots());
    assert_eq!(opened.signer().public_key(), made.signer().public_key());
    assert_eq!(opened.not_after(), made.not_after());
}

#[test]
fn the_options_count_when_a_root_is_made() {
    let directory = TempDir::new().unwrap();
    let options = AuthorityOptions::default()
        .with_key_type(KeyType::Ed25519)
        .with_lifetime(Duration::from_secs(3600));
    let made = open_with(directory.path(), "prod.example", &options, now()).unwrap();
    assert_eq!(made.not_after().as_secs(), now().as_secs() + 3600);
    let opened = open(directory.path()).unwrap();
    assert_eq!(opened.roots(), made.roots(), "other options make no other root");
}

#[test]
fn threads_that_start_at_once_end_with_one_root() {
    let directory = TempDir::new().unwrap();
    let roots: Vec<_> = thread::scope(|scope| {
        let opens = || open(directory.path()).unwrap().roots().to_vec();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(opens)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let first = roots.first().unwrap();
    assert!(roots.iter().all(|root| root == first));
}

/// A process may die between any two files, and in the middle of one.
#[test]
fn what_a_dead_process_left_is_completed() {
    for (name, lost) in [
        ("died before the roots", ["root-cert.pem", "ca-cert.pem"].as_slice()),
        ("died before the certificate", &["ca-cert.pem"]),
    ] {
        let directory = TempDir::new().unwrap();
        let made = open(directory.path()).unwrap();
        for file in lost {
            fs::remove_file(directory.path().join(file)).unwrap();
        }
        fs::write(directory.path().join(".ca-cert.pem.unfinished"), "-----BEG").unwrap();
        let again = open(directory.path()).unwrap();
        assert_eq!(again.signer().public_key(), made.signer().public_key(), "{name}");
        assert_eq!(files(directory.path()).len(), 4, "{name}: nothing unfinished is left");
    }
}

#[test]
fn a_directory_made_for_istio_is_opened() {
    let directory = TempDir::new().unwrap();
    for (name, text) in [
        ("ca-cert.pem", include_str!("data/intermediate-p384.pem")),
        ("ca-key.pem", include_str!("data/p384.sec1.pem")),
        ("cert-chain.pem", include_str!("data/cert-chain.pem")),
        ("root-cert.pem", include_str!("data/root-rsa.pem")),
    ] {
        put(directory.path(), name, text);
    }
    let authority = open(directory.path()).unwrap();
    assert_eq!(authority.intermediates().len(), 1);
    assert_eq!(files(directory.path()).len(), 4, "it is not written to");
}

#[test]
fn what_is_refused() {
    let root = include_str!("data/root-rsa.pem");
    let key = include_str!("data/rsa2048.pkcs8.pem");
    let other = include_str!("data/p256.pkcs8.pem");
    for (name, contents, want) in [
        (
            "no key",
            [("ca-cert.pem", root), ("root-cert.pem", root)].as_slice(),
            "ca-key.pem is missing, but ca-cert.pem is there",
        ),
        (
            "no root",
            &[("ca-cert.pem", root), ("ca-key.pem", key)],
            "root-cert.pem is missing, but ca-cert.pem is there",
        ),
        (
            "a root only",
            &[("root-cert.pem", root)],
            "ca-key.pem is missing, but root-cert.pem is there",
        ),
        (
            "a key and another's root",
            &[("ca-key.pem", other), ("root-cert.pem", root)],
            "ca-cert.pem is missing, but root-cert.pem is there",
        ),
        (
            "torn key",
            &[("ca-cert.pem", root), ("ca-key.pem", &key[..500]), ("root-cert.pem", root)],
            "ca-key.pem cannot be used",
        ),
        ("torn key alone", &[("ca-key.pem", &key[..500])], "ca-key.pem cannot be used"),
        (
            "empty certificate",
            &[("ca-cert.pem", ""), ("ca-key.pem", key), ("root-cert.pem", root)],
            "ca-cert.pem cannot be used",
        ),
        (
            "torn chain",
            &[
                ("ca-cert.pem", root),
                ("ca-key.pem", key),
                ("root-cert.pem", root),
                ("cert-chain.pem", &root[..500]),
            ],
            "cert-chain.pem cannot be used",
        ),
        (
            "empty roots",
            &[("ca-cert.pem", root), ("ca-key.pem", key), ("root-cert.pem", "")],
            "root-cert.pem cannot be used",
        ),
        (
            "another's key",
            &[("ca-cert.pem", root), ("ca-key.pem", other), ("root-cert.pem", root)],
            "ca-cert.pem cannot be used",
        ),
    ] {
        let directory = TempDir::new().unwrap();
        for (file, text) in contents {
            put(directory.path(), file, text);
        }
        let error = open(directory.path())
            .err()
            .unwrap_or_else(|| panic!("{name}: was opened"));
        let text = error
            .to_string()
            .replace(&format!("{}/", directory.path().display()), "");
        assert!(text.starts_with(want), "{name}: {text}");
        for (file, text) in contents {
            let kept = fs::read_to_string(directory.path().join(file)).unwrap();
            assert_eq!(&kept, text, "{name}: {file} was replaced");
        }
    }
}

#[test]
fn the_time_and_the_domain_must_fit() {
    let directory = TempDir::new().unwrap();
    let options = AuthorityOptions::default();
    let made = open(directory.path()).unwrap();
    let late = UnixTime::since_unix_epoch(Duration::from_secs(made.not_after().as_secs() + 1));
    for (name, domain, now) in
        [("expired", "prod.example", late), ("another trust domain", "other.example", now())]
    {
        let error = open_with(directory.path(), domain, &options, now).unwrap_err();
        assert!(matches!(error, StoreError::Unusable { .. }), "{name}: {error:?}");
    }
}

#[test]
fn what_is_no_file_is_not_opened() {
    let directory = TempDir::new().unwrap();
    fs::create_dir(directory.path().join("ca-cert.pem")).unwrap();
    put(directory.path(), "ca-key.pem", "");
    put(directory.path(), "root-cert.pem", "");
    let error = open(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::NotAFile { .. }), "{error:?}");

    let directory = TempDir::new().unwrap();
    let huge = "a".repeat((1 << 20) + 1);
    put(directory.path(), "ca-cert.pem", &huge);
    put(directory.path(), "ca-key.pem", "");
    put(directory.path(), "root-cert.pem", "");
    let error = open(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::NotAFile { .. }), "{error:?}");

    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let error = open(&file).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
}

#[test]
fn rsa_is_not_made_without_aws_lc() {
    let directory = TempDir::new().unwrap();
    let options = AuthorityOptions::default().with_key_type(KeyType::Rsa2048);
    let made = open_with(directory.path(), "prod.example", &options, now());
    if cfg!(feature = "aws-lc-rs") {
        assert_eq!(open(directory.path()).unwrap().roots(), made.unwrap().roots());
    } else {
        let error = made.unwrap_err();
        assert!(matches!(error, StoreError::NotMade { .. }), "{error:?}");
        assert_eq!(files(directory.path()), [".lock"]);
    }
}

#[cfg(unix)]
mod modes {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_is_its_owners_alone() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("ca");
        open(&path).unwrap();
        assert_eq!(mode(&path.join("ca-key.pem")), 0o600);
        assert_eq!(mode(&path), 0o700);
    }

    #[test]
    fn a_key_that_others_can_reach_is_refused() {
        for bits in [0o644, 0o640, 0o604, 0o660, 0o602, 0o601, 0o777] {
            let directory = TempDir::new().unwrap();
            open(directory.path()).unwrap();
            let key = directory.path().join("ca-key.pem");
            fs::set_permissions(&key, Permissions::from_mode(bits)).unwrap();
            let error = open(directory.path()).unwrap_err();
            let StoreError::KeyExposed { path, mode } = &error else { panic!("{error:?}") };
            assert_eq!((path, *mode), (&key, bits));
            let remedy = format!("run `chmod 600 {}`", key.display());
            assert!(error.to_string().contains(&remedy), "{error}");

            fs::remove_file(directory.path().join("ca-cert.pem")).unwrap();
            let error = open(directory.path()).unwrap_err();
            assert!(
                matches!(error, StoreError::KeyExposed { .. }),
                "also in the middle: {error:?}"
            );

            fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
            open(directory.path()).unwrap();
        }
    }

    #[test]
    fn what_others_can_write_to_is_refused() {
        for name in [".", "root-cert.pem", "ca-cert.pem"] {
            for bits in [0o775, 0o777, 0o1777] {
                let directory = TempDir::new().unwrap();
                open(directory.path()).unwrap();
                let path = directory.path().join(name);
                fs::set_permissions(&path, Permissions::from_mode(bits)).unwrap();
                let error = open(directory.path()).unwrap_err();
                let StoreError::Writable { mode, .. } = &error else { panic!("{name}: {error:?}") };
                assert_eq!(*mode, bits, "{name}");
                assert!(error.to_string().contains("run `chmod go-w "), "{error}");
            }
        }
        let shared = TempDir::new().unwrap();
        fs::set_permissions(shared.path(), Permissions::from_mode(0o1777)).unwrap();
        let error = open(shared.path()).unwrap_err();
        assert!(matches!(error, StoreError::Writable { .. }), "{error:?}");
        assert_eq!(fs::read_dir(shared.path()).unwrap().count(), 0, "no key is made there");
    }

    #[test]
    fn a_fifo_is_not_waited_for() {
        let directory = TempDir::new().unwrap();
        let fifo = directory.path().join("ca-cert.pem");
        let made = std::process::Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap();
        assert!(made.success());
        put(directory.path(), "ca-key.pem", "");
        put(directory.path(), "root-cert.pem", "");
        let error = open(directory.path()).unwrap_err();
        assert!(matches!(error, StoreError::NotAFile { .. }), "{error:?}");
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }
}

fn open(path: &Path) -> Result<Authority, StoreError> {
    open_with(path, "prod.example", &AuthorityOptions::default(), now())
}

fn open_with(
    path: &Path,
    domain: &str,
    options: &AuthorityOptions,
    now: UnixTime,
) -> Result<Authority, StoreError> {
    let domain: TrustDomain = domain.parse().unwrap();
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    CaDir::open_or_create(path, &domain, options, algorithms, now, &mut RandomSerials)
}

/// Writes a file that only its owner can reach.
fn put(directory: &Path, name: &str, text: &str) {
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

fn files(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000))
}
