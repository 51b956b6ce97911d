//! The `spiffe_id` vectors: the SPIFFE standard as go-spiffe implements it, and Istio's parser.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use meshtls_identity::{IstioIdentity, ServiceAccountId, ServiceAccountIdError, SpiffeId};
use serde_json::Value;

#[test]
fn spiffe_parser_agrees_with_the_vectors() {
    for vector in vectors() {
        let (name, text, want) = (&vector["id"], input(&vector), &vector["expected"]["spiffe"]);
        let got = text.parse::<SpiffeId>();
        assert_eq!(got.is_ok(), want["valid"] == true, "{name}: {got:?}");
        if let Ok(id) = got {
            assert_eq!(id.trust_domain().as_str(), want["trust_domain"], "{name}");
            assert_eq!(id.path(), want["path"], "{name}");
            assert_eq!(id.as_str(), text, "{name}");
        }
    }
}

#[test]
fn istio_parser_agrees_with_the_vectors() {
    for vector in vectors() {
        let (name, text, want) = (&vector["id"], input(&vector), &vector["expected"]["istio"]);
        let got = IstioIdentity::parse(text);
        assert_eq!(got.is_some(), want["valid"] == true, "{name}: {got:?}");
        if let Some(identity) = got {
            assert_eq!(identity.trust_domain, want["trust_domain"], "{name}");
            assert_eq!(identity.namespace, want["namespace"], "{name}");
            assert_eq!(identity.service_account, want["service_account"], "{name}");
            assert_eq!(identity.to_string(), text, "{name}");
        }
    }
}

#[test]
fn service_accounts_are_what_both_parsers_accept() {
    for vector in vectors() {
        let (name, text, expected) = (&vector["id"], input(&vector), &vector["expected"]);
        let spiffe = expected["spiffe"]["valid"] == true;
        let istio = expected["istio"]["valid"] == true;
        let got = text.parse::<SpiffeId>().map(ServiceAccountId::try_from);
        match got {
            Ok(Ok(account)) => {
                assert!(spiffe && istio, "{name}");
                assert_eq!(account.namespace(), expected["istio"]["namespace"], "{name}");
                assert_eq!(account.service_account(), expected["istio"]["service_account"]);
            }
            Ok(Err(error)) => {
                assert!(spiffe && !istio, "{name}");
                assert_eq!(error, ServiceAccountIdError::Layout, "{name}");
            }
            Err(_) => assert!(!spiffe, "{name}"),
        }
    }
}

fn input(vector: &Value) -> &str {
    vector["input"].as_str().unwrap()
}

fn vectors() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../meshtls/tests/vectors/istio.json");
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let vectors = file["spiffe_id"].as_array().unwrap().clone();
    assert_eq!(vectors.len(), 32);
    vectors
}
