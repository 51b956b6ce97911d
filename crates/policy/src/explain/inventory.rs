//! What an inventory adds to an explanation: whether anybody listens on the port, and which ports are a Service's.

use std::collections::BTreeSet;

use super::{Explanation, Note};
use crate::{Inventory, Member, ServedPort};

impl Explanation {
    /// Adds what `inventory` knows of the workload's ports, as notes: that the port asked about is a Service's port or that
    /// nobody listens on it, and which port entries of the chosen policy are for a Service's port by mistake.
    ///
    /// The workload is looked up by namespace and labels; further labels of it do not matter. Where the ports of one that
    /// fits are not known, nothing is added.
    #[must_use]
    pub fn with_inventory(mut self, inventory: &Inventory) -> Self {
        let members: Vec<&Member> = inventory
            .members()
            .iter()
            .filter(|member| self.is_about(member))
            .collect();
        if members.is_empty() || members.iter().any(|member| member.ports.is_empty()) {
            return self;
        }
        let served: BTreeSet<&ServedPort> =
            members.iter().flat_map(|member| &member.ports).collect();
        let listens: BTreeSet<u16> = served.iter().map(|served| served.workload_port).collect();
        if !listens.contains(&self.port) {
            let of_service = served
                .iter()
                .find(|served| served.service_port == self.port);
            self.notes.push(match of_service {
                Some(served) => Note::PortIsServicePort {
                    service: served.service.clone(),
                    workload_port: served.workload_port,
                },
                None => Note::NobodyListens { ports: listens.iter().copied().collect() },
            });
        }
        let entries = self.notes.iter().find_map(|note| match note {
            Note::NoEntryForPort { policy, ports } => Some((policy.clone(), ports.clone())),
            _ => None,
        });
        for (policy, entry) in entries
            .into_iter()
            .flat_map(|(policy, ports)| ports.into_iter().map(move |port| (policy.clone(), port)))
            .filter(|(_, entry)| !listens.contains(entry))
        {
            let meant = |served: &&&ServedPort| {
                served.service_port == entry && served.workload_port == self.port
            };
            if let Some(served) = served.iter().find(meant) {
                let (service, workload_port) = (served.service.clone(), served.workload_port);
                self.notes
                    .push(Note::EntryIsServicePort { policy, entry, service, workload_port });
            }
        }
        self
    }

    /// Whether a member may be the workload asked about.
    fn is_about(&self, member: &Member) -> bool {
        let (asked, found) = (&self.workload, &member.workload);
        asked.namespace == found.namespace
            && (asked.labels == found.labels
                || !asked.labels.is_empty() && asked.labels.select(&found.labels))
    }
}
