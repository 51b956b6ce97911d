//! Lists of what is revoked: signed here, and obeyed by the validation of X509-SVIDs.

#![cfg(all(feature = "authority", any(feature = "ring", feature = "aws-lc-rs")))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use meshtls_ca::{
    Authority, AuthorityOptions, AuthorityPem, KeyPair, KeyType, Revocation, RevocationError,
    RevocationReason, Serial, SerialError, SerialSource, revocation_list_pem,
};
use meshtls_identity::{AcceptedDomains, SpiffeId};
use meshtls_svid::{RevocationListError, TrustBundle, TrustBundles, Usage, Validation, validate};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use x509_parser::prelude::FromDer as _;
use x509_parser::revocation_list::CertificateRevocationList;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

type List = CertificateRevocationListDer<'static>;

/// What the validation of an X509-SVID says, with every state that lists can be in.
#[test]
fn revoked_svids_are_rejected() {
    let Mesh { root, below, chain } = mesh();
    let of_root = |revoked: &[u8]| list(&root, revoked, now());
    let of_below = |revoked: &[u8]| list(&below, revoked, now());
    let stranger = Authority::self_signed(
        "prod.example".parse().unwrap(),
        &AuthorityOptions::default(),
        now(),
        &mut Fixed(1),
    )
    .unwrap();
    for (name, lists, want) in [
        ("nobody", vec![of_root(&[]), of_below(&[])], None),
        ("others", vec![of_root(&[9]), of_below(&[8, 9])], None),
        ("the same number of another issuer", vec![of_root(&[LEAF]), of_below(&[BELOW])], None),
        ("the leaf", vec![of_root(&[]), of_below(&[8, LEAF])], Some("revoked")),
        ("the intermediate", vec![of_root(&[BELOW]), of_below(&[])], Some("revoked")),
        ("none of the root", vec![of_below(&[])], Some("revocation_unknown")),
        ("none of the intermediate", vec![of_root(&[])], Some("revocation_unknown")),
        ("of a stranger", vec![list(&stranger, &[], now())], Some("revocation_unknown")),
        ("changed", vec![of_root(&[]), forged(of_below(&[]))], Some("revocation_list_unusable")),
        ("the first of two counts", vec![of_root(&[]), of_below(&[]), of_below(&[LEAF])], None),
    ] {
        assert_eq!(verdict(&root, &chain, &lists, now()), want, "{name}");
    }
    let lists = [of_root(&[]), of_below(&[])];
    for (name, seconds, want) in [
        ("its last second but one", 3599, None),
        ("too old", 3601, Some("revocation_list_expired")),
    ] {
        let then = UnixTime::since_unix_epoch(Duration::from_secs(now().as_secs() + seconds));
        assert_eq!(verdict(&root, &chain, &lists, then), want, "{name}");
    }
    assert_eq!(verdict(&root, &chain, &[], now()), None, "without lists nothing is looked up");
}

/// Lists of one bundle bind the other when both become one.
#[test]
fn lists_stay_when_bundles_are_joined() {
    let Mesh { root, below, chain } = mesh();
    let lists = [list(&root, &[], now()), list(&below, &[LEAF], now())];
    let with = || root.trust_bundle().with_revocation_lists(&lists).unwrap();
    for bundles in [
        TrustBundles::new([root.trust_bundle(), with()]),
        TrustBundles::new([with(), root.trust_bundle()]),
        TrustBundles::istio_flat(root.trust_bundle(), [with()]),
    ] {
        assert_eq!(check(&bundles, &chain, now()), Some("revoked"));
    }
}

#[test]
fn lists_in_pem_and_what_is_none() {
    let Mesh { root, below, chain } = mesh();
    let pem: String = [list(&root, &[], now()), list(&below, &[LEAF], now())]
        .iter()
        .map(revocation_list_pem)
        .collect();
    let bundle = root
        .trust_bundle()
        .with_revocation_pem(pem.as_bytes())
        .unwrap();
    assert_eq!(check(&TrustBundles::new([bundle]), &chain, now()), Some("revoked"));
    let with = |lists: &[List]| root.trust_bundle().with_revocation_lists(lists);
    assert_eq!(with(&[]).err(), Some(RevocationListError::Empty));
    let rubbish = [list(&root, &[], now()), b"rubbish".to_vec().into()];
    assert_eq!(with(&rubbish).err(), Some(RevocationListError::Malformed { at: 1 }));
    let no_pem = root.trust_bundle().with_revocation_pem(b"");
    assert!(matches!(no_pem, Err(RevocationListError::Pem(_))));
}

