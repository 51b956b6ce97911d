//! Authorities from certificates and keys that OpenSSL made, and from those made here.

#![cfg(all(feature = "authority", any(feature = "ring", feature = "aws-lc-rs")))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use meshtls_ca::{
    Authority, AuthorityPem, FromPemError, IssueError, KeyPair, KeyType, LoadAuthorityError,
    RandomSerials,
};
use meshtls_identity::{AcceptedDomains, SpiffeId, TrustDomain};
use meshtls_svid::{TrustBundles, Usage, Validation, validate};
use rustls_pki_types::UnixTime;

#[test]
fn authorities_of_openssl_issue() {
    for (name, pem, certificates) in [
        ("RSA root, key in PKCS #8", AuthorityPem::root(RSA_ROOT, RSA_KEY), 1),
        ("RSA root, key in PKCS #1", AuthorityPem::root(RSA_ROOT, RSA_PKCS1), 1),
        ("Ed25519 root, three name parts", AuthorityPem::root(ED25519_ROOT, ED25519_KEY), 1),
        ("root without key identifier", AuthorityPem::root(NO_KEY_ID, P256_KEY), 1),
        ("intermediate", intermediate(b"", RSA_ROOT), 2),
        ("chain with leaf and root in it", intermediate(CHAIN, RSA_ROOT), 2),
        ("two roots", intermediate(b"", &[ED25519_ROOT, RSA_ROOT].concat()), 2),
        ("key in SEC 1", AuthorityPem::intermediate(INTERMEDIATE, P384_SEC1, b"", RSA_ROOT), 2),
        (
            "chain beside its certificate",
            AuthorityPem::intermediate(CHAIN, P384_KEY, b"", RSA_ROOT),
            2,
        ),
    ] {
        let authority = load(&pem, now()).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let svid = authority
            .issue_svid(&ledger(), KeyType::P256, None, now(), &mut RandomSerials)
            .unwrap();
        assert_eq!(svid.chain().len(), certificates, "{name}");
        for usage in [Usage::Client, Usage::Server] {
            let bundles = TrustBundles::new([authority.trust_bundle()]);
            let algorithms = webpki::ALL_VERIFICATION_ALGS;
            let rules = Validation::new(&bundles, &AcceptedDomains::Any, algorithms, usage, now());
            let valid = validate(svid.chain(), &rules).unwrap();
            assert_eq!(valid.id(), &ledger(), "{name}");
        }
    }
}

#[test]
fn what_is_refused() {
    let year_2200 = UnixTime::since_unix_epoch(Duration::from_secs(7_258_118_400));
    for (name, pem, at, want) in [
        (
            "no certificate",
            AuthorityPem::root(b"", P256_KEY),
            now(),
            "no signing certificate in its PEM",
        ),
        ("no key", AuthorityPem::root(RSA_ROOT, b""), now(), "the signing key cannot be used"),
        ("broken chain", intermediate(BROKEN, RSA_ROOT), now(), "the chain is not valid PEM"),
        ("broken roots", intermediate(b"", BROKEN), now(), "the roots are not valid PEM"),
        ("no roots", intermediate(b"", b""), now(), "the roots are not a trust bundle"),
        (
            "malformed",
            AuthorityPem::intermediate(GARBAGE, P256_KEY, b"", RSA_ROOT),
            now(),
            "the signing certificate is malformed",
        ),
        (
            "another's key",
            AuthorityPem::root(RSA_ROOT, P256_KEY),
            now(),
            "the key does not belong to the signing certificate",
        ),
        (
            "a leaf",
            AuthorityPem::intermediate(NOT_A_CA, P256_KEY, b"", RSA_ROOT),
            now(),
            "the signing certificate is not a certificate authority",
        ),
        (
            "signs CRLs only",
            AuthorityPem::intermediate(CRL_ONLY, P256_KEY, b"", RSA_ROOT),
            now(),
            "the signing certificate is not a certificate authority",
        ),
        ("attribute twice", AuthorityPem::root(TWO_DCS, P256_KEY), now(), UNWRITABLE),
        ("two attributes in a part", AuthorityPem::root(TWO_IN_ONE, P256_KEY), now(), UNWRITABLE),
        ("old string type", AuthorityPem::root(BMP_NAME, P256_KEY), now(), UNWRITABLE),
        ("no name", AuthorityPem::root(EMPTY_NAME, P256_KEY), now(), UNWRITABLE),
        (
            "P-521",
            AuthorityPem::intermediate(P521_ROOT, P256_KEY, b"", RSA_ROOT),
            now(),
            "the signing certificate's key is refused",
        ),
        ("expired", AuthorityPem::root(RSA_ROOT, RSA_KEY), year_2200, "the authority cannot issue"),
        (
            "a root that nobody trusts",
            AuthorityPem::intermediate(NO_KEY_ID, P256_KEY, b"", RSA_ROOT),
            now(),
            "what the authority issues is rejected under its own roots",
        ),
        (
            "another's intermediate",
            intermediate(b"", ED25519_ROOT),
            now(),
            "what the authority issues is rejected under its own roots",
        ),
    ] {
        let error = load(&pem, at)
            .err()
            .unwrap_or_else(|| panic!("{name}: was taken"));
        assert_eq!(error.to_string(), want, "{name}: {error:?}");
    }
}

