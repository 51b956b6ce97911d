//! What was reported, and time that passes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use meshtls_source::{Report, Reporter};

/// Keeps a label for each report.
#[derive(Default)]
pub(crate) struct Reports(Mutex<Vec<String>>);

impl Reporter for Reports {
    fn report(&self, report: &Report<'_>) {
        let label = match report {
            Report::PoliciesReplaced { version } => format!("version {version}"),
            Report::PoliciesKept(error) => format!("kept: {}", error.reason()),
            Report::PoliciesStale { age, then } => format!("stale {} s: {then:?}", age.as_secs()),
            Report::IdentityReplaced { generation } => format!("generation {generation}"),
            Report::IdentityWithoutOverlap { .. } => "without overlap".to_owned(),
            Report::IdentityExpired { .. } => "expired".to_owned(),
            Report::IdentityKept(error) => format!("kept: {}", error.reason()),
            Report::FederatedBundleReplaced { trust_domain, sequence } => {
                format!("{trust_domain} {sequence:?}")
            }
            Report::FederatedBundleKept { trust_domain, error } => {
                format!("{trust_domain} kept: {}", error.reason())
            }
            Report::FederatedBundleConfirmed { trust_domain } => {
                format!("{trust_domain} confirmed")
            }
            Report::KeyExposed { mode, .. } => format!("exposed {mode:o}"),
            Report::Recovered => "recovered".to_owned(),
            other => panic!("{other:?}"),
        };
        self.0.lock().unwrap().push(label);
    }
}

impl Reports {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The reports since the last call, joined by commas.
    pub(crate) fn take(&self) -> String {
        std::mem::take(&mut *self.0.lock().unwrap()).join(", ")
    }

    /// The reports after files were looked at several times more.
    pub(crate) async fn after_some_looks(&self) -> String {
        tokio::time::sleep(Duration::from_secs(5)).await;
        self.take()
    }
}
