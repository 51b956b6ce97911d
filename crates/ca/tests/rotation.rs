//! The rotation of a root: every step from every phase, what each one waits for, and that the rule is sound.

#![cfg(all(feature = "authority", any(feature = "ring", feature = "aws-lc-rs")))]
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;
use std::time::Duration;

use meshtls_ca::{
    Authority, AuthorityOptions, AuthorityPem, IssueError, IssueRequest, IssuedSvid,
    IssuingAuthority as _, KeyPair, KeyType, Ledger, LedgerEntry, Phase, PublicKey, RandomSerials,
    Readiness, RotatingAuthority, Rotation, RotationError, Serial, SerialError, SerialSource,
    Signer as _, Step,
};
use meshtls_identity::{AcceptedDomains, SpiffeId, TrustDomain};
use meshtls_svid::{TrustBundle, TrustBundles, Usage, Validation, validate};
use proptest::prelude::{Just, Strategy, prop_oneof, proptest};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

const HOUR: u64 = 3600;
const START: u64 = 1_800_000_000;

use Readiness::{Override, Required};

#[test]
fn each_step_from_each_phase() {
    use Phase::{Activated, Prepared, Retired, Steady};
    use Step::{Activate, Back, Forget, Prepare, Renew, Retire};
    for (phase, step, want) in [
        (Steady, Prepare, Some(Prepared)),
        (Steady, Activate, None),
        (Steady, Retire, None),
        (Steady, Back, None),
        (Steady, Forget, None),
        (Steady, Renew, Some(Steady)),
        (Prepared, Prepare, None),
        (Prepared, Activate, Some(Activated)),
        (Prepared, Retire, None),
        (Prepared, Back, Some(Steady)),
        (Prepared, Forget, None),
        (Prepared, Renew, None),
        (Activated, Prepare, None),
        (Activated, Activate, None),
        (Activated, Retire, Some(Retired)),
        (Activated, Back, Some(Prepared)),
        (Activated, Forget, None),
        (Activated, Renew, None),
        (Retired, Prepare, None),
        (Retired, Activate, None),
        (Retired, Retire, None),
        (Retired, Back, Some(Activated)),
        (Retired, Forget, Some(Steady)),
        (Retired, Renew, Some(Retired)),
    ] {
        for readiness in [Required, Override] {
            let rotation = in_phase(phase);
            let ready = rotation.ready(step, &Ledger::new(), at(0));
            assert_eq!(ready.is_ok(), want.is_some(), "{phase} {step}: {ready:?}");
            match (take(&rotation, step, &Ledger::new(), readiness), want) {
                (Ok(next), Some(want)) => {
                    assert_eq!(next.phase(), want, "{phase} {step}");
                    assert_eq!(next.generation(), rotation.generation() + 1, "{phase} {step}");
                }
                (Err(error), None) => {
                    let RotationError::NotAllowed { phase: p, step: s } = &error else {
                        panic!("{phase} {step}: {error:?}")
                    };
                    assert_eq!((*p, *s), (phase, step));
                    assert_eq!(error.reason(), "rotation_step_not_allowed");
                    assert_eq!(
                        error.to_string(),
                        format!("{step} is no step from the phase {phase}")
                    );
                }
                (outcome, want) => panic!("{phase} {step}: {outcome:?}, not {want:?}"),
            }
        }
    }
}

#[test]
fn who_signs_and_who_is_trusted() {
    let (old, new) = (a_root(), a_root());
    let (o, n) = (old.certificate().clone(), new.certificate().clone());
    let empty = Ledger::new();
    let steady = Rotation::steady(old);
    let prepared = steady.prepare(new, at(0)).unwrap();
    let activated = prepared.activate(&empty, at(0), Required).unwrap();
    let retired = activated.retire(&empty, at(0), Required).unwrap();
    let back = |rotation: &Rotation| rotation.back(&empty, at(0), Required).unwrap();
    for (name, rotation, signs, trusted) in [
        ("steady", steady, &o, vec![&o]),
        ("prepared", prepared.clone(), &o, vec![&o, &n]),
        ("activated", activated.clone(), &n, vec![&n, &o]),
        ("retired", retired.clone(), &n, vec![&n]),
        ("forgotten", retired.forget().unwrap(), &n, vec![&n]),
        ("back to activated", back(&retired), &n, vec![&n, &o]),
        ("back to prepared", back(&activated), &o, vec![&o, &n]),
        ("back to steady", back(&prepared), &o, vec![&o]),
    ] {
        assert_eq!(rotation.signing().certificate(), signs, "{name}");
        let roots = rotation.roots();
        assert_eq!(roots.certificates.iter().collect::<Vec<_>>(), trusted, "{name}");
        assert_eq!(roots.generation, rotation.generation(), "{name}");
        assert_eq!(rotation.to_authority().roots(), roots.certificates, "{name}");
    }
}

