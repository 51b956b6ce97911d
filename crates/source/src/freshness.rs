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
    /// The last good policies stay in force, with every port of every workload at STRICT
    /// ([`PolicySet::tightened`](meshtls_policy::PolicySet::tightened)), until a good look puts them back. Peers that come in
    /// plaintext because the policies tell them to are refused meanwhile.
    Strict,
    /// As [`Keep`](Self::Keep), and [`PolicyStatus::is_ready`](crate::PolicyStatus::is_ready) says no.
    NotReady,
}

impl fmt::Display for WhenStale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keep => "they stay in force",
            Self::Strict => "they stay in force, with every port at STRICT",
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use meshtls_policy::{MeshSettings, PolicySet, Resources};
    use tokio::time::Instant;

    use super::{Freshness, WhenStale, guard};
    use crate::policy_health::{Confirmed, Loaded, Standing};
    use crate::{Report, Watch};

    fn loaded(began: Instant) -> Loaded {
        let set = PolicySet::compile(MeshSettings::default(), &Resources::default());
        Loaded { set, files: BTreeSet::new(), objects: 0, began }
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_hangs_keeps_nothing_from_getting_stale() {
        let standing = Arc::new(Standing::new("policies".into(), loaded(Instant::now())));
        let freshness = Freshness { max_age: Duration::from_secs(60), then: WhenStale::Strict };
        standing.bound(Some(freshness));
        let reports = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&reports);
        let reporter = Arc::new(move |report: &Report<'_>| {
            log.lock().unwrap().push(report.to_string());
        });
        let every = Duration::from_secs(1);
        let _watch = Watch::spawn(guard(Arc::clone(&standing), freshness, reporter, every));
        let is_tightened = || standing.handle().load().is_tightened();

        let hangs_since = Instant::now();
        tokio::time::sleep(Duration::from_millis(59_900)).await;
        assert!(!is_tightened());
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(is_tightened());
        let want =
            "policies too old, not read for 60 s: they stay in force, with every port at STRICT";
        assert_eq!(*reports.lock().unwrap(), [want]);

        // It returns at last, with what was there when it began: that is as old.
        assert!(matches!(standing.confirm(hangs_since), Confirmed::AsBefore));
        assert_eq!(standing.load(loaded(hangs_since)), 3);
        assert!(is_tightened());
        assert!(matches!(standing.confirm(Instant::now()), Confirmed::PutBack { version: 4 }));
        assert!(!is_tightened());
        assert!(matches!(standing.confirm(Instant::now()), Confirmed::AsBefore));

        tokio::time::sleep(Duration::from_secs(62)).await;
        assert!(is_tightened(), "and again");
        assert_eq!(reports.lock().unwrap().len(), 2);
    }
}
