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
//! An identity from whoever answers requests ([`Issuer`]):
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use meshtls_identity::{MeshDomains, SpiffeId};
//! use meshtls_rustls::TlsProfile;
//! use meshtls_source::{Issuer, LiveSvid, Renewal, Wanted, Watch};
//!
//! /// Keeps the identity of `id` fresh as long as the returned watch is held.
//! fn renew(issuer: Arc<dyn Issuer>, id: SpiffeId, profile: TlsProfile) -> (Arc<LiveSvid>, Watch) {
//!     let domains = MeshDomains::new(id.trust_domain().clone(), []);
//!     let renewal = Renewal::new(issuer, Wanted::new(id), domains, profile);
//!     (renewal.live(), renewal.watch())
//! }
//! ```
//!
//! # Guarantees
//!
//! * A bad first load refuses to start; a bad later one keeps the last good policies or identity in use and is reported.
//! * How a source of policies fares can be read at any time ([`PolicyHealth`]). On request the age of policies is bounded
//!   ([`PolicyFiles::stale_after`]).
//! * New identity material is checked before it replaces good material. It is used until it ends, and never after.
//! * No task runs unless [`Watch`] is held. Identities are renewed by a [`Clock`] and a [`Random`] that are arguments.
//! * The bundle of another trust domain is replaced by a good one of the same domain only, and never merged with one of another.
//!
//! # Sources
//!
//! Istio's agent (`security/pkg/nodeagent/cache/secretcache.go`) for the renewal clock, ztunnel
//! (`src/identity/manager.rs`) for the backoff;
//! [SPIFFE Federation](https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE_Federation.md) for bundle endpoints. The rest
//! is our choice and is said where it is made.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "authority")]
mod authority_issuer;
mod backoff;
#[cfg(feature = "federation")]
mod bundle_endpoint;
#[cfg(feature = "federation")]
mod bundle_fetch;
#[cfg(feature = "federation")]
mod bundle_refresh;
mod check;
mod clock;
mod federated;
mod federated_file;
mod federation;
mod federation_error;
mod federation_health;
#[cfg(feature = "federation")]
mod fetch_error;
mod freshness;
mod identity_error;
mod identity_health;
mod issuer;
mod live;
mod pem_files;
mod policy_error;
mod policy_files;
mod policy_health;
mod policy_text;
mod read;
mod renewal;
mod renewal_clock;
mod report;
mod svid_request;
mod wanted;
mod watch;

#[cfg(feature = "authority")]
pub use authority_issuer::AuthorityIssuer;
#[cfg(feature = "federation")]
#[cfg_attr(docsrs, doc(cfg(feature = "federation")))]
pub use bundle_endpoint::{BundleEndpoint, EndpointError, WhenEmpty};
#[cfg(feature = "federation")]
#[cfg_attr(docsrs, doc(cfg(feature = "federation")))]
pub use bundle_refresh::{DEFAULT_REFRESH, LONGEST_REFRESH, SHORTEST_REFRESH};
pub use check::IdentityChange;
pub use clock::{Clock, SystemClock};
pub use federated::FederatedBundles;
pub use federation::Federation;
pub use federation_error::FederationError;
pub use federation_health::{FederationHealth, FederationStatus};
#[cfg(feature = "federation")]
#[cfg_attr(docsrs, doc(cfg(feature = "federation")))]
pub use fetch_error::FetchError;
pub use freshness::WhenStale;
pub use identity_error::IdentityError;
pub use identity_health::{IdentityHealth, IdentityState, IdentityStatus};
pub use issuer::{Issued, Issuer, IssuerAtHand, IssuerError, IssuerFuture};
pub use live::{LiveSvid, SvidChanges};
pub use pem_files::{IdentityPaths, PemFiles, PemFilesError};
pub use policy_error::PolicyError;
pub use policy_files::PolicyFiles;
pub use policy_health::{PolicyHealth, PolicyStatus};
pub use policy_text::{load_resources, read_resource_files};
pub use read::ReadError;
pub use renewal::Renewal;
pub use renewal_clock::{Random, SystemRandom, renew_after};
pub use report::{Report, Reporter, Silent};
pub use rustls_pki_types::UnixTime;
pub use svid_request::SvidRequest;
pub use wanted::Wanted;
pub use watch::Watch;
