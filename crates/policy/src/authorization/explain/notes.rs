//! What surprises people about authorization policies.

use std::fmt;

use meshtls_identity::{MeshDomains, SpiffeId};
use serde::Serialize;

use crate::authorization::attribute::{Attribute, Sense};
use crate::authorization::compile::{CompiledPolicy, CompiledRule, Test};
use crate::authorization::connection::Connection;
use crate::authorization::expand::{self, POINTER};
use crate::authorization::{Action, Authorization, AuthorizationPolicy};
use crate::{MeshSettings, ResourceName};

impl AuthorizationPolicy {
    /// What surprises people about this policy in a mesh with these settings, whatever the connection.
    pub fn traps(&self, settings: &MeshSettings) -> Vec<AuthorizationNote> {
        let domains = settings.domains();
        of(&CompiledPolicy::new(self.clone(), &domains), &domains).collect()
    }
}

/// Something about a policy that surprises people.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AuthorizationNote {
    /// The policy.
    pub policy: ResourceName,
    /// The number of its rule, from 0.
    pub rule: usize,
    /// Where it stands in the rule, such as `from[0].source.principals`.
    pub field: String,
    /// What it is.
    #[serde(flatten)]
    pub trap: AuthorizationTrap,
}

/// What surprises people.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "trap", rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuthorizationTrap {
    /// `cluster.local` in a principal means the mesh, whose trust domain is another (rule AZ-17, istio/istio#47027).
    ClusterLocalMeansTheMesh {
        /// The principal.
        value: String,
        /// What it stands for.
        means: Vec<String>,
    },
    /// `cluster.local` in a list of trust domains is a name, and not the mesh's (rule AZ-17).
    ClusterLocalIsAName,
    /// A principal that is not in the layout of five parts keeps its trust domain: no alias is added, and `cluster.local` is a name
    /// (rule AZ-17, istio/istio#47322).
    NotExpanded {
        /// The principal.
        value: String,
    },
    /// Principals are written without `spiffe://`: this one fits nobody (rule AZ-10).
    Scheme {
        /// The principal.
        value: String,
    },
    /// A star that is neither first nor last is an ordinary character (rule AZ-10).
    LiteralStar {
        /// The value.
        value: String,
    },
    /// Nothing but `not` conditions on the identity: plaintext peers satisfy them all (rule AZ-14).
    PlaintextSatisfiesNot,
    /// Conditions that no connection can be asked about are left out, so that the rule matches more (rule AZ-9).
    Widened {
        /// What the rule asks for in vain.
        values: Vec<String>,
    },
    /// Conditions that no connection can be asked about take their ALLOW rule with them, so that it matches nothing (rule AZ-8).
    NeverMatches {
        /// What the rule asks for in vain.
        values: Vec<String>,
    },
    /// There is no external authorizer here: what the rule matches is refused (rule AZ-5).
    NoAuthorizer {
        /// The provider that the policy names.
        provider: Option<String>,
    },
    /// The rule let in a peer from outside the mesh, because it asks for a namespace or a service account of any trust domain
    /// (rules AZ-11 and AZ-12).
    AnyTrustDomain {
        /// The trust domain of the peer.
        found: String,
    },
}

/// The notes about one policy.
pub(super) fn of<'a>(
    policy: &'a CompiledPolicy,
    domains: &'a MeshDomains,
) -> impl Iterator<Item = AuthorizationNote> + 'a {
    policy
        .rules
        .iter()
        .enumerate()
        .flat_map(move |(nth, rule)| {
            let note = move |(field, trap): (String, AuthorizationTrap)| AuthorizationNote {
                policy: policy.name().clone(),
                rule: nth,
                field,
                trap,
            };
            of_rule(policy, rule, domains).into_iter().map(note)
        })
}

fn of_rule(
    policy: &CompiledPolicy,
    rule: &CompiledRule,
    domains: &MeshDomains,
) -> Vec<(String, AuthorizationTrap)> {
    let mut notes = Vec::new();
    let action = policy.policy.action;
    if action == Action::Custom {
        let provider = policy.policy.provider.clone();
        notes.push((String::new(), AuthorizationTrap::NoAuthorizer { provider }));
    }
    for list in &rule.dropped {
        let values = list.values.clone();
        let trap = match action {
            Action::Allow => AuthorizationTrap::NeverMatches { values },
            Action::Deny | Action::Audit | Action::Custom => AuthorizationTrap::Widened { values },
        };
        notes.push((list.field.clone(), trap));
    }
    for test in tests(rule) {
        let traps = test
            .values
            .iter()
            .filter_map(|value| of_value(test.attribute, value, domains));
        notes.extend(traps.map(|trap| (test.field.clone(), trap)));
    }
    if action == Action::Allow
        && !rule.discarded
        && let Some(test) = open_to_plaintext(rule)
    {
        notes.push((test.field.clone(), AuthorizationTrap::PlaintextSatisfiesNot));
    }
    notes
}

/// The first `not` condition on an identity where nothing asks for one: neither its source nor `when`.
fn open_to_plaintext(rule: &CompiledRule) -> Option<&Test> {
    let on_identity = |test: &&Test, sense| test.attribute.is_identity() && test.sense == sense;
    let asks = |tests: &Vec<Test>| tests.iter().any(|test| on_identity(&test, Sense::OneOf));
    if asks(&rule.when) || (!rule.sources.is_empty() && rule.sources.iter().all(asks)) {
        return None;
    }
    rule.sources
        .iter()
        .filter(|source| !asks(source))
        .flatten()
        .chain(&rule.when)
        .find(|test| on_identity(test, Sense::NoneOf))
}

