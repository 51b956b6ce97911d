//! What the authority issues: the profile field by field, and two independent verifiers.

#![cfg(all(feature = "authority", any(feature = "ring", feature = "aws-lc-rs")))]
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use meshtls_ca::{
    Authority, AuthorityOptions, IssueError, IssueRequest, KeyPair, KeyType, PublicKey,
    RandomSerials, Serial, SerialError, SerialSource, SignError, Signer,
};
use meshtls_identity::{AcceptedDomains, SpiffeId, TrustDomain};
use meshtls_svid::{TrustBundles, Usage, Validation, validate};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer as _;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn every_key_type_with_and_without_intermediate_is_verified_twice() {
    for root_type in key_types() {
        let root = authority(root_type);
        let below = root
            .intermediate(Arc::new(KeyPair::generate(root_type).unwrap()), DAY, now(), &mut Ones(1))
            .unwrap();
        for (place, authority) in [("root", &root), ("intermediate", &below)] {
            for leaf_type in key_types() {
                let name = format!("{root_type:?} {place} signs {leaf_type:?}");
                let svid = authority
                    .issue_svid(&ledger(), leaf_type, None, now(), &mut Ones(7))
                    .unwrap();
                verify(svid.chain(), authority, &name);
                assert_eq!(svid.id(), &ledger(), "{name}");
            }
        }
    }
}

#[test]
fn the_profile_of_an_x509_svid() {
    let root = authority(KeyType::P256);
    let key = KeyPair::generate(KeyType::P256).unwrap();
    let chain = root
        .issue(&IssueRequest::new(key.public_key(), &ledger()), now(), &mut Ones(0xfe))
        .unwrap();
    let [leaf] = chain.as_slice() else { panic!("a root issues a chain of one") };
    let leaf = parse(leaf);
    let signer = parse(root.certificate());

    assert_eq!(leaf.version().0, 2, "v3");
    assert_eq!(leaf.raw_serial(), [[0].as_slice(), &[0xfe; 16]].concat(), "positive, 128 bits");
    assert_eq!(leaf.subject().iter().count(), 0, "empty subject");
    assert_eq!(leaf.issuer().as_raw(), signer.subject().as_raw());
    assert_eq!(leaf.public_key().raw, key.public_key().spki().as_ref());
    let validity = leaf.validity();
    assert_eq!(seconds(validity.not_before.timestamp()), now().as_secs() - 120);
    assert_eq!(seconds(validity.not_after.timestamp()), now().as_secs() + 24 * 3600);

    let mut seen = vec![];
    for extension in leaf.extensions() {
        let name = match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                let issuer = id.key_identifier.as_ref().unwrap().0;
                assert_eq!(issuer, key_id(&signer), "the issuer's subject key identifier");
                "authority key identifier"
            }
            ParsedExtension::SubjectAlternativeName(names) => {
                assert_eq!(names.general_names, [GeneralName::URI(ledger().as_str())]);
                "subject alternative name"
            }
            ParsedExtension::KeyUsage(usage) => {
                assert_eq!(usage.flags, 0b101, "digitalSignature and keyEncipherment");
                "key usage"
            }
            ParsedExtension::ExtendedKeyUsage(usage) => {
                assert!(usage.server_auth && usage.client_auth && !usage.any, "{usage:?}");
                assert!(!usage.code_signing && usage.other.is_empty(), "{usage:?}");
                "extended key usage"
            }
            ParsedExtension::SubjectKeyIdentifier(id) => {
                assert_eq!(id.0.len(), 20);
                assert_ne!(id.0, key_id(&signer), "a key identifier of its own");
                "subject key identifier"
            }
            ParsedExtension::BasicConstraints(constraints) => {
                assert!(!constraints.ca && constraints.path_len_constraint.is_none());
                "basic constraints"
            }
            other => panic!("not in the profile: {other:?}"),
        };
        seen.push((name, extension.critical));
    }
    let want = [
        ("authority key identifier", false),
        ("subject alternative name", true),
        ("key usage", true),
        ("extended key usage", false),
        ("subject key identifier", false),
        ("basic constraints", true),
    ];
    assert_eq!(seen, want);
}

