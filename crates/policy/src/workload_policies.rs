//! What a policy set says about one workload, chosen in advance.

use std::sync::Arc;

use crate::resolved::Levels;
use crate::{MtlsMode, PeerAuthentication, PolicySet, Resolved, Workload};

/// The view that one workload has of a [`PolicySet`]: which policies count for it is settled here once, so that a question
/// about a connection takes a few nanoseconds and no allocation.
///
/// From [`PolicySet::for_workload`]. It answers as the set does, and never changes: make another one for another set.
#[derive(Clone, Debug)]
pub struct WorkloadPolicies {
    set: Arc<PolicySet>,
    workload: Workload,
    modes: ModeView,
}

impl WorkloadPolicies {
    pub(crate) fn new(set: Arc<PolicySet>, workload: &Workload) -> Self {
        let modes = ModeView::of(&set, workload);
        Self { set, workload: workload.clone(), modes }
    }

    /// The set behind the view.
    pub fn set(&self) -> &Arc<PolicySet> {
        &self.set
    }

    /// The workload whose view it is.
    pub fn workload(&self) -> &Workload {
        &self.workload
    }

    /// The mode of `port`: that of [`resolve`](Self::resolve).
    pub fn mode(&self, port: u16) -> MtlsMode {
        self.modes.enforced.mode(port)
    }

    /// As [`PolicySet::resolve`] for this workload.
    pub fn resolve(&self, port: u16) -> Resolved<'_> {
        self.modes.enforced.resolve(port)
    }

    /// As [`PolicySet::shadow`] for this workload.
    pub fn shadow(&self, port: u16) -> Option<Resolved<'_>> {
        Some(self.modes.trial.as_ref()?.resolve(port))
    }
}

/// The `PeerAuthentication` policies that count for the workload.
#[derive(Clone, Debug)]
struct ModeView {
    enforced: Modes,
    /// Where a policy on trial counts: the policies that would count if none were.
    trial: Option<Modes>,
}

impl ModeView {
    fn of(set: &PolicySet, workload: &Workload) -> Self {
        let policies = set.modes();
        Self {
            enforced: Modes::new(policies.levels(workload)),
            trial: policies.trial_levels(workload).map(Modes::new),
        }
    }
}

/// The policies at each level, and the mode of the ports without an entry of their own.
#[derive(Clone, Debug)]
struct Modes {
    levels: Levels<Arc<PeerAuthentication>>,
    default: MtlsMode,
}

impl Modes {
    fn new(levels: Levels<&Arc<PeerAuthentication>>) -> Self {
        Self { default: Resolved::merge(levels, 0).default_mode(), levels: levels.map(Arc::clone) }
    }

    fn mode(&self, port: u16) -> MtlsMode {
        let entry = self
            .levels
            .workload
            .as_ref()
            .and_then(|policy| policy.ports.get(&port));
        entry.copied().flatten().unwrap_or(self.default)
    }

    fn resolve(&self, port: u16) -> Resolved<'_> {
        Resolved::merge(self.levels.as_ref(), port)
    }
}
