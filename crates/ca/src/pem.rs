//! PEM (RFC 7468): a private key, in memory that is wiped, and a revocation list.

#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
use zeroize::Zeroizing;

/// PKCS #8 as a `PRIVATE KEY` block.
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
pub(crate) fn private_key(pkcs8: &[u8]) -> Zeroizing<String> {
    // Room for all of it, so that no copy is left behind by growing.
    let mut pem = Zeroizing::new(String::with_capacity(room(pkcs8)));
    push_block(&mut pem, "PRIVATE KEY", pkcs8);
    pem
}

/// A revocation list as an `X509 CRL` block.
#[cfg(feature = "authority")]
pub(crate) fn revocation_list(der: &[u8]) -> String {
    let mut pem = String::with_capacity(room(der));
    push_block(&mut pem, "X509 CRL", der);
    pem
}

/// More than a block takes.
fn room(der: &[u8]) -> usize {
    der.len().saturating_mul(2).saturating_add(64)
}

fn push_block(pem: &mut String, label: &str, der: &[u8]) {
    pem.extend(["-----BEGIN ", label, "-----\n"]);
    for line in der.chunks(48) {
        line.chunks(3).for_each(|bytes| push_base64(pem, bytes));
        pem.push('\n');
    }
    pem.extend(["-----END ", label, "-----\n"]);
}

/// One to three bytes as four characters (RFC 4648 section 4).
fn push_base64(text: &mut String, bytes: &[u8]) {
    let mut bits = [0; 4];
    for (to, from) in bits.iter_mut().skip(1).zip(bytes) {
        *to = *from;
    }
    let bits = u32::from_be_bytes(bits);
    for (place, shift) in [18_u32, 12, 6, 0].into_iter().enumerate() {
        let sextet = usize::try_from(bits >> shift & 0x3f).unwrap_or_default();
        let known = if place <= bytes.len() { ALPHABET.get(sextet) } else { None };
        text.push(known.map_or('=', |character| char::from(*character)));
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
