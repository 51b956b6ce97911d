//! How an identity fares: what is in use, how long it lives, and why there is nothing newer.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use meshtls_identity::SpiffeId;
use meshtls_rustls::WithCauses;
use rustls_pki_types::UnixTime;

use crate::{Clock, IdentityError, LiveSvid};

/// How an identity fares, readable at any time. Clones show the same identity.
#[derive(Clone)]
pub struct IdentityHealth {
    live: Arc<LiveSvid>,
    clock: Arc<dyn Clock>,
    account: Arc<Mutex<Account>>,
}

/// What the renewal tells of itself.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// When the newest X509-SVID came.
    pub(crate) arrived: Option<UnixTime>,
    /// When the next attempt is due, by the monotonic clock. `None`: when the issuer says so.
    pub(crate) due: Option<Duration>,
    /// Failures since the last success.
    pub(crate) failures: u32,
    pub(crate) last_error: Option<Arc<IdentityError>>,
}

impl IdentityHealth {
    pub(crate) fn new(live: Arc<LiveSvid>, clock: Arc<dyn Clock>) -> Self {
        Self { live, clock, account: Arc::default() }
    }

    /// How it fares now.
    #[must_use]
    pub fn status(&self) -> IdentityStatus {
        let now = self.clock.wall();
        let account = self.account();
        let svid = self
            .live
            .newest()
            .map(|snapshot| Arc::clone(snapshot.svid()));
        let not_after = svid.as_ref().map(|svid| svid.not_after());
        // The last second still counts.
        let expires_in = not_after.map(|end| seconds(now, end).saturating_add(1));
        let expires_in = expires_in
            .filter(|_| not_after.is_some_and(|end| now <= end))
            .map(Duration::from_secs);
        let life = not_after
            .zip(account.arrived)
            .map(|(end, arrived)| seconds(arrived, end));
        let ready = expires_in
            .zip(life)
            .is_some_and(|(left, life)| left > margin(life));
        let state = match (not_after, expires_in) {
            (None, _) => IdentityState::NotYet,
            (Some(_), None) => IdentityState::Expired,
            (Some(_), Some(_)) if account.failures > 0 || !ready => IdentityState::Degraded,
            (Some(_), Some(_)) => IdentityState::Fresh,
        };
        IdentityStatus {
            state,
            ready,
            id: svid.map(|svid| svid.id().clone()),
            not_after,
            expires_in,
            next_renewal: account
                .due
                .map(|due| due.saturating_sub(self.clock.monotonic())),
            failures: account.failures,
            last_error: account.last_error.clone(),
        }
    }

    /// [`IdentityStatus::ready`], now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.status().ready
    }

    pub(crate) fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for IdentityHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IdentityHealth")
            .field(&self.status())
            .finish()
    }
}

/// How an identity fares at one moment. `Display` gives a line for an operator.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IdentityStatus {
    /// All of the below in one word.
    pub state: IdentityState,
    /// Whether new work should be sent here. It turns false *before* the end: when a tenth of the life that the X509-SVID
    /// came with is left, or five minutes, whichever is less.
    pub ready: bool,
    /// Who the workload is.
    pub id: Option<SpiffeId>,
    /// The last valid second of the newest X509-SVID.
    pub not_after: Option<UnixTime>,
    /// How long that is from now; `None` once it is over.
    pub expires_in: Option<Duration>,
    /// How long from now on until the issuer is asked next. `None` where the issuer says when, as files do.
    pub next_renewal: Option<Duration>,
    /// How many attempts have failed since the last that did not.
    pub failures: u32,
    /// Why the last attempt failed; `None` if it did not.
    pub last_error: Option<Arc<IdentityError>>,
}

/// An identity's state in one word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum IdentityState {
    /// The first X509-SVID has not come yet. Handshakes are refused.
    NotYet,
    /// The newest X509-SVID is valid, and the last attempt did not fail.
    Fresh,
    /// The newest X509-SVID is valid and used, but the last attempt to renew it failed, or its end is near.
    Degraded,
    /// The newest X509-SVID is over. Handshakes are refused until another comes.
    Expired,
}

impl fmt::Display for IdentityState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotYet => "not yet",
            Self::Fresh => "fresh",
            Self::Degraded => "degraded",
            Self::Expired => "expired",
        })
    }
}

impl fmt::Display for IdentityStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.state)?;
        if let Some(id) = &self.id {
            write!(f, ": {id}")?;
        }
        if let Some(left) = self.expires_in {
            write!(f, ", ends in {} s", left.as_secs())?;
        }
        if let Some(next) = self.next_renewal {
            write!(f, ", next renewal in {} s", next.as_secs())?;
        }
        match &self.last_error {
            Some(error) => {
                write!(f, "; {} failed in a row, the last: {}", self.failures, WithCauses(&**error))
            }
            None => Ok(()),
        }
    }
}

fn seconds(from: UnixTime, to: UnixTime) -> u64 {
    to.as_secs().saturating_sub(from.as_secs())
}

/// How long before the end readiness ends.
fn margin(life: u64) -> Duration {
    (Duration::from_secs(life) / 10).min(LONGEST_MARGIN)
}

const LONGEST_MARGIN: Duration = Duration::from_secs(300);
