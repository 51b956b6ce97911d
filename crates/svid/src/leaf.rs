//! The rules for a leaf that webpki lacks: who it names, and that it signs nothing but handshakes.

use meshtls_identity::SpiffeId;
use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;
use x509_parser::extensions::GeneralName;

use crate::certificate::{Certificate, Period};
use crate::reject::{ChainPart, RejectSvid, SigningMark};

/// Gives the SPIFFE ID that `leaf` claims, after the rules for a leaf alone.
///
/// No chain and no time are looked at: the claim is worth nothing before [`validate`](crate::validate)
/// has accepted the whole chain.
///
/// # Errors
///
/// * [`RejectSvid::Malformed`], [`RejectSvid::Version`], [`RejectSvid::CriticalExtension`]: not a
///   certificate that RFC 5280 lets us use.
/// * [`RejectSvid::SigningCertificate`]: `cA`, keyCertSign or cRLSign (X509-SVID section 5.2).
/// * [`RejectSvid::UriSans`]: not exactly one URI SAN (X509-SVID section 2).
/// * [`RejectSvid::SpiffeId`], [`RejectSvid::NoPath`]: that URI names no workload (X509-SVID section 5.2).
/// * [`RejectSvid::NoDigitalSignature`]: key usage is present and lacks it (X509-SVID section 4.3; RFC 5280
///   lets a certificate leave out key usage, and so do we).
pub fn identify(leaf: &CertificateDer<'_>) -> Result<SpiffeId, RejectSvid> {
    Leaf::read(leaf).map(|leaf| leaf.id)
}

/// A leaf that follows the leaf rules, and what was read from it.
pub(crate) struct Leaf<'a> {
    pub(crate) certificate: EndEntityCert<'a>,
    pub(crate) id: SpiffeId,
    pub(crate) period: Period,
    pub(crate) serial: Vec<u8>,
}

impl<'a> Leaf<'a> {
    pub(crate) fn read(der: &'a CertificateDer<'_>) -> Result<Self, RejectSvid> {
        const MALFORMED: RejectSvid = RejectSvid::Malformed { part: ChainPart::Leaf };
        let certificate = EndEntityCert::try_from(der).map_err(|error| match error {
            webpki::Error::UnsupportedCertVersion => RejectSvid::Version,
            webpki::Error::UnsupportedCriticalExtension => RejectSvid::CriticalExtension,
            _ => MALFORMED,
        })?;
        let parsed = Certificate::read(der).ok_or(MALFORMED)?;

        if let Some(mark) = parsed.signing_mark() {
            return Err(RejectSvid::SigningCertificate { mark });
        }
        let id = parsed.spiffe_id()?;
        if parsed
            .key_usage
            .as_ref()
            .is_some_and(|usage| !usage.digital_signature())
        {
            return Err(RejectSvid::NoDigitalSignature);
        }
        let serial = certificate.serial().to_vec();
        Ok(Self { certificate, id, period: parsed.period, serial })
    }
}

impl Certificate<'_> {
    fn signing_mark(&self) -> Option<SigningMark> {
        if self.is_ca {
            return Some(SigningMark::Ca);
        }
        let usage = self.key_usage.as_ref()?;
        if usage.key_cert_sign() {
            Some(SigningMark::KeyCertSign)
        } else if usage.crl_sign() {
            Some(SigningMark::CrlSign)
        } else {
            None
        }
    }

    /// Counts every name tagged as URI, readable or not: a second one must not hide behind bad UTF-8
    /// (webpki's own iterator leaves such names out).
    fn spiffe_id(&self) -> Result<SpiffeId, RejectSvid> {
        let mut uris = self.alternative_names.iter().filter_map(|name| match name {
            GeneralName::URI(text) => Some(text.as_bytes()),
            GeneralName::Invalid(tag, bytes) if tag.0 == URI_TAG => Some(*bytes),
            _ => None,
        });
        let uri = uris.next().ok_or(RejectSvid::UriSans { count: 0 })?;
        match uris.count() {
            0 => {}
            more => return Err(RejectSvid::UriSans { count: more.saturating_add(1) }),
        }
        let presented = SpiffeId::from_bytes(uri).map_err(RejectSvid::SpiffeId)?;
        if presented.path().is_empty() {
            return Err(RejectSvid::NoPath { presented });
        }
        Ok(presented)
    }
}

/// `uniformResourceIdentifier [6]` (RFC 5280 section 4.2.1.6).
const URI_TAG: u32 = 6;
