//! Istio's certificate service.

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
