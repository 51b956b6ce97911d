//! When a bundle endpoint is asked, and what becomes of its answer.

use std::sync::Arc;
use std::time::Duration;

use meshtls_identity::TrustDomain;
use meshtls_rustls::TlsProfile;
use meshtls_svid::{BundleDocument, TrustBundle};
use tokio::time::Instant;

use crate::bundle_endpoint::Target;
use crate::bundle_fetch;
use crate::federated::{FederatedBundles, FederatedSet};
use crate::federation::now;
use crate::renewal_clock::spread;
use crate::{
    BundleEndpoint, FederationError, FederationHealth, FetchError, Random, Report, Reporter,
    UnixTime, WhenEmpty,
};

/// How often an endpoint is asked whose document has no refresh hint: every five minutes (SPIFFE Federation, section 4.1).
pub const DEFAULT_REFRESH: Duration = Duration::from_secs(300);

/// How often an endpoint is asked at most, whatever its hint: every minute (our bound).
pub const SHORTEST_REFRESH: Duration = Duration::from_secs(60);

/// How seldom an endpoint is asked at least, whatever its hint: once a day (our bound), so that a revoked authority is
/// trusted no longer than that.
pub const LONGEST_REFRESH: Duration = Duration::from_secs(86_400);

/// Keeps the bundle of one endpoint fresh.
pub(crate) struct Refresh<F> {
    fetch: F,
    trust_domain: TrustDomain,
    url: String,
    when_empty: WhenEmpty,
    random: Box<dyn Random>,
    profile: TlsProfile,
    set: FederatedSet,
    known: FederatedBundles,
    health: FederationHealth,
    reporter: Arc<dyn Reporter>,
    /// Of the document taken last.
    sequence: Option<u64>,
    interval: Duration,
    failures: u32,
    /// What was reported last, until the endpoint is good again.
    reported: Option<&'static str>,
}

/// Where a document comes from.
pub(crate) trait Fetch: Send + Sync {
    fn fetch(
        &self,
        known: &[TrustBundle],
    ) -> impl Future<Output = Result<BundleDocument, FetchError>> + Send;
}

/// The endpoint, and what it is asked with.
impl Fetch for (Target, TlsProfile) {
    async fn fetch(&self, known: &[TrustBundle]) -> Result<BundleDocument, FetchError> {
        let (target, profile) = self;
        bundle_fetch::fetch(target, profile, known).await
    }
}

impl Refresh<(Target, TlsProfile)> {
    pub(crate) fn of(
        endpoint: BundleEndpoint,
        profile: &TlsProfile,
        set: FederatedSet,
        health: FederationHealth,
        reporter: Arc<dyn Reporter>,
    ) -> Self {
        Self {
            trust_domain: endpoint.trust_domain().clone(),
            url: endpoint.url().to_owned(),
            when_empty: endpoint.when_empty,
            random: endpoint.random,
            profile: profile.clone(),
            known: set.bundles(),
            set,
            health,
            reporter,
            sequence: None,
            interval: DEFAULT_REFRESH,
            failures: 0,
            reported: None,
            fetch: (endpoint.target, profile.clone()),
        }
    }
}

impl<F: Fetch> Refresh<F> {
    /// Asks at once, and then again and again, for ever.
    pub(crate) async fn run(mut self) {
        loop {
            let fetched = self.fetch.fetch(&self.known.current()).await;
            let wait = match fetched.and_then(|document| self.take(document)) {
                Ok(()) => self.refresh_after(),
                Err(source) => {
                    self.fail(source);
                    self.retry_after()
                }
            };
            let due = later(now(&self.profile), wait);
            self.health.next_refresh(&self.trust_domain, due);
            rest(wait, due, &self.profile).await;
        }
    }

    /// Puts a document into use, if it is not older than what is.
    fn take(&mut self, document: BundleDocument) -> Result<(), FetchError> {
        if let (Some(current), Some(fetched)) = (self.sequence, document.sequence())
            && fetched < current
        {
            return Err(FetchError::OlderSequence { current, fetched });
        }
        let (sequence, hint) = (document.sequence(), document.refresh_hint());
        let trust_domain = &self.trust_domain;
        let report = match (document.into_bundle(), self.when_empty) {
            (Ok(bundle), _) => self
                .set
                .put(bundle)
                .then_some(Report::FederatedBundleReplaced { trust_domain, sequence }),
            (Err(_empty), WhenEmpty::Keep) => return Err(FetchError::Empty),
            (Err(_empty), WhenEmpty::Distrust) => self
                .set
                .remove(trust_domain)
                .then_some(Report::FederatedBundleRevoked { trust_domain }),
        };
        self.health
            .succeeded(trust_domain, now(&self.profile), sequence);
        let after_problem = self.reported.take();
        match (report, after_problem) {
            (Some(report), _) => self.reporter.report(&report),
            (None, Some(_problem)) => {
                self.reporter
                    .report(&Report::FederatedBundleConfirmed { trust_domain });
            }
            (None, None) => {}
        }
        self.sequence = sequence;
        self.interval =
            hint.map_or(DEFAULT_REFRESH, |hint| hint.clamp(SHORTEST_REFRESH, LONGEST_REFRESH));
        self.failures = 0;
        Ok(())
    }

    fn fail(&mut self, source: FetchError) {
        let error = FederationError::Fetch {
            trust_domain: self.trust_domain.clone(),
            url: self.url.clone(),
            source: Box::new(source),
        };
        self.failures = self.failures.saturating_add(1);
        self.health.failed(&self.trust_domain, &error);
        let reason = error.reason();
        if self.reported.replace(reason) != Some(reason) {
            let trust_domain = &self.trust_domain;
            self.reporter
                .report(&Report::FederatedBundleKept { trust_domain, error: &error });
        }
    }

    /// As the document hints, give or take a twentieth, so that the consumers of an endpoint do not come all at once.
    fn refresh_after(&mut self) -> Duration {
        self.interval.mul_f64(1.0 + spread(&mut *self.random, 0.05))
    }

    /// Five seconds after the first failure in a row, then twice that and so on, up to the interval of refreshing or the
    /// default one, whichever is shorter; each give or take a fifth. The standard asks not to retry aggressively
    /// (SPIFFE Federation, section 6.2).
    fn retry_after(&mut self) -> Duration {
        let longest = self.interval.min(DEFAULT_REFRESH);
        let doublings = self.failures.saturating_sub(1);
        let wait = FIRST_RETRY
            .checked_mul(2_u32.saturating_pow(doublings))
            .map_or(longest, |wait| wait.min(longest));
        wait.mul_f64(1.0 + spread(&mut *self.random, 0.2))
    }
}

fn later(now: UnixTime, by: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()).saturating_add(by))
}

/// Waits for `wait`, by the monotonic clock or until `due` by the wall clock, whichever comes first: after the machine
/// slept, a refresh that is due is at most [`LONGEST_REST`] late.
async fn rest(wait: Duration, due: UnixTime, profile: &TlsProfile) {
    let until = Instant::now() + wait;
    // The wall clock is read in whole seconds, so it has to be past the second that is due.
    while Instant::now() < until && now(profile) <= due {
        tokio::time::sleep_until(until.min(Instant::now() + LONGEST_REST)).await;
    }
}

const FIRST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_REST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
