//! Why TLS origination failed, and why no configuration can be made for it.

use std::io;

use meshtls_svid::{PresentedNames, RejectServer};
use rustls::CertificateError;

use crate::alert::{PeerRefusedUs, rustls_error};
use crate::verify_server::ServerVerdict;

/// Why a handshake with a server outside the mesh failed. The server sees a TLS alert and no more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OriginationError {
    /// The server's chain was rejected, or carries none of the names accepted.
    #[error("the server's certificate was rejected")]
    Rejected(#[from] RejectServer),

    /// The server presented no certificate.
    #[error("the server presented no certificate")]
    NoCertificate,

    /// The server showed a good chain, but did not prove to hold its key.
    #[error("the server does not hold the key of the certificate for {presented}")]
    NotKeyHolder {
        /// The names in the certificate it showed.
        presented: PresentedNames,
    },

    /// The server ended the handshake with an alert.
    #[error(transparent)]
    AlertReceived(#[from] PeerRefusedUs),

    /// The server speaks no TLS at all, broke the protocol, or has no version, cipher suite or application
    /// protocol in common with us.
    #[error("the TLS handshake failed")]
    Tls(#[source] rustls::Error),

    /// The transport failed or ended.
    #[error("the transport failed during the handshake")]
    Io(#[source] io::Error),
}

impl OriginationError {
    /// Finds the cause of a failed handshake.
    pub(crate) fn new(error: io::Error, verdict: Option<ServerVerdict>) -> Self {
        match (verdict, rustls_error(&error)) {
            (Some(Err(reject)), _) => Self::Rejected(reject),
            (
                Some(Ok(presented)),
                Some(rustls::Error::InvalidCertificate(
                    CertificateError::BadSignature
                    | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. },
                )),
            ) => Self::NotKeyHolder { presented },
            (_, Some(rustls::Error::NoCertificatesPresented)) => Self::NoCertificate,
            (_, Some(tls)) => match PeerRefusedUs::from_rustls(tls) {
                Some(refused) => Self::AlertReceived(refused),
                None => Self::Tls(tls.clone()),
            },
            (_, None) => Self::Io(error),
        }
    }

    /// Gives a short label for metrics. It stays the same over releases.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Rejected(reject) => reject.reason(),
            Self::NoCertificate => "no_certificate",
            Self::NotKeyHolder { .. } => "not_key_holder",
            Self::AlertReceived(_) => "alert_received",
            Self::Tls(_) => "tls_protocol",
            Self::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                "closed_in_handshake"
            }
            Self::Io(_) => "transport",
        }
    }
}

/// Why no configuration for TLS origination can be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OriginationConfigError {
    /// The provider cannot use the private key of the client certificate: its kind, its length or its encoding.
    #[error("the private key of the client certificate cannot be used")]
    UnusableKey(#[source] rustls::Error),
    /// The private key is not that of the client certificate.
    #[error("the private key does not belong to the client certificate")]
    KeyMismatch,
    /// The provider has no cipher suite or key exchange group for the versions asked for.
    #[error("the crypto provider does not fit the TLS profile")]
    Provider(#[source] rustls::Error),
}