#[test]
fn the_profile_of_a_root_and_of_an_intermediate() {
    let root = authority(KeyType::P384);
    let key = Arc::new(KeyPair::generate(KeyType::P256).unwrap());
    let below = root.intermediate(key, DAY, now(), &mut Ones(2)).unwrap();
    for (name, certificate, life, path_length) in [
        ("root", root.certificate(), Authority::DEFAULT_ROOT_LIFETIME, None),
        ("intermediate", below.certificate(), DAY, Some(0)),
    ] {
        let certificate = parse(certificate);
        let constraints = certificate.basic_constraints().unwrap().unwrap();
        assert!(constraints.critical && constraints.value.ca, "{name}");
        assert_eq!(constraints.value.path_len_constraint, path_length, "{name}");
        let usage = certificate.key_usage().unwrap().unwrap();
        assert!(usage.critical, "{name}");
        assert_eq!(usage.value.flags, 0b110_0000, "keyCertSign and cRLSign: {name}");
        let names = certificate.subject_alternative_name().unwrap().unwrap();
        assert_eq!(names.value.general_names, [GeneralName::URI("spiffe://prod.example")]);
        assert!(!names.critical, "{name}: there is a subject");
        let organization = certificate.subject().iter_organization().next().unwrap();
        assert_eq!(organization.as_str().unwrap(), "prod.example", "{name}");
        let validity = certificate.validity();
        assert_eq!(seconds(validity.not_before.timestamp()), now().as_secs() - 120, "{name}");
        let end = now().as_secs() + life.as_secs();
        assert_eq!(seconds(validity.not_after.timestamp()), end, "{name}");
    }
    assert_ne!(parse(root.certificate()).subject(), parse(below.certificate()).subject());
    assert_eq!(below.intermediates(), [below.certificate().clone()]);
    assert_eq!(below.roots(), root.roots());
}

#[test]
fn two_roots_of_one_domain_have_names_of_their_own() {
    let (one, other) = (authority(KeyType::P256), authority(KeyType::P256));
    assert_ne!(parse(one.certificate()).subject(), parse(other.certificate()).subject());
}

#[test]
fn a_life_is_asked_for_bounded_and_clamped() {
    let root = authority(KeyType::P256);
    let key = KeyPair::generate(KeyType::P256).unwrap();
    let end = root.not_after();
    for (name, ttl, at, want) in [
        ("nothing asked: a day", None, now(), Ok(plus(now(), DAY))),
        ("zero: a day", Some(Duration::ZERO), now(), Ok(plus(now(), DAY))),
        ("an hour", Some(HOUR), now(), Ok(plus(now(), HOUR))),
        ("90 days", Some(90 * DAY), now(), Ok(plus(now(), 90 * DAY))),
        ("more", Some(90 * DAY + Duration::from_secs(1)), now(), Err("ttl_too_long")),
        ("for ever", Some(Duration::MAX), now(), Err("ttl_too_long")),
        ("clamped to the signer's end", None, minus(end, HOUR), Ok(end)),
        ("the signer's last second", None, end, Ok(end)),
        ("after it", None, plus(end, Duration::from_secs(1)), Err("signer_expired")),
        ("before its first", None, minus(now(), HOUR), Err("signer_not_yet_valid")),
    ] {
        let id = ledger();
        let mut request = IssueRequest::new(key.public_key(), &id);
        if let Some(ttl) = ttl {
            request = request.with_ttl(ttl);
        }
        let got = root
            .issue(&request, at, &mut Ones(3))
            .map(|chain| seconds(parse(&chain[0]).validity().not_after.timestamp()))
            .map_err(|error| error.reason());
        assert_eq!(got, want.map(|time| time.as_secs()), "{name}");
    }
}

#[test]
fn an_id_that_is_not_a_workload_of_the_domain_is_refused() {
    let root = authority(KeyType::P256);
    let key = KeyPair::generate(KeyType::P256).unwrap();
    for (id, want) in [
        ("spiffe://other.example/ns/pay/sa/ledger", "foreign_trust_domain"),
        ("spiffe://prod.example.evil/ns/pay/sa/ledger", "foreign_trust_domain"),
        ("spiffe://example/ns/pay/sa/ledger", "foreign_trust_domain"),
        ("spiffe://prod.example", "id_without_path"),
    ] {
        let id: SpiffeId = id.parse().unwrap();
        let got = root.issue(&IssueRequest::new(key.public_key(), &id), now(), &mut Ones(3));
        assert_eq!(got.unwrap_err().reason(), want, "{id}");
    }
}

