//! The axum listener: handlers take the peer as a typed value.
//!
//! ```no_run
//! use axum::Router;
//! use axum::extract::ConnectInfo;
//! use axum::routing::get;
//! use meshtls::axum::{Caller, HttpListener, Peer};
//! use meshtls::acceptor::PortProtocol;
//! use meshtls::Workload;
//!
//! async fn whoami(ConnectInfo(caller): ConnectInfo<Caller>) -> String {
//!     match caller.peer() {
//!         Peer::Mesh(peer) => format!("you are {}", peer.id()),
//!         _ => "I do not know you".to_owned(),
//!     }
//! }
//!
//! # async fn run(workload: Workload) -> Result<(), Box<dyn std::error::Error>> {
//! let port = workload.listen("0.0.0.0:8000".parse()?).protocol(PortProtocol::Http).bind().await?;
//! let router = Router::new().route("/whoami", get(whoami));
//! axum::serve(HttpListener::new(port), router.into_make_service_with_connect_info::<Caller>()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The deadlines of this library end when a connection is handed over. `axum::serve` sets none for what follows, so a client that
//! sends half a request keeps its descriptor for ever: where strangers can reach the port, serve with hyper-util and a
//! `header_read_timeout`, as the example `httpbin` does (`examples/httpbin/src/serve.rs`).
//!
//! Identity is never read from a header: `x-forwarded-client-cert` and its like mean nothing here, whoever sends them.

use std::future::pending;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use meshtls_acceptor::{
    AppProtocol, ForeignTlsReason, Inbound, InboundStream, IngressPeer, PlaintextReason,
    UnsniffedReason,
};
use meshtls_policy::{MtlsMode, Winner};
use meshtls_rustls::VerifiedPeer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::MeshListener;

/// A [`MeshListener`] for `axum::serve`.
///
/// Every connection goes to the HTTP server, as Istio would send it to the application: TLS that is not ours to end too, on
/// an `auto` port, where the HTTP parser answers it. Declare the port `http`, and it is refused before.
#[derive(Debug)]
pub struct HttpListener(MeshListener);

impl HttpListener {
    /// Wraps `listener`.
    #[must_use]
    pub fn new(listener: MeshListener) -> Self {
        Self(listener)
    }
}

impl Listener for HttpListener {
    type Io = HttpStream;
    type Addr = SocketAddr;

    /// Waits for ever after a shutdown of the listener: end the server beside it.
    async fn accept(&mut self) -> (HttpStream, SocketAddr) {
        match self.0.accept().await {
            Some(inbound) => {
                let stream = HttpStream::new(inbound);
                let address = stream.caller.address();
                (stream, address)
            }
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, HttpListener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, HttpListener>) -> Self {
        stream.io().caller.clone()
    }
}

/// Who is calling, as a handler extracts it: `ConnectInfo<Caller>`. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Caller(Arc<Facts>);

#[derive(Debug)]
struct Facts {
    peer: Peer,
    address: SocketAddr,
    mode: MtlsMode,
    winner: Winner,
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

    /// The application protocol that was agreed on or seen.
    #[must_use]
    pub fn protocol(&self) -> AppProtocol {
        self.0.protocol
    }
}

/// A connection on its way into an HTTP server.
#[derive(Debug)]
pub struct HttpStream {
    caller: Caller,
    stream: InboundStream<TcpStream>,
}

impl HttpStream {
    fn new(inbound: Inbound<TcpStream>) -> Self {
        let connection = inbound.connection().clone();
        let peer = match &inbound {
            Inbound::Mesh(mesh) => Peer::Mesh(mesh.peer.clone()),
            Inbound::Ingress(ingress) => Peer::Ingress(ingress.peer.clone()),
            Inbound::Plaintext(plaintext) => Peer::Plaintext(plaintext.reason),
            Inbound::ForeignTls(foreign) => Peer::ForeignTls(foreign.reason),
            Inbound::Unsniffed(unsniffed) => Peer::Unsniffed(unsniffed.reason),
        };
        let unknown = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        let caller = Caller(Arc::new(Facts {
            peer,
            address: connection.peer_addr().unwrap_or(unknown),
            mode: connection.mode(),
            winner: connection.winner().clone(),
            protocol: connection.app_protocol(),
        }));
        Self { caller, stream: inbound.into_stream() }
    }

    /// Who is at the other end.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
}

impl AsyncRead for HttpStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for HttpStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
