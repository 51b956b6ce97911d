//! `ServiceEntry` as the object that Kubernetes stores: printed, and read back under the same rules as text.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ServiceEntry, ServicePort};
use crate::resource;
use crate::sidecar::SelectorForm;
use crate::workload_entry::SpecForm;

/// As the object that Kubernetes stores.
impl Serialize for ServiceEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Spec<'a> {
            hosts: &'a [String],
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            addresses: &'a [String],
            #[serde(skip_serializing_if = "Vec::is_empty")]
            ports: Vec<PortForm<'a>>,
            location: &'static str,
            resolution: &'static str,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            endpoints: Vec<SpecForm<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            workload_selector: Option<SelectorForm<'a>>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            export_to: &'a [String],
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            subject_alt_names: &'a [String],
        }
        let spec = Spec {
            hosts: &self.hosts,
            addresses: &self.addresses,
            ports: self.ports.iter().map(PortForm::from).collect(),
            location: self.location.as_str(),
            resolution: self.resolution.as_str(),
            endpoints: self.endpoints.iter().map(SpecForm::from).collect(),
            workload_selector: self
                .workload_selector
                .as_ref()
                .map(|labels| SelectorForm { labels }),
            export_to: &self.export_to,
            subject_alt_names: &self.subject_alt_names,
        };
        resource::serialize(self, spec, serializer)
    }
}

/// Reads the object as Kubernetes stores it, and validates it like [`Resources::parse`](crate::Resources::parse).
///
/// From self-describing formats such as JSON. Warnings are dropped: parse text to keep them.
impl<'de> Deserialize<'de> for ServiceEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        resource::deserialize(deserializer)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PortForm<'a> {
    number: u16,
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    protocol: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_port: Option<u16>,
}

impl<'a> From<&'a ServicePort> for PortForm<'a> {
    fn from(port: &'a ServicePort) -> Self {
        let ServicePort { number, name, protocol, target_port } = port;
        Self { number: *number, name, protocol, target_port: *target_port }
    }
}
