//! What is remembered of every request for an X509-SVID.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use meshtls_identity::SpiffeId;
use rustls_pki_types::UnixTime;

use crate::registration::Refusal;
use crate::requester::Requester;
use crate::{KeyAlgorithm, PublicKey};

/// Keeps audit events, each before its request is answered.
///
/// [`record`](Self::record) may block. It returns once the event is as durable as it should be.
pub trait AuditLog: fmt::Debug + Send + Sync {
    /// Keeps one event. It is called exactly once for each request, issued or refused.
    ///
    /// # Errors
    ///
    /// Whatever kept the event from being recorded. The certificate it is about is then not handed out. A log that
    /// knows the serial numbers of the past refuses one that it has seen.
    fn record(&self, event: &AuditEvent<'_>) -> Result<(), AuditError>;
}

/// An event could not be recorded. The cause is in [`source`](Error::source).
#[derive(Debug, thiserror::Error)]
#[error("the audit event was not recorded")]
pub struct AuditError(#[source] Box<dyn Error + Send + Sync>);

impl AuditError {
    /// Wraps the cause.
    #[must_use]
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// One request and what became of it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AuditEvent<'a> {
    /// When it was decided.
    pub time: UnixTime,
    /// Who asked.
    pub requester: &'a Requester,
    /// The identity asked for, if one was named.
    pub wanted: Option<&'a SpiffeId>,
    /// The life asked for, if one was named.
    pub ttl: Option<Duration>,
    /// What became of it.
    pub outcome: AuditOutcome<'a>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a request is granted or not")]
pub enum AuditOutcome<'a> {
    /// An X509-SVID is handed out, if this event is recorded.
    Issued(&'a IssuedFacts),
    /// Nothing was issued.
    Refused(&'a Refusal),
}

/// What was issued, as read from the certificate itself.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct IssuedFacts {
    /// Whom it names.
    pub id: SpiffeId,
    /// Its serial number: most significant byte first, without leading zeros.
    pub serial: Vec<u8>,
    /// Its last valid second.
    pub not_after: UnixTime,
    /// Its key.
    pub key: PublicKey,
}

/// On one line of printable ASCII, as `name=value` pairs; times in seconds since the Unix epoch.
impl fmt::Display for AuditEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "time={} {}", self.time.as_secs(), self.requester)?;
        if let Some(wanted) = self.wanted {
            write!(f, " wanted={wanted}")?;
        }
        if let Some(ttl) = self.ttl {
            write!(f, " ttl={}", ttl.as_secs())?;
        }
        match self.outcome {
            AuditOutcome::Issued(issued) => {
                write!(f, " issued={} serial=", issued.id)?;
                for byte in &issued.serial {
                    write!(f, "{byte:02x}")?;
                }
                let key = match issued.key.algorithm() {
                    KeyAlgorithm::P256 => "p256",
                    KeyAlgorithm::P384 => "p384",
                    KeyAlgorithm::Ed25519 => "ed25519",
                    KeyAlgorithm::Rsa => "rsa",
                };
                write!(f, " not_after={} key={key}", issued.not_after.as_secs())
            }
            AuditOutcome::Refused(refusal) => {
                write!(f, " refused={} detail=\"{refusal}", refusal.reason())?;
                let mut cause = refusal.source();
                while let Some(next) = cause {
                    write!(f, ": {}", crate::requester::printable(&next.to_string()))?;
                    cause = next.source();
                }
                f.write_str("\"")
            }
        }
    }
}
