//! Accepts plaintext and mutual TLS on one port as Istio policy decides.
//!
//! ```
//! use meshtls_acceptor::{AppProtocol, Decision, FirstBytes, MeshOffer, PlaintextReason, PortProtocol, Side, decide};
//! use meshtls_policy::MtlsMode;
//!
//! let mode = MtlsMode::Permissive;
//! let sidecar = FirstBytes::ClientHello(MeshOffer::Http);
//! assert_eq!(decide(mode, PortProtocol::Auto, sidecar), Decision::Terminate(Side::Http));
//!
//! let curl = FirstBytes::Http1;
//! let plaintext = Decision::Plaintext(AppProtocol::Http1, PlaintextReason::Permissive);
//! assert_eq!(decide(mode, PortProtocol::Auto, curl), plaintext);
//! ```
//!
//! [`Acceptor::accept`] applies that decision to a connection; [`Listener`] does so for a listening socket.
//!
//! # Guarantees
//!
//! * Under STRICT nothing but mutual TLS with a verified member of the mesh is accepted.
//! * A connection that begins as TLS is never handed over as plaintext, and a handshake that fails never falls back.
//! * Detection and handshake each have one absolute deadline, however slowly bytes trickle in.
//! * Bytes read during detection reach whoever speaks next, all of them and in order.
//! * The observer is told exactly one outcome for each connection.
//! * A policy on trial (dry-run) decides nothing; what it would have decided is in the event.
//! * A policy or an identity that is replaced counts from the next decision on.
//!
//! # Sources
//!
//! Istio, `pilot/pkg/networking/core/filterchain_options.go` and `listener_inbound.go`; Envoy, `tls_inspector`,
//! `http_inspector` and the filter chain lookup.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod acceptor;
mod backoff;
mod builder;
mod deadline;
mod decide;
mod detect;
mod effective;
mod handshake;
mod inbound;
mod lent;
mod listener;
mod observer;
mod opening;
mod refusal;
mod replay;
mod report;
mod servers;
mod shadow;
mod slots;
mod stream;
#[cfg(feature = "tracing")]
mod tracing;
mod transport;

pub use acceptor::Acceptor;
pub use builder::{AcceptorBuilder, BuildError, Ready, WantsPolicy, WantsSvid};
pub use deadline::DetectionTimeout;
pub use decide::{
    AppProtocol, Decision, FirstBytes, ForeignTlsReason, MeshOffer, PlaintextReason, PortProtocol,
    Side, UnsniffedReason, decide,
};
pub use detect::FirstSpeaker;
pub use inbound::{
    Connection, ForeignTls, Inbound, Ingress, IngressPeer, Mesh, Plaintext, Unsniffed,
};
pub use listener::{Incoming, Listener, Shutdown};
pub use observer::{Accepted, Event, Observer, Outcome};
pub use opening::OpeningRefusal;
pub use refusal::{Refusal, Stage};
pub use replay::Replay;
pub use shadow::{Shadow, ShadowOutcome};
pub use stream::{InboundStream, TlsStream};
#[cfg(feature = "tracing")]
#[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
pub use tracing::TracingObserver;
pub use transport::Transport;

/// The example of the README is compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
