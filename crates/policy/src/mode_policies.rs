//! The `PeerAuthentication` policies of a set, ready to be asked for those that count for a workload.

use std::collections::HashMap;
use std::sync::Arc;

use crate::label_hash::BySecret;
use crate::resolved::Levels;
use crate::selector_index::{LabelCounts, SelectorIndex};
use crate::{Labels, MtlsMode, PeerAuthentication, Workload};

/// All policies: those of the root namespace, which are the mesh's, and those of each other namespace.
#[derive(Clone, Debug)]
pub(crate) struct ModePolicies {
    root_namespace: Box<str>,
    root: NamespacePolicies,
    namespaces: HashMap<Box<str>, NamespacePolicies, BySecret>,
}

impl ModePolicies {
    pub(crate) fn compile(root_namespace: &str, policies: &[PeerAuthentication]) -> Self {
        let mut by_namespace: HashMap<&str, Vec<&PeerAuthentication>> = HashMap::new();
        for policy in policies {
            by_namespace
                .entry(policy.name().namespace())
                .or_default()
                .push(policy);
        }
        let root = by_namespace.remove(root_namespace).unwrap_or_default();
        let namespaces = by_namespace
            .into_iter()
            .map(|(name, policies)| (name.into(), NamespacePolicies::new(policies)));
        Self {
            root: NamespacePolicies::new(root),
            namespaces: namespaces.collect(),
            root_namespace: root_namespace.into(),
        }
    }

    /// The policies that count for a workload (rules PA-2 to PA-6).
    pub(crate) fn levels(&self, workload: &Workload) -> Levels<&Ranked> {
        let own = self.namespaces.get(&*workload.namespace);
        Levels {
            mesh: self.root.level(Trial::Left),
            namespace: own.and_then(|own| own.level(Trial::Left)),
            workload: own.and_then(|own| own.selecting(workload, Trial::Left)),
        }
    }

    /// The policies that would count for a workload if none were on trial; `None` if that would change no level.
    pub(crate) fn trial_levels(&self, workload: &Workload) -> Option<Levels<&Ranked>> {
        let own = self.namespaces.get(&*workload.namespace);
        if self.root.trial.is_none() && own.is_none_or(|own| own.trial.is_none()) {
            return None;
        }
        let levels = Levels {
            mesh: self.root.level(Trial::Counted),
            namespace: own.and_then(|own| own.level(Trial::Counted)),
            workload: own.and_then(|own| own.selecting(workload, Trial::Counted)),
        };
        // A policy is chosen before another only if it is on trial: else it would be chosen anyway.
        let chosen = |level: Option<&Ranked>| level.is_some_and(|policy| policy.dry_run);
        let Levels { mesh, namespace, workload } = levels;
        (chosen(mesh) || chosen(namespace) || chosen(workload)).then_some(levels)
    }

    /// The policies without selector that count for a namespace as a whole (rule PA-11).
    pub(crate) fn namespace_levels(&self, namespace: &str) -> Levels<&Ranked> {
        let own = self.namespaces.get(namespace);
        Levels {
            mesh: self.root.level(Trial::Left),
            namespace: own.and_then(|own| own.level(Trial::Left)),
            workload: None,
        }
    }

    /// All namespaces with their policies, the root namespace among them, in no particular order.
    pub(crate) fn namespaces(&self) -> impl Iterator<Item = (&str, &NamespacePolicies)> {
        let others = self
            .namespaces
            .iter()
            .map(|(name, policies)| (&**name, policies));
        std::iter::once((&*self.root_namespace, &self.root)).chain(others)
    }
}

/// Whether policies on trial (dry-run) take part.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Trial {
    /// They are left out: the answer is the one that acts.
    Left,
    /// They count as if they were not on trial.
    Counted,
}

/// The policies of one namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct NamespacePolicies {
    /// In order of precedence (rule PA-1): the first that fits wins.
    policies: Vec<Ranked>,
    enforced: Choice,
    /// `None` if no policy is on trial.
    trial: Option<Choice>,
}

