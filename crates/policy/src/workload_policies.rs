//! What a policy set says about one workload, chosen in advance.

use std::sync::Arc;

use crate::mode_policies::Ranked;
use crate::resolved::Levels;
use crate::sidecar::IndexedSidecar;
use crate::{
    Authorization, Connection, IngressTls, MtlsMode, PolicySet, Resolved, SelectedAuthorization,
    Workload,
};

/// The view that one workload has of a [`PolicySet`]: which policies count for it is settled here once, so that a question
/// about a connection takes a few nanoseconds and no allocation.
///
/// From [`PolicySet::for_workload`]. It answers as the set does, and never changes: make another one for another set.
#[derive(Clone, Debug)]
pub struct WorkloadPolicies {
    set: Arc<PolicySet>,
    workload: Workload,
    modes: ModeView,
    sidecar: Option<Arc<IndexedSidecar>>,
    authorization: SelectedAuthorization,
}

impl WorkloadPolicies {
    pub(crate) fn new(set: Arc<PolicySet>, workload: &Workload) -> Self {
        let modes = ModeView::of(&set, workload);
        let sidecar = set.sidecars().of(&set, workload).map(Arc::clone);
        let authorization = set.authorization_policies().select(workload);
        Self { set, workload: workload.clone(), modes, sidecar, authorization }
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

    /// As [`PolicySet::ingress_tls`] for this workload.
    pub fn ingress_tls(&self, port: u16) -> Option<IngressTls<'_>> {
        let enabled = self.set.settings().sidecar_ingress_tls;
        let mode = self.modes.enforced.mode_as_written(port);
        self.sidecar.as_ref()?.tls(port, mode, enabled)
    }

    /// What [`ingress_tls`](Self::ingress_tls) would answer if no policy were on trial, as for [`shadow`](Self::shadow). Without
    /// one that would count it is the same.
    pub fn shadow_ingress_tls(&self, port: u16) -> Option<IngressTls<'_>> {
        let enabled = self.set.settings().sidecar_ingress_tls;
        let modes = self.modes.trial.as_ref().unwrap_or(&self.modes.enforced);
        let mode = modes.mode_as_written(port);
        self.sidecar.as_ref()?.tls(port, mode, enabled)
    }

    /// As [`PolicySet::shadow`] for this workload.
    pub fn shadow(&self, port: u16) -> Option<Resolved<'_>> {
        Some(self.modes.trial.as_ref()?.resolve(port))
    }

    /// The `AuthorizationPolicy` objects for this workload.
    pub fn authorization(&self) -> &SelectedAuthorization {
        &self.authorization
    }

    /// As [`PolicySet::authorize`] for this workload.
    pub fn authorize(&self, connection: &Connection<'_>) -> Authorization<'_> {
        self.authorization.authorize(connection)
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
        let (policies, tightened) = (set.modes(), set.is_tightened());
        Self {
            enforced: Modes::new(policies.levels(workload), tightened),
            trial: policies
                .trial_levels(workload)
                .map(|levels| Modes::new(levels, tightened)),
        }
    }
}

/// The policies at each level, and the mode of the ports without an entry of their own.
#[derive(Clone, Debug)]
struct Modes {
    levels: Levels<Ranked>,
    default: MtlsMode,
    tightened: bool,
}

impl Modes {
    fn new(levels: Levels<&Ranked>, tightened: bool) -> Self {
        let default = Resolved::merge(levels, 0).default_mode();
        Self { default, levels: levels.map(Ranked::clone), tightened }
    }

    fn mode(&self, port: u16) -> MtlsMode {
        if self.tightened {
            return MtlsMode::Strict;
        }
        self.mode_as_written(port)
    }

    fn mode_as_written(&self, port: u16) -> MtlsMode {
        let workload = self.levels.workload.as_ref();
        workload
            .and_then(|policy| policy.port_mode(port))
            .unwrap_or(self.default)
    }

    fn resolve(&self, port: u16) -> Resolved<'_> {
        Resolved::merge(self.levels.as_ref(), port).tightened(self.tightened)
    }
}
