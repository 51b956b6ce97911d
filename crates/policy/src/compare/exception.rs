//! Which exceptions would save connections that break, each tried before it is proposed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Proposal;
use super::outcome::Route;
use crate::{Labels, Member, MtlsMode, PeerAuthentication, PolicySet, ResourceName, Resources};

/// An exception for workloads alike: with it, the connections named work as before.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Exception {
    /// The workloads, such as `httpbin.foo`.
    pub workloads: Vec<String>,
    /// Their ports that stay PERMISSIVE.
    pub ports: Vec<u16>,
    /// The callers it saves, such as `curl.legacy`.
    pub saves: Vec<String>,
    /// What to write.
    pub remedy: Remedy,
}

/// What to write for an [`Exception`].
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "remedy", content = "policy", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Remedy {
    /// A policy of its own.
    Add(PeerAuthentication),
    /// Port entries in the policy that selects the workload already: a second one would lose to it (rule PA-6). The policy
    /// as it should be.
    Change(PeerAuthentication),
}

impl Remedy {
    /// The policy to write.
    pub fn policy(&self) -> &PeerAuthentication {
        match self {
            Self::Add(policy) | Self::Change(policy) => policy,
        }
    }
}

/// Proposes PERMISSIVE ports for servers that refuse plaintext only because they become STRICT. Their other ports are left as
/// they are.
///
/// Workloads without labels get no proposal: only their namespace as a whole could be excepted.
pub(super) fn propose(
    after: &Proposal<'_>,
    set: &PolicySet,
    locked_out: &[&Route<'_>],
) -> Vec<Exception> {
    let mut groups: BTreeMap<Scope<'_>, Vec<&Route<'_>>> = BTreeMap::new();
    for route in locked_out {
        if let Some(scope) = Scope::of(route.server, set) {
            groups.entry(scope).or_default().push(route);
        }
    }
    let remedies: Vec<Remedy> = groups
        .iter()
        .map(|(scope, routes)| remedy(after.resources, scope, routes))
        .collect();
    let tried = PolicySet::compile(after.settings.clone(), &with(after.resources, &remedies));
    let exceptions = groups.into_values().zip(remedies);
    exceptions
        .filter_map(|(routes, remedy)| exception(&tried, &routes, remedy))
        .collect()
}

/// What one exception is for.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
enum Scope<'a> {
    /// The workloads that a policy selects already.
    Policy(&'a ResourceName),
    /// The workloads of a namespace with exactly these labels.
    Labels(&'a str, Vec<(&'a str, &'a str)>),
}

impl<'a> Scope<'a> {
    fn of(server: &'a Member, set: &'a PolicySet) -> Option<Self> {
        let labels = &server.workload.labels;
        match set.resolve(&server.workload, 0).workload() {
            Some(policy) => Some(Self::Policy(policy.name())),
            None if labels.is_empty() => None,
            None => Some(Self::Labels(&server.workload.namespace, labels.iter().collect())),
        }
    }
}

fn remedy(resources: &Resources, scope: &Scope<'_>, routes: &[&Route<'_>]) -> Remedy {
    let open = |policy: PeerAuthentication| {
        let ports = routes.iter().map(|route| route.endpoint.port);
        ports.fold(policy, |policy, port| policy.with_port(port, MtlsMode::Permissive))
    };
    let policies = resources.peer_authentications();
    match scope {
        Scope::Policy(name) => {
            let selected = policies.iter().find(|policy| policy.name() == *name);
            let nameless = || PeerAuthentication::new(name.namespace(), name.name());
            Remedy::Change(open(selected.cloned().unwrap_or_else(nameless)))
        }
        Scope::Labels(namespace, labels) => {
            let workload = routes
                .first()
                .map_or("workload", |route| route.server.name.name());
            let name = free_name(policies, namespace, &format!("permissive-{workload}"));
            let policy = PeerAuthentication::new(namespace, name)
                .with_selector(labels.iter().copied().collect::<Labels>());
            Remedy::Add(open(policy))
        }
    }
}

/// `wanted`, or with a number behind it where a policy has that name.
fn free_name(policies: &[PeerAuthentication], namespace: &str, wanted: &str) -> String {
    let taken = |name: &str| {
        policies
            .iter()
            .any(|policy| policy.name().namespace() == namespace && policy.name().name() == name)
    };
    let numbered = (2_u32..).map(|number| format!("{wanted}-{number}"));
    std::iter::once(wanted.to_owned())
        .chain(numbered)
        .find(|name| !taken(name))
        .unwrap_or_else(|| wanted.to_owned())
}

/// The exception, if it saves anybody.
fn exception(tried: &PolicySet, routes: &[&Route<'_>], remedy: Remedy) -> Option<Exception> {
    let saved = routes
        .iter()
        .filter(|route| route.outcome(tried).is_served());
    let saves: BTreeSet<&str> = saved.map(|route| &*route.caller.name).collect();
    let workloads: BTreeSet<String> = routes.iter().map(|route| route.server_name()).collect();
    let ports: BTreeSet<u16> = routes.iter().map(|route| route.endpoint.port).collect();
    (!saves.is_empty()).then(|| Exception {
        workloads: workloads.into_iter().collect(),
        ports: ports.into_iter().collect(),
        saves: saves.into_iter().map(str::to_owned).collect(),
        remedy,
    })
}

/// The resources with the remedies applied.
fn with(resources: &Resources, remedies: &[Remedy]) -> Resources {
    let changed: BTreeSet<&ResourceName> = remedies
        .iter()
        .map(|remedy| remedy.policy().name())
        .collect();
    let kept = resources
        .peer_authentications()
        .iter()
        .filter(|policy| !changed.contains(policy.name()));
    Resources::default()
        .with_peer_authentications(kept.chain(remedies.iter().map(Remedy::policy)).cloned())
        .with_destination_rules(resources.destination_rules().iter().cloned())
        .with_sidecars(resources.sidecars().iter().cloned())
        .with_authorization_policies(resources.authorization_policies().iter().cloned())
}
