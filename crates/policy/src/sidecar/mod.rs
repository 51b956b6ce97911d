//! `Sidecar`: what a workload's ports speak, and on which of them it ends TLS for clients outside the mesh.

mod egress;
mod explain;
mod index;
mod read;
mod serde_form;
mod server_tls;
mod text;

pub use explain::{IngressExplanation, SidecarLoser, SidecarLossReason};
pub use index::{IngressEffect, IngressProtocol, IngressTls};
pub use server_tls::{ServerTls, ServerTlsMode, TlsVersion};

pub(crate) use index::{IndexedSidecar, SidecarIndex};
pub(crate) use read::{Cautions, check_port_name, check_protocol};
pub(crate) use serde_form::SelectorForm;

use crate::{Labels, Metadata, ResourceName, Timestamp, Verbatim};

/// A `Sidecar` (`networking.istio.io/v1`).
///
/// Its ingress listeners have a meaning here, the rest is checked as Istio does and kept for printing.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Sidecar {
    /// Name and age.
    pub metadata: Metadata,
    /// The labels of the workloads it is for. `None`: the whole namespace, or in the root namespace every namespace without
    /// a `Sidecar` of its own. `Some` without labels is for the whole namespace too, and goes before `None` (rule SI-1).
    pub workload_selector: Option<Labels>,
    /// The ports it describes, in the order of the text.
    pub ingress: Vec<IngressListener>,
    /// `egress`, `outboundTrafficPolicy` and `inboundConnectionPool`: without effect here.
    pub rest: Verbatim,
}

impl Sidecar {
    /// A `Sidecar` for the whole namespace that describes no port yet.
    pub fn new(namespace: impl AsRef<str>, name: impl AsRef<str>) -> Self {
        Self::with_metadata(Metadata::new(ResourceName::new(namespace, name)))
    }

    pub(crate) fn with_metadata(metadata: Metadata) -> Self {
        Self { metadata, workload_selector: None, ingress: Vec::new(), rest: Verbatim::default() }
    }

    /// Sets the labels that a workload must have.
    #[must_use]
    pub fn with_workload_selector(mut self, labels: impl Into<Labels>) -> Self {
        self.workload_selector = Some(labels.into());
        self
    }

    /// Adds a port.
    #[must_use]
    pub fn with_ingress(mut self, listener: IngressListener) -> Self {
        self.ingress.push(listener);
        self
    }

    /// Sets the creation time: of several that are for a workload, the oldest counts.
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

/// A port of a workload, as its `Sidecar` describes it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct IngressListener {
    /// The workload port: never a service port.
    pub port: u16,
    /// The declared protocol, such as `HTTPS`; empty where none is.
    pub protocol: String,
    /// The port's name; may be empty.
    pub name: String,
    /// Where Istio's proxy sends what arrives, such as `127.0.0.1:80`. Read and shown, never dialled: here the application
    /// itself holds the connection.
    pub default_endpoint: Option<String>,
    /// How TLS of clients outside the mesh is ended here.
    pub tls: Option<ServerTls>,
    /// `bind`, `captureMode` and `connectionPool`: without effect here.
    pub rest: Verbatim,
}

impl IngressListener {
    /// A port that speaks `protocol`, such as `HTTPS`, without TLS of its own.
    pub fn new(port: u16, protocol: impl Into<String>) -> Self {
        Self {
            port,
            protocol: protocol.into(),
            name: String::new(),
            default_endpoint: None,
            tls: None,
            rest: Verbatim::default(),
        }
    }

    /// Sets how TLS is ended.
    #[must_use]
    pub fn with_tls(mut self, tls: ServerTls) -> Self {
        self.tls = Some(tls);
        self
    }
}
