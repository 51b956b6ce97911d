//! Connects to mesh services: which TLS, secure naming, and errors that say why.
//!
//! ```
//! use meshtls_connector::{Connector, ConnectError, Outbound};
//!
//! async fn call(connector: &Connector) -> Result<(), ConnectError> {
//!     match connector.connect("ledger.pay.svc.cluster.local", 8080).await? {
//!         Outbound::Mesh(mesh) => println!("{} answered", mesh.peer.id()),
//!         Outbound::Originated(server) => println!("{} answered", server.peer.presented()),
//!         Outbound::Plaintext(plaintext) => println!("plaintext, {}", plaintext.reason),
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Guarantees
//!
//! * What was to be TLS, of the mesh or not, never becomes plaintext, whatever the server or the network does.
//! * In the mesh, nobody is accepted whom neither the inventory nor the caller names; anybody has to be asked for by name.
//! * Outside of it, a server proves the names that a `DestinationRule` asks for. Whoever wants no proof has to say so in the
//!   rule (`insecureSkipVerify`) and in the program.
//! * The first endpoint decides what is expected; one that is tried in its place has to meet the same.
//!
//! # Sources
//!
//! Istio's clients: `pilot/pkg/networking/core/cluster_tls.go` for the decision (made in `meshtls-policy`),
//! `pilot/pkg/xds/filters/filters.go` for the ALPN names, `pilot/pkg/model/service.go` for the server name.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
mod clients;
mod connector;
mod credential;
mod destination;
mod dial;
mod error;
mod explain;
mod observer;
mod origination;
mod originators;
mod outbound;
mod plan;
mod protocol;
mod server_name;
mod stream;
mod system_roots;
#[cfg(feature = "tracing")]
mod tracing;
mod turns;
mod unavailable;

#[cfg(feature = "tracing")]
pub use self::tracing::TracingObserver;
pub use builder::{ConnectorBuilder, Ready, WantsClient, WantsDiscovery, WantsPolicy, WantsSvid};
pub use connector::Connector;
pub use credential::{Credential, CredentialError, CredentialResolver};
pub use destination::Destination;
pub use error::ConnectError;
pub use explain::{
    Decision, ExplainedEndpoint, ExplainedOrigination, Explanation, FoundService, ServerMode,
};
pub use meshtls_rustls::{PeerRefusedUs, refusal_of};
pub use observer::{Event, Observer, Outcome};
pub use origination::OriginationMode;
pub use outbound::{
    MeshOutbound, OriginatedOutbound, Outbound, PlaintextOutbound, PlaintextReason,
};
pub use plan::Unnamed;
pub use protocol::Protocol;
pub use server_name::Sni;
pub use stream::OutboundStream;
pub use unavailable::OriginationUnavailable;
