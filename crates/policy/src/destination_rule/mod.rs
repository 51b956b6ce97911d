//! `DestinationRule`: how clients connect to a host.

mod client_tls;
mod read;
mod read_tls;
mod serde_form;
mod violation;

use crate::{Labels, Metadata, ResourceName, Timestamp, Verbatim};

pub use client_tls::{ClientTls, ClientTlsMode};
pub use violation::DestinationRuleViolation;

/// A `DestinationRule` (`networking.istio.io/v1`).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DestinationRule {
    /// Name and age.
    pub metadata: Metadata,
    /// The host it is for. A name without a dot is a service of the rule's own namespace; `*` in front stands for any beginning.
    pub host: String,
    /// The namespaces whose clients it is for: `*` all, `.` its own, else by name. Empty: the default of the mesh
    /// ([`MeshSettings::default_destination_rule_export_to`](crate::MeshSettings::default_destination_rule_export_to)).
    pub export_to: Vec<String>,
    /// The clients it is for, all in its own namespace. `None`: no such bound; empty: all of its namespace, and no others.
    pub workload_selector: Option<Labels>,
    /// How to connect to every endpoint of the host.
    pub traffic_policy: Option<TrafficPolicy>,
    /// Named parts of the endpoints, which a caller can ask for.
    pub subsets: Vec<Subset>,
}

impl DestinationRule {
    /// A rule for `host` that says nothing yet.
    pub fn new(namespace: impl AsRef<str>, name: impl AsRef<str>, host: impl Into<String>) -> Self {
        Self::with_metadata(Metadata::new(ResourceName::new(namespace, name)), host)
    }

    pub(crate) fn with_metadata(metadata: Metadata, host: impl Into<String>) -> Self {
        Self {
            metadata,
            host: host.into(),
            export_to: Vec::new(),
            workload_selector: None,
            traffic_policy: None,
            subsets: Vec::new(),
        }
    }

    /// Sets how to connect.
    #[must_use]
    pub fn with_traffic_policy(mut self, policy: TrafficPolicy) -> Self {
        self.traffic_policy = Some(policy);
        self
    }

    /// Sets the TLS of all ports without an entry of their own.
    #[must_use]
    pub fn with_tls(mut self, tls: ClientTls) -> Self {
        self.traffic_policy.get_or_insert_default().tls = Some(tls);
        self
    }

    /// Adds an entry for a service port. It replaces everything that is said for all ports: without `tls` there is none.
    #[must_use]
    pub fn with_port(mut self, port: u16, tls: impl Into<Option<ClientTls>>) -> Self {
        let policy = self.traffic_policy.get_or_insert_default();
        policy.ports.push(PortPolicy::new(port, tls));
        self
    }

    /// Adds a subset.
    #[must_use]
    pub fn with_subset(mut self, subset: Subset) -> Self {
        self.subsets.push(subset);
        self
    }

    /// Sets the namespaces whose clients it is for.
    #[must_use]
    pub fn with_export_to(
        mut self,
        namespaces: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.export_to = namespaces.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the labels of the clients it is for.
    #[must_use]
    pub fn with_workload_selector(mut self, selector: impl Into<Labels>) -> Self {
        self.workload_selector = Some(selector.into());
        self
    }

    /// Sets the creation time, which decides between rules for one host: the oldest comes first.
    #[must_use]
    pub fn with_created(mut self, created: Timestamp) -> Self {
        self.metadata.created = Some(created);
        self
    }

    /// Namespace and name.
    pub fn name(&self) -> &ResourceName {
        &self.metadata.name
    }
}

/// How to connect to a host: the part of it that has a meaning here, and the rest.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct TrafficPolicy {
    /// The TLS. `None` leaves it to auto mTLS, or to what the subset's policy is laid over.
    pub tls: Option<ClientTls>,
    /// How an endpoint is chosen.
    pub load_balancer: Option<LoadBalancer>,
    /// What is said for single service ports. The first entry for a port counts.
    pub ports: Vec<PortPolicy>,
    /// What has no meaning here: `connectionPool`, `outlierDetection`, `tunnel`, `proxyProtocol`, `retryBudget`.
    pub rest: Verbatim,
}

impl TrafficPolicy {
    /// A policy that says nothing but the TLS.
    pub fn new(tls: impl Into<Option<ClientTls>>) -> Self {
        Self { tls: tls.into(), ..Self::default() }
    }

    /// Adds an entry for a service port.
    #[must_use]
    pub fn with_port(mut self, port: u16, tls: impl Into<Option<ClientTls>>) -> Self {
        self.ports.push(PortPolicy::new(port, tls));
        self
    }

    /// Sets how an endpoint is chosen.
    #[must_use]
    pub fn with_load_balancer(mut self, load_balancer: LoadBalancer) -> Self {
        self.load_balancer = Some(load_balancer);
        self
    }
}

/// How to connect to one port of a host, in place of all that is said for the others.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PortPolicy {
    /// The service port.
    pub port: u16,
    /// The TLS. `None` leaves it to auto mTLS: what is said for all ports is not inherited.
    pub tls: Option<ClientTls>,
    /// How an endpoint is chosen.
    pub load_balancer: Option<LoadBalancer>,
    /// What has no meaning here: `connectionPool`, `outlierDetection`.
    pub rest: Verbatim,
}

impl PortPolicy {
    /// An entry that says nothing but the TLS.
    pub fn new(port: u16, tls: impl Into<Option<ClientTls>>) -> Self {
        Self { port, tls: tls.into(), load_balancer: None, rest: Verbatim::default() }
    }
}

/// How an endpoint is chosen: the one way that changes TLS, and the rest.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct LoadBalancer {
    /// `simple: PASSTHROUGH`: not at all, the caller has an address; Istio then decides on TLS as for a headless service.
    pub passthrough: bool,
    /// Everything else.
    pub rest: Verbatim,
}

impl LoadBalancer {
    /// `simple: PASSTHROUGH`.
    pub fn passthrough() -> Self {
        Self { passthrough: true, rest: Verbatim::default() }
    }
}

/// A named part of the endpoints.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Subset {
    /// Its name, which callers ask for.
    pub name: String,
    /// The labels of its endpoints.
    pub labels: Labels,
    /// How to connect to them, laid over what the rule says for all.
    pub traffic_policy: Option<TrafficPolicy>,
}

impl Subset {
    /// A subset without a policy of its own.
    pub fn new(name: impl Into<String>, labels: impl Into<Labels>) -> Self {
        Self { name: name.into(), labels: labels.into(), traffic_policy: None }
    }

    /// Sets how to connect to it.
    #[must_use]
    pub fn with_traffic_policy(mut self, policy: TrafficPolicy) -> Self {
        self.traffic_policy = Some(policy);
        self
    }
}
