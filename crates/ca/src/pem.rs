//! PEM (RFC 7468): private keys, certificates and revocation lists, in memory that is wiped.

#[cfg(all(feature = "store", any(feature = "ring", feature = "aws-lc-rs")))]
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

/// PKCS #8 as a `PRIVATE KEY` block.
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
pub(crate) fn private_key(pkcs8: &[u8]) -> Zeroizing<String> {
    block("PRIVATE KEY", pkcs8)
}

/// Each certificate as a `CERTIFICATE` block.
#[cfg(all(feature = "store", any(feature = "ring", feature = "aws-lc-rs")))]
pub(crate) fn certificates(ders: &[CertificateDer<'_>]) -> String {
    ders.iter()
        .map(|der| block("CERTIFICATE", der).to_string())
        .collect()
}

/// A revocation list as an `X509 CRL` block.
#[cfg(feature = "authority")]
pub(crate) fn revocation_list(der: &[u8]) -> String {
    block("X509 CRL", der).to_string()
}

fn block(label: &str, der: &[u8]) -> Zeroizing<String> {
    // Room for all of it, so that no copy is left behind by growing.
    let mut pem =
        Zeroizing::new(String::with_capacity(der.len().saturating_mul(2).saturating_add(96)));
    pem.extend(["-----BEGIN ", label, "-----\n"]);
    for line in der.chunks(48) {
        line.chunks(3)
            .for_each(|bytes| push_base64(&mut pem, bytes));
        pem.push('\n');
    }
    pem.extend(["-----END ", label, "-----\n"]);
    pem
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
