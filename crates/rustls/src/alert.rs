//! TLS alerts: which one a rejected peer gets, and what one that we get means.

use std::sync::Arc;
use std::{fmt, io};

use meshtls_svid::{RejectServer, RejectSvid};
use rustls::{AlertDescription, CertificateError, OtherError};

/// Chooses the error whose alert rustls sends for a rejected chain.
///
/// Envoy's alerts where they are known: unknown issuer 48, outside its validity 45, no usable identity or
/// wrong trust domain 46. A revoked certificate gets 44. The others follow BoringSSL's table or RFC 8446 section 6.2.
pub(crate) fn certificate_error(reject: &RejectSvid) -> CertificateError {
    match reject {
        RejectSvid::Expired { .. } => CertificateError::Expired,
        RejectSvid::NotYetValid { .. } => CertificateError::NotValidYet,
        RejectSvid::UntrustedIssuer { .. }
        | RejectSvid::WrongSignature { .. }
        | RejectSvid::IssuerNotAuthority { .. }
        | RejectSvid::PathLength { .. } => CertificateError::UnknownIssuer,
        RejectSvid::Malformed { .. } | RejectSvid::Version => CertificateError::BadEncoding,
        RejectSvid::CriticalExtension => CertificateError::UnhandledCriticalExtension,
        RejectSvid::WrongPurpose { .. } => CertificateError::InvalidPurpose,
        RejectSvid::Revoked { .. } => CertificateError::Revoked,
        other => unacceptable(other.clone()),
    }
}

/// Chooses the error whose alert rustls sends for a rejected server, by the same table. A wrong name gets 46, as
/// from Envoy; a revoked certificate 44.
pub(crate) fn server_certificate_error(reject: &RejectServer) -> CertificateError {
    match reject {
        RejectServer::Expired { .. } => CertificateError::Expired,
        RejectServer::NotYetValid { .. } => CertificateError::NotValidYet,
        RejectServer::UntrustedIssuer
        | RejectServer::WrongSignature
        | RejectServer::IssuerNotAllowed => CertificateError::UnknownIssuer,
        RejectServer::Malformed { .. } | RejectServer::Version => CertificateError::BadEncoding,
        RejectServer::CriticalExtension => CertificateError::UnhandledCriticalExtension,
        RejectServer::WrongPurpose => CertificateError::InvalidPurpose,
        RejectServer::Revoked => CertificateError::Revoked,
        other => unacceptable(other.clone()),
    }
}

/// The certificate is fine, but not for us: alert 46, certificate_unknown.
pub(crate) fn unacceptable(
    reason: impl std::error::Error + Send + Sync + 'static,
) -> CertificateError {
    CertificateError::Other(OtherError(Arc::new(reason)))
}

/// A TLS alert (RFC 8446 section 6), known by its number.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Alert(u8);

impl Alert {
    /// Gives the number on the wire.
    #[must_use]
    pub fn code(self) -> u8 {
        self.0
    }

    /// Gives its name in RFC 8446 section 6, or in a later or earlier document; else `unknown`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "close_notify",
            10 => "unexpected_message",
            20 => "bad_record_mac",
            22 => "record_overflow",
            40 => "handshake_failure",
            42 => "bad_certificate",
            43 => "unsupported_certificate",
            44 => "certificate_revoked",
            45 => "certificate_expired",
            46 => "certificate_unknown",
            47 => "illegal_parameter",
            48 => "unknown_ca",
            49 => "access_denied",
            50 => "decode_error",
            51 => "decrypt_error",
            70 => "protocol_version",
            71 => "insufficient_security",
            80 => "internal_error",
            86 => "inappropriate_fallback",
            90 => "user_canceled",
            100 => "no_renegotiation",
            109 => "missing_extension",
            110 => "unsupported_extension",
            112 => "unrecognized_name",
            113 => "bad_certificate_status_response",
            115 => "unknown_psk_identity",
            116 => "certificate_required",
            120 => "no_application_protocol",
            121 => "ech_required",
            _ => "unknown",
        }
    }

    /// Whether the alert says that our certificate is missing or not good enough: 42 to 46, 48, 49, 116.
    #[must_use]
    pub fn is_about_certificate(self) -> bool {
        matches!(self.0, 42..=46 | 48 | 49 | 116)
    }
}

