//! SPIFFE IDs, trust domains and the matchers over them: parsed once, trusted afterwards.
//!
//! ```
//! use meshtls_identity::{IdMatcher, ServiceAccountId, SpiffeId};
//!
//! let ledger: SpiffeId = "spiffe://prod.example/ns/pay/sa/ledger".parse()?;
//! assert_eq!(ledger.trust_domain().as_str(), "prod.example");
//!
//! let account = ServiceAccountId::new(ledger.trust_domain(), "pay", "ledger")?;
//! assert!(IdMatcher::Exact(account.into()).matches(&ledger));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Guarantees
//!
//! * Parsing never panics, whatever the bytes (`fuzz/fuzz_targets/spiffe_id.rs`).
//! * Parsing then printing gives back the same text, and that text is printable ASCII.
//! * Cloning an ID or a trust domain copies no text. No I/O, no clock, no logging.
//!
//! # Features
//!
//! * `serde`: every type that is parsed from a text serializes as it and deserializes through the parser.
//! * `arbitrary`: valid random values for fuzzers. Both are off by default.
//!
//! # Sources
//!
//! [SPIFFE-ID](https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md) sections 2.1 to 2.4, and
//! what Istio makes of an identity (`pkg/spiffe/spiffe.go`, `pilot/pkg/security/authz/matcher/string.go`).

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::arithmetic_side_effects)]

#[cfg(feature = "arbitrary")]
mod arbitrary;
mod domains;
mod error;
mod grammar;
mod istio;
mod matcher;
mod principal;
#[cfg(feature = "serde")]
mod serde;
mod service_account;
mod spiffe_id;
mod trust_domain;

pub use domains::{AcceptedDomains, MeshDomains};
pub use error::{EmptyMatcher, EmptyPattern, ParseIdError, ServiceAccountIdError};
pub use istio::IstioIdentity;
pub use matcher::{IdMatcher, IdSet};
pub use principal::PrincipalPattern;
pub use service_account::ServiceAccountId;
pub use spiffe_id::SpiffeId;
pub use trust_domain::TrustDomain;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
