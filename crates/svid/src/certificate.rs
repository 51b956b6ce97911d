//! What is read of any certificate beside webpki's reading: validity, and three extensions.

use meshtls_identity::SpiffeId;
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509CertificateParser;
use x509_parser::extensions::{
    BasicConstraints, GeneralName, KeyUsage, SubjectAlternativeName, X509Extension,
};
use x509_parser::nom::Parser as _;
use x509_parser::oid_registry::{
    OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_KEY_USAGE, OID_X509_EXT_SUBJECT_ALT_NAME,
};
use x509_parser::prelude::{FromDer, X509Error};
use x509_parser::time::ASN1Time;

/// A certificate, as far as our own rules look at it.
pub(crate) struct Certificate<'a> {
    pub(crate) period: Period,
    pub(crate) is_ca: bool,
    pub(crate) key_usage: Option<KeyUsage>,
    pub(crate) alternative_names: Vec<GeneralName<'a>>,
}

impl<'a> Certificate<'a> {
    /// Reads validity and three extensions. `None`: not DER, trailing bytes, or an extension twice.
    ///
    /// The other extensions are left to webpki, which refuses unknown critical ones.
    pub(crate) fn read(der: &'a CertificateDer<'_>) -> Option<Self> {
        let mut parser = X509CertificateParser::new().with_deep_parse_extensions(false);
        let (rest, parsed) = parser.parse(der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let (mut constraints, mut key_usage, mut names) = (None, None, None);
        for extension in parsed.extensions() {
            if extension.oid == OID_X509_EXT_BASIC_CONSTRAINTS {
                set_once::<BasicConstraints>(&mut constraints, extension)?;
            } else if extension.oid == OID_X509_EXT_KEY_USAGE {
                set_once(&mut key_usage, extension)?;
            } else if extension.oid == OID_X509_EXT_SUBJECT_ALT_NAME {
                set_once::<SubjectAlternativeName<'a>>(&mut names, extension)?;
            }
        }
        let validity = parsed.validity();
        Some(Self {
            period: Period {
                not_before: unix_time(validity.not_before),
                not_after: unix_time(validity.not_after),
            },
            is_ca: constraints.is_some_and(|constraints| constraints.ca),
            key_usage,
            alternative_names: names.map(|names| names.general_names).unwrap_or_default(),
        })
    }

    /// The SPIFFE IDs among its URI names. What does not parse as one is left out.
    pub(crate) fn spiffe_ids(&self) -> impl Iterator<Item = SpiffeId> {
        self.alternative_names.iter().filter_map(|name| match name {
            GeneralName::URI(text) => text.parse().ok(),
            _ => None,
        })
    }

    /// Whether this certificate may issue others.
    pub(crate) fn is_authority(&self) -> bool {
        self.is_ca && self.key_usage.as_ref().is_none_or(KeyUsage::key_cert_sign)
    }
}

/// When a certificate is valid: both ends belong to it (RFC 5280 section 4.1.2.5).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Period {
    pub(crate) not_before: UnixTime,
    pub(crate) not_after: UnixTime,
}

impl Period {
    pub(crate) fn contains(&self, now: UnixTime) -> bool {
        self.not_before <= now && now <= self.not_after
    }
}

/// Reads an extension's value whole, and refuses a second one of its kind (RFC 5280 section 4.2).
fn set_once<'a, T: FromDer<'a, X509Error>>(
    slot: &mut Option<T>,
    extension: &X509Extension<'a>,
) -> Option<()> {
    let (rest, value) = T::from_der(extension.value).ok()?;
    (rest.is_empty() && slot.replace(value).is_none()).then_some(())
}

/// Times before 1970 count as 1970: no certificate that lived then is valid now.
fn unix_time(time: ASN1Time) -> UnixTime {
    let seconds = u64::try_from(time.timestamp()).unwrap_or_default();
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
}