impl NamespacePolicies {
    /// One namespace after the other, so that what a lookup needs lies close together.
    fn new(mut policies: Vec<&PeerAuthentication>) -> Self {
        policies.sort_by(|a, b| a.metadata.precedence(&b.metadata));
        let policies: Vec<Ranked> = policies.into_iter().map(Ranked::new).collect();
        let enforced = Choice::new(&policies, Trial::Left);
        let on_trial = policies.iter().any(|policy| policy.dry_run);
        let trial = on_trial.then(|| Choice::new(&policies, Trial::Counted));
        Self { policies, enforced, trial }
    }

    /// Every policy, in order of precedence.
    pub(crate) fn all(&self) -> impl Iterator<Item = &PeerAuthentication> {
        self.policies.iter().map(Ranked::policy)
    }

    /// The oldest policy without selector.
    pub(crate) fn level(&self, trial: Trial) -> Option<&Ranked> {
        self.policies.get(self.choice(trial).level?)
    }

    /// The oldest policy whose selector selects the workload: it wins whole.
    pub(crate) fn selecting(&self, workload: &Workload, trial: Trial) -> Option<&Ranked> {
        let found = self
            .choice(trial)
            .first_selecting(&self.policies, &workload.labels)?;
        self.policies.get(found)
    }

    fn choice(&self, trial: Trial) -> &Choice {
        match (trial, &self.trial) {
            (Trial::Counted, Some(choice)) => choice,
            (Trial::Left | Trial::Counted, _) => &self.enforced,
        }
    }
}

/// A policy, with a copy of what a lookup needs of it: so most lookups end without a look at the policy itself, which is
/// somewhere else in memory.
#[derive(Clone, Debug)]
pub(crate) struct Ranked {
    policy: Arc<PeerAuthentication>,
    selector: Labels,
    mode: Option<MtlsMode>,
    has_ports: bool,
    dry_run: bool,
}

impl Ranked {
    fn new(policy: &PeerAuthentication) -> Self {
        let selector = policy.selector.copied();
        let policy = PeerAuthentication { selector: selector.clone(), ..policy.clone() };
        Self {
            selector,
            mode: policy.mode,
            has_ports: !policy.ports.is_empty(),
            dry_run: policy.is_dry_run(),
            policy: Arc::new(policy),
        }
    }

    pub(crate) fn policy(&self) -> &PeerAuthentication {
        &self.policy
    }

    /// The mode that it sets.
    pub(crate) fn mode(&self) -> Option<MtlsMode> {
        self.mode
    }

    /// The mode that it sets for this port.
    pub(crate) fn port_mode(&self, port: u16) -> Option<MtlsMode> {
        if self.has_ports { self.policy.ports.get(&port).copied().flatten() } else { None }
    }
}

/// Which policies of a namespace can win; numbers are places in its list.
#[derive(Clone, Debug, Default)]
struct Choice {
    level: Option<usize>,
    selective: SelectorIndex,
}

impl Choice {
    fn new(policies: &[Ranked], trial: Trial) -> Self {
        let takes_part = |policy: &Ranked| trial == Trial::Counted || !policy.dry_run;
        let level = policies
            .iter()
            .position(|policy| policy.selector.is_empty() && takes_part(policy));
        let selectors = policies.iter().map(|policy| &policy.selector);
        let counts = LabelCounts::of(selectors);
        let mut choice = Self { level, selective: SelectorIndex::default() };
        for policy in policies {
            // Whatever this policy selects, an older one may select as well: then it never wins.
            let can_win =
                takes_part(policy) && choice.first_selecting(policies, &policy.selector).is_none();
            choice
                .selective
                .file(can_win.then(|| counts.rarest(&policy.selector)).flatten());
        }
        choice
    }

    /// The oldest of `policies` whose selector selects `labels` (rules PA-5 and PA-6).
    fn first_selecting(&self, policies: &[Ranked], labels: &Labels) -> Option<usize> {
        let selects = |number: usize| {
            policies
                .get(number)
                .is_some_and(|policy| policy.selector.select(labels))
        };
        self.selective
            .filed(labels)
            .fold(None, |oldest: Option<usize>, mut filed| {
                let older = filed
                    .by_ref()
                    .take_while(|number| oldest.is_none_or(|oldest| *number < oldest))
                    .find(|number| selects(*number));
                older.or(oldest)
            })
    }
}
