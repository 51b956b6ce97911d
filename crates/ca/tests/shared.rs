//! The shared authority: it follows the rotation of other processes, records what it issues, and fails closed.

#![cfg(all(feature = "store", any(feature = "ring", feature = "aws-lc-rs")))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::error::Error as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use meshtls_ca::store::{CaDir, SharedAuthority, StepError, StoreError};
use meshtls_ca::{
    Authority, AuthorityOptions, AuthorityPem, IssueError, IssueRequest, IssuedSvid,
    IssuingAuthority as _, KeyPair, KeyType, Phase, RandomSerials, Readiness, RotationError,
    Serial, SerialError, SerialSource, Signer as _, Step,
};
use meshtls_identity::{SpiffeId, TrustDomain};
use meshtls_svid::TrustBundle;
use proptest::collection;
use proptest::prelude::{ProptestConfig, any, proptest};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyUsagePurpose};
use rustls_pki_types::{PrivateKeyDer, UnixTime};
use tempfile::TempDir;

use Readiness::Required;

const HOUR: u64 = 3600;
const START: u64 = 1_800_000_000;

#[test]
fn a_rotation_is_followed_by_whoever_has_the_directory_open() {
    let directory = TempDir::new().unwrap();
    let (one, other) = (open(&directory, 0).unwrap(), open(&directory, 0).unwrap());
    issue(&one, HOUR, 0).unwrap();
    // Steps right after each other: the clock of the file system need not have moved.
    one.prepare(&AuthorityOptions::default(), at(1), &mut RandomSerials)
        .unwrap();
    assert_eq!(other.roots(at(1)).unwrap(), one.roots(at(1)).unwrap());
    assert_eq!(other.roots(at(1)).unwrap().certificates.len(), 2);
    let error = other.activate(at(2), Required).unwrap_err();
    let StepError::Rotation(RotationError::NotReady { waiting, .. }) = &error else {
        panic!("{error:?}")
    };
    assert_eq!((waiting.live, waiting.until), (1, at(HOUR)), "what the other process issued");
    other.activate(at(HOUR + 1), Required).unwrap();
    issue(&other, HOUR, HOUR + 1).unwrap();
    let plain = CaDir::open_or_create(
        directory.path(),
        &domain(),
        &AuthorityOptions::default(),
        webpki::ALL_VERIFICATION_ALGS,
        at(HOUR),
        &mut RandomSerials,
    );
    assert_eq!(plain.unwrap().roots(), one.roots(at(HOUR)).unwrap().certificates);
    one.retire(at(2 * HOUR + 2), Required).unwrap();
    assert_eq!(other.rotation(at(3 * HOUR)).unwrap().phase(), Phase::Retired);
    one.back(at(3 * HOUR), Required).unwrap();
    one.retire(at(3 * HOUR), Required).unwrap();
    let late = open(&directory, 3 * HOUR).unwrap();
    assert_eq!(late.rotation(at(3 * HOUR)).unwrap().generation(), 5);
    late.ready(Step::Forget, at(3 * HOUR)).unwrap();
    late.forget(at(3 * HOUR)).unwrap();
    assert_eq!(one.rotation(at(3 * HOUR)).unwrap().phase(), Phase::Steady);
}

