//! Certificate signing requests, and an authority that issues X509-SVIDs.
//!
//! # Guarantees
//!
//! * Nothing in a request but its public key reaches a certificate, and no request is accepted whose maker does
//!   not have the private key.
//! * What is issued names exactly one workload of the authority's own trust domain, never outlives the signing
//!   certificate, and can sign nothing.
//! * A step of a `Rotation` that would break a connection of somebody in the `Ledger` is refused,
//!   unless the caller overrides it by name; forward and back (`tests/rotation.rs`, `the_rule_is_sound`).
//! * No clock, no socket, no environment. Only the module `store` touches files.
//!
//! # Sources
//!
//! [X509-SVID](https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md), RFC 5280, RFC 2986; for the profile
//! and the bounds Istio's `security/pkg/pki/util/generate_cert.go` and `security/pkg/pki/ca/ca.go`.
#![cfg_attr(
    all(feature = "authority", any(feature = "ring", feature = "aws-lc-rs")),
    doc = "",
    doc = include_str!("../README.md")
)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::arithmetic_side_effects)]

#[cfg(feature = "authority")]
mod audit;
#[cfg(feature = "authority")]
mod authority;
mod bridge;
#[cfg(feature = "authority")]
mod certificate;
pub mod csr;
#[cfg(all(feature = "authority", any(feature = "ring", feature = "aws-lc-rs")))]
mod from_pem;
#[cfg(all(feature = "authority", any(feature = "ring", feature = "aws-lc-rs")))]
mod generate;
#[cfg(feature = "authority")]
mod intermediate;
#[cfg(feature = "authority")]
mod issuance_policy;
#[cfg(feature = "authority")]
mod issuing;
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
mod key_pair;
mod key_type;
#[cfg(feature = "authority")]
mod ledger;
#[cfg(feature = "authority")]
mod limits;
#[cfg(feature = "authority")]
mod load;
#[cfg(any(feature = "authority", feature = "ring", feature = "aws-lc-rs"))]
mod pem;
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
mod pkcs8;
mod public_key;
#[cfg(feature = "authority")]
mod registration;
#[cfg(feature = "authority")]
mod requester;
#[cfg(feature = "authority")]
mod revocation;
#[cfg(feature = "authority")]
mod rotating;
#[cfg(feature = "authority")]
mod rotation;
#[cfg(feature = "authority")]
mod serial;
mod signer;
#[cfg(all(feature = "store", any(feature = "ring", feature = "aws-lc-rs")))]
pub mod store;

#[cfg(feature = "authority")]
pub use audit::{AuditError, AuditEvent, AuditLog, AuditOutcome, IssuedFacts};
#[cfg(feature = "authority")]
pub use authority::{Authority, IssueError, IssueRequest};
#[cfg(all(feature = "authority", any(feature = "ring", feature = "aws-lc-rs")))]
pub use from_pem::{AuthorityPem, FromPemError};
#[cfg(all(feature = "authority", any(feature = "ring", feature = "aws-lc-rs")))]
pub use generate::{AuthorityOptions, GenerateError};
#[cfg(feature = "authority")]
pub use intermediate::{IntermediateTerms, NameLimit};
#[cfg(feature = "authority")]
pub use issuance_policy::{IssuancePolicy, PolicyError};
#[cfg(feature = "authority")]
pub use issuing::{AuthorityRoots, IssuedSvid, IssuingAuthority};
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
pub use key_pair::{KeyError, KeyPair};
pub use key_type::KeyType;
#[cfg(feature = "authority")]
pub use ledger::{Ledger, LedgerEntry, RepeatedSerial, Waiting};
#[cfg(feature = "authority")]
pub use load::LoadAuthorityError;
pub use public_key::{KeyAlgorithm, PublicKey, PublicKeyError};
#[cfg(feature = "authority")]
pub use registration::{PeerAnswer, Refusal, RefusedRequest, RegistrationAuthority};
#[cfg(feature = "authority")]
pub use requester::{AuthenticatedBy, Requester};
#[cfg(feature = "authority")]
pub use revocation::{Revocation, RevocationError, RevocationReason, revocation_list_pem};
#[cfg(feature = "authority")]
pub use rotating::RotatingAuthority;
#[cfg(feature = "authority")]
pub use rotation::{Phase, Readiness, Rotation, RotationError, Step};
#[cfg(all(feature = "authority", any(feature = "ring", feature = "aws-lc-rs")))]
pub use serial::RandomSerials;
#[cfg(feature = "authority")]
pub use serial::{Serial, SerialError, SerialSource};
pub use signer::{SignError, Signer};
