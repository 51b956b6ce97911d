//! `PeerAuthentication` as the object that Kubernetes stores: printed, and read back under the same rules as text.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::PeerAuthentication;
use crate::MtlsMode;
use crate::resource::{self, MatchLabels};

/// As the object that Kubernetes stores.
impl Serialize for PeerAuthentication {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Spec<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            selector: Option<MatchLabels<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            mtls: Option<ModeForm>,
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            port_level_mtls: BTreeMap<u16, ModeForm>,
        }
        let selector =
            (!self.selector.is_empty()).then_some(MatchLabels { match_labels: &self.selector });
        let ports = self
            .ports
            .iter()
            .map(|(port, mode)| (*port, ModeForm::from(*mode)));
        let spec = Spec {
            selector,
            mtls: self.mode.map(|mode| ModeForm::from(Some(mode))),
            port_level_mtls: ports.collect(),
        };
        resource::serialize(self, spec, serializer)
    }
}

/// Reads the object as Kubernetes stores it, and validates it like [`Resources::parse`](crate::Resources::parse).
///
/// From self-describing formats such as JSON. Warnings are dropped: parse text to keep them.
impl<'de> Deserialize<'de> for PeerAuthentication {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        resource::deserialize(deserializer)
    }
}

#[derive(Serialize)]
struct ModeForm {
    mode: &'static str,
}

impl From<Option<MtlsMode>> for ModeForm {
    fn from(mode: Option<MtlsMode>) -> Self {
        Self { mode: mode.map_or("UNSET", MtlsMode::as_str) }
    }
}
