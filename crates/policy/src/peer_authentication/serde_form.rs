//! `PeerAuthentication` as the object that Kubernetes stores: printed, and read back under the same rules as text.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};

use super::{PeerAuthentication, read};
use crate::field::Field;
use crate::kind::{self, Document, Kind};
use crate::parse_options::ParseOptions;
use crate::tree::Node;
use crate::{Labels, Metadata, MtlsMode};

impl Serialize for PeerAuthentication {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let selector =
            (!self.selector.is_empty()).then_some(SelectorForm { match_labels: &self.selector });
        let ports = self
            .ports
            .iter()
            .map(|(port, mode)| (port.to_string(), ModeForm::from(*mode)));
        ObjectForm {
            api_version: Kind::PeerAuthentication
                .versions()
                .first()
                .copied()
                .unwrap_or_default(),
            kind: Kind::PeerAuthentication.as_str(),
            metadata: &self.metadata,
            spec: SpecForm {
                selector,
                mtls: self.mode.map(|mode| ModeForm::from(Some(mode))),
                port_level_mtls: ports.collect(),
            },
        }
        .serialize(serializer)
    }
}

/// Reads the object as Kubernetes stores it, and validates it like [`Resources::parse`](crate::Resources::parse).
///
/// From self-describing formats such as JSON; the format sees to duplicate keys itself. Warnings are dropped: parse text
/// to keep them.
impl<'de> Deserialize<'de> for PeerAuthentication {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let node = Node::from(serde_json::Value::deserialize(deserializer)?);
        let document = kind::identify(&Field::root(&node)).map_err(Error::custom)?;
        let Document::Known(Kind::PeerAuthentication, object) = document else {
            return Err(Error::custom("not a PeerAuthentication"));
        };
        kind::metadata(&object, &ParseOptions::default())
            .and_then(|metadata| read(&object, metadata, &mut Vec::new()))
            .map_err(Error::custom)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ObjectForm<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: &'a Metadata,
    spec: SpecForm<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpecForm<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    selector: Option<SelectorForm<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mtls: Option<ModeForm>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    port_level_mtls: BTreeMap<String, ModeForm>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SelectorForm<'a> {
    match_labels: &'a Labels,
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
