//! Why a bundle endpoint gave no bundle.

use std::error::Error;
use std::io;
use std::time::Duration;

use meshtls_identity::TrustDomain;
use meshtls_rustls::{
    ConfigError, HandshakeError, OriginationConfigError, OriginationError, PeerRefusedUs,
};
use meshtls_svid::{BundleError, DocumentError};

/// Why a bundle endpoint gave no bundle that is put into use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No bundle of the domain of the endpoint's server is known, so nobody can verify it.
    #[error("the endpoint's server is of `{trust_domain}`, of which no bundle is known")]
    NoBundleForServer {
        /// The domain of the server.
        trust_domain: TrustDomain,
    },
    /// The provider does not fit the profile.
    #[error("no TLS client can be made")]
    SpiffeClient(#[source] ConfigError),
    /// The provider does not fit the profile.
    #[error("no TLS client can be made")]
    WebClient(#[source] OriginationConfigError),
    /// The host is unknown, or nobody answers there.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// The server is not who it should be, or broke the protocol (profile `https_spiffe`).
    #[error("the endpoint's server was not accepted")]
    SpiffeServer(#[source] HandshakeError),
    /// The server is not who it should be, or broke the protocol (profile `https_web`).
    #[error("the endpoint's server was not accepted")]
    WebServer(#[source] OriginationError),
    /// The server refused the connection after the handshake, such as for want of a client certificate, which a bundle
    /// endpoint must not ask for (SPIFFE Federation, section 5.2).
    #[error(transparent)]
    Refused(PeerRefusedUs),
    /// The exchange by HTTP/1.1 failed. That includes a head of more than 16 KiB or 64 fields (our bounds).
    #[error("the exchange by HTTP failed")]
    Http(#[source] Box<dyn Error + Send + Sync>),
    /// The server sends the client elsewhere, which is not followed.
    #[error("the endpoint redirects ({status}) to {}", location.as_deref().unwrap_or("nowhere"))]
    Redirect {
        /// The status, such as 302.
        status: u16,
        /// Where to, as the server says; escaped, at most 256 characters.
        location: Option<String>,
    },
    /// Any other status than 200.
    #[error("the endpoint answers with status {status}")]
    Status {
        /// The status.
        status: u16,
    },
    /// The body is larger than a bundle document may be.
    #[error("the body is larger than {max} bytes")]
    BodyTooLarge {
        /// How many bytes it may have.
        max: usize,
    },
    /// The fetch took too long.
    #[error("no answer within {after:?}")]
    Timeout {
        /// How long it might have taken.
        after: Duration,
    },
    /// The body is not a bundle document.
    #[error("the body is not a bundle document")]
    Document(#[from] DocumentError),
    /// An authority in the document is of another domain.
    #[error("the document is another domain's")]
    OtherDomain(#[source] BundleError),
    /// The document has no X509-SVID authority ([`WhenEmpty::Keep`](crate::WhenEmpty::Keep)).
    #[error("the document has no X509-SVID authority")]
    Empty,
    /// The document is older than what is in use (SPIFFE Federation, section 4.2).
    #[error("the document has sequence {fetched}, which is older than {current}")]
    OlderSequence {
        /// The number of what is in use.
        current: u64,
        /// The number of what was fetched.
        fetched: u64,
    },
}

impl FetchError {
    /// A short stable label, for metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoBundleForServer { .. } => "no_bundle_for_server",
            Self::SpiffeClient(_) | Self::WebClient(_) => "tls_client",
            Self::Connect(_) => "connect",
            Self::SpiffeServer(error) => error.reason(),
            Self::WebServer(error) => error.reason(),
            Self::Refused(_) => "alert_received",
            Self::Http(_) => "http",
            Self::Redirect { .. } => "redirect",
            Self::Status { .. } => "status",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::Timeout { .. } => "timeout",
            Self::Document(error) => error.reason(),
            Self::OtherDomain(error) => error.reason(),
            Self::Empty => "document_without_authority",
            Self::OlderSequence { .. } => "older_sequence",
        }
    }
}