fn of_value(attribute: Attribute, value: &str, domains: &MeshDomains) -> Option<AuthorizationTrap> {
    let owned = value.to_owned();
    let is_mesh = |domain: &str| expand::names(domains).any(|name| name == domain);
    match attribute {
        Attribute::SourcePrincipal => {
            if value.starts_with("spiffe://") {
                return Some(AuthorizationTrap::Scheme { value: owned });
            }
            if has_literal_star(value) {
                return Some(AuthorizationTrap::LiteralStar { value: owned });
            }
            match expand::domain_of(value) {
                Some((POINTER, _)) if !is_mesh(POINTER) => {
                    let means = expand::principals(value, domains);
                    Some(AuthorizationTrap::ClusterLocalMeansTheMesh { value: owned, means })
                }
                Some(_) => None,
                None => {
                    let domain = value.split_once('/').map_or(value, |(domain, _)| domain);
                    let domain = domain.strip_suffix('*').unwrap_or(domain);
                    let loses = if is_mesh(domain) {
                        !domains.aliases().is_empty()
                    } else {
                        domain == POINTER
                    };
                    loses.then_some(AuthorizationTrap::NotExpanded { value: owned })
                }
            }
        }
        Attribute::SourceTrustDomain if value == POINTER && !is_mesh(POINTER) => {
            Some(AuthorizationTrap::ClusterLocalIsAName)
        }
        Attribute::Sni if has_literal_star(value) => {
            Some(AuthorizationTrap::LiteralStar { value: owned })
        }
        _ => None,
    }
}

/// Whether a star is left when the pattern of rule AZ-10 has taken its own.
fn has_literal_star(value: &str) -> bool {
    let rest = value
        .strip_prefix('*')
        .or_else(|| value.strip_suffix('*'))
        .unwrap_or(value);
    rest.contains('*')
}

/// The note that an ALLOW rule let in a peer of another mesh, because of its namespace or service account.
pub(super) fn foreign_domain<'a>(
    policies: &(impl Iterator<Item = &'a CompiledPolicy> + Clone),
    answer: &Authorization<'_>,
    connection: &Connection<'_>,
    domains: &MeshDomains,
) -> Option<AuthorizationNote> {
    let (name, nth) = (answer.policy()?, answer.rule()?);
    let domain = connection
        .peer?
        .iter()
        .filter_map(|name| name.parse::<SpiffeId>().ok())
        .map(|id| id.trust_domain().clone())
        .find(|domain| !domains.contains(domain))?;
    let policy = policies.clone().find(|policy| policy.name() == name)?;
    let rule = policy.rules.get(nth)?;
    let positive = |attribute| {
        tests(rule).find(|test| test.attribute == attribute && test.sense == Sense::OneOf)
    };
    let ties =
        positive(Attribute::SourcePrincipal).or_else(|| positive(Attribute::SourceTrustDomain));
    let test = positive(Attribute::SourceNamespace)
        .or_else(|| positive(Attribute::SourceServiceAccount))?;
    (answer.allow() && ties.is_none()).then(|| AuthorizationNote {
        policy: name.clone(),
        rule: nth,
        field: test.field.clone(),
        trap: AuthorizationTrap::AnyTrustDomain { found: domain.to_string() },
    })
}

fn tests(rule: &CompiledRule) -> impl Iterator<Item = &Test> {
    rule.sources
        .iter()
        .chain(&rule.operations)
        .flatten()
        .chain(&rule.when)
}

/// Such as ``foo/web rule 0, from[0].source.principals: `cluster.local/ns/a/sa/b` means prod.example/ns/a/sa/b ...``.
impl fmt::Display for AuthorizationNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rule {}", self.policy, self.rule)?;
        if !self.field.is_empty() {
            write!(f, ", {}", self.field)?;
        }
        write!(f, ": {}", self.trap)
    }
}

impl fmt::Display for AuthorizationTrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClusterLocalMeansTheMesh { value, means } => write!(
                f,
                "`cluster.local` in this principal means the mesh's own domain: `{value}` stands for {}; a peer whose trust domain really is cluster.local does not fit",
                means.join(", ")
            ),
            Self::ClusterLocalIsAName => f.write_str(
                "`cluster.local` is a trust domain like any other here; only in principals it means the mesh's own",
            ),
            Self::NotExpanded { value } => write!(
                f,
                "`{value}` has not the five parts of `domain/ns/namespace/sa/account`, so its trust domain is taken literally: no aliases, and cluster.local does not mean the mesh"
            ),
            Self::Scheme { value } => {
                write!(f, "`{value}` never fits: principals are written without `spiffe://`")
            }
            Self::LiteralStar { value } => {
                write!(f, "a star is a pattern only at the start or at the end: in `{value}` it is an ordinary character")
            }
            Self::PlaintextSatisfiesNot => f.write_str(
                "plaintext peers have no identity, so they satisfy every `not` condition on it; to require mutual TLS, DENY notPrincipals `*`",
            ),
            Self::Widened { values } => {
                write!(f, "not known on a connection ({}), so left out: the rule matches more", values.join(", "))
            }
            Self::NeverMatches { values } => {
                write!(f, "not known on a connection ({}), so the whole rule allows nothing", values.join(", "))
            }
            Self::NoAuthorizer { provider: Some(provider) } => {
                write!(f, "there is no external authorizer here ({provider}): what matches is refused")
            }
            Self::NoAuthorizer { provider: None } => {
                f.write_str("there is no external authorizer here: what matches is refused")
            }
            Self::AnyTrustDomain { found } => write!(
                f,
                "it fits namespaces and service accounts of any trust domain, and so let in a peer of {found}, which is not the mesh's"
            ),
        }
    }
}
