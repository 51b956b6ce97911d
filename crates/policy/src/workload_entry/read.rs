//! A document to a `WorkloadEntry`, validated as Istio does.

use std::collections::HashSet;

use meshtls_identity::{ServiceAccountId, TrustDomain};

use super::{Address, WorkloadEntry, WorkloadSpec};
use crate::Metadata;
use crate::field::{Field, Object, shorten};
use crate::host_name::is_fqdn;
use crate::kind::Kind;
use crate::label_syntax::{is_label_key, is_label_value};
use crate::parse_error::{ParseError, ParseFault};
use crate::resource::Resource;
use crate::sidecar::{Cautions, check_port_name};
use crate::unix_address;
use crate::violation::{Caution, Violation, Warning};

impl Resource for WorkloadEntry {
    const KIND: Kind = Kind::WorkloadEntry;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn read(
        object: &Object<'_>,
        metadata: Metadata,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, ParseError> {
        let name = metadata.name.clone();
        let cautions = &mut Cautions { name: &name, warnings };
        let spec = object.require("spec")?;
        let workload = read_spec(&spec, &Context::Entry, cautions)?;
        Ok(Self { metadata, workload })
    }
}

/// Where the description of a workload stands, which decides on the addresses it may have (rule SE-12).
pub(crate) enum Context<'a> {
    /// On its own.
    Entry,
    /// In a `ServiceEntry` with `resolution: STATIC` and ports of these names.
    Static(&'a HashSet<String>),
    /// In a `ServiceEntry` whose endpoints are looked up, with ports of these names.
    Dns(&'a HashSet<String>),
}

impl Context<'_> {
    fn service_ports(&self) -> Option<&HashSet<String>> {
        match self {
            Self::Entry => None,
            Self::Static(ports) | Self::Dns(ports) => Some(ports),
        }
    }
}

/// Reads and validates the description of a workload.
pub(crate) fn read_spec(
    field: &Field<'_>,
    context: &Context<'_>,
    cautions: &mut Cautions<'_>,
) -> Result<WorkloadSpec, ParseError> {
    let spec = field.object(&[
        "address",
        "ports",
        "labels",
        "network",
        "locality",
        "weight",
        "serviceAccount",
    ])?;
    let text = |name| {
        let text = spec.text(name)?.filter(|text| !text.is_empty());
        Ok(text.map(str::to_owned))
    };
    let mut workload = WorkloadSpec::new(Address::Unset);
    workload.network = text("network")?;
    workload.locality = text("locality")?;
    workload.address = match spec.get("address") {
        Some(address) if !address.is_zero() => read_address(&address, context)?,
        _ if workload.network.is_some() && !matches!(context, Context::Dns(_)) => {
            cautions.add(field, Caution::AddressUnset);
            Address::Unset
        }
        _ => return Err(field.refuse(ParseFault::MissingField { name: "address" })),
    };
    if let Some(ports) = spec.get("ports") {
        read_ports(&ports, context, &mut workload)?;
    }
    if matches!(workload.address, Address::Unix(_))
        && context
            .service_ports()
            .is_some_and(|ports| ports.len() != 1)
    {
        return Err(field.invalid(Violation::SocketNeedsOnePort));
    }
    if let Some(labels) = spec.get("labels") {
        for entry in labels.open_object()?.fields() {
            let (key, value) = (entry.key(), entry.field.text()?);
            if !is_label_key(key) || !is_label_value(value) {
                let found = shorten(&format!("{key}={value}"));
                return Err(entry.field.invalid(Violation::BadLabel { found }));
            }
        }
        workload.labels = labels.labels()?;
    }
    if let Some(account) = spec.get("serviceAccount") {
        workload.service_account = read_account(&account, cautions.name.namespace())?;
    }
    workload.weight = spec
        .get("weight")
        .map(|weight| weight.count())
        .transpose()?;
    Ok(workload)
}

fn read_ports(
    field: &Field<'_>,
    context: &Context<'_>,
    workload: &mut WorkloadSpec,
) -> Result<(), ParseError> {
    for entry in field.open_object()?.fields() {
        if matches!(workload.address, Address::Unix(_)) {
            return Err(field.invalid(Violation::SocketWithPorts));
        }
        let name = entry.key();
        check_port_name(name, &entry.field)?;
        let known = context
            .service_ports()
            .is_none_or(|ports| ports.contains(name));
        if !known {
            let found = shorten(name);
            return Err(entry
                .field
                .invalid_key(Violation::UnknownServicePort { found }));
        }
        workload.ports.insert(name.to_owned(), entry.field.port()?);
    }
    Ok(())
}

/// The empty text is no account.
fn read_account(field: &Field<'_>, namespace: &str) -> Result<Option<String>, ParseError> {
    let account = field.text()?;
    if account.is_empty() {
        Ok(None)
    } else if ServiceAccountId::new(&TrustDomain::cluster_local(), namespace, account).is_ok() {
        Ok(Some(account.to_owned()))
    } else {
        Err(field.invalid(Violation::BadServiceAccount { found: shorten(account) }))
    }
}

fn read_address(field: &Field<'_>, context: &Context<'_>) -> Result<Address, ParseError> {
    let text = field.text()?;
    let bad = || field.invalid(Violation::BadAddress { found: shorten(text) });
    if let Ok(ip) = text.parse() {
        return Ok(Address::Ip(ip));
    }
    match (text.strip_prefix(unix_address::PREFIX), context) {
        (Some(path), Context::Entry | Context::Static(_)) if unix_address::is_valid(path) => {
            Ok(Address::Unix(path.to_owned()))
        }
        (Some(_), _) => Err(bad()),
        (None, _) if !is_fqdn(text) => Err(bad()),
        (None, Context::Static(_)) => {
            Err(field.invalid(Violation::AddressNotIp { found: shorten(text) }))
        }
        (None, Context::Entry | Context::Dns(_)) => Ok(Address::Host(text.to_owned())),
    }
}
