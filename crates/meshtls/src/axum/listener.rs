//! The listener for `axum::serve`.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use meshtls_acceptor::{Inbound, InboundStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::MeshListener;
use crate::axum::Caller;

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

/// A connection on its way into an HTTP server.
#[derive(Debug)]
pub struct HttpStream {
    caller: Caller,
    stream: InboundStream<TcpStream>,
}

impl HttpStream {
    fn new(inbound: Inbound<TcpStream>) -> Self {
        Self { caller: Caller::of(&inbound), stream: inbound.into_stream() }
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
