//! Validation of chains: every rule, and the trust domain's own bundle.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]
#![expect(clippy::indexing_slicing, reason = "a test fails by a panic")]

use std::collections::BTreeSet;
use std::time::Duration;

use meshtls_identity::{AcceptedDomains, ServiceAccountId, SpiffeId, TrustDomain};
use meshtls_svid::{
    ChainPart, MAX_CERTIFICATES, MAX_CHAIN_BYTES, RejectSvid, SigningMark, TrustBundle,
    TrustBundles, Usage, ValidSvid, Validation, X509Svid, identify, validate,
};
use meshtls_testkit::{Defect, TestCa, Verdict, test_time};
use rustls_pki_types::{CertificateDer, UnixTime};

const LEDGER: &str = "spiffe://prod.example/ns/pay/sa/ledger";

fn ca() -> TestCa {
    TestCa::new("prod.example").with_intermediate()
}

fn ledger() -> SpiffeId {
    LEDGER.parse().unwrap()
}

/// Who a chain with `defect` names, if it is accepted.
fn id_of(defect: Defect) -> SpiffeId {
    match defect {
        Defect::PathBeyondServiceAccount => format!("{LEDGER}/x").parse().unwrap(),
        _ => ledger(),
    }
}

fn domain(name: &str) -> TrustDomain {
    name.parse().unwrap()
}

fn later(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(test_time().as_secs() + seconds))
}

fn earlier(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(test_time().as_secs() - seconds))
}

