//! Certificate signing requests: an accepted one is exactly one request, and no bit of it can be changed.

use meshtls_ca::{PublicKey, csr};
use webpki::ALL_VERIFICATION_ALGS;

/// Holds for all bytes.
pub(crate) fn check(bytes: &[u8]) {
    match csr::check(bytes, ALL_VERIFICATION_ALGS) {
        Ok(key) => check_accepted(bytes, &key),
        Err(error) => {
            assert!(error.reason().starts_with("csr_"));
            assert!(
                error
                    .to_string()
                    .bytes()
                    .all(|byte| matches!(byte, b' '..=b'~'))
            );
        }
    }
}

fn check_accepted(bytes: &[u8], key: &PublicKey) {
    let refused = |bytes: &[u8], why: &str| {
        assert!(csr::check(bytes, ALL_VERIFICATION_ALGS).is_err(), "{why}");
    };
    assert!(bytes.len() <= csr::MAX_LEN);
    refused(&[bytes, b"\0"].concat(), "a byte after it");
    refused(bytes.get(1..).unwrap_or_default(), "its first byte missing");
    refused(bytes.get(..bytes.len() - 1).unwrap_or_default(), "its last byte missing");

    // The key is the request's own, and is written back as it was read.
    let spki = key.spki();
    assert!(
        bytes
            .windows(spki.len())
            .any(|window| window == spki.as_ref())
    );
    assert_eq!(PublicKey::from_spki(&spki).as_ref(), Ok(key));

    // The names in it do not count, but they are signed as everything is. A prime step visits every part.
    let bits = bytes.len() * 8;
    for bit in (0..64).map(|i| i * 1_000_003 % bits) {
        let mut changed = bytes.to_vec();
        if let Some(byte) = changed.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        refused(&changed, &format!("bit {bit} changed"));
    }
}
