//! Why a connection may pass, or not: what each policy said, and what surprises people here.

mod notes;
mod text;

use std::net::IpAddr;

use serde::Serialize;

use super::attribute::Sense;
use super::compile::{CompiledPolicy, CompiledRule, Test};
use super::connection::Connection;
use super::{Action, Attribute, AuthorizationReason, Verdict};
use crate::field::shorten;
use crate::{PolicySet, ResourceName, Workload};

pub use notes::{AuthorizationNote, AuthorizationTrap};

impl PolicySet {
    /// Says why a workload may take a connection, or not: what [`authorize`](Self::authorize) answers, and why.
    ///
    /// Every policy of the set is in the answer.
    pub fn explain_authorization(
        &self,
        workload: &Workload,
        connection: &Connection<'_>,
    ) -> AuthorizationExplanation {
        let answer = self.authorize(workload, connection);
        let policies = self.authorization_policies();
        let deciding = answer.policy();
        let mut reports: Vec<PolicyReport> = policies
            .selected(workload)
            .map(|policy| PolicyReport {
                decides: deciding == Some(policy.name()),
                outcome: PolicyOutcome::of(policy, connection),
                ..PolicyReport::new(policy)
            })
            .collect();
        let rank = |report: &PolicyReport| match report.action {
            Action::Custom => 0,
            Action::Deny => 1,
            Action::Allow => 2,
            Action::Audit => 3,
        };
        // Stable: within an action the order of precedence stays.
        reports.sort_by_key(rank);
        let mut others: Vec<PolicyReport> = policies
            .all()
            .filter_map(|policy| {
                let reason = self.not_selected(policy, workload)?;
                let outcome = PolicyOutcome::NotSelected { reason };
                Some(PolicyReport { outcome, ..PolicyReport::new(policy) })
            })
            .collect();
        others.sort_by(|a, b| (a.is_elsewhere(), &a.policy).cmp(&(b.is_elsewhere(), &b.policy)));
        let domains = self.settings().domains();
        let mut notes: Vec<AuthorizationNote> = policies
            .selected(workload)
            .flat_map(|policy| notes::of(policy, &domains))
            .collect();
        notes.extend(notes::foreign_domain(
            &policies.selected(workload),
            &answer,
            connection,
            &domains,
        ));
        AuthorizationExplanation {
            workload: workload.clone(),
            connection: ConnectionReport::new(connection),
            verdict: VerdictReport::new(&answer.verdict()),
            shadow: answer.shadow().map(|shadow| VerdictReport::new(&shadow)),
            policies: reports.into_iter().chain(others).collect(),
            notes,
        }
    }

    /// Why a policy is not for the workload; `None` if it is.
    fn not_selected(&self, policy: &CompiledPolicy, workload: &Workload) -> Option<NotSelected> {
        let namespace = policy.name().namespace();
        let reaches =
            namespace == workload.namespace || namespace == self.settings().root_namespace;
        if !reaches {
            return Some(NotSelected::OtherNamespace);
        }
        if !policy.policy.target_refs.is_empty() {
            return Some(NotSelected::TargetRefs);
        }
        let mismatch = policy.policy.selector.first_mismatch(&workload.labels)?;
        Some(NotSelected::SelectorMismatch {
            key: mismatch.key.to_owned(),
            wanted: mismatch.wanted.to_owned(),
            found: mismatch.found.map(str::to_owned),
        })
    }
}

/// Why a connection may pass, or not. Its `Display` is for operators; the data is for programs.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AuthorizationExplanation {
    /// The workload asked about.
    pub workload: Workload,
    /// The connection asked about.
    pub connection: ConnectionReport,
    /// The answer that counts.
    pub verdict: VerdictReport,
    /// The answer if the policies on trial were in force; `None` if none is on trial.
    pub shadow: Option<VerdictReport>,
    /// Every policy: first those for the workload, in the order in which they are asked, then the others by name.
    pub policies: Vec<PolicyReport>,
    /// What surprises people about the policies for the workload.
    pub notes: Vec<AuthorizationNote>,
}

/// A connection as it was asked about.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ConnectionReport {
    /// The names in the peer's certificate; `None` for plaintext.
    pub peer: Option<Vec<String>>,
    /// The address it comes from.
    pub source: IpAddr,
    /// The address of the original client.
    pub remote: IpAddr,
    /// The address it goes to.
    pub destination: IpAddr,
    /// The workload port it goes to.
    pub port: u16,
    /// The server name asked for, at most 64 characters of it.
    pub sni: Option<String>,
}

impl ConnectionReport {
    fn new(connection: &Connection<'_>) -> Self {
        let Connection { peer, source, remote, destination, port, sni } = *connection;
        Self {
            peer: peer.map(|names| names.iter().map(str::to_owned).collect()),
            source,
            remote,
            destination,
            port,
            sni: sni.map(shorten),
        }
    }
}

/// A [`Verdict`] to keep.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct VerdictReport {
    /// Whether the connection may pass.
    pub allow: bool,
    /// Why.
    pub reason: AuthorizationReason,
    /// The policy that decided; `None` where none did.
    pub policy: Option<ResourceName>,
    /// The number of the rule that decided, from 0.
    pub rule: Option<usize>,
}

impl VerdictReport {
    fn new(verdict: &Verdict<'_>) -> Self {
        Self {
            allow: verdict.allow(),
            reason: verdict.reason(),
            policy: verdict.policy().cloned(),
            rule: verdict.rule(),
        }
    }
}

