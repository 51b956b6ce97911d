//! `WorkloadEntry` as the object that Kubernetes stores: printed, and read back under the same rules as text.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Address, WorkloadEntry, WorkloadSpec};
use crate::{Labels, resource};

/// As the object that Kubernetes stores.
impl Serialize for WorkloadEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        resource::serialize(self, SpecForm::from(&self.workload), serializer)
    }
}

/// Reads the object as Kubernetes stores it, and validates it like [`Resources::parse`](crate::Resources::parse).
///
/// From self-describing formats such as JSON. Warnings are dropped: parse text to keep them.
impl<'de> Deserialize<'de> for WorkloadEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        resource::deserialize(deserializer)
    }
}

/// The description of a workload as it is printed, in a `ServiceEntry` too.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SpecForm<'a> {
    #[serde(skip_serializing_if = "is_unset")]
    address: &'a Address,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    ports: &'a BTreeMap<String, u16>,
    #[serde(skip_serializing_if = "Labels::is_empty")]
    labels: &'a Labels,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locality: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_account: Option<&'a str>,
}

impl<'a> From<&'a WorkloadSpec> for SpecForm<'a> {
    fn from(spec: &'a WorkloadSpec) -> Self {
        Self {
            address: &spec.address,
            ports: &spec.ports,
            labels: &spec.labels,
            network: spec.network.as_deref(),
            locality: spec.locality.as_deref(),
            weight: spec.weight,
            service_account: spec.service_account.as_deref(),
        }
    }
}

fn is_unset(address: &Address) -> bool {
    *address == Address::Unset
}
