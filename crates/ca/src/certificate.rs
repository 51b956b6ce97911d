//! The certificates that are made here: the X509-SVID profile, and that of a signing certificate.

use std::time::Duration;

use meshtls_identity::{SpiffeId, TrustDomain};
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use time::OffsetDateTime;

use crate::bridge::{BridgedKey, BridgedSigner};
use crate::intermediate::NameLimit;
use crate::{PublicKey, Serial, SignError, Signer};

/// How far certificates are valid into the past, for peers whose clocks are late (Istio: 2 minutes).
const BACKDATED: Duration = Duration::from_secs(120);

/// From when and until when, both ends included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validity {
    pub(crate) not_before: UnixTime,
    pub(crate) not_after: UnixTime,
}

impl Validity {
    /// From two minutes before `now` until `life` after it, but never beyond `end`.
    pub(crate) fn starting(now: UnixTime, life: Duration, end: UnixTime) -> Self {
        let now = Duration::from_secs(now.as_secs());
        let not_before = UnixTime::since_unix_epoch(now.saturating_sub(BACKDATED));
        let not_after = UnixTime::since_unix_epoch(now.saturating_add(life));
        Self { not_before, not_after: not_after.min(end) }
    }
}

/// The last second that a certificate can name: 9999-12-31 23:59:59 (RFC 5280 section 4.1.2.5).
pub(crate) fn end_of_time() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(253_402_300_799))
}

/// What an issued certificate takes from its issuer's own.
#[derive(Clone, Debug)]
pub(crate) struct IssuerName {
    pub(crate) subject: DistinguishedName,
    pub(crate) key_id: Vec<u8>,
}

impl IssuerName {
    /// A name of its own for each key: verifiers find issuers by name, and take a certificate whose
    /// subject is its issuer for self-signed.
    pub(crate) fn new(trust_domain: &TrustDomain, role: Role, key: &PublicKey) -> Self {
        let key_id = key.key_id();
        let number: String = key_id
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let role = match role {
            Role::Root => "root",
            Role::Intermediate => "intermediate",
        };
        let mut subject = DistinguishedName::new();
        subject.push(DnType::OrganizationName, organization(trust_domain));
        subject.push(DnType::CommonName, format!("{role} {number}"));
        Self { subject, key_id }
    }
}

/// What a signing certificate is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    Root,
    Intermediate,
}

/// What every certificate needs besides its contents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) validity: Validity,
    pub(crate) serial: Serial,
    pub(crate) issuer: &'a IssuerName,
    pub(crate) signer: &'a dyn Signer,
}

/// Makes an X509-SVID: the profile of Istio's workload certificates.
pub(crate) fn x509_svid(
    key: &PublicKey,
    id: &SpiffeId,
    terms: Terms<'_>,
) -> Result<CertificateDer<'static>, SignError> {
    let mut params = params(terms, key.key_id());
    params.subject_alt_names = vec![uri(id)?];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    sign(&params, key, terms)
}

/// What a signing certificate forbids below it: by default nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AuthorityLimits {
    pub(crate) path_length: Option<u8>,
    pub(crate) names: NameLimit,
}

/// Makes a signing certificate: `cA`, keyCertSign and cRLSign; its URI SAN is the trust domain's own ID
/// (X509-SVID sections 3.2, 4.1 and 4.3).
pub(crate) fn authority(
    key: &PublicKey,
    name: &IssuerName,
    trust_domain: &TrustDomain,
    limits: AuthorityLimits,
    terms: Terms<'_>,
) -> Result<CertificateDer<'static>, SignError> {
    let mut params = params(terms, name.key_id.clone());
    params.distinguished_name = name.subject.clone();
    params.subject_alt_names = vec![uri(&trust_domain.spiffe_id())?];
    params.is_ca = IsCa::Ca(match limits.path_length {
        None => BasicConstraints::Unconstrained,
        Some(length) => BasicConstraints::Constrained(length),
    });
    match limits.names {
        NameLimit::None => {}
        NameLimit::OwnTrustDomain => {
            params.custom_extensions = vec![permitted_host(trust_domain)];
        }
    }
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    sign(&params, key, terms)
}

/// What both profiles share: an empty subject, and both key identifiers.
fn params(terms: Terms<'_>, key_id: Vec<u8>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.not_before = date(terms.validity.not_before);
    params.not_after = date(terms.validity.not_after);
    params.serial_number = Some(SerialNumber::from_slice(terms.serial.bytes()));
    params.key_identifier_method = KeyIdMethod::PreSpecified(key_id);
    params.use_authority_key_identifier_extension = true;
    params
}

fn sign(
    params: &CertificateParams,
    key: &PublicKey,
    terms: Terms<'_>,
) -> Result<CertificateDer<'static>, SignError> {
    let mut issuer = CertificateParams::default();
    issuer.distinguished_name = terms.issuer.subject.clone();
    issuer.key_identifier_method = KeyIdMethod::PreSpecified(terms.issuer.key_id.clone());
    let signer = BridgedSigner::new(terms.signer);
    match params.signed_by(&BridgedKey(key), &Issuer::from_params(&issuer, &signer)) {
        Ok(certificate) => Ok(certificate.into()),
        Err(error) => Err(signer.cause(error)),
    }
}

/// `NameConstraints` with one permitted subtree, a URI's host (RFC 5280 section 4.2.1.10): a host without a leading
/// dot stands for itself alone. rcgen knows no URIs there, so it is written by hand.
fn permitted_host(trust_domain: &TrustDomain) -> CustomExtension {
    const SEQUENCE: u8 = 0x30;
    const PERMITTED: u8 = 0xa0;
    const URI: u8 = 0x86;
    let base = element(SEQUENCE, &element(URI, trust_domain.as_str().as_bytes()));
    let constraints = element(SEQUENCE, &element(PERMITTED, &base));
    let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 30], constraints);
    extension.set_criticality(true);
    extension
}

/// One element of DER. What is written with it has less than 65,536 bytes: a trust domain has 255 at most.
fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let len = u16::try_from(contents.len()).unwrap_or(u16::MAX);
    let mut der = match len.to_be_bytes() {
        [0, short @ 0..=0x7f] => vec![tag, short],
        [0, long] => vec![tag, 0x81, long],
        [high, low] => vec![tag, 0x82, high, low],
    };
    der.extend_from_slice(contents);
    der
}

/// SPIFFE IDs are ASCII, so this does not fail.
fn uri(id: &SpiffeId) -> Result<SanType, SignError> {
    Ok(SanType::URI(Ia5String::try_from(id.as_str()).map_err(SignError::new)?))
}

/// Times beyond the year 9999 become its end.
pub(crate) fn date(time: UnixTime) -> OffsetDateTime {
    let seconds = i64::try_from(time.min(end_of_time()).as_secs()).unwrap_or_default();
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// A trust domain may have 255 bytes, an organization name 64 (RFC 5280 appendix A.1).
fn organization(trust_domain: &TrustDomain) -> String {
    trust_domain.as_str().chars().take(64).collect()
}
