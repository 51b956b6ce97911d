//! Decrypted streams of finished handshakes.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{client, server};

use crate::alert::PeerRefusedUs;
use crate::handshake_io::HandshakeIo;

/// The server's end of a mutual TLS connection.
///
/// Shut it down to send close_notify. A read after the transport ended without the peer's close_notify is an
/// [`io::ErrorKind::UnexpectedEof`].
pub struct ServerStream<IO>(Box<server::TlsStream<HandshakeIo<IO>>>);

impl<IO> ServerStream<IO> {
    pub(crate) fn new(mut stream: server::TlsStream<HandshakeIo<IO>>) -> Self {
        stream.get_mut().0.handshake_is_over();
        Self(Box::new(stream))
    }

    /// Gives the transport.
    #[must_use]
    pub fn get_ref(&self) -> &IO {
        self.0.get_ref().0.get_ref()
    }
}

/// The client's end of a mutual TLS connection.
///
/// Shut it down to send close_notify. A read after the transport ended without the peer's close_notify is an
/// [`io::ErrorKind::UnexpectedEof`].
///
/// In TLS 1.3 the handshake succeeds before the server has judged our certificate. If it refuses us, the
/// first read fails, and [`refusal_of`](crate::refusal_of) tells why. A write may fail as well, or
/// succeed into nothing: only what was read proves that we were let in.
pub struct ClientStream<IO> {
    inner: Box<client::TlsStream<HandshakeIo<IO>>>,
    heard: bool,
}

impl<IO> ClientStream<IO> {
    pub(crate) fn new(mut stream: client::TlsStream<HandshakeIo<IO>>) -> Self {
        stream.get_mut().0.handshake_is_over();
        Self { inner: Box::new(stream), heard: false }
    }

    /// Gives the transport.
    #[must_use]
    pub fn get_ref(&self) -> &IO {
        self.inner.get_ref().0.get_ref()
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for ServerStream<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(cx, buf)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for ClientStream<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let outcome = ready!(Pin::new(&mut *self.inner).poll_read(cx, buf));
        let first = !std::mem::replace(&mut self.heard, true);
        Poll::Ready(outcome.map_err(
            |error| {
                if first { PeerRefusedUs::in_place_of(error) } else { error }
            },
        ))
    }
}

macro_rules! async_write_through {
    ($stream:ident, $inner:tt) => {
        impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for $stream<IO> {
            fn poll_write(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut *self.$inner).poll_write(cx, buf)
            }

            fn poll_write_vectored(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut *self.$inner).poll_write_vectored(cx, bufs)
            }

            fn is_write_vectored(&self) -> bool {
                self.$inner.is_write_vectored()
            }

            fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut *self.$inner).poll_flush(cx)
            }

            fn poll_shutdown(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                Pin::new(&mut *self.$inner).poll_shutdown(cx)
            }
        }
    };
}

async_write_through!(ServerStream, 0);
async_write_through!(ClientStream, inner);

impl<IO> fmt::Debug for ServerStream<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerStream").finish_non_exhaustive()
    }
}

impl<IO> fmt::Debug for ClientStream<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientStream")
            .field("heard", &self.heard)
            .finish_non_exhaustive()
    }
}
