//! The server: who may ask, for whom, and the way from a request to a certificate.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use meshtls_ca::csr::{self, MAX_LEN};
use meshtls_ca::{IssueError, IssueRequest, IssuedSvid, IssuingAuthority};
use meshtls_identity::{IdMatcher, ServiceAccountId, SpiffeId};
use meshtls_rustls::TlsProfile;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateSigningRequestDer, UnixTime};
use tokio::sync::Semaphore;

use crate::audit::{Audit, AuditEvent, Refusal};
use crate::authenticator::{Authenticator, Caller, NotAuthenticated, Shown};
use crate::metadata::NotAText;
use crate::serials::ProviderSerials;

/// A certificate service in front of an authority: Istio's API, so that Rust services, ztunnel or an istio-agent get their
/// certificates from it.
///
/// Whom a certificate names is decided by who asks, never by the request. Callers are known by the authenticators, which are
/// asked in the order in which they were added; without any, nobody is. Every request is written down once.
///
/// [`serve`](Self::serve) answers it on a listener, under TLS and in no other way.
pub struct IstioCaServer {
    pub(crate) core: Arc<Core>,
    pub(crate) limits: Limits,
}

/// What every request needs.
pub(crate) struct Core {
    pub(crate) authority: Arc<dyn IssuingAuthority>,
    pub(crate) profile: TlsProfile,
    audit: Arc<dyn Audit>,
    authenticators: Vec<Arc<dyn Authenticator>>,
    delegates: Vec<(SpiffeId, IdMatcher)>,
    pub(crate) requests: Arc<Semaphore>,
}

/// How much a server takes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections at once; more wait to be accepted. Default: 512.
    pub connections: usize,
    /// Requests at once, over all connections; more are refused with ResourceExhausted. Default: 64.
    pub requests: usize,
    /// How long a handshake may take. Default: 10 s.
    pub handshake: Duration,
    /// How long a caller waits for its answer. Default: 10 s. What was begun is ended and written down all the same.
    pub request: Duration,
    /// How long a connection lives, after which its requests are still answered. Default: 5 minutes.
    pub connection_age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            requests: 64,
            handshake: Duration::from_secs(10),
            request: Duration::from_secs(10),
            connection_age: Duration::from_secs(300),
        }
    }
}

impl IstioCaServer {
    /// A server in front of `authority` that knows nobody yet. It tells `audit` of every request; the time is that of the clock of
    /// `profile`, whose provider verifies requests and draws serial numbers.
    #[must_use]
    pub fn new(
        authority: Arc<dyn IssuingAuthority>,
        profile: TlsProfile,
        audit: Arc<dyn Audit>,
    ) -> Self {
        let limits = Limits::default();
        let core = Core {
            authority,
            profile,
            audit,
            authenticators: Vec::new(),
            delegates: Vec::new(),
            requests: Arc::new(Semaphore::new(limits.requests)),
        };
        Self { core: Arc::new(core), limits }
    }

    /// Asks `authenticator` as well, after those that were added before.
    #[must_use]
    pub fn authenticator(mut self, authenticator: Arc<dyn Authenticator>) -> Self {
        self.change(|core| core.authenticators.push(authenticator));
        self
    }

    /// Lets the node agent `account` ask on behalf of those of `workloads` (`ImpersonatedIdentity` of ztunnel). Which of them run on
    /// its node is not known here: Istio narrows it to those, so name no more than a node may ever hold.
    #[must_use]
    pub fn delegate(mut self, account: SpiffeId, workloads: IdMatcher) -> Self {
        self.change(|core| core.delegates.push((account, workloads)));
        self
    }

    /// Takes on more, or less.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self.change(|core| core.requests = Arc::new(Semaphore::new(limits.requests)));
        self
    }

    /// Nobody else has the core before the server is in use.
    fn change(&mut self, change: impl FnOnce(&mut Core)) {
        if let Some(core) = Arc::get_mut(&mut self.core) {
            change(core);
        }
    }
}

impl fmt::Debug for IstioCaServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IstioCaServer")
            .field("authority", &self.core.authority)
            .field("authenticators", &self.core.authenticators)
            .field("delegates", &self.core.delegates)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A request as it came from the wire.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) shown: Shown,
    pub(crate) csr: String,
    pub(crate) ttl: Option<Duration>,
    /// On whose behalf; an error if that is no text.
    pub(crate) wanted: Result<Option<String>, NotAText>,
}

impl Core {
    pub(crate) fn now(&self) -> UnixTime {
        self.profile
            .time()
            .current_time()
            .unwrap_or_else(|| UnixTime::since_unix_epoch(Duration::MAX))
    }

