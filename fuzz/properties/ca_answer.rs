//! Answers of a CA: one that is accepted is bounded, and is read as the same whatever elements its chain is cut into.

use meshtls_istio_ca::{MAX_ROOTS, read_answer};
use meshtls_svid::{MAX_CERTIFICATES, MAX_CHAIN_BYTES};

/// Holds for all bytes. The elements stand in one text, with a NUL between each two.
pub(crate) fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let elements: Vec<String> = text.split('\0').map(str::to_owned).collect();
    match read_answer(&elements) {
        Ok(issued) => {
            assert!((1..=MAX_CERTIFICATES).contains(&issued.chain.len()));
            assert!((1..=MAX_ROOTS).contains(&issued.roots.len()));
            let len: usize = issued
                .chain
                .iter()
                .map(|certificate| certificate.len())
                .sum();
            assert!(len <= MAX_CHAIN_BYTES);
            assert!(issued.key.is_none());
            let Some((roots, chain)) = elements.split_last() else { return };
            let joined = [chain.join("\n"), roots.clone()];
            if let Ok(again) = read_answer(&joined) {
                assert_eq!((again.chain, again.roots), (issued.chain, issued.roots));
            } else {
                // A block that was cut off in one element may only be joined to what it never was part of.
                assert!(chain.len() > 1);
            }
        }
        Err(error) => {
            assert!(error.reason().starts_with("answer_"));
            assert!(
                error
                    .to_string()
                    .bytes()
                    .all(|byte| matches!(byte, b' '..=b'~'))
            );
        }
    }
}
