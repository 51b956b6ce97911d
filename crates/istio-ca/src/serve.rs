//! Serves the API on a listener: TLS first, then HTTP/2, each connection in a task of its own.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tonic::body::Body;
use tower_service::Service as _;

use crate::own_certificate::{OwnCertificate, ServerCertificate};
use crate::proto::istio_certificate_service_server::IstioCertificateServiceServer;
use crate::server::{Core, IstioCaServer, Limits, MAX_MESSAGE};
use crate::service::Calls;

impl IstioCaServer {
    /// Answers on `listener` until `ended` is. Then it accepts no more, and waits for the connections that are open to end, for as
    /// long as a request may take.
    ///
    /// # Errors
    ///
    /// [`ServeError`]: there is no certificate to show when it begins. Later the connections that come then are closed, until there
    /// is one again.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the listener and all connections.
    pub async fn serve(
        &self,
        listener: TcpListener,
        certificate: ServerCertificate,
        ended: impl Future<Output = ()> + Send,
    ) -> Result<(), ServeError> {
        let own = Arc::new(OwnCertificate::new(certificate));
        first(&self.core, &own).await?;
        let room = Arc::new(Semaphore::new(self.limits.connections));
        let mut connections = JoinSet::new();
        let mut ended = pin!(ended);
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            let accept = async {
                let permit = Arc::clone(&room).acquire_owned().await.ok()?;
                Some((listener.accept().await, permit))
            };
            let (accepted, permit) = tokio::select! {
                () = &mut ended => break,
                // What has ended is taken out, or the set would grow for ever.
                Some(_) = connections.join_next() => continue,
                // A rotation of the roots waits until the server has renewed as well, be there callers or not.
                _ = looks.tick() => {
                    let (core, own) = (Arc::clone(&self.core), Arc::clone(&own));
                    // What fails now fails at the next handshake, and is tried again until then.
                    drop(tokio::task::spawn_blocking(move || own.server(&core)));
                    continue;
                }
                Some(accepted) = accept => accepted,
                else => break,
            };
            match accepted {
                Ok((stream, address)) => {
                    let (core, own, limits) =
                        (Arc::clone(&self.core), Arc::clone(&own), self.limits);
                    connections.spawn(async move {
                        connection(core, &own, limits, stream, address).await;
                        drop(permit);
                    });
                }
                // The peer has gone, or the process has no room: neither is a reason to end.
                Err(_passing) => tokio::time::sleep(AFTER_A_FAILED_ACCEPT).await,
            }
        }
        drop(listener);
        let rest = async { while connections.join_next().await.is_some() {} };
        // Whoever is not done by then is closed.
        drop(tokio::time::timeout(self.limits.request, rest).await);
        Ok(())
    }
}

/// Finds out at the beginning what would fail in every handshake.
async fn first(core: &Arc<Core>, own: &Arc<OwnCertificate>) -> Result<(), ServeError> {
    let (core, own) = (Arc::clone(core), Arc::clone(own));
    match tokio::task::spawn_blocking(move || own.server(&core).map(drop)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(ServeError::Certificate(error)),
        Err(ended) => Err(ServeError::Certificate(ended.into())),
    }
}

/// Why a server does not begin to serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// There is no certificate to show to callers.
    #[error("there is no certificate to show to callers")]
    Certificate(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// One connection from its first byte to its last.
async fn connection(
    core: Arc<Core>,
    own: &Arc<OwnCertificate>,
    limits: Limits,
    stream: TcpStream,
    address: SocketAddr,
) {
    // It costs latency only.
    drop(stream.set_nodelay(true));
    let handshake = async {
        let (core, own) = (Arc::clone(&core), Arc::clone(own));
        let server = tokio::task::spawn_blocking(move || own.server(&core))
            .await
            .ok()?
            .ok()?;
        server.accept(stream).await.ok()
    };
    let Ok(Some((stream, peer))) = tokio::time::timeout(limits.handshake, handshake).await else {
        return;
    };
    let calls = Calls { core, peer, address, deadline: limits.request };
    let service = IstioCertificateServiceServer::new(calls).max_decoding_message_size(MAX_MESSAGE);
    let service = service_fn(move |request: http::Request<Incoming>| {
        let mut service = service.clone();
        async move {
            let request = request.map(|body| Body::new(body.map_err(io::Error::other)));
            let answer: Result<http::Response<Body>, Infallible> = service.call(request).await;
            answer
        }
    });
    let mut serving = pin!(
        http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(MAX_HEADERS)
            .max_pending_accept_reset_streams(RESETS)
            .keep_alive_interval(limits.handshake)
            .keep_alive_timeout(limits.handshake)
            .serve_connection(TokioIo::new(stream), service)
    );
    if tokio::time::timeout(limits.connection_age, serving.as_mut())
        .await
        .is_err()
    {
        serving.as_mut().graceful_shutdown();
        drop(tokio::time::timeout(limits.request, serving).await);
    }
}

/// Requests at once on one connection.
const STREAMS: u32 = 16;
/// Requests that a client may take back before it is cut off (CVE-2023-44487).
const RESETS: usize = 16;
/// A JWT fits in.
const MAX_HEADERS: u32 = 32 * 1024;
/// How often the server's own certificate is looked after while nobody connects.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const AFTER_A_FAILED_ACCEPT: Duration = Duration::from_millis(50);
