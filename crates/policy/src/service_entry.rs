//! `ServiceEntry`: a service of the static inventory.

use std::collections::HashSet;

use crate::field::{Field, Object, shorten};
use crate::host_name::is_host_pattern;
use crate::kind::Kind;
use crate::parse_error::ParseError;
use crate::resource::Resource;
use crate::violation::{Violation, Warning};
use crate::workload_entry::{self, PIECE, WorkloadEntry, WorkloadSpec};
use crate::{Address, Labels, Metadata, ResourceName, selector};

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
    /// The labels of the `WorkloadEntry` objects, in the same namespace, that serve it; empty selects none.
    pub workload_selector: Labels,
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
    /// endpoints and names of its own. `workloads` are those that the selector may find.
    pub(crate) fn inventory_bytes(&self, workloads: &[WorkloadEntry]) -> usize {
        let namespace = self.metadata.name.namespace();
        let selected = workloads.iter().filter(|entry| {
            !self.workload_selector.is_empty()
                && entry.metadata.name.namespace() == namespace
                && self.workload_selector.select(&entry.workload.labels)
        });
        let endpoints = self
            .endpoints
            .iter()
            .chain(selected.map(|entry| &entry.workload));
        endpoints
            .map(WorkloadSpec::endpoint_bytes)
            .chain(
                self.subject_alt_names
                    .iter()
                    .map(|name| name.len().saturating_add(PIECE)),
            )
            .fold(PIECE, usize::saturating_add)
            .saturating_mul(self.hosts.len())
            .saturating_mul(self.ports.len())
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
            workload_selector: Labels::default(),
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
}

impl Resource for ServiceEntry {
    const KIND: Kind = Kind::ServiceEntry;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn read(
        object: &Object<'_>,
        metadata: Metadata,
        _warnings: &mut Vec<Warning>,
    ) -> Result<Self, ParseError> {
        read(object, metadata)
    }
}

fn read(object: &Object<'_>, metadata: Metadata) -> Result<ServiceEntry, ParseError> {
    let mut entry = ServiceEntry::empty(metadata);
    let field = object.require("spec")?;
    let spec = field.object(FIELDS)?;
    let hosts = spec.require("hosts")?;
    for host in hosts.list()? {
        let text = host.text()?;
        if !is_host_pattern(text) {
            return Err(host.invalid(Violation::BadHost { found: shorten(text) }));
        }
        entry.hosts.push(text.to_owned());
    }
    if entry.hosts.is_empty() {
        return Err(hosts.invalid(Violation::HostsEmpty));
    }
    entry.ports = spec
        .get("ports")
        .map_or(Ok(Vec::new()), |ports| read_ports(&ports))?;
    if let Some(location) = spec.get("location") {
        entry.location =
            named(&location, LOCATIONS, &[Location::MeshExternal, Location::MeshInternal])?;
    }
    if let Some(resolution) = spec.get("resolution") {
        use EntryResolution::{Dns, DnsRoundRobin, None, Static};
        entry.resolution = named(&resolution, RESOLUTIONS, &[None, Static, Dns, DnsRoundRobin])?;
    }
    if let Some(selector) = spec.get("workloadSelector") {
        entry.workload_selector = selector::read(&selector, &["labels"])?;
    }
    if let Some(endpoints) = spec.get("endpoints") {
        if !entry.workload_selector.is_empty() {
            return Err(endpoints.invalid(Violation::EndpointsAndSelector));
        }
        entry.endpoints = read_endpoints(&endpoints, &entry)?;
    }
    let nobody = entry.endpoints.is_empty() && entry.workload_selector.is_empty();
    if entry.resolution == EntryResolution::Static && nobody {
        return Err(field.invalid(Violation::StaticWithoutEndpoints));
    }
    let texts = |name| spec.get(name).map_or(Ok(Vec::new()), |list| list.texts());
    entry.addresses = texts("addresses")?;
    entry.export_to = texts("exportTo")?;
    entry.subject_alt_names = texts("subjectAltNames")?;
    Ok(entry)
}

fn read_ports(field: &Field<'_>) -> Result<Vec<ServicePort>, ParseError> {
    let mut taken = HashSet::new();
    field
        .list()?
        .iter()
        .map(|item| {
            let port = item.object(&["number", "protocol", "name", "targetPort"])?;
            let number = port.require("number")?;
            let name = port.require("name")?;
            let read = ServicePort {
                number: number.port()?,
                name: name.text()?.to_owned(),
                protocol: port.text("protocol")?.unwrap_or_default().to_owned(),
                target_port: port
                    .get("targetPort")
                    .map(|target| target.port())
                    .transpose()?,
            };
            for (field, text) in [(&number, read.number.to_string()), (&name, read.name.clone())] {
                if !taken.insert(text.clone()) {
                    return Err(field.invalid(Violation::DuplicatePort { found: shorten(&text) }));
                }
            }
            Ok(read)
        })
        .collect()
}

fn read_endpoints(
    field: &Field<'_>,
    entry: &ServiceEntry,
) -> Result<Vec<WorkloadSpec>, ParseError> {
    let items = field.list()?;
    if entry.resolution == EntryResolution::None && !items.is_empty() {
        return Err(field.invalid(Violation::EndpointsWithoutResolution));
    }
    items
        .iter()
        .map(|item| {
            let endpoint = workload_entry::read_spec(item, entry.metadata.name.namespace())?;
            match &endpoint.address {
                Address::Host(host) if entry.resolution == EntryResolution::Static => {
                    Err(item.invalid(Violation::AddressNotIp { found: shorten(host) }))
                }
                Address::Host(_) | Address::Ip(_) => Ok(endpoint),
            }
        })
        .collect()
}

/// Reads one of `names`; the value is the one at the same place in `values`.
fn named<T: Copy>(
    field: &Field<'_>,
    names: &'static [&'static str],
    values: &[T],
) -> Result<T, ParseError> {
    field.name_of(names, |found| {
        let (_, value) = names.iter().zip(values).find(|&(&name, _)| name == found)?;
        Some(*value)
    })
}

const FIELDS: &[&str] = &[
    "hosts",
    "addresses",
    "ports",
    "location",
    "resolution",
    "endpoints",
    "workloadSelector",
    "exportTo",
    "subjectAltNames",
];

const LOCATIONS: &[&str] = &["MESH_EXTERNAL", "MESH_INTERNAL"];

const RESOLUTIONS: &[&str] = &["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN"];