#[test]
fn what_a_list_says() {
    let root = mesh().root;
    let revoked: Vec<_> = [
        (RevocationReason::Unspecified, None),
        (RevocationReason::KeyCompromise, Some(1)),
        (RevocationReason::AuthorityCompromise, Some(2)),
        (RevocationReason::AffiliationChanged, Some(3)),
        (RevocationReason::Superseded, Some(4)),
        (RevocationReason::CessationOfOperation, Some(5)),
        (RevocationReason::PrivilegeWithdrawn, Some(9)),
    ]
    .into_iter()
    .zip(1..)
    .collect();
    let entries: Vec<_> = revoked
        .iter()
        .map(|((reason, _), number)| Revocation::new(serial(*number), now(), *reason))
        .collect();
    let der = root.revocation_list(&entries, 300, HOUR, now()).unwrap();
    let (_, list) = CertificateRevocationList::from_der(&der).unwrap();
    let signed = i64::try_from(now().as_secs()).unwrap();
    assert_eq!(list.last_update().timestamp(), signed - 120);
    assert_eq!(list.next_update().unwrap().timestamp(), signed + 3600);
    assert_eq!(list.crl_number().unwrap().to_bytes_be(), [1, 44]);
    let seen: Vec<_> = list.iter_revoked_certificates().collect();
    assert_eq!(seen.len(), revoked.len());
    for (entry, ((reason, code), number)) in seen.iter().zip(&revoked) {
        assert_eq!(entry.raw_serial(), [*number; 16], "{reason:?}");
        assert_eq!(entry.revocation_date.timestamp(), signed);
        assert_eq!(entry.reason_code().map(|(_, seen)| seen.0), *code, "{reason:?}");
    }

    let beyond = root.revocation_list(&[], 1, Duration::MAX, now()).unwrap();
    let (_, beyond) = CertificateRevocationList::from_der(&beyond).unwrap();
    let end = i64::try_from(root.not_after().as_secs()).unwrap();
    assert_eq!(beyond.next_update().unwrap().timestamp(), end, "not beyond the signer");
}

#[test]
fn lists_that_are_not_signed() {
    let root = mesh().root;
    let one = Revocation::new(serial(1), now(), RevocationReason::Unspecified);
    let after = UnixTime::since_unix_epoch(Duration::from_secs(root.not_after().as_secs() + 1));
    for (name, revoked, life, at, want) in [
        ("no life", vec![], Duration::from_millis(999), now(), "list_without_life"),
        ("twice", vec![one, one], HOUR, now(), "revoked_twice"),
        ("a signer that expired", vec![one], HOUR, after, "signer_expired"),
    ] {
        let error = root.revocation_list(&revoked, 1, life, at).unwrap_err();
        assert_eq!(error.reason(), want, "{name}");
    }
}

/// As Istio's self-signed root: its key usage is keyCertSign alone.
#[test]
fn a_certificate_without_crl_sign_signs_no_list() {
    let pem = AuthorityPem::root(
        include_bytes!("data/root-cert-sign-only.pem"),
        include_bytes!("data/p256.pkcs8.pem"),
    );
    let domain = "prod.example".parse().unwrap();
    let authority =
        Authority::from_pem(domain, &pem, webpki::ALL_VERIFICATION_ALGS, now()).unwrap();
    let error = authority.revocation_list(&[], 1, HOUR, now()).unwrap_err();
    assert!(matches!(error, RevocationError::MayNotSign), "{error:?}");
    assert_eq!(error.reason(), "may_not_sign_lists");
}

/// A root, an authority below it whose serial number is all [`BELOW`], and a chain from it whose leaf's is all [`LEAF`].
struct Mesh {
    root: Authority,
    below: Authority,
    chain: Vec<CertificateDer<'static>>,
}

const BELOW: u8 = 2;
const LEAF: u8 = 3;

fn mesh() -> Mesh {
    let domain = "prod.example".parse().unwrap();
    let options = AuthorityOptions::default();
    let root = Authority::self_signed(domain, &options, now(), &mut Fixed(1)).unwrap();
    let key = Arc::new(KeyPair::generate(KeyType::P256).unwrap());
    let below = root
        .intermediate(key, DAY, now(), &mut Fixed(BELOW))
        .unwrap();
    let id: SpiffeId = "spiffe://prod.example/ns/pay/sa/ledger".parse().unwrap();
    let svid = below
        .issue_svid(&id, KeyType::P256, None, now(), &mut Fixed(LEAF))
        .unwrap();
    Mesh { root, below, chain: svid.chain().to_vec() }
}

/// A list for an hour that revokes the certificates with these serial numbers.
fn list(authority: &Authority, revoked: &[u8], at: UnixTime) -> List {
    let revoked: Vec<_> = revoked
        .iter()
        .map(|number| Revocation::new(serial(*number), at, RevocationReason::KeyCompromise))
        .collect();
    authority.revocation_list(&revoked, 1, HOUR, at).unwrap()
}

/// With its last bit changed, which is the signature's.
fn forged(list: List) -> List {
    let mut der = list.to_vec();
    *der.last_mut().unwrap() ^= 1;
    der.into()
}

fn verdict(
    root: &Authority,
    chain: &[CertificateDer<'_>],
    lists: &[List],
    at: UnixTime,
) -> Option<&'static str> {
    let bundle: TrustBundle = match lists {
        [] => root.trust_bundle(),
        lists => root.trust_bundle().with_revocation_lists(lists).unwrap(),
    };
    check(&TrustBundles::new([bundle]), chain, at)
}

/// Why the chain is rejected, if it is. The reason names the ID that is claimed, as every later one does.
fn check(
    bundles: &TrustBundles,
    chain: &[CertificateDer<'_>],
    at: UnixTime,
) -> Option<&'static str> {
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    let rules = Validation::new(bundles, &AcceptedDomains::Any, algorithms, Usage::Client, at);
    let reject = validate(chain, &rules).err()?;
    assert_eq!(reject.presented().unwrap().path(), "/ns/pay/sa/ledger");
    Some(reject.reason())
}

fn serial(byte: u8) -> Serial {
    Serial::new([byte; 16]).unwrap()
}

/// The same serial number again and again, all bytes alike.
struct Fixed(u8);

impl SerialSource for Fixed {
    fn next_serial(&mut self) -> Result<Serial, SerialError> {
        Serial::new([self.0; 16]).ok_or_else(|| SerialError::new("zero"))
    }
}

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000))
}
