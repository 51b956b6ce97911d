//! Rules for one host that count as one.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::{DestinationRule, Labels, ResourceName, Subset, TrafficPolicy};

/// Rules of one namespace for one host, merged (Istio: `mergeDestinationRule` in `pilot/pkg/model/destination_rule.go`).
#[derive(Clone, Debug)]
pub(crate) struct Merged {
    /// The rule that host, scope and selector are of.
    origin: Arc<DestinationRule>,
    /// What was merged into it, in that order.
    absorbed: Vec<Arc<DestinationRule>>,
    export_to: BTreeSet<Box<str>>,
    /// The rule whose top-level policy counts.
    policy: Option<Arc<DestinationRule>>,
    /// The subsets, each with its rule.
    subsets: Vec<(Arc<DestinationRule>, Arc<Subset>)>,
}

impl Merged {
    /// A single rule.
    pub(super) fn new(rule: &Arc<DestinationRule>) -> Self {
        let export_to = if rule.workload_selector.is_some() {
            BTreeSet::from([".".into()])
        } else {
            rule.export_to
                .iter()
                .map(|entry| entry.as_str().into())
                .collect()
        };
        let origin = Arc::clone(rule);
        let subsets = rule
            .subsets
            .iter()
            .map(|subset| (Arc::clone(&origin), Arc::new(subset.clone())));
        Self {
            subsets: subsets.collect(),
            policy: rule.traffic_policy.is_some().then(|| Arc::clone(&origin)),
            absorbed: Vec::new(),
            export_to,
            origin,
        }
    }

    /// Merges `rule` into those of `list` that it fits, and tells whether it also stands by itself (rule DR-7).
    ///
    /// The last entry that has a say decides on the latter, as in Istio.
    pub(super) fn merge_into(list: &mut [Self], rule: &Self) -> bool {
        let mut stands = true;
        for entry in list {
            let same = entry.export_to == rule.export_to;
            let wider = !entry.export_to.is_empty() && rule.export_to.is_superset(&entry.export_to);
            let selectors = (entry.selector(), rule.selector());
            let foreign = matches!(selectors, (Some(a), Some(b)) if a != b);
            if !(same || wider) || foreign {
                stands = true;
                continue;
            }
            stands = match selectors {
                (None, None) | (Some(_), Some(_)) => false,
                (Some(_), None) | (None, Some(_)) => !same,
            };
            entry.absorb(rule);
        }
        stands
    }

    /// Takes from a younger rule what is not there: subsets of other names, and the top-level policy.
    fn absorb(&mut self, rule: &Self) {
        let new: Vec<_> = rule
            .subsets
            .iter()
            .filter(|(_, subset)| self.subset(&subset.name).is_none())
            .cloned()
            .collect();
        self.subsets.extend(new);
        if self.policy.is_none() {
            self.policy.clone_from(&rule.policy);
        }
        self.absorbed.push(Arc::clone(&rule.origin));
    }

    /// The rule that host, scope and selector are of.
    pub(crate) fn origin(&self) -> &DestinationRule {
        &self.origin
    }

    /// The names of the rules that were merged, the oldest first.
    pub(crate) fn from(&self) -> impl Iterator<Item = &ResourceName> {
        std::iter::once(&self.origin)
            .chain(&self.absorbed)
            .map(|rule| rule.name())
    }

    pub(crate) fn selector(&self) -> Option<&Labels> {
        self.origin().workload_selector.as_ref()
    }

    /// The top-level policy, and the rule that says it.
    pub(crate) fn policy(&self) -> Option<(&ResourceName, &TrafficPolicy)> {
        let rule = self.policy.as_ref()?;
        Some((rule.name(), rule.traffic_policy.as_ref()?))
    }

    /// The names of its subsets.
    pub(crate) fn subset_names(&self) -> impl Iterator<Item = &str> {
        self.subsets.iter().map(|(_, subset)| subset.name.as_str())
    }

    /// A subset, and the rule that says it.
    pub(crate) fn subset(&self, name: &str) -> Option<(&ResourceName, &Subset)> {
        let (rule, subset) = self
            .subsets
            .iter()
            .find(|(_, subset)| subset.name == name)?;
        Some((rule.name(), subset))
    }

    /// Whether clients of another namespace see it. `.` is not looked at here, as in Istio.
    pub(super) fn is_exported_to(&self, namespace: &str) -> bool {
        self.export_to.is_empty()
            || self.export_to.contains("*")
            || self.export_to.contains(namespace)
    }
}
