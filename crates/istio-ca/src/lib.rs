//! Istio's certificate service: a client that issues X509-SVIDs, and a server in front of an authority.
//!
//! ```no_run
//! use meshtls_istio_ca::{CaTrust, IstioCaClient};
//! use meshtls_rustls::TlsProfile;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let trust = CaTrust::host("/var/run/secrets/istio/root-cert.pem", "istiod.istio-system.svc".try_into()?);
//! # #[cfg(feature = "ring")]
//! let issuer = IstioCaClient::new(IstioCaClient::ISTIOD, trust, TlsProfile::ring())
//!     .token_file("/var/run/secrets/tokens/istio-token");
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//!
//! * Nothing is asked of a CA, and no token is shown to it, before its certificate was verified.
//! * Whom a certificate names is decided by who asks. A request's own names do not count.
//! * There is no caller without TLS. A certificate that is rejected is not taken for none.
//! * A refusal tells the caller a code and a fixed text. The cause goes to the audit log: one event for each request that was read, also if
//!   the caller has gone. A certificate for a caller is on record before it leaves.
//! * A join token is used up, on the disk, before anything is issued by it.
//! * Messages, answers, tokens and connections are bounded, and so is the time of a request that was read. Tokens and keys are neither
//!   logged nor shown by `Debug`.
//!
//! # Known gaps of the server
//!
//! Keep it where only the fleet can reach it until they are closed.
//!
//! * Refusals under overload queue without a bound, and callers without a certificate can hold every connection for five minutes.
//! * A certificate that was revoked still authenticates, and renews itself, unless a `ServerCertificate::source` carries the lists.
//! * A delegate that may ask for the CA's own ID can pass as the CA.
//! * The certificate that the server has issued for itself is not in the audit log, and a policy's refusal that could not be recorded is
//!   answered as if it had been.
//!
//! # Sources
//!
//! Istio's `security/v1alpha1/ca.proto` (API), `security/pkg/server/ca/server.go`, `pkg/security/retry.go`; RFC 7515 to 7519 for JWT. What is
//! our choice is said where it is made.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
#[cfg(feature = "server")]
mod authenticator;
#[cfg(feature = "jwt")]
mod claims;
mod client;
#[cfg(feature = "server")]
mod join_record;
#[cfg(feature = "server")]
mod join_token;
#[cfg(feature = "jwt")]
mod jwt;
#[cfg(feature = "server")]
mod metadata;
#[cfg(feature = "server")]
mod own_certificate;
mod pem;
mod proto;
mod retry;
#[cfg(feature = "server")]
mod serials;
#[cfg(feature = "server")]
mod serve;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
mod service;
mod token;
mod transport;
mod trust;

pub use answer::{AnswerError, MAX_ANSWER_BYTES, MAX_ROOTS, read_answer};
#[cfg(feature = "server")]
pub use authenticator::{
    Authenticator, AuthenticatorFuture, Caller, ClientCertificate, NotAuthenticated, Shown,
};
pub use client::IstioCaClient;
#[cfg(feature = "server")]
pub use join_record::{JoinRecord, MalformedJoinRecord};
#[cfg(feature = "server")]
pub use join_token::{JoinToken, JoinTokenError, JoinTokens, UseTokenError, UsedToken};
#[cfg(feature = "jwt")]
pub use jwt::{ClaimsError, JwtAlgorithm, JwtCallers, JwtError};
#[cfg(feature = "server")]
pub use own_certificate::ServerCertificate;
#[cfg(feature = "server")]
pub use serve::ServeError;
#[cfg(feature = "server")]
pub use server::{IstioCaServer, Limits};
pub use trust::CaTrust;
