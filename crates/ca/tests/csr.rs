//! Requests from OpenSSL, and what is refused. Needs no feature of this crate.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use meshtls_ca::csr::{self, RejectCsr};
use meshtls_ca::{KeyAlgorithm, PublicKey, PublicKeyError};
use proptest::prelude::*;

#[test]
fn requests_of_openssl() {
    let malformed = Err(RejectCsr::Key(PublicKeyError::Malformed));
    let unsupported = Err(RejectCsr::Key(PublicKeyError::Unsupported));
    let [trailing, cut] = [[P256, b"\0"].concat(), P256[..P256.len() - 1].to_vec()];
    let huge = vec![0x30; csr::MAX_LEN + 1];
    for (name, der, want) in [
        ("P-256", P256, Ok(KeyAlgorithm::P256)),
        ("P-384", P384, Ok(KeyAlgorithm::P384)),
        ("Ed25519", ED25519, Ok(KeyAlgorithm::Ed25519)),
        ("RSA 2048", RSA2048, Ok(KeyAlgorithm::Rsa)),
        ("RSA 3072", RSA3072, Ok(KeyAlgorithm::Rsa)),
        ("P-384 with SHA-256", P384_SHA256, Ok(KeyAlgorithm::P384)),
        ("RSA with SHA-512", RSA2048_SHA512, Ok(KeyAlgorithm::Rsa)),
        ("asks for everything", GREEDY, Ok(KeyAlgorithm::P256)),
        ("P-521", P521, unsupported),
        ("RSASSA-PSS key", RSAPSS, unsupported),
        ("compressed point", P256_COMPRESSED, unsupported),
        ("RSA 1024", RSA1024, Err(RejectCsr::Key(PublicKeyError::RsaSize { bits: 1024 }))),
        ("SHA-1", P256_SHA1, Err(RejectCsr::UnsupportedSignature)),
        ("trailing byte", &trailing, Err(RejectCsr::TrailingBytes)),
        ("cut", &cut, Err(RejectCsr::Malformed)),
        ("empty", &[], Err(RejectCsr::Malformed)),
        ("PEM", b"-----BEGIN CERTIFICATE REQUEST-----", Err(RejectCsr::Malformed)),
        (
            "version 2",
            &replaced(P256, &[2, 1, 0, 0x30], &[2, 1, 1, 0x30]),
            Err(RejectCsr::Malformed),
        ),
        ("too large", &huge, Err(RejectCsr::TooLarge { len: csr::MAX_LEN + 1 })),
        ("no point", &replaced(P256, &[0x42, 0, 4], &[0x42, 0, 5]), malformed),
        ("not on the curve", &off_curve(P256), Err(RejectCsr::BadSignature)),
        ("another name", &replaced(P256, b"prod", b"evil"), Err(RejectCsr::BadSignature)),
    ] {
        let got = csr::check(der, webpki::ALL_VERIFICATION_ALGS).map(|key| key.algorithm());
        assert_eq!(got, want, "{name}");
    }
}

#[test]
fn only_the_key_of_a_request_counts() {
    let [plain, greedy] =
        [P256, GREEDY].map(|request| csr::check(request, webpki::ALL_VERIFICATION_ALGS).unwrap());
    assert_eq!(plain, greedy, "the same key, whatever the names and extensions");
    assert!(
        P256.windows(plain.spki().len())
            .any(|part| part == plain.spki().as_ref())
    );
}

#[test]
fn without_algorithms_no_request_is_accepted() {
    assert_eq!(csr::check(P256, &[]), Err(RejectCsr::UnsupportedSignature));
}

#[test]
fn each_refusal_has_a_label_of_its_own() {
    let labels: std::collections::BTreeSet<_> = [
        RejectCsr::TooLarge { len: 1 },
        RejectCsr::Malformed,
        RejectCsr::TrailingBytes,
        RejectCsr::Key(PublicKeyError::Malformed),
        RejectCsr::Key(PublicKeyError::Unsupported),
        RejectCsr::Key(PublicKeyError::RsaSize { bits: 1 }),
        RejectCsr::UnsupportedSignature,
        RejectCsr::BadSignature,
    ]
    .map(|error| error.reason())
    .into();
    assert_eq!(labels.len(), 8);
    assert!(labels.iter().all(|label| label.starts_with("csr_")), "{labels:?}");
}

