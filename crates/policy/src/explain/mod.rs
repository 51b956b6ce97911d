//! Why a port has its mode: what each level says, which policies lost, and what surprises people here.

mod inventory;
mod text;

use serde::Serialize;

use crate::mode_policies::{NamespacePolicies, Ranked, Trial};
use crate::{MtlsMode, PeerAuthentication, PolicySet, Resolved, ResourceName, Winner, Workload};

impl PolicySet {
    /// Says why `port` of a workload has the mode that [`resolve`](Self::resolve) gives.
    ///
    /// Every policy of the set is in the answer: at a level, or among the losers.
    pub fn explain(&self, workload: &Workload, port: u16) -> Explanation {
        let resolved = self.resolve(workload, port);
        let mut losers: Vec<Loser> = self
            .modes()
            .namespaces()
            .flat_map(|(namespace, policies)| self.losers(workload, namespace, policies))
            .collect();
        losers.sort_by(|a, b| {
            let elsewhere = |loser: &Loser| matches!(loser.reason, LossReason::OtherNamespace);
            (elsewhere(a), &a.policy).cmp(&(elsewhere(b), &b.policy))
        });
        Explanation {
            mode: resolved.mode(),
            winner: resolved.winner(),
            levels: levels(&resolved, port),
            shadow: self.shadow(workload, port).map(|resolved| ShadowReport {
                mode: resolved.mode(),
                winner: resolved.winner(),
                levels: levels(&resolved, port),
            }),
            losers,
            notes: self.notes(&resolved, workload, port),
            workload: workload.clone(),
            port,
        }
    }

    /// The policies of one namespace that are chosen at no level, each with the reason.
    fn losers(
        &self,
        workload: &Workload,
        namespace: &str,
        policies: &NamespacePolicies,
    ) -> Vec<Loser> {
        let root = namespace == self.settings().root_namespace;
        if !root && namespace != workload.namespace {
            return policies
                .all()
                .map(|policy| Loser::new(policy, LossReason::OtherNamespace))
                .collect();
        }
        policies
            .all()
            .filter_map(|policy| {
                let reason = if policy.selector.is_empty() {
                    beaten(policy, |trial| policies.level(trial))
                } else if root {
                    Some(LossReason::SelectorInRootNamespace)
                } else if let Some(mismatch) = policy.selector.first_mismatch(&workload.labels) {
                    Some(LossReason::SelectorMismatch {
                        key: mismatch.key.to_owned(),
                        wanted: mismatch.wanted.to_owned(),
                        found: mismatch.found.map(str::to_owned),
                    })
                } else {
                    beaten(policy, |trial| policies.selecting(workload, trial))
                };
                Some(Loser::new(policy, reason?))
            })
            .collect()
    }

    fn notes(&self, resolved: &Resolved<'_>, workload: &Workload, port: u16) -> Vec<Note> {
        let mut notes = Vec::new();
        if workload.namespace == self.settings().root_namespace {
            notes.push(Note::RootNamespaceWorkload);
        }
        for policy in [resolved.mesh(), resolved.namespace()]
            .into_iter()
            .flatten()
        {
            if !policy.ports.is_empty() {
                notes.push(Note::PortsWithoutSelector {
                    policy: policy.name().clone(),
                    ports: ports(policy),
                });
            }
        }
        if let Some(policy) = resolved.workload()
            && !policy.ports.is_empty()
            && !policy.ports.contains_key(&port)
        {
            notes
                .push(Note::NoEntryForPort { policy: policy.name().clone(), ports: ports(policy) });
        }
        if self.namespace_mode(&workload.namespace) == MtlsMode::Disable
            && resolved.mode() == MtlsMode::Strict
        {
            notes.push(Note::ClientsSendPlaintext);
        }
        notes
    }
}

/// Why a port has its mode. Its `Display` is for operators; the data is for programs.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The workload asked about.
    pub workload: Workload,
    /// The workload port asked about.
    pub port: u16,
    /// The effective mode.
    pub mode: MtlsMode,
    /// Where it comes from.
    pub winner: Winner,
    /// What each level says, from the weakest to the strongest.
    pub levels: Vec<LevelReport>,
    /// What would be if no policy were on trial; `None` if no policy on trial would count here
    /// ([`PolicySet::shadow`]).
    pub shadow: Option<ShadowReport>,
    /// The policies chosen at no level: first those of the workload's namespace and the root namespace, by name.
    pub losers: Vec<Loser>,
    /// What surprises people here.
    pub notes: Vec<Note>,
}

/// What policies on trial would change.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ShadowReport {
    /// The mode there would be.
    pub mode: MtlsMode,
    /// Where it would come from.
    pub winner: Winner,
    /// What each level would say, from the default to the port.
    pub levels: Vec<LevelReport>,
}

/// What one level says.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LevelReport {
    /// The level.
    pub level: Level,
    /// The policy chosen at this level.
    pub policy: Option<ResourceName>,
    /// The mode it sets; `None` leaves the mode of the level above.
    pub sets: Option<MtlsMode>,
    /// The mode after this level.
    pub mode: MtlsMode,
    /// Whether the effective mode comes from here.
    pub decides: bool,
}

/// The levels of policy, weakest first.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Level {
    /// Istio's default: PERMISSIVE.
    Default,
    /// The policy of the root namespace without selector.
    Mesh,
    /// The policy of the workload's namespace without selector.
    Namespace,
    /// The policy of the workload's namespace that selects it.
    Workload,
    /// The entry for the port in that policy.
    Port,
    /// Every port is STRICT, whatever the others say: the set was [tightened](PolicySet::tightened). Reported only where it decides.
    Tightened,
}

