//! An offline root signs the request of an issuing authority, which then issues under it.

#![cfg(all(feature = "authority", any(feature = "ring", feature = "aws-lc-rs")))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use meshtls_ca::{
    Authority, AuthorityOptions, IntermediateTerms, IssueError, KeyPair, KeyType,
    LoadAuthorityError, NameLimit, RandomSerials, Signer as _, csr,
};
use meshtls_identity::{AcceptedDomains, SpiffeId, TrustDomain};
use meshtls_svid::{RejectSvid, TrustBundles, Usage, Validation, validate};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer as _;

const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn an_offline_root_signs_the_request_of_an_issuing_authority() {
    let root = root();
    // On the machine that issues: a key, and a request for it.
    let key = Arc::new(KeyPair::generate(KeyType::P256).unwrap());
    let request = csr::build(key.as_ref()).unwrap();
    // At the root: a proof of possession, and terms.
    let public_key = csr::check(&request, webpki::ALL_VERIFICATION_ALGS).unwrap();
    let upward = root
        .sign_intermediate(&public_key, &IntermediateTerms::new(DAY), now(), &mut RandomSerials)
        .unwrap();
    // Back again.
    let issuing = load(key, &upward, root.roots()).unwrap();
    assert_eq!(issuing.not_after(), plus(DAY));
    let svid = issuing
        .issue_svid(&ledger(), KeyType::P256, None, now(), &mut RandomSerials)
        .unwrap();
    assert_eq!(svid.chain()[1..], upward, "leaf, intermediates upward, no root");
    assert_eq!(valid(svid.chain(), &issuing).unwrap(), ledger());
    assert_eq!(path_length(&upward[0]), Some(0), "signs leaves only");
}

#[test]
fn path_lengths_fit_into_those_above() {
    let root = root();
    let below = |above: &Authority, length: u8| {
        let key = Arc::new(KeyPair::generate(KeyType::P256).unwrap());
        let terms = IntermediateTerms::new(DAY).with_path_length(length);
        let upward =
            above.sign_intermediate(key.public_key(), &terms, now(), &mut RandomSerials)?;
        assert_eq!(path_length(&upward[0]), Some(u32::from(length)));
        Ok::<_, IssueError>(load(key, &upward, above.roots()).unwrap())
    };
    let two = below(&root, 2).unwrap();
    let one = below(&two, 1).unwrap();
    let none = below(&one, 0).unwrap();
    for (name, above, length, want) in [
        ("an unlimited root", &root, 255, None),
        ("as many as its own", &two, 2, Some((2, 2))),
        ("more than its own", &two, 3, Some((3, 2))),
        ("fewer than it may", &two, 0, None),
        ("one too many", &one, 1, Some((1, 1))),
        ("below one that signs leaves", &none, 0, Some((0, 0))),
    ] {
        let got = match below(above, length) {
            Ok(_) => None,
            Err(IssueError::PathLength { wanted, allowed }) => Some((wanted, allowed)),
            Err(other) => unreachable!("{name}: {other:?}"),
        };
        assert_eq!(got, want, "{name}");
    }
    let key = Arc::new(KeyPair::generate(KeyType::P256).unwrap());
    let refused = none
        .intermediate(key, DAY, now(), &mut RandomSerials)
        .unwrap_err();
    assert_eq!(refused.reason(), "path_length");

    let svid = none
        .issue_svid(&ledger(), KeyType::P256, None, now(), &mut RandomSerials)
        .unwrap();
    assert_eq!(svid.chain().len(), 4);
    assert_eq!(valid(svid.chain(), &none).unwrap(), ledger());
}

/// The one above the signer allows one below it, which the signer is, whatever the signer itself allows.
#[test]
fn the_limit_of_one_further_up_counts() {
    let root = root();
    let (upper, lower) = (key(), key());
    let terms = IntermediateTerms::new(DAY).with_path_length(1);
    let upward = root
        .sign_intermediate(upper.public_key(), &terms, now(), &mut RandomSerials)
        .unwrap();
    let upper = load(upper, &upward, root.roots()).unwrap();
    // Another root that knows no limit has signed the lower one, which is presented under the upper one.
    let other = self::root();
    let terms = IntermediateTerms::new(DAY).with_path_length(9);
    let signed = other
        .sign_intermediate(lower.public_key(), &terms, now(), &mut RandomSerials)
        .unwrap();
    let above = [&signed[..], upper.intermediates()].concat();
    let roots = [other.roots(), root.roots()].concat();
    let lower = load(lower, &above, &roots).unwrap();
    let refused = lower.sign_intermediate(
        key().public_key(),
        &IntermediateTerms::new(DAY),
        now(),
        &mut RandomSerials,
    );
    let Err(IssueError::PathLength { wanted: 0, allowed: 0 }) = refused else {
        unreachable!("{refused:?}")
    };
}

