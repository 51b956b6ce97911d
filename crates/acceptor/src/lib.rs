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
//! * No connection is handed over that the `AuthorizationPolicy` objects refuse; a refused one gets no byte and no alert.
//! * A connection that begins as TLS is never handed over as plaintext, and a handshake that fails never falls back.
//! * Detection and handshake each have one absolute deadline, however slowly bytes trickle in.
//! * Bytes read during detection reach whoever speaks next, all of them and in order.
//! * The observer is told exactly one outcome for each connection.
//! * A policy on trial (dry-run) decides nothing; what it would have decided is in the event.
//! * A policy or an identity that is replaced counts from the next decision on. Mode and authorization of a connection come
//!   from one set of policies; if another is in force when its handshake is done, that has to let it in as well.
//!
//! # Authorization
//!
//! A connection is authorized once, just before it is handed over: over mutual TLS with the verified name of the peer, after
//! the handshake (and after the first bytes of HTTP, where no ALPN says which it is); plaintext and TLS that is not ours without a name,
//! when the first bytes have decided. Where nobody looks at first bytes ([`UnsniffedReason`]) it is authorized without having been read: when it comes,
//! or at the deadline of a server-first port. (Istio waits for the client's first byte there.)
//!
//! Conditions look at the address that [`Acceptor::accept`] was given, at [`Transport::local_addr`], at the workload port and
//! at the server name of the `ClientHello`. An address that nobody knows is taken for `0.0.0.0`: hardly any block contains it,
//! so that a positive condition fails and a `not` condition holds, as in Envoy. Give the addresses where policies ask for them.
//! No proxy is asked for the original client: `remoteIpBlocks` look at the same address as `ipBlocks`.
//!
//! # Sources
//!
//! Istio, `pilot/pkg/networking/core/filterchain_options.go` and `listener_inbound.go`; Envoy, `tls_inspector`,
//! `http_inspector` and the filter chain lookup.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod acceptor;
mod authorization;
mod backoff;
mod builder;
mod close;
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
pub use authorization::{Ruling, Unauthorized};
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
