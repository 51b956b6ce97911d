//! The decision over one connection.

use std::fmt;

use serde::Serialize;

use super::Action;
use super::compile::CompiledPolicy;
use super::connection::Connection;
use crate::{PolicySet, ResourceName, Workload};

impl PolicySet {
    /// Decides whether a workload may take a connection (rule AZ-1). Does not allocate.
    ///
    /// It says nothing about plaintext or mutual TLS: [`resolve`](Self::resolve) does.
    pub fn authorize(&self, workload: &Workload, connection: &Connection<'_>) -> Authorization<'_> {
        self.authorization_policies()
            .authorize(workload, connection)
    }
}

/// Whether a connection may pass, and what would be if the policies under trial were in force.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Authorization<'a> {
    verdict: Verdict<'a>,
    shadow: Option<Verdict<'a>>,
}

impl<'a> Authorization<'a> {
    /// Whether the connection may pass.
    pub fn allow(&self) -> bool {
        self.verdict.allow()
    }

    /// Why.
    pub fn reason(&self) -> AuthorizationReason {
        self.verdict.reason
    }

    /// The policy that decided; `None` where none did.
    pub fn policy(&self) -> Option<&'a ResourceName> {
        self.verdict.policy()
    }

    /// The number of the rule that decided, from 0 in the order of the policy.
    pub fn rule(&self) -> Option<usize> {
        self.verdict.rule()
    }

    /// The answer that counts.
    pub fn verdict(&self) -> Verdict<'a> {
        self.verdict
    }

    /// The answer if no policy had the annotation [`DRY_RUN`](super::AuthorizationPolicy::DRY_RUN); `None` if none for the workload has
    /// it.
    pub fn shadow(&self) -> Option<Verdict<'a>> {
        self.shadow
    }
}

/// Whether a connection may pass, and why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Verdict<'a> {
    reason: AuthorizationReason,
    decided: Option<(&'a ResourceName, usize)>,
}

impl<'a> Verdict<'a> {
    /// Whether the connection may pass.
    pub fn allow(&self) -> bool {
        self.reason.allows()
    }

    /// Why.
    pub fn reason(&self) -> AuthorizationReason {
        self.reason
    }

    /// The policy that decided; `None` where none did.
    pub fn policy(&self) -> Option<&'a ResourceName> {
        self.decided.map(|(policy, _)| policy)
    }

    /// The number of the rule that decided, from 0 in the order of the policy.
    pub fn rule(&self) -> Option<usize> {
        self.decided.map(|(_, rule)| rule)
    }
}

/// Why a connection may pass, or not (rule AZ-1).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuthorizationReason {
    /// A CUSTOM policy matches, and there is no external authorizer to ask: refused.
    CustomUnavailable,
    /// A DENY policy matches: refused.
    DenyPolicyMatched,
    /// No DENY policy matches, and no ALLOW policy is in force: allowed.
    NoAllowPolicy,
    /// No DENY policy matches, and an ALLOW policy does: allowed.
    AllowPolicyMatched,
    /// ALLOW policies are in force and none of them matches: refused.
    NoAllowPolicyMatched,
}

impl AuthorizationReason {
    /// Whether it lets the connection pass.
    pub fn allows(self) -> bool {
        match self {
            Self::NoAllowPolicy | Self::AllowPolicyMatched => true,
            Self::CustomUnavailable | Self::DenyPolicyMatched | Self::NoAllowPolicyMatched => false,
        }
    }

    /// A short name that stays stable, for metrics and tests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CustomUnavailable => "custom_unavailable",
            Self::DenyPolicyMatched => "deny_policy_matched",
            Self::NoAllowPolicy => "no_allow_policy",
            Self::AllowPolicyMatched => "allow_policy_matched",
            Self::NoAllowPolicyMatched => "no_allow_policy_matched",
        }
    }
}

/// As a sentence, such as `a DENY policy matches`.
impl fmt::Display for AuthorizationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CustomUnavailable => {
                "a CUSTOM policy matches, and there is no external authorizer here"
            }
            Self::DenyPolicyMatched => "a DENY policy matches",
            Self::NoAllowPolicy => "no ALLOW policy is in force",
            Self::AllowPolicyMatched => "an ALLOW policy matches",
            Self::NoAllowPolicyMatched => "no ALLOW policy matches",
        })
    }
}

/// Asks the policies for a workload, in order of precedence.
pub(super) fn authorize<'a>(
    policies: impl Iterator<Item = &'a CompiledPolicy> + Clone,
    connection: &Connection<'_>,
) -> Authorization<'a> {
    let verdict = verdict(policies.clone().filter(|policy| !policy.dry_run), connection);
    let on_trial = policies.clone().any(|policy| policy.dry_run);
    Authorization { verdict, shadow: on_trial.then(|| self::verdict(policies, connection)) }
}

/// CUSTOM comes first, then DENY, then ALLOW; within an action the first policy that matches.
fn verdict<'a>(
    policies: impl Iterator<Item = &'a CompiledPolicy> + Clone,
    connection: &Connection<'_>,
) -> Verdict<'a> {
    let of = |action| {
        policies
            .clone()
            .filter(move |policy| policy.policy.action == action)
    };
    let matching = |action| {
        of(action).find_map(|policy| Some((policy.name(), policy.matching_rule(connection)?)))
    };
    for (action, reason) in [
        (Action::Custom, AuthorizationReason::CustomUnavailable),
        (Action::Deny, AuthorizationReason::DenyPolicyMatched),
        (Action::Allow, AuthorizationReason::AllowPolicyMatched),
    ] {
        if let Some(decided) = matching(action) {
            return Verdict { reason, decided: Some(decided) };
        }
    }
    let reason = match of(Action::Allow).next() {
        Some(_) => AuthorizationReason::NoAllowPolicyMatched,
        None => AuthorizationReason::NoAllowPolicy,
    };
    Verdict { reason, decided: None }
}
