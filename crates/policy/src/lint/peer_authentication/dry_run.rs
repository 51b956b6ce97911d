//! Policies on trial that would change nothing.

use super::scope::Scope;
use crate::lint::code::Code;
use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::{PeerAuthentication, Workload};

/// A rehearsal that can show nothing: with the policy enforced, every answer would be the same.
pub(super) fn without_effect(scope: &Scope<'_>, findings: &mut Findings<'_>) {
    let context = scope.context;
    for policy in scope.level.iter().filter(|policy| policy.is_dry_run()) {
        let enforced = context.enforced.namespace_mode(scope.namespace);
        if enforced == context.rehearsed.namespace_mode(scope.namespace) {
            add(policy, findings);
        }
    }
    if context.is_root(scope.namespace) {
        return;
    }
    for group in &scope.groups {
        for policy in group.policies.iter().filter(|policy| policy.is_dry_run()) {
            // Where no workload is known, one with the labels asked for and no other.
            let typical = Workload::new(scope.namespace, policy.selector.clone());
            let known = group.members.iter().map(|member| &member.workload);
            let typical = group.members.is_empty().then_some(&typical);
            if known
                .chain(typical)
                .all(|workload| same(context, workload, policy))
            {
                add(policy, findings);
            }
        }
    }
}

/// Whether a workload's answers are the same with and without what is on trial, on every port that a policy names.
fn same(context: &Context<'_>, workload: &Workload, policy: &PeerAuthentication) -> bool {
    let now = context.enforced.resolve(workload, 0);
    let then = context.rehearsed.resolve(workload, 0);
    let wins = then
        .workload()
        .is_some_and(|winner| winner.name() == policy.name());
    if !wins {
        return true;
    }
    let named = |resolved: &crate::Resolved<'_>| {
        resolved
            .workload()
            .map(|policy| policy.ports.keys().copied().collect::<Vec<u16>>())
            .unwrap_or_default()
    };
    let mode = |set: &crate::PolicySet, port| set.resolve(workload, port).mode();
    now.mode() == then.mode()
        && named(&now)
            .into_iter()
            .chain(named(&then))
            .all(|port| mode(&context.enforced, port) == mode(&context.rehearsed, port))
}

fn add(policy: &PeerAuthentication, findings: &mut Findings<'_>) {
    findings.add(
        Code::DryRunWithoutEffect,
        policy,
        format!("metadata.annotations.{}", PeerAuthentication::DRY_RUN),
        "on trial, but enforced it would change nothing: an older policy comes before it, or the modes are the same already",
        "the mode to try; or delete the policy",
    );
}