impl From<AlertDescription> for Alert {
    fn from(alert: AlertDescription) -> Self {
        Self(alert.into())
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

/// The peer ended the connection with a TLS alert, so it did not accept us.
///
/// In TLS 1.3 a client hears that its certificate was refused only after its handshake has succeeded: it is
/// then the source of the [`io::Error`] that the first read gives (see [`refusal_of`]).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the peer refused us with the TLS alert {alert}")]
#[non_exhaustive]
pub struct PeerRefusedUs {
    /// What the peer said.
    pub alert: Alert,
}

impl PeerRefusedUs {
    pub(crate) fn from_rustls(error: &rustls::Error) -> Option<Self> {
        match error {
            rustls::Error::AlertReceived(alert) => Some(Self { alert: (*alert).into() }),
            _ => None,
        }
    }

    /// Replaces rustls' own error by this one, if an alert is what it is about.
    pub(crate) fn in_place_of(error: io::Error) -> io::Error {
        match rustls_error(&error).and_then(Self::from_rustls) {
            Some(refused) => io::Error::new(io::ErrorKind::ConnectionAborted, refused),
            None => error,
        }
    }
}

/// Finds the peer's refusal in an error that a [`ClientStream`](crate::ClientStream) gave.
#[must_use]
pub fn refusal_of(error: &io::Error) -> Option<&PeerRefusedUs> {
    error.get_ref()?.downcast_ref()
}

pub(crate) fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_have_numbers_and_names() {
        for (alert, shown, about_certificate) in [
            (AlertDescription::HandshakeFailure, "handshake_failure (40)", false),
            (AlertDescription::CertificateExpired, "certificate_expired (45)", true),
            (AlertDescription::CertificateUnknown, "certificate_unknown (46)", true),
            (AlertDescription::UnknownCA, "unknown_ca (48)", true),
            (AlertDescription::DecryptError, "decrypt_error (51)", false),
            (AlertDescription::CertificateRequired, "certificate_required (116)", true),
            (AlertDescription::Unknown(200), "unknown (200)", false),
        ] {
            let alert = Alert::from(alert);
            assert_eq!(alert.to_string(), shown);
            assert_eq!(alert.is_about_certificate(), about_certificate, "{shown}");
        }
    }

    #[test]
    fn what_a_revoked_peer_hears() {
        let presented: meshtls_identity::SpiffeId = "spiffe://prod.example/ledger".parse().unwrap();
        let presented = || presented.clone();
        let now = rustls::pki_types::UnixTime::since_unix_epoch(std::time::Duration::ZERO);
        for (reject, alert) in [
            (RejectSvid::Revoked { presented: presented() }, "certificate_revoked (44)"),
            (RejectSvid::RevocationUnknown { presented: presented() }, "certificate_unknown (46)"),
            (
                RejectSvid::RevocationListExpired { presented: presented(), next_update: now, now },
                "certificate_unknown (46)",
            ),
            (
                RejectSvid::RevocationListUnusable { presented: presented() },
                "certificate_unknown (46)",
            ),
        ] {
            let heard = Alert::from(AlertDescription::from(certificate_error(&reject)));
            assert_eq!(heard.to_string(), alert, "{}", reject.reason());
        }
    }

    /// Every number that rustls names, we name.
    #[test]
    fn no_name_is_missing() {
        // Not in RFC 8446: SSL 3.0, export ciphers, and what TLS 1.3 dropped.
        let dropped = [21, 30, 41, 60, 111, 114];
        for code in (0..=u8::MAX).filter(|code| !dropped.contains(code)) {
            let known = !matches!(AlertDescription::from(code), AlertDescription::Unknown(_));
            if known && Alert(code).name() == "unknown" {
                panic!("{code}: {:?}", AlertDescription::from(code));
            }
        }
    }

    #[test]
    fn only_a_received_alert_is_a_refusal() {
        let io_error = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let alert = rustls::Error::AlertReceived(AlertDescription::UnknownCA);
        let refused = PeerRefusedUs::in_place_of(io_error(alert));
        assert_eq!(refusal_of(&refused).map(|refused| refused.alert.code()), Some(48));
        let other = PeerRefusedUs::in_place_of(io_error(rustls::Error::DecryptError));
        assert_eq!((refusal_of(&other), other.kind()), (None, io::ErrorKind::InvalidData));
        assert_eq!(refusal_of(&io::ErrorKind::ConnectionReset.into()), None);
    }
}
