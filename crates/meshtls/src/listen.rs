//! Listeners of a workload.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use meshtls_acceptor::{
    Acceptor, AcceptorBuilder, FirstSpeaker, Inbound, Listener, PortProtocol, Ready, Shutdown,
};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::{ListenError, Workload};

/// A listener to be: [`Workload::listen`] begins it, [`bind`](Self::bind) opens it.
#[must_use]
#[derive(Debug)]
pub struct Listen<'a> {
    workload: &'a Workload,
    address: SocketAddr,
    workload_port: Option<u16>,
    protocol: PortProtocol,
    first_speaker: FirstSpeaker,
}

impl<'a> Listen<'a> {
    pub(crate) fn new(workload: &'a Workload, address: SocketAddr) -> Self {
        Self {
            workload,
            address,
            workload_port: None,
            protocol: PortProtocol::default(),
            first_speaker: FirstSpeaker::default(),
        }
    }

    /// Sets the port that policies see, where it is another one than the socket's: behind a port mapping, for example.
    pub fn workload_port(mut self, port: u16) -> Self {
        self.workload_port = Some(port);
        self
    }

    /// Sets what the port speaks. Default [`PortProtocol::Auto`].
    pub fn protocol(mut self, protocol: PortProtocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Declares that the server speaks first in the port's protocol (MySQL, SMTP): a client that says nothing until the
    /// detection timeout is handed over unseen.
    pub fn server_first(mut self) -> Self {
        self.first_speaker = FirstSpeaker::Server;
        self
    }

    /// Opens the listener.
    ///
    /// # Errors
    ///
    /// As [`bind_with`](Self::bind_with).
    pub async fn bind(self) -> Result<MeshListener, ListenError> {
        self.bind_with(|acceptor| acceptor).await
    }

    /// Opens the listener with further settings of the acceptor: timeouts, limits, another observer.
    ///
    /// # Errors
    ///
    /// * [`ListenError::Bind`]: the address cannot be bound.
    /// * [`ListenError::Setting`]: the settings make no acceptor.
    pub async fn bind_with(
        self,
        settings: impl FnOnce(AcceptorBuilder<Ready>) -> AcceptorBuilder<Ready>,
    ) -> Result<MeshListener, ListenError> {
        let bind = |source| ListenError::Bind { address: self.address, source };
        let socket = listen(self.address).map_err(bind)?;
        let address = socket.local_addr().map_err(bind)?;
        let port = self.workload_port.unwrap_or_else(|| address.port());
        let acceptor: Acceptor = settings(
            self.workload
                .acceptor(port)
                .protocol(self.protocol)
                .first_speaker(self.first_speaker),
        )
        .build()?;
        Ok(MeshListener { listener: Listener::spawn(acceptor, socket), address })
    }
}

/// As `TcpListener::bind`, but with a longer queue. That one's holds 128 connections; whoever comes when it is full waits a second
/// until its system tries again, and a burst fills it before the accept loop has its turn.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restarted service gets its port back. On Windows the option would let others take it.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

/// In connections. The system has a limit of its own: 4096 on Linux.
const QUEUE: u32 = 4096;

/// A TCP listener that hands out connections as the mesh's policies let them in. Dropping it closes it.
#[derive(Debug)]
pub struct MeshListener {
    listener: Listener,
    address: SocketAddr,
}

impl MeshListener {
    /// The address it is bound to.
    ///
    /// # Errors
    ///
    /// None today: the address is read when the listener is bound. It is a result as that of other listeners is.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    /// Waits for the next connection that is ready, in the order in which they become so. `None` after a shutdown.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a connection is handed out once and never lost.
    pub async fn accept(&mut self) -> Option<Inbound<TcpStream>> {
        self.listener.accept().await
    }

    /// As [`accept`](Self::accept), for hand-written futures.
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Inbound<TcpStream>>> {
        self.listener.poll_accept(cx)
    }

    /// A handle by which the listener can be shut down from elsewhere.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        self.listener.shutdown()
    }
}