/// What one policy said.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PolicyReport {
    /// The policy.
    pub policy: ResourceName,
    /// What it does with what it matches.
    pub action: Action,
    /// Whether it is on trial, so that it counts in [`AuthorizationExplanation::shadow`] only.
    pub dry_run: bool,
    /// Whether the answer comes from it.
    pub decides: bool,
    /// Whether it matches, and why not.
    #[serde(flatten)]
    pub outcome: PolicyOutcome,
}

impl PolicyReport {
    fn new(policy: &CompiledPolicy) -> Self {
        Self {
            policy: policy.name().clone(),
            action: policy.policy.action,
            dry_run: policy.dry_run,
            decides: false,
            outcome: PolicyOutcome::NoMatch { rules: Vec::new() },
        }
    }

    fn is_elsewhere(&self) -> bool {
        matches!(self.outcome, PolicyOutcome::NotSelected { reason: NotSelected::OtherNamespace })
    }
}

/// Whether a policy matches a connection.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum PolicyOutcome {
    /// It matches.
    Matches {
        /// The number of the first rule that matches, from 0.
        rule: usize,
    },
    /// It does not match.
    NoMatch {
        /// Each of its rules with the reason. Without any the policy matches nothing.
        rules: Vec<RuleReport>,
    },
    /// It is not for the workload.
    NotSelected {
        /// Why not.
        reason: NotSelected,
    },
}

impl PolicyOutcome {
    fn of(policy: &CompiledPolicy, connection: &Connection<'_>) -> Self {
        if let Some(rule) = policy.matching_rule(connection) {
            return Self::Matches { rule };
        }
        let rules = policy
            .rules
            .iter()
            .enumerate()
            .map(|(nth, rule)| RuleReport::new(nth, rule, connection))
            .collect();
        Self::NoMatch { rules }
    }
}

/// Why a policy is not for a workload.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
#[non_exhaustive]
pub enum NotSelected {
    /// It is of another namespace, which is not the root namespace (rule AZ-2).
    OtherNamespace,
    /// It is for gateways or services (rule AZ-3).
    TargetRefs,
    /// The selector asks for a label that the workload does not have.
    SelectorMismatch {
        /// The label's key.
        key: String,
        /// The value asked for.
        wanted: String,
        /// The value of the workload.
        found: Option<String>,
    },
}

/// Why a rule does not match.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RuleReport {
    /// The number of the rule, from 0.
    pub rule: usize,
    /// The conditions that no connection can be asked about. An ALLOW rule with one never matches (rule AZ-8).
    pub unknown: Vec<UnknownCondition>,
    /// The conditions that failed: of each source, or each operation, the first, if all of them failed; and each further one.
    pub failed: Vec<FailedCondition>,
}

impl RuleReport {
    fn new(nth: usize, rule: &CompiledRule, connection: &Connection<'_>) -> Self {
        let failing = |tests: &Vec<Test>| {
            tests
                .iter()
                .find(|test| !test.passes(connection))
                .map(|test| FailedCondition::new(test, connection))
        };
        // One that passes is enough, and then the others do not matter.
        let all_failing = |choices: &[Vec<Test>]| {
            choices
                .iter()
                .map(failing)
                .collect::<Option<Vec<_>>>()
                .unwrap_or_default()
        };
        let mut failed = all_failing(&rule.sources);
        failed.extend(all_failing(&rule.operations));
        failed.extend(
            rule.when
                .iter()
                .filter(|test| !test.passes(connection))
                .map(|test| FailedCondition::new(test, connection)),
        );
        let unknown = rule
            .dropped
            .iter()
            .map(|list| UnknownCondition {
                field: list.field.clone(),
                attribute: list.attribute,
                values: list.values.clone(),
            })
            .collect();
        Self { rule: nth, unknown, failed }
    }
}

/// A condition on something that no connection shows.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct UnknownCondition {
    /// Where it stands in its rule, such as `to[0].operation.methods`.
    pub field: String,
    /// What it looks at.
    pub attribute: Attribute,
    /// Its values.
    pub values: Vec<String>,
}

/// A condition that a connection does not satisfy.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FailedCondition {
    /// Where it stands in its rule, such as `from[0].source.principals`.
    pub field: String,
    /// What it looks at.
    pub attribute: Attribute,
    /// Whether one of its values had to fit, or none.
    pub sense: Sense,
    /// Its values, as they are written.
    pub values: Vec<String>,
    /// What the connection has there; nothing for a peer without identity, or a client that asked for no server name.
    pub found: Vec<String>,
}

impl FailedCondition {
    fn new(test: &Test, connection: &Connection<'_>) -> Self {
        Self {
            field: test.field.clone(),
            attribute: test.attribute,
            sense: test.sense,
            values: test.values.clone(),
            found: found(test.attribute, connection),
        }
    }
}

fn found(attribute: Attribute, connection: &Connection<'_>) -> Vec<String> {
    match attribute {
        Attribute::SourcePrincipal
        | Attribute::SourceNamespace
        | Attribute::SourceServiceAccount
        | Attribute::SourceTrustDomain => connection
            .peer
            .iter()
            .flat_map(|names| names.iter())
            .map(str::to_owned)
            .collect(),
        Attribute::SourceIp => vec![connection.source.to_string()],
        Attribute::RemoteIp => vec![connection.remote.to_string()],
        Attribute::DestinationIp => vec![connection.destination.to_string()],
        Attribute::DestinationPort => vec![connection.port.to_string()],
        Attribute::Sni => connection.sni.into_iter().map(shorten).collect(),
        Attribute::Http | Attribute::EnvoyMetadata => Vec::new(),
    }
}
