//! HTTP/2 over a stream that is already there, as tonic wants it: one connection, whose end is an error with a code.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use meshtls_rustls::WithCauses;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::Status;
use tonic::body::Body;
use tower_service::Service;

/// A stream under TLS or TCP.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// One connection. Dropping it ends the task that drives it.
pub(crate) struct Connection {
    requests: http2::SendRequest<Body>,
    driver: tokio::task::JoinHandle<()>,
}

impl Connection {
    /// Begins HTTP/2.
    pub(crate) async fn open<T: Transport + 'static>(stream: T) -> Result<Self, Status> {
        let (requests, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_header_list_size(MAX_HEADERS)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(unavailable)?;
        // What goes wrong in it is seen by the request.
        let driver = tokio::spawn(async move { drop(connection.await) });
        Ok(Self { requests, driver })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Service<http::Request<Body>> for Connection {
    type Response = http::Response<hyper::body::Incoming>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.requests.poll_ready(cx).map_err(unavailable)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let answer = self.requests.send_request(request);
        Box::pin(async move { answer.await.map_err(unavailable) })
    }
}

/// A connection that ends early is "unavailable", as for every gRPC client.
fn unavailable(error: hyper::Error) -> Status {
    Status::unavailable(format!("the connection to the CA ended: {}", WithCauses(&error)))
}

const MAX_HEADERS: u32 = 16 * 1024;
