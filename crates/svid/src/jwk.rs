//! An authority's public key as the parameters of a JSON Web Key.

use data_encoding::BASE64URL_NOPAD;
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509CertificateParser;
use x509_parser::nom::Parser as _;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521,
    OID_PKCS1_RSAENCRYPTION, OID_SIG_ED25519,
};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

/// A public key of a kind that RFC 7518 section 6 or RFC 8037 section 2 gives a form, as bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum PublicJwk {
    /// `x` and `y` are as long as the curve's field.
    Ec {
        crv: &'static str,
        x: Vec<u8>,
        y: Vec<u8>,
    },
    /// Both without leading zeros.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    Ed25519 {
        x: Vec<u8>,
    },
}

impl PublicJwk {
    /// Reads the key of a certificate. `None`: it is of another kind, or not well-formed.
    pub(crate) fn of_certificate(der: &CertificateDer<'_>) -> Option<Self> {
        let mut parser = X509CertificateParser::new().with_deep_parse_extensions(false);
        let (_, parsed) = parser.parse(der).ok()?;
        Self::of_spki(parsed.public_key())
    }

    fn of_spki(spki: &SubjectPublicKeyInfo<'_>) -> Option<Self> {
        let algorithm = &spki.algorithm.algorithm;
        let bits = spki.subject_public_key.data.as_ref();
        if *algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
            let curve = spki.algorithm.parameters.as_ref()?.as_oid().ok()?;
            let (crv, length) = [
                (OID_EC_P256, "P-256", 32_usize),
                (OID_NIST_EC_P384, "P-384", 48),
                (OID_NIST_EC_P521, "P-521", 66),
            ]
            .into_iter()
            .find_map(|(oid, crv, length)| (oid == curve).then_some((crv, length)))?;
            // The uncompressed form of SEC 1 section 2.3.3; webpki takes no other.
            let (x, y) = bits.strip_prefix(&[4])?.split_at_checked(length)?;
            (y.len() == length).then(|| Self::Ec { crv, x: x.to_vec(), y: y.to_vec() })
        } else if *algorithm == OID_PKCS1_RSAENCRYPTION {
            let Ok(PublicKey::RSA(key)) = spki.parsed() else { return None };
            Some(Self::Rsa { n: unsigned(key.modulus), e: unsigned(key.exponent) })
        } else if *algorithm == OID_SIG_ED25519 {
            (bits.len() == 32).then(|| Self::Ed25519 { x: bits.to_vec() })
        } else {
            None
        }
    }

    /// Whether a key of this `kty` and `crv` is of a kind known here. Any other is to be ignored.
    pub(crate) fn is_known(kty: Option<&str>, crv: Option<&str>) -> bool {
        match kty {
            // Without a curve it is broken, not unknown.
            Some("EC") => matches!(crv, None | Some("P-256" | "P-384" | "P-521")),
            Some("OKP") => matches!(crv, None | Some("Ed25519")),
            Some("RSA") => true,
            _ => false,
        }
    }

    pub(crate) fn kty(&self) -> &'static str {
        match self {
            Self::Ec { .. } => "EC",
            Self::Rsa { .. } => "RSA",
            Self::Ed25519 { .. } => "OKP",
        }
    }

    /// The parameters beside `kty`: name and text.
    pub(crate) fn parameters(&self) -> Vec<(&'static str, String)> {
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        match self {
            Self::Ec { crv, x, y } => {
                vec![("crv", (*crv).to_owned()), ("x", text(x)), ("y", text(y))]
            }
            Self::Rsa { n, e } => vec![("n", text(n)), ("e", text(e))],
            Self::Ed25519 { x } => vec![("crv", "Ed25519".to_owned()), ("x", text(x))],
        }
    }

    /// Whether `given` says the parameter `name` as this key has it. Leading zeros of RSA's numbers do not count:
    /// some writers have them, although RFC 7518 section 6.3.1.1 does not.
    pub(crate) fn agrees(&self, name: &str, given: &str) -> bool {
        let decoded = || BASE64URL_NOPAD.decode(given.as_bytes()).ok();
        match (self, name) {
            (Self::Ec { crv, .. }, "crv") => *crv == given,
            (Self::Ed25519 { .. }, "crv") => given == "Ed25519",
            (Self::Ec { x, .. } | Self::Ed25519 { x }, "x") => decoded().as_ref() == Some(x),
            (Self::Ec { y, .. }, "y") => decoded().as_ref() == Some(y),
            (Self::Rsa { n, .. }, "n") => {
                decoded().map(|bytes| unsigned(&bytes)).as_ref() == Some(n)
            }
            (Self::Rsa { e, .. }, "e") => {
                decoded().map(|bytes| unsigned(&bytes)).as_ref() == Some(e)
            }
            _ => false,
        }
    }
}

/// A positive number without the zeros before it.
fn unsigned(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .copied()
        .skip_while(|byte| *byte == 0)
        .collect()
}