#[test]
fn a_step_that_is_not_ready_says_who_holds_it_up() {
    let authority = RotatingAuthority::new(a_root());
    let ids: Vec<SpiffeId> = (10..22)
        .map(|number| id(&format!("workload-{number}")))
        .collect();
    for id in &ids {
        issue(&authority, id, HOUR, 0).unwrap();
    }
    issue(&authority, &ids[0], 2 * HOUR, 0).unwrap();
    authority.prepare(a_root(), at(1)).unwrap();
    let error = authority.activate(at(2), Required).unwrap_err();
    let RotationError::NotReady { phase, step, waiting } = &error else { panic!("{error:?}") };
    assert_eq!((*phase, *step), (Phase::Prepared, Step::Activate));
    assert_eq!(waiting.live, 13);
    assert_eq!(waiting.holders, ids[..10], "each once, ten at most");
    assert_eq!(waiting.until, at(2 * HOUR));
    assert_eq!(waiting.unrecorded_until, None);
    assert_eq!(error.reason(), "rotation_not_ready");
    let text = error.to_string();
    assert!(text.starts_with("activate is not ready in the phase prepared: 13 older"), "{text}");
    assert!(text.contains("workload-10, spiffe://"), "{text}");
    assert!(text.ends_with(&format!(", ...), until {} at the latest", START + 2 * HOUR)), "{text}");
    assert_eq!(authority.rotation().phase(), Phase::Prepared, "nothing was changed");

    // Renewed or not: the last second counts.
    issue(&authority, &ids[0], 3 * HOUR, 3).unwrap();
    assert!(authority.ready(Step::Activate, at(2 * HOUR)).is_err());
    authority.ready(Step::Activate, at(2 * HOUR + 1)).unwrap();
    authority.activate(at(2 * HOUR + 1), Required).unwrap();
    let error = authority.retire(at(2 * HOUR + 1), Required).unwrap_err();
    assert!(matches!(&error, RotationError::NotReady { waiting, .. } if waiting.live == 1));
    authority.retire(at(3 * HOUR + 4), Required).unwrap();
}

#[test]
fn the_ways_back_wait_as_well() {
    let authority = RotatingAuthority::new(a_root());
    let day = 24 * HOUR;
    authority.prepare(a_root(), at(0)).unwrap();
    authority.activate(at(0), Required).unwrap();
    issue(&authority, &id("a"), HOUR, 0).unwrap();
    // The old one signs again at once: everybody has it.
    authority.back(at(1), Required).unwrap();
    // The new one has signed, so its trust cannot end yet.
    let error = authority.back(at(2), Required).unwrap_err();
    assert!(matches!(error, RotationError::NotReady { step: Step::Back, .. }), "{error:?}");
    // It may sign again: everybody has it.
    authority.activate(at(3), Required).unwrap();
    authority.retire(at(day), Required).unwrap();
    // Who is issued now has the new root only; the old one must not sign before it is known again.
    issue(&authority, &id("b"), HOUR, day).unwrap();
    authority.back(at(day + 1), Required).unwrap();
    let error = authority.back(at(day + 2), Required).unwrap_err();
    assert!(matches!(error, RotationError::NotReady { step: Step::Back, .. }), "{error:?}");
    authority.back(at(day + HOUR + 1), Required).unwrap();
    authority.back(at(day + HOUR + 1), Required).unwrap();
    assert_eq!(authority.rotation().phase(), Phase::Steady);
    assert_eq!(authority.rotation().generation(), 8);
}

#[test]
fn an_emergency_does_not_wait_and_breaks_connections() {
    let authority = RotatingAuthority::new(a_root());
    let before = issue(&authority, &id("before"), HOUR, 0).unwrap();
    authority.prepare(a_root(), at(1)).unwrap();
    assert!(authority.activate(at(1), Required).is_err());
    authority.activate(at(1), Override).unwrap();
    authority.retire(at(1), Override).unwrap();
    authority.forget().unwrap();
    let after = issue(&authority, &id("after"), HOUR, 2).unwrap();
    assert!(!accepts(&before.roots, &after, 3), "who has not renewed rejects who has");
    assert!(!accepts(&after.roots, &before, 3), "and the other way round");
    assert!(accepts(&after.roots, &after, 3));
}

