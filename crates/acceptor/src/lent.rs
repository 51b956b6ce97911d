//! A transport that comes back from a handshake which failed or was given up.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
};

/// A transport that goes back to its lender when it is dropped, while the lender waits for it.
pub(crate) struct Lent<IO> {
    /// Invariant: `Some` until dropped.
    io: Option<IO>,
    back: Option<oneshot::Sender<IO>>,
}

/// Where a [`Lent`] transport comes back to.
pub(crate) struct Lender<IO>(oneshot::Receiver<IO>);

pub(crate) fn lend<IO>(io: IO) -> (Lent<IO>, Lender<IO>) {
    let (back, lender) = oneshot::channel();
    (Lent { io: Some(io), back: Some(back) }, Lender(lender))
}

impl<IO> Lender<IO> {
    /// The transport, if the borrower has dropped it.
    pub(crate) fn take(mut self) -> Option<IO> {
        self.0.try_recv().ok()
    }
}

impl<IO> Lent<IO> {
    fn io(&mut self) -> io::Result<Pin<&mut IO>>
    where
        IO: Unpin,
    {
        self.io
            .as_mut()
            .map(Pin::new)
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl<IO> Drop for Lent<IO> {
    fn drop(&mut self) {
        if let (Some(io), Some(back)) = (self.io.take(), self.back.take()) {
            // Without a lender the transport ends here, as if it had never been lent.
            back.send(io).err();
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Lent<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().io()?.poll_read(cx, buf)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Lent<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().io()?.poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().io()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().io()?.poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().io()?.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_when_dropped() {
        let (lent, lender) = lend(7);
        drop(lent);
        assert_eq!(lender.take(), Some(7));
    }

    #[test]
    fn it_does_not_come_back_while_it_is_used() {
        let (lent, lender) = lend(7);
        assert_eq!(lender.take(), None);
        drop(lent);
    }
}
