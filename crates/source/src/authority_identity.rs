//! An identity issued by an authority at hand, and issued anew at half of its life.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use meshtls_ca::{Authority, KeyType, SerialSource};
use meshtls_identity::{MeshDomains, SpiffeId};
use meshtls_rustls::TlsProfile;
use meshtls_svid::{SvidHandle, TrustBundles, X509Svid};
use rustls_pki_types::UnixTime;
use tokio::time::Instant;

use crate::backoff::{Backoff, FIRST_WAIT};
use crate::check::Check;
use crate::{IdentityError, Random, Report, Reporter, Silent, SystemRandom, Watch, renew_after};

/// An identity that an [`Authority`] of this process issues, in use through a [`SvidHandle`].
///
/// Other processes may share the authority through a directory (`meshtls_ca::store`). Each X509-SVID has a new key.
/// It is replaced when half of the life it came with is over ([`renew_after`]). If that fails, the current one stays
/// in use and the authority is asked again after 0.5 s, then twice that, up to 150 s; each failure is reported.
pub struct AuthorityIdentity {
    issuing: Issuing,
    handle: Arc<SvidHandle>,
    /// When the current X509-SVID came, and its last valid second.
    arrived: UnixTime,
    not_after: UnixTime,
    random: Box<dyn Random>,
    reporter: Arc<dyn Reporter>,
}

/// The identity that is wanted of an authority.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Wanted {
    /// Who the workload is.
    pub id: SpiffeId,
    /// The kind of its keys. Default: P-256.
    pub key_type: KeyType,
    /// How long each X509-SVID lives. Default: what the authority gives, 24 hours.
    pub ttl: Option<Duration>,
}

impl Wanted {
    /// Wants `id`, all else at its default.
    #[must_use]
    pub fn new(id: SpiffeId) -> Self {
        Self { id, key_type: KeyType::default(), ttl: None }
    }

    /// Wants another kind of key.
    #[must_use]
    pub fn with_key_type(self, key_type: KeyType) -> Self {
        Self { key_type, ..self }
    }

    /// Wants another life, counted from each issuance.
    #[must_use]
    pub fn with_ttl(self, ttl: Duration) -> Self {
        Self { ttl: Some(ttl), ..self }
    }
}

impl AuthorityIdentity {
    /// Has the first X509-SVID issued, at the time of the clock of `profile`. The trust bundle is the authority's, for its domain and every alias of `domains`.
    ///
    /// # Errors
    ///
    /// * [`IdentityError::Issue`]: the authority refused.
    /// * [`IdentityError::Key`], [`IdentityError::Rejected`]: what it issued is of no use.
    pub fn issue(
        authority: Arc<Authority>,
        serials: Box<dyn SerialSource + Send>,
        wanted: Wanted,
        domains: MeshDomains,
        profile: TlsProfile,
    ) -> Result<Self, IdentityError> {
        let check = Check { domains, profile };
        let mut issuing = Issuing { authority, serials, wanted, check };
        let (svid, bundles) = issuing.issue()?;
        Ok(Self {
            arrived: issuing.check.now(),
            not_after: svid.not_after(),
            handle: Arc::new(SvidHandle::new(svid, bundles)),
            issuing,
            random: Box::new(SystemRandom),
            reporter: Arc::new(Silent),
        })
    }

    /// Takes the jitter from `random`. Default: [`SystemRandom`].
    #[must_use]
    pub fn random(self, random: Box<dyn Random>) -> Self {
        Self { random, ..self }
    }

    /// Tells `reporter` what happens while the identity is kept fresh. Default: nobody.
    #[must_use]
    pub fn reporter(self, reporter: Arc<dyn Reporter>) -> Self {
        Self { reporter, ..self }
    }

    /// The handle through which the current identity is read.
    #[must_use]
    pub fn handle(&self) -> Arc<SvidHandle> {
        Arc::clone(&self.handle)
    }

    /// Starts to keep the identity fresh, until the returned value is dropped.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with time enabled.
    pub fn watch(self) -> Watch {
        Watch::spawn(self.keep_fresh())
    }

    async fn keep_fresh(mut self) {
        let mut backoff = Backoff::default();
        let mut wait = renew_after(self.arrived, self.not_after, &mut *self.random);
        loop {
            rest(wait.max(FIRST_WAIT), &self.issuing.check).await;
            // A key of some kinds takes long to generate.
            let issued = tokio::task::spawn_blocking(move || {
                let issued = self.issuing.issue();
                (self, issued)
            });
            let Ok((back, issued)) = issued.await else { return };
            self = back;
            let now = self.issuing.check.now();
            match issued {
                Ok((svid, bundles)) => {
                    self.not_after = svid.not_after();
                    let generation = self.handle.replace(svid, bundles);
                    self.reporter
                        .report(&Report::IdentityReplaced { generation });
                    backoff.reset();
                    wait = renew_after(now, self.not_after, &mut *self.random);
                }
                Err(error) => {
                    self.reporter.report(&Report::IdentityKept(&error));
                    let left =
                        Duration::from_secs(self.not_after.as_secs().saturating_sub(now.as_secs()));
                    wait = backoff.next(left, &mut *self.random);
                }
            }
        }
    }
}

impl fmt::Debug for AuthorityIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorityIdentity")
            .field("wanted", &self.issuing.wanted)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

struct Issuing {
    authority: Arc<Authority>,
    serials: Box<dyn SerialSource + Send>,
    wanted: Wanted,
    check: Check,
}

impl Issuing {
    fn issue(&mut self) -> Result<(X509Svid, TrustBundles), IdentityError> {
        let Wanted { id, key_type, ttl } = self.wanted.clone();
        let svid = self
            .authority
            .issue_svid(&id, key_type, ttl, self.check.now(), &mut *self.serials)
            .map_err(IdentityError::Issue)?;
        let bundles = self.check.bundles(self.authority.trust_bundle());
        self.check.usable(&svid, &bundles)?;
        Ok((svid, bundles))
    }
}

/// Waits for `wait`, by the monotonic clock or by the wall clock, whichever comes first: after the machine slept, or
/// its clock was set, a renewal that is due is at most [`LONGEST_REST`] late.
async fn rest(wait: Duration, check: &Check) {
    let until = Instant::now() + wait;
    let due = check
        .now()
        .as_secs()
        .saturating_add(wait.as_secs())
        .saturating_add(1);
    while Instant::now() < until && check.now().as_secs() < due {
        tokio::time::sleep_until(until.min(Instant::now() + LONGEST_REST)).await;
    }
}

const LONGEST_REST: Duration = Duration::from_secs(60);