#[test]
fn without_a_serial_nothing_is_issued() {
    #[derive(Debug)]
    struct Empty;
    impl SerialSource for Empty {
        fn next_serial(&mut self) -> Result<Serial, SerialError> {
            Err(SerialError::new("none left"))
        }
    }
    let root = authority(KeyType::P256);
    let key = KeyPair::generate(KeyType::P256).unwrap();
    let error = root
        .issue(&IssueRequest::new(key.public_key(), &ledger()), now(), &mut Empty)
        .unwrap_err();
    assert!(matches!(error, IssueError::Serial(_)), "{error:?}");
    assert_eq!(error.reason(), "no_serial");
    assert_eq!(Serial::new([0; 16]), None, "zero is no serial");
}

#[test]
fn random_serials_differ() {
    let serials: Vec<_> = (0..100)
        .map(|_| RandomSerials.next_serial().unwrap())
        .collect();
    let distinct: std::collections::BTreeSet<_> = serials.iter().collect();
    assert_eq!(distinct.len(), 100);
    assert_eq!(Serial::new([0xab; 16]).unwrap().to_string(), "ab".repeat(16));
}

#[test]
fn the_cause_of_a_failed_signature_is_kept() {
    #[derive(Debug)]
    struct Unreachable(KeyPair);
    impl Signer for Unreachable {
        fn public_key(&self) -> &PublicKey {
            self.0.public_key()
        }
        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignError> {
            Err(SignError::new("the KMS does not answer"))
        }
    }
    let key = KeyPair::generate(KeyType::P256).unwrap();
    let error =
        Authority::self_signed_with(domain(), Arc::new(Unreachable(key)), DAY, now(), &mut Ones(1))
            .unwrap_err();
    let IssueError::Sign(error) = error else { panic!("{error:?}") };
    assert_eq!(error.source().unwrap().to_string(), "the KMS does not answer");
}

/// Our own validation for both ends of a connection, and webpki alone.
fn verify(chain: &[CertificateDer<'_>], authority: &Authority, name: &str) {
    let bundles = TrustBundles::new([authority.trust_bundle()]);
    for usage in [Usage::Client, Usage::Server] {
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        let rules = Validation::new(&bundles, &AcceptedDomains::Any, algorithms, usage, now());
        let valid = validate(chain, &rules).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(valid.id(), &ledger(), "{name}");
    }
    let anchors: Vec<_> = authority
        .roots()
        .iter()
        .map(|root| webpki::anchor_from_trusted_cert(root).unwrap())
        .collect();
    let leaf = webpki::EndEntityCert::try_from(&chain[0]).unwrap();
    for usage in [webpki::KeyUsage::client_auth(), webpki::KeyUsage::server_auth()] {
        leaf.verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &anchors,
            &chain[1..],
            now(),
            usage,
            None,
            None,
        )
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

fn key_types() -> Vec<KeyType> {
    let mut types = vec![KeyType::P256, KeyType::P384, KeyType::Ed25519];
    if cfg!(feature = "aws-lc-rs") {
        types.push(KeyType::Rsa2048);
    }
    types
}

fn authority(key_type: KeyType) -> Authority {
    let options = AuthorityOptions::default().with_key_type(key_type);
    Authority::self_signed(domain(), &options, now(), &mut Ones(1)).unwrap()
}

/// The same serial number again and again, all bytes alike.
struct Ones(u8);

impl SerialSource for Ones {
    fn next_serial(&mut self) -> Result<Serial, SerialError> {
        Serial::new([self.0; 16]).ok_or_else(|| SerialError::new("zero"))
    }
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> X509Certificate<'a> {
    X509Certificate::from_der(der).unwrap().1
}

fn key_id<'a>(certificate: &'a X509Certificate<'_>) -> &'a [u8] {
    let mut ids = certificate.extensions().iter().filter_map(|extension| {
        match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0),
            _ => None,
        }
    });
    ids.next().unwrap()
}

fn domain() -> TrustDomain {
    "prod.example".parse().unwrap()
}

fn ledger() -> SpiffeId {
    "spiffe://prod.example/ns/pay/sa/ledger".parse().unwrap()
}

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000))
}

fn plus(time: UnixTime, by: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(time.as_secs()) + by)
}

fn minus(time: UnixTime, by: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(time.as_secs()) - by)
}

fn seconds(timestamp: i64) -> u64 {
    timestamp.try_into().unwrap()
}
