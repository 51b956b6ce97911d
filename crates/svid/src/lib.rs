//! X509-SVIDs and trust bundles, and the validation of a certificate chain to a SPIFFE ID.
//!
//! ```
//! use meshtls_identity::{AcceptedDomains, SpiffeId};
//! use meshtls_svid::{RejectSvid, TrustBundles, Usage, Validation, validate};
//! use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
//!
//! /// Who presents `chain` to us, the server, at `now`.
//! fn who(
//!     chain: &[CertificateDer<'_>],
//!     bundles: &TrustBundles,
//!     algorithms: &[&'static dyn SignatureVerificationAlgorithm],
//!     now: UnixTime,
//! ) -> Result<SpiffeId, RejectSvid> {
//!     let accepted = AcceptedDomains::Any;
//!     let rules = Validation::new(bundles, &accepted, algorithms, Usage::Client, now);
//!     validate(chain, &rules).map(|valid| valid.id().clone())
//! }
//! ```
//!
//! # Guarantees
//!
//! * An ID is only ever verified by the bundle of its own trust domain, unless a flat set is asked for by name.
//! * No panic, and bounded work, whatever the certificates.
//! * No clock, no socket, no environment: the time is an argument. Files are read only by functions
//!   with `file` in their name.
//!
//! Certificate revocation lists are looked at where they are given: [`TrustBundle::with_revocation_lists`],
//! [`ServerAuthorities::with_revocation_lists`].
//!
//! # Sources
//!
//! [X509-SVID](https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md), RFC 5280, RFC 7468;
//! [SPIFFE Trust Domain and Bundle](https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE_Trust_Domain_and_Bundle.md),
//! RFC 7517, RFC 7518 and RFC 8037 for bundle documents.

#![warn(clippy::arithmetic_side_effects)]

mod bundle;
mod bundle_document;
mod bundles;
mod certificate;
mod document_error;
mod document_read;
mod jwk;
mod keyed_chain;
mod leaf;
mod load;
mod pem;
mod reject;
mod reject_server;
mod revocation_lists;
mod server;
mod server_authorities;
mod server_names;
mod source;
mod svid;
mod validate;

pub use bundle::{BundleError, TrustBundle};
pub use bundle_document::{BundleDocument, MAX_DOCUMENT_BYTES, MAX_DOCUMENT_KEYS};
pub use bundles::TrustBundles;
pub use document_error::DocumentError;
pub use keyed_chain::{KeyedChain, KeyedChainError};
pub use leaf::identify;
pub use load::{KeyFileExposure, LoadError, key_file_exposure, read_file};
pub use pem::PemError;
pub use reject::{ChainPart, RejectSvid, SigningMark};
pub use reject_server::RejectServer;
pub use revocation_lists::RevocationListError;
pub use server::{
    MAX_SERVER_CERTIFICATES, MAX_SERVER_CHAIN_BYTES, ServerValidation, ValidServer, validate_server,
};
pub use server_authorities::ServerAuthorities;
pub use server_names::{NameCheck, PresentedNames};
pub use source::{SvidHandle, SvidSnapshot, SvidSource, SvidUnavailable};
pub use svid::{SvidError, X509Svid};
pub use validate::{MAX_CERTIFICATES, MAX_CHAIN_BYTES, Usage, ValidSvid, Validation, validate};