/// A policy that is chosen at no level.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Loser {
    /// Its name.
    pub policy: ResourceName,
    /// The mode it would set.
    pub mode: Option<MtlsMode>,
    /// The ports it has entries for: they have no effect either.
    pub ports: Vec<u16>,
    /// Why it lost.
    pub reason: LossReason,
}

impl Loser {
    fn new(policy: &PeerAuthentication, reason: LossReason) -> Self {
        Self { policy: policy.name().clone(), mode: policy.mode, ports: ports(policy), reason }
    }
}

/// Why a policy is chosen at no level.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum LossReason {
    /// Another policy of the same level is older: it wins whole, nothing is merged (rules PA-3 and PA-6).
    OlderPolicyWon {
        /// The older policy.
        winner: ResourceName,
        /// Both are of the same second, so that the name decided (rule PA-1).
        same_age: bool,
    },
    /// The selector asks for a label that the workload does not have (rule PA-5).
    SelectorMismatch {
        /// The label's key.
        key: String,
        /// The value asked for.
        wanted: String,
        /// The value of the workload.
        found: Option<String>,
    },
    /// A selector in the root namespace has no effect for this kind, on any workload (rule PA-4).
    SelectorInRootNamespace,
    /// The policy is of another namespace than the workload (rule PA-2).
    OtherNamespace,
    /// The policy is on trial. It would be chosen if no policy were; see [`Explanation::shadow`].
    DryRun,
}

/// Something about the answer that surprises people.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "note", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Note {
    /// The workload is in the root namespace: only the mesh policy applies to it.
    RootNamespaceWorkload,
    /// A policy without selector has port entries, which have no effect.
    PortsWithoutSelector {
        /// The policy.
        policy: ResourceName,
        /// Its entries.
        ports: Vec<u16>,
    },
    /// The policy that selects the workload has entries for other ports only.
    NoEntryForPort {
        /// The policy.
        policy: ResourceName,
        /// Its entries.
        ports: Vec<u16>,
    },
    /// The namespace as a whole is DISABLE, and clients look at nothing else: they send plaintext to this STRICT port.
    ClientsSendPlaintext,
    /// The port asked about is a Service's port; policies speak of the port that the workload listens on (istio/istio#49098).
    PortIsServicePort {
        /// The host of the service.
        service: String,
        /// The port that the workload listens on for it.
        workload_port: u16,
    },
    /// No service of the inventory leads to this port of the workload.
    NobodyListens {
        /// The ports that services lead to.
        ports: Vec<u16>,
    },
    /// An entry of the policy that selects the workload is for the Service's port, where this port was meant
    /// (istio/istio#49098).
    EntryIsServicePort {
        /// The policy.
        policy: ResourceName,
        /// The entry.
        entry: u16,
        /// The host of the service.
        service: String,
        /// The port that the workload listens on for it: the one asked about.
        workload_port: u16,
    },
}

/// Why a policy that fits does not count; `None` if it does. `winner` gives the policy that is chosen where it could be.
fn beaten<'a>(
    policy: &PeerAuthentication,
    winner: impl Fn(Trial) -> Option<&'a Ranked>,
) -> Option<LossReason> {
    let trial = if policy.is_dry_run() { Trial::Counted } else { Trial::Left };
    let winner = winner(trial)?.policy();
    if !std::ptr::eq(winner, policy) {
        let same_age = winner.metadata.age() == policy.metadata.age();
        return Some(LossReason::OlderPolicyWon { winner: winner.name().clone(), same_age });
    }
    policy.is_dry_run().then_some(LossReason::DryRun)
}

fn ports(policy: &PeerAuthentication) -> Vec<u16> {
    policy.ports.keys().copied().collect()
}

/// The levels in order, with the mode each leaves behind.
fn levels(resolved: &Resolved<'_>, port: u16) -> Vec<LevelReport> {
    let entry = resolved
        .workload()
        .filter(|policy| policy.ports.contains_key(&port));
    let chosen = [
        (Level::Mesh, resolved.mesh(), resolved.mesh().and_then(|policy| policy.mode)),
        (
            Level::Namespace,
            resolved.namespace(),
            resolved.namespace().and_then(|policy| policy.mode),
        ),
        (Level::Workload, resolved.workload(), resolved.workload().and_then(|policy| policy.mode)),
        (Level::Port, entry, entry.and_then(|policy| policy.ports.get(&port).copied().flatten())),
    ];
    let decider = match resolved.winner() {
        Winner::Default => Level::Default,
        Winner::Mesh(_) => Level::Mesh,
        Winner::Namespace(_) => Level::Namespace,
        Winner::Workload(_) => Level::Workload,
        Winner::Port(_) => Level::Port,
        Winner::Tightened => Level::Tightened,
    };
    let mut mode = MtlsMode::DEFAULT;
    let default = LevelReport {
        level: Level::Default,
        policy: None,
        sets: Some(mode),
        mode,
        decides: decider == Level::Default,
    };
    let mut reports = vec![default];
    for (level, policy, sets) in chosen {
        mode = sets.unwrap_or(mode);
        let policy = policy.map(|policy| policy.name().clone());
        reports.push(LevelReport { level, policy, sets, mode, decides: decider == level });
    }
    if decider == Level::Tightened {
        let (level, mode) = (decider, resolved.mode());
        reports.push(LevelReport { level, policy: None, sets: Some(mode), mode, decides: true });
    }
    reports
}
