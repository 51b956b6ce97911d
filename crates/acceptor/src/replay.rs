//! A stream that begins with bytes which were read from it before.

use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::transport::Transport;

/// A stream that gives the bytes read during detection once more, then goes on with the transport.
///
/// The bytes are freed when the last of them was read. Writing passes through.
pub struct Replay<IO> {
    /// Invariant: `at` is within it, and it has no storage once `at` has reached its end.
    prefix: Vec<u8>,
    at: usize,
    io: IO,
}

impl<IO> Replay<IO> {
    pub(crate) const fn new(prefix: Vec<u8>, io: IO) -> Self {
        Self { prefix, at: 0, io }
    }

    /// What is still to be replayed.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        self.prefix.get(self.at..).unwrap_or_default()
    }

    /// The transport.
    #[must_use]
    pub const fn get_ref(&self) -> &IO {
        &self.io
    }

    /// What is still to be replayed, and the transport.
    #[must_use]
    pub fn into_parts(mut self) -> (Vec<u8>, IO) {
        self.prefix.drain(..self.at);
        (self.prefix, self.io)
    }
}

impl<IO> fmt::Debug for Replay<IO> {
    /// Leaves out the bytes: they are the peer's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay")
            .field("pending", &self.pending().len())
            .finish_non_exhaustive()
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Replay<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.prefix.is_empty() {
            return Pin::new(&mut this.io).poll_read(cx, buf);
        }
        let pending = this.prefix.get(this.at..).unwrap_or_default();
        let (piece, rest) = pending.split_at(pending.len().min(buf.remaining()));
        buf.put_slice(piece);
        if rest.is_empty() {
            this.prefix = Vec::new();
            this.at = 0;
        } else {
            this.at = this.at.saturating_add(piece.len());
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Replay<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

impl<IO: Transport> Transport for Replay<IO> {
    fn abort(self) {
        self.io.abort();
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        self.io.local_addr()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// Every split of "first" and "then", and every size of read, gives the same text.
    #[tokio::test]
    async fn what_was_read_comes_first_then_the_rest() {
        let text = b"GET /ip HTTP/1.1\r\n\r\n";
        for cut in 0..=text.len() {
            for size in 1..=text.len() {
                let (mut client, server) = duplex(64);
                client.write_all(&text[cut..]).await.unwrap();
                drop(client);
                let mut stream = Replay::new(text[..cut].to_vec(), server);
                let mut seen = Vec::new();
                let mut piece = vec![0; size];
                loop {
                    let n = stream.read(&mut piece).await.unwrap();
                    if n == 0 {
                        break;
                    }
                    seen.extend_from_slice(&piece[..n]);
                }
                assert_eq!(seen, text, "cut {cut}, size {size}");
                assert_eq!(stream.prefix.capacity(), 0, "the storage is freed");
            }
        }
    }

    #[tokio::test]
    async fn an_empty_read_takes_nothing() {
        let mut stream = Replay::new(b"ab".to_vec(), tokio::io::empty());
        assert_eq!(stream.read(&mut []).await.unwrap(), 0);
        assert_eq!(stream.pending(), b"ab");
    }

    #[tokio::test]
    async fn parts_hold_what_was_not_replayed() {
        let mut stream = Replay::new(b"abc".to_vec(), tokio::io::empty());
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 1);
        assert_eq!(stream.into_parts().0, b"bc");
    }

    #[tokio::test]
    async fn writing_passes_through() {
        let (mut client, server) = duplex(64);
        let mut stream = Replay::new(b"kept".to_vec(), server);
        stream.write_all(b"220 ready").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut seen = Vec::new();
        client.read_to_end(&mut seen).await.unwrap();
        assert_eq!(seen, b"220 ready");
        assert_eq!(stream.pending(), b"kept");
    }
}
