//! A document to a `ServiceEntry`, validated as Istio does.

use std::collections::HashSet;
use std::net::IpAddr;

use super::{EntryResolution, Location, ServiceEntry, ServicePort};
use crate::field::{Field, Object, shorten};
use crate::host_name::{is_fqdn, is_label, is_wildcard_domain};
use crate::kind::Kind;
use crate::parse_error::ParseError;
use crate::resource::Resource;
use crate::sidecar::{Cautions, check_port_name, check_protocol};
use crate::violation::{Caution, Violation, Warning};
use crate::workload_entry::{Context, WorkloadSpec, read_spec};
use crate::{Metadata, protocol, selector};

impl Resource for ServiceEntry {
    const KIND: Kind = Kind::ServiceEntry;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn read(
        object: &Object<'_>,
        metadata: Metadata,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, ParseError> {
        let name = metadata.name.clone();
        read(object, metadata, &mut Cautions { name: &name, warnings })
    }
}

fn read(
    object: &Object<'_>,
    metadata: Metadata,
    cautions: &mut Cautions<'_>,
) -> Result<ServiceEntry, ParseError> {
    let mut entry = ServiceEntry::empty(metadata);
    let field = object.require("spec")?;
    let spec = field.object(FIELDS)?;
    if let Some(location) = spec.get("location") {
        entry.location =
            named(&location, LOCATIONS, &[Location::MeshExternal, Location::MeshInternal])?;
    }
    if let Some(resolution) = spec.get("resolution") {
        use EntryResolution::{Dns, DnsRoundRobin, DynamicDns, None, Static};
        let values = [None, Static, Dns, DnsRoundRobin, DynamicDns];
        entry.resolution = named(&resolution, RESOLUTIONS, &values)?;
    }
    let hosts = spec.require("hosts")?;
    entry.hosts = read_hosts(&hosts, entry.resolution, cautions)?;
    if let Some(addresses) = spec.get("addresses") {
        entry.addresses = read_addresses(&addresses, entry.resolution)?;
    }
    if let Some(ports) = spec.get("ports") {
        entry.ports = read_ports(&ports, &entry, cautions)?;
    }
    if let Some(selector) = spec.get("workloadSelector") {
        let labels = selector::read(&selector, &["labels"])?;
        if labels.is_empty() {
            cautions.add(&selector, Caution::SelectorWithoutLabels);
        }
        if entry.resolution == EntryResolution::None {
            cautions.add(&selector, Caution::SelectorWithoutResolution);
        }
        entry.workload_selector = Some(labels);
    }
    if let Some(endpoints) = spec.get("endpoints") {
        entry.endpoints = read_endpoints(&endpoints, &entry, cautions)?;
    }
    check_resolution(&field, &hosts, &entry, cautions)?;
    if let Some(to) = spec.get("exportTo") {
        entry.export_to = read_export_to(&to, entry.metadata.name.namespace())?;
    }
    if let Some(names) = spec.get("subjectAltNames") {
        entry.subject_alt_names = names.texts()?;
    }
    Ok(entry)
}

/// Rules SE-1 and SE-2.
fn read_hosts(
    field: &Field<'_>,
    resolution: EntryResolution,
    cautions: &mut Cautions<'_>,
) -> Result<Vec<String>, ParseError> {
    let hosts = field.list()?;
    if hosts.is_empty() {
        return Err(field.invalid(Violation::HostsEmpty));
    }
    let dynamic = resolution == EntryResolution::DynamicDns;
    for host in &hosts {
        let text = host.text()?;
        if text == "*" || !is_wildcard_domain(text) {
            return Err(host.invalid(Violation::BadHost { found: shorten(text) }));
        } else if dynamic && !text.starts_with('*') {
            return Err(host.invalid(Violation::HostNeedsWildcard { found: shorten(text) }));
        } else if !dynamic && text.starts_with('*') && !text.starts_with("*.") {
            cautions.add(host, Caution::PartialWildcard);
        }
    }
    field.texts()
}

/// Rule SE-3.
fn read_addresses(
    field: &Field<'_>,
    resolution: EntryResolution,
) -> Result<Vec<String>, ParseError> {
    let by_address = matches!(resolution, EntryResolution::None | EntryResolution::Static);
    let addresses = field.list()?;
    for address in &addresses {
        let text = address.text()?;
        let (ip, length) = match text.split_once('/') {
            Some((ip, length)) => (ip, Some(length)),
            None => (text, None),
        };
        let sound = ip.parse::<IpAddr>().is_ok_and(|ip| {
            let max = if ip.is_ipv4() { 32 } else { 128 };
            length.is_none_or(|length| {
                length.bytes().all(|byte| byte.is_ascii_digit())
                    && (length == "0" || !length.starts_with('0'))
                    && length.parse::<u8>().is_ok_and(|length| length <= max)
            })
        });
        if !sound {
            return Err(address.invalid(Violation::BadSubnet { found: shorten(text) }));
        } else if length.is_some() && !by_address {
            return Err(address.invalid(Violation::SubnetWithNames));
        }
    }
    if resolution == EntryResolution::DynamicDns && !addresses.is_empty() {
        return Err(field.invalid(Violation::DynamicWith { name: "addresses" }));
    }
    field.texts()
}

/// Rules SE-4 and SE-5.
fn read_ports(
    field: &Field<'_>,
    entry: &ServiceEntry,
    cautions: &mut Cautions<'_>,
) -> Result<Vec<ServicePort>, ParseError> {
    let (mut numbers, mut names) = (HashSet::new(), HashSet::new());
    let mut ports = Vec::new();
    for item in field.list()? {
        let port = item.object(&["number", "protocol", "name", "targetPort"])?;
        let number = port.require("number")?;
        let name = port.require("name")?;
        check_port_name(name.text()?, &name)?;
        let protocol = port.get("protocol").filter(|protocol| !protocol.is_zero());
        if let Some(protocol) = &protocol {
            check_protocol(protocol)?;
        }
        let target = port.get("targetPort").filter(|target| !target.is_zero());
        let read = ServicePort {
            number: number.port()?,
            name: name.text()?.to_owned(),
            protocol: protocol
                .map_or(Ok(""), |protocol| protocol.text())?
                .to_owned(),
            target_port: target.map(|target| target.port()).transpose()?,
        };
        if !numbers.insert(read.number) {
            let found = read.number.to_string();
            return Err(number.invalid(Violation::DuplicatePort { found }));
        }
        if !names.insert(read.name.clone()) {
            return Err(name.invalid(Violation::DuplicatePort { found: shorten(&read.name) }));
        }
        check_protocol_fits(&item, &read, entry, cautions)?;
        ports.push(read);
    }
    Ok(ports)
}

/// What a port speaks must let its hosts be told apart.
fn check_protocol_fits(
    field: &Field<'_>,
    port: &ServicePort,
    entry: &ServiceEntry,
    cautions: &mut Cautions<'_>,
) -> Result<(), ParseError> {
    let speaks = |names: &[&str]| {
        names
            .iter()
            .any(|name| name.eq_ignore_ascii_case(&port.protocol))
    };
    let named = protocol::is_http(&port.protocol) || protocol::is_tls(&port.protocol);
    if entry.resolution == EntryResolution::DynamicDns && !speaks(&["HTTP", "TLS", "GRPC", "HTTP2"])
    {
        return Err(field.invalid(Violation::DynamicProtocol));
    }
    if entry.resolution != EntryResolution::None && entry.hosts.len() > 1 && !named {
        return Err(field.invalid(Violation::ManyHostsWithoutNames));
    }
    let opted_out = entry
        .metadata
        .labels
        .get("networking.istio.io/enable-autoallocate-ip")
        .is_some_and(|value| value.eq_ignore_ascii_case("false"));
    let allocated = entry.resolution != EntryResolution::None && !opted_out;
    let tcp = matches!(port.protocol.as_str(), "" | "TCP");
    if entry.addresses.is_empty() && !allocated && tcp {
        cautions.add(field, Caution::TcpWithoutAddresses);
    }
    Ok(())
}

/// Rules SE-6 to SE-9.
fn read_endpoints(
    field: &Field<'_>,
    entry: &ServiceEntry,
    cautions: &mut Cautions<'_>,
) -> Result<Vec<WorkloadSpec>, ParseError> {
    let items = field.list()?;
    if items.is_empty() {
        return Ok(Vec::new());
    } else if entry.workload_selector.is_some() {
        return Err(field.invalid(Violation::EndpointsAndSelector));
    }
    let ports: HashSet<String> = entry.ports.iter().map(|port| port.name.clone()).collect();
    let context = match entry.resolution {
        EntryResolution::None => {
            return Err(field.invalid(Violation::EndpointsWithoutResolution));
        }
        EntryResolution::DynamicDns => {
            return Err(field.invalid(Violation::DynamicWith { name: "endpoints" }));
        }
        EntryResolution::DnsRoundRobin if items.len() > 1 => {
            return Err(field.invalid(Violation::ManyEndpointsRoundRobin));
        }
        EntryResolution::Static => Context::Static(&ports),
        EntryResolution::Dns | EntryResolution::DnsRoundRobin => Context::Dns(&ports),
    };
    items
        .iter()
        .map(|item| read_spec(item, &context, cautions))
        .collect()
}

/// What the resolution asks of the whole.
fn check_resolution(
    field: &Field<'_>,
    hosts: &Field<'_>,
    entry: &ServiceEntry,
    cautions: &mut Cautions<'_>,
) -> Result<(), ParseError> {
    match entry.resolution {
        EntryResolution::Static => {
            if entry.endpoints.is_empty() && entry.workload_selector.is_none() {
                cautions.add(field, Caution::StaticWithoutEndpoints);
            }
        }
        EntryResolution::Dns | EntryResolution::DnsRoundRobin => {
            if entry.endpoints.is_empty()
                && let Some(host) = entry.hosts.iter().find(|host| !is_fqdn(host))
            {
                return Err(hosts.invalid(Violation::HostNotResolvable { found: shorten(host) }));
            }
        }
        EntryResolution::DynamicDns => {
            let waypoint = entry
                .metadata
                .labels
                .get("istio.io/use-waypoint")
                .is_some_and(|name| !name.is_empty() && !name.eq_ignore_ascii_case("none"));
            if waypoint && entry.location == Location::MeshInternal {
                return Err(field.invalid(Violation::DynamicWaypoint));
            }
        }
        EntryResolution::None => {}
    }
    Ok(())
}

/// Rule SE-10: `.` and the name of the entry's own namespace are the same.
fn read_export_to(field: &Field<'_>, own: &str) -> Result<Vec<String>, ParseError> {
    let entries = field.texts()?;
    let mut seen = HashSet::new();
    for (item, entry) in field.list()?.iter().zip(&entries) {
        if !matches!(entry.as_str(), "*" | "." | "~") && !is_label(entry) {
            return Err(item.invalid(Violation::BadExportTo { found: shorten(entry) }));
        } else if !seen.insert(if entry == "." { own } else { entry }) {
            return Err(item.invalid(Violation::DuplicateExportTo { found: shorten(entry) }));
        } else if matches!(entry.as_str(), "*" | "~") && entries.len() > 1 {
            return Err(item.invalid(Violation::ExportToWithOthers { found: entry.clone() }));
        }
    }
    Ok(entries)
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

const RESOLUTIONS: &[&str] = &["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"];