#[test]
fn what_was_issued_before_the_record_is_waited_for() {
    let authority = RotatingAuthority::adopting(a_root(), at(0));
    let until = Authority::MAX_TTL.as_secs();
    authority.prepare(a_root(), at(1)).unwrap();
    let error = authority.activate(at(until), Required).unwrap_err();
    let RotationError::NotReady { waiting, .. } = &error else { panic!("{error:?}") };
    assert_eq!((waiting.live, waiting.unrecorded_until), (0, Some(at(until))));
    assert!(
        error
            .to_string()
            .contains("0 older X509-SVIDs live and others may"),
        "{error}"
    );
    authority.activate(at(until + 1), Required).unwrap();
}

#[test]
fn what_cannot_be_prepared() {
    let steady = Rotation::steady(a_root());
    let other = Authority::self_signed(
        "other.example".parse().unwrap(),
        &AuthorityOptions::default(),
        at(0),
        &mut RandomSerials,
    );
    let expired = with_lifetime(HOUR);
    for (name, next, now, want) in [
        ("another domain", other.unwrap(), 0, "rotation_foreign_trust_domain"),
        ("the same", Authority::clone(steady.signing()), 0, "rotation_same_certificate"),
        ("expired", expired.clone(), HOUR + 1, "rotation_authority_unusable"),
    ] {
        let error = steady.prepare(next, at(now)).unwrap_err();
        assert_eq!(error.reason(), want, "{name}: {error}");
    }
    let prepared = steady.prepare(expired, at(0)).unwrap();
    let error = prepared
        .activate(&Ledger::new(), at(HOUR + 1), Override)
        .unwrap_err();
    assert_eq!(error.reason(), "rotation_authority_unusable", "also later: {error}");
    let back = Rotation::steady(with_lifetime(HOUR))
        .prepare(a_root(), at(0))
        .and_then(|prepared| prepared.activate(&Ledger::new(), at(0), Required))
        .and_then(|activated| activated.back(&Ledger::new(), at(HOUR + 1), Override));
    assert_eq!(back.unwrap_err().reason(), "rotation_authority_unusable");
}

#[test]
fn serial_numbers_are_unique_in_the_record() {
    let authority = RotatingAuthority::new(a_root());
    let key = KeyPair::generate(KeyType::P256).unwrap();
    let id = id("a");
    let request = IssueRequest::new(key.public_key(), &id);
    authority.issue(&request, at(0), &mut Stuck).unwrap();
    let error = authority.issue(&request, at(0), &mut Stuck).unwrap_err();
    let IssueError::RepeatedSerial(repeated) = &error else { panic!("{error:?}") };
    assert_eq!(repeated.serial, stuck());
    assert_eq!(error.reason(), "serial_repeated");
    assert_eq!(authority.ledger().entries().count(), 1);
    let entry = authority.find(&stuck()).unwrap();
    assert_eq!((entry.id, entry.not_after, entry.generation), (id, at(24 * HOUR), 0));
    let error = authority
        .renew(Duration::from_secs(HOUR), at(0), &mut Stuck)
        .unwrap_err();
    assert!(
        matches!(error, RotationError::Unusable(IssueError::RepeatedSerial(_))),
        "a root is not given one of them either: {error:?}"
    );
    let twice =
        Ledger::new().record(LedgerEntry::new(stuck(), "spiffe://a/b".parse().unwrap(), at(0), 0));
    assert!(twice.is_ok(), "another record, another issuer");
}

#[test]
fn threads_with_a_broken_source_share_no_number() {
    let authority = RotatingAuthority::new(a_root());
    let issued: usize = std::thread::scope(|scope| {
        let issues = || {
            let key = KeyPair::generate(KeyType::P256).unwrap();
            let id = id("a");
            authority.issue(&IssueRequest::new(key.public_key(), &id), at(0), &mut Stuck)
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(issues)).collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().unwrap().ok())
            .count()
    });
    assert_eq!(issued, 1);
}

