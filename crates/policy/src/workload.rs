//! The workload that policies are resolved for.

use std::fmt;

use serde::Serialize;

use crate::Labels;

/// What policies see of a workload: its namespace and its labels.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Workload {
    /// The namespace the workload runs in.
    pub namespace: String,
    /// The labels that selectors look at.
    pub labels: Labels,
}

impl Workload {
    /// A workload in `namespace` with `labels` (use [`Labels::default`] for none).
    pub fn new(namespace: impl Into<String>, labels: impl Into<Labels>) -> Self {
        Self { namespace: namespace.into(), labels: labels.into() }
    }
}

/// `namespace foo, labels app=web`.
impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "namespace {}, ", self.namespace)?;
        if self.labels.is_empty() {
            f.write_str("no labels")
        } else {
            write!(f, "labels {}", self.labels)
        }
    }
}
