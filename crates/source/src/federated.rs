//! The bundles of other trust domains, as they are now.

use std::sync::Arc;

use meshtls_identity::TrustDomain;
use meshtls_svid::TrustBundle;
use tokio::sync::watch;

/// The trust bundles of other domains, and news of their changes. Clones see the same bundles.
///
/// Each bundle stays that of its own domain (SPIFFE Federation, section 4.2): give them to
/// [`TrustBundles::new`](meshtls_svid::TrustBundles::new) beside the own one.
#[derive(Clone, Debug)]
pub struct FederatedBundles(watch::Receiver<Arc<[TrustBundle]>>);

impl FederatedBundles {
    /// Bundles that never change.
    #[must_use]
    pub fn fixed(bundles: impl IntoIterator<Item = TrustBundle>) -> Self {
        FederatedSet::new(bundles).bundles()
    }

    /// Gives the bundles of now: sorted by their domain, unless they are [`fixed`](Self::fixed).
    #[must_use]
    pub fn current(&self) -> Arc<[TrustBundle]> {
        Arc::clone(&self.0.borrow())
    }

    /// Waits until bundles have changed since this was made, cloned or last waited for. Several changes may come as one.
    /// Where nothing can change any more, because the bundles are fixed or what kept them fresh has ended, it waits for ever.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no change.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The writing end: one bundle per domain.
#[derive(Clone, Debug)]
pub(crate) struct FederatedSet(Arc<watch::Sender<Arc<[TrustBundle]>>>);

impl FederatedSet {
    pub(crate) fn new(bundles: impl IntoIterator<Item = TrustBundle>) -> Self {
        Self(Arc::new(watch::Sender::new(bundles.into_iter().collect())))
    }

    pub(crate) fn bundles(&self) -> FederatedBundles {
        FederatedBundles(self.0.subscribe())
    }

    /// Puts `bundle` in the place of its domain's. Whether that changed anything.
    pub(crate) fn put(&self, bundle: TrustBundle) -> bool {
        let domain = bundle.trust_domain().clone();
        self.set(&domain, Some(bundle))
    }

    /// Takes the bundle of `domain` out. Whether there was one.
    #[cfg(feature = "federation")]
    pub(crate) fn remove(&self, domain: &TrustDomain) -> bool {
        self.set(domain, None)
    }

    fn set(&self, domain: &TrustDomain, bundle: Option<TrustBundle>) -> bool {
        self.0.send_if_modified(|bundles| {
            let before = bundles.iter().find(|one| one.trust_domain() == domain);
            if before == bundle.as_ref() {
                return false;
            }
            let others = bundles
                .iter()
                .filter(|one| one.trust_domain() != domain)
                .cloned();
            let mut all: Vec<_> = others.chain(bundle).collect();
            all.sort_by(|a, b| a.trust_domain().cmp(b.trust_domain()));
            *bundles = all.into();
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use meshtls_testkit::TestCa;

    use super::{FederatedBundles, FederatedSet};

    fn domains(bundles: &FederatedBundles) -> String {
        let all = bundles.current();
        all.iter()
            .map(|one| one.trust_domain().as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }

    async fn news(bundles: &mut FederatedBundles) -> bool {
        tokio::time::timeout(Duration::from_secs(1), bundles.changed())
            .await
            .is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn each_change_is_told_once_and_only_if_it_is_one() {
        let (a, b) = (TestCa::new("a.example"), TestCa::new("b.example"));
        let set = FederatedSet::new([]);
        let mut bundles = set.bundles();
        assert!(!news(&mut bundles).await);
        assert!(set.put(b.bundle()) && set.put(a.bundle()));
        assert_eq!(domains(&bundles), "a.example b.example");
        let mut clone = bundles.clone();
        assert!(news(&mut bundles).await && !news(&mut bundles).await);
        assert!(news(&mut clone).await, "a clone has its own place");

        assert!(!set.put(a.bundle()), "the same again");
        assert!(!news(&mut bundles).await);
        assert!(set.put(TestCa::new("a.example").bundle()), "another authority");
        assert!(news(&mut bundles).await);
        assert_eq!(domains(&bundles), "a.example b.example", "in its place");

        drop(set);
        assert!(!news(&mut bundles).await, "nothing can change any more");
        assert_eq!(domains(&bundles), "a.example b.example");
    }

    #[tokio::test(start_paused = true)]
    async fn fixed_bundles_wait_for_ever() {
        let mut fixed = FederatedBundles::fixed([TestCa::new("a.example").bundle()]);
        assert_eq!(domains(&fixed), "a.example");
        assert!(!news(&mut fixed).await);
    }
}
