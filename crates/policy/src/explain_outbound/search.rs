//! The search for a rule as data, and the rules that lost.

use serde::Serialize;

use crate::discovery::ServiceView;
use crate::rule_lookup::{self, Found, Merged, Scope, covers, resolved_host};
use crate::{DestinationRule, PolicySet, ResourceName, RuleStep, Workload};

/// What one step of the search does.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StepReport {
    /// The step.
    pub step: RuleStep,
    /// The namespace whose rules are looked at.
    pub namespace: String,
    /// What comes of it.
    #[serde(flatten)]
    pub outcome: StepOutcome,
}

/// What comes of a step.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepOutcome {
    /// An earlier step ended the search.
    NotReached,
    /// No rule there is for the host. The search goes on.
    NoRule,
    /// The rules for the best host that fits are not exported to the client. Others there are not looked at; the search goes on.
    NotExported {
        /// Their host.
        host: String,
        /// Their names.
        rules: Vec<ResourceName>,
    },
    /// The rules for the best host that fits have selectors, none of which selects the client. The search ends without a rule.
    NotSelected {
        /// Their host.
        host: String,
        /// Their names.
        rules: Vec<ResourceName>,
    },
    /// The client goes by these rules, merged. The search ends.
    Won {
        /// Their host.
        host: String,
        /// Their names, in order of precedence.
        rules: Vec<ResourceName>,
    },
}

impl StepOutcome {
    /// The best host that fits there.
    fn host(&self) -> Option<&str> {
        match self {
            Self::NotReached | Self::NoRule => None,
            Self::NotExported { host, .. }
            | Self::NotSelected { host, .. }
            | Self::Won { host, .. } => Some(host),
        }
    }

    fn ends_search(&self) -> bool {
        matches!(self, Self::NotSelected { .. } | Self::Won { .. })
    }
}

/// A rule whose host covers the service, and that the client does not go by.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RuleLoser {
    /// The rule.
    pub rule: ResourceName,
    /// Its host, in full.
    pub host: String,
    /// Why.
    #[serde(flatten)]
    pub reason: RuleLossReason,
}

/// Why a client does not go by a rule.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RuleLossReason {
    /// It is in none of the namespaces that are looked at: the client's, the service's and the root namespace.
    OtherNamespace,
    /// It is not exported to the client.
    NotExported,
    /// An earlier step ended the search, however well this rule's host would fit.
    EarlierStep {
        /// That step.
        ended_by: RuleStep,
    },
    /// Another rule of the namespace has a host that fits better.
    LessSpecific {
        /// The better host.
        than: String,
    },
    /// Its selector asks for a label that the client does not have.
    SelectorMismatch {
        /// The label's key.
        key: String,
        /// The value asked for.
        wanted: String,
        /// The value of the client.
        found: Option<String>,
    },
    /// Another rule for the same host is taken: one that selects the client, or a younger one with another `exportTo`.
    OtherRuleWon,
    /// It was merged into older rules for the same host, and does not stand by itself: they are not for the client.
    MergedAway,
}

/// The search, and the rule that it finds.
#[derive(Debug, Default)]
pub(super) struct Search<'a> {
    pub(super) steps: Vec<StepReport>,
    pub(super) winner: Option<&'a Merged>,
    pub(super) losers: Vec<RuleLoser>,
}