#[test]
fn a_public_key_is_read_strictly() {
    let spki = csr::check(RSA2048, webpki::ALL_VERIFICATION_ALGS)
        .unwrap()
        .spki()
        .to_vec();
    let ed25519 = csr::check(ED25519, webpki::ALL_VERIFICATION_ALGS)
        .unwrap()
        .spki()
        .to_vec();
    let mut longer = ed25519;
    longer[1] += 1;
    longer[10] += 1;
    longer.push(0);
    for (name, der, want) in [
        ("as it was", spki.clone(), Ok(KeyAlgorithm::Rsa)),
        ("no NULL", replaced(&spki, &[5, 0], &[4, 0]), Err(PublicKeyError::Unsupported)),
        ("Ed25519 of 33 bytes", longer, Err(PublicKeyError::Malformed)),
        ("trailing", [&spki, [0].as_slice()].concat(), Err(PublicKeyError::Malformed)),
        ("empty", vec![], Err(PublicKeyError::Malformed)),
    ] {
        assert_eq!(PublicKey::from_spki(&der).map(|key| key.algorithm()), want, "{name}");
    }
}

/// All is encoding, signed, or the signature.
#[test]
fn no_bit_of_a_request_can_be_changed() {
    for request in [P256, ED25519] {
        for at in 0..request.len() {
            for bit in 0..8 {
                let mut changed = request.to_vec();
                changed[at] ^= 1 << bit;
                let got = csr::check(&changed, webpki::ALL_VERIFICATION_ALGS);
                assert!(got.is_err(), "bit {bit} of byte {at}");
            }
        }
    }
}

#[test]
fn nothing_may_follow_inside_a_request() {
    let mut longer = [ED25519, &[5, 0]].concat();
    assert_eq!(longer[..2], [0x30, 0x81], "a length of one byte");
    longer[2] += 2;
    let got = csr::check(&longer, webpki::ALL_VERIFICATION_ALGS);
    assert_eq!(got, Err(RejectCsr::Malformed));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _refused = csr::check(&bytes, webpki::ALL_VERIFICATION_ALGS).unwrap_err();
        let _refused = PublicKey::from_spki(&bytes).unwrap_err();
    }
}

/// The text with the first `from` replaced; both are of one length, so the encoding stays whole.
fn replaced(der: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = der
        .windows(from.len())
        .position(|part| part == from)
        .unwrap();
    [&der[..at], to, &der[at + from.len()..]].concat()
}

/// The key's last byte changed: no point of the curve, and not the key that signed.
fn off_curve(der: &[u8]) -> Vec<u8> {
    let key = csr::check(der, webpki::ALL_VERIFICATION_ALGS)
        .unwrap()
        .spki()
        .to_vec();
    let mut other = key.clone();
    *other.last_mut().unwrap() ^= 1;
    replaced(der, &key, &other)
}

const P256: &[u8] = include_bytes!("data/p256.csr.der");
const P256_SHA1: &[u8] = include_bytes!("data/p256-sha1.csr.der");
const P256_COMPRESSED: &[u8] = include_bytes!("data/p256-compressed.csr.der");
const P384: &[u8] = include_bytes!("data/p384.csr.der");
const P384_SHA256: &[u8] = include_bytes!("data/p384-sha256.csr.der");
const P521: &[u8] = include_bytes!("data/p521.csr.der");
const ED25519: &[u8] = include_bytes!("data/ed25519.csr.der");
const RSA1024: &[u8] = include_bytes!("data/rsa1024.csr.der");
const RSA2048: &[u8] = include_bytes!("data/rsa2048.csr.der");
const RSA2048_SHA512: &[u8] = include_bytes!("data/rsa2048-sha512.csr.der");
const RSA3072: &[u8] = include_bytes!("data/rsa3072.csr.der");
const RSAPSS: &[u8] = include_bytes!("data/rsapss.csr.der");
const GREEDY: &[u8] = include_bytes!("data/greedy.csr.der");
