//! The byte streams that can be accepted.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream},
    net::TcpStream,
};

/// A byte stream that can be accepted, and dropped so that the peer notices.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Ends the connection at once and throws away what was not sent. The peer sees a reset where the transport has one.
    fn abort(self)
    where
        Self: Sized;

    /// The address of this end, which `destination.ip` of authorization policies looks at. Unknown by default.
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }
}

impl Transport for TcpStream {
    /// Sends RST: the linger time is set to zero before the socket is closed.
    fn abort(self) {
        // A socket that the peer has reset already may refuse the option; then there is nothing left to reset.
        self.set_zero_linger().ok();
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        Self::local_addr(self).ok()
    }
}

#[cfg(unix)]
impl Transport for tokio::net::UnixStream {
    /// Closes the socket: Unix sockets have no reset.
    fn abort(self) {}
}

impl Transport for DuplexStream {
    /// Closes the stream: it has no reset.
    fn abort(self) {}
}
