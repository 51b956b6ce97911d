//! Certificate revocation lists that an authority signs.

use std::collections::BTreeSet;
use std::time::Duration;

use rcgen::{CertificateParams, SerialNumber};
use rcgen::{CertificateRevocationListParams, Issuer, KeyIdMethod, RevokedCertParams};
use rustls_pki_types::{CertificateRevocationListDer, UnixTime};

use crate::authority::{Authority, IssueError};
use crate::bridge::BridgedSigner;
use crate::certificate::date;
use crate::limits::Limits;
use crate::{Serial, SignError};

impl Authority {
    /// Signs the list of what this authority has revoked: the whole of it, since a list replaces the one before.
    ///
    /// It is valid from two minutes before `now` until `life` after it, but not beyond the signing certificate.
    /// `number` is higher than that of each list before (RFC 5280 section 5.2.3). Nothing is remembered here: what was
    /// revoked once belongs on each list until its certificate has expired.
    ///
    /// # Errors
    ///
    /// * [`RevocationError::MayNotSign`]: the signing certificate's key usage lacks cRLSign, as that of Istio's
    ///   self-signed root does.
    /// * [`RevocationError::NoLife`]: `life` is zero, in seconds.
    /// * [`RevocationError::Repeated`]: a serial number is there twice.
    /// * [`RevocationError::Authority`]: `now` is outside this authority's life, or its certificate cannot be read.
    /// * [`RevocationError::Sign`]: the key did not sign.
    pub fn revocation_list(
        &self,
        revoked: &[Revocation],
        number: u64,
        life: Duration,
        now: UnixTime,
    ) -> Result<CertificateRevocationListDer<'static>, RevocationError> {
        if !Limits::read(&self.certificate).is_some_and(|limits| limits.may_sign_lists) {
            return Err(RevocationError::MayNotSign);
        }
        if life.as_secs() == 0 {
            return Err(RevocationError::NoLife);
        }
        let mut seen = BTreeSet::new();
        for Revocation { serial, .. } in revoked {
            if !seen.insert(serial) {
                return Err(RevocationError::Repeated { serial: *serial });
            }
        }
        let validity = self.validity_of(life, now)?;
        let list = CertificateRevocationListParams {
            this_update: date(validity.not_before),
            next_update: date(validity.not_after),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(Revocation::entry).collect(),
            key_identifier_method: KeyIdMethod::PreSpecified(self.name.key_id.clone()),
        };
        let mut issuer = CertificateParams::default();
        issuer.distinguished_name = self.name.subject.clone();
        let signer = BridgedSigner::new(self.signer.as_ref());
        match list.signed_by(&Issuer::from_params(&issuer, &signer)) {
            Ok(list) => Ok(list.into()),
            Err(error) => Err(RevocationError::Sign(signer.cause(error))),
        }
    }
}

/// Writes a list as an `X509 CRL` block of PEM (RFC 7468 section 6).
#[must_use]
pub fn revocation_list_pem(list: &CertificateRevocationListDer<'_>) -> String {
    crate::pem::revocation_list(list)
}

/// One certificate that is no longer to be accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Revocation {
    serial: Serial,
    at: UnixTime,
    reason: RevocationReason,
}

impl Revocation {
    /// The certificate with this serial number, which counts as revoked since `at`. Verifiers look at the serial
    /// number alone: a time to come revokes as well.
    #[must_use]
    pub fn new(serial: Serial, at: UnixTime, reason: RevocationReason) -> Self {
        Self { serial, at, reason }
    }

    /// Whose certificate: its serial number.
    #[must_use]
    pub fn serial(&self) -> Serial {
        self.serial
    }

    fn entry(&self) -> RevokedCertParams {
        RevokedCertParams {
            serial_number: SerialNumber::from_slice(self.serial.bytes()),
            revocation_time: date(self.at),
            reason_code: self.reason.code(),
            invalidity_date: None,
        }
    }
}

/// Why a certificate was revoked (RFC 5280 section 5.3.1). Holds, and taking an entry back, are not offered: webpki and
/// OpenSSL take a certificate on hold for revoked.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum RevocationReason {
    /// No reason is written.
    #[default]
    Unspecified,
    /// Somebody else may have the workload's key.
    KeyCompromise,
    /// Somebody else may have the authority's key.
    AuthorityCompromise,
    /// The workload goes by another identity now.
    AffiliationChanged,
    /// Another certificate took its place.
    Superseded,
    /// The workload is gone.
    CessationOfOperation,
    /// The workload may no longer have this identity.
    PrivilegeWithdrawn,
}

impl RevocationReason {
    /// `None` where RFC 5280 section 5.3.1 wants the code left out.
    fn code(self) -> Option<rcgen::RevocationReason> {
        match self {
            Self::Unspecified => None,
            Self::KeyCompromise => Some(rcgen::RevocationReason::KeyCompromise),
            Self::AuthorityCompromise => Some(rcgen::RevocationReason::CaCompromise),
            Self::AffiliationChanged => Some(rcgen::RevocationReason::AffiliationChanged),
            Self::Superseded => Some(rcgen::RevocationReason::Superseded),
            Self::CessationOfOperation => Some(rcgen::RevocationReason::CessationOfOperation),
            Self::PrivilegeWithdrawn => Some(rcgen::RevocationReason::PrivilegeWithdrawn),
        }
    }
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationError {
    /// The signing certificate has no key usage cRLSign (RFC 5280 section 4.2.1.3).
    #[error("the signing certificate may not sign revocation lists")]
    MayNotSign,
    /// The list would be out of date at once.
    #[error("a revocation list without a life")]
    NoLife,
    /// A certificate is there twice.
    #[error("serial number {serial} is revoked twice")]
    Repeated {
        /// Its serial number.
        serial: Serial,
    },
    /// The authority is out of date.
    #[error("the authority cannot sign now")]
    Authority(#[from] IssueError),
    /// The key did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl RevocationError {
    /// A short label for metrics. It stays the same over releases.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::MayNotSign => "may_not_sign_lists",
            Self::NoLife => "list_without_life",
            Self::Repeated { .. } => "revoked_twice",
            Self::Authority(error) => error.reason(),
            Self::Sign(_) => "not_signed",
        }
    }
}
