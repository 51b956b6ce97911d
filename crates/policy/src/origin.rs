//! Where an object was read from.

use std::sync::Arc;

use crate::parse_error::Place;
use crate::tree::{Node, Value};

/// Where an object stands in a text, and, if [`ParseOptions::with_field_places`](crate::ParseOptions::with_field_places) asked
/// for it, where each of its fields does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    source_name: Arc<str>,
    place: Option<Place>,
    /// By path.
    fields: Vec<(String, Place)>,
}

impl Origin {
    pub(crate) fn new(source_name: &Arc<str>, root: &Node, with_fields: bool) -> Self {
        let mut fields = Vec::new();
        if with_fields {
            collect(root, "", &mut fields);
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        Self { source_name: Arc::clone(source_name), place: root.at, fields }
    }

    /// The name that the caller gave the text, such as a path.
    pub fn source_name(&self) -> &str {
        &self.source_name
    }

    /// The path of every field, such as `metadata.labels.app`, with its line and column, in no particular order. None unless [`ParseOptions::with_field_places`](crate::ParseOptions::with_field_places) asked for them.
    pub fn fields(&self) -> impl Iterator<Item = (&str, (u64, u64))> {
        self.fields
            .iter()
            .map(|(path, place)| (path.as_str(), (place.line, place.column)))
    }

    /// The line and the column, both from 1, of a field such as `spec.portLevelMtls.8080`; of the nearest thing around it
    /// that has a known place, else of the object. `None` if the object was not read from text.
    pub fn place_of(&self, field: &str) -> Option<(u64, u64)> {
        let mut path = field;
        loop {
            let nth = self
                .fields
                .partition_point(|(known, _)| known.as_str() < path);
            if let Some((known, place)) = self.fields.get(nth)
                && known == path
            {
                return Some((place.line, place.column));
            }
            match path.rfind(['.', '[']).and_then(|end| path.get(..end)) {
                Some(parent) => path = parent,
                None => return self.place.map(|place| (place.line, place.column)),
            }
        }
    }
}

/// Adds the places of all fields below `node`. The depth is bounded by
/// [`ParseOptions::max_depth`](crate::ParseOptions::max_depth).
fn collect(node: &Node, path: &str, fields: &mut Vec<(String, Place)>) {
    match &node.value {
        Value::Map(entries) => {
            for entry in entries {
                let path = match path {
                    "" => entry.key.clone(),
                    _ => format!("{path}.{}", entry.key),
                };
                collect(&entry.node, &path, fields);
                fields.extend(entry.key_at.map(|place| (path, place)));
            }
        }
        Value::List(nodes) => {
            for (nth, node) in nodes.iter().enumerate() {
                let path = format!("{path}[{nth}]");
                collect(node, &path, fields);
                fields.extend(node.at.map(|place| (path, place)));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
    }
}
