//! Why a connection was not accepted.

use std::{fmt, io};

use meshtls_rustls::{ConfigError, HandshakeError};
use meshtls_svid::SvidUnavailable;

use crate::{authorization::Unauthorized, opening::OpeningRefusal};

/// Why a connection was not accepted. The peer sees no more of it than a reset, an end of the stream or a TLS alert.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Its first bytes, or their absence. The client sees a reset; only after a handshake, which
    /// [`OpeningRefusal::IngressTls`] may follow, `close_notify` and the end of the stream.
    #[error(transparent)]
    Opening(#[from] OpeningRefusal),
    /// The transport failed where no handshake was under way.
    #[error("the connection was lost {stage}")]
    Lost {
        /// How far it had come.
        stage: Stage,
        /// What the transport said.
        source: io::Error,
    },
    /// There is no X509-SVID to answer with. The client sees a reset.
    #[error("there is no X509-SVID to present")]
    NoIdentity(#[source] SvidUnavailable),
    /// There is an X509-SVID, but no TLS configuration can be made of it. The client sees a reset.
    #[error("the X509-SVID cannot be used for TLS")]
    UnusableIdentity(#[source] ConfigError),
    /// The handshake failed. The client sees the alert, then the end of the stream. So does a client whose trust domain
    /// ceased to be accepted during the handshake; its alert is `close_notify`.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The authorization policies do not let it in. The client sees the end of the stream, over mutual TLS after
    /// `close_notify`, and no byte before it; if it goes on sending for too long, a reset.
    #[error(transparent)]
    Unauthorized(#[from] Unauthorized),
    /// The handshake was not finished at its deadline. The client sees a reset.
    #[error("the handshake was not finished within its deadline")]
    HandshakeTimeout,
    /// There were too many connections, and this one was the oldest of those that had not come far enough, or it got no
    /// turn for its handshake. The client sees a reset.
    #[error("it was given up in favour of other connections")]
    Overloaded,
    /// The listener's shutdown deadline came first. The client sees a reset.
    #[error("the listener shut down first")]
    ShuttingDown,
    /// The future that accepted it was dropped. Only an observer ever sees this.
    #[error("accepting it was cancelled")]
    Cancelled,
}

impl Refusal {
    /// A short label that stays the same between releases; a failed handshake gives [`HandshakeError::reason`],
    /// and what policies do not let in gives [`AuthorizationReason::as_str`](meshtls_policy::AuthorizationReason::as_str).
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Opening(refusal) => refusal.reason(),
            Self::Lost { .. } => "connection_lost",
            Self::NoIdentity(_) => "no_identity",
            Self::UnusableIdentity(_) => "unusable_identity",
            Self::Handshake(error) => error.reason(),
            Self::Unauthorized(unauthorized) => unauthorized.ruling.reason().as_str(),
            Self::HandshakeTimeout => "handshake_timeout",
            Self::Overloaded => "overloaded",
            Self::ShuttingDown => "shutting_down",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Where a connection was lost.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Stage {
    /// While its first bytes were awaited.
    Detection,
    /// After the handshake, while the first bytes of HTTP were awaited.
    FirstRequest,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Detection => "before its first bytes said what it is",
            Self::FirstRequest => "after the handshake, before its first request",
        })
    }
}
