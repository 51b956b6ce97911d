//! Certificates outside the mesh: of servers with DNS names, and of clients without a SPIFFE ID.

use std::net::IpAddr;

use meshtls_ca::{KeyPair, KeyType, Signer as _};
use meshtls_svid::KeyedChain;
use rustls_pki_types::CertificateRevocationListDer;

use crate::TestCa;
use crate::der::{bit_string, element, octet_string, oid, sequence, small, tagged, time};
use crate::draft::{
    AUTHORITY_KEY_ID, DAY, DNS, Draft, ECDSA_WITH_SHA256, IP_ADDRESS, Issuer, MAIL, SERIAL,
    SUBJECT_ALT_NAME, URI, after, before,
};

/// What a revocation list of the test kit says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "tests name the case they want")]
pub enum Revocations {
    /// Nobody is revoked.
    Nobody,
    /// Every leaf of the test kit that is not an X509-SVID is: all have the same serial number.
    EveryWebCertificate,
    /// Nobody is revoked, but the list is out of date.
    OutOfDate,
    /// Nobody is revoked, says somebody else in the issuer's name.
    Forged,
}

/// A subject alternative name of a certificate outside the mesh: its kind and its text, which need not fit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "tests name the case they want")]
pub enum WebName<'a> {
    /// A `dNSName`.
    Dns(&'a str),
    /// A `uniformResourceIdentifier`.
    Uri(&'a str),
    /// An `rfc822Name`.
    Mail(&'a str),
    /// An `iPAddress`.
    Address(IpAddr),
}

impl TestCa {
    /// Issues a certificate for a server or a client outside the mesh, valid for a day, with a P-256 key. Of
    /// `names`, what has a `:/` in it becomes a URI, an IP address one, and all else a DNS name.
    ///
    /// # Panics
    ///
    /// If no key can be drawn.
    #[must_use]
    pub fn web_certificate(&self, names: &[&str]) -> KeyedChain {
        let names: Vec<WebName<'_>> = names.iter().map(|name| WebName::of(name)).collect();
        self.web_certificate_named(&names)
    }

    /// Issues a certificate as [`web_certificate`](Self::web_certificate) does, with names whose kinds the test
    /// chooses, be they at odds with their text.
    ///
    /// # Panics
    ///
    /// If no key can be drawn.
    #[must_use]
    pub fn web_certificate_named(&self, names: &[WebName<'_>]) -> KeyedChain {
        let key = KeyPair::generate(KeyType::P256).expect("a key can be drawn");
        let issuer = Issuer::of(self.authority());
        let mut draft = Draft::leaf(b"", key.public_key(), &issuer, self.now());
        let names: Vec<u8> = names.iter().flat_map(|name| name.to_der()).collect();
        draft.set(SUBJECT_ALT_NAME, true, sequence(&[&names]));
        let mut chain = vec![draft.sign(issuer.signer.as_ref())];
        chain.extend_from_slice(self.authority().intermediates());
        KeyedChain::new(chain, key.private_key()).expect("what was issued can be read")
    }

    /// The list of what the issuer of this authority has revoked, renewed within a day.
    ///
    /// # Panics
    ///
    /// If a key in memory does not sign.
    #[must_use]
    pub fn revocation_list(
        &self,
        revocations: Revocations,
    ) -> CertificateRevocationListDer<'static> {
        let issuer = Issuer::of(self.authority());
        let algorithm = sequence(&[&oid(ECDSA_WITH_SHA256)]);
        let next_update = match revocations {
            Revocations::OutOfDate => before(self.now(), DAY),
            _ => after(self.now(), DAY),
        };
        let revoked = match revocations {
            Revocations::EveryWebCertificate => {
                let entry = sequence(&[&small(SERIAL), &time(self.now())]);
                sequence(&[&entry])
            }
            Revocations::Nobody | Revocations::OutOfDate | Revocations::Forged => vec![],
        };
        let extensions = [
            extension(AUTHORITY_KEY_ID, &sequence(&[&element(0x80, &issuer.key_id)])),
            extension(CRL_NUMBER, &small(1)),
        ];
        let to_be_signed = sequence(&[
            &small(1),
            &algorithm,
            &issuer.name,
            &before(self.now(), DAY * 2),
            &next_update,
            &revoked,
            &tagged(0, &sequence(&[&extensions.concat()])),
        ]);
        let signer = match revocations {
            Revocations::Forged => Issuer::new("somebody else").signer,
            _ => issuer.signer,
        };
        let signature = signer.sign(&to_be_signed).expect("a key in memory signs");
        sequence(&[&to_be_signed, &algorithm, &bit_string(&signature)]).into()
    }
}

impl TestCa {
    /// The same list as a PEM text.
    ///
    /// # Panics
    ///
    /// As [`revocation_list`](Self::revocation_list).
    #[must_use]
    pub fn revocation_list_pem(&self, revocations: Revocations) -> String {
        let text = base64(&self.revocation_list(revocations));
        let mut pem = "-----BEGIN X509 CRL-----\n".to_owned();
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (line, tail) = rest.split_at(rest.len().min(64));
            pem.extend([line, "\n"]);
            rest = tail;
        }
        pem + "-----END X509 CRL-----\n"
    }
}

/// RFC 4648 section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let sextet = usize::try_from(bits >> shift & 0x3f).expect("six bits");
            let shown = ALPHABET.get(sextet).filter(|_| at <= three.len());
            text.push(shown.map_or('=', |character| char::from(*character)));
        }
    }
    text
}

impl<'a> WebName<'a> {
    fn of(name: &'a str) -> Self {
        match name.parse() {
            Ok(ip) => Self::Address(ip),
            Err(_) if name.contains(":/") => Self::Uri(name),
            Err(_) => Self::Dns(name),
        }
    }

    fn to_der(self) -> Vec<u8> {
        match self {
            Self::Dns(name) => element(DNS, name.as_bytes()),
            Self::Uri(name) => element(URI, name.as_bytes()),
            Self::Mail(name) => element(MAIL, name.as_bytes()),
            Self::Address(IpAddr::V4(ip)) => element(IP_ADDRESS, &ip.octets()),
            Self::Address(IpAddr::V6(ip)) => element(IP_ADDRESS, &ip.octets()),
        }
    }
}

fn extension(id: &[u8], value: &[u8]) -> Vec<u8> {
    sequence(&[&oid(id), &octet_string(value)])
}

/// `CRLNumber` (RFC 5280 section 5.2.3).
const CRL_NUMBER: &[u8] = &[0x55, 29, 20];
