//! Which `DestinationRule` a client goes by: compiled, and found without looking at the others.

mod hosts;
mod merged;
mod reduced;

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use self::hosts::Hosts;
use crate::{DestinationRule, MeshSettings, ResourceName, Workload};

pub(crate) use self::hosts::{Found, covers, resolved_host};
pub(crate) use self::merged::Merged;
pub(crate) use self::reduced::{Block, Reduced};

/// The rules of a mesh by who may go by them (Istio: `setDestinationRules` in `pilot/pkg/model/push_context.go`).
#[derive(Clone, Debug, Default)]
pub(crate) struct DestinationRules {
    /// By namespace: its rules that its own clients see.
    local: HashMap<Box<str>, Hosts>,
    /// By namespace: its rules that are exported further.
    exported: HashMap<Box<str>, Hosts>,
    /// The rules of the root namespace that are for its own clients only.
    root_private: Hosts,
    /// All rules, in order of precedence.
    all: Vec<Arc<DestinationRule>>,
}

impl DestinationRules {
    /// Compiles rules: those with a selector first, then by age (rule DR-7).
    pub(crate) fn compile(settings: &MeshSettings, rules: &[DestinationRule]) -> Self {
        let mut sorted: Vec<&DestinationRule> = rules.iter().collect();
        sorted.sort_by(|a, b| {
            let without_selector = |rule: &DestinationRule| rule.workload_selector.is_none();
            without_selector(a)
                .cmp(&without_selector(b))
                .then_with(|| a.metadata.precedence(&b.metadata))
        });
        let mut compiled = Self::default();
        for rule in sorted {
            let rule = Arc::new(rule.clone());
            compiled.add(settings, &rule);
            compiled.all.push(rule);
        }
        compiled
    }

    fn add(&mut self, settings: &MeshSettings, rule: &Arc<DestinationRule>) {
        let namespace = rule.name().namespace();
        let merged = Merged::new(rule);
        let scope = Scope::of(settings, rule);
        if scope.local {
            self.local
                .entry(namespace.into())
                .or_default()
                .add(merged.clone());
        }
        if scope.exported {
            self.exported
                .entry(namespace.into())
                .or_default()
                .add(merged);
        } else if namespace == settings.root_namespace {
            self.root_private.add(merged);
        }
    }

    /// All rules, in order of precedence.
    pub(crate) fn all(&self) -> impl Iterator<Item = &DestinationRule> {
        self.all.iter().map(|rule| &**rule)
    }

    /// The rule that a client goes by for `host`, a service of `service_namespace`.
    pub(crate) fn find(
        &self,
        settings: &MeshSettings,
        client: &Workload,
        service_namespace: &str,
        host: &str,
    ) -> Option<&Merged> {
        // The first step with a rule for the host ends the search, even if that rule is for other clients (rule DR-4).
        self.steps(settings, &client.namespace, service_namespace, host)
            .find_map(|(_, found)| found.visible())
            .and_then(|visible| select(&visible, client))
    }

    /// The steps of the search, in order, with what each of them finds (rules DR-1 to DR-3).
    pub(crate) fn steps<'r: 'q, 'q>(
        &'r self,
        settings: &'q MeshSettings,
        client_namespace: &'q str,
        service_namespace: &'q str,
        host: &'q str,
    ) -> impl Iterator<Item = (RuleStep, Found<'r>)> + use<'r, 'q> {
        let root = settings.root_namespace.as_str();
        let own = if client_namespace == root {
            (RuleStep::RootNamespacePrivate, Some(&self.root_private))
        } else {
            (RuleStep::ClientNamespace, self.local.get(client_namespace))
        };
        let service = (RuleStep::ServiceNamespace, self.exported.get(service_namespace));
        let mesh = (RuleStep::RootNamespace, self.exported.get(root));
        [own, service, mesh].into_iter().map(move |(step, hosts)| {
            let to = step.tests_visibility().then_some(client_namespace);
            (step, hosts.map_or(Found::Nothing, |hosts| hosts.find(host, to)))
        })
    }
}

/// Of the rules for one host, the one that a client goes by: the first with a selector that selects it, else the last without
/// one (rule DR-6).
pub(crate) fn select<'a>(visible: &[&'a Merged], client: &Workload) -> Option<&'a Merged> {
    let selecting = visible.iter().find(|rule| {
        let selector = rule.selector();
        selector.is_some_and(|selector| selector.select(&client.labels))
    });
    let last = || {
        let mut last = visible.iter().rev();
        last.find(|rule| rule.selector().is_none())
    };
    selecting.or_else(last).copied()
}

/// A step of the search for the rule that a client goes by.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RuleStep {
    /// The rules of the client's namespace, for a client outside the root namespace.
    ClientNamespace,
    /// The rules of the root namespace that are exported nowhere, for a client there.
    RootNamespacePrivate,
    /// The rules that the service's namespace exports.
    ServiceNamespace,
    /// The rules that the root namespace exports.
    RootNamespace,
}

impl RuleStep {
    /// Whether it is tested that the rules found are exported to the client.
    fn tests_visibility(self) -> bool {
        matches!(self, Self::ServiceNamespace | Self::RootNamespace)
    }
}

/// Where a rule counts.
pub(crate) struct Scope {
    /// For clients of its own namespace.
    pub(crate) local: bool,
    /// For clients elsewhere too.
    pub(crate) exported: bool,
}

impl Scope {
    pub(crate) fn of(settings: &MeshSettings, rule: &DestinationRule) -> Self {
        let namespace = rule.name().namespace();
        let own = |entry: &str| entry == "." || entry == namespace;
        let mut entries = rule.export_to.iter().map(String::as_str);
        if rule.workload_selector.is_some() {
            return Self { local: true, exported: false };
        }
        if rule.export_to.is_empty() {
            // Of the default only `.` has a meaning, whatever else stands there (rule DR-8).
            let default = &settings.default_destination_rule_export_to;
            return Self { local: true, exported: !default.iter().any(|entry| entry == ".") };
        }
        let first = rule.export_to.first();
        let one = rule.export_to.iter().all(|entry| Some(entry) == first);
        Self {
            local: entries.clone().any(|entry| entry == "*" || own(entry)),
            exported: !(one && entries.all(own)),
        }
    }
}

/// The names of the rules that were merged.
pub(crate) fn names(rule: Option<&Merged>) -> Vec<ResourceName> {
    rule.map_or_else(Vec::new, |rule| rule.from().cloned().collect())
}
