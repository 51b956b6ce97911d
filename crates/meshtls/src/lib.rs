#![doc = include_str!("../README.md")]
//!
//! # Guarantees
//!
//! * Whoever cannot be identified is never handed over as a member of the mesh, and there is no path from TLS to plaintext.
//! * Nothing runs unless [`WorkloadBuilder::start`] was called; dropping the [`Workload`] ends what it started.
//! * A first load of an identity or a policy that is bad refuses to start; a bad later one keeps the last good one.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub mod axum;
mod builder;
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
mod ca_dir;
mod error;
mod from;
mod listen;
mod workload;

pub use builder::WorkloadBuilder;
pub use error::{ListenError, StartError};
pub use from::{IdentityFrom, PoliciesFrom};
pub use listen::{Listen, MeshListener};
pub use meshtls_acceptor as acceptor;
pub use meshtls_ca as ca;
pub use meshtls_connector as connector;
pub use meshtls_identity as identity;
pub use meshtls_identity::{ServiceAccountId, SpiffeId, TrustDomain};
#[cfg(feature = "istio-ca")]
#[cfg_attr(docsrs, doc(cfg(feature = "istio-ca")))]
pub use meshtls_istio_ca as istio_ca;
pub use meshtls_policy as policy;
pub use meshtls_rustls as rustls;
pub use meshtls_source as source;
pub use meshtls_svid as svid;
pub use meshtls_wire as wire;
pub use workload::Workload;

/// Compiles the example of the project's README.
#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../../../README.md")]
struct ProjectReadme;
