//! A certificate before it is signed, every part of which can be spoiled.

use std::sync::Arc;
use std::time::Duration;

use meshtls_ca::{Authority, KeyPair, KeyType, PublicKey, Signer};
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::der::{
    NULL, TRUE, bit_string, element, octet_string, oid, sequence, set, small, tagged, time, utf8,
};

/// The parts of a certificate, in DER. Public keys and signatures are ECDSA on P-256, unless spoiled.
pub(crate) struct Draft {
    /// `None`: version 1, in which extensions are not written either.
    pub(crate) version: Option<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) not_before: Vec<u8>,
    pub(crate) not_after: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    pub(crate) spki: Vec<u8>,
    pub(crate) extensions: Vec<Extension>,
    pub(crate) signature_algorithm: Vec<u8>,
}

pub(crate) struct Extension {
    oid: &'static [u8],
    critical: bool,
    value: Vec<u8>,
}

/// Who signs: name, key identifier and key. Any key can sign, an authority's or not.
#[derive(Clone)]
pub(crate) struct Issuer {
    pub(crate) name: Vec<u8>,
    pub(crate) key_id: Vec<u8>,
    pub(crate) signer: Arc<dyn Signer>,
}

impl Issuer {
    /// A new name and a new key.
    pub(crate) fn new(name: &str) -> Self {
        let signer = KeyPair::generate(KeyType::P256).expect("a key can be drawn");
        Self::named(common_name(name), Arc::new(signer))
    }

    pub(crate) fn named(name: Vec<u8>, signer: Arc<dyn Signer>) -> Self {
        let key_id = key_id(signer.public_key().spki().as_ref());
        Self { name, key_id, signer }
    }

    pub(crate) fn of(authority: &Authority) -> Self {
        let mut store = RootCertStore::empty();
        store
            .add(authority.certificate().clone())
            .expect("an authority's certificate is one");
        let anchor = store.roots.first().expect("it was just added");
        Self::named(element(0x30, &anchor.subject), Arc::clone(authority.signer()))
    }
}

impl Draft {
    /// A faultless leaf of this profile: as the authority issues them.
    pub(crate) fn leaf(uri: &[u8], key: &PublicKey, issuer: &Issuer, now: UnixTime) -> Self {
        let names = element(URI, uri);
        let mut draft = Self::new(sequence(&[]), key, issuer, now);
        draft.set(SUBJECT_ALT_NAME, true, sequence(&[&names]));
        draft.set(KEY_USAGE, true, key_usage(DIGITAL_SIGNATURE | KEY_ENCIPHERMENT));
        draft.set(EXT_KEY_USAGE, false, sequence(&[&oid(SERVER_AUTH), &oid(CLIENT_AUTH)]));
        draft.set(BASIC_CONSTRAINTS, true, sequence(&[]));
        draft
    }

    /// A faultless signing certificate.
    pub(crate) fn authority(subject: &Issuer, issuer: &Issuer, now: UnixTime) -> Self {
        let mut draft = Self::new(subject.name.clone(), subject.signer.public_key(), issuer, now);
        draft.set(KEY_USAGE, true, key_usage(KEY_CERT_SIGN | CRL_SIGN));
        draft.set(BASIC_CONSTRAINTS, true, sequence(&[TRUE]));
        draft
    }

    fn new(subject: Vec<u8>, key: &PublicKey, issuer: &Issuer, now: UnixTime) -> Self {
        let mut draft = Self {
            version: Some(2),
            issuer: issuer.name.clone(),
            not_before: before(now, Duration::from_secs(120)),
            not_after: after(now, DAY),
            subject,
            spki: vec![],
            extensions: vec![],
            signature_algorithm: sequence(&[&oid(ECDSA_WITH_SHA256)]),
        };
        draft.set_issuer(issuer);
        draft.set_key(key.spki().as_ref());
        draft
    }

    /// Names who is going to sign.
    pub(crate) fn set_issuer(&mut self, issuer: &Issuer) {
        self.issuer.clone_from(&issuer.name);
        self.set(AUTHORITY_KEY_ID, false, sequence(&[&element(0x80, &issuer.key_id)]));
    }

    /// Says whose certificate it is, by a `SubjectPublicKeyInfo`.
    pub(crate) fn set_key(&mut self, spki: &[u8]) {
        self.spki = spki.to_vec();
        self.set(SUBJECT_KEY_ID, false, octet_string(&key_id(spki)));
    }

    /// Adds an extension, or replaces the one of its kind.
    pub(crate) fn set(&mut self, oid: &'static [u8], critical: bool, value: Vec<u8>) {
        self.remove(oid);
        self.add(oid, critical, value);
    }

    /// Adds an extension, even a second one of its kind.
    pub(crate) fn add(&mut self, oid: &'static [u8], critical: bool, value: Vec<u8>) {
        self.extensions.push(Extension { oid, critical, value });
    }

    pub(crate) fn remove(&mut self, oid: &'static [u8]) {
        self.extensions.retain(|extension| extension.oid != oid);
    }

