//! What is handed to the application: one of five kinds of connection.

use std::net::SocketAddr;

use meshtls_policy::{MtlsMode, Winner};
use meshtls_rustls::VerifiedPeer;

use crate::{
    authorization::Ruling,
    decide::{AppProtocol, ForeignTlsReason, PlaintextReason, UnsniffedReason},
    replay::Replay,
    stream::{InboundStream, TlsStream},
};

/// An accepted connection.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle the unauthenticated cases")]
pub enum Inbound<IO> {
    /// Mutual TLS with a verified member of the mesh.
    Mesh(Mesh<IO>),
    /// TLS ended by a Sidecar ingress rule. No rule is read yet, so none comes.
    Ingress(Ingress<IO>),
    /// Plaintext that policy let in: no identity, whatever the bytes claim.
    Plaintext(Plaintext<IO>),
    /// TLS that is not ours to end; its bytes are untouched.
    ForeignTls(ForeignTls<IO>),
    /// Handed over without a look at its first bytes.
    Unsniffed(Unsniffed<IO>),
}

/// [`Inbound::Mesh`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Mesh<IO> {
    /// Who it is.
    pub peer: VerifiedPeer,
    /// What else is known.
    pub connection: Connection,
    /// The decrypted stream.
    pub stream: TlsStream<IO>,
}

/// [`Inbound::Ingress`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Ingress<IO> {
    /// Who it is.
    pub peer: IngressPeer,
    /// What else is known.
    pub connection: Connection,
    /// The decrypted stream.
    pub stream: TlsStream<IO>,
}

/// Who is at the other end of TLS that a Sidecar ingress rule ended.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum IngressPeer {
    /// Nobody in particular: the rule asks for no certificate (SIMPLE).
    Anonymous,
}

/// [`Inbound::Plaintext`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Plaintext<IO> {
    /// Why it was let in.
    pub reason: PlaintextReason,
    /// What else is known.
    pub connection: Connection,
    /// The stream, from its first byte.
    pub stream: Replay<IO>,
}

/// [`Inbound::ForeignTls`].
#[derive(Debug)]
#[non_exhaustive]
pub struct ForeignTls<IO> {
    /// Why it was left alone.
    pub reason: ForeignTlsReason,
    /// What else is known.
    pub connection: Connection,
    /// The stream, from its first byte, still encrypted.
    pub stream: Replay<IO>,
}

/// [`Inbound::Unsniffed`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Unsniffed<IO> {
    /// Why nobody looked.
    pub reason: UnsniffedReason,
    /// What else is known.
    pub connection: Connection,
    /// The stream, from its first byte.
    pub stream: Replay<IO>,
}

/// What is known of every accepted connection.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(crate) app_protocol: AppProtocol,
    pub(crate) peer_addr: Option<SocketAddr>,
    pub(crate) mode: MtlsMode,
    pub(crate) winner: Winner,
    pub(crate) ruling: Ruling,
}

impl Connection {
    /// What the stream speaks. Always [`AppProtocol::Tcp`] for [`Inbound::ForeignTls`] and [`Inbound::Unsniffed`].
    #[must_use]
    pub const fn app_protocol(&self) -> AppProtocol {
        self.app_protocol
    }

    /// The address of the other end, if the transport has one.
    #[must_use]
    pub const fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer_addr
    }

    /// The mode that was in force when it was decided what becomes of the connection.
    #[must_use]
    pub const fn mode(&self) -> MtlsMode {
        self.mode
    }

    /// Where that mode came from.
    #[must_use]
    pub const fn winner(&self) -> &Winner {
        &self.winner
    }

    /// What the authorization policies said: which of them let it in, or that there is no ALLOW policy.
    #[must_use]
    pub const fn authorization(&self) -> &Ruling {
        &self.ruling
    }
}

impl<IO> Inbound<IO> {
    /// What is known of the connection, whatever its kind.
    #[must_use]
    pub const fn connection(&self) -> &Connection {
        match self {
            Self::Mesh(Mesh { connection, .. })
            | Self::Ingress(Ingress { connection, .. })
            | Self::Plaintext(Plaintext { connection, .. })
            | Self::ForeignTls(ForeignTls { connection, .. })
            | Self::Unsniffed(Unsniffed { connection, .. }) => connection,
        }
    }

    /// The verified member of the mesh at the other end; `None` for every other kind.
    #[must_use]
    pub const fn peer(&self) -> Option<&VerifiedPeer> {
        match self {
            Self::Mesh(mesh) => Some(&mesh.peer),
            Self::Ingress(_) | Self::Plaintext(_) | Self::ForeignTls(_) | Self::Unsniffed(_) => {
                None
            }
        }
    }

    /// `mesh`, `ingress`, `plaintext`, `foreign_tls` or `unsniffed`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Mesh(_) => "mesh",
            Self::Ingress(_) => "ingress",
            Self::Plaintext(_) => "plaintext",
            Self::ForeignTls(_) => "foreign_tls",
            Self::Unsniffed(_) => "unsniffed",
        }
    }

    /// The stream alone, for an application that treats all kinds alike.
    #[must_use]
    pub fn into_stream(self) -> InboundStream<IO> {
        match self {
            Self::Mesh(Mesh { stream, .. }) | Self::Ingress(Ingress { stream, .. }) => {
                InboundStream::Tls(stream)
            }
            Self::Plaintext(Plaintext { stream, .. })
            | Self::ForeignTls(ForeignTls { stream, .. })
            | Self::Unsniffed(Unsniffed { stream, .. }) => InboundStream::Plain(stream),
        }
    }
}
