//! Older private key formats, wrapped into PKCS #8 (RFC 5208), which every backend reads.

use zeroize::Zeroizing;

/// The curves of SEC 1 keys that are read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Curve {
    P256,
    P384,
}

/// An RSA key in PKCS #1 (`RSA PRIVATE KEY`).
pub(crate) fn from_pkcs1(key: &[u8]) -> Zeroizing<Vec<u8>> {
    wrap(RSA_ENCRYPTION, key)
}

/// An elliptic curve key in SEC 1 (`EC PRIVATE KEY`), which need not name its curve.
pub(crate) fn from_sec1(key: &[u8], curve: Curve) -> Zeroizing<Vec<u8>> {
    let algorithm = match curve {
        Curve::P256 => EC_P256,
        Curve::P384 => EC_P384,
    };
    wrap(algorithm, key)
}

/// An Ed25519 seed, as RFC 8410 section 7 writes it. OpenSSL does not read the form with the public key.
pub(crate) fn from_ed25519_seed(seed: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    wrap(ED25519, &tagged(OCTET_STRING, seed))
}

fn wrap(algorithm: &[u8], key: &[u8]) -> Zeroizing<Vec<u8>> {
    let key = tagged(OCTET_STRING, key);
    let contents = Zeroizing::new([VERSION_0, algorithm, &key].concat());
    tagged(SEQUENCE, &contents)
}

/// One DER element. A key longer than 65535 bytes gets a wrong length, and is then refused by the reader.
fn tagged(tag: u8, contents: &[u8]) -> Zeroizing<Vec<u8>> {
    let [.., high, low] = contents.len().to_be_bytes();
    let header: &[u8] = match (high, low) {
        (0, 0..=0x7f) => &[tag, low],
        (0, 0x80..) => &[tag, 0x81, low],
        (1.., _) => &[tag, 0x82, high, low],
    };
    Zeroizing::new([header, contents].concat())
}

const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
const VERSION_0: &[u8] = &[2, 1, 0];
/// rsaEncryption with NULL (RFC 3279 section 2.3.1).
const RSA_ENCRYPTION: &[u8] = &[0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
/// id-ecPublicKey with prime256v1 (RFC 5480 section 2.1.1).
const EC_P256: &[u8] = &[
    0x30, 19, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7,
];
/// id-ecPublicKey with secp384r1 (RFC 5480 section 2.1.1).
const EC_P384: &[u8] =
    &[0x30, 16, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 5, 0x2b, 0x81, 4, 0, 0x22];
/// id-Ed25519 (RFC 8410 section 3).
const ED25519: &[u8] = &[0x30, 5, 6, 3, 0x2b, 0x65, 0x70];
