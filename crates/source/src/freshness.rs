//! The freshness guard: how old the last good policies may get, and what then.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::policy_health::Standing;
use crate::{Report, Reporter};

/// What happens when a source of policies has been unreadable, or bad, for too long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum WhenStale {
    /// The last good policies stay in force. It is reported, and seen in [`PolicyStatus`](crate::PolicyStatus).
    Keep,
    /// As [`Keep`](Self::Keep), and [`PolicyStatus::is_ready`](crate::PolicyStatus::is_ready) says no.
    NotReady,
}

impl fmt::Display for WhenStale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keep => "they stay in force",
            Self::NotReady => "they stay in force, and the source counts as not ready",
        })
    }
}

/// A bound on the age of policies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Freshness {
    pub(crate) max_age: Duration,
    pub(crate) then: WhenStale,
}

/// Acts when the policies get too old. It looks at no file, so it does so too when looking hangs.
pub(crate) async fn guard(
    standing: Arc<Standing>,
    freshness: Freshness,
    reporter: Arc<dyn Reporter>,
    every: Duration,
) {
    loop {
        match standing.stale_at() {
            Some(instant) => tokio::time::sleep_until(instant).await,
            // Stale already: whoever looks at the files ends that.
            None => tokio::time::sleep(every).await,
        }
        if let Some(age) = standing.expire() {
            reporter.report(&Report::PoliciesStale { age, then: freshness.then });
        }
    }
}
