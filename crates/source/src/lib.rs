//! Keeps identities, policies and the bundles of other trust domains fresh: watched files, issue anew before expiry, bundle endpoints.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use meshtls_policy::MeshSettings;
//! use meshtls_source::{PolicyFiles, Report};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), meshtls_source::PolicyError> {
//! let files = PolicyFiles::open("policies/", MeshSettings::default())?
//!     .reporter(Arc::new(|report: &Report<'_>| eprintln!("{report}")));
//! let policies = files.handle();
//! let watch = files.watch(); // reloads until it is dropped
//! # drop((policies, watch));
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//!
//! * A bad first load refuses to start; a bad later one keeps the last good policies or identity in use and is reported.
//! * How a source of policies fares can be read at any time ([`PolicyHealth`]). On request the age of policies is bounded
//!   ([`PolicyFiles::stale_after`]).
//! * New identity material is checked before it replaces good material. What was published is never taken back.
//! * The bundle of another trust domain is replaced by a good one of the same domain only, and never merged with one of another.
//! * No task runs unless [`Watch`] is held. The wall clock and the randomness are arguments; waiting is tokio's.
//!
//! # Sources
//!
//! Istio's agent (`security/pkg/nodeagent/cache/secretcache.go`) for the renewal clock, ztunnel
//! (`src/identity/manager.rs`) for the backoff;
//! [SPIFFE Federation](https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE_Federation.md) for bundle endpoints. The rest
//! is our choice and is said where it is made.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(feature = "authority", any(feature = "aws-lc-rs", feature = "ring")))]
mod authority_identity;
#[cfg(all(feature = "authority", any(feature = "aws-lc-rs", feature = "ring")))]
mod backoff;
#[cfg(feature = "federation")]
mod bundle_endpoint;
#[cfg(feature = "federation")]
mod bundle_fetch;
#[cfg(feature = "federation")]
mod bundle_refresh;
mod check;
mod federated;
mod federated_file;
mod federation;
mod federation_error;
mod federation_health;
#[cfg(feature = "federation")]
mod fetch_error;
mod freshness;
mod identity_error;
mod identity_files;
mod issuer;
mod policy_error;
mod policy_files;
mod policy_health;
mod policy_text;
mod read;
mod renewal;
mod report;
mod svid_request;
mod watch;

#[cfg(all(feature = "authority", any(feature = "aws-lc-rs", feature = "ring")))]
pub use authority_identity::{AuthorityIdentity, Wanted};
#[cfg(feature = "federation")]
#[cfg_attr(docsrs, doc(cfg(feature = "federation")))]
pub use bundle_endpoint::{BundleEndpoint, EndpointError, WhenEmpty};
#[cfg(feature = "federation")]
#[cfg_attr(docsrs, doc(cfg(feature = "federation")))]
pub use bundle_refresh::{DEFAULT_REFRESH, LONGEST_REFRESH, SHORTEST_REFRESH};
pub use check::IdentityChange;
pub use federated::FederatedBundles;
pub use federation::Federation;
pub use federation_error::FederationError;
pub use federation_health::{FederationHealth, FederationStatus};
#[cfg(feature = "federation")]
#[cfg_attr(docsrs, doc(cfg(feature = "federation")))]
pub use fetch_error::FetchError;
pub use freshness::WhenStale;
pub use identity_error::IdentityError;
pub use identity_files::{IdentityFiles, IdentityPaths};
pub use issuer::{Issued, Issuer, IssuerError, IssuerFuture};
pub use policy_error::PolicyError;
pub use policy_files::PolicyFiles;
pub use policy_health::{PolicyHealth, PolicyStatus};
pub use policy_text::{load_resources, read_resource_files};
pub use read::ReadError;
pub use renewal::{Random, SystemRandom, renew_after};
pub use report::{Report, Reporter, Silent};
pub use rustls_pki_types::UnixTime;
pub use svid_request::SvidRequest;
pub use watch::Watch;
