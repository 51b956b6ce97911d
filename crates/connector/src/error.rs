//! Why there is no connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use meshtls_identity::{IdMatcher, SpiffeId};
use meshtls_policy::{AcceptedNames, OutboundRefusal};
use meshtls_rustls::{ConfigError, HandshakeError, OriginationError, PeerRefusedUs};
use meshtls_svid::{NameCheck, PresentedNames, RejectServer, SvidUnavailable};

use crate::OriginationUnavailable;

/// Why a destination was not reached. None of these ever leads to plaintext instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The service is known, but has no endpoint.
    #[error("service {host} has no endpoint for port {port}")]
    NoEndpoints {
        /// The host asked for.
        host: String,
        /// The service port asked for.
        port: u16,
    },
    /// The name of the host, or of the endpoint tried last, could not be resolved.
    #[error("cannot resolve {host}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// mTLS is wanted, but neither the inventory nor the caller says which identities may answer. Anybody has to be asked
    /// for by name: [`Unnamed::AcceptAnybody`](crate::Unnamed::AcceptAnybody), or [`IdMatcher::Any`] for one destination.
    #[error("mTLS to {host} is wanted, but nothing says which identities may answer")]
    Unnamed {
        /// The host asked for.
        host: String,
    },
    /// mTLS is wanted, but none of the names that may answer is a SPIFFE ID, so no workload of the mesh has one.
    #[error("mTLS to {host} is wanted, but accepted is only {accepted}, which is no SPIFFE ID")]
    NoMeshName {
        /// The host asked for.
        host: String,
        /// The names.
        accepted: AcceptedNames,
    },
    /// The last endpoint tried did not take the TCP connection.
    #[error("cannot connect to {endpoint} (attempt {attempts})")]
    Connect {
        /// The last endpoint tried.
        endpoint: SocketAddr,
        /// How many endpoints were tried.
        attempts: usize,
        /// What the operating system said.
        source: io::Error,
    },
    /// No endpoint took the TCP connection within the time given for all attempts together.
    #[error("no endpoint took the connection within {} ms, the last tried was {endpoint} (attempt {attempts})", within.as_millis())]
    ConnectTimeout {
        /// The last endpoint tried.
        endpoint: SocketAddr,
        /// How many endpoints were tried.
        attempts: usize,
        /// The time given.
        within: Duration,
    },
    /// The TLS handshake was not over in time.
    #[error("the TLS handshake with {endpoint} took longer than {} ms", within.as_millis())]
    HandshakeTimeout {
        /// The endpoint.
        endpoint: SocketAddr,
        /// The time given.
        within: Duration,
    },
    /// Secure naming: the server proved an identity that may not serve this destination.
    #[error("secure naming: {endpoint} presented {presented}, but accepted is {accepted}")]
    SecureNaming {
        /// The endpoint.
        endpoint: SocketAddr,
        /// The verified identity of the server.
        presented: SpiffeId,
        /// The identities that may serve the destination.
        accepted: IdMatcher,
    },
    /// The server refused our certificate, or that we have none, while the handshake was going on (TLS 1.2; with TLS 1.3 it shows on the first
    /// read, see [`refusal_of`](crate::refusal_of)).
    #[error("{endpoint} refused our certificate")]
    OurCertificateRefused {
        /// The endpoint.
        endpoint: SocketAddr,
        /// The alert.
        source: PeerRefusedUs,
    },
    /// The handshake failed in another way: the server's certificate was rejected, or it speaks no TLS at all.
    #[error("the TLS handshake with {endpoint} failed")]
    Handshake {
        /// The endpoint.
        endpoint: SocketAddr,
        /// What went wrong.
        source: HandshakeError,
    },
    /// What policies want of this destination cannot be done: a subset that no rule has, or a rule that is not complete. Istio
    /// would send plaintext or answer with an error of its own.
    #[error("policies allow no connection to {host}")]
    Refused {
        /// The host asked for.
        host: String,
        /// What cannot be done.
        source: OutboundRefusal,
    },
    /// A rule wants SIMPLE or MUTUAL, and that cannot be done.
    #[error("TLS to {host} is wanted, but cannot be begun")]
    Origination {
        /// The host asked for.
        host: String,
        /// Why not.
        source: OriginationUnavailable,
    },
    /// A rule wants SIMPLE or MUTUAL with a check of the host's own name, which is neither a DNS name nor an address.
    #[error("TLS to {host} is wanted, but no certificate can carry that name")]
    NoServerName {
        /// The host asked for.
        host: String,
    },
    /// The server, which need not be of the mesh, has a good certificate, but for other names than the rule accepts.
    #[error("{endpoint} presented {presented}, but accepted is {accepted}")]
    WrongServerName {
        /// The endpoint.
        endpoint: SocketAddr,
        /// The names in the server's certificate.
        presented: PresentedNames,
        /// The names accepted.
        accepted: NameCheck,
    },
    /// The handshake with a server that need not be of the mesh failed in another way: its certificate was rejected, or it
    /// speaks no TLS at all.
    #[error("the TLS handshake with {endpoint} failed")]
    OriginationHandshake {
        /// The endpoint.
        endpoint: SocketAddr,
        /// What went wrong.
        source: OriginationError,
    },
    /// There is no identity of our own to show.
    #[error("no identity of our own to connect with")]
    NoIdentity(#[from] SvidUnavailable),
    /// Our own identity cannot be used for TLS.
    #[error("our own identity cannot be used")]
    OwnIdentity(#[from] ConfigError),
}

impl ConnectError {
    /// Sorts the failures of a handshake by who was at fault.
    pub(crate) fn of_handshake(endpoint: SocketAddr, source: HandshakeError) -> Self {
        match source {
            HandshakeError::NameMismatch { presented, accepted } => {
                Self::SecureNaming { endpoint, presented, accepted }
            }
            HandshakeError::AlertReceived(refused) if refused.alert.is_about_certificate() => {
                Self::OurCertificateRefused { endpoint, source: refused }
            }
            source => Self::Handshake { endpoint, source },
        }
    }

    /// Sorts the failures of a handshake outside the mesh by who was at fault.
    pub(crate) fn of_origination(endpoint: SocketAddr, source: OriginationError) -> Self {
        match source {
            OriginationError::Rejected(RejectServer::WrongName { presented, accepted }) => {
                Self::WrongServerName { endpoint, presented, accepted }
            }
            OriginationError::AlertReceived(refused) if refused.alert.is_about_certificate() => {
                Self::OurCertificateRefused { endpoint, source: refused }
            }
            source => Self::OriginationHandshake { endpoint, source },
        }
    }

    /// A short stable label, for metrics. For a failed handshake, or what policies want and cannot be done, the
    /// label of the cause.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoEndpoints { .. } => "no_endpoints",
            Self::Resolve { .. } => "resolve_failed",
            Self::Unnamed { .. } => "unnamed",
            Self::NoMeshName { .. } => "no_mesh_name",
            Self::Connect { .. } => "connect_failed",
            Self::ConnectTimeout { .. } => "connect_timeout",
            Self::HandshakeTimeout { .. } => "handshake_timeout",
            Self::SecureNaming { .. } => "secure_naming",
            Self::OurCertificateRefused { .. } => "our_certificate_refused",
            Self::Handshake { source, .. } => source.reason(),
            Self::Refused { source, .. } => source.reason(),
            Self::Origination { source, .. } => source.reason(),
            Self::NoServerName { .. } => "no_server_name",
            Self::WrongServerName { .. } => "wrong_server_name",
            Self::OriginationHandshake { source, .. } => source.reason(),
            Self::NoIdentity(_) => "no_identity",
            Self::OwnIdentity(_) => "own_identity",
        }
    }
}
