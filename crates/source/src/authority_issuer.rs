//! An authority at hand: in this process, or in a directory that processes share.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use meshtls_ca::{IssueError, IssueRequest, IssuingAuthority, SerialSource, csr};
use meshtls_rustls::TlsProfile;
use rustls_pki_types::{CertificateSigningRequestDer, UnixTime};

use crate::watch::{DEFAULT_EVERY, SHORTEST_EVERY};
use crate::{
    Clock, Issued, Issuer, IssuerAtHand, IssuerError, IssuerFuture, SvidRequest, SystemClock,
};

/// Has an [`IssuingAuthority`] of this process answer. It gives every requester the identity that it asks for: who can
/// call it can be anybody, so it is for a workload and an authority of one owner.
///
/// A rotation of the authority's roots is noticed within a second, also if another process made it, and makes for an answer
/// before its time.
#[derive(Clone)]
pub struct AuthorityIssuer {
    desk: Arc<Desk>,
    every: Duration,
}

struct Desk {
    authority: Arc<dyn IssuingAuthority>,
    serials: Mutex<Box<dyn SerialSource + Send>>,
    profile: TlsProfile,
    clock: SystemClock,
}

impl AuthorityIssuer {
    /// Answers by `authority`, with serial numbers of `serials`. `profile` gives the time, and the algorithms that requests are
    /// checked with.
    #[must_use]
    pub fn new(
        authority: Arc<dyn IssuingAuthority>,
        serials: Box<dyn SerialSource + Send>,
        profile: TlsProfile,
    ) -> Self {
        let desk = Desk {
            authority,
            serials: Mutex::new(serials),
            clock: SystemClock::of(&profile),
            profile,
        };
        Self { desk: Arc::new(desk), every: DEFAULT_EVERY }
    }

    /// Looks for other roots every `every`. Default: one second; less than 10 ms counts as 10 ms.
    #[must_use]
    pub fn poll_every(self, every: Duration) -> Self {
        Self { every: every.max(SHORTEST_EVERY), ..self }
    }
}

impl Issuer for AuthorityIssuer {
    fn issue<'a>(
        &'a self,
        request: &'a SvidRequest,
    ) -> IssuerFuture<'a, Result<Issued, IssuerError>> {
        Box::pin(async move {
            let order = Order::of(request)?;
            let desk = Arc::clone(&self.desk);
            let (issued, generation) = tokio::task::spawn_blocking(move || desk.answer(&order))
                .await
                .map_err(|error| IssuerError::retryable("shutting_down", error))??;
            request.note(generation);
            Ok(issued)
        })
    }

    fn changed(&self, since: Option<u64>) -> IssuerFuture<'_, ()> {
        Box::pin(async move {
            loop {
                tokio::time::sleep(self.every).await;
                let desk = Arc::clone(&self.desk);
                if let Ok(true) = tokio::task::spawn_blocking(move || desk.has_changed(since)).await
                {
                    return;
                }
            }
        })
    }
}

impl IssuerAtHand for AuthorityIssuer {
    fn issue_now(&self, request: &SvidRequest) -> Result<Issued, IssuerError> {
        let (issued, generation) = self.desk.answer(&Order::of(request)?)?;
        request.note(generation);
        Ok(issued)
    }
}

/// What is needed of a request, for another thread.
struct Order {
    csr: CertificateSigningRequestDer<'static>,
    id: meshtls_identity::SpiffeId,
    ttl: Option<Duration>,
}

impl Order {
    fn of(request: &SvidRequest) -> Result<Self, IssuerError> {
        Ok(Self { csr: request.csr()?.clone(), id: request.id().clone(), ttl: request.ttl() })
    }
}

impl Desk {
    /// Answers, and gives the generation of the roots from which on there may be news.
    fn answer(&self, order: &Order) -> Result<(Issued, u64), IssuerError> {
        let now = self.now();
        let algorithms: Vec<_> = self
            .profile
            .provider()
            .signature_verification_algorithms
            .all
            .to_vec();
        let key = csr::check(&order.csr, &algorithms)
            .map_err(|reject| IssuerError::permanent(reject.reason(), reject))?;
        // Before the answer: roots that come in between are then noticed as a change.
        let generation = self.authority.roots(now).map_err(refused)?.generation;
        let request = IssueRequest::new(&key, &order.id).with_ttl(order.ttl.unwrap_or_default());
        let mut serials = self.serials.lock().unwrap_or_else(PoisonError::into_inner);
        let issued = self
            .authority
            .issue(&request, now, &mut **serials)
            .map_err(refused)?;
        Ok((Issued::new(issued.chain, issued.roots), generation))
    }

    /// Whether the roots are others than at `since`. An authority that cannot be asked has not changed.
    fn has_changed(&self, since: Option<u64>) -> bool {
        since.is_some_and(|since| {
            let roots = self.authority.roots(self.now());
            roots.is_ok_and(|roots| roots.generation != since)
        })
    }

    fn now(&self) -> UnixTime {
        self.clock.wall()
    }
}

fn refused(error: IssueError) -> IssuerError {
    let reason = error.reason();
    match error {
        IssueError::ForeignTrustDomain { .. }
        | IssueError::NoPath
        | IssueError::TtlTooLong { .. } => IssuerError::permanent(reason, error),
        _ => IssuerError::retryable(reason, error),
    }
}

impl fmt::Debug for AuthorityIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorityIssuer")
            .field("authority", &self.desk.authority)
            .finish_non_exhaustive()
    }
}
