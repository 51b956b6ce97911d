//! Certificate signing requests: an accepted one is exactly one request, and no signed bit of it can be changed.

use std::ops::Range;

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
    let signed = signed_part(bytes);
    let bits = bytes.len() * 8;
    for bit in (0..64).map(|i| i * 1_000_003 % bits) {
        let mut changed = bytes.to_vec();
        if let Some(byte) = changed.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        if let Ok(other) = csr::check(&changed, ALL_VERIFICATION_ALGS) {
            assert_eq!(&other, key, "bit {bit} changed the key");
            assert!(!signed.contains(&(bit / 8)), "bit {bit} is signed");
        }
    }
}

/// Where the `CertificationRequestInfo` is: the first element of the outer sequence (RFC 2986 section 4.2).
fn signed_part(request: &[u8]) -> Range<usize> {
    let (start, _) = header(request);
    let (inner, content) = header(request.get(start..).unwrap_or_default());
    start..start + inner + content
}

/// The lengths of the header and of the content of a DER element below 64 KiB (X.690 section 8.1.3).
fn header(element: &[u8]) -> (usize, usize) {
    match *element {
        [_, length @ 0..=0x7f, ..] => (2, usize::from(length)),
        [_, 0x81, length, ..] => (3, usize::from(length)),
        [_, 0x82, high, low, ..] => (4, usize::from(high) << 8 | usize::from(low)),
        _ => (0, element.len()),
    }
}
