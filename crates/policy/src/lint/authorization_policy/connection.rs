//! Rules that mean something else on a connection than on an HTTP request, or to a peer without certificate.

use std::collections::HashMap;

use super::asked::{Asked, Part};
use crate::lint::code::Code;
use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::{Action, AuthorizationPolicy, Labels, MtlsMode, Rule, Source, Workload};

/// HTTP conditions drop an ALLOW rule and widen a DENY rule (rules AZ-8 and AZ-9).
pub(super) fn http_conditions(
    policy: &AuthorizationPolicy,
    rules: &[Vec<Asked<'_>>],
    findings: &mut Findings<'_>,
) {
    let all_dropped = rules.iter().all(|rule| rule.iter().any(Asked::is_http));
    for rule in rules {
        let Some(http) = rule.iter().find(|asked| asked.is_http()) else { continue };
        match policy.action {
            Action::Allow => {
                let left = if all_dropped {
                    "; as no other rule is left, the policy admits nobody"
                } else {
                    ""
                };
                findings.add(
                    Code::AllowRuleDropped,
                    policy,
                    &*http.field,
                    format!("only HTTP requests have this, so that the rule admits no connection{left}"),
                    "a rule of principals, namespaces, ipBlocks and ports alone; check the HTTP part in the application",
                );
            }
            Action::Deny => {
                let left = if rule.iter().all(Asked::is_http) {
                    "the rule denies every connection"
                } else {
                    "the rule denies every connection that fits the rest of it"
                };
                findings.add(
                    Code::DenyWidened,
                    policy,
                    &*http.field,
                    format!(
                        "only HTTP requests have this; the condition is left out, so that {left}"
                    ),
                    "a rule of what a connection has; deny HTTP requests in the application",
                );
            }
            Action::Audit | Action::Custom => {}
        }
    }
}

/// A peer without certificate fits every negated condition on identities (rule AZ-14).
pub(super) fn plaintext(
    context: &Context<'_>,
    refusing: &Refusing<'_>,
    policy: &AuthorizationPolicy,
    rules: &[Vec<Asked<'_>>],
    findings: &mut Findings<'_>,
) {
    for (rule, asked) in policy.rules.iter().zip(rules) {
        let sources = rule.from.len();
        let field = match policy.action {
            Action::Allow => admits_plaintext(sources, asked),
            Action::Deny => misses_plaintext(sources, asked),
            Action::Audit | Action::Custom => None,
        };
        let Some(field) = field else { continue };
        if takes_no_plaintext(context, policy, &ports(rule)) {
            continue;
        }
        if policy.action == Action::Allow {
            findings.add(
                Code::AllowAdmitsPlaintext,
                policy,
                field,
                "a plaintext peer has no identity and so is none of these: the rule admits it",
                "principals: [\"*\"] beside it, which asks for a certificate; or STRICT for these workloads",
            );
        } else if !refusing.covers(context, policy) {
            findings.add(
                Code::DenyEvadedByPlaintext,
                policy,
                field,
                "a plaintext peer has no identity and so is none of these: who is meant gets in by sending plaintext",
                "a further DENY rule with notPrincipals: [\"*\"], which refuses plaintext; or STRICT for these workloads",
            );
        }
    }
}

/// The condition that keeps plaintext from fitting a rule, if every way through the rule has one.
fn misses_plaintext<'a>(sources: usize, asked: &'a [Asked<'_>]) -> Option<&'a str> {
    let identity = |part: Part| {
        asked
            .iter()
            .find(|asked| asked.part == part && !asked.not && asked.attribute.is_identity())
    };
    let by_source = (0..sources)
        .map(|nth| identity(Part::From(nth)))
        .collect::<Option<Vec<_>>>();
    let first = by_source.and_then(|sources| sources.first().copied());
    identity(Part::When).or(first).map(|asked| &*asked.field)
}

/// The selectors of the DENY policies in force that refuse every plaintext peer, by namespace.
pub(super) struct Refusing<'a>(HashMap<&'a str, Vec<&'a Labels>>);

impl<'a> Refusing<'a> {
    pub(super) fn of(policies: &'a [AuthorizationPolicy]) -> Self {
        let wanted = Source::default().with_not_principals(["*"]);
        let mut selectors: HashMap<_, Vec<_>> = HashMap::new();
        for policy in policies {
            let acts = policy.action == Action::Deny
                && !policy.is_dry_run()
                && policy.target_refs.is_empty();
            let refuses = |rule: &Rule| {
                rule.to.is_empty() && rule.when.is_empty() && rule.from.contains(&wanted)
            };
            if acts && policy.rules.iter().any(refuses) {
                selectors
                    .entry(policy.name().namespace())
                    .or_default()
                    .push(&policy.selector);
            }
        }
        Self(selectors)
    }

    /// Whether one is for the workloads of `policy`, or for more.
    fn covers(&self, context: &Context<'_>, policy: &AuthorizationPolicy) -> bool {
        let root = context.settings.root_namespace.as_str();
        [policy.name().namespace(), root]
            .into_iter()
            .filter_map(|namespace| self.0.get(namespace))
            .flatten()
            .any(|selector| selector.select(&policy.selector))
    }
}

/// The negated condition through which a rule admits plaintext, if nothing else in it asks for an identity.
fn admits_plaintext<'a>(sources: usize, asked: &'a [Asked<'_>]) -> Option<&'a str> {
    let identity = |part: Part, not: bool| {
        asked
            .iter()
            .find(|asked| asked.part == part && asked.not == not && asked.attribute.is_identity())
    };
    if asked.iter().any(Asked::is_http) || identity(Part::When, false).is_some() {
        return None;
    }
    let open: Vec<usize> = (0..sources)
        .filter(|nth| identity(Part::From(*nth), false).is_none())
        .collect();
    let by_source = open.iter().find_map(|nth| identity(Part::From(*nth), true));
    let when = || if sources == 0 || !open.is_empty() { identity(Part::When, true) } else { None };
    by_source.or_else(when).map(|asked| &*asked.field)
}

/// The ports that a rule is about; none: all of them.
fn ports(rule: &Rule) -> Vec<u16> {
    if rule.to.iter().any(|operation| operation.ports.is_empty()) {
        return Vec::new();
    }
    let ports = rule.to.iter().flat_map(|operation| &operation.ports);
    ports.filter_map(|port| port.parse().ok()).collect()
}

/// Whether the workloads of a policy are STRICT on these ports (none: on all), as far as the selectors tell: those that a
/// `PeerAuthentication` makes an exception for too.
fn takes_no_plaintext(context: &Context<'_>, policy: &AuthorizationPolicy, ports: &[u16]) -> bool {
    let namespace = policy.name().namespace();
    let strict = |namespace: &str, labels: Labels, further: &mut dyn Iterator<Item = u16>| {
        let typical = Workload::new(namespace, labels);
        let mut ports: Vec<u16> = ports.to_vec();
        if ports.is_empty() {
            // Port 0 stands for every port without an entry.
            ports.extend(std::iter::once(0).chain(further));
        }
        let mode = |port| context.enforced.resolve(&typical, port).mode();
        ports.into_iter().all(|port| mode(port) == MtlsMode::Strict)
    };
    strict(namespace, policy.selector.clone(), &mut std::iter::empty())
        && context.lax.iter().all(|exception| {
            let (other, selector) = (exception.name().namespace(), &exception.selector);
            let reached = other == namespace || context.is_root(namespace);
            let apart = policy
                .selector
                .iter()
                .any(|(key, value)| selector.get(key).is_some_and(|found| found != value));
            !reached || apart || {
                let labels = policy.selector.iter().chain(selector.iter()).collect();
                strict(other, labels, &mut exception.ports.keys().copied())
            }
        })
}
