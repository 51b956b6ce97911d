//! The transport as a handshake sees it: every alert gets out, and one is corrected.
//!
//! * After a failure tokio-rustls tries to write the alert once. A transport that is not ready, or takes a part,
//!   would lose it. During the handshake this one takes all and keeps what is left; flushing or shutting
//!   down delivers it. Afterwards it passes everything through.
//! * Where a client has no certificate, rustls sends certificate_required (116), which only TLS 1.3 knows
//!   (RFC 8446 section 6.2). In TLS 1.2 it is handshake_failure (40; RFC 5246 section 7.4.6), and there it is a record
//!   in the clear that can be nothing else: an encrypted alert is longer.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[derive(Debug)]
pub(crate) struct HandshakeIo<IO> {
    io: IO,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// With bytes that are still to be written. A handshake in rustls writes at most some 64 KiB unread.
    Handshake {
        rest: Vec<u8>,
    },
    Over,
}

impl<IO> HandshakeIo<IO> {
    pub(crate) fn new(io: IO) -> Self {
        Self { io, phase: Phase::Handshake { rest: Vec::new() } }
    }

    pub(crate) fn get_ref(&self) -> &IO {
        &self.io
    }

    /// Ends the special treatment. A handshake that succeeded has flushed, so nothing is left to write.
    pub(crate) fn handshake_is_over(&mut self) {
        self.phase = Phase::Over;
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> HandshakeIo<IO> {
    /// Delivers what is left after a failure, and shuts the transport down for writing.
    ///
    /// What still comes is read and thrown away meanwhile: a peer that cannot get rid of its own bytes may not
    /// read ours. 64 KiB of it, then it is the peer's fault. A transport that fails now has nothing to add to
    /// the handshake's own error.
    pub(crate) async fn end(mut self) {
        let mut to_read = 64 * 1024_usize;
        poll_fn(|cx| {
            while to_read > 0 {
                let mut bytes = [0; 512];
                let mut buf = ReadBuf::new(&mut bytes);
                match Pin::new(&mut self.io).poll_read(cx, &mut buf) {
                    Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
                        to_read = to_read.saturating_sub(buf.filled().len());
                    }
                    Poll::Ready(Ok(()) | Err(_)) => to_read = 0,
                    Poll::Pending => break,
                }
            }
            Pin::new(&mut self).poll_shutdown(cx).map(drop)
        })
        .await;
    }

    /// Takes all of `bytes`, and writes what the transport takes now.
    fn take(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let record = corrected(bytes);
        if let Phase::Handshake { rest } = &mut self.phase {
            rest.extend_from_slice(record);
        }
        if let Poll::Ready(Err(error)) = self.poll_rest(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Phase::Handshake { rest } = &mut self.phase else { return Poll::Ready(Ok(())) };
        while !rest.is_empty() {
            match ready!(Pin::new(&mut self.io).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => drop(rest.drain(..written.min(rest.len()))),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for HandshakeIo<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for HandshakeIo<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.phase {
            Phase::Handshake { .. } => self.take(cx, buf),
            Phase::Over => Pin::new(&mut self.io).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.phase {
            Phase::Handshake { .. } => {
                let mut taken = 0_usize;
                for buf in bufs {
                    taken = taken.saturating_add(ready!(self.take(cx, buf))?);
                }
                Poll::Ready(Ok(taken))
            }
            Phase::Over => Pin::new(&mut self.io).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_rest(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_rest(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// rustls hands over each record as a slice of its own.
fn corrected(record: &[u8]) -> &[u8] {
    if record == CERTIFICATE_REQUIRED { &HANDSHAKE_FAILURE } else { record }
}

/// Type alert, version, length 2, fatal, certificate_required.
const CERTIFICATE_REQUIRED: [u8; 7] = [21, 3, 3, 0, 2, 2, 116];
const HANDSHAKE_FAILURE: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];
