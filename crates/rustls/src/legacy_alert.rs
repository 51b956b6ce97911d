//! A transport that corrects one alert of rustls.
//!
//! Where a client has no certificate, rustls sends certificate_required (116), which only TLS 1.3 knows
//! (RFC 8446 section 6.2). In TLS 1.2 the alert is handshake_failure (40, RFC 5246 section 7.4.6), and there it is a
//! record in the clear, seven bytes long, that can be nothing else: an encrypted alert is longer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Passes everything through but that record.
#[derive(Debug)]
pub(crate) struct LegacyAlert<IO>(pub(crate) IO);

impl<IO: AsyncRead + Unpin> AsyncRead for LegacyAlert<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for LegacyAlert<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, corrected(buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match bufs {
            // rustls queues each record as a slice of its own, and this one is the last it ever sends.
            [only] => Pin::new(&mut self.0).poll_write(cx, corrected(only)),
            _ => Pin::new(&mut self.0).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

fn corrected(record: &[u8]) -> &[u8] {
    if record == CERTIFICATE_REQUIRED { &HANDSHAKE_FAILURE } else { record }
}

/// Type alert, version, length 2, fatal, certificate_required.
const CERTIFICATE_REQUIRED: [u8; 7] = [21, 3, 3, 0, 2, 2, 116];
const HANDSHAKE_FAILURE: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];