#[test]
fn what_expired_long_ago_is_forgotten() {
    let authority = RotatingAuthority::new(a_root());
    let key = KeyPair::generate(KeyType::Ed25519).unwrap();
    let id = id("a");
    let request = IssueRequest::new(key.public_key(), &id).with_ttl(Duration::from_secs(1));
    for second in 0..3000 {
        authority
            .issue(&request, at(second * 120), &mut RandomSerials)
            .unwrap();
    }
    let kept = authority.ledger().entries().count();
    assert!((720..2000).contains(&kept), "a day of them, and what no sweep was worth: {kept}");
    let mut ledger = authority.ledger();
    assert!(ledger.stale(at(3000 * 120)) > 0);
    ledger.sweep(at(3000 * 120));
    assert_eq!(ledger.stale(at(3000 * 120)), 0);
    assert!((715..725).contains(&ledger.entries().count()));
}

#[test]
fn istios_way_is_due_when_a_fifth_is_left() {
    // Two minutes of backdating belong to its life: 1000 minutes in all.
    let rotation = Rotation::steady(with_lifetime(998 * 60));
    for (name, minute, want) in [
        ("at the beginning", 0, false),
        ("a fifth left", 798, false),
        ("less than a fifth left", 799, true),
        ("expired", 2000, true),
    ] {
        assert_eq!(rotation.is_due(at(minute * 60)), want, "{name}");
    }
}

#[test]
fn a_renewed_root_and_the_old_one_verify_each_others_leaves() {
    let mut types = vec![KeyType::P256, KeyType::P384, KeyType::Ed25519];
    if cfg!(feature = "aws-lc-rs") {
        types.push(KeyType::Rsa2048);
    }
    for key_type in types {
        let options = AuthorityOptions::default()
            .with_key_type(key_type)
            .with_lifetime(Duration::from_secs(100 * HOUR));
        let old = Authority::self_signed(domain(), &options, at(0), &mut RandomSerials).unwrap();
        let authority = RotatingAuthority::new(old.clone());
        let before = issue(&authority, &id("before"), 10 * HOUR, 90 * HOUR).unwrap();
        let life = Duration::from_secs(100 * HOUR);
        let renewed = authority
            .renew(life, at(91 * HOUR), &mut RandomSerials)
            .unwrap();
        let after = issue(&authority, &id("after"), 24 * HOUR, 92 * HOUR).unwrap();

        let roots = renewed.roots().certificates;
        let [new_root, old_root] = roots.as_slice() else { panic!("{}", roots.len()) };
        assert_eq!(old_root, old.certificate());
        let (new, old) = (parse(new_root), parse(old_root));
        assert_eq!(new.subject().as_raw(), old.subject().as_raw());
        assert_eq!(new.public_key().raw, old.public_key().raw);
        assert_ne!(new.raw_serial(), old.raw_serial());
        assert_eq!(renewed.phase(), Phase::Steady);
        assert_eq!(renewed.signing().not_after(), at(191 * HOUR));
        for (name, root, leaf, hour) in [
            ("old root, old leaf", old_root, &before, 92),
            ("old root, new leaf", old_root, &after, 92),
            ("new root, old leaf", new_root, &before, 92),
            ("new root, new leaf", new_root, &after, 92),
            ("new root, new leaf, later", new_root, &after, 110),
        ] {
            let name = format!("{key_type:?}: {name}");
            assert!(accepts(std::slice::from_ref(root), leaf, hour * HOUR), "{name}");
            verify_with_webpki(root, leaf, at(hour * HOUR), &name);
            check_strictly(&parse(root), &parse(&leaf.chain[0]), &name);
        }
        let only_old = std::slice::from_ref(old_root);
        assert!(!accepts(only_old, &after, 101 * HOUR), "{key_type:?}: an expired root is none");
        assert!(accepts(&roots, &after, 101 * HOUR), "{key_type:?}: but does not disturb");
        let again = authority
            .renew(life, at(101 * HOUR), &mut RandomSerials)
            .unwrap();
        assert_eq!(again.roots().certificates.len(), 2, "{key_type:?}: the expired one is gone");
    }
}

#[test]
fn only_a_root_is_renewed() {
    let key = Arc::new(KeyPair::generate(KeyType::P256).unwrap());
    let day = Duration::from_secs(24 * HOUR);
    let below = a_root()
        .intermediate(key, day, at(0), &mut RandomSerials)
        .unwrap();
    let error = Rotation::steady(below)
        .renew(day, &Ledger::new(), at(0), &mut RandomSerials)
        .unwrap_err();
    assert!(matches!(error, RotationError::NotSelfSigned), "{error:?}");
    assert_eq!(error.reason(), "rotation_not_self_signed");
}

