//! Chains of servers outside the mesh: authorities, names, revocation. One row, one fact.

#![expect(clippy::unwrap_used, reason = "helpers of tests end the test by a panic")]

use std::net::IpAddr;
use std::time::Duration;

use meshtls_svid::{
    BundleError, ChainPart, KeyedChain, KeyedChainError, LoadError, MAX_SERVER_CERTIFICATES,
    MAX_SERVER_CHAIN_BYTES, NameCheck, RejectServer, RevocationListError, ServerAuthorities,
    ServerValidation, validate_server,
};
use meshtls_testkit::{Defect, Revocations, TestCa, WebName, test_time};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

fn authorities(ca: &TestCa) -> ServerAuthorities {
    ServerAuthorities::new(ca.bundle().anchors()).unwrap()
}

fn check_at(
    chain: &[CertificateDer<'_>],
    authorities: &ServerAuthorities,
    names: &NameCheck,
    now: UnixTime,
) -> Result<String, RejectServer> {
    let rules = ServerValidation::new(authorities, names, webpki::ALL_VERIFICATION_ALGS, now);
    validate_server(chain, &rules).map(|valid| valid.presented().to_string())
}

fn host(name: &str) -> NameCheck {
    NameCheck::Host(ServerName::try_from(name.to_owned()).unwrap())
}

fn one_of(names: &[&str]) -> NameCheck {
    NameCheck::OneOf(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn names_are_compared_by_their_kind() {
    let ca = TestCa::new("prod.example").with_intermediate();
    const ID: &str = "spiffe://prod.example/ns/pay/sa/ledger";
    for (name, presented, accepted, good) in [
        ("the host", "api.example.com", host("api.example.com"), true),
        ("the host in capitals", "api.example.com", host("API.Example.COM"), true),
        ("a certificate in capitals", "API.example.com", host("api.example.com"), true),
        ("another host", "api.example.com", host("www.example.com"), false),
        ("a parent", "example.com", host("api.example.com"), false),
        ("a wildcard", "*.example.com", host("api.example.com"), true),
        ("a wildcard for two labels", "*.example.com", host("a.api.example.com"), false),
        ("a wildcard for none", "*.example.com", host("example.com"), false),
        ("an address", "10.1.2.3", host("10.1.2.3"), true),
        ("another address", "10.1.2.3", host("10.1.2.4"), false),
        ("an address of version 6", "fd00::1", host("fd00:0::1"), true),
        ("an address as DNS name", "10.1.2.3 ", host("10.1.2.3"), false),
        ("a host that is a URI", "https://api.example.com", host("api.example.com"), false),
        ("one of two", "api.example.com", one_of(&["www.example.com", "api.example.com"]), true),
        ("none of two", "api.example.com", one_of(&["www.example.com", "example.com"]), false),
        ("none of none", "api.example.com", one_of(&[]), false),
        ("a listed host in capitals", "api.example.com", one_of(&["API.example.com"]), true),
        ("a listed host and a wildcard", "*.example.com", one_of(&["api.example.com"]), true),
        ("a listed wildcard, as it stands", "*.example.com", one_of(&["*.Example.com"]), true),
        ("a listed wildcard fits no host", "api.example.com", one_of(&["*.example.com"]), false),
        ("a URI", ID, one_of(&[ID]), true),
        ("a URI in capitals", ID, one_of(&["SPIFFE://prod.example/ns/pay/sa/ledger"]), false),
        ("another URI", ID, one_of(&["spiffe://prod.example/ns/pay/sa/other"]), false),
        ("the beginning of a URI", ID, one_of(&["spiffe://prod.example/ns/pay"]), false),
        ("a listed address", "10.1.2.3", one_of(&["10.1.2.3"]), true),
        ("only the chain", "api.example.com", NameCheck::ChainOnly, true),
    ] {
        let web = ca.web_certificate(&[presented]);
        let outcome = check_at(web.chain(), &authorities(&ca), &accepted, ca.now());
        match outcome {
            Ok(_) => assert!(good, "{name}"),
            Err(RejectServer::WrongName { .. }) => assert!(!good, "{name}"),
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

/// Whoever may issue names of one kind only cannot stand in for another kind by spelling its text.
#[test]
fn a_listed_name_counts_in_its_own_kind_only() {
    use WebName::{Address, Dns, Mail, Uri};

    const ID: &str = "spiffe://prod.example/ns/pay/sa/ledger";
    const AT: &str = "ledger@prod.example";
    const HOST: &str = "ledger.prod.example";
    const IP: &str = "10.1.2.3";
    let ca = TestCa::new("prod.example");
    for (accepted, presented, good) in [
        (ID, Uri(ID), true),
        (ID, Dns(ID), false),
        (ID, Mail(ID), false),
        ("a://", Address(IpAddr::from(*b"a://")), false),
        ("spiffe://pay@prod.example/x", Uri("spiffe://pay@prod.example/x"), true),
        ("spiffe://pay@prod.example/x", Mail("spiffe://pay@prod.example/x"), false),
        (IP, Address(IpAddr::from([10, 1, 2, 3])), true),
        (IP, Dns(IP), false),
        (IP, Uri(IP), false),
        (IP, Mail(IP), false),
        ("fd00::1", Dns("fd00::1"), false),
        ("fd00::1", Uri("fd00::1"), false),
        ("fd00::1", Mail("fd00::1"), false),
        (AT, Mail(AT), true),
        (AT, Dns(AT), false),
        (AT, Uri(AT), false),
        ("a@bc", Address(IpAddr::from(*b"a@bc")), false),
        (HOST, Dns(HOST), true),
        (HOST, Uri(HOST), false),
        (HOST, Mail(HOST), false),
        ("a.bc", Address(IpAddr::from(*b"a.bc")), false),
        ("urn:ledger", Uri("urn:ledger"), false),
    ] {
        let web = ca.web_certificate_named(&[presented]);
        match check_at(web.chain(), &authorities(&ca), &one_of(&[accepted]), ca.now()) {
            Ok(_) => assert!(good, "{accepted} of {presented:?}"),
            Err(RejectServer::WrongName { .. }) => assert!(!good, "{accepted} of {presented:?}"),
            Err(error) => panic!("{accepted} of {presented:?}: {error}"),
        }
    }
}

#[test]
fn a_wrong_name_is_told_with_what_was_accepted() {
    let ca = TestCa::new("prod.example");
    let web = ca.web_certificate(&["a.example.com", "10.1.2.3", "https://b.example.com/"]);
    let error = check_at(web.chain(), &authorities(&ca), &host("c.example.com"), ca.now());
    let error = error.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server presented a.example.com, 10.1.2.3, https://b.example.com/, but accepted is c.example.com"
    );
    assert_eq!(error.reason(), "wrong_server_name");

    let nameless = ca.web_certificate(&[]);
    let accepted = one_of(&["x.example.com", "y.example.com"]);
    let error = check_at(nameless.chain(), &authorities(&ca), &accepted, ca.now()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server presented no name, but accepted is any of x.example.com, y.example.com"
    );
}

/// Whoever chose the names: the text stays short, and on one line.
#[test]
fn presented_names_are_bounded() {
    let ca = TestCa::new("prod.example");
    let names: Vec<String> = (0..20)
        .map(|at| format!("{at}\n{}", "x".repeat(400)))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let web = ca.web_certificate(&names);
    let shown = check_at(web.chain(), &authorities(&ca), &NameCheck::ChainOnly, ca.now());
    let shown = shown.unwrap();
    assert!(shown.starts_with("0\\nxxx") && shown.ends_with(" and 4 more"), "{shown}");
    assert!(shown.len() < 16 * 260, "{}", shown.len());
    assert!(!shown.contains('\n'));

    let many: Vec<String> = (0..20).map(|at| format!("{at}.example.com")).collect();
    let text = NameCheck::OneOf(many).to_string();
    assert!(
        text.starts_with("any of 0.example.com, 1.") && text.ends_with(" and 4 more"),
        "{text}"
    );
}

#[test]
fn chains_are_rejected_for_what_is_wrong_with_them() {
    let ca = TestCa::new("prod.example");
    for (defect, want) in [
        (Defect::NoCertificate, "no_certificate"),
        (Defect::TrailingBytes, "malformed_certificate"),
        (Defect::Version1, "certificate_version"),
        (Defect::UnknownCriticalExtension, "unknown_critical_extension"),
        (Defect::LeafIsCa, "authority_as_server"),
        (Defect::UnknownIssuer, "untrusted_issuer"),
        (Defect::SelfSigned, "untrusted_issuer"),
        (Defect::IntermediateMissing, "untrusted_issuer"),
        (Defect::ImpostorIssuer, "wrong_signature"),
        (Defect::Sha1, "unsupported_algorithm"),
        (Defect::Expired, "expired"),
        (Defect::NotYetValid, "not_yet_valid"),
        (Defect::ExpiredIntermediate, "issuer_expired"),
        (Defect::NotYetValidIntermediate, "issuer_not_yet_valid"),
        (Defect::ExpiredRoot, "anchor_expired"),
        (Defect::NotYetValidRoot, "anchor_not_yet_valid"),
        (Defect::ClientOnly, "wrong_purpose"),
        (Defect::IntermediateNotCa, "issuer_not_allowed"),
        (Defect::PathTooLong, "issuer_not_allowed"),
    ] {
        let hostile = ca.hostile(defect);
        let bundle = hostile.bundles().bundle_for(ca.trust_domain()).unwrap();
        let authorities = ServerAuthorities::new(bundle.anchors()).unwrap();
        let outcome = check_at(hostile.chain(), &authorities, &NameCheck::ChainOnly, ca.now());
        assert_eq!(outcome.unwrap_err().reason(), want, "{defect:?}");
    }
}

#[test]
fn more_certificates_than_the_bound() {
    let ca = TestCa::new("prod.example");
    let leaf = ca.web_certificate(&["a.example.com"]).chain()[0].clone();
    for (count, good) in [(MAX_SERVER_CERTIFICATES, true), (7, false)] {
        let chain = vec![leaf.clone(); count];
        let outcome = check_at(&chain, &authorities(&ca), &NameCheck::ChainOnly, ca.now());
        match outcome {
            Ok(_) => assert!(good, "{count}"),
            Err(error) => {
                assert!(!good, "{count}");
                assert_eq!(error, RejectServer::TooManyCertificates { count, max: 6 });
                assert_eq!(error.reason(), "too_many_certificates");
            }
        }
    }
}

/// Nothing is parsed before: the leaf of the last row is no certificate.
#[test]
fn more_bytes_than_the_bound() {
    let ca = TestCa::new("prod.example");
    let leaf = ca.web_certificate(&["a.example.com"]).chain()[0].clone();
    let rest = MAX_SERVER_CHAIN_BYTES - leaf.len();
    let nonsense = CertificateDer::from(vec![0; leaf.len()]);
    for (leaf, unused, want) in [
        (&leaf, rest, None),
        (&leaf, rest + 1, Some("chain_too_large")),
        (&nonsense, rest, Some("malformed_certificate")),
        (&nonsense, rest + 1, Some("chain_too_large")),
    ] {
        let chain = [leaf.clone(), vec![0; unused].into()];
        let outcome = check_at(&chain, &authorities(&ca), &NameCheck::ChainOnly, ca.now());
        let error = outcome.err();
        assert_eq!(error.as_ref().map(RejectServer::reason), want);
        if want == Some("chain_too_large") {
            assert_eq!(error, Some(RejectServer::TooLarge { bytes: 24_577, max: 24_576 }));
        }
    }
}

/// The deepest path there may be is found.
#[test]
fn the_deepest_chain() {
    let deep = (1..MAX_SERVER_CERTIFICATES)
        .fold(TestCa::new("prod.example"), |ca, _| ca.with_intermediate());
    let web = deep.web_certificate(&["a.example.com"]);
    assert_eq!(web.chain().len(), MAX_SERVER_CERTIFICATES);
    let outcome = check_at(web.chain(), &authorities(&deep), &host("a.example.com"), deep.now());
    assert!(outcome.is_ok(), "{outcome:?}");
}

#[test]
fn revocation_lists() {
    let ca = TestCa::new("prod.example");
    let web = ca.web_certificate(&["a.example.com"]);
    for (name, list, want) in [
        ("nobody", ca.revocation_list(Revocations::Nobody), None),
        ("this one", ca.revocation_list(Revocations::EveryWebCertificate), Some("revoked")),
        (
            "out of date",
            ca.revocation_list(Revocations::OutOfDate),
            Some("revocation_list_expired"),
        ),
        ("forged", ca.revocation_list(Revocations::Forged), Some("revocation_list_unusable")),
        (
            "of another issuer",
            TestCa::new("other.example")
                .with_intermediate()
                .revocation_list(Revocations::Nobody),
            Some("revocation_unknown"),
        ),
    ] {
        let authorities = authorities(&ca).with_revocation_lists(&[list]).unwrap();
        let outcome = check_at(web.chain(), &authorities, &host("a.example.com"), ca.now());
        assert_eq!(outcome.err().map(|error| error.reason()), want, "{name}");
    }
}

#[test]
fn lists_that_are_none() {
    let ca = TestCa::new("prod.example");
    let error = authorities(&ca).with_revocation_lists(&[]).unwrap_err();
    assert_eq!(error, RevocationListError::Empty);
    let error = authorities(&ca)
        .with_revocation_lists(&[b"no list".to_vec().into()])
        .unwrap_err();
    assert_eq!(error, RevocationListError::Malformed { at: 0 });
}

#[test]
fn there_is_at_least_one_authority() {
    assert_eq!(ServerAuthorities::new(&[]).unwrap_err(), BundleError::Empty);
    let nonsense = CertificateDer::from(b"nonsense".to_vec());
    let good = TestCa::new("prod.example").bundle().anchors()[0].clone();
    assert_eq!(
        ServerAuthorities::new(&[good.clone(), nonsense.clone()]).unwrap_err(),
        BundleError::Malformed { at: 1 }
    );
    assert!(ServerAuthorities::readable_of(&[nonsense.clone(), good]).is_ok());
    assert_eq!(ServerAuthorities::readable_of(&[nonsense]).unwrap_err(), BundleError::Empty);
    assert!(matches!(ServerAuthorities::from_pem(b"").unwrap_err(), BundleError::Pem(_)));
}

/// Every error of a file names the file.
#[test]
fn files() {
    let folder = std::env::temp_dir().join(format!("meshtls-servers-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let ca = TestCa::new("prod.example");
    let web = ca.web_certificate(&["a.example.com"]);
    let roots = write("roots.pem", &ca.bundle().to_pem());
    let (chain, key) = (write("chain.pem", &web.chain_pem()), write("key.pem", &web.key_pem()));
    let empty = write("empty.pem", "");

    let authorities = ServerAuthorities::from_file(&roots).unwrap();
    let read = KeyedChain::from_files(&chain, &key).unwrap();
    assert!(check_at(read.chain(), &authorities, &host("a.example.com"), test_time()).is_ok());

    assert_eq!(
        ServerAuthorities::from_file(&empty)
            .unwrap_err()
            .to_string(),
        format!("`{}` is not usable", empty.display())
    );
    assert!(matches!(
        authorities.with_revocation_file(&empty).unwrap_err(),
        LoadError::RevocationLists { path, source: RevocationListError::Pem(_) } if path == empty
    ));
    assert!(matches!(
        KeyedChain::from_files(&chain, &chain).unwrap_err(),
        LoadError::KeyedChain { path, source: KeyedChainError::Key(_) } if path == chain
    ));
    assert!(matches!(
        KeyedChain::from_files(&key, &key).unwrap_err(),
        LoadError::KeyedChain { path, source: KeyedChainError::Chain(_) } if path == key
    ));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_chain_without_certificates_or_with_nonsense_is_none() {
    let key = || {
        TestCa::new("prod.example")
            .web_certificate(&[])
            .private_key()
            .clone_key()
    };
    assert_eq!(KeyedChain::new(vec![], key()).unwrap_err(), KeyedChainError::Empty);
    let nonsense = CertificateDer::from(b"nonsense".to_vec());
    assert_eq!(
        KeyedChain::new(vec![nonsense], key()).unwrap_err(),
        KeyedChainError::Malformed { at: 0 }
    );
}

/// The last valid second of the leaf, and the one after it.
#[test]
fn the_time_is_an_argument() {
    let ca = TestCa::new("prod.example");
    let web = ca.web_certificate(&["a.example.com"]);
    let day = Duration::from_secs(86_400);
    for (after, want) in [(day, None), (day + Duration::from_secs(1), Some(ChainPart::Leaf))] {
        let now = UnixTime::since_unix_epoch(Duration::from_secs(ca.now().as_secs()) + after);
        let outcome = check_at(web.chain(), &authorities(&ca), &NameCheck::ChainOnly, now);
        let part = outcome.err().map(|error| match error {
            RejectServer::Expired { part, .. } => part,
            other => panic!("{other}"),
        });
        assert_eq!(part, want);
    }
}
