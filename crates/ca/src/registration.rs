//! A registration authority: decides each request by policy, has it recorded, and only then hands anything out.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use meshtls_identity::{SpiffeId, TrustDomain};
use rustls_pki_types::{SignatureVerificationAlgorithm, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::audit::{AuditError, AuditEvent, AuditLog, AuditOutcome, IssuedFacts};
use crate::csr::{self, RejectCsr};
use crate::issuance_policy::IssuancePolicy;
use crate::requester::{Requester, printable};
use crate::{
    AuthorityRoots, IssueError, IssueRequest, IssuedSvid, IssuingAuthority, KeyAlgorithm,
    PublicKey, SerialSource,
};

/// Stands before an authority: who may have which identity is decided here, and every answer is on record first.
#[derive(Debug)]
pub struct RegistrationAuthority {
    authority: Arc<dyn IssuingAuthority>,
    policy: IssuancePolicy,
    audit: Arc<dyn AuditLog>,
    algorithms: Algorithms,
}

impl RegistrationAuthority {
    /// Puts `policy` before `authority`. Requests are checked with `algorithms`, those of the crypto provider.
    #[must_use]
    pub fn new(
        authority: Arc<dyn IssuingAuthority>,
        policy: IssuancePolicy,
        audit: Arc<dyn AuditLog>,
        algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
    ) -> Self {
        Self { authority, policy, audit, algorithms: Algorithms(algorithms) }
    }

    /// The domain whose identities are issued.
    #[must_use]
    pub fn trust_domain(&self) -> &TrustDomain {
        self.authority.trust_domain()
    }

    /// The roots that are to be trusted now.
    ///
    /// # Errors
    ///
    /// [`IssueError::Unavailable`] where the authority cannot be reached.
    pub fn roots(&self, now: UnixTime) -> Result<AuthorityRoots, IssueError> {
        self.authority.roots(now)
    }

    /// Issues an X509-SVID to a requester that somebody else has authenticated.
    ///
    /// `wanted` is the identity asked for, by default the requester's only one. Of the request `csr_der` only the public key
    /// counts, whatever else it asks for. A request that comes again is decided again: whoever replays it gets a
    /// certificate for a key that they do not have, so the same key may come back as often as it likes. No `ttl`, or
    /// zero, asks for the policy's default. What is issued never outlives the signing certificate.
    ///
    /// Exactly one [`AuditEvent`] is recorded, whatever the answer. It may block, as its authority and log may.
    ///
    /// # Errors
    ///
    /// [`RefusedRequest`], which says to a peer no more than it may know; [`Refusal`] lists the causes.
    pub fn issue(
        &self,
        requester: &Requester,
        wanted: Option<&SpiffeId>,
        csr_der: &[u8],
        ttl: Option<Duration>,
        now: UnixTime,
        serials: &mut dyn SerialSource,
    ) -> Result<IssuedSvid, RefusedRequest> {
        let decided = self.decide(requester, wanted, csr_der, ttl, now, serials);
        let outcome = match &decided {
            Ok((_, facts)) => AuditOutcome::Issued(facts),
            Err(refusal) => AuditOutcome::Refused(refusal),
        };
        let event = AuditEvent { time: now, requester, wanted, ttl, outcome };
        let recorded = self.audit.record(&event);
        match (decided, recorded) {
            (Ok((issued, _)), Ok(())) => Ok(issued),
            (Ok(_), Err(failure)) => Err(RefusedRequest::new(Refusal::NotRecorded(failure))),
            (Err(refusal), recorded) => Err(RefusedRequest { refusal, unrecorded: recorded.err() }),
        }
    }

    /// Refuses a requester that could not be authenticated, and has that recorded as any other refusal.
    ///
    /// `detail` is for the audit log alone; it is escaped and cut off after [`Requester::MAX_TEXT`] bytes.
    #[must_use]
    pub fn refuse_unauthenticated(
        &self,
        requester: &Requester,
        wanted: Option<&SpiffeId>,
        detail: &str,
        now: UnixTime,
    ) -> RefusedRequest {
        let refusal = Refusal::Unauthenticated { detail: printable(detail) };
        let outcome = AuditOutcome::Refused(&refusal);
        let event = AuditEvent { time: now, requester, wanted, ttl: None, outcome };
        let unrecorded = self.audit.record(&event).err();
        RefusedRequest { refusal, unrecorded }
    }

    fn decide(
        &self,
        requester: &Requester,
        wanted: Option<&SpiffeId>,
        csr_der: &[u8],
        ttl: Option<Duration>,
        now: UnixTime,
        serials: &mut dyn SerialSource,
    ) -> Result<(IssuedSvid, IssuedFacts), Refusal> {
        let id = self.policy.identity(requester, wanted, now)?;
        let own = self.authority.trust_domain();
        if !id.is_member_of(own) {
            return Err(Refusal::ForeignTrustDomain { wanted: id, own: own.clone() });
        }
        let life = self.policy.life(ttl)?;
        let key = csr::check(csr_der, self.algorithms.0).map_err(Refusal::Csr)?;
        self.policy.check_key(&key)?;
        let request = IssueRequest::new(&key, &id).with_ttl(life);
        let issued = self
            .authority
            .issue(&request, now, serials)
            .map_err(Refusal::Issue)?;
        let facts = facts(&issued, id, key).ok_or(Refusal::WrongAnswer)?;
        Ok((issued, facts))
    }
}

/// What is on the certificate. `None`: it cannot be read, or is not what was asked for.
fn facts(issued: &IssuedSvid, id: SpiffeId, key: PublicKey) -> Option<IssuedFacts> {
    let leaf = issued.chain.first()?;
    if meshtls_svid::identify(leaf).ok()? != id {
        return None;
    }
    let (_, parsed) = X509Certificate::from_der(leaf).ok()?;
    if parsed.public_key().raw != key.spki().as_ref() {
        return None;
    }
    let serial = parsed
        .raw_serial()
        .iter()
        .copied()
        .skip_while(|&byte| byte == 0)
        .collect();
    let seconds = u64::try_from(parsed.validity().not_after.timestamp()).ok()?;
    let not_after = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    Some(IssuedFacts { id, serial, not_after, key })
}

struct Algorithms(&'static [&'static dyn SignatureVerificationAlgorithm]);

