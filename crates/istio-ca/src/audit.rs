//! What is written down of each request.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use meshtls_ca::csr::RejectCsr;
use meshtls_ca::{IssueError, IssuedSvid};
use meshtls_identity::{ParseIdError, SpiffeId};
use meshtls_rustls::{WithCauses, log_text};
use rustls_pki_types::UnixTime;

use crate::authenticator::NotAuthenticated;

/// Is told of every request that a server has read: exactly once, whatever became of it, and also if the caller has gone.
pub trait Audit: fmt::Debug + Send + Sync {
    /// Writes the event down. It may block.
    fn record(&self, event: &AuditEvent<'_>);
}

/// One request and its end.
#[derive(Debug)]
#[non_exhaustive]
pub struct AuditEvent<'a> {
    /// When it came.
    pub at: UnixTime,
    /// From where.
    pub address: SocketAddr,
    /// Who asked, if anybody knows.
    pub caller: Option<&'a SpiffeId>,
    /// The kind of the credential by which the caller is known ([`Authenticator::kind`](crate::Authenticator::kind)).
    pub credential_kind: Option<&'static str>,
    /// Which credential it was.
    pub credential: Option<&'a str>,
    /// For whom the certificate is: the caller, unless it asked on behalf of somebody.
    pub subject: Option<&'a SpiffeId>,
    /// How long it was to live; `None` asks for the default.
    pub ttl: Option<Duration>,
    /// What became of it.
    pub outcome: Result<&'a IssuedSvid, &'a Refusal>,
}

impl fmt::Display for AuditEvent<'_> {
    /// One line. Nothing in it was chosen by a caller who is not known, but for bounded and escaped text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.outcome {
            Ok(_) => write!(f, "issued at={} from={}", self.at.as_secs(), self.address)?,
            Err(refusal) => write!(
                f,
                "refused at={} from={} reason={}",
                self.at.as_secs(),
                self.address,
                refusal.reason()
            )?,
        }
        if let Some(caller) = self.caller {
            write!(f, " caller={caller}")?;
        }
        if let Some(kind) = self.credential_kind {
            write!(f, " by={kind}")?;
        }
        if let Some(credential) = self.credential {
            write!(f, " credential={}", log_text(credential))?;
        }
        if let Some(subject) = self.subject.filter(|subject| self.caller != Some(subject)) {
            write!(f, " subject={subject}")?;
        }
        if let Some(ttl) = self.ttl {
            write!(f, " ttl={}", ttl.as_secs())?;
        }
        if let Err(refusal) = self.outcome {
            write!(f, " why={}", log_text(&WithCauses(refusal).to_string()))?;
        }
        Ok(())
    }
}

/// Why a request got no certificate. The caller is told a code and a fixed text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Nobody knows the caller.
    #[error("the caller is not authenticated by {}", failures(.0))]
    NotAuthenticated(Vec<(&'static str, NotAuthenticated)>),
    /// The caller asks on behalf of somebody for whom it may not ask.
    #[error("the caller may not ask for {wanted}")]
    NotDelegated {
        /// For whom.
        wanted: SpiffeId,
    },
    /// The caller asks on behalf of something that is no SPIFFE ID.
    #[error("the identity asked for cannot be read")]
    WantedMalformed(#[source] Option<ParseIdError>),
    /// There is no certificate signing request in PEM.
    #[error("the request holds no certificate signing request in PEM")]
    NoCsr,
    /// The certificate signing request is rejected.
    #[error("the certificate signing request is rejected")]
    Csr(#[from] RejectCsr),
    /// The authority issues nothing.
    #[error("the authority does not issue")]
    Issue(#[from] IssueError),
    /// As many requests as the server takes are being answered.
    #[error("too many requests at once")]
    Overloaded,
    /// A panic in an authenticator or in the authority.
    #[error("the request could not be answered")]
    Failed,
}

impl Refusal {
    /// A short label for metrics. It stays the same over releases.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotAuthenticated(tried) => {
                let mut most = "no_authenticator";
                let mut rank = None;
                for (_, failure) in tried {
                    if rank < Some(failure.rank()) {
                        (most, rank) = (failure.reason(), Some(failure.rank()));
                    }
                }
                most
            }
            Self::NotDelegated { .. } => "not_delegated",
            Self::WantedMalformed(_) => "wanted_id_malformed",
            Self::NoCsr => "no_csr",
            Self::Csr(reject) => reject.reason(),
            Self::Issue(error) => error.reason(),
            Self::Overloaded => "overloaded",
            Self::Failed => "failed",
        }
    }
}

/// What each authenticator has said, in their order.
fn failures(tried: &[(&'static str, NotAuthenticated)]) -> String {
    let told: Vec<String> = tried
        .iter()
        .map(|(kind, failure)| match failure {
            NotAuthenticated::NotShown => format!("{kind} (not shown)"),
            failure => format!("{kind} ({})", WithCauses(failure)),
        })
        .collect();
    if told.is_empty() { "anybody: there is no authenticator".to_owned() } else { told.join(", ") }
}
