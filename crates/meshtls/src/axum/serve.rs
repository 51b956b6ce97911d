//! An HTTP server on a mesh listener, safe to show to strangers.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{map_request, map_request_with_state};
use axum::serve::Listener as _;
use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::MeshListener;
use crate::axum::{Caller, HttpListener};

/// Serves `router` on `listener`, HTTP/1 and HTTP/2; [`Serve::run`] begins. Handlers extract `ConnectInfo<Caller>`.
pub fn serve(listener: MeshListener, router: Router) -> Serve {
    Serve { listener, router, head_timeout: HEAD_TIMEOUT, claims: Claims::Removed }
}

/// An HTTP server to be.
#[must_use]
pub struct Serve {
    listener: MeshListener,
    router: Router,
    head_timeout: Duration,
    claims: Claims,
}

/// What happens to headers in which a client claims an identity.
#[derive(Clone, Copy, Debug)]
enum Claims {
    Removed,
    Kept,
}

impl Serve {
    /// Sets how long a client may take for the head of its first request from when it was let in, for that of each later one in
    /// HTTP/1, and to answer a ping in HTTP/2. Default 5 seconds, at least 1 millisecond. Whoever takes longer is closed: an idle
    /// connection costs a descriptor, and there are not many.
    pub fn head_timeout(self, timeout: Duration) -> Self {
        Self { head_timeout: timeout.max(Duration::from_millis(1)), ..self }
    }

    /// Leaves `x-forwarded-client-cert`, `client-cert` and `client-cert-chain` in requests. By default they are removed, since whoever
    /// sends the request writes them. Keep them only behind a proxy that you trust to set them, and which nobody can bypass.
    pub fn dangerous_keep_claimed_identities(self) -> Self {
        Self { claims: Claims::Kept, ..self }
    }

    /// Serves until the future is dropped, or for ever after a shutdown of the listener.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the listener and all of its connections.
    pub async fn run(self) {
        let mut listener = HttpListener::new(self.listener);
        let router = match self.claims {
            Claims::Removed => self.router.layer(map_request(without_claims)),
            Claims::Kept => self.router,
        };
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.head_timeout);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(self.head_timeout)
            .keep_alive_timeout(self.head_timeout);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                (stream, _) = listener.accept() => {
                    let caller: ConnectInfo<Caller> = ConnectInfo(stream.caller().clone());
                    let begun = Arc::new(AtomicBool::new(false));
                    let router = router
                        .clone()
                        .layer(Extension(caller))
                        .layer(map_request_with_state(Arc::clone(&begun), begins));
                    let (builder, head_timeout) = (builder.clone(), self.head_timeout);
                    connections.spawn(async move {
                        let service = TowerToHyperService::new(router);
                        let mut served = pin!(builder.serve_connection(TokioIo::new(stream), service));
                        // Why a connection ended is its client's business: there is nobody to tell.
                        tokio::select! {
                            _ended = &mut served => {},
                            // hyper-util waits without end for the bytes that tell HTTP/1 from HTTP/2.
                            () = sleep(head_timeout) => if begun.load(Ordering::Relaxed) {
                                served.await.ok();
                            },
                        }
                    });
                },
                Some(_ended) = connections.join_next() => {},
            }
        }
    }
}

impl fmt::Debug for Serve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener)
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}

/// Notes that a request has come.
async fn begins(State(begun): State<Arc<AtomicBool>>, request: Request) -> Request {
    begun.store(true, Ordering::Relaxed);
    request
}

async fn without_claims(mut request: Request) -> Request {
    for name in CLAIMS {
        request.headers_mut().remove(name);
    }
    request
}

/// Envoy's header, and those of RFC 9440.
const CLAIMS: [&str; 3] = ["x-forwarded-client-cert", "client-cert", "client-cert-chain"];

const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
