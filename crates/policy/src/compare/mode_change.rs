//! Workload ports whose mode changes.

use serde::Serialize;

use crate::{Inventory, MtlsMode, PolicySet, Winner};

/// A workload port whose mode changes.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ModeChange {
    /// The workload, such as `httpbin.foo`.
    pub workload: String,
    /// The workload port.
    pub port: u16,
    /// The mode before.
    pub before: MtlsMode,
    /// The mode after.
    pub after: MtlsMode,
    /// Where the mode after comes from.
    pub winner: Winner,
}

impl ModeChange {
    /// Whether the port goes from DISABLE to STRICT at once: until every client has learnt of it, one side or the other is
    /// refused (istio/istio#48290). PERMISSIVE in between avoids that.
    pub fn skips_permissive(&self) -> bool {
        (self.before, self.after) == (MtlsMode::Disable, MtlsMode::Strict)
    }
}

/// The changes between two sets, by workload and port.
pub(super) fn all(old: &PolicySet, new: &PolicySet, inventory: &Inventory) -> Vec<ModeChange> {
    let mut changes: Vec<ModeChange> = inventory
        .members()
        .iter()
        .flat_map(|member| {
            member
                .ports
                .iter()
                .map(move |port| (member, port.workload_port))
        })
        .filter_map(|(member, port)| {
            let before = old.resolve(&member.workload, port).mode();
            let after = new.resolve(&member.workload, port);
            (before != after.mode()).then(|| ModeChange {
                workload: super::dotted(&member.name),
                port,
                before,
                after: after.mode(),
                winner: after.winner(),
            })
        })
        .collect();
    changes.sort_by(|a, b| (&a.workload, a.port).cmp(&(&b.workload, b.port)));
    changes.dedup_by(|a, b| (&a.workload, a.port) == (&b.workload, b.port));
    changes
}
