//! `ServiceEntry`: a service of the static inventory.

mod read;
mod serde_form;

use crate::workload_entry::{PIECE, WorkloadEntry, WorkloadSpec};
use crate::{Labels, Metadata, ResourceName};

/// A `ServiceEntry` (`networking.istio.io/v1`).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ServiceEntry {
    /// Name and age.
    pub metadata: Metadata,
    /// The names of the service; `*.` in front stands for one or more parts.
    pub hosts: Vec<String>,
    /// Virtual addresses; read and kept, without effect here.
    pub addresses: Vec<String>,
    /// The ports that clients name.
    pub ports: Vec<ServicePort>,
    /// Whether the service is part of the mesh. Default [`Location::MeshExternal`], as in Istio.
    pub location: Location,
    /// How endpoints are found. Default [`EntryResolution::None`], as in Istio.
    pub resolution: EntryResolution,
    /// The endpoints, unless [`workload_selector`](Self::workload_selector) finds them.
    pub endpoints: Vec<WorkloadSpec>,
    /// The labels of the `WorkloadEntry` objects, in the same namespace, that serve it; `Some` without labels selects all of
    /// them.
    pub workload_selector: Option<Labels>,
    /// The namespaces that see it: `*` all, `.` its own, `~` none, else by name. Empty: all.
    pub export_to: Vec<String>,
    /// Further names that servers may present, beside their service accounts.
    pub subject_alt_names: Vec<String>,
}

impl ServiceEntry {
    /// A service called `host` that is part of the mesh, has no ports yet, and whose endpoints are given as IP addresses.
    pub fn new(namespace: impl AsRef<str>, name: impl AsRef<str>, host: impl Into<String>) -> Self {
        Self {
            location: Location::MeshInternal,
            resolution: EntryResolution::Static,
            hosts: vec![host.into()],
            ..Self::empty(Metadata::new(ResourceName::new(namespace, name)))
        }
    }

    /// Adds a port.
    #[must_use]
    pub fn with_port(mut self, port: ServicePort) -> Self {
        self.ports.push(port);
        self
    }

    /// Adds an endpoint.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: WorkloadSpec) -> Self {
        self.endpoints.push(endpoint);
        self
    }

    /// About how many bytes the entry takes in an [`Inventory`](crate::Inventory), where each port of each host has
    /// endpoints and names of its own, but for what the selector finds.
    pub(crate) fn own_bytes(&self) -> usize {
        let endpoints = self.endpoints.iter().map(WorkloadSpec::endpoint_bytes);
        let names = self
            .subject_alt_names
            .iter()
            .map(|name| name.len().saturating_add(PIECE));
        self.times_hosts_and_ports(endpoints.chain(names).fold(PIECE, usize::saturating_add))
    }

    /// About how many bytes more it takes for those `workloads` that the selector finds.
    pub(crate) fn selected_bytes(&self, workloads: &[WorkloadEntry]) -> usize {
        let found = self.selected(workloads).map(WorkloadSpec::endpoint_bytes);
        self.times_hosts_and_ports(found.fold(0, usize::saturating_add))
    }

    fn times_hosts_and_ports(&self, bytes: usize) -> usize {
        bytes
            .saturating_mul(self.hosts.len())
            .saturating_mul(self.ports.len())
    }

    /// Those `workloads` that the selector finds.
    pub(crate) fn selected<'a>(
        &'a self,
        workloads: &'a [WorkloadEntry],
    ) -> impl Iterator<Item = &'a WorkloadSpec> {
        let namespace = self.metadata.name.namespace();
        let selected = workloads.iter().filter(move |entry| {
            self.workload_selector.as_ref().is_some_and(|selector| {
                entry.metadata.name.namespace() == namespace
                    && selector.select(&entry.workload.labels)
            })
        });
        selected.map(|entry| &entry.workload)
    }

    fn empty(metadata: Metadata) -> Self {
        Self {
            metadata,
            hosts: Vec::new(),
            addresses: Vec::new(),
            ports: Vec::new(),
            location: Location::MeshExternal,
            resolution: EntryResolution::None,
            endpoints: Vec::new(),
            workload_selector: None,
            export_to: Vec::new(),
            subject_alt_names: Vec::new(),
        }
    }
}

/// A port of a service.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ServicePort {
    /// The number that clients name.
    pub number: u16,
    /// The name that endpoints refer to.
    pub name: String,
    /// The declared protocol, such as `HTTP`; empty where none is.
    pub protocol: String,
    /// The workload port, where it differs from [`number`](Self::number).
    pub target_port: Option<u16>,
}

impl ServicePort {
    /// A port without declared protocol, served at the workload port of the same number.
    pub fn new(name: impl Into<String>, number: u16) -> Self {
        Self { number, name: name.into(), protocol: String::new(), target_port: None }
    }

    /// Sets the workload port.
    #[must_use]
    pub fn with_target_port(mut self, target_port: u16) -> Self {
        self.target_port = Some(target_port);
        self
    }
}

/// Whether a service is part of the mesh.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "Istio has these two")]
pub enum Location {
    /// Not part of it: never reached by mesh mTLS of our own accord.
    MeshExternal,
    /// Part of it.
    MeshInternal,
}

/// How the endpoints of a `ServiceEntry` are found.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum EntryResolution {
    /// Not at all: the caller has an address already.
    None,
    /// They are given, as IP addresses.
    Static,
    /// By looking up the names given as endpoints, or the host itself.
    Dns,
    /// The same; one address of each answer is used.
    DnsRoundRobin,
    /// By looking up the name that the caller asked for, which a host with `*` stands for.
    DynamicDns,
}

impl Location {
    /// The name in Istio's API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MeshExternal => "MESH_EXTERNAL",
            Self::MeshInternal => "MESH_INTERNAL",
        }
    }
}

impl EntryResolution {
    /// The name in Istio's API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Static => "STATIC",
            Self::Dns => "DNS",
            Self::DnsRoundRobin => "DNS_ROUND_ROBIN",
            Self::DynamicDns => "DYNAMIC_DNS",
        }
    }
}
