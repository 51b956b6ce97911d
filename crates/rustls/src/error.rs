//! Why a handshake failed, and why a configuration cannot be made.

use std::io;

use meshtls_identity::{IdMatcher, SpiffeId};
use meshtls_svid::RejectSvid;
use rustls::CertificateError;

use crate::alert::{PeerRefusedUs, rustls_error};
use crate::slot::Verdict;

/// Why a handshake failed. The peer sees a TLS alert and no more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The peer's chain was rejected.
    #[error("the peer's certificate chain was rejected")]
    Rejected(#[from] RejectSvid),

    /// The peer presented no certificate.
    #[error("the peer presented no certificate")]
    NoCertificate,

    /// The peer's chain is good, but names somebody else than was asked for.
    #[error("the peer is `{presented}`, accepted: {accepted}")]
    NameMismatch {
        /// Who the peer is.
        presented: SpiffeId,
        /// Who it should be.
        accepted: IdMatcher,
    },

    /// The peer showed a good chain, but did not prove to hold its key: it signed with another, of the same
    /// kind or not.
    #[error("the peer does not hold the key of `{presented}`")]
    NotKeyHolder {
        /// Whose chain it showed.
        presented: SpiffeId,
    },

    /// The peer ended the handshake with an alert.
    #[error(transparent)]
    AlertReceived(#[from] PeerRefusedUs),

    /// The peer broke the TLS protocol, or has no version, cipher suite or protocol in common with us.
    #[error("the TLS handshake failed")]
    Tls(#[source] rustls::Error),

    /// The transport failed or ended.
    #[error("the transport failed during the handshake")]
    Io(#[source] io::Error),
}

impl HandshakeError {
    /// Finds the cause of a failed handshake.
    pub(crate) fn new(error: io::Error, verdict: Option<Verdict>, expected: &IdMatcher) -> Self {
        let tls = rustls_error(&error);
        match (verdict, tls) {
            (Some(Verdict::Rejected(reject)), _) => Self::Rejected(reject),
            (Some(Verdict::NameMismatch { presented }), _) => {
                Self::NameMismatch { presented, accepted: expected.clone() }
            }
            (
                Some(Verdict::Valid(valid)),
                Some(rustls::Error::InvalidCertificate(
                    CertificateError::BadSignature
                    | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. },
                )),
            ) => Self::NotKeyHolder { presented: valid.into_id() },
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
            Self::NameMismatch { .. } => "name_mismatch",
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

/// Why no TLS configuration can be made of an X509-SVID.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The provider cannot use the private key: its kind, its length or its encoding.
    #[error("the private key of `{id}` cannot be used")]
    UnusableKey {
        /// Whose key it is.
        id: SpiffeId,
        /// What the provider says.
        source: rustls::Error,
    },
    /// The private key is not that of the certificate.
    #[error("the private key does not belong to the certificate of `{id}`")]
    KeyMismatch {
        /// Who the certificate names.
        id: SpiffeId,
    },
    /// The provider has no cipher suite or key exchange group for the versions asked for.
    #[error("the crypto provider does not fit the TLS profile")]
    Provider(#[source] rustls::Error),
}
