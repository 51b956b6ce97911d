//! Who is calling, as a typed value.

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;

use meshtls_acceptor::{
    AppProtocol, ForeignTlsReason, Inbound, IngressPeer, PlaintextReason, Ruling, UnsniffedReason,
};
use meshtls_policy::{MtlsMode, Winner};
use meshtls_rustls::VerifiedPeer;

/// Who is calling, as a handler extracts it: `ConnectInfo<Caller>`. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Caller(Arc<Facts>);

#[derive(Debug)]
struct Facts {
    peer: Peer,
    address: SocketAddr,
    mode: MtlsMode,
    winner: Winner,
    authorization: Ruling,
    protocol: AppProtocol,
}

/// The other end of an HTTP connection.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "handlers must see the unauthenticated cases")]
pub enum Peer {
    /// A member of the mesh, verified by its handshake.
    Mesh(VerifiedPeer),
    /// The peer of TLS that a Sidecar ingress rule ended.
    Ingress(IngressPeer),
    /// Nobody: plaintext that policy let in.
    Plaintext(PlaintextReason),
    /// Nobody: TLS that was not ours to end. No HTTP request comes out of it.
    ForeignTls(ForeignTlsReason),
    /// Nobody: the connection was handed over unseen.
    Unsniffed(UnsniffedReason),
}

impl Caller {
    pub(crate) fn of<IO>(inbound: &Inbound<IO>) -> Self {
        let connection = inbound.connection();
        let peer = match inbound {
            Inbound::Mesh(mesh) => Peer::Mesh(mesh.peer.clone()),
            Inbound::Ingress(ingress) => Peer::Ingress(ingress.peer.clone()),
            Inbound::Plaintext(plaintext) => Peer::Plaintext(plaintext.reason),
            Inbound::ForeignTls(foreign) => Peer::ForeignTls(foreign.reason),
            Inbound::Unsniffed(unsniffed) => Peer::Unsniffed(unsniffed.reason),
        };
        let unknown = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        Self(Arc::new(Facts {
            peer,
            address: connection.peer_addr().unwrap_or(unknown),
            mode: connection.mode(),
            winner: connection.winner().clone(),
            authorization: connection.authorization().clone(),
            protocol: connection.app_protocol(),
        }))
    }

    /// Who it is.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.0.peer
    }

    /// The verified member of the mesh, if it is one.
    #[must_use]
    pub fn verified(&self) -> Option<&VerifiedPeer> {
        match &self.0.peer {
            Peer::Mesh(peer) => Some(peer),
            Peer::Ingress(_) | Peer::Plaintext(_) | Peer::ForeignTls(_) | Peer::Unsniffed(_) => {
                None
            }
        }
    }

    /// `mesh`, `ingress`, `plaintext`, `foreign_tls` or `unsniffed`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.0.peer {
            Peer::Mesh(_) => "mesh",
            Peer::Ingress(_) => "ingress",
            Peer::Plaintext(_) => "plaintext",
            Peer::ForeignTls(_) => "foreign_tls",
            Peer::Unsniffed(_) => "unsniffed",
        }
    }

    /// The address of the other end of the TCP connection.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// The mode of the port when the connection was let in.
    #[must_use]
    pub fn mode(&self) -> MtlsMode {
        self.0.mode
    }

    /// The policy that the mode came from.
    #[must_use]
    pub fn winner(&self) -> &Winner {
        &self.0.winner
    }

    /// What the authorization policies said: which of them let the caller in, or that there is no ALLOW policy.
    #[must_use]
    pub fn authorization(&self) -> &Ruling {
        &self.0.authorization
    }

    /// The application protocol that was agreed on or seen.
    #[must_use]
    pub fn protocol(&self) -> AppProtocol {
        self.0.protocol
    }
}
