//! Policies of which an older one leaves nothing, and those that say nothing.

use std::collections::{BTreeSet, HashMap};

use super::scope::{Group, Scope};
use crate::PeerAuthentication;
use crate::lint::code::Code;
use crate::lint::finding::{Findings, some_of};
use crate::lint::world::Alike;

/// Of several policies without selector in a namespace only the oldest counts (rule PA-3).
pub(super) fn superseded(scope: &Scope<'_>, findings: &mut Findings<'_>) {
    let mut policies = scope.enforced_level();
    let Some(first) = policies.next() else { return };
    for policy in policies {
        if same_content(first, policy) {
            duplicate(first, policy, findings);
            continue;
        }
        let unset = if first.mode.is_none() { ", though it is UNSET" } else { "" };
        findings.add(
            Code::SupersededPolicy,
            policy,
            "spec",
            format!(
                "no effect: of the policies without selector in namespace {} only the oldest counts, which is {}{unset}",
                scope.namespace,
                first.name()
            ),
            format!("change the mode of {} and delete this policy, or give it a selector", first.name()),
        );
    }
}

/// A policy with a selector whose workloads all belong to an older one (rule PA-6).
pub(super) fn shadowed(scope: &Scope<'_>, findings: &mut Findings<'_>) {
    let by_workload = Outcomes::new(scope);
    for (number, group) in scope.groups.iter().enumerate() {
        let Some(winner) = scope.winner(scope.index.selecting(group.selector)) else { continue };
        let beaten = match by_workload.of.get(&number) {
            _ if winner.rank != group.rank => Some((winner, None)),
            Some(Outcome { wins: false, lost_to: Some((winner, member)) }) => {
                Some((*winner, Some(*member)))
            }
            _ => None,
        };
        for (nth, policy) in group.enforced().enumerate() {
            // The later ones of a group lose to whoever takes its workloads.
            let rival = match beaten {
                Some((winner, member)) => winner.enforced().next().map(|first| (first, member)),
                None if nth > 0 => group.enforced().next().map(|first| (first, None)),
                None => None,
            };
            if let Some((first, member)) = rival {
                loses(scope, first, policy, member, findings);
            } else if let Some((winner, member)) = by_workload.ports_lost(scope, number, policy) {
                ports_lost(scope, winner, policy, Some(member), findings);
            }
        }
    }
}

/// A policy that is UNSET and hides none (rule PA-7), without selector.
pub(super) fn unset_without_selector(scope: &Scope<'_>, findings: &mut Findings<'_>) {
    let mut policies = scope.enforced_level();
    if let (Some(policy), None) = (policies.next(), policies.next())
        && policy.mode.is_none()
    {
        unset(scope, policy, findings);
    }
}

/// A policy that is UNSET and hides none (rule PA-7), with a selector.
///
/// Whether it hides another is asked of every younger policy; only the UNSET ones ask, and a few integers answer.
pub(super) fn unset_with_selector(scope: &Scope<'_>, findings: &mut Findings<'_>) {
    let says_nothing = |policy: &PeerAuthentication| {
        policy.mode.is_none() && policy.ports.values().all(Option::is_none)
    };
    if !scope.selective().any(says_nothing) {
        return;
    }
    let selectors = Interned::new(scope);
    for (number, group) in scope.groups.iter().enumerate() {
        let mut policies = group.enforced();
        if let (Some(policy), None) = (policies.next(), policies.next())
            && says_nothing(policy)
            && scope
                .winner(scope.index.selecting(group.selector))
                .is_some_and(|winner| winner.rank == group.rank)
            && !selectors.hides_another(scope, number, group.rank)
        {
            unset(scope, policy, findings);
        }
    }
}

fn unset(scope: &Scope<'_>, policy: &PeerAuthentication, findings: &mut Findings<'_>) {
    findings.add(
        Code::UnsetPolicy,
        policy,
        "spec",
        format!(
            "UNSET, so that the mode above holds as without this policy ({} now)",
            scope.context.merged_mode(policy)
        ),
        "a mode, if one is meant; else delete the policy",
    );
}

fn loses(
    scope: &Scope<'_>,
    first: &PeerAuthentication,
    policy: &PeerAuthentication,
    member: Option<&Alike>,
    findings: &mut Findings<'_>,
) {
    if first.selector == policy.selector && same_content(first, policy) {
        return duplicate(first, policy, findings);
    }
    if !lost(scope, first, policy).is_empty() {
        return ports_lost(scope, first, policy, member, findings);
    }
    let why = match member {
        None if first.selector == policy.selector => "has the same selector".to_owned(),
        None => format!("selects {} alone", first.selector),
        Some(_) => "and others like it select each workload that this one does".to_owned(),
    };
    findings.add(
        Code::ShadowedPolicy,
        policy,
        "spec.selector",
        format!(
            "no effect: {} is older and {why}; the oldest policy wins whole, nothing is merged and more labels are no better",
            first.name()
        ),
        format!("put what both say into {}, and delete this policy; or make their selectors exclude each other", first.name()),
    );
}

