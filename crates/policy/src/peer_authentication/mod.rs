//! `PeerAuthentication`: which mode a workload's ports have.

mod read;
mod serde_form;

use std::collections::BTreeMap;

use crate::dry_run;
use crate::{Labels, Metadata, MtlsMode, ResourceName, Timestamp};

/// A `PeerAuthentication` (`security.istio.io/v1`).
///
/// An absent selector and an empty one mean the same, as do an absent `mtls` and mode `UNSET`.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PeerAuthentication {
    /// Name and age.
    pub metadata: Metadata,
    /// The workloads it is for; empty: the whole namespace, or the whole mesh in the root namespace.
    pub selector: Labels,
    /// The mode; `None` (`UNSET`) takes it from the level above.
    pub mode: Option<MtlsMode>,
    /// Modes of single workload ports (container ports, not service ports); `None` takes the policy's own merged mode.
    pub ports: BTreeMap<u16, Option<MtlsMode>>,
}

impl PeerAuthentication {
    /// A policy that says nothing yet: no selector, mode `UNSET`, no ports, no creation time.
    pub fn new(namespace: impl AsRef<str>, name: impl AsRef<str>) -> Self {
        Self::with_metadata(Metadata::new(ResourceName::new(namespace, name)))
    }

    pub(crate) fn with_metadata(metadata: Metadata) -> Self {
        Self { metadata, selector: Labels::default(), mode: None, ports: BTreeMap::new() }
    }

    /// Sets the mode.
    #[must_use]
    pub fn with_mode(mut self, mode: MtlsMode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Sets the labels that a workload must have.
    #[must_use]
    pub fn with_selector(mut self, selector: impl Into<Labels>) -> Self {
        self.selector = selector.into();
        self
    }

    /// Sets the mode of one workload port; `None` is `UNSET`.
    #[must_use]
    pub fn with_port(mut self, port: u16, mode: impl Into<Option<MtlsMode>>) -> Self {
        self.ports.insert(port, mode.into());
        self
    }

    /// Sets the creation time, which decides between policies of one level: the oldest wins.
    #[must_use]
    pub fn with_created(mut self, created: Timestamp) -> Self {
        self.metadata.created = Some(created);
        self
    }

    /// The annotation that puts a policy on trial: `meshtls.dev/dry-run: "true"`.
    ///
    /// Such a policy changes no answer; it only takes part in [`PolicySet::shadow`](crate::PolicySet::shadow), where it counts
    /// as if it had no annotation. Text with another value than `"true"` or `"false"` is refused. Istio knows nothing of
    /// it: applied to a cluster, the policy is in force for sidecars.
    pub const DRY_RUN: &str = "meshtls.dev/dry-run";

    /// Puts the policy on trial, or takes the annotation away.
    #[must_use]
    pub fn with_dry_run(mut self, dry_run: bool) -> Self {
        if dry_run {
            self.metadata.annotations.insert(Self::DRY_RUN, dry_run::ON);
        } else {
            self.metadata.annotations.remove(Self::DRY_RUN);
        }
        self
    }

    /// Whether the policy is on trial: its annotation [`DRY_RUN`](Self::DRY_RUN) is exactly `true`.
    pub fn is_dry_run(&self) -> bool {
        dry_run::is_on(&self.metadata, Self::DRY_RUN)
    }

    /// Namespace and name.
    pub fn name(&self) -> &ResourceName {
        &self.metadata.name
    }
}
