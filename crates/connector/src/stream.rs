//! The stream of a connection, encrypted or not.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use meshtls_rustls::ClientStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection's bytes, as the application sees them. Shut it down to send the end of the stream.
///
/// In TLS 1.3 the server judges our certificate after our handshake is over. If it refuses us, the first read fails, and
/// [`refusal_of`](crate::refusal_of) finds the alert in the error.
pub struct OutboundStream(Inner);

enum Inner {
    Tls(ClientStream<TcpStream>),
    Plain(TcpStream),
}

impl OutboundStream {
    pub(crate) fn tls(stream: ClientStream<TcpStream>) -> Self {
        Self(Inner::Tls(stream))
    }

    pub(crate) fn plain(stream: TcpStream) -> Self {
        Self(Inner::Plain(stream))
    }

    /// The TCP connection below, for its addresses and options.
    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        match &self.0 {
            Inner::Tls(stream) => stream.get_ref(),
            Inner::Plain(stream) => stream,
        }
    }
}

/// Calls a method of the stream inside.
macro_rules! through {
    ($self:ident.$method:ident($($argument:expr),*)) => {
        match &mut $self.0 {
            Inner::Tls(stream) => Pin::new(stream).$method($($argument),*),
            Inner::Plain(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for OutboundStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        through!(self.poll_read(cx, buf))
    }
}

impl AsyncWrite for OutboundStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        through!(self.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        through!(self.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Inner::Tls(stream) => stream.is_write_vectored(),
            Inner::Plain(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        through!(self.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        through!(self.poll_shutdown(cx))
    }
}

impl fmt::Debug for OutboundStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Inner::Tls(_) => "tls",
            Inner::Plain(_) => "plaintext",
        };
        f.debug_tuple("OutboundStream").field(&kind).finish()
    }
}
