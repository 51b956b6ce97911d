//! Findings about `PeerAuthentication`.

mod dry_run;
mod identity;
mod ports;
mod rivals;
mod scope;

use std::collections::BTreeMap;

use self::scope::Scope;
use super::audience;
use super::code::Code;
use super::context::Context;
use super::finding::Findings;
use crate::PeerAuthentication;

pub(super) fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let mut namespaces: BTreeMap<&str, Vec<&PeerAuthentication>> = BTreeMap::new();
    for policy in context.resources.peer_authentications() {
        namespaces
            .entry(policy.name().namespace())
            .or_default()
            .push(policy);
    }
    for (namespace, policies) in namespaces {
        let scope = Scope::new(context, namespace, policies);
        rivals::superseded(&scope, findings);
        rivals::unset_without_selector(&scope, findings);
        ports::without_selector(&scope, findings);
        dry_run::without_effect(&scope, findings);
        if context.is_root(namespace) {
            selector_in_root(&scope, findings);
            continue;
        }
        matches_nothing(&scope, findings);
        ports::entries(&scope, findings);
        rivals::shadowed(&scope, findings);
        rivals::unset_with_selector(&scope, findings);
        identity::disabled_namespace(&scope, findings);
        identity::clients_without_identity(&scope, findings);
    }
    identity::strict_without_identity(context, findings);
}

/// A selector in the root namespace selects nobody (rule PA-4).
fn selector_in_root(scope: &Scope<'_>, findings: &mut Findings<'_>) {
    for policy in scope.selective() {
        findings.add(
            Code::SelectorInRootNamespace,
            policy,
            "spec.selector",
            format!(
                "a selector in the root namespace {} has no effect for PeerAuthentication, on no workload anywhere",
                scope.namespace
            ),
            "move the policy into each namespace that has such workloads, or remove the selector for the whole mesh",
        );
    }
}

/// No workload of the inventory has the labels (rule PA-5).
fn matches_nothing(scope: &Scope<'_>, findings: &mut Findings<'_>) {
    for group in &scope.groups {
        if scope.context.world.is_none() || !group.members.is_empty() {
            continue;
        }
        for policy in &group.policies {
            audience::matches_nothing(
                *policy,
                "spec.selector.matchLabels",
                Some(scope.namespace),
                &policy.selector,
                findings,
            );
        }
    }
}
