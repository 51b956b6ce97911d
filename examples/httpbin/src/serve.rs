//! The HTTP server behind a mesh listener, with a deadline for whoever was let in and then says no more.
//!
//! `axum::serve` has none: a client that sends a request line, or one request, and then nothing would keep its descriptor for
//! ever, and enough of them would keep everybody out.

use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::serve::Listener as _;
use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use meshtls::axum::HttpListener;
use tokio::task::JoinSet;

/// Serves `router` on `listener`, HTTP/1 and HTTP/2. Handlers can extract `ConnectInfo<Caller>`.
///
/// # Cancel safety
///
/// Dropping the future closes the listener and all of its connections.
pub(crate) async fn serve(mut listener: HttpListener, router: Router) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PATIENCE)
        .keep_alive_timeout(PATIENCE);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            (stream, _) = listener.accept() => {
                let caller = ConnectInfo(stream.caller().clone());
                let service = TowerToHyperService::new(router.clone().layer(Extension(caller)));
                let builder = builder.clone();
                connections.spawn(async move {
                    // Why a connection ended is its client's business: there is nobody to tell.
                    builder.serve_connection(TokioIo::new(stream), service).await.ok();
                });
            },
            Some(_ended) = connections.join_next() => {},
        }
    }
}

/// How long a client may take for the head of its next request, and to answer a ping of HTTP/2.
const PATIENCE: Duration = Duration::from_secs(5);