impl fmt::Debug for Algorithms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} algorithms", self.0.len())
    }
}

/// A request that got nothing. What this value shows by itself is fit for the peer: `Display` is the
/// text of its [`answer`](Self::answer), and it has no source.
#[derive(Debug)]
pub struct RefusedRequest {
    refusal: Refusal,
    unrecorded: Option<AuditError>,
}

impl RefusedRequest {
    fn new(refusal: Refusal) -> Self {
        Self { refusal, unrecorded: None }
    }

    /// What the peer may be told.
    #[must_use]
    pub fn answer(&self) -> PeerAnswer {
        self.refusal.answer()
    }

    /// The cause in full: for the operator, not for the peer.
    #[must_use]
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// Why the refusal itself is not on record, if it is not.
    #[must_use]
    pub fn unrecorded(&self) -> Option<&AuditError> {
        self.unrecorded.as_ref()
    }
}

impl fmt::Display for RefusedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.answer().fmt(f)
    }
}

impl std::error::Error for RefusedRequest {}

/// What a peer is told about its refused request: what it can do about it, and nothing about the policy.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum PeerAnswer {
    /// It must authenticate, or do so again.
    Unauthenticated,
    /// It may not have what it asked for.
    Denied,
    /// What it sent is no request that could be granted to anybody.
    Invalid,
    /// The fault is on our side: it may try again.
    Unavailable,
}

impl fmt::Display for PeerAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unauthenticated => "not authenticated",
            Self::Denied => "request denied",
            Self::Invalid => "invalid request",
            Self::Unavailable => "the authority is not available",
        })
    }
}

