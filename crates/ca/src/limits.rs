//! What a signing certificate forbids to whoever signs with it.

use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer as _;

/// The limits that are written in one signing certificate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many signing certificates may follow below it (RFC 5280 section 4.2.1.9); `None` for any number.
    pub(crate) path_length: Option<usize>,
    /// Whether it may sign revocation lists: there is no key usage, or one with cRLSign.
    pub(crate) may_sign_lists: bool,
}

impl Limits {
    pub(crate) fn read(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let mut limits = Self { path_length: None, may_sign_lists: true };
        for extension in parsed.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::BasicConstraints(constraints) => {
                    let length = constraints.path_len_constraint;
                    limits.path_length = length.and_then(|length| usize::try_from(length).ok());
                }
                ParsedExtension::KeyUsage(usage) => limits.may_sign_lists = usage.crl_sign(),
                _ => {}
            }
        }
        Some(limits)
    }

    /// How many signing certificates may follow below the first of `upward`, which is in the order of a chain: none
    /// below one that cannot be read.
    pub(crate) fn below<'a>(
        upward: impl IntoIterator<Item = &'a CertificateDer<'static>>,
    ) -> Option<usize> {
        let lengths = upward
            .into_iter()
            .enumerate()
            .filter_map(|(already_below, certificate)| match Self::read(certificate) {
                Some(limits) => Some(limits.path_length?.saturating_sub(already_below)),
                None => Some(0),
            });
        lengths.min()
    }
}
