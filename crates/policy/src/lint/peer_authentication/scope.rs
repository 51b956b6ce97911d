//! The policies of one namespace, and which of them select what.

use std::collections::HashMap;

use crate::lint::context::Context;
use crate::lint::selectors::Selectors;
use crate::lint::world::Alike;
use crate::{Labels, PeerAuthentication};

/// The policies of one namespace.
pub(super) struct Scope<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) namespace: &'a str,
    /// Those without selector, by precedence, those on trial included.
    pub(super) level: Vec<&'a PeerAuthentication>,
    /// Those with one, by selector.
    pub(super) groups: Vec<Group<'a>>,
    /// Over the selectors of the groups.
    pub(super) index: Selectors<'a>,
}

/// The policies of one namespace that have the same selector.
pub(super) struct Group<'a> {
    pub(super) selector: &'a Labels,
    /// By precedence, those on trial included.
    pub(super) policies: Vec<&'a PeerAuthentication>,
    /// The workloads of the inventory that are selected.
    pub(super) members: Vec<&'a Alike>,
    /// The place of the first enforced policy among all of the namespace; nobody's if there is none.
    pub(super) rank: usize,
}

impl<'a> Scope<'a> {
    pub(super) fn new(
        context: &'a Context<'a>,
        namespace: &'a str,
        mut policies: Vec<&'a PeerAuthentication>,
    ) -> Self {
        policies.sort_by(|a, b| a.metadata.precedence(&b.metadata));
        let mut numbers: HashMap<&Labels, usize> = HashMap::new();
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut level = Vec::new();
        for (rank, policy) in policies.into_iter().enumerate() {
            if policy.selector.is_empty() {
                level.push(policy);
                continue;
            }
            let number = *numbers.entry(&policy.selector).or_insert(groups.len());
            if number == groups.len() {
                groups.push(Group {
                    selector: &policy.selector,
                    policies: Vec::new(),
                    members: Vec::new(),
                    rank: usize::MAX,
                });
            }
            if let Some(group) = groups.get_mut(number) {
                group.policies.push(policy);
                if !policy.is_dry_run() {
                    group.rank = group.rank.min(rank);
                }
            }
        }
        let index = Selectors::new(groups.iter().map(|group| group.selector));
        if let Some(world) = &context.world {
            let selected = world.selected_by(Some(namespace), &index);
            for (group, members) in groups.iter_mut().zip(selected) {
                group.members = members;
            }
        }
        Self { context, namespace, level, groups, index }
    }

    /// Every policy with a selector, those on trial included.
    pub(super) fn selective(&self) -> impl Iterator<Item = &'a PeerAuthentication> {
        self.groups
            .iter()
            .flat_map(|group| group.policies.iter().copied())
    }

    /// The policies without selector that are enforced, by precedence: the first one counts.
    pub(super) fn enforced_level(&self) -> impl Iterator<Item = &'a PeerAuthentication> {
        enforced(&self.level)
    }

    /// Of the groups with these numbers, the one whose first policy wins over those of the others.
    pub(super) fn winner(&self, groups: impl Iterator<Item = usize>) -> Option<&Group<'a>> {
        groups
            .filter_map(|number| self.groups.get(number))
            .filter(|group| group.rank != usize::MAX)
            .min_by_key(|group| group.rank)
    }
}

impl<'a> Group<'a> {
    /// Those that are enforced, by precedence.
    pub(super) fn enforced(&self) -> impl Iterator<Item = &'a PeerAuthentication> {
        enforced(&self.policies)
    }
}

fn enforced<'a>(
    policies: &[&'a PeerAuthentication],
) -> impl Iterator<Item = &'a PeerAuthentication> {
    policies
        .iter()
        .copied()
        .filter(|policy| !policy.is_dry_run())
}