pub(super) fn search<'a>(
    set: &'a PolicySet,
    client: &Workload,
    service: &ServiceView,
) -> Search<'a> {
    let root = set.settings().root_namespace.as_str();
    let (namespace, host) = (service.namespace.as_str(), service.hostname.as_str());
    let mut steps = Vec::new();
    let mut winner = None;
    let mut ended = false;
    let rules = set.destination_rules();
    for (step, found) in rules.steps(set.settings(), &client.namespace, namespace, host) {
        let outcome = match found {
            _ if ended => StepOutcome::NotReached,
            Found::Nothing => StepOutcome::NoRule,
            Found::Hidden(rules) => {
                StepOutcome::NotExported { host: host_of(rules.first()), rules: all_names(rules) }
            }
            Found::Rules(visible) => {
                winner = rule_lookup::select(&visible, client);
                let host = host_of(visible.first().copied());
                match winner {
                    Some(rule) => StepOutcome::Won { host, rules: rule.from().cloned().collect() },
                    None => StepOutcome::NotSelected { host, rules: all_names(visible) },
                }
            }
        };
        ended |= outcome.ends_search();
        let namespace = match step {
            RuleStep::ClientNamespace => &client.namespace,
            RuleStep::ServiceNamespace => namespace,
            RuleStep::RootNamespacePrivate | RuleStep::RootNamespace => root,
        };
        steps.push(StepReport { step, namespace: namespace.to_owned(), outcome });
    }
    let won = rule_lookup::names(winner);
    let losers = rules
        .all()
        .filter(|rule| covers(&resolved_host(rule), host) && !won.contains(rule.name()))
        .map(|rule| RuleLoser {
            rule: rule.name().clone(),
            host: resolved_host(rule).into_owned(),
            reason: loss(set, client, &steps, rule),
        })
        .collect();
    Search { steps, winner, losers }
}

fn loss(
    set: &PolicySet,
    client: &Workload,
    steps: &[StepReport],
    rule: &DestinationRule,
) -> RuleLossReason {
    let scope = Scope::of(set.settings(), rule);
    let mut near = steps
        .iter()
        .filter(|report| report.namespace == rule.name().namespace())
        .peekable();
    if near.peek().is_none() {
        return RuleLossReason::OtherNamespace;
    }
    let looked_at = near.find(|report| match report.step {
        RuleStep::ClientNamespace => scope.local,
        RuleStep::RootNamespacePrivate => !scope.exported,
        RuleStep::ServiceNamespace | RuleStep::RootNamespace => scope.exported,
    });
    let Some(report) = looked_at else { return RuleLossReason::NotExported };
    let ender = steps
        .iter()
        .find(|report| report.outcome.ends_search())
        .map(|report| report.step);
    match (&report.outcome, ender) {
        (StepOutcome::NotReached, Some(ended_by)) => RuleLossReason::EarlierStep { ended_by },
        (outcome, _) => match outcome.host() {
            Some(best) if best != resolved_host(rule) => {
                RuleLossReason::LessSpecific { than: best.to_owned() }
            }
            _ => beside_the_winner(client, outcome, rule),
        },
    }
}

/// Why a rule lost whose host is the best one of its step.
fn beside_the_winner(
    client: &Workload,
    outcome: &StepOutcome,
    rule: &DestinationRule,
) -> RuleLossReason {
    let selector = rule.workload_selector.as_ref();
    if let Some(mismatch) = selector.and_then(|labels| labels.first_mismatch(&client.labels)) {
        return RuleLossReason::SelectorMismatch {
            key: mismatch.key.to_owned(),
            wanted: mismatch.wanted.to_owned(),
            found: mismatch.found.map(str::to_owned),
        };
    }
    let own = rule.name().namespace() == client.namespace;
    let to_all = rule.export_to.is_empty() || rule.export_to.iter().any(|to| to == "*");
    let to_client = rule.export_to.contains(&client.namespace);
    match outcome {
        _ if !(own || to_all || to_client) => RuleLossReason::NotExported,
        StepOutcome::Won { .. } => RuleLossReason::OtherRuleWon,
        StepOutcome::NotSelected { .. } | StepOutcome::NotExported { .. } => {
            RuleLossReason::MergedAway
        }
        // A step that the rule is in finds it.
        StepOutcome::NotReached | StepOutcome::NoRule => RuleLossReason::NotExported,
    }
}

fn all_names<'a>(rules: impl IntoIterator<Item = &'a Merged>) -> Vec<ResourceName> {
    let names = rules.into_iter().flat_map(Merged::from).cloned();
    let mut names: Vec<ResourceName> = names.collect();
    names.sort();
    names.dedup();
    names
}

fn host_of(rule: Option<&Merged>) -> String {
    rule.map(|rule| resolved_host(rule.origin()).into_owned())
        .unwrap_or_default()
}
