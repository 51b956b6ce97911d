//! Rules that others keep from taking effect.

use std::collections::{BTreeSet, HashMap};

use super::hosts::resolved;
use crate::DestinationRule;
use crate::lint::code::Code;
use crate::lint::context::Context;
use crate::lint::finding::Findings;

/// Of several rules for one host in one namespace the first top-level policy is kept.
pub(super) fn conflicts(rules: &[DestinationRule], findings: &mut Findings<'_>) {
    let mut by_age: Vec<&DestinationRule> = rules
        .iter()
        .filter(|rule| rule.workload_selector.is_none() && rule.traffic_policy.is_some())
        .collect();
    by_age.sort_by(|a, b| a.metadata.precedence(&b.metadata));
    let mut kept: HashMap<_, &DestinationRule> = HashMap::new();
    for rule in by_age {
        let exports: BTreeSet<&str> = rule.export_to.iter().map(String::as_str).collect();
        let key = (rule.name().namespace(), resolved(rule).into_owned(), exports);
        let first = *kept.entry(key).or_insert(rule);
        if tls(first) != tls(rule) {
            findings.add(
                Code::RulesConflict,
                rule,
                "spec.trafficPolicy",
                format!("no effect: {} is older and for the same host, so that its policy is kept whole", first.name()),
                format!("one rule for the host: put what is meant into {}", first.name()),
            );
        }
    }
}

/// What a rule says of TLS, for all ports and for single ones.
fn tls(rule: &DestinationRule) -> Option<impl PartialEq> {
    let policy = rule.traffic_policy.as_ref()?;
    let ports: Vec<_> = policy
        .ports
        .iter()
        .map(|entry| (entry.port, &entry.tls))
        .collect();
    Some((&policy.tls, ports))
}

/// A pattern in the client's namespace comes before every rule of other namespaces, however exact these are.
pub(super) fn hidden(context: &Context<'_>, findings: &mut Findings<'_>) {
    let rules = context.resources.destination_rules();
    let mut patterns: HashMap<String, Vec<&DestinationRule>> = HashMap::new();
    for rule in rules {
        if let Some(end) = resolved(rule).strip_prefix('*')
            && !context.is_root(rule.name().namespace())
            && is_for_own_clients(rule)
        {
            patterns.entry(end.to_owned()).or_default().push(rule);
        }
    }
    // The first by name of those that a pattern hides.
    let mut first: HashMap<_, &DestinationRule> = HashMap::new();
    for rule in rules
        .iter()
        .filter(|rule| says_tls(rule) && rule.workload_selector.is_none())
    {
        let host = resolved(rule);
        let own_end = host.strip_prefix('*');
        let ends = host
            .char_indices()
            .filter_map(|(start, _)| host.get(start..));
        for end in ends.chain([""]).filter(|end| Some(*end) != own_end) {
            for pattern in patterns.get(end).into_iter().flatten() {
                let namespace = pattern.name().namespace();
                if namespace == rule.name().namespace() || !reaches(context, rule, namespace) {
                    continue;
                }
                let known = first.entry(pattern.name()).or_insert(rule);
                if rule.name() < known.name() {
                    *known = rule;
                }
            }
        }
    }
    for rule in rules {
        let Some(hidden) = first.get(rule.name()) else { continue };
        findings.add(
            Code::PatternHidesRule,
            rule,
            "spec.host",
            format!(
                "clients of namespace {} go by this pattern, and not by {} for {}, which is more exact: the client's namespace is looked at first",
                rule.name().namespace(),
                hidden.name(),
                hidden.host
            ),
            format!("a rule for {} in this namespace too, or a narrower pattern", hidden.host),
        );
    }
}

fn says_tls(rule: &DestinationRule) -> bool {
    let policy = rule.traffic_policy.as_ref();
    policy.is_some_and(|policy| {
        policy.tls.is_some() || policy.ports.iter().any(|entry| entry.tls.is_some())
    })
}

/// Whether clients of the rule's own namespace see it.
fn is_for_own_clients(rule: &DestinationRule) -> bool {
    let namespace = rule.name().namespace();
    let own = |to: &String| to == "*" || to == "." || to == namespace;
    rule.workload_selector.is_none()
        && (rule.export_to.is_empty() || rule.export_to.iter().any(own))
}

/// Whether clients of another namespace see the rule.
fn reaches(context: &Context<'_>, rule: &DestinationRule, namespace: &str) -> bool {
    let default = &context.settings.default_destination_rule_export_to;
    let to = if rule.export_to.is_empty() { default } else { &rule.export_to };
    to.is_empty() || to.iter().any(|to| to == "*" || to == namespace)
}