    /// Answers one request, and writes it down.
    pub(crate) async fn answer(self: Arc<Self>, asked: Asked) -> Result<IssuedSvid, Refusal> {
        let mut known = None;
        let mut subject = None;
        let outcome = self.decide(&asked, &mut known, &mut subject).await;
        let recorded = (Arc::clone(&self), asked);
        // An audit may block.
        let written = tokio::task::spawn_blocking(move || {
            let (core, asked) = recorded;
            let (kind, caller): (Option<&'static str>, Option<&Caller>) = known
                .as_ref()
                .map_or((None, None), |(kind, caller)| (Some(*kind), Some(caller)));
            core.audit.record(&AuditEvent {
                at: asked.shown.now,
                address: asked.shown.address,
                caller: caller.map(|caller| &caller.id),
                credential_kind: kind,
                credential: caller.and_then(|caller| caller.credential.as_deref()),
                subject: subject.as_ref(),
                ttl: asked.ttl,
                outcome: outcome.as_ref(),
            });
            outcome
        });
        // What could not be written down is not given out.
        written.await.unwrap_or(Err(Refusal::Failed))
    }

    /// Writes down what was refused before it was looked at.
    pub(crate) fn refuse_overload(&self, shown: &Shown, ttl: Option<Duration>) -> Refusal {
        self.audit.record(&AuditEvent {
            at: shown.now,
            address: shown.address,
            caller: None,
            credential_kind: None,
            credential: None,
            subject: None,
            ttl,
            outcome: Err(&Refusal::Overloaded),
        });
        Refusal::Overloaded
    }

    async fn decide(
        self: &Arc<Self>,
        asked: &Asked,
        known: &mut Option<(&'static str, Caller)>,
        subject: &mut Option<SpiffeId>,
    ) -> Result<IssuedSvid, Refusal> {
        let (_, caller) = known.insert(self.authenticate(&asked.shown).await?);
        let id = subject.insert(self.subject(caller, &asked.wanted)?).clone();
        let (core, csr, ttl, now) =
            (Arc::clone(self), asked.csr.clone(), asked.ttl, asked.shown.now);
        // An authority may block, on a disk or a KMS.
        let issued = tokio::task::spawn_blocking(move || core.issue(&csr, &id, ttl, now));
        issued.await.unwrap_or(Err(Refusal::Failed))
    }

    async fn authenticate(&self, shown: &Shown) -> Result<(&'static str, Caller), Refusal> {
        let mut tried: Vec<(&'static str, NotAuthenticated)> = Vec::new();
        for authenticator in &self.authenticators {
            match authenticator.authenticate(shown).await {
                Ok(caller) => return Ok((authenticator.kind(), caller)),
                Err(failure) => tried.push((authenticator.kind(), failure)),
            }
        }
        Err(Refusal::NotAuthenticated(tried))
    }

    /// For whom the certificate is.
    fn subject(
        &self,
        caller: &Caller,
        wanted: &Result<Option<String>, NotAText>,
    ) -> Result<SpiffeId, Refusal> {
        let wanted = match wanted {
            Ok(None) => return Ok(caller.id.clone()),
            Ok(Some(text)) if text.is_empty() => return Ok(caller.id.clone()),
            Ok(Some(text)) => text,
            Err(NotAText) => return Err(Refusal::WantedMalformed(None)),
        };
        let wanted: SpiffeId = wanted
            .parse()
            .map_err(|error| Refusal::WantedMalformed(Some(error)))?;
        let may = |(account, workloads): &(SpiffeId, IdMatcher)| {
            *account == caller.id && workloads.matches(&wanted)
        };
        let workload = wanted.is_member_of(self.authority.trust_domain())
            && ServiceAccountId::try_from(&wanted).is_ok();
        if workload && self.delegates.iter().any(may) {
            Ok(wanted)
        } else {
            Err(Refusal::NotDelegated { wanted })
        }
    }

    /// Checks the request's own part, and issues.
    fn issue(
        &self,
        csr: &str,
        id: &SpiffeId,
        ttl: Option<Duration>,
        now: UnixTime,
    ) -> Result<IssuedSvid, Refusal> {
        let der = CertificateSigningRequestDer::from_pem_slice(csr.as_bytes())
            .map_err(|_text| Refusal::NoCsr)?;
        let provider = self.profile.provider();
        let key = csr::check(&der, provider.signature_verification_algorithms.all)?;
        let mut request = IssueRequest::new(&key, id);
        if let Some(ttl) = ttl {
            request = request.with_ttl(ttl);
        }
        let mut serials = ProviderSerials(Arc::clone(provider));
        Ok(self.authority.issue(&request, now, &mut serials)?)
    }
}

impl Refusal {
    /// What the caller is told: a code and a text that says nothing of the cause.
    pub(crate) fn told(&self) -> (tonic::Code, &'static str) {
        use tonic::Code;
        match self {
            Self::NotAuthenticated(tried)
                if tried
                    .iter()
                    .any(|(_, failure)| matches!(failure, NotAuthenticated::CannotTell { .. })) =>
            {
                (Code::Internal, NOT_ISSUED)
            }
            Self::NotAuthenticated(_) | Self::NotDelegated { .. } | Self::WantedMalformed(_) => {
                (Code::Unauthenticated, "the caller is not authenticated")
            }
            Self::NoCsr | Self::Csr(_) => (Code::InvalidArgument, "the CSR is not accepted"),
            Self::Issue(IssueError::TtlTooLong { .. }) => {
                (Code::InvalidArgument, "the requested validity is too long")
            }
            Self::Overloaded => (Code::ResourceExhausted, "too many requests"),
            Self::Issue(_) | Self::Failed => (Code::Internal, NOT_ISSUED),
        }
    }
}

const NOT_ISSUED: &str = "no certificate can be issued now";

/// The longest message that is read: a request of [`MAX_LEN`] bytes in PEM, and room for metadata.
pub(crate) const MAX_MESSAGE: usize = MAX_LEN * 2;