#[test]
fn an_intermediate_lives_no_longer_than_its_signer() {
    let root = root();
    let signed = |lifetime, now| {
        let terms = IntermediateTerms::new(lifetime);
        root.sign_intermediate(key().public_key(), &terms, now, &mut RandomSerials)
    };
    let upward = signed(Duration::MAX, now()).unwrap();
    let parsed = X509Certificate::from_der(&upward[0]).unwrap().1;
    let end = u64::try_from(parsed.validity().not_after.timestamp()).unwrap();
    assert_eq!(end, root.not_after().as_secs());
    let after = UnixTime::since_unix_epoch(Duration::from_secs(end + 1));
    assert_eq!(signed(DAY, after).unwrap_err().reason(), "signer_expired");
    let before = UnixTime::since_unix_epoch(Duration::from_secs(now().as_secs() - 121));
    assert_eq!(signed(DAY, before).unwrap_err().reason(), "signer_not_yet_valid");
}

/// Written as RFC 5280 wants it; webpki rejects whatever is below, and so the authority is refused when it is loaded.
#[test]
fn name_constraints_are_written_and_refused_by_webpki() {
    let long = vec!["a".repeat(63); 3].join(".");
    for domain in ["prod.example", &long] {
        let domain: TrustDomain = domain.parse().unwrap();
        let root = root_of(domain.clone());
        let key = key();
        let terms = IntermediateTerms::new(DAY).with_name_limit(NameLimit::OwnTrustDomain);
        let upward = root
            .sign_intermediate(key.public_key(), &terms, now(), &mut RandomSerials)
            .unwrap();
        let parsed = X509Certificate::from_der(&upward[0]).unwrap().1;
        let constraints = parsed.name_constraints().unwrap().unwrap();
        assert!(constraints.critical);
        assert!(constraints.value.excluded_subtrees.is_none());
        let permitted = constraints.value.permitted_subtrees.as_ref().unwrap();
        assert_eq!(permitted.len(), 1);
        assert_eq!(permitted[0].base, GeneralName::URI(domain.as_str()));
        let refused = Authority::load(
            domain,
            key,
            upward[0].clone(),
            upward,
            root.roots().to_vec(),
            webpki::ALL_VERIFICATION_ALGS,
            now(),
        );
        assert!(matches!(refused, Err(LoadAuthorityError::NameConstraints)), "{refused:?}");
    }
}

fn load(
    key: Arc<KeyPair>,
    upward: &[CertificateDer<'static>],
    roots: &[CertificateDer<'static>],
) -> Result<Authority, LoadAuthorityError> {
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    let (certificate, above) = upward.split_first().unwrap();
    let (above, roots) = (above.to_vec(), roots.to_vec());
    Authority::load(domain(), key, certificate.clone(), above, roots, algorithms, now())
}

fn valid(chain: &[CertificateDer<'_>], authority: &Authority) -> Result<SpiffeId, RejectSvid> {
    let bundles = TrustBundles::new([authority.trust_bundle()]);
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    let rules = Validation::new(&bundles, &AcceptedDomains::Any, algorithms, Usage::Client, now());
    validate(chain, &rules).map(|valid| valid.into_id())
}

fn path_length(certificate: &CertificateDer<'_>) -> Option<u32> {
    let parsed = X509Certificate::from_der(certificate).unwrap().1;
    parsed
        .extensions()
        .iter()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::BasicConstraints(constraints) => constraints.path_len_constraint,
            _ => None,
        })
}

fn key() -> Arc<KeyPair> {
    Arc::new(KeyPair::generate(KeyType::P256).unwrap())
}

fn root() -> Authority {
    root_of(domain())
}

fn root_of(domain: TrustDomain) -> Authority {
    let options = AuthorityOptions::default();
    Authority::self_signed(domain, &options, now(), &mut RandomSerials).unwrap()
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

fn plus(life: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(now().as_secs()) + life)
}
