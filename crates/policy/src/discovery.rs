//! What a client must know of a service before it connects.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;

use crate::{Address, Labels, Location, PeerName, Workload, WorkloadSpec};

/// Where services are looked up: an [`Inventory`](crate::Inventory), or something that follows a cluster.
pub trait Discovery: fmt::Debug + Send + Sync {
    /// The service that a client in `client_namespace` reaches as `host` at `port` (a service port).
    ///
    /// Case and a final dot do not matter. `None`: no such service is visible there, so the destination is outside the
    /// mesh.
    fn service(&self, client_namespace: &str, host: &str, port: u16) -> Option<Arc<ServiceView>>;
}

impl<D: Discovery + ?Sized> Discovery for Arc<D> {
    fn service(&self, client_namespace: &str, host: &str, port: u16) -> Option<Arc<ServiceView>> {
        (**self).service(client_namespace, host, port)
    }
}

/// One port of a service, as its clients see it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ServiceView {
    /// The full host name, whatever name the client used. It may begin with `*.`.
    pub hostname: String,
    /// The namespace the service belongs to.
    pub namespace: String,
    /// The service port.
    pub port: u16,
    /// Where the service is known from.
    pub registry: Registry,
    /// How an endpoint is chosen.
    pub resolution: Resolution,
    /// Whether the service is part of the mesh.
    pub location: Location,
    /// Who may serve it: the service accounts of its endpoints and further names, without aliases of the trust domain.
    pub names: Vec<PeerName>,
    /// The endpoints known.
    pub endpoints: Vec<Endpoint>,
}

impl ServiceView {
    /// A service of the mesh without endpoints, from [`Registry::External`], with [`Resolution::ClientSide`].
    pub fn new(hostname: impl Into<String>, namespace: impl Into<String>, port: u16) -> Self {
        Self {
            hostname: hostname.into(),
            namespace: namespace.into(),
            port,
            registry: Registry::External,
            resolution: Resolution::ClientSide,
            location: Location::MeshInternal,
            names: Vec::new(),
            endpoints: Vec::new(),
        }
    }
}

/// Where a service is known from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Registry {
    /// A `Service` of Kubernetes.
    Kubernetes,
    /// A `ServiceEntry`.
    External,
}

/// How the client of a service chooses an endpoint.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Resolution {
    /// One of the endpoints.
    ClientSide,
    /// One of the addresses behind the endpoints' names.
    Dns,
    /// The address that the caller has already (headless services, `resolution: NONE`).
    Passthrough,
}

/// One workload that serves a port.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Endpoint {
    /// Where it is.
    pub address: Address,
    /// The workload port: to connect to, and the one policies speak of.
    pub port: u16,
    /// Its namespace and labels, which policies look at.
    pub workload: Workload,
    /// The service account it runs as, if known.
    pub service_account: Option<String>,
    /// Whether it takes part in mesh mTLS.
    pub tls: EndpointTls,
}

impl Endpoint {
    /// An endpoint whose [`tls`](Self::tls) is what its labels say.
    pub fn new(address: impl Into<Address>, port: u16, workload: Workload) -> Self {
        let tls = EndpointTls::of_labels(&workload.labels).unwrap_or(EndpointTls::Disabled);
        Self { address: address.into(), port, workload, service_account: None, tls }
    }

    /// The address to connect to, unless a name must be looked up first.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        self.address.ip().map(|ip| SocketAddr::new(ip, self.port))
    }
}

/// Such as `127.0.1.2:8000` or `httpbin.example:80`.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Ip(ip) => SocketAddr::new(*ip, self.port).fmt(f),
            Address::Host(host) => write!(f, "{host}:{}", self.port),
            Address::Unix(_) | Address::Unset => self.address.fmt(f),
        }
    }
}

/// Whether an endpoint takes part in mesh mTLS, by its label `security.istio.io/tlsMode`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "Istio tells these three apart")]
pub enum EndpointTls {
    /// `istio`: it does.
    Istio,
    /// `disabled`, or no label: it does not.
    Disabled,
    /// Any other value: plaintext, but a headless service is not kept from mTLS by it.
    Other,
}

impl EndpointTls {
    /// The label that says it.
    pub const LABEL: &str = "security.istio.io/tlsMode";

    /// What a workload of a `ServiceEntry` or a `WorkloadEntry` is: by its label if it has one, else by having a service
    /// account (Istio: `pilot/pkg/serviceregistry/serviceentry/conversion.go`).
    pub fn of_workload(workload: &WorkloadSpec) -> Self {
        let account = if workload.service_account.is_some() { Self::Istio } else { Self::Disabled };
        Self::of_labels(&workload.labels).unwrap_or(account)
    }

    /// What the labels say; `None` without the label.
    pub fn of_labels(labels: &Labels) -> Option<Self> {
        Some(match labels.get(Self::LABEL)? {
            "istio" => Self::Istio,
            "disabled" => Self::Disabled,
            _ => Self::Other,
        })
    }
}
