//! Keys in memory: drawn, and loaded in every format. Each signs a request, which its public key verifies.

#![cfg(any(feature = "ring", feature = "aws-lc-rs"))]
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use meshtls_ca::{KeyAlgorithm, KeyError, KeyPair, KeyType, Signer as _, csr};
use rustls_pki_types::PrivateKeyDer;

#[test]
fn drawn_keys_sign() {
    for (key_type, want) in [
        (KeyType::P256, KeyAlgorithm::P256),
        (KeyType::P384, KeyAlgorithm::P384),
        (KeyType::Ed25519, KeyAlgorithm::Ed25519),
    ] {
        let key = KeyPair::generate(key_type).unwrap();
        check(&key, want, &format!("{key_type:?}"));
        let again = KeyPair::from_der(&key.private_key()).unwrap();
        assert_eq!(again.public_key(), key.public_key(), "{key_type:?}");
        let other = KeyPair::generate(key_type).unwrap();
        assert_ne!(other.public_key(), key.public_key(), "{key_type:?}");
    }
    assert_eq!(KeyType::default(), KeyType::P256);
}

#[test]
fn rsa_is_drawn_by_aws_lc_only() {
    let drawn = KeyPair::generate(KeyType::Rsa2048);
    if cfg!(feature = "aws-lc-rs") {
        check(&drawn.unwrap(), KeyAlgorithm::Rsa, "RSA");
    } else {
        assert_eq!(drawn.unwrap_err(), KeyError::RsaGeneration);
    }
}

#[test]
fn keys_of_openssl_in_every_format() {
    for (name, pem, want) in [
        ("P-256, PKCS #8", P256, KeyAlgorithm::P256),
        ("P-256, SEC 1", include_bytes!("data/p256.sec1.pem"), KeyAlgorithm::P256),
        ("P-384, PKCS #8", include_bytes!("data/p384.pkcs8.pem"), KeyAlgorithm::P384),
        ("P-384, SEC 1", include_bytes!("data/p384.sec1.pem"), KeyAlgorithm::P384),
        ("Ed25519, PKCS #8", include_bytes!("data/ed25519.pkcs8.pem"), KeyAlgorithm::Ed25519),
        ("RSA, PKCS #8", include_bytes!("data/rsa2048.pkcs8.pem"), KeyAlgorithm::Rsa),
        ("RSA, PKCS #1", include_bytes!("data/rsa2048.pkcs1.pem"), KeyAlgorithm::Rsa),
    ] {
        let key = KeyPair::from_pem(pem).unwrap_or_else(|error| panic!("{name}: {error}"));
        check(&key, want, name);
        assert!(matches!(key.private_key(), PrivateKeyDer::Pkcs8(_)), "{name}");
        let again = KeyPair::from_pem(key.to_pem().as_bytes()).unwrap();
        assert_eq!(again.private_key(), key.private_key(), "{name}: written and read again");
    }
    assert_eq!(KeyPair::from_pem(P256).unwrap().to_pem().as_bytes(), P256, "as OpenSSL writes it");
}

#[test]
fn keys_that_are_refused() {
    let certificate = include_bytes!("data/root-rsa.pem");
    for (name, pem, want) in [
        ("empty", b"".as_slice(), KeyError::NoKey),
        ("encrypted", include_bytes!("data/p256.encrypted.pem"), KeyError::NoKey),
        ("a certificate", certificate, KeyError::NoKey),
        ("cut", &P256[..100], KeyError::NoKey),
        ("P-521", include_bytes!("data/p521.pkcs8.pem"), KeyError::Rejected),
        ("RSA 1024", include_bytes!("data/rsa1024.pkcs8.pem"), KeyError::Rejected),
    ] {
        assert_eq!(KeyPair::from_pem(pem).unwrap_err(), want, "{name}");
    }
    for (name, der) in [
        ("nothing, PKCS #8", PrivateKeyDer::Pkcs8(vec![].into())),
        ("nothing, PKCS #1", PrivateKeyDer::Pkcs1(vec![].into())),
        ("nothing, SEC 1", PrivateKeyDer::Sec1(vec![].into())),
        ("200 bytes, PKCS #1", PrivateKeyDer::Pkcs1(vec![7; 200].into())),
        ("70,000 bytes, PKCS #1", PrivateKeyDer::Pkcs1(vec![7; 70_000].into())),
    ] {
        assert_eq!(KeyPair::from_der(&der).unwrap_err(), KeyError::Rejected, "{name}");
    }
}

#[test]
fn debug_shows_no_key() {
    let key = KeyPair::from_pem(P256).unwrap();
    assert_eq!(format!("{key:?}"), "KeyPair { algorithm: P256, .. }");
}

fn check(key: &KeyPair, want: KeyAlgorithm, name: &str) {
    let request = csr::build(key).unwrap();
    let public = csr::check(&request, webpki::ALL_VERIFICATION_ALGS)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(public.algorithm(), want, "{name}");
    assert_eq!(&public, key.public_key(), "{name}");
}

const P256: &[u8] = include_bytes!("data/p256.pkcs8.pem");
