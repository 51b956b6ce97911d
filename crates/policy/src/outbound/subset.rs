//! Which endpoints a subset of a service has.

use crate::discovery::ServiceView;
use crate::{Labels, PolicySet, Workload};

impl PolicySet {
    /// The labels that an endpoint of `service` has if it belongs to `subset`, by the `DestinationRule` that `client` goes by.
    /// `None`: that rule has no such subset, or there is no rule.
    pub fn subset_labels(
        &self,
        client: &Workload,
        service: &ServiceView,
        subset: &str,
    ) -> Option<&Labels> {
        let settings = self.settings();
        let (namespace, host) = (&service.namespace, &service.hostname);
        let rule = self
            .destination_rules()
            .find(settings, client, namespace, host)?;
        rule.subset(subset).map(|(_, subset)| &subset.labels)
    }
}
