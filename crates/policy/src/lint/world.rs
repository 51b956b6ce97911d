//! What an inventory knows of workloads, in the way policies see them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;

use super::selectors::Selectors;
use crate::{Inventory, Location, ResourceName, Workload};

/// The workloads of an inventory.
#[derive(Debug)]
pub(super) struct World {
    /// By namespace, and there by labels.
    all: Vec<Alike>,
    namespaces: HashMap<String, Vec<usize>>,
}

/// All workloads of one namespace with the same labels: policies cannot tell them apart.
#[derive(Debug)]
pub(super) struct Alike {
    pub(super) workload: Workload,
    /// The name of one of them; of one outside the mesh, if there is one.
    name: ResourceName,
    /// The ports they listen on, as far as services tell.
    pub(super) ports: BTreeSet<u16>,
    /// By service port: the workload ports it leads to, and the first host with it.
    pub(super) service_ports: BTreeMap<u16, ServicePortOf>,
    /// Whether all of them take part in mesh mTLS.
    pub(super) in_mesh: bool,
    /// Whether they are endpoints of services outside the mesh alone, such as a public database.
    pub(super) external: bool,
}

/// Where a service port leads at a workload.
#[derive(Debug)]
pub(super) struct ServicePortOf {
    pub(super) host: String,
    pub(super) ports: BTreeSet<u16>,
}

impl World {
    pub(super) fn new(inventory: &Inventory) -> Self {
        let mut found: HashMap<&Workload, Alike> = HashMap::new();
        for member in inventory.members() {
            let alike = found.entry(&member.workload).or_insert_with(|| Alike {
                workload: member.workload.clone(),
                name: member.name.clone(),
                ports: BTreeSet::new(),
                service_ports: BTreeMap::new(),
                in_mesh: true,
                external: false,
            });
            // Whoever is outside the mesh gives the name: that is what findings are about.
            let known = (alike.in_mesh, &alike.name);
            if (member.is_in_mesh(), &member.name) < known {
                alike.name = member.name.clone();
            }
            alike.in_mesh &= member.is_in_mesh();
            for served in &member.ports {
                alike.ports.insert(served.workload_port);
                let known = alike.service_ports.entry(served.service_port);
                known
                    .or_insert_with(|| ServicePortOf {
                        host: served.service.clone(),
                        ports: BTreeSet::new(),
                    })
                    .ports
                    .insert(served.workload_port);
            }
        }
        mark_external(inventory, &mut found);
        let mut all: Vec<Alike> = found.into_values().collect();
        all.sort_by(|a, b| {
            let (a, b) = (&a.workload, &b.workload);
            a.namespace
                .cmp(&b.namespace)
                .then_with(|| a.labels.iter().cmp(b.labels.iter()))
        });
        let mut namespaces: HashMap<String, Vec<usize>> = HashMap::new();
        for (number, alike) in all.iter().enumerate() {
            namespaces
                .entry(alike.workload.namespace.clone())
                .or_default()
                .push(number);
        }
        Self { all, namespaces }
    }

    /// Every workload that can be part of the mesh, by namespace and labels.
    pub(super) fn inside(&self) -> impl Iterator<Item = &Alike> {
        self.all.iter().filter(|alike| !alike.external)
    }

    /// The workloads of a namespace, by labels.
    pub(super) fn of_namespace(&self, namespace: &str) -> impl Iterator<Item = &Alike> {
        self.namespaces
            .get(namespace)
            .into_iter()
            .flatten()
            .filter_map(|number| self.all.get(*number))
    }

    /// For each selector, by its number, the workloads that it selects: of one namespace, or (`None`) of all.
    pub(super) fn selected_by(
        &self,
        namespace: Option<&str>,
        selectors: &Selectors<'_>,
    ) -> Vec<Vec<&Alike>> {
        let mut selected = vec![Vec::new(); selectors.len()];
        for alike in self.within(namespace) {
            for number in selectors.selecting(&alike.workload.labels) {
                if let Some(list) = selected.get_mut(number) {
                    list.push(alike);
                }
            }
        }
        selected
    }

    /// The workloads of one namespace, or (`None`) of all.
    pub(super) fn within(&self, namespace: Option<&str>) -> Vec<&Alike> {
        match namespace {
            Some(namespace) => self.of_namespace(namespace).collect(),
            None => self.all.iter().collect(),
        }
    }
}

/// What an inventory knows of the ports of some workloads.
pub(super) struct KnownPorts<'a> {
    pub(super) listens: BTreeSet<u16>,
    /// By service port: a host that has it, and the workload ports it leads to.
    pub(super) services: BTreeMap<u16, (&'a str, BTreeSet<u16>)>,
}

impl<'a> KnownPorts<'a> {
    /// Nothing, if there are no such workloads, or the ports of one are not known: it may listen anywhere.
    pub(super) fn of(workloads: &[&'a Alike]) -> Option<Self> {
        if workloads.is_empty() || workloads.iter().any(|alike| alike.ports.is_empty()) {
            return None;
        }
        let mut known = Self { listens: BTreeSet::new(), services: BTreeMap::new() };
        for alike in workloads {
            known.listens.extend(&alike.ports);
            for (port, service) in &alike.service_ports {
                let (_, targets) = known
                    .services
                    .entry(*port)
                    .or_insert_with(|| (&service.host, BTreeSet::new()));
                targets.extend(&service.ports);
            }
        }
        Some(known)
    }
}

/// Marks the workloads that only services outside the mesh name.
fn mark_external(inventory: &Inventory, found: &mut HashMap<&Workload, Alike>) {
    let of = |location| {
        let services = inventory
            .services()
            .filter(move |service| service.location == location);
        services.flat_map(|service| service.endpoints.iter().map(|endpoint| &endpoint.workload))
    };
    let internal: HashSet<&Workload> = of(Location::MeshInternal).collect();
    for workload in of(Location::MeshExternal).filter(|workload| !internal.contains(workload)) {
        if let Some(alike) = found.get_mut(workload) {
            alike.external = true;
        }
    }
}

impl fmt::Display for Alike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}
