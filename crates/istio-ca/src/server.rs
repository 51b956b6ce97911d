//! The server: who may ask, for whom, and the way from a request to a certificate.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use meshtls_ca::csr::MAX_LEN;
use meshtls_ca::{
    AuditLog, AuthenticatedBy, IssuancePolicy, IssuedSvid, IssuingAuthority, PeerAnswer,
    RefusedRequest, RegistrationAuthority, Requester,
};
use meshtls_identity::SpiffeId;
use meshtls_rustls::{TlsProfile, WithCauses};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateSigningRequestDer, UnixTime};
use tokio::sync::Semaphore;
use tonic::Status;

use crate::authenticator::{Authenticator, Caller, NotAuthenticated, Shown};
use crate::metadata::NotAText;
use crate::serials::ProviderSerials;

/// A certificate service in front of an authority: Istio's API, so that Rust services, ztunnel or an istio-agent get their
/// certificates from it.
///
/// Whom a certificate names is decided by who asks, never by the request. Callers are known by the authenticators, which are
/// asked in the order in which they were added; without any, nobody is. What they may have is the policy's decision, delegates
/// included (`ImpersonatedIdentity` of ztunnel). Every request that was read is one event in the audit log, and what is not on record
/// is not handed out.
///
/// [`serve`](Self::serve) answers it on a listener, under TLS and in no other way.
pub struct IstioCaServer {
    pub(crate) core: Arc<Core>,
    pub(crate) limits: Limits,
}