    pub(crate) fn sign(&self, signer: &dyn Signer) -> CertificateDer<'static> {
        let version = self
            .version
            .map(|number| tagged(0, &small(number)))
            .unwrap_or_default();
        let extensions: Vec<u8> = self.extensions.iter().flat_map(Extension::der).collect();
        let extensions = match self.version {
            Some(_) => tagged(3, &sequence(&[&extensions])),
            None => vec![],
        };
        let algorithm = &self.signature_algorithm;
        let to_be_signed = sequence(&[
            &version,
            &small(SERIAL),
            algorithm,
            &self.issuer,
            &sequence(&[&self.not_before, &self.not_after]),
            &self.subject,
            &self.spki,
            &extensions,
        ]);
        let signature = signer.sign(&to_be_signed).expect("a key in memory signs");
        sequence(&[&to_be_signed, algorithm, &bit_string(&signature)]).into()
    }
}

impl Extension {
    fn der(&self) -> Vec<u8> {
        let critical = if self.critical { TRUE } else { &[] };
        sequence(&[&oid(self.oid), critical, &octet_string(&self.value)])
    }
}

/// A name with one attribute: the common name.
pub(crate) fn common_name(text: &str) -> Vec<u8> {
    sequence(&[&set(&[&sequence(&[&oid(COMMON_NAME), &utf8(text)])])])
}

/// `flags` of the first byte of `KeyUsage`, which holds every flag used here.
pub(crate) fn key_usage(flags: u8) -> Vec<u8> {
    let unused = u8::try_from(flags.trailing_zeros()).expect("at most eight");
    element(0x03, &[unused, flags])
}

pub(crate) fn before(now: UnixTime, by: Duration) -> Vec<u8> {
    let since = Duration::from_secs(now.as_secs());
    time(UnixTime::since_unix_epoch(since.saturating_sub(by)))
}

pub(crate) fn after(now: UnixTime, by: Duration) -> Vec<u8> {
    let since = Duration::from_secs(now.as_secs());
    time(UnixTime::since_unix_epoch(since.saturating_add(by)))
}

/// `AlgorithmIdentifier` of RSA with MD5, whose parameters are NULL (RFC 3279 section 2.2.1).
pub(crate) fn rsa_with_md5() -> Vec<u8> {
    sequence(&[&oid(RSA_WITH_MD5), NULL])
}

/// As `meshtls-ca` chooses it: the key's last 20 bytes.
fn key_id(spki: &[u8]) -> Vec<u8> {
    spki.last_chunk::<20>()
        .expect("every key is longer")
        .to_vec()
}

/// The serial number of every draft.
pub(crate) const SERIAL: u8 = 0x4d;

pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// `uniformResourceIdentifier [6]` and `dNSName [2]` of `GeneralName` (RFC 5280 section 4.2.1.6).
pub(crate) const URI: u8 = 0x86;
/// The same number, with elements inside: not what RFC 5280 has.
pub(crate) const URI_CONSTRUCTED: u8 = 0xa6;
pub(crate) const DNS: u8 = 0x82;
/// `rfc822Name [1]` of `GeneralName`.
pub(crate) const MAIL: u8 = 0x81;
/// `iPAddress [7]` of `GeneralName`.
pub(crate) const IP_ADDRESS: u8 = 0x87;

pub(crate) const DIGITAL_SIGNATURE: u8 = 0x80;
pub(crate) const KEY_ENCIPHERMENT: u8 = 0x20;
pub(crate) const KEY_CERT_SIGN: u8 = 0x04;
pub(crate) const CRL_SIGN: u8 = 0x02;

/// Object identifiers (RFC 5280 sections 4.2.1 and 4.2.2; RFC 3279 section 2.2; RFC 5758 section 3.2).
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
pub(crate) const SUBJECT_KEY_ID: &[u8] = &[0x55, 29, 14];
pub(crate) const KEY_USAGE: &[u8] = &[0x55, 29, 15];
pub(crate) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 29, 17];
pub(crate) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 29, 19];
pub(crate) const NAME_CONSTRAINTS: &[u8] = &[0x55, 29, 30];
pub(crate) const AUTHORITY_KEY_ID: &[u8] = &[0x55, 29, 35];
pub(crate) const EXT_KEY_USAGE: &[u8] = &[0x55, 29, 37];
pub(crate) const ANY_USAGE: &[u8] = &[0x55, 29, 37, 0];
pub(crate) const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
pub(crate) const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
/// 2.999.1, which is there for examples and means nothing.
pub(crate) const UNKNOWN_EXTENSION: &[u8] = &[0x88, 0x37, 1];
pub(crate) const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
pub(crate) const ECDSA_WITH_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1];
const RSA_WITH_MD5: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4];

/// Public keys made with OpenSSL 3.0, whose private keys are thrown away.
pub(crate) const RSA_1024: &[u8] = include_bytes!("keys/rsa1024.spki.der");
pub(crate) const P_521: &[u8] = include_bytes!("keys/p521.spki.der");
