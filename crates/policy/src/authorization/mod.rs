//! `AuthorizationPolicy`: who may connect, as far as a connection shows it.

mod attribute;
mod compile;
mod connection;
mod decide;
pub(crate) mod expand;
mod explain;
mod index;
mod ip_block;
mod lists;
mod matcher;
mod read;
mod rule;
mod serde_form;
mod values;
mod violation;

pub use attribute::{Attribute, Sense};
pub use connection::{Connection, PeerNames};
pub use decide::{Authorization, AuthorizationReason, Verdict};
pub use explain::{
    AuthorizationExplanation, AuthorizationNote, AuthorizationTrap, ConnectionReport,
    FailedCondition, NotSelected, PolicyOutcome, PolicyReport, RuleReport, UnknownCondition,
    VerdictReport,
};
pub use index::{AuthorizationPolicies, SelectedAuthorization};
pub use rule::{Condition, Operation, Rule, Source};
pub use violation::AuthorizationViolation;

use serde::{Deserialize, Serialize};

use crate::{Labels, Metadata, ResourceName, Timestamp, dry_run};

/// An `AuthorizationPolicy` (`security.istio.io/v1`).
///
/// Rules may ask for what only HTTP requests have. Such conditions are kept and printed, and never looked at: on a connection an ALLOW
/// rule with one matches nothing, and a DENY rule without its HTTP conditions denies more (rules AZ-8 and AZ-9).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct AuthorizationPolicy {
    /// Name, age and annotations; [`DRY_RUN`](Self::DRY_RUN) is one.
    pub metadata: Metadata,
    /// The workloads it is for; empty: the whole namespace. In the root namespace both reach every namespace (rule AZ-2).
    pub selector: Labels,
    /// Gateways and services it is for instead. A policy with any has no effect on workloads (rule AZ-3).
    pub target_refs: Vec<TargetRef>,
    /// What happens to a connection that a rule matches. Default [`Action::Allow`].
    pub action: Action,
    /// The name of the external authorizer that [`Action::Custom`] asks.
    pub provider: Option<String>,
    /// A connection matches the policy if it matches one of them. Without any, ALLOW denies everything (rule AZ-6).
    pub rules: Vec<Rule>,
}

impl AuthorizationPolicy {
    /// The annotation that takes a policy out of force: `true` or `false`.
    ///
    /// With `true` the policy takes part in [`Authorization::shadow`] only.
    pub const DRY_RUN: &'static str = "istio.io/dry-run";

    /// A policy without rules or selector: it denies everything in its namespace, until a rule allows something.
    pub fn new(namespace: impl AsRef<str>, name: impl AsRef<str>) -> Self {
        Self::with_metadata(Metadata::new(ResourceName::new(namespace, name)))
    }

    pub(crate) fn with_metadata(metadata: Metadata) -> Self {
        Self {
            metadata,
            selector: Labels::default(),
            target_refs: Vec::new(),
            action: Action::Allow,
            provider: None,
            rules: Vec::new(),
        }
    }

    /// Sets the action.
    #[must_use]
    pub fn with_action(mut self, action: Action) -> Self {
        self.action = action;
        self
    }

    /// Sets the labels that a workload must have.
    #[must_use]
    pub fn with_selector(mut self, selector: impl Into<Labels>) -> Self {
        self.selector = selector.into();
        self
    }

    /// Adds a gateway or service that the policy is for.
    #[must_use]
    pub fn with_target_ref(mut self, target: TargetRef) -> Self {
        self.target_refs.push(target);
        self
    }

    /// Names the external authorizer.
    #[must_use]
    pub fn with_provider(mut self, provider: impl Into<String>) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// Adds a rule.
    #[must_use]
    pub fn with_rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Takes the policy out of force, or puts it back, by its annotation [`DRY_RUN`](Self::DRY_RUN).
    #[must_use]
    pub fn with_dry_run(mut self, dry_run: bool) -> Self {
        self.metadata
            .annotations
            .insert(Self::DRY_RUN, dry_run.to_string());
        self
    }

    /// Sets the creation time, by which policies are ordered where several match.
    #[must_use]
    pub fn with_created(mut self, created: Timestamp) -> Self {
        self.metadata.created = Some(created);
        self
    }

    /// Namespace and name.
    pub fn name(&self) -> &ResourceName {
        &self.metadata.name
    }

    /// Whether the policy is out of force. Any annotation but `true` leaves it in force.
    pub fn is_dry_run(&self) -> bool {
        dry_run::is_on(&self.metadata, Self::DRY_RUN)
    }
}

/// What happens to a connection that a policy matches.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(clippy::exhaustive_enums, reason = "a decision is a match over the actions")]
pub enum Action {
    /// It may pass; and once there is such a policy, nothing else may.
    Allow,
    /// It is refused, whatever allows it.
    Deny,
    /// It is logged; here without effect.
    Audit,
    /// An external authorizer is asked. There is none here, so the connection is refused.
    Custom,
}

impl Action {
    /// All, in the order of Istio's API.
    pub const ALL: [Self; 4] = [Self::Allow, Self::Deny, Self::Audit, Self::Custom];

    /// As in a policy, such as `ALLOW`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "ALLOW",
            Self::Deny => "DENY",
            Self::Audit => "AUDIT",
            Self::Custom => "CUSTOM",
        }
    }
}

/// As in a policy.
impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A gateway or service that a policy is for.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TargetRef {
    /// The API group, empty for Kubernetes' own kinds.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// `Service`, `ServiceEntry`, `Gateway` or `GatewayClass`.
    pub kind: String,
    /// Its name, in the policy's namespace.
    pub name: String,
}

impl TargetRef {
    /// A reference to an object in the policy's namespace.
    pub fn new(group: impl Into<String>, kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self { group: group.into(), kind: kind.into(), name: name.into() }
    }
}