/// What every request needs.
pub(crate) struct Core {
    pub(crate) authority: Arc<dyn IssuingAuthority>,
    registration: RegistrationAuthority,
    pub(crate) profile: TlsProfile,
    authenticators: Vec<Arc<dyn Authenticator>>,
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
    /// A server in front of `authority` that knows nobody yet. `policy` decides who may have what, `audit` is told of every
    /// request. The time is that of the clock of `profile`, whose provider verifies requests and draws serial numbers.
    #[must_use]
    pub fn new(
        authority: Arc<dyn IssuingAuthority>,
        policy: IssuancePolicy,
        audit: Arc<dyn AuditLog>,
        profile: TlsProfile,
    ) -> Self {
        let limits = Limits::default();
        let algorithms = profile.provider().signature_verification_algorithms.all;
        let registration =
            RegistrationAuthority::new(Arc::clone(&authority), policy, audit, algorithms);
        let core = Core {
            authority,
            registration,
            profile,
            authenticators: Vec::new(),
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
            .field("registration", &self.core.registration)
            .field("authenticators", &self.core.authenticators)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A request as it came from the wire.
pub(crate) struct Asked {
    pub(crate) shown: Shown,
    pub(crate) csr: String,
    pub(crate) ttl: Option<Duration>,
    /// On whose behalf; an error if that is no text.
    pub(crate) wanted: Result<Option<String>, NotAText>,
}

impl Core {
    pub(crate) fn now(&self) -> UnixTime {
        // Without a clock everything has expired.
        self.profile
            .time()
            .current_time()
            .unwrap_or_else(|| UnixTime::since_unix_epoch(Duration::MAX))
    }

    /// Answers one request, which the registration authority writes down whatever the answer.
    pub(crate) async fn answer(self: Arc<Self>, asked: Asked) -> Result<IssuedSvid, Told> {
        let known = self.authenticate(&asked.shown).await;
        // An authority may block, on a disk or a KMS; so may an audit log.
        let decided = tokio::task::spawn_blocking(move || self.decide(asked, known));
        decided.await.unwrap_or(Err(Told::NotIssued))
    }

    /// Writes down what was refused before it was looked at.
    pub(crate) fn refuse_overload(&self, shown: &Shown) -> Told {
        let refused = self.unauthenticated(shown, "not asked: too many requests at once");
        Told::unrecorded(&refused).unwrap_or(Told::TooMany)
    }

    async fn authenticate(
        &self,
        shown: &Shown,
    ) -> Result<(AuthenticatedBy, Caller), Vec<(&'static str, NotAuthenticated)>> {
        let mut tried = Vec::new();
        for authenticator in &self.authenticators {
            match authenticator.authenticate(shown).await {
                Ok(caller) => return Ok((authenticator.by(), caller)),
                Err(failure) => tried.push((authenticator.by().label(), failure)),
            }
        }
        Err(tried)
    }

    fn decide(
        &self,
        asked: Asked,
        known: Result<(AuthenticatedBy, Caller), Vec<(&'static str, NotAuthenticated)>>,
    ) -> Result<IssuedSvid, Told> {
        let Asked { shown, csr, ttl, wanted } = asked;
        let (by, caller) = match known {
            Ok(known) => known,
            Err(tried) => {
                let refused = self.unauthenticated(&shown, &failures(&tried));
                // Who could not be judged may come again.
                let later = tried
                    .iter()
                    .any(|(_, failure)| matches!(failure, NotAuthenticated::CannotTell { .. }));
                let told = if later { Told::NotIssued } else { Told::Unauthenticated };
                return Err(Told::unrecorded(&refused).unwrap_or(told));
            }
        };
        let wanted = match wanted {
            Ok(None) => None,
            Ok(Some(text)) if text.is_empty() => None,
            Ok(Some(text)) => match text.parse::<SpiffeId>() {
                Ok(wanted) => Some(wanted),
                Err(_) => return Err(self.no_id(&shown)),
            },
            Err(NotAText) => return Err(self.no_id(&shown)),
        };
        let mut requester = Requester::new(caller.id, by).with_address(&shown.address.to_string());
        if let Some(credential) = &caller.credential {
            requester = requester.with_name(credential);
        }
        if let Some(last) = caller.valid_until {
            requester = requester.valid_until(last);
        }
        // What is no request in PEM is refused as any other that cannot be read.
        let der = CertificateSigningRequestDer::from_pem_slice(csr.as_bytes())
            .map_or_else(|_text| Vec::new(), |der| der.to_vec());
        let mut serials = ProviderSerials(Arc::clone(self.profile.provider()));
        self.registration
            // The time of the request: what is waited for since is bounded by its deadline.
            .issue(&requester, wanted.as_ref(), &der, ttl, shown.now, &mut serials)
            .map_err(|refused| match refused.answer() {
                // Istio has one code for whoever may not have something and whoever is not known.
                PeerAnswer::Unauthenticated | PeerAnswer::Denied => Told::Unauthenticated,
                PeerAnswer::Invalid => Told::Invalid,
                _ => Told::NotIssued,
            })
    }

    /// The identity asked for is none.
    fn no_id(&self, shown: &Shown) -> Told {
        let refused = self.unauthenticated(shown, "the impersonated identity is no SPIFFE ID");
        Told::unrecorded(&refused).unwrap_or(Told::Unauthenticated)
    }

    fn unauthenticated(&self, shown: &Shown, detail: &str) -> RefusedRequest {
        let nobody = Requester::unidentified(AuthenticatedBy::Nobody)
            .with_address(&shown.address.to_string());
        self.registration
            .refuse_unauthenticated(&nobody, None, detail, shown.now)
    }
}

/// What each authenticator has said, in their order.
fn failures(tried: &[(&'static str, NotAuthenticated)]) -> String {
    let told: Vec<String> = tried
        .iter()
        .map(|(kind, failure)| match failure {
            NotAuthenticated::NotShown => format!("{kind}: not shown"),
            failure => format!("{kind}: {} ({})", failure.reason(), WithCauses(failure)),
        })
        .collect();
    if told.is_empty() { "there is no authenticator".to_owned() } else { told.join(", ") }
}

/// What a caller is told: a code and a fixed text, which say nothing of the cause.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Told {
    Unauthenticated,
    Invalid,
    TooMany,
    NotIssued,
}

impl Told {
    /// What cannot be written down is our own fault.
    fn unrecorded(refused: &RefusedRequest) -> Option<Self> {
        refused.unrecorded().map(|_| Self::NotIssued)
    }

    pub(crate) fn status(self) -> Status {
        match self {
            Self::Unauthenticated => Status::unauthenticated("the caller is not authenticated"),
            Self::Invalid => Status::invalid_argument("the request is not accepted"),
            Self::TooMany => Status::resource_exhausted("too many requests"),
            Self::NotIssued => Status::internal("no certificate can be issued now"),
        }
    }
}

/// The longest message that is read: a request of [`MAX_LEN`] bytes in PEM, and room for metadata.
pub(crate) const MAX_MESSAGE: usize = MAX_LEN * 2;