#[test]
fn the_files_of_istio_are_what_signs_and_is_trusted() {
    let directory = TempDir::new().unwrap();
    let shared = open(&directory, 0).unwrap();
    let first = read(&directory, "ca-key.pem");
    shared
        .prepare(&AuthorityOptions::default(), at(0), &mut RandomSerials)
        .unwrap();
    let roots = read(&directory, "root-cert.pem");
    assert_eq!(roots.matches("BEGIN CERTIFICATE").count(), 2);
    assert_eq!(read(&directory, "ca-key.pem"), first, "the old one signs");
    shared.activate(at(0), Required).unwrap();
    let second = read(&directory, "ca-key.pem");
    assert_ne!(second, first);
    assert!(read(&directory, "rotation.pem").contains(&first), "the way back");
    shared.retire(at(0), Required).unwrap();
    let root = read(&directory, "root-cert.pem");
    assert_eq!(root.matches("BEGIN CERTIFICATE").count(), 1);
    let certificate = read(&directory, "ca-cert.pem");
    let pem = AuthorityPem::root(certificate.as_bytes(), second.as_bytes());
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    let plain = Authority::from_pem(domain(), &pem, algorithms, at(0)).unwrap();
    assert_eq!(plain.certificate(), shared.rotation(at(0)).unwrap().signing().certificate());
    shared.forget(at(0)).unwrap();
    for name in ["rotation.pem", "ca-key.pem"] {
        assert!(!read(&directory, name).contains(&first), "{name}: the key is gone");
    }
    // A process died before it had copied all.
    fs::remove_file(directory.path().join("ca-cert.pem")).unwrap();
    put(&directory, "root-cert.pem", &roots);
    open(&directory, 0).unwrap();
    assert_eq!(read(&directory, "root-cert.pem"), root, "it is copied by the next one");
    assert_eq!(read(&directory, "ca-cert.pem"), certificate);
}

#[test]
fn a_directory_made_for_istio_is_rotated() {
    let directory = TempDir::new().unwrap();
    for (name, text) in [
        ("ca-cert.pem", include_str!("data/intermediate-p384.pem")),
        ("ca-key.pem", include_str!("data/p384.sec1.pem")),
        ("cert-chain.pem", include_str!("data/cert-chain.pem")),
        ("root-cert.pem", include_str!("data/root-rsa.pem")),
    ] {
        put(&directory, name, text);
    }
    let shared = open(&directory, 0).unwrap();
    assert_eq!(issue(&shared, HOUR, 0).unwrap().chain.len(), 2);
    shared
        .prepare(&AuthorityOptions::default(), at(0), &mut RandomSerials)
        .unwrap();
    // Nobody knows what was issued before.
    let error = shared.activate(at(24 * HOUR), Required).unwrap_err();
    let StepError::Rotation(RotationError::NotReady { waiting, .. }) = &error else {
        panic!("{error:?}")
    };
    assert!(waiting.live == 0 && waiting.unrecorded_until.is_some(), "{waiting:?}");
    let later = Authority::MAX_TTL.as_secs() + 1;
    let readiness = open(&directory, 0)
        .unwrap()
        .ready(Step::Activate, at(later));
    assert!(readiness.is_ok(), "{readiness:?}: and no longer");
    shared.activate(at(0), Readiness::Override).unwrap();
    assert!(!directory.path().join("cert-chain.pem").exists(), "a root has no chain");
    shared.back(at(0), Readiness::Override).unwrap();
    assert_eq!(issue(&shared, HOUR, 0).unwrap().chain.len(), 2);
    assert!(directory.path().join("cert-chain.pem").exists());
}

#[test]
fn an_authority_made_elsewhere_is_prepared() {
    let directory = TempDir::new().unwrap();
    let shared = open(&directory, 0).unwrap();
    let certificate = include_bytes!("data/intermediate-p384.pem");
    let key = include_bytes!("data/p384.sec1.pem");
    let (chain, roots) =
        (include_bytes!("data/cert-chain.pem"), include_bytes!("data/root-rsa.pem"));
    let wrong = include_bytes!("data/p256.pkcs8.pem");
    let pem = AuthorityPem::intermediate(certificate, wrong, chain, roots);
    let error = shared.prepare_with(&pem, at(0)).unwrap_err();
    assert!(matches!(error, StepError::Store(StoreError::NextUnusable { .. })), "{error:?}");
    let pem = AuthorityPem::intermediate(certificate, key, chain, roots);
    shared.prepare_with(&pem, at(0)).unwrap();
    let rotation = shared.activate(at(0), Required).unwrap();
    assert_eq!(rotation.signing().intermediates().len(), 1);
    assert_eq!(issue(&shared, HOUR, 0).unwrap().chain.len(), 2);
    let error = shared
        .renew(Duration::from_secs(HOUR), at(0), &mut RandomSerials)
        .unwrap_err();
    assert!(matches!(error, StepError::Rotation(RotationError::NotAllowed { .. })), "{error:?}");
    let again = shared.prepare_with(&pem, at(0)).unwrap_err();
    assert!(matches!(again, StepError::Rotation(RotationError::NotAllowed { .. })), "{again:?}");
}

