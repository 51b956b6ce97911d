//! `WorkloadEntry`, and the same description of a workload inside a `ServiceEntry`.

mod read;
mod serde_form;

pub(crate) use read::{Context, read_spec};
pub(crate) use serde_form::SpecForm;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use serde::{Serialize, Serializer};

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

/// Where a workload can be reached: an IP address or a host name, seldom something else.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_enums, reason = "whoever connects must handle both")]
pub enum Address {
    /// An address to connect to.
    Ip(IpAddr),
    /// A name to look up first.
    Host(String),
    /// A Unix domain socket beside Istio's proxy, as written behind `unix://`. Not connected to here.
    Unix(String),
    /// None of its own: it is behind the gateway of its network. Not connected to here.
    Unset,
}

impl Address {
    /// The IP address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            Self::Host(_) | Self::Unix(_) | Self::Unset => None,
        }
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip)
    }
}

/// As its text; null if there is none.
impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unset => serializer.serialize_none(),
            Self::Ip(_) | Self::Host(_) | Self::Unix(_) => serializer.collect_str(self),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Host(host) => f.write_str(host),
            Self::Unix(path) => write!(f, "unix://{path}"),
            Self::Unset => f.write_str("no address"),
        }
    }
}

/// What an endpoint, a label or a name of a service is taken to occupy beside text of any length, in bytes.
pub(crate) const PIECE: usize = 256;
