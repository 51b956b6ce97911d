//! What is told about every attempt to connect.

use std::net::SocketAddr;
use std::time::Duration;

use meshtls_identity::IdMatcher;
use meshtls_rustls::{OriginatedPeer, VerifiedPeer};
use meshtls_svid::NameCheck;

use crate::{ConnectError, OriginationMode, PlaintextReason, Sni};

/// Is told how each connection began. Called on the caller's own task, so it must not block.
pub trait Observer: Send + Sync {
    /// A destination was connected to, or was not. Called exactly once for each attempt that is not cancelled.
    fn connection(&self, event: &Event<'_>);
}

/// How one attempt to connect ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event<'a> {
    /// What became of it.
    pub outcome: Outcome<'a>,
    /// The host that the caller named.
    pub host: &'a str,
    /// The service port that the caller named.
    pub port: u16,
    /// The full name of the service. `None`: the host is outside the mesh.
    pub service: Option<&'a str>,
    /// The endpoint tried last, if there was one.
    pub endpoint: Option<SocketAddr>,
    /// How many TCP connections were tried.
    pub attempts: usize,
    /// The server name sent, or why none was sent.
    pub sni: &'a Sni,
    /// Which identities may answer. `None` where there is no mesh mTLS, or nothing says.
    pub accepted: Option<&'a IdMatcher>,
    /// Which names a server's certificate must carry. `None` but for SIMPLE and MUTUAL, and where nothing is verified.
    pub server_names: Option<&'a NameCheck>,
    /// From the start to the TCP connection or the failure, resolving included.
    pub connect: Duration,
    /// The TLS handshake; `None` if there was none.
    pub handshake: Option<Duration>,
}

/// What became of an attempt to connect.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "it mirrors Outbound, and there may be an error")]
pub enum Outcome<'a> {
    /// [`Outbound::Mesh`](crate::Outbound::Mesh). With TLS 1.3 the server may still refuse us at the first read.
    Mesh(&'a VerifiedPeer),
    /// [`Outbound::Originated`](crate::Outbound::Originated). With TLS 1.3 the server may still refuse us at the first read.
    Originated(OriginationMode, &'a OriginatedPeer),
    /// [`Outbound::Plaintext`](crate::Outbound::Plaintext).
    Plaintext(&'a PlaintextReason),
    /// There is no connection.
    Failed(&'a ConnectError),
}

impl Outcome<'_> {
    /// `mesh`, `simple`, `mutual`, `plaintext` or [`ConnectError::reason`]: a short label that stays the same between releases.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Mesh(_) => "mesh",
            Self::Originated(mode, _) => mode.label(),
            Self::Plaintext(_) => "plaintext",
            Self::Failed(error) => error.reason(),
        }
    }
}