#[test]
fn istios_way_in_a_directory() {
    let directory = TempDir::new().unwrap();
    let (one, other) = (open(&directory, 0).unwrap(), open(&directory, 0).unwrap());
    let key = read(&directory, "ca-key.pem");
    let first = one.roots(at(0)).unwrap();
    one.renew(Duration::from_secs(HOUR), at(0), &mut RandomSerials)
        .unwrap();
    let roots = other.roots(at(0)).unwrap();
    assert_eq!((roots.certificates.len(), roots.generation), (2, 1));
    assert_eq!(roots.certificates.last(), first.certificates.first());
    assert_eq!(read(&directory, "ca-key.pem"), key);
    issue(&other, HOUR, 0).unwrap();
    let opened = open(&directory, 2 * HOUR).unwrap();
    assert!(opened.rotation(at(2 * HOUR)).unwrap().is_due(at(2 * HOUR)));
    let error = issue(&opened, HOUR, 2 * HOUR).unwrap_err();
    assert!(matches!(error, IssueError::SignerExpired { .. }), "{error:?}");
    opened
        .renew(Duration::from_secs(HOUR), at(2 * HOUR), &mut RandomSerials)
        .unwrap();
    issue(&other, HOUR, 2 * HOUR).unwrap();
}

#[test]
fn the_record_is_shared() {
    let directory = TempDir::new().unwrap();
    let (one, other) = (open(&directory, 0).unwrap(), open(&directory, 0).unwrap());
    issue_with(&one, HOUR, 5, &mut Stuck).unwrap();
    let error = issue_with(&other, HOUR, 5, &mut Stuck).unwrap_err();
    assert!(matches!(error, IssueError::RepeatedSerial(_)), "{error:?}");
    let entry = other.find(&stuck(), at(5)).unwrap().unwrap();
    assert_eq!((entry.id, entry.not_after, entry.generation), (id(), at(5 + HOUR), 0));
    assert!(
        other
            .find(&Serial::new([9; 16]).unwrap(), at(5))
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_line_that_a_dead_process_began_is_cut_off() {
    for torn in ["0", "07070707070707070707070707070707 0 18000", "\0\0\0\0", "\u{fffd}"] {
        let directory = TempDir::new().unwrap();
        let shared = open(&directory, 0).unwrap();
        issue(&shared, HOUR, 0).unwrap();
        let whole = read(&directory, "ledger");
        put(&directory, "ledger", &format!("{whole}{torn}"));
        issue(&shared, HOUR, 0).unwrap();
        let text = read(&directory, "ledger");
        assert!(text.starts_with(&whole), "{torn:?}");
        let line = text.lines().nth(2).unwrap();
        assert!(line.ends_with(id().as_str()) && line.split(' ').count() == 4, "{torn:?}: {line}");
        assert_eq!(text.lines().count(), 3, "{torn:?}");
        assert_eq!(shared.ledger(at(0)).unwrap().entries().count(), 2);
        assert_eq!(
            open(&directory, 0)
                .unwrap()
                .ledger(at(0))
                .unwrap()
                .entries()
                .count(),
            2
        );
    }
}

#[test]
fn a_damaged_record_stops_what_needs_it() {
    let serial = "07".repeat(16);
    let line = format!("{serial} 0 1800000000 spiffe://prod.example/a\n");
    let head = "meshtls ledger 1 unrecorded-until 0\n";
    for (name, text, at_line) in [
        ("another head", format!("meshtls ledger 2\n{line}"), 1),
        ("no head", line.clone(), 1),
        ("a head without a number", head.replace('0', "x"), 1),
        ("a word is missing", format!("{head}{line}{serial} 0 1\n"), 3),
        ("a short number", format!("{head}{}", line.replace("0707 ", " ")), 2),
        ("number zero", format!("{head}{}", line.replace("07", "00")), 2),
        ("no number", format!("{head}{}", line.replace("07", "0x")), 2),
        ("a negative generation", format!("{head}{}", line.replace(" 0 ", " -1 ")), 2),
        ("no time", format!("{head}{}", line.replace("1800000000", "soon")), 2),
        ("no ID", format!("{head}{}", line.replace("spiffe", "http")), 2),
        ("a number twice", format!("{head}{line}{line}"), 3),
        ("an empty line", format!("{head}\n{line}"), 2),
    ] {
        let directory = TempDir::new().unwrap();
        let shared = open(&directory, 0).unwrap();
        let roots = shared.roots(at(0)).unwrap();
        fs::remove_file(directory.path().join("ledger")).unwrap();
        put(&directory, "ledger", &text);
        let error = issue(&shared, HOUR, 0).unwrap_err();
        let IssueError::Unavailable(cause) = &error else { panic!("{name}: {error:?}") };
        let Some(StoreError::Damaged { path, line }) = cause.downcast_ref() else {
            panic!("{name}: {cause:?}")
        };
        assert_eq!((path, *line), (&directory.path().join("ledger"), at_line), "{name}");
        let error = shared.ready(Step::Prepare, at(0)).unwrap_err();
        assert!(matches!(error, StepError::Store(StoreError::Damaged { .. })), "{name}");
        assert!(open(&directory, 0).is_err(), "{name}");
        assert_eq!(shared.roots(at(0)).unwrap(), roots, "{name}: roots need no record");
        assert_eq!(read(&directory, "ledger"), text, "{name}: it is left as it is");
        put(&directory, "ledger", &format!("{head}{line}"));
        issue(&shared, HOUR, 0).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is in the file, it is a record or refused; a record is read the same again.
    #[test]
    fn any_bytes_are_a_record_or_refused(
        bytes in collection::vec(any::<u8>(), 0..40),
        place in 0..400_usize,
        replaced in 0..3_usize,
    ) {
        let directory = TempDir::new().unwrap();
        let shared = open(&directory, 0).unwrap();
        (0..3).for_each(|_| drop(issue(&shared, HOUR, 0).unwrap()));
        let mut text = read(&directory, "ledger").into_bytes();
        let place = place.min(text.len());
        text.splice(place..(place + replaced).min(text.len()), bytes);
        fs::write(directory.path().join("ledger"), &text).unwrap();
        match open(&directory, 0) {
            Ok(opened) => {
                let one = opened.ledger(at(0)).unwrap();
                let other = open(&directory, 0).unwrap().ledger(at(0)).unwrap();
                assert!(one.entries().eq(other.entries()));
                assert!(fs::read(directory.path().join("ledger")).unwrap().ends_with(b"\n"));
                issue(&opened, HOUR, 0).unwrap();
            }
            Err(StoreError::Damaged { .. }) => {
                assert_eq!(fs::read(directory.path().join("ledger")).unwrap(), text);
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[test]
fn a_record_that_is_gone_is_begun_anew_and_waited_for() {
    let directory = TempDir::new().unwrap();
    let shared = open(&directory, 0).unwrap();
    assert_eq!(shared.ledger(at(0)).unwrap().unrecorded_until(), None, "it is as old as the root");
    fs::remove_file(directory.path().join("ledger")).unwrap();
    issue(&shared, HOUR, 7).unwrap();
    let until = shared.ledger(at(7)).unwrap().unrecorded_until().unwrap();
    assert_eq!(until, at(7 + Authority::MAX_TTL.as_secs()));
}

#[test]
fn a_record_that_is_lost_in_a_rotation_is_waited_for_as_long_as_either_authority_lives() {
    let directory = TempDir::new().unwrap();
    let shared = open(&directory, 0).unwrap();
    issue(&shared, 48 * HOUR, 0).unwrap();
    let short = AuthorityOptions::default().with_lifetime(Duration::from_secs(24 * HOUR));
    shared.prepare(&short, at(0), &mut RandomSerials).unwrap();
    shared.activate(at(0), Readiness::Override).unwrap();
    fs::remove_file(directory.path().join("ledger")).unwrap();
    // The new authority is at its end; what the old one issued is not.
    shared.ready(Step::Retire, at(1)).unwrap_err();
    let error = shared.ready(Step::Retire, at(25 * HOUR)).unwrap_err();
    let StepError::Rotation(RotationError::NotReady { waiting, .. }) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(waiting.until, at(1 + Authority::MAX_TTL.as_secs()));
}

#[test]
fn a_clock_that_runs_ahead_does_not_end_the_wait_for_what_is_not_recorded() {
    let directory = TempDir::new().unwrap();
    drop(open(&directory, 0).unwrap());
    let until = START + 100 * HOUR;
    let mut text = format!("meshtls ledger 1 unrecorded-until {until}\n");
    for number in 1..=2000 {
        text.push_str(&format!("{number:032x} 0 {START} spiffe://prod.example/a\n"));
    }
    put(&directory, "ledger", &text);
    let shared = open(&directory, 0).unwrap();
    issue(&shared, HOUR, 101 * HOUR).unwrap();
    assert_eq!(read(&directory, "ledger").lines().count(), 2, "it is written anew");
    assert_eq!(shared.ledger(at(0)).unwrap().unrecorded_until(), Some(at(100 * HOUR)));
}

#[test]
fn a_state_that_could_not_be_read_again_is_not_written() {
    let directory = TempDir::new().unwrap();
    let shared = open(&directory, 0).unwrap();
    let key = std::sync::Arc::new(KeyPair::generate(KeyType::P256).unwrap());
    let root = |name: String| {
        let (key, life) = (std::sync::Arc::<KeyPair>::clone(&key), Duration::from_secs(HOUR));
        let domain = name.parse().unwrap();
        Authority::self_signed_with(domain, key, life, at(0), &mut RandomSerials)
            .unwrap()
            .trust_bundle()
            .to_pem()
    };
    let own = root("prod.example".to_owned());
    let mut roots = own.clone();
    let mut number = 0;
    while roots.len() <= 1 << 20 {
        roots.push_str(&root(format!("d{number}.example")));
        number += 1;
    }
    let key = key.to_pem();
    let pem = AuthorityPem::intermediate(own.as_bytes(), key.as_bytes(), b"", roots.as_bytes());
    let error = shared.prepare_with(&pem, at(0)).unwrap_err();
    assert!(matches!(error, StepError::Store(StoreError::NotAFile { .. })), "{error:?}");
    issue(&shared, HOUR, 0).unwrap();
    assert_eq!(shared.rotation(at(0)).unwrap().phase(), Phase::Steady);
}

/// An authority whose issuer ends before it does: it is of no use then, but the directory can still be opened, and it be dropped.
#[test]
fn an_authority_whose_issuer_has_ended_does_not_close_the_directory() {
    let date = |seconds: u64| {
        time::OffsetDateTime::from_unix_timestamp(i64::try_from(START + seconds).unwrap()).unwrap()
    };
    let make = |name: &str, hours: u64| {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::OrganizationName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        (params.not_before, params.not_after) = (date(0), date(hours * HOUR));
        (params, rcgen::KeyPair::generate().unwrap())
    };
    let [root, middle, signing] = [make("root", 100), make("middle", 1), make("signing", 10)];
    let pem = |der: &rcgen::Certificate| {
        TrustBundle::new(domain(), vec![der.der().clone()])
            .unwrap()
            .to_pem()
    };
    let root_certificate = pem(&root.0.self_signed(&root.1).unwrap());
    let root = Issuer::new(root.0, root.1);
    let middle_certificate = pem(&middle.0.signed_by(&middle.1, &root).unwrap());
    let middle = Issuer::new(middle.0, middle.1);
    let certificate = pem(&signing.0.signed_by(&signing.1, &middle).unwrap());

    let directory = TempDir::new().unwrap();
    let shared = open(&directory, 0).unwrap();
    let key = PrivateKeyDer::Pkcs8(signing.1.serialize_der().into());
    let key = KeyPair::from_der(&key).unwrap().to_pem();
    let (chain, roots) = (middle_certificate.as_bytes(), root_certificate.as_bytes());
    let pem = AuthorityPem::intermediate(certificate.as_bytes(), key.as_bytes(), chain, roots);
    shared.prepare_with(&pem, at(0)).unwrap();
    let late = open(&directory, 2 * HOUR).unwrap();
    assert_eq!(late.rotation(at(2 * HOUR)).unwrap().phase(), Phase::Prepared);
    late.back(at(2 * HOUR), Required).unwrap();
    assert_eq!(late.rotation(at(2 * HOUR)).unwrap().phase(), Phase::Steady);
}

#[test]
fn a_key_that_is_forgotten_is_in_no_file() {
    let directory = TempDir::new().unwrap();
    let shared = open(&directory, 0).unwrap();
    let old = read(&directory, "ca-key.pem");
    let line = old.lines().nth(1).unwrap();
    shared
        .prepare(&AuthorityOptions::default(), at(0), &mut RandomSerials)
        .unwrap();
    shared.activate(at(0), Required).unwrap();
    // Left by a process that died on a way back, which another one took forth again.
    put(&directory, ".ca-key.pem.unfinished", &old);
    shared.retire(at(0), Required).unwrap();
    shared.forget(at(0)).unwrap();
    for entry in fs::read_dir(directory.path()).unwrap() {
        let path = entry.unwrap().path();
        assert!(!fs::read_to_string(&path).unwrap().contains(line), "{}", path.display());
    }
}

#[test]
fn the_record_does_not_grow_for_ever() {
    let directory = TempDir::new().unwrap();
    let shared = open(&directory, 0).unwrap();
    let other = open(&directory, 0).unwrap();
    let mut text = "meshtls ledger 1 unrecorded-until 0\n".to_owned();
    for number in 1..=2000 {
        let end = START + number;
        text.push_str(&format!("{number:032x} 0 {end} spiffe://prod.example/a\n"));
    }
    put(&directory, "ledger", &text);
    let later = 48 * HOUR;
    issue(&shared, HOUR, later).unwrap();
    assert_eq!(read(&directory, "ledger").lines().count(), 2, "a head, and what lives");
    issue(&other, HOUR, later).unwrap();
    issue(&shared, HOUR, later).unwrap();
    assert_eq!(shared.ledger(at(later)).unwrap().entries().count(), 3);
    assert_eq!(other.ledger(at(later)).unwrap().entries().count(), 3);
}

#[test]
fn a_damaged_state_is_refused_wherever_it_is_cut() {
    let directory = TempDir::new().unwrap();
    let shared = open(&directory, 0).unwrap();
    shared
        .prepare(&AuthorityOptions::default(), at(0), &mut RandomSerials)
        .unwrap();
    let roots = shared.roots(at(0)).unwrap();
    let whole = read(&directory, "rotation.pem");
    let lines: Vec<_> = whole.split_inclusive('\n').collect();
    let mut texts: Vec<String> = (0..lines.len())
        .map(|end| lines.iter().copied().take(end).collect())
        .collect();
    // Without any one line.
    for without in 0..lines.len() {
        let kept = lines
            .iter()
            .enumerate()
            .filter(|(place, _)| *place != without);
        texts.push(kept.map(|(_, line)| *line).collect());
    }
    texts.push(whole.replace("phase prepared", "phase steady"));
    texts.push(whole.replace("phase prepared", "phase later"));
    texts.push(whole.replace("generation 1", "generation one"));
    texts.push(whole.replace("rotation 1", "rotation 2"));
    texts.push(format!("{whole}{whole}"));
    for text in texts {
        put(&directory, "rotation.pem", &text);
        let error = shared.rotation(at(0)).unwrap_err();
        assert!(
            matches!(error, StoreError::Damaged { .. } | StoreError::Unusable { .. }),
            "{error:?} of\n{text}"
        );
        let unavailable = issue(&shared, HOUR, 0).unwrap_err();
        assert_eq!(unavailable.reason(), "authority_unavailable");
        assert!(unavailable.source().unwrap().is::<StoreError>());
        assert_eq!(shared.roots(at(0)).unwrap(), roots, "what was read last");
    }
    put(&directory, "rotation.pem", &whole);
    issue(&shared, HOUR, 0).unwrap();
    assert_eq!(read(&directory, "rotation.pem"), whole);
}

#[test]
fn files_that_are_exchanged_by_hand_are_not_taken() {
    let directory = TempDir::new().unwrap();
    let shared = open(&directory, 0).unwrap();
    let roots = shared.roots(at(0)).unwrap();
    let elsewhere = TempDir::new().unwrap();
    open(&elsewhere, 0).unwrap();
    for name in ["ca-key.pem", "root-cert.pem", "ca-cert.pem"] {
        fs::rename(elsewhere.path().join(name), directory.path().join(name)).unwrap();
    }
    let error = shared.rotation(at(0)).unwrap_err();
    assert!(matches!(error, StoreError::Exchanged { .. }), "{error:?}");
    assert!(matches!(issue(&shared, HOUR, 0), Err(IssueError::Unavailable(_))));
    assert_eq!(shared.roots(at(0)).unwrap(), roots);
    assert_ne!(
        open(&directory, 0)
            .unwrap()
            .roots(at(0))
            .unwrap()
            .certificates,
        roots.certificates
    );
}

#[test]
fn nothing_shows_the_key() {
    let directory = TempDir::new().unwrap();
    let shared = open(&directory, 0).unwrap();
    shared
        .prepare(&AuthorityOptions::default(), at(0), &mut RandomSerials)
        .unwrap();
    let key = read(&directory, "ca-key.pem");
    let line = key.lines().nth(1).unwrap();
    let rotation = shared.rotation(at(0)).unwrap();
    let debug = format!("{shared:?} {rotation:?}");
    assert!(!debug.contains(line) && !debug.contains("PRIVATE"), "{debug}");
}

#[cfg(unix)]
mod modes {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_state_is_its_owners_alone() {
        let directory = TempDir::new().unwrap();
        let shared = open(&directory, 0).unwrap();
        shared
            .prepare(&AuthorityOptions::default(), at(0), &mut RandomSerials)
            .unwrap();
        for name in ["rotation.pem", "ca-key.pem", "ledger"] {
            let mode = fs::metadata(directory.path().join(name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn what_others_can_reach_is_refused() {
        for (name, bits) in
            [("rotation.pem", 0o644), ("rotation.pem", 0o660), ("ledger", 0o620), ("ledger", 0o602)]
        {
            let directory = TempDir::new().unwrap();
            let shared = open(&directory, 0).unwrap();
            shared
                .prepare(&AuthorityOptions::default(), at(0), &mut RandomSerials)
                .unwrap();
            let path = directory.path().join(name);
            fs::set_permissions(&path, Permissions::from_mode(bits)).unwrap();
            match (name, open(&directory, 0).unwrap_err()) {
                ("ledger", StoreError::Writable { path: found, mode })
                | ("rotation.pem", StoreError::KeyExposed { path: found, mode }) => {
                    assert_eq!((found, mode), (path, bits), "{name}");
                }
                (_, error) => panic!("{name}: {error:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_file_is_no_record() {
        let directory = TempDir::new().unwrap();
        let shared = open(&directory, 0).unwrap();
        fs::remove_file(directory.path().join("ledger")).unwrap();
        fs::create_dir(directory.path().join("ledger")).unwrap();
        assert!(matches!(open(&directory, 0), Err(StoreError::NotAFile { .. })));
        let error = issue(&shared, HOUR, 0).unwrap_err();
        let cause = error.source().and_then(|cause| cause.downcast_ref());
        assert!(matches!(cause, Some(StoreError::NotAFile { .. })), "{error:?}");
    }

    /// The directory is gone, as when a disk is not mounted: roots are known, nothing is issued.
    #[test]
    fn a_directory_that_is_away_for_a_moment() {
        let parent = TempDir::new().unwrap();
        let (path, away) = (parent.path().join("ca"), parent.path().join("away"));
        let shared = open_at(&path, 0).unwrap();
        let roots = shared.roots(at(0)).unwrap();
        fs::rename(&path, &away).unwrap();
        assert_eq!(shared.roots(at(0)).unwrap(), roots);
        assert!(matches!(shared.rotation(at(0)), Err(StoreError::Io { .. })));
        let error = issue(&shared, HOUR, 0).unwrap_err();
        let cause = error.source().and_then(|cause| cause.downcast_ref());
        assert!(matches!(cause, Some(StoreError::Io { doing: "create", .. })), "{error:?}");
        let error = shared.prepare(&AuthorityOptions::default(), at(0), &mut RandomSerials);
        assert!(matches!(error, Err(StepError::Store(StoreError::Io { .. }))), "{error:?}");
        assert!(!path.exists(), "it is not made again");
        fs::rename(&away, &path).unwrap();
        issue(&shared, HOUR, 0).unwrap();
    }
}

fn open(directory: &TempDir, now: u64) -> Result<SharedAuthority, StoreError> {
    open_at(directory.path(), now)
}

fn open_at(path: &Path, now: u64) -> Result<SharedAuthority, StoreError> {
    let options = AuthorityOptions::default();
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    let serials = &mut RandomSerials;
    SharedAuthority::open_or_create(path, &domain(), &options, algorithms, at(now), serials)
}

fn issue(shared: &SharedAuthority, ttl: u64, now: u64) -> Result<IssuedSvid, IssueError> {
    issue_with(shared, ttl, now, &mut RandomSerials)
}

fn issue_with(
    shared: &SharedAuthority,
    ttl: u64,
    now: u64,
    serials: &mut dyn SerialSource,
) -> Result<IssuedSvid, IssueError> {
    let key = KeyPair::generate(KeyType::P256).unwrap();
    let id = id();
    let request = IssueRequest::new(key.public_key(), &id).with_ttl(Duration::from_secs(ttl));
    shared.issue(&request, at(now), serials)
}

/// The same number again and again.
struct Stuck;

impl SerialSource for Stuck {
    fn next_serial(&mut self) -> Result<Serial, SerialError> {
        Ok(stuck())
    }
}

fn stuck() -> Serial {
    Serial::new([7; 16]).unwrap()
}

fn read(directory: &TempDir, name: &str) -> String {
    fs::read_to_string(directory.path().join(name)).unwrap()
}

/// Writes a file that only its owner can reach, in place.
fn put(directory: &TempDir, name: &str, text: &str) {
    let path = directory.path().join(name);
    fs::write(&path, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

fn id() -> SpiffeId {
    "spiffe://prod.example/ns/pay/sa/ledger".parse().unwrap()
}

fn domain() -> TrustDomain {
    "prod.example".parse().unwrap()
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(START + seconds))
}
