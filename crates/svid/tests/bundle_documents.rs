//! SPIFFE bundle documents. The seeds of the fuzz target are the cases; their certificates and key parameters were
//! written by OpenSSL and a script, so that reading is not tested by our own writing alone.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::path::Path;
use std::time::Duration;

use meshtls_identity::TrustDomain;
use meshtls_svid::{
    BundleDocument, BundleError, DocumentError, MAX_DOCUMENT_BYTES, MAX_DOCUMENT_KEYS, TrustBundle,
};
use meshtls_testkit::TestCa;
use proptest::prelude::*;
use serde_json::{Value, json};

use DocumentError::{
    Certificate, Malformed, NoKeys, NotADocument, NotAuthority, NotJson, NotUtf8, OtherKey,
    RefreshHint, Sequence, TooManyKeys,
};

fn prod() -> TrustDomain {
    "prod.example".parse().unwrap()
}

fn seed(name: &str) -> Vec<u8> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/bundle_document");
    std::fs::read(corpus.join(name)).unwrap()
}

fn parse(name: &str) -> Result<BundleDocument, DocumentError> {
    BundleDocument::parse(prod(), &seed(name))
}

fn authorities(document: &BundleDocument) -> usize {
    document.bundle().map_or(0, |bundle| bundle.anchors().len())
}

#[test]
fn every_kind_of_key_is_read_and_written_as_another_program_wrote_it() {
    let document = parse("every_key").unwrap();
    assert_eq!(authorities(&document), 5);
    assert_eq!(document.sequence(), Some(12_035_488));
    assert_eq!(document.refresh_hint(), Some(Duration::from_secs(28 * 86_400)));
    assert_eq!(document.trust_domain(), &prod());

    let mut foreign: Value = serde_json::from_slice(&seed("every_key")).unwrap();
    // The last entry is for JWT-SVIDs.
    foreign["keys"].as_array_mut().unwrap().pop();
    let ours: Value = serde_json::from_str(&document.to_json()).unwrap();
    assert_eq!(ours, foreign);
}

#[test]
fn what_is_ignored_and_what_is_taken() {
    for (name, seed, want) in [
        ("one authority", "one", 1),
        ("no key at all", "empty_keys", 0),
        ("keys for JWT-SVIDs only", "only_jwt", 0),
        ("an unknown use", "unknown_use", 0),
        ("no use", "no_use", 0),
        ("a use that is no text", "use_number", 0),
        ("an unknown kind of key", "unknown_kty", 0),
        ("an unknown curve beside a known one", "unknown_curve", 1),
        ("no certificate in one of two", "no_x5c", 1),
        ("an empty x5c", "empty_x5c", 0),
        ("of two certificates the first", "two_certificates", 1),
        ("the second may be anything", "second_is_rubbish", 1),
        ("a zero before the modulus", "padded_modulus", 1),
        ("a kid, which should not be there", "kid", 1),
        ("the same authority twice", "twice", 1),
        ("an authority of another domain", "other_domain", 1),
        ("parameters that nobody knows", "extra", 1),
        ("deep where nobody looks", "deep", 0),
        ("the largest sequence number", "sequence_max", 0),
        ("the longest hint", "hint_max", 0),
    ] {
        assert_eq!(authorities(&parse(seed).unwrap()), want, "{name}");
    }
    let (one, two) = (parse("one").unwrap(), parse("two_certificates").unwrap());
    assert_eq!(one.bundle(), two.bundle(), "the first certificate");
    assert_eq!(parse("sequence_max").unwrap().sequence(), Some(u64::MAX));
    assert_eq!(parse("hint_max").unwrap().refresh_hint(), Some(Duration::from_secs(u64::MAX)));
}

