//! What a connector hands out.

use std::fmt;
use std::net::SocketAddr;

use meshtls_policy::OutboundReason;
use meshtls_rustls::{OriginatedPeer, VerifiedPeer};
use serde::Serialize;

use crate::{OriginationMode, OutboundStream};

/// A connection, and what is known about its other end.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle the unauthenticated case")]
pub enum Outbound {
    /// Mesh mTLS: the server proved an identity that may serve the destination.
    Mesh(MeshOutbound),
    /// TLS to a server that need not be of the mesh: it proved names, unless the rule says `insecureSkipVerify`.
    Originated(OriginatedOutbound),
    /// Plaintext: nobody proved anything.
    Plaintext(PlaintextOutbound),
}

/// A connection by mesh mTLS.
#[derive(Debug)]
#[non_exhaustive]
pub struct MeshOutbound {
    /// The decrypted stream.
    pub stream: OutboundStream,
    /// The server.
    pub peer: VerifiedPeer,
    /// The endpoint connected to.
    pub endpoint: SocketAddr,
}

/// A connection by TLS to a server that need not be of the mesh.
#[derive(Debug)]
#[non_exhaustive]
pub struct OriginatedOutbound {
    /// The decrypted stream.
    pub stream: OutboundStream,
    /// The mode that a rule says.
    pub mode: OriginationMode,
    /// What the server presented.
    pub peer: OriginatedPeer,
    /// The endpoint connected to.
    pub endpoint: SocketAddr,
}

/// A connection in plaintext.
#[derive(Debug)]
#[non_exhaustive]
pub struct PlaintextOutbound {
    /// The stream.
    pub stream: OutboundStream,
    /// Why it is plaintext.
    pub reason: PlaintextReason,
    /// The endpoint connected to.
    pub endpoint: SocketAddr,
}

impl Outbound {
    /// The stream alone, for callers to whom it makes no difference who answered.
    #[must_use]
    pub fn into_stream(self) -> OutboundStream {
        match self {
            Self::Mesh(mesh) => mesh.stream,
            Self::Originated(originated) => originated.stream,
            Self::Plaintext(plaintext) => plaintext.stream,
        }
    }

    /// The server, if it proved a SPIFFE ID.
    #[must_use]
    pub fn peer(&self) -> Option<&VerifiedPeer> {
        match self {
            Self::Mesh(mesh) => Some(&mesh.peer),
            Self::Originated(_) | Self::Plaintext(_) => None,
        }
    }

    /// The endpoint connected to.
    #[must_use]
    pub fn endpoint(&self) -> SocketAddr {
        match self {
            Self::Mesh(mesh) => mesh.endpoint,
            Self::Originated(originated) => originated.endpoint,
            Self::Plaintext(plaintext) => plaintext.endpoint,
        }
    }
}

/// Why a connection is plaintext.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "by", content = "because", rename_all = "snake_case")]
#[non_exhaustive]
pub enum PlaintextReason {
    /// No service has this host and port: it is outside the mesh.
    OutsideTheMesh,
    /// The service is known, and this is what is to be done.
    Policy(OutboundReason),
}

impl fmt::Display for PlaintextReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutsideTheMesh => {
                f.write_str("no service has this host and port, so it is outside the mesh")
            }
            Self::Policy(reason) => reason.fmt(f),
        }
    }
}
