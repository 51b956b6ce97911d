use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use meshtls_identity::SpiffeId;
use meshtls_rustls::TlsProfile;
use meshtls_testkit::test_time;
use rustls_pki_types::UnixTime;

use super::{JoinTokenError, JoinTokens, UseTokenError};

const HOUR: Duration = Duration::from_secs(3600);

fn id() -> SpiffeId {
    "spiffe://prod.example/ns/pay/sa/ledger".parse().unwrap()
}

fn open(directory: &std::path::Path) -> JoinTokens {
    let provider = Arc::clone(TlsProfile::ring().provider());
    JoinTokens::open(directory.join("tokens"), "prod.example".parse().unwrap(), provider).unwrap()
}

fn after(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(test_time().as_secs() + seconds))
}

#[test]
fn a_token_is_used_once_and_nothing_on_the_disk_is_one() {
    let directory = tempfile::tempdir().unwrap();
    let tokens = open(directory.path());
    let token = tokens.make(&id(), HOUR, test_time()).unwrap();
    let secret = token.expose().strip_prefix("meshtls-join-").unwrap();
    assert_eq!(secret.len(), 64);
    assert_eq!(format!("{token:?}"), "JoinToken(..)");
    for entry in fs::read_dir(directory.path().join("tokens")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let content = fs::read_to_string(entry.path()).unwrap();
        assert!(!name.contains(secret) && !content.contains(secret), "{name}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    // Another process sees the same directory.
    let used = open(directory.path())
        .use_up(token.expose(), after(3600))
        .unwrap();
    assert_eq!((used.id, used.name.len()), (id(), 16));
    for tokens in [&tokens, &open(directory.path())] {
        let error = tokens.use_up(token.expose(), test_time()).unwrap_err();
        assert!(matches!(error, UseTokenError::UsedBefore), "{error:?}");
    }
}

#[test]
fn of_many_at_once_one_uses_it() {
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..20 {
        let token = open(directory.path())
            .make(&id(), HOUR, test_time())
            .unwrap();
        let won = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| match open(directory.path()).use_up(token.expose(), test_time()) {
                    Ok(_) => drop(won.fetch_add(1, Ordering::Relaxed)),
                    Err(error) => assert_eq!(error.reason(), "join_token_used"),
                });
            }
        });
        assert_eq!(won.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn each_reason_to_refuse() {
    let directory = tempfile::tempdir().unwrap();
    let tokens = open(directory.path());
    let path = |token: &str| {
        let hash = tokens.hash(&*super::secret(token).unwrap());
        tokens.unused(&hash)
    };
    let make = || tokens.make(&id(), HOUR, test_time()).unwrap();
    let (torn, foreign, expired, upper) = (make(), make(), make(), make());
    fs::write(path(torn.expose()), "meshtls join token 1\nspiffe://prod").unwrap();
    let other = fs::read_to_string(path(foreign.expose()))
        .unwrap()
        .replace("prod.", "other.");
    fs::write(path(foreign.expose()), other).unwrap();
    let directory_in_its_place = make();
    fs::remove_file(path(directory_in_its_place.expose())).unwrap();
    fs::create_dir(path(directory_in_its_place.expose())).unwrap();
    let unknown = format!("meshtls-join-{}", "0".repeat(64));
    let long = format!("{unknown}0");
    for (name, token, now, want) in [
        ("empty", "", 0, "join_token_malformed"),
        ("no hexadecimal digits", &unknown.replace('0', "x"), 0, "join_token_malformed"),
        (
            "upper case",
            &upper.expose().replace(char::is_alphabetic, "A"),
            0,
            "join_token_malformed",
        ),
        ("too long", &long, 0, "join_token_malformed"),
        ("too short", &unknown[1..], 0, "join_token_malformed"),
        ("unknown", &unknown, 0, "join_token_unknown"),
        ("expired", expired.expose(), 3601, "join_token_expired"),
        ("a torn file", torn.expose(), 0, "join_token_file_malformed"),
        ("of another domain", foreign.expose(), 0, "join_token_foreign_id"),
        ("no file", directory_in_its_place.expose(), 0, "join_token_store"),
    ] {
        let error = tokens.use_up(token, after(now)).unwrap_err();
        assert_eq!(error.reason(), want, "{name}");
        assert!(!format!("{error} {error:?}").contains(&unknown[20..]), "{name}");
    }
    // Who came too late has not used it up: the clock may have been wrong.
    assert!(tokens.use_up(expired.expose(), after(3600)).is_ok());
}

#[test]
fn what_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let tokens = open(directory.path());
    let make = |id: &str, life| {
        tokens
            .make(&id.parse().unwrap(), life, test_time())
            .unwrap_err()
    };
    for (name, error, want) in [
        ("another domain", make("spiffe://other.example/a", HOUR), "join_token_foreign_id"),
        ("no workload", make("spiffe://prod.example", HOUR), "join_token_foreign_id"),
        ("no life", make("spiffe://prod.example/a", Duration::ZERO), "join_token_life"),
        (
            "a long life",
            make("spiffe://prod.example/a", JoinTokens::MAX_LIFE * 2),
            "join_token_life",
        ),
    ] {
        assert_eq!(error.reason(), want, "{name}");
    }
    assert_eq!(
        fs::read_dir(directory.path().join("tokens"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn a_provider_without_sha256() {
    let directory = tempfile::tempdir().unwrap();
    let mut provider = rustls_provider();
    provider
        .cipher_suites
        .retain(|suite| suite.tls13().is_none());
    let error = JoinTokens::open(
        directory.path().join("tokens"),
        "prod.example".parse().unwrap(),
        Arc::new(provider),
    )
    .unwrap_err();
    assert!(matches!(error, JoinTokenError::NoSha256));
}

fn rustls_provider() -> meshtls_rustls::rustls::crypto::CryptoProvider {
    meshtls_rustls::rustls::crypto::CryptoProvider::clone(TlsProfile::ring().provider())
}

#[cfg(unix)]
#[test]
fn a_directory_that_others_may_write_to() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    for (mode, refused) in [(0o700, false), (0o755, false), (0o770, true), (0o702, true)] {
        let path = directory.path().join(format!("{mode:o}"));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let opened =
            JoinTokens::open(&path, "prod.example".parse().unwrap(), rustls_provider().into());
        match opened {
            Ok(_) => assert!(!refused, "{mode:o}"),
            Err(error) => assert!(refused && error.reason() == "join_token_directory_exposed"),
        }
    }
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let error = JoinTokens::open(&file, "prod.example".parse().unwrap(), rustls_provider().into());
    assert_eq!(error.unwrap_err().reason(), "join_token_directory");
}

#[test]
fn what_has_expired_is_swept_away() {
    let directory = tempfile::tempdir().unwrap();
    let tokens = open(directory.path());
    let make = |life| tokens.make(&id(), life, test_time()).unwrap();
    let (_first, used, kept) = (make(HOUR), make(HOUR), make(HOUR * 2));
    tokens.use_up(used.expose(), test_time()).unwrap();
    assert_eq!(tokens.sweep(after(3600)).unwrap(), 0);
    assert_eq!(tokens.sweep(after(3601)).unwrap(), 2);
    assert!(tokens.use_up(kept.expose(), after(3601)).is_ok());
    let error = tokens.use_up(used.expose(), test_time()).unwrap_err();
    assert!(matches!(error, UseTokenError::Unknown));
}
