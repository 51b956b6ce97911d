//! `WorkloadEntry`, and the same description of a workload inside a `ServiceEntry`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use meshtls_identity::{ServiceAccountId, TrustDomain};
use serde::Serialize;

use crate::field::{Field, Object, shorten};
use crate::host_name::is_host_name;
use crate::kind::Kind;
use crate::parse_error::ParseError;
use crate::resource::Resource;
use crate::violation::{Violation, Warning};
use crate::{Labels, Metadata, ResourceName};

/// A `WorkloadEntry` (`networking.istio.io/v1`): a workload that no orchestrator knows.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct WorkloadEntry {
    /// Name and age.
    pub metadata: Metadata,
    /// The workload.
    pub workload: WorkloadSpec,
}

impl WorkloadEntry {
    /// An entry for `workload`.
    pub fn new(namespace: impl AsRef<str>, name: impl AsRef<str>, workload: WorkloadSpec) -> Self {
        Self { metadata: Metadata::new(ResourceName::new(namespace, name)), workload }
    }
}

/// Where a workload is and who it runs as.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct WorkloadSpec {
    /// Where it can be reached.
    pub address: Address,
    /// Workload ports by the name of the service port they serve; a service port without an entry takes its target port.
    pub ports: BTreeMap<String, u16>,
    /// The labels that selectors look at.
    pub labels: Labels,
    /// The service account it runs as, in its own namespace.
    pub service_account: Option<String>,
    /// The network it is in; read and kept, without effect here.
    pub network: Option<String>,
    /// Its locality; read and kept, without effect here.
    pub locality: Option<String>,
    /// Its share of the load; read and kept, without effect here.
    pub weight: Option<u32>,
}

impl WorkloadSpec {
    /// A workload at `address`, without labels or service account.
    pub fn new(address: impl Into<Address>) -> Self {
        Self {
            address: address.into(),
            ports: BTreeMap::new(),
            labels: Labels::default(),
            service_account: None,
            network: None,
            locality: None,
            weight: None,
        }
    }

    /// Sets the labels.
    #[must_use]
    pub fn with_labels(mut self, labels: impl Into<Labels>) -> Self {
        self.labels = labels.into();
        self
    }

    /// Sets the service account.
    #[must_use]
    pub fn with_service_account(mut self, service_account: impl Into<String>) -> Self {
        self.service_account = Some(service_account.into());
        self
    }

    /// Sets the workload port that serves the service port called `name`.
    #[must_use]
    pub fn with_port(mut self, name: impl Into<String>, port: u16) -> Self {
        self.ports.insert(name.into(), port);
        self
    }

    /// About how many bytes the workload takes as an [`Endpoint`](crate::Endpoint).
    pub(crate) fn endpoint_bytes(&self) -> usize {
        let account = self.service_account.as_ref().map_or(0, String::len);
        self.labels
            .iter()
            .map(|(key, value)| key.len().saturating_add(value.len()).saturating_add(PIECE))
            .fold(account.saturating_add(PIECE), usize::saturating_add)
    }
}

/// An IP address or a host name.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(untagged)]
#[expect(clippy::exhaustive_enums, reason = "whoever connects must handle both")]
pub enum Address {
    /// An address to connect to.
    Ip(IpAddr),
    /// A name to look up first.
    Host(String),
}

impl Address {
    /// The IP address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            Self::Host(_) => None,
        }
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Host(host) => f.write_str(host),
        }
    }
}

impl Resource for WorkloadEntry {
    const KIND: Kind = Kind::WorkloadEntry;

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

fn read(object: &Object<'_>, metadata: Metadata) -> Result<WorkloadEntry, ParseError> {
    let workload = read_spec(&object.require("spec")?, metadata.name.namespace())?;
    Ok(WorkloadEntry { metadata, workload })
}

/// Reads and validates the description of a workload in `namespace`.
pub(crate) fn read_spec(field: &Field<'_>, namespace: &str) -> Result<WorkloadSpec, ParseError> {
    let spec = field.object(&[
        "address",
        "ports",
        "labels",
        "network",
        "locality",
        "weight",
        "serviceAccount",
    ])?;
    let mut workload = WorkloadSpec::new(read_address(&spec.require("address")?)?);
    if let Some(ports) = spec.get("ports") {
        workload.ports = ports
            .open_object()?
            .fields()
            .map(|entry| Ok((entry.key().to_owned(), entry.field.port()?)))
            .collect::<Result<_, _>>()?;
    }
    if let Some(labels) = spec.get("labels") {
        workload.labels = labels.labels()?;
    }
    if let Some(field) = spec.get("serviceAccount") {
        let account = field.text()?;
        // Istio takes the empty text for none.
        if !account.is_empty() {
            if ServiceAccountId::new(&TrustDomain::cluster_local(), namespace, account).is_err() {
                return Err(field.invalid(Violation::BadServiceAccount { found: shorten(account) }));
            }
            workload.service_account = Some(account.to_owned());
        }
    }
    workload.network = spec.text("network")?.map(str::to_owned);
    workload.locality = spec.text("locality")?.map(str::to_owned);
    workload.weight = spec
        .get("weight")
        .map(|weight| weight.count())
        .transpose()?;
    Ok(workload)
}

fn read_address(field: &Field<'_>) -> Result<Address, ParseError> {
    let text = field.text()?;
    if let Ok(ip) = text.parse() {
        Ok(Address::Ip(ip))
    } else if is_host_name(text) {
        Ok(Address::Host(text.to_owned()))
    } else {
        Err(field.invalid(Violation::BadAddress { found: shorten(text) }))
    }
}

/// What an endpoint, a label or a name of a service is taken to occupy beside text of any length, in bytes.
pub(crate) const PIECE: usize = 256;
