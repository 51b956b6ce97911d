//! Who is at the other end of a mutual TLS connection.

use std::fmt;

use meshtls_identity::SpiffeId;
use meshtls_svid::ValidSvid;
use rustls::pki_types::UnixTime;
use rustls::{CommonState, ProtocolVersion};

use crate::error::HandshakeError;
use crate::slot::Verdict;

/// A peer whose X509-SVID was verified, and who proved in the handshake to hold its key.
///
/// There is no way to make one but a handshake of [`MeshServer`](crate::MeshServer),
/// [`MeshClient`](crate::MeshClient) or [`EnrollmentServer`](crate::EnrollmentServer).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifiedPeer {
    svid: ValidSvid,
    tls_version: TlsVersion,
    alpn: Option<Box<[u8]>>,
    server_name: Option<Box<str>>,
}

impl VerifiedPeer {
    /// Reads the peer of a finished handshake, of which the verifier said `verdict`.
    pub(crate) fn of(
        connection: &CommonState,
        server_name: Option<&str>,
        verdict: Option<Verdict>,
    ) -> Result<Self, HandshakeError> {
        // Neither can fail, since a certificate is mandatory and nothing is resumed; but who was not verified
        // here and now is nobody.
        let Some(Verdict::Valid(svid)) = verdict else { return Err(HandshakeError::NoCertificate) };
        if connection.peer_certificates().is_none_or(<[_]>::is_empty) {
            return Err(HandshakeError::NoCertificate);
        }
        Ok(Self {
            svid,
            tls_version: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => TlsVersion::Tls12,
                _ => TlsVersion::Tls13,
            },
            alpn: connection.alpn_protocol().map(Box::from),
            server_name: server_name.map(Box::from),
        })
    }

    /// Gives the peer's SPIFFE ID.
    #[must_use]
    pub fn id(&self) -> &SpiffeId {
        self.svid.id()
    }

    /// Gives the last second at which the peer's chain would still be accepted, if trust does not change.
    /// The connection is not ended then.
    #[must_use]
    pub fn not_after(&self) -> UnixTime {
        self.svid.not_after()
    }

    /// Gives the TLS version in use.
    #[must_use]
    pub fn tls_version(&self) -> TlsVersion {
        self.tls_version
    }

    /// Gives the application protocol that was agreed on.
    #[must_use]
    pub fn alpn(&self) -> Option<&[u8]> {
        self.alpn.as_deref()
    }

    /// Gives the server name (SNI) that the client asked for: at a server only. It proves nothing.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }
}

/// The version of TLS that a connection speaks.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
    }
}
