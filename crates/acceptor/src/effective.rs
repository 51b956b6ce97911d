//! What the policies in force say about the port.

use std::sync::Arc;

use arc_swap::ArcSwap;
use meshtls_identity::AcceptedDomains;
use meshtls_policy::{
    Connection, IngressTls, MtlsMode, PolicyHandle, PolicySet, Resolved, Winner, Workload,
    WorkloadPolicies,
};

use crate::authorization::Judgement;

/// What one policy set says about one port.
#[derive(Debug)]
pub(crate) struct Effective {
    view: WorkloadPolicies,
    /// The mode that acts.
    pub(crate) rule: Rule,
    /// The mode that would act if no policy were on trial, if any that sets one is for this port.
    shadow: Option<Rule>,
    pub(crate) accepted: Arc<AcceptedDomains>,
    /// Whether a `Sidecar` ends TLS on this port (rule SI-5).
    pub(crate) ingress_tls: bool,
    /// Whether one would if no policy were on trial.
    pub(crate) trial_ingress_tls: bool,
}

/// A mode, and where it comes from.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) mode: MtlsMode,
    pub(crate) winner: Winner,
}

impl Rule {
    fn of(resolved: &Resolved<'_>) -> Self {
        Self { mode: resolved.mode(), winner: resolved.winner() }
    }
}

/// The policies in force, and the last answer they gave for the port.
#[derive(Debug)]
pub(crate) struct Policies {
    handle: PolicyHandle,
    workload: Workload,
    port: u16,
    /// Whose members are accepted, if not those of the mesh's own trust domain and its aliases.
    domains: Option<Arc<AcceptedDomains>>,
    last: ArcSwap<Effective>,
}

impl Policies {
    pub(crate) fn new(
        handle: PolicyHandle,
        workload: Workload,
        port: u16,
        domains: Option<AcceptedDomains>,
    ) -> Self {
        let domains = domains.map(Arc::new);
        let first = Effective::of(&handle.load(), &workload, port, domains.as_ref());
        Self { handle, workload, port, domains, last: ArcSwap::from_pointee(first) }
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// The answer of the policy set in force now. Takes no lock; each set is asked once.
    pub(crate) fn now(&self) -> Arc<Effective> {
        let set = self.handle.load();
        let last = self.last.load();
        if Arc::ptr_eq(last.view.set(), &set) {
            return Arc::clone(&last);
        }
        let fresh = Arc::new(Effective::of(&set, &self.workload, self.port, self.domains.as_ref()));
        self.last.store(Arc::clone(&fresh));
        fresh
    }
}

impl Effective {
    /// Whether a policy on trial, of either kind, is for this port.
    pub(crate) fn is_on_trial(&self) -> bool {
        self.shadow.is_some() || self.view.authorization().is_on_trial()
    }

    /// The mode that would act if no policy were on trial.
    pub(crate) fn trial(&self) -> &Rule {
        self.shadow.as_ref().unwrap_or(&self.rule)
    }

    /// Whether any authorization policy is for the workload, so that it matters where a connection goes.
    pub(crate) fn authorizes(&self) -> bool {
        !self.view.authorization().is_empty()
    }

    /// Asks the authorization policies.
    pub(crate) fn judge(&self, connection: &Connection<'_>) -> Judgement {
        let answer = self.view.authorize(connection);
        let acts = answer.verdict();
        Judgement { acts: acts.into(), trial: answer.shadow().unwrap_or(acts).into() }
    }

    fn of(
        set: &Arc<PolicySet>,
        workload: &Workload,
        port: u16,
        domains: Option<&Arc<AcceptedDomains>>,
    ) -> Self {
        let view = set.for_workload(workload);
        let rule = Rule::of(&view.resolve(port));
        let shadow = view.shadow(port).as_ref().map(Rule::of);
        let accepted =
            domains.map_or_else(|| Arc::new(set.settings().accepted_domains()), Arc::clone);
        let takes_effect = |block: IngressTls<'_>| block.tls().is_some();
        let ingress_tls = view.ingress_tls(port).is_some_and(takes_effect);
        let trial_ingress_tls = view.shadow_ingress_tls(port).is_some_and(takes_effect);
        Self { view, rule, shadow, accepted, ingress_tls, trial_ingress_tls }
    }
}
