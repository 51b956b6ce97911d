//! HTTP services with axum: handlers take the peer as a typed value.
//!
//! ```no_run
//! use axum::Router;
//! use axum::extract::ConnectInfo;
//! use axum::routing::get;
//! use meshtls::Workload;
//! use meshtls::acceptor::PortProtocol;
//! use meshtls::axum::{Caller, Peer, serve};
//!
//! async fn whoami(ConnectInfo(caller): ConnectInfo<Caller>) -> String {
//!     match caller.peer() {
//!         Peer::Mesh(peer) => format!("you are {}", peer.id()),
//!         _ => "I do not know you".to_owned(),
//!     }
//! }
//!
//! # async fn run(workload: Workload) -> Result<(), Box<dyn std::error::Error>> {
//! let port = workload.listen("0.0.0.0:8000".parse()?).protocol(PortProtocol::Http).bind().await?;
//! serve(port, Router::new().route("/whoami", get(whoami))).run().await;
//! # Ok(())
//! # }
//! ```
//!
//! Identity is never read from a header: what a client claims in `x-forwarded-client-cert` and its like is removed before a handler
//! sees it.
//!
//! [`HttpListener`] goes into `axum::serve` for those who prefer that. It removes no header, and `axum::serve` sets no deadline for
//! what follows the handshake, so a client that sends half a request keeps its descriptor for ever.

mod caller;
mod listener;
mod serve;

pub use caller::{Caller, Peer};
pub use listener::{HttpListener, HttpStream};
pub use serve::{Serve, serve};