#[test]
fn every_refusal() {
    for (name, seed, want) in [
        ("empty", "empty", NotJson { line: 1, column: 0 }),
        ("cut", "not_json", NotJson { line: 1, column: 9 }),
        ("a byte order mark", "bom", NotJson { line: 1, column: 1 }),
        ("not UTF-8", "invalid_utf8", NotUtf8 { at: 16 }),
        ("deeper than 128", "deep_key", NotJson { line: 1, column: 139 }),
        ("an array", "array", NotADocument { line: 1, column: 0 }),
        ("an array in place of a document", "values", NotADocument { line: 1, column: 0 }),
        ("an array in place of a key", "key_of_values", NotADocument { line: 1, column: 10 }),
        ("kty twice", "kty_twice", NotADocument { line: 1, column: 26 }),
        ("keys twice", "keys_twice", NotADocument { line: 1, column: 17 }),
        ("keys of numbers", "keys_of_numbers", NotADocument { line: 1, column: 10 }),
        ("no keys", "no_keys", NoKeys),
        ("keys that are null", "null_keys", NoKeys),
        ("too many", "too_many_keys", TooManyKeys { count: 1025, max: MAX_DOCUMENT_KEYS }),
        ("a negative sequence", "sequence_negative", Sequence),
        ("half a sequence", "sequence_float", Sequence),
        ("a sequence in quotes", "sequence_text", Sequence),
        ("a sequence of 2^64", "sequence_above", Sequence),
        ("a negative hint", "hint_negative", RefreshHint),
        ("half a hint", "hint_float", RefreshHint),
        ("a hint in quotes", "hint_text", RefreshHint),
        ("a hint of 2^64", "hint_above", RefreshHint),
        ("x5c is a text", "x5c_text", Certificate { key: 0 }),
        ("x5c of numbers", "x5c_number", Certificate { key: 0 }),
        ("the other alphabet", "x5c_url_alphabet", Certificate { key: 0 }),
        ("half a certificate", "x5c_cut", Malformed { key: 0 }),
        ("a leaf as the second", "leaf", NotAuthority { key: 1 }),
        ("another key's x", "other_key", OtherKey { key: 0, parameter: "x" }),
        ("another kind of key", "other_kty", OtherKey { key: 0, parameter: "kty" }),
        ("no y", "missing_y", OtherKey { key: 0, parameter: "y" }),
    ] {
        assert_eq!(parse(seed).err(), Some(want), "{name}");
    }

    let long = [seed("one"), vec![b' '; MAX_DOCUMENT_BYTES]].concat();
    let bytes = long.len();
    let want = DocumentError::TooLarge { bytes, max: MAX_DOCUMENT_BYTES };
    assert_eq!(BundleDocument::parse(prod(), &long).unwrap_err(), want);
    let fits = &long[..MAX_DOCUMENT_BYTES];
    assert_eq!(authorities(&BundleDocument::parse(prod(), fits).unwrap()), 1);

    let none = TrustBundle::from_jwks(prod(), &seed("empty_keys"));
    assert_eq!(none.unwrap_err(), DocumentError::NoAuthority);
}

/// On secp256k1, made by OpenSSL.
const UNKNOWN_CURVE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBkjCCATigAwIBAgIUZaGHJWvxSVVAWTMtbhRvv26e/1kwCgYIKoZIzj0EAwIw
FzEVMBMGA1UECgwMcHJvZC5leGFtcGxlMCAXDTI2MTEyODA0MTg0MFoYDzIxMjYx
MTA0MDQxODQwWjAXMRUwEwYDVQQKDAxwcm9kLmV4YW1wbGUwVjAQBgcqhkjOPQIB
BgUrgQQACgNCAAQJbmPyCaYnQy/4e/gJBkSnqQhMsW330jd5/Lkzpz9SeIMj+djC
q11WYeGlWX3NUyJZMb1PmG2pGC9txS7hEax/o2MwYTAdBgNVHQ4EFgQUD+KvCVK6
YoUKqlK27P7kt6L9wlQwHwYDVR0jBBgwFoAUD+KvCVK6YoUKqlK27P7kt6L9wlQw
DwYDVR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAQYwCgYIKoZIzj0EAwIDSAAw
RQIgaQCo2GugoWy3OODUPBYcVbzjRen27AZEqeYtJiDNR+kCIQCnpbSqYHfPFUDk
rAK5JxMGH4wTWLyZaYav46rm2sppaA==
-----END CERTIFICATE-----
";

#[test]
fn a_key_without_a_form_is_not_written() {
    let known = TestCa::new("prod.example").bundle();
    let pem = known.to_pem() + UNKNOWN_CURVE;
    let bundle = TrustBundle::from_pem(prod(), pem.as_bytes()).unwrap();
    assert_eq!(bundle.to_jwks().unwrap_err(), DocumentError::UnsupportedKey { at: 1 });
}