#[test]
fn a_root_with_a_path_length_does_not_lose_it() {
    let (certificate, key) =
        (include_bytes!("data/root-path-length.pem"), include_bytes!("data/p256.pkcs8.pem"));
    let pem = AuthorityPem::root(certificate, key);
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    let root = Authority::from_pem(domain(), &pem, algorithms, at(0)).unwrap();
    let error = Rotation::steady(root)
        .renew(Duration::from_secs(HOUR), &Ledger::new(), at(0), &mut RandomSerials)
        .unwrap_err();
    assert!(matches!(error, RotationError::Constrained), "{error:?}");
    assert_eq!(error.reason(), "rotation_constrained");
}

#[test]
fn an_intermediate_follows_another_under_the_same_root() {
    let root = a_root();
    let below = || {
        let key = Arc::new(KeyPair::generate(KeyType::P256).unwrap());
        root.intermediate(key, Duration::from_secs(24 * HOUR), at(0), &mut RandomSerials)
            .unwrap()
    };
    let rotation = Rotation::steady(below()).prepare(below(), at(0)).unwrap();
    assert_eq!(rotation.roots().certificates, root.roots(), "one root, once");
    let rotation = rotation.activate(&Ledger::new(), at(0), Required).unwrap();
    assert_eq!(rotation.roots().certificates, root.roots());
}

/// What may happen to a fleet.
#[derive(Clone, Copy, Debug)]
enum Event {
    Issue { life: u64 },
    Pass { seconds: u64 },
    Take(Step),
}

/// A holder: the key its chain ends in, the keys of the roots that came with it, and its end.
struct Holder {
    signer: PublicKey,
    trusted: Vec<PublicKey>,
    not_after: u64,
}

proptest! {
    /// As long as no step is overridden, everybody accepts everybody, whatever happens in whichever order.
    #[test]
    fn the_rule_is_sound(events in proptest::collection::vec(event(), 1..60)) {
        check_rule(&events);
    }
}

fn check_rule(events: &[Event]) {
    let mut rotation = Rotation::steady(quick_authority());
    let (mut ledger, mut now, mut holders, mut serial) = (Ledger::new(), 0, Vec::new(), 0_u128);
    for event in events {
        match *event {
            Event::Pass { seconds } => now += seconds,
            Event::Issue { life } => {
                serial += 1;
                let number = Serial::new(serial.to_be_bytes()).unwrap();
                let end = now + life;
                ledger
                    .record(LedgerEntry::new(number, id("a"), at(end), rotation.generation()))
                    .unwrap();
                let signer = rotation.signing().signer().public_key().clone();
                holders.push(Holder { signer, trusted: trusted(&rotation), not_after: end });
            }
            Event::Take(step) => {
                let ready = rotation.ready(step, &ledger, at(now));
                let next = take_at(&rotation, step, &ledger, now, Required);
                assert_eq!(ready.is_ok(), next.is_ok(), "{events:?}");
                rotation = next.unwrap_or(rotation);
            }
        }
        holders.retain(|holder| holder.not_after >= now);
        let newest = trusted(&rotation);
        for one in &holders {
            assert!(newest.contains(&one.signer), "rejected by the newest: {events:?}");
            assert!(
                one.trusted
                    .contains(rotation.signing().signer().public_key()),
                "rejects the newest: {events:?}"
            );
            assert!(
                holders
                    .iter()
                    .all(|other| one.trusted.contains(&other.signer)),
                "{events:?}"
            );
        }
    }
}

fn event() -> impl Strategy<Value = Event> {
    let step = prop_oneof![
        2 => Just(Step::Prepare),
        3 => Just(Step::Activate),
        3 => Just(Step::Retire),
        4 => Just(Step::Back),
        1 => Just(Step::Forget),
        1 => Just(Step::Renew),
    ];
    prop_oneof![
        3 => (0_u64..40).prop_map(|life| Event::Issue { life }),
        2 => (1_u64..30).prop_map(|seconds| Event::Pass { seconds }),
        6 => step.prop_map(Event::Take),
    ]
}

fn trusted(rotation: &Rotation) -> Vec<PublicKey> {
    let roots = rotation.roots().certificates;
    roots
        .iter()
        .map(|root| PublicKey::from_spki(parse(root).public_key().raw).unwrap())
        .collect()
}

