//! A policy with its rules ready to be asked.

use std::sync::Arc;

use meshtls_identity::MeshDomains;

use super::attribute::{Attribute, Sense};
use super::connection::Connection;
use super::lists::List;
use super::matcher::Matcher;
use super::{Action, AuthorizationPolicy, Rule, expand};
use crate::{ResourceName, Workload};

/// A policy, compiled.
#[derive(Clone, Debug)]
pub(super) struct CompiledPolicy {
    pub(super) policy: AuthorizationPolicy,
    pub(super) dry_run: bool,
    pub(super) rules: Vec<CompiledRule>,
}

impl CompiledPolicy {
    pub(super) fn new(policy: AuthorizationPolicy, domains: &MeshDomains) -> Arc<Self> {
        let context =
            Context { action: policy.action, namespace: policy.name().namespace(), domains };
        let rules = policy
            .rules
            .iter()
            .map(|rule| CompiledRule::new(rule, &context))
            .collect();
        Arc::new(Self { dry_run: policy.is_dry_run(), rules, policy })
    }

    pub(super) fn name(&self) -> &ResourceName {
        self.policy.name()
    }

    /// Whether the policy is for the workload, which is in its namespace or reached from the root namespace.
    pub(super) fn selects(&self, workload: &Workload) -> bool {
        self.policy.target_refs.is_empty() && self.policy.selector.select(&workload.labels)
    }

    /// The first rule that the connection matches.
    pub(super) fn matching_rule(&self, connection: &Connection<'_>) -> Option<usize> {
        self.rules.iter().position(|rule| rule.matches(connection))
    }
}

/// What the meaning of a rule depends on.
struct Context<'a> {
    action: Action,
    namespace: &'a str,
    domains: &'a MeshDomains,
}

/// A rule, compiled: one of the sources, one of the operations, and all further tests.
#[derive(Clone, Debug)]
pub(super) struct CompiledRule {
    pub(super) sources: Vec<Vec<Test>>,
    pub(super) operations: Vec<Vec<Test>>,
    pub(super) when: Vec<Test>,
    /// The conditions that no connection can be asked about.
    pub(super) dropped: Vec<DroppedList>,
    /// They take an ALLOW rule with them (rule AZ-8); of other rules they are left out, which widens them (rule AZ-9).
    pub(super) discarded: bool,
}

impl CompiledRule {
    fn new(rule: &Rule, context: &Context<'_>) -> Self {
        let mut dropped = Vec::new();
        let mut tests = |path: String, lists: &mut dyn Iterator<Item = List<'_>>| -> Vec<Test> {
            lists
                .filter_map(|list| {
                    Test::new(format!("{path}.{}", list.name), &list, context, &mut dropped)
                })
                .collect()
        };
        let sources = rule
            .from
            .iter()
            .enumerate()
            .map(|(nth, source)| tests(format!("from[{nth}].source"), &mut source.lists()))
            .collect();
        let operations = rule
            .to
            .iter()
            .enumerate()
            .map(|(nth, operation)| tests(format!("to[{nth}].operation"), &mut operation.lists()))
            .collect();
        let when = rule
            .when
            .iter()
            .enumerate()
            .flat_map(|(nth, condition)| {
                // Validation refuses unknown keys; where one is there anyway, nobody can tell what it asks for.
                let attribute = Attribute::of_key(&condition.key).unwrap_or(Attribute::Http);
                let list = |name, sense, values| List { name, attribute, sense, values };
                tests(
                    format!("when[{nth}]"),
                    &mut [
                        list("values", Sense::OneOf, condition.values.as_slice()),
                        list("notValues", Sense::NoneOf, condition.not_values.as_slice()),
                    ]
                    .into_iter(),
                )
            })
            .collect();
        let discarded = context.action == Action::Allow && !dropped.is_empty();
        Self { sources, operations, when, dropped, discarded }
    }

    pub(super) fn matches(&self, connection: &Connection<'_>) -> bool {
        let passes = |tests: &Vec<Test>| tests.iter().all(|test| test.passes(connection));
        !self.discarded
            && (self.sources.is_empty() || self.sources.iter().any(passes))
            && (self.operations.is_empty() || self.operations.iter().any(passes))
            && passes(&self.when)
    }
}

/// One list of values, compiled.
#[derive(Clone, Debug)]
pub(super) struct Test {
    /// Where the list stands in its rule, such as `from[0].source.principals`.
    pub(super) field: String,
    pub(super) attribute: Attribute,
    pub(super) sense: Sense,
    /// As written.
    pub(super) values: Vec<String>,
    matchers: Vec<Matcher>,
}

impl Test {
    /// `None` if there is nothing to test. Values that cannot be compared go to `dropped`.
    fn new(
        field: String,
        list: &List<'_>,
        context: &Context<'_>,
        dropped: &mut Vec<DroppedList>,
    ) -> Option<Self> {
        let mut matchers = Vec::new();
        let mut unknown = Vec::new();
        for value in list.values {
            let expanded = match list.attribute {
                Attribute::SourcePrincipal => expand::principals(value, context.domains),
                Attribute::SourceTrustDomain => expand::trust_domains(value, context.domains),
                _ => vec![value.clone()],
            };
            for meant in expanded {
                match Matcher::new(list.attribute, &meant, context.namespace) {
                    Some(matcher) => matchers.push(matcher),
                    None => unknown.push(value.clone()),
                }
            }
        }
        // A list that asks for one of its values would ask for less without the unknown ones, and so a DENY rule would deny
        // less: it is left out whole (ADR 11). One that asks for none of them asks for less, which is wider already.
        let narrowed = !unknown.is_empty() && matches!(list.sense, Sense::OneOf);
        if !unknown.is_empty() {
            dropped.push(DroppedList {
                field: field.clone(),
                attribute: list.attribute,
                values: unknown,
            });
        }
        if matchers.is_empty() || narrowed {
            return None;
        }
        let List { attribute, sense, values, .. } = *list;
        Some(Self { field, attribute, sense, values: values.to_vec(), matchers })
    }

    pub(super) fn passes(&self, connection: &Connection<'_>) -> bool {
        let fits = self.matchers.iter().any(|matcher| matcher.fits(connection));
        match self.sense {
            Sense::OneOf => fits,
            Sense::NoneOf => !fits,
        }
    }
}

/// Values that no connection can be compared with.
#[derive(Clone, Debug)]
pub(super) struct DroppedList {
    pub(super) field: String,
    pub(super) attribute: Attribute,
    pub(super) values: Vec<String>,
}