#[test]
fn the_written_form() {
    let bundle = TestCa::new("prod.example").bundle();
    let plain: Value = serde_json::from_str(&bundle.to_jwks().unwrap()).unwrap();
    let names = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&plain), ["keys"]);
    let entry = &plain["keys"][0];
    assert_eq!(names(entry), ["crv", "kty", "use", "x", "x5c", "y"], "no kid");
    assert_eq!((&entry["use"], &entry["kty"]), (&json!("x509-svid"), &json!("EC")));
    assert_eq!(entry["x5c"].as_array().unwrap().len(), 1);

    let document = BundleDocument::new(bundle)
        .unwrap()
        .with_sequence(7)
        .with_refresh_hint(Duration::from_millis(90_900));
    let written: Value = serde_json::from_str(&document.to_json()).unwrap();
    assert_eq!(written["spiffe_sequence"], 7);
    assert_eq!(written["spiffe_refresh_hint"], 90, "whole seconds");
    assert_eq!(BundleDocument::parse(prod(), document.to_json().as_bytes()).unwrap(), document);

    let none = BundleDocument::without_authorities(prod()).with_sequence(8);
    assert_eq!(none.to_json(), r#"{"keys":[],"spiffe_sequence":8}"#);
}

/// The crate `spiffe` reads bundles as certificates one after the other, as the Workload API carries them.
#[test]
fn the_authorities_are_those_that_the_spiffe_crate_sees() {
    let document = parse("every_key").unwrap();
    let written = BundleDocument::parse(prod(), document.to_json().as_bytes()).unwrap();
    let ours = written.bundle().unwrap().anchors();
    let der: Vec<u8> = ours.iter().flat_map(|one| one.to_vec()).collect();
    let domain = spiffe::TrustDomain::new("prod.example").unwrap();
    let theirs = spiffe::X509Bundle::parse_from_der(domain, &der).unwrap();
    let theirs: Vec<&[u8]> = theirs
        .authorities()
        .iter()
        .map(|one| one.as_bytes())
        .collect();
    assert_eq!(ours.iter().map(|one| one.as_ref()).collect::<Vec<_>>(), theirs);
}

#[test]
fn an_authority_with_the_id_of_another_domain_is_found() {
    let bundle = |name| parse(name).unwrap().into_bundle().unwrap();
    assert_eq!(bundle("one").check_ids(), Ok(()));
    let error = bundle("other_domain").check_ids().unwrap_err();
    assert_eq!(
        error.to_string(),
        "certificate 0 (counted from 0) is of another trust domain: `spiffe://other.example`"
    );
    assert!(matches!(error, BundleError::OtherDomain { at: 0, .. }));
    // One that carries no ID may be anybody's.
    let silent = TrustBundle::from_pem(prod(), UNKNOWN_CURVE.as_bytes()).unwrap();
    assert_eq!(silent.check_ids(), Ok(()));
}

#[test]
fn a_clone_is_equal_and_of_its_own() {
    let bundle = TestCa::new("prod.example").bundle();
    let clone = bundle.clone();
    assert_eq!(clone, bundle);
    assert_ne!(TestCa::new("prod.example").bundle(), bundle);
    let both = meshtls_svid::TrustBundles::new([bundle, TestCa::new("prod.example").bundle()]);
    assert_eq!(both.bundle_for(&prod()).unwrap().anchors().len(), 2);
    assert_eq!(clone.anchors().len(), 1, "merging one leaves the other alone");
    assert_eq!(both.clone().bundle_for(&prod()), both.bundle_for(&prod()));
}

proptest! {
    #[test]
    fn parse_of_print_is_the_same(
        pick in proptest::collection::vec(any::<bool>(), 5),
        sequence in proptest::option::of(any::<u64>()),
        hint in proptest::option::of(any::<u64>()),
    ) {
        let all = parse("every_key").unwrap().into_bundle().unwrap();
        let some: Vec<_> = all.anchors().iter().zip(&pick).filter(|(_, pick)| **pick).map(|(one, _)| one.clone()).collect();
        let mut document = match TrustBundle::new(prod(), some) {
            Ok(bundle) => BundleDocument::new(bundle).unwrap(),
            Err(_) => BundleDocument::without_authorities(prod()),
        };
        if let Some(sequence) = sequence {
            document = document.with_sequence(sequence);
        }
        if let Some(hint) = hint {
            document = document.with_refresh_hint(Duration::from_secs(hint));
        }
        prop_assert_eq!(BundleDocument::parse(prod(), document.to_json().as_bytes()).unwrap(), document);
    }
}
