//! Rules' hosts, and the services that have them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use crate::host_name::normalize;
use crate::{DestinationRule, Inventory, ServiceView};

/// The host that a rule is for, in full: a name without a dot is a service of the rule's namespace.
pub(super) fn resolved(rule: &DestinationRule) -> Cow<'_, str> {
    let host = normalize(&rule.host);
    if host.contains(['.', ':']) || host == "*" || host.is_empty() {
        return host;
    }
    Cow::Owned(format!("{host}.{}.svc.cluster.local", rule.name().namespace()))
}

/// The services of an inventory, by host.
pub(super) struct Services<'a> {
    /// By host, backwards: those with a common end stand together.
    backwards: BTreeMap<String, Vec<&'a ServiceView>>,
    /// The ends of hosts that begin with `*`.
    patterns: HashSet<&'a str>,
}

impl<'a> Services<'a> {
    pub(super) fn new(inventory: &'a Inventory) -> Self {
        let mut services: Vec<&ServiceView> =
            inventory.services().map(|service| &**service).collect();
        services.sort_by(|a, b| {
            let key = |view: &'a ServiceView| (&view.hostname, &view.namespace, view.port);
            key(a).cmp(&key(b))
        });
        let mut backwards: BTreeMap<String, Vec<&ServiceView>> = BTreeMap::new();
        let mut patterns = HashSet::new();
        for service in services {
            patterns.extend(service.hostname.strip_prefix('*'));
            backwards
                .entry(reversed(&service.hostname))
                .or_default()
                .push(service);
        }
        Self { backwards, patterns }
    }

    /// The services with a host, or with any that a `*` in front stands for.
    pub(super) fn of<'s>(&'s self, host: &'s str) -> impl Iterator<Item = &'a ServiceView> + 's {
        let pattern = host.strip_prefix('*');
        let end = reversed(pattern.unwrap_or(host));
        let from = self.backwards.range(end.clone()..);
        from.take_while(
            move |(key, _)| if pattern.is_some() { key.starts_with(&end) } else { **key == end },
        )
        .flat_map(|(_, services)| services.iter().copied())
    }

    /// Whether there is one, or one whose own `*` stands for the host.
    pub(super) fn any(&self, host: &str) -> bool {
        let starts = host.char_indices().map(|(start, _)| start);
        self.of(host).next().is_some()
            || starts
                .filter_map(|start| host.get(start..))
                .any(|end| self.patterns.contains(end))
    }
}

fn reversed(host: &str) -> String {
    host.chars().rev().collect()
}
