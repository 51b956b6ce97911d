//! Findings about `AuthorizationPolicy`.

mod asked;
mod connection;
mod names;
mod ports;

use std::collections::HashMap;
use std::rc::Rc;

use self::asked::Asked;
use self::connection::Refusing;
use super::audience::{self, Audience};
use super::code::Code;
use super::context::Context;
use super::finding::{Findings, some_of};
use super::world::KnownPorts;
use crate::field::shorten;
use crate::{Action, AuthorizationPolicy};

pub(super) fn check<'a>(context: &'a Context<'a>, findings: &mut Findings<'_>) {
    let policies = context.resources.authorization_policies();
    let reach = |policy: &'a AuthorizationPolicy| {
        let namespace = policy.name().namespace();
        (!context.is_root(namespace)).then_some(namespace)
    };
    let selected = policies
        .iter()
        .map(|policy| (reach(policy), &policy.selector));
    let audience = context
        .world
        .as_ref()
        .map(|world| Audience::new(world, selected));
    let refusing = Refusing::of(policies);
    // Many policies may be for the same workloads.
    let mut known_ports: HashMap<_, Option<Rc<KnownPorts<'_>>>> = HashMap::new();
    for policy in policies {
        dry_run(policy, findings);
        if !policy.target_refs.is_empty() {
            targets(policy, findings);
            continue;
        }
        without_rules(policy, findings);
        custom(policy, findings);
        let asked: Vec<Vec<Asked<'_>>> = asked::of(policy);
        connection::http_conditions(policy, &asked, findings);
        connection::plaintext(context, &refusing, policy, &asked, findings);
        for asked in asked.iter().flatten() {
            names::check(context, policy, asked, findings);
        }
        if let Some(audience) = &audience {
            let workloads = audience.of(reach(policy), &policy.selector);
            if workloads.is_empty() && !policy.selector.is_empty() {
                let field = "spec.selector.matchLabels";
                audience::matches_nothing(policy, field, reach(policy), &policy.selector, findings);
            }
            let known = || {
                let of = known_ports.entry((reach(policy), &policy.selector));
                of.or_insert_with(|| KnownPorts::of(workloads).map(Rc::new))
                    .clone()
            };
            ports::check(policy, &asked, known, findings);
        }
    }
}

/// A policy for gateways and services is for no workload (rule AZ-3).
fn targets(policy: &AuthorizationPolicy, findings: &mut Findings<'_>) {
    let targets = policy
        .target_refs
        .iter()
        .map(|target| format!("{} {}", target.kind, shorten(&target.name)));
    findings.add(
        Code::TargetRefsIgnored,
        policy,
        "spec.targetRefs",
        format!("no effect on workloads: the policy is for {} alone", some_of(targets)),
        "a selector with the labels of the workloads, if they are meant",
    );
}

/// ALLOW without rules allows nothing, and so denies everything (rule AZ-6).
fn without_rules(policy: &AuthorizationPolicy, findings: &mut Findings<'_>) {
    if policy.action == Action::Allow && policy.rules.is_empty() {
        findings.add(
            Code::AllowWithoutRules,
            policy,
            "spec",
            "ALLOW without rules: every connection is refused that no other ALLOW policy admits",
            "rules with whom to admit; `rules: [{}]` admits everybody",
        );
    }
}

/// There is no external authorizer here, so CUSTOM refuses (rule AZ-5).
fn custom(policy: &AuthorizationPolicy, findings: &mut Findings<'_>) {
    if policy.action == Action::Custom {
        findings.add(
            Code::CustomRefuses,
            policy,
            "spec.action",
            "CUSTOM: there is no external authorizer here, so that every connection which a rule matches is refused",
            "ALLOW and DENY with what can be told of a connection, for workloads without a sidecar",
        );
    }
}

/// An annotation that says neither yes nor no leaves the policy in force (rule AZV-20).
fn dry_run(policy: &AuthorizationPolicy, findings: &mut Findings<'_>) {
    let annotation = policy
        .metadata
        .annotations
        .get(AuthorizationPolicy::DRY_RUN);
    if let Some(value) = annotation.filter(|value| !["true", "false"].contains(value)) {
        findings.add(
            Code::DryRunUnreadable,
            policy,
            format!("metadata.annotations.{}", AuthorizationPolicy::DRY_RUN),
            format!("`{}` is neither true nor false: the policy is in force", shorten(value)),
            "\"true\" to try the policy, else no annotation",
        );
    }
}