/// Why a request got nothing, in full.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Nobody knows who asks.
    #[error("the requester was not authenticated: {detail}")]
    Unauthenticated {
        /// What was wrong, escaped and bounded.
        detail: String,
    },
    /// The requester's credential ended between its authentication and now.
    #[error("the requester's credential ended at {}, now is {}", valid_until.as_secs(), now.as_secs())]
    RequesterExpired {
        /// Its last good second.
        valid_until: UnixTime,
        /// The time of the decision.
        now: UnixTime,
    },
    /// The requester has no identity.
    #[error("the requester has no identity")]
    NoIdentity,
    /// The requester has several identities and named none.
    #[error("the requester has {identities} identities and named none")]
    Ambiguous {
        /// How many.
        identities: usize,
    },
    /// The identity is another's, and the requester is not its delegate.
    #[error("{wanted} is neither the requester's own nor one it may ask for")]
    NotYours {
        /// The identity asked for.
        wanted: SpiffeId,
    },
    /// The identity is of another trust domain than the authority.
    #[error("{wanted} is not of the trust domain {own}")]
    ForeignTrustDomain {
        /// The identity asked for.
        wanted: SpiffeId,
        /// The authority's domain.
        own: TrustDomain,
    },
    /// A shorter life than the policy gives.
    #[error("a life of {} s was asked for, at least {} s are given", ttl.as_secs(), min.as_secs())]
    TtlTooShort {
        /// The life asked for.
        ttl: Duration,
        /// The shortest.
        min: Duration,
    },
    /// A longer life than the policy gives. It is not shortened, as in Istio.
    #[error("a life of {} s was asked for, at most {} s are given", ttl.as_secs(), max.as_secs())]
    TtlTooLong {
        /// The life asked for.
        ttl: Duration,
        /// The longest.
        max: Duration,
    },
    /// The certificate signing request is none, or proves no possession of its key.
    #[error("the certificate signing request is refused")]
    Csr(#[source] RejectCsr),
    /// The policy issues for no such keys.
    #[error("{algorithm:?} keys are not allowed")]
    KeyAlgorithm {
        /// The kind of the key.
        algorithm: KeyAlgorithm,
    },
    /// The policy wants longer RSA keys.
    #[error("an RSA key of {bits} bits, at least {min} are wanted")]
    RsaTooShort {
        /// Its length.
        bits: usize,
        /// The least length.
        min: usize,
    },
    /// The authority did not issue.
    #[error("the authority did not issue")]
    Issue(#[source] IssueError),
    /// The authority issued something else than it was asked for.
    #[error("the authority issued another certificate than it was asked for")]
    WrongAnswer,
    /// The audit event was not recorded, so the certificate was not handed out.
    #[error("the certificate was not handed out")]
    NotRecorded(#[source] AuditError),
}

impl Refusal {
    /// A short label for metrics. It stays the same over releases.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unauthenticated { .. } => "unauthenticated",
            Self::RequesterExpired { .. } => "requester_expired",
            Self::NoIdentity => "no_identity",
            Self::Ambiguous { .. } => "ambiguous_identity",
            Self::NotYours { .. } => "foreign_identity",
            Self::ForeignTrustDomain { .. } => "foreign_trust_domain",
            Self::TtlTooShort { .. } => "ttl_too_short",
            Self::TtlTooLong { .. } => "ttl_too_long",
            Self::Csr(reject) => reject.reason(),
            Self::KeyAlgorithm { .. } => "key_algorithm",
            Self::RsaTooShort { .. } => "key_size",
            Self::Issue(error) => error.reason(),
            Self::WrongAnswer => "wrong_answer",
            Self::NotRecorded(_) => "not_recorded",
        }
    }

    fn answer(&self) -> PeerAnswer {
        match self {
            Self::Unauthenticated { .. } | Self::RequesterExpired { .. } => {
                PeerAnswer::Unauthenticated
            }
            Self::NoIdentity | Self::NotYours { .. } | Self::ForeignTrustDomain { .. } => {
                PeerAnswer::Denied
            }
            Self::Ambiguous { .. }
            | Self::TtlTooShort { .. }
            | Self::TtlTooLong { .. }
            | Self::Csr(_)
            | Self::KeyAlgorithm { .. }
            | Self::RsaTooShort { .. } => PeerAnswer::Invalid,
            Self::Issue(_) | Self::WrongAnswer | Self::NotRecorded(_) => PeerAnswer::Unavailable,
        }
    }
}