fn check(chain: &[CertificateDer<'_>], bundles: &TrustBundles) -> Result<ValidSvid, RejectSvid> {
    check_at(test_time(), chain, bundles)
}

fn check_at(
    now: UnixTime,
    chain: &[CertificateDer<'_>],
    bundles: &TrustBundles,
) -> Result<ValidSvid, RejectSvid> {
    check_as(Usage::Client, now, chain, bundles, &AcceptedDomains::Any)
}

fn check_as(
    usage: Usage,
    now: UnixTime,
    chain: &[CertificateDer<'_>],
    bundles: &TrustBundles,
    accepted: &AcceptedDomains,
) -> Result<ValidSvid, RejectSvid> {
    validate(chain, &Validation::new(bundles, accepted, webpki::ALL_VERIFICATION_ALGS, usage, now))
}

#[test]
fn good_chains() {
    for (name, ca) in [("root", TestCa::new("prod.example")), ("intermediate", ca())] {
        let svid = ca.svid(LEDGER);
        for usage in [Usage::Client, Usage::Server] {
            let accepted = AcceptedDomains::from_iter([domain("prod.example")]);
            let valid = check_as(usage, ca.now(), svid.chain(), &ca.bundles(), &accepted).unwrap();
            assert_eq!(*valid.id(), ledger(), "{name} {usage}");
            assert_eq!(valid.not_after(), svid.not_after(), "{name} {usage}");
        }
    }
}

/// Each defect gives its own reason, whichever end of the connection shows it.
#[test]
fn every_defect() {
    let ca = ca();
    for defect in Defect::all() {
        let hostile = ca.hostile(defect);
        for usage in [Usage::Client, Usage::Server] {
            let accepted = AcceptedDomains::Any;
            let got = check_as(usage, ca.now(), hostile.chain(), hostile.bundles(), &accepted);
            match defect.verdict(usage) {
                Verdict::Accepted | Verdict::HandshakeFails => {
                    assert_eq!(*got.unwrap().id(), id_of(defect), "{defect} {usage}");
                }
                Verdict::Rejected(reason) => {
                    assert_eq!(got.unwrap_err().reason(), reason, "{defect} {usage}");
                }
            }
        }
    }
}

/// What follows the service account is never dropped: that would name another workload.
#[test]
fn a_longer_path_names_no_service_account() {
    let ca = ca();
    let hostile = ca.hostile(Defect::PathBeyondServiceAccount);
    let valid = check(hostile.chain(), hostile.bundles()).unwrap();
    assert_ne!(*valid.id(), ledger());
    assert!(ServiceAccountId::try_from(valid.id()).is_err(), "{}", valid.id());
}

/// The path goes through the certificate that is valid, so that one's end counts.
#[test]
fn a_renewed_intermediate() {
    let ca = ca();
    let hostile = ca.hostile(Defect::ExpiredIntermediateRenewed);
    let valid = check(hostile.chain(), hostile.bundles()).unwrap();
    assert_eq!(valid.not_after(), later(86_400));
    let without = [&hostile.chain()[..2], &hostile.chain()[3..]].concat();
    let reason = check(&without, hostile.bundles()).unwrap_err().reason();
    assert_eq!(reason, "issuer_expired");
}

#[test]
fn rejections_carry_names_and_numbers() {
    let ca = ca();
    let now = ca.now();
    let presented = ledger();
    let ends = earlier(1);
    let begins = later(1);
    let foreign: SpiffeId = "spiffe://foreign.example/ns/a/sa/b".parse().unwrap();
    let (leaf, issuer, anchor) = (ChainPart::Leaf, ChainPart::Issuer, ChainPart::Anchor);
    let expired = |part| RejectSvid::Expired { presented: ledger(), part, not_after: ends, now };
    let early =
        |part| RejectSvid::NotYetValid { presented: ledger(), part, not_before: begins, now };
    for (defect, want) in [
        (Defect::NoUri, RejectSvid::UriSans { count: 0 }),
        (Defect::IdInDnsName, RejectSvid::UriSans { count: 0 }),
        (Defect::SecondUriNotText, RejectSvid::UriSans { count: 2 }),
        (Defect::SecondUriConstructed, RejectSvid::UriSans { count: 2 }),
        (Defect::ThirtyThreeUris, RejectSvid::UriSans { count: 33 }),
        (Defect::LeafIsCa, RejectSvid::SigningCertificate { mark: SigningMark::Ca }),
        (
            Defect::LeafMayCertSign,
            RejectSvid::SigningCertificate { mark: SigningMark::KeyCertSign },
        ),
        (Defect::LeafMayCrlSign, RejectSvid::SigningCertificate { mark: SigningMark::CrlSign }),
        (Defect::IdWithoutPath, RejectSvid::NoPath { presented: ca.trust_domain().spiffe_id() }),
        (
            Defect::ForeignTrustDomain,
            RejectSvid::UnknownTrustDomain {
                presented: foreign,
                known: vec![domain("prod.example")],
            },
        ),
        (Defect::Expired, expired(leaf)),
        (Defect::ExpiredIntermediate, expired(issuer)),
        (Defect::ExpiredRoot, expired(anchor)),
        (Defect::NotYetValid, early(leaf)),
        (Defect::NotYetValidIntermediate, early(issuer)),
        (Defect::NotYetValidRoot, early(anchor)),
        (Defect::UnknownIssuer, RejectSvid::UntrustedIssuer { presented: presented.clone() }),
        (Defect::ServerOnly, RejectSvid::WrongPurpose { presented, usage: Usage::Client }),
        (Defect::LeapSecond, RejectSvid::Malformed { part: leaf }),
        (Defect::TrailingBytes, RejectSvid::Malformed { part: leaf }),
        (Defect::NoCertificate, RejectSvid::NoCertificate),
    ] {
        let hostile = ca.hostile(defect);
        let got = check(hostile.chain(), hostile.bundles()).unwrap_err();
        assert_eq!(got, want, "{defect}");
    }
}

#[test]
fn messages_for_the_operator() {
    let ca = ca();
    for (defect, want) in [
        (
            Defect::ForeignTrustDomain,
            "`spiffe://foreign.example/ns/a/sa/b` is of an unknown trust domain, known: `prod.example`",
        ),
        (
            Defect::Expired,
            "the leaf of `spiffe://prod.example/ns/pay/sa/ledger` expired at \
             Jan 15 07:59:59 2027 +00:00, now is Jan 15 08:00:00 2027 +00:00",
        ),
        (Defect::TwoUris, "the leaf has 2 URI names, wanted exactly one"),
        (Defect::LeafIsCa, "the leaf is a signing certificate: it has cA"),
    ] {
        let hostile = ca.hostile(defect);
        assert_eq!(
            check(hostile.chain(), hostile.bundles())
                .unwrap_err()
                .to_string(),
            want
        );
    }
}

/// What a peer wrote into its certificate never reaches a log unless it is a SPIFFE ID.
#[test]
fn messages_hold_no_control_characters() {
    let ca = ca();
    for defect in Defect::all() {
        let hostile = ca.hostile(defect);
        let Err(reject) = check(hostile.chain(), hostile.bundles()) else { continue };
        let mut text = reject.to_string();
        if let Some(source) = std::error::Error::source(&reject) {
            text.push_str(&source.to_string());
        }
        assert!(text.is_ascii() && !text.contains(char::is_control), "{defect}: {text:?}");
        assert!(text.len() < 3_000, "{defect}: {} bytes", text.len());
    }
}

#[test]
fn known_domains_are_listed_up_to_eight() {
    let many: Vec<_> = (0..10)
        .map(|n| TestCa::new(&format!("d{n}.example")).bundle())
        .collect();
    let svid = ca().svid(LEDGER);
    let text = check(svid.chain(), &TrustBundles::new(many))
        .unwrap_err()
        .to_string();
    assert!(text.ends_with("`d6.example`, `d7.example` and 2 more"), "{text}");
    let text = check(svid.chain(), &TrustBundles::new([]))
        .unwrap_err()
        .to_string();
    assert!(text.ends_with("known: none"), "{text}");
}

#[test]
fn bounds() {
    let ca = ca();
    let (svid, bundles) = (ca.svid(LEDGER), ca.bundles());

    let mut chain = svid.chain().to_vec();
    chain.resize(MAX_CERTIFICATES, chain[1].clone());
    assert!(check(&chain, &bundles).is_ok(), "duplicates are unused, not refused");
    chain.push(chain[1].clone());
    let want = RejectSvid::TooManyCertificates { count: 6, max: 5 };
    assert_eq!(check(&chain, &bundles), Err(want));

    let length: usize = svid.chain().iter().map(|one| one.len()).sum();
    let mut chain = svid.chain().to_vec();
    chain.push(vec![0; MAX_CHAIN_BYTES - length].into());
    assert!(check(&chain, &bundles).is_ok(), "an unused certificate need not be readable");
    chain.push(vec![0].into());
    let want = RejectSvid::TooLarge { bytes: 16_385, max: 16_384 };
    assert_eq!(check(&chain, &bundles), Err(want));
}

/// The deepest path there may be is found. With more certificates, strangers could make webpki search for seconds.
#[test]
fn too_deep_a_chain() {
    let deep =
        (1..MAX_CERTIFICATES).fold(TestCa::new("prod.example"), |ca, _| ca.with_intermediate());
    let mut chain = deep.svid(LEDGER).chain().to_vec();
    assert_eq!(chain.len(), MAX_CERTIFICATES);
    assert!(check(&chain, &deep.bundles()).is_ok());
    chain.push(deep.bundle().anchors()[0].clone());
    assert_eq!(check(&chain, &deep.bundles()).unwrap_err().reason(), "too_many_certificates");
}

#[test]
fn intermediates_in_any_order_and_among_others() {
    let ca = ca().with_intermediate();
    let svid = ca.svid(LEDGER);
    let mut chain = svid.chain().to_vec();
    assert_eq!(chain.len(), 3);
    chain.swap(1, 2);
    chain.insert(1, TestCa::new("other.example").bundle().anchors()[0].clone());
    assert!(check(&chain, &ca.bundles()).is_ok());
    chain.swap(0, 1);
    assert_eq!(check(&chain, &ca.bundles()).unwrap_err().reason(), "signing_certificate");
}

#[test]
fn an_unreadable_issuer() {
    let ca = ca();
    let svid = ca.svid(LEDGER);
    let chain = [svid.chain()[0].clone(), vec![1, 2, 3].into()];
    let want = RejectSvid::Malformed { part: ChainPart::Issuer };
    assert_eq!(check(&chain, &ca.bundles()), Err(want));
}

/// Both ends of every validity period are valid, and the result says when the first one ends.
#[test]
fn the_seconds_at_the_ends() {
    let ca = ca();
    let svid = ca.svid(LEDGER);
    let at = |seconds: u64| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let (first, last) = (svid.not_before().as_secs(), svid.not_after().as_secs());
    for (name, now, want) in [
        ("before the leaf", first - 1, Some("not_yet_valid")),
        ("the leaf's last second", last, None),
        ("after the leaf", last + 1, Some("expired")),
    ] {
        let got = check_at(at(now), svid.chain(), &ca.bundles());
        assert_eq!(got.err().map(|reject| reject.reason()), want, "{name}");
    }
    for (defect, reason) in [
        (Defect::ExpiredIntermediate, "issuer_expired"),
        (Defect::ExpiredRoot, "anchor_expired"),
        (Defect::Expired, "expired"),
    ] {
        let hostile = ca.hostile(defect);
        let last = check_at(earlier(1), hostile.chain(), hostile.bundles()).unwrap();
        assert_eq!(last.not_after(), earlier(1), "{defect}");
        let before = check_at(earlier(9), hostile.chain(), hostile.bundles()).unwrap();
        assert_eq!(before.not_after(), earlier(1), "{defect}");
        let over = check_at(test_time(), hostile.chain(), hostile.bundles()).unwrap_err();
        assert_eq!(over.reason(), reason, "{defect}");
    }
    for defect in [Defect::NotYetValid, Defect::NotYetValidIntermediate, Defect::NotYetValidRoot] {
        let hostile = ca.hostile(defect);
        assert!(check_at(later(1), hostile.chain(), hostile.bundles()).is_ok(), "{defect}");
    }
}

#[test]
fn trust_is_bound_to_the_domain() {
    let (prod, foreign) = (ca(), TestCa::new("foreign.example"));
    // An ID of foreign.example, signed by prod.example's authority.
    let hostile = prod.hostile(Defect::ForeignTrustDomain);
    let want = Err("untrusted_issuer");
    let reason =
        |bundles: &TrustBundles| check(hostile.chain(), bundles).map_err(|reject| reject.reason());

    let both = TrustBundles::new([prod.bundle(), foreign.bundle()]);
    assert_eq!(reason(&both), want, "both domains are known, and each signs for itself");
    assert!(check(prod.svid(LEDGER).chain(), &both).is_ok());
    let own = foreign.svid("spiffe://foreign.example/ns/a/sa/b");
    assert!(check(own.chain(), &both).is_ok());

    let alias = prod
        .bundles()
        .with_alias(domain("foreign.example"), domain("prod.example"));
    assert!(reason(&alias).is_ok(), "an alias is verified by the bundle of its domain");
    let alias = TrustBundles::new([prod.bundle(), foreign.bundle()])
        .with_alias(domain("foreign.example"), domain("prod.example"));
    assert_eq!(reason(&alias), want, "but not if it has its own");

    let flat = TrustBundles::istio_flat(prod.bundle(), [foreign.bundle()]);
    assert!(reason(&flat).is_ok(), "Istio's flat set, asked for by name");
    assert!(check(own.chain(), &flat).is_ok());
    let prefix = prod.hostile(Defect::TrustDomainAsPrefix);
    assert_eq!(check(prefix.chain(), &both).unwrap_err().reason(), "unknown_trust_domain");
}

#[test]
fn accepted_domains() {
    let (prod, foreign) = (ca(), TestCa::new("foreign.example"));
    let bundles = TrustBundles::new([prod.bundle(), foreign.bundle()]);
    let only_prod = AcceptedDomains::from_iter([domain("prod.example")]);
    let peer = foreign.svid("spiffe://foreign.example/ns/a/sa/b");
    let check = |chain: &[CertificateDer<'_>]| {
        check_as(Usage::Client, test_time(), chain, &bundles, &only_prod)
    };
    let reject = check(peer.chain()).unwrap_err();
    let want =
        RejectSvid::NotAccepted { presented: peer.id().clone(), accepted: only_prod.clone() };
    assert_eq!(reject, want);
    assert_eq!(reject.reason(), "trust_domain_not_accepted");
    assert!(check(prod.svid(LEDGER).chain()).is_ok());

    let impostor = TestCa::new("foreign.example").svid("spiffe://foreign.example/ns/a/sa/b");
    let reason = check(impostor.chain()).unwrap_err().reason();
    assert_ne!(reason, "trust_domain_not_accepted", "that would say that the chain is good");
}

/// Istio renews its root with the same name and key: which of the two is asked must be the right one.
#[test]
fn anchors_that_differ_in_validity_only() {
    let ca = TestCa::new("prod.example");
    let svid = ca.svid(LEDGER);
    let root = ca.bundle().anchors()[0].clone();
    let over = with_year_of_not_after(&root, 26);
    for (name, anchors, valid) in [
        ("the old one", vec![over.clone()], false),
        ("the new one after it", vec![over.clone(), root.clone()], true),
        ("the new one before it", vec![root, over], true),
    ] {
        let bundle = TrustBundle::new(domain("prod.example"), anchors).unwrap();
        let got = check(svid.chain(), &TrustBundles::new([bundle]));
        assert_eq!(got.is_ok(), valid, "{name}");
        if let Err(reject) = got {
            assert_eq!(reject.reason(), "anchor_expired", "{name}");
        }
    }
}

/// An anchor's own signature is not looked at, so its dates can be edited.
fn with_year_of_not_after(root: &CertificateDer<'_>, year: u8) -> CertificateDer<'static> {
    // `UTCTime`, 13 bytes: notBefore, then notAfter.
    let at = root.windows(2).position(|two| two == [0x17, 13]).unwrap() + 15;
    let mut der = root.to_vec();
    assert_eq!(der[at..at + 2], [0x17, 13], "the root ends before 2050");
    der[at + 2..at + 4].copy_from_slice(format!("{year:02}").as_bytes());
    der.into()
}

/// No bit of a leaf can be changed without the chain being rejected.
#[test]
fn every_byte_counts() {
    let ca = TestCa::new("prod.example");
    let (svid, bundles) = (ca.svid(LEDGER), ca.bundles());
    let good = svid.chain()[0].to_vec();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        let got = check(&[bad.into()], &bundles);
        assert!(got.is_err(), "byte {at} of {}", good.len());
    }
    for cut in 0..good.len() {
        let got = check(&[good[..cut].to_vec().into()], &bundles);
        assert_eq!(got.unwrap_err().reason(), "malformed_certificate", "cut {cut}");
    }
}

#[test]
fn identify_reads_the_claim_alone() {
    let ca = ca();
    for defect in [Defect::UnknownIssuer, Defect::Expired, Defect::ServerOnly] {
        let hostile = ca.hostile(defect);
        assert_eq!(identify(&hostile.chain()[0]), Ok(ledger()), "{defect}");
    }
    let hostile = ca.hostile(Defect::SecondUriNotText);
    assert_eq!(identify(&hostile.chain()[0]), Err(RejectSvid::UriSans { count: 2 }));
}

/// Our own SVID obeys the same leaf rules, before anybody shows it to a peer.
#[test]
fn own_svids_follow_the_leaf_rules() {
    let ca = ca();
    for defect in Defect::all() {
        let hostile = ca.hostile(defect);
        let own = X509Svid::new(hostile.chain().to_vec(), hostile.private_key());
        let claim = hostile.chain().first().map(identify);
        assert_eq!(own.is_ok(), matches!(claim, Some(Ok(_))), "{defect}");
    }
}

/// Every label is provoked by some chain of this file, so none is dead.
#[test]
fn every_reason_is_provoked() {
    let ca = ca();
    let mut seen: BTreeSet<&str> = Defect::all()
        .filter_map(|defect| {
            let hostile = ca.hostile(defect);
            check(hostile.chain(), hostile.bundles()).err()
        })
        .map(|reject| reject.reason())
        .collect();
    // The tests above provoke these.
    seen.extend(["too_many_certificates", "chain_too_large", "chain_too_complex"]);
    seen.extend(["trust_domain_not_accepted"]);
    let all = BTreeSet::from([
        "no_certificate",
        "too_many_certificates",
        "chain_too_large",
        "malformed_certificate",
        "certificate_version",
        "unknown_critical_extension",
        "signing_certificate",
        "uri_san_count",
        "not_a_spiffe_id",
        "id_without_path",
        "key_usage",
        "unknown_trust_domain",
        "untrusted_issuer",
        "wrong_signature",
        "unsupported_algorithm",
        "expired",
        "issuer_expired",
        "anchor_expired",
        "not_yet_valid",
        "issuer_not_yet_valid",
        "anchor_not_yet_valid",
        "reversed_validity",
        "wrong_purpose",
        "issuer_not_authority",
        "path_length",
        "name_constraint",
        "chain_too_complex",
        "trust_domain_not_accepted",
    ]);
    assert_eq!(seen, all);
}