fn take(
    rotation: &Rotation,
    step: Step,
    ledger: &Ledger,
    readiness: Readiness,
) -> Result<Rotation, RotationError> {
    take_at(rotation, step, ledger, 0, readiness)
}

fn take_at(
    rotation: &Rotation,
    step: Step,
    ledger: &Ledger,
    now: u64,
    readiness: Readiness,
) -> Result<Rotation, RotationError> {
    match step {
        Step::Prepare => rotation.prepare(quick_authority(), at(now)),
        Step::Activate => rotation.activate(ledger, at(now), readiness),
        Step::Retire => rotation.retire(ledger, at(now), readiness),
        Step::Back => rotation.back(ledger, at(now), readiness),
        Step::Forget => rotation.forget(),
        Step::Renew => {
            rotation.renew(Duration::from_secs(1 << 30), ledger, at(now), &mut RandomSerials)
        }
        other => panic!("no such step: {other}"),
    }
}

fn in_phase(phase: Phase) -> Rotation {
    let mut rotation = Rotation::steady(a_root());
    for step in [Step::Prepare, Step::Activate, Step::Retire] {
        if rotation.phase() != phase {
            rotation = take(&rotation, step, &Ledger::new(), Required).unwrap();
        }
    }
    assert_eq!(rotation.phase(), phase);
    rotation
}

fn accepts(roots: &[CertificateDer<'static>], svid: &IssuedSvid, now: u64) -> bool {
    let bundles = TrustBundles::new([TrustBundle::new(domain(), roots.to_vec()).unwrap()]);
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    [Usage::Client, Usage::Server].into_iter().all(|usage| {
        let rules = Validation::new(&bundles, &AcceptedDomains::Any, algorithms, usage, at(now));
        validate(&svid.chain, &rules).is_ok()
    })
}

fn verify_with_webpki(root: &CertificateDer<'_>, svid: &IssuedSvid, now: UnixTime, name: &str) {
    let anchors = [webpki::anchor_from_trusted_cert(root).unwrap()];
    let leaf = webpki::EndEntityCert::try_from(&svid.chain[0]).unwrap();
    let usage = webpki::KeyUsage::client_auth();
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    leaf.verify_for_usage(algorithms, &anchors, &svid.chain[1..], now, usage, None, None)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
}

/// What `openssl verify -x509_strict` compares beyond the signature: the names and both key identifiers.
fn check_strictly(root: &X509Certificate<'_>, leaf: &X509Certificate<'_>, name: &str) {
    use x509_parser::extensions::ParsedExtension::{AuthorityKeyIdentifier, SubjectKeyIdentifier};
    let subject = root
        .extensions()
        .iter()
        .find_map(|it| match it.parsed_extension() {
            SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            _ => None,
        });
    let issuer = leaf
        .extensions()
        .iter()
        .find_map(|it| match it.parsed_extension() {
            AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0.to_vec()),
            _ => None,
        });
    assert!(subject.is_some(), "{name}");
    assert_eq!(issuer, subject, "{name}");
    assert_eq!(leaf.issuer().as_raw(), root.subject().as_raw(), "{name}");
}

fn issue(
    authority: &RotatingAuthority,
    id: &SpiffeId,
    ttl: u64,
    now: u64,
) -> Result<IssuedSvid, IssueError> {
    let key = KeyPair::generate(KeyType::P256).unwrap();
    let request = IssueRequest::new(key.public_key(), id).with_ttl(Duration::from_secs(ttl));
    authority.issue(&request, at(now), &mut RandomSerials)
}

fn a_root() -> Authority {
    with_lifetime(10_000 * HOUR)
}

fn with_lifetime(seconds: u64) -> Authority {
    let options = AuthorityOptions::default().with_lifetime(Duration::from_secs(seconds));
    Authority::self_signed(domain(), &options, at(0), &mut RandomSerials).unwrap()
}

fn quick_authority() -> Authority {
    let options = AuthorityOptions::default().with_key_type(KeyType::Ed25519);
    Authority::self_signed(domain(), &options, at(0), &mut RandomSerials).unwrap()
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

fn parse<'a>(der: &'a CertificateDer<'_>) -> X509Certificate<'a> {
    X509Certificate::from_der(der).unwrap().1
}

fn id(name: &str) -> SpiffeId {
    format!("spiffe://prod.example/ns/pay/sa/{name}")
        .parse()
        .unwrap()
}

fn domain() -> TrustDomain {
    "prod.example".parse().unwrap()
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(START + seconds))
}