#[test]
fn causes_are_kept() {
    let year_2200 = UnixTime::since_unix_epoch(Duration::from_secs(7_258_118_400));
    let expired = load(&AuthorityPem::root(RSA_ROOT, RSA_KEY), year_2200).unwrap_err();
    let FromPemError::Load(LoadAuthorityError::Issue(cause)) = expired else {
        panic!("{expired:?}");
    };
    assert!(matches!(cause, IssueError::SignerExpired { .. }), "{cause:?}");

    let untrusted = load(&intermediate(b"", ED25519_ROOT), now()).unwrap_err();
    let cause = untrusted.source().unwrap().to_string();
    assert_eq!(
        cause,
        "no authority of `prod.example` issued the chain of `spiffe://prod.example/a`"
    );
}

#[test]
fn an_authority_made_here_is_loaded_again() {
    let key = Arc::new(KeyPair::generate(KeyType::P256).unwrap());
    let day = Duration::from_secs(86_400);
    let mut serials = RandomSerials;
    let root = Authority::self_signed_with(
        domain(),
        Arc::<KeyPair>::clone(&key),
        day,
        now(),
        &mut serials,
    )
    .unwrap();
    let below_key = Arc::new(KeyPair::generate(KeyType::Ed25519).unwrap());
    let below = root
        .intermediate(Arc::<KeyPair>::clone(&below_key), day, now(), &mut serials)
        .unwrap();
    for (name, authority, key) in [("root", root, key), ("intermediate", below, below_key)] {
        let again = Authority::load(
            domain(),
            key,
            authority.certificate().clone(),
            authority.intermediates().to_vec(),
            authority.roots().to_vec(),
            webpki::ALL_VERIFICATION_ALGS,
            now(),
        )
        .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(again.not_after(), authority.not_after(), "{name}");
        assert_eq!(again.intermediates(), authority.intermediates(), "{name}");
    }
}

#[test]
fn an_authority_of_another_trust_domain_is_refused() {
    let key = Arc::new(KeyPair::generate(KeyType::P256).unwrap());
    let other: TrustDomain = "other.example".parse().unwrap();
    let root = Authority::self_signed_with(
        other,
        Arc::<KeyPair>::clone(&key),
        Duration::from_secs(86_400),
        now(),
        &mut RandomSerials,
    )
    .unwrap();
    let error = Authority::load(
        domain(),
        key,
        root.certificate().clone(),
        vec![],
        root.roots().to_vec(),
        webpki::ALL_VERIFICATION_ALGS,
        now(),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the signing certificate is of the trust domain other.example, not prod.example"
    );
}

/// The path length of the intermediate is zero.
#[test]
fn a_path_that_is_too_long_is_not_begun() {
    let authority = load(&intermediate(b"", RSA_ROOT), now()).unwrap();
    let key = Arc::new(KeyPair::generate(KeyType::P256).unwrap());
    let day = Duration::from_secs(86_400);
    let error = authority
        .intermediate(key, day, now(), &mut RandomSerials)
        .unwrap_err();
    assert_eq!(error.reason(), "path_length");
}

fn load(pem: &AuthorityPem<'_>, now: UnixTime) -> Result<Authority, FromPemError> {
    Authority::from_pem(domain(), pem, webpki::ALL_VERIFICATION_ALGS, now)
}

fn intermediate<'a>(chain: &'a [u8], roots: &'a [u8]) -> AuthorityPem<'a> {
    AuthorityPem::intermediate(INTERMEDIATE, P384_KEY, chain, roots)
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

const UNWRITABLE: &str =
    "the signing certificate's subject is of a form that cannot be written as an issuer";
const BROKEN: &[u8] = b"-----BEGIN CERTIFICATE-----\nAAAA\n";
const GARBAGE: &[u8] = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

const RSA_ROOT: &[u8] = include_bytes!("data/root-rsa.pem");
const RSA_KEY: &[u8] = include_bytes!("data/rsa2048.pkcs8.pem");
const RSA_PKCS1: &[u8] = include_bytes!("data/rsa2048.pkcs1.pem");
const ED25519_ROOT: &[u8] = include_bytes!("data/root-ed25519.pem");
const ED25519_KEY: &[u8] = include_bytes!("data/ed25519.pkcs8.pem");
const INTERMEDIATE: &[u8] = include_bytes!("data/intermediate-p384.pem");
const CHAIN: &[u8] = include_bytes!("data/cert-chain.pem");
const P384_KEY: &[u8] = include_bytes!("data/p384.pkcs8.pem");
const P384_SEC1: &[u8] = include_bytes!("data/p384.sec1.pem");
const P256_KEY: &[u8] = include_bytes!("data/p256.pkcs8.pem");
const NO_KEY_ID: &[u8] = include_bytes!("data/root-no-key-id.pem");
const NOT_A_CA: &[u8] = include_bytes!("data/not-a-ca.pem");
const CRL_ONLY: &[u8] = include_bytes!("data/crl-only.pem");
const TWO_DCS: &[u8] = include_bytes!("data/root-two-dcs.pem");
const TWO_IN_ONE: &[u8] = include_bytes!("data/root-two-in-one.pem");
const BMP_NAME: &[u8] = include_bytes!("data/root-bmp-name.pem");
const EMPTY_NAME: &[u8] = include_bytes!("data/root-empty-name.pem");
const P521_ROOT: &[u8] = include_bytes!("data/root-p521.pem");