/// Two policies for one workload, each with other ports: those of the younger one are lost (rule PA-6).
fn ports_lost(
    scope: &Scope<'_>,
    first: &PeerAuthentication,
    policy: &PeerAuthentication,
    member: Option<&Alike>,
    findings: &mut Findings<'_>,
) {
    let lost = lost(scope, first, policy);
    let Some(port) = lost.first() else { return };
    let whom = member.map_or_else(String::new, |member| format!(" at {member}"));
    let entries = lost
        .iter()
        .map(|port| format!("{port}: {{ mode: {} }}", scope.context.port_mode(policy, *port)));
    findings.add(
        Code::PortEntriesLost,
        policy,
        format!("spec.portLevelMtls.{port}"),
        format!(
            "no effect{whom}: {} is older and selects the same workload; port entries of several policies are not merged, so that port {} is {} there",
            first.name(),
            some_of(&lost),
            scope.context.port_mode(first, *port),
        ),
        format!("add to portLevelMtls of {}: {}", first.name(), some_of(entries)),
    );
}

/// The port entries of `policy` that would make a difference if `first` did not win.
fn lost(scope: &Scope<'_>, first: &PeerAuthentication, policy: &PeerAuthentication) -> Vec<u16> {
    let mode = |policy, port| scope.context.port_mode(policy, port);
    policy
        .ports
        .keys()
        .copied()
        .filter(|port| mode(policy, *port) != mode(first, *port))
        .collect()
}

fn duplicate(first: &PeerAuthentication, policy: &PeerAuthentication, findings: &mut Findings<'_>) {
    findings.add(
        Code::DuplicatePolicy,
        policy,
        "spec",
        format!("says of the same workloads what {} says, which is older", first.name()),
        format!(
            "delete one of the two; as long as {} is there, changing this one has no effect",
            first.name()
        ),
    );
}

fn same_content(a: &PeerAuthentication, b: &PeerAuthentication) -> bool {
    a.mode == b.mode && a.ports == b.ports
}

/// By the workloads of the inventory: what each group gets.
struct Outcomes<'s, 'a> {
    of: HashMap<usize, Outcome<'s, 'a>>,
}

#[derive(Default)]
struct Outcome<'s, 'a> {
    /// Whether a workload takes its first policy.
    wins: bool,
    /// A workload that takes another.
    lost_to: Option<(&'s Group<'a>, &'a Alike)>,
}

impl<'s, 'a> Outcomes<'s, 'a> {
    fn new(scope: &'s Scope<'a>) -> Self {
        let mut of: HashMap<usize, Outcome<'s, 'a>> = HashMap::new();
        let members = scope
            .context
            .world
            .iter()
            .flat_map(|world| world.of_namespace(scope.namespace));
        for member in members {
            let groups: Vec<usize> = scope.index.selecting(&member.workload.labels).collect();
            let Some(winner) = scope.winner(groups.iter().copied()) else { continue };
            for number in groups {
                let outcome = of.entry(number).or_default();
                if scope
                    .groups
                    .get(number)
                    .is_some_and(|group| group.rank == winner.rank)
                {
                    outcome.wins = true;
                } else if outcome.lost_to.is_none() {
                    outcome.lost_to = Some((winner, member));
                }
            }
        }
        Self { of }
    }

    /// The policy that takes a workload from a group which wins others, if port entries are lost with it.
    fn ports_lost(
        &self,
        scope: &Scope<'_>,
        number: usize,
        policy: &PeerAuthentication,
    ) -> Option<(&'a PeerAuthentication, &'a Alike)> {
        let (winner, member) = self.of.get(&number)?.lost_to?;
        let winner = winner.enforced().next()?;
        (!winner.ports.is_empty() && !lost(scope, winner, policy).is_empty())
            .then_some((winner, member))
    }
}

/// The selectors of a scope as sorted numbers, so that any two compare quickly.
struct Interned {
    of: Vec<Vec<(usize, usize)>>,
}

impl Interned {
    fn new(scope: &Scope<'_>) -> Self {
        let mut keys: HashMap<&str, usize> = HashMap::new();
        let mut values: HashMap<&str, usize> = HashMap::new();
        let of = scope.groups.iter().map(|group| {
            let labels = group.selector.iter().map(|(key, value)| {
                let (next_key, next_value) = (keys.len(), values.len());
                (*keys.entry(key).or_insert(next_key), *values.entry(value).or_insert(next_value))
            });
            labels.collect::<BTreeSet<_>>().into_iter().collect()
        });
        Self { of: of.collect() }
    }

    /// Whether a younger policy may select a workload that this group's selects too.
    fn hides_another(&self, scope: &Scope<'_>, number: usize, rank: usize) -> bool {
        let Some(own) = self.of.get(number) else { return false };
        scope.groups.iter().zip(&self.of).any(|(other, labels)| {
            other.rank > rank && other.rank != usize::MAX && compatible(own, labels)
        })
    }
}

/// Whether no key has two values, so that a workload can have the labels of both.
fn compatible(mut a: &[(usize, usize)], mut b: &[(usize, usize)]) -> bool {
    while let ([(a_key, a_value), a_rest @ ..], [(b_key, b_value), b_rest @ ..]) = (a, b) {
        if a_key == b_key && a_value != b_value {
            return false;
        }
        if a_key <= b_key {
            a = a_rest;
        }
        if b_key <= a_key {
            b = b_rest;
        }
    }
    true
}
