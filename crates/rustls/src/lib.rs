//! rustls verifiers, configurations and handshakes that end in a verified SPIFFE peer.
//!
//! ```
//! use meshtls_identity::AcceptedDomains;
//! use meshtls_rustls::{AlpnAnswer, HandshakeError, MeshServer, ServerStream, TlsProfile};
//! use meshtls_svid::SvidSnapshot;
//!
//! /// Accepts one connection from any member of the mesh, and says who it is.
//! async fn accept<IO>(
//!     profile: &TlsProfile,
//!     snapshot: &SvidSnapshot,
//!     io: IO,
//! ) -> Result<ServerStream<IO>, Box<dyn std::error::Error>>
//! where
//!     IO: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
//! {
//!     let server = MeshServer::new(profile, snapshot, &AcceptedDomains::Any)?;
//!     let (stream, peer) = server.accept(io, AlpnAnswer::None).await?;
//!     println!("{} over {}", peer.id(), peer.tls_version());
//!     Ok(stream)
//! }
//! ```
//!
//! # Guarantees
//!
//! * A [`VerifiedPeer`] comes only out of a handshake done here, in which the peer's chain was verified and the
//!   peer proved to hold its key.
//! * An [`OriginationClient`] verifies the chain first and the names after it, and its [`OriginatedPeer`] is never taken
//!   for a member of the mesh.
//! * No session is resumed, no early data taken, no key log written; the process-wide provider is neither
//!   read nor set.
//! * Whoever is refused is told by the alert that Envoy would send, and by nothing else.
//!
//! # Features
//!
//! `ring` (default) and `aws-lc-rs` add [`TlsProfile`] constructors; both may be on. With neither, any
//! [`CryptoProvider`](rustls::crypto::CryptoProvider) can be passed in.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod alert;
mod alpn;
mod client;
mod enrollment;
mod error;
mod handshake_io;
mod key;
mod origination;
mod origination_error;
mod peer;
mod profile;
mod server;
mod slot;
mod stream;
mod text;
mod verify;
mod verify_server;

pub use alert::{Alert, PeerRefusedUs, refusal_of};
pub use alpn::{AlpnAnswer, HttpSpoken};
pub use client::MeshClient;
pub use enrollment::EnrollmentServer;
pub use error::{ConfigError, HandshakeError};
pub use origination::{OriginatedPeer, OriginationClient};
pub use origination_error::{OriginationConfigError, OriginationError};
pub use peer::{TlsVersion, VerifiedPeer};
pub use profile::{TlsMinimum, TlsProfile};
pub use rustls;
pub use server::MeshServer;
pub use stream::{ClientStream, ServerStream};
pub use text::{WithCauses, log_text};
