//! What the kinds of objects have in common: how they are read, printed and read back.

use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};

use crate::field::{Field, Object};
use crate::kind::{self, Document, Kind};
use crate::parse_error::ParseError;
use crate::parse_options::ParseOptions;
use crate::tree::Node;
use crate::violation::Warning;
use crate::{Metadata, dry_run};

/// A kind of object that is read.
pub(crate) trait Resource: Sized {
    const KIND: Kind;

    fn metadata(&self) -> &Metadata;

    /// Reads and validates one object; warnings are added to `warnings` even if the object is then refused.
    fn read(
        object: &Object<'_>,
        metadata: Metadata,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, ParseError>;
}

/// Reads and validates one object, with what all kinds share.
pub(crate) fn read<R: Resource>(
    object: &Object<'_>,
    metadata: Metadata,
    warnings: &mut Vec<Warning>,
) -> Result<R, ParseError> {
    dry_run::check_kind(object, R::KIND)?;
    R::read(object, metadata, warnings)
}

/// Prints an object as Kubernetes stores it. `spec` is the form of what is special to the kind.
pub(crate) fn serialize<R: Resource, S: Serializer>(
    resource: &R,
    spec: impl Serialize,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Form<'a, T> {
        api_version: &'static str,
        kind: &'static str,
        metadata: &'a Metadata,
        spec: T,
    }
    let form = Form {
        api_version: R::KIND.version(),
        kind: R::KIND.as_str(),
        metadata: resource.metadata(),
        spec,
    };
    form.serialize(serializer)
}

/// Reads an object as Kubernetes stores it, and validates it like [`Resources::parse`](crate::Resources::parse).
///
/// From self-describing formats such as JSON. Warnings are dropped: parse text to
/// keep them.
pub(crate) fn deserialize<'de, R: Resource, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<R, D::Error> {
    let node = Node::deserialize(deserializer)?;
    let object = match kind::identify(&Field::root(&node)).map_err(Error::custom)? {
        Document::Known(kind, object) if kind == R::KIND => object,
        Document::Known(..) | Document::List(_) | Document::Unknown(_) => {
            return Err(Error::custom(format_args!("not a {}", R::KIND.as_str())));
        }
    };
    kind::metadata(&object, &ParseOptions::default())
        .and_then(|metadata| read::<R>(&object, metadata, &mut Vec::new()))
        .map_err(Error::custom)
}

/// The one field of a selector, as it is printed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MatchLabels<'a> {
    pub(crate) match_labels: &'a crate::Labels,
}
