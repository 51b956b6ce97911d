//! Text to a tree of located nodes: the only file that knows the YAML parser.
//!
//! JSON is read by the same parser: it is YAML in flow style.

use std::collections::HashSet;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::MergeKeyPolicy;
use serde_saphyr::{Error, Spanned};

use crate::parse_error::{ParseError, ParseFault, Place};
use crate::parse_options::ParseOptions;

/// A value and where it stands.
#[derive(Debug)]
pub(crate) struct Node {
    /// Where the value begins; `None` if it did not come from a text.
    pub(crate) at: Option<Place>,
    pub(crate) value: Value,
    /// The bytes of a scalar in the text, to quote it as it was written.
    span: Option<(u64, u64)>,
}

/// What a node holds. Booleans and numbers keep the spelling of the text.
#[derive(Debug)]
pub(crate) enum Value {
    Null,
    Bool(String),
    Number(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_at: Option<Place>,
    pub(crate) node: Node,
}

/// Reads every document of `text` within the bounds of `options`. Empty documents are left out.
pub(crate) fn documents(text: &str, options: &ParseOptions) -> Result<Vec<Node>, ParseError> {
    if text.len() > options.max_bytes {
        return Err(ParseError::new(ParseFault::TooLarge {
            bytes: text.len(),
            max: options.max_bytes,
        }));
    }
    if let Some(offset) = text.find('\0') {
        return Err(ParseError::new(ParseFault::NulByte).at(Some(Place::of_offset(text, offset))));
    }
    let parser = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: options.max_nodes,
            max_documents: options.max_nodes,
            max_depth: options.max_depth,
            // The depth above bounds flow style too, and says so; the scanner's own limit would be a mere syntax error.
            flow_nesting_limit: options.max_bytes,
            // One alias or anchor is one too many: nobody writes them in policies but to harm.
            max_aliases: 0,
            max_anchors: 0,
        },
        merge_keys: MergeKeyPolicy::Error,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    match serde_saphyr::from_multiple_with_options::<Node>(text, parser) {
        Ok(mut nodes) => {
            for node in &mut nodes {
                node.settle(text)?;
            }
            Ok(nodes)
        }
        Err(error) => Err(refusal(&error, options)),
    }
}

impl Node {
    /// A node that came from no text.
    fn unplaced(value: Value) -> Self {
        Self { at: None, value, span: None }
    }

    /// Gives booleans and numbers the spelling they have in `text`, and refuses keys that are the same text: to the parser
    /// `8080` and `"8080"` are two keys.
    fn settle(&mut self, text: &str) -> Result<(), ParseError> {
        match &mut self.value {
            Value::Bool(spelling) | Value::Number(spelling) => {
                if let Some(written) = self.span.and_then(|span| slice(text, span)) {
                    written.clone_into(spelling);
                }
            }
            Value::List(nodes) => {
                for node in nodes {
                    node.settle(text)?;
                }
            }
            Value::Map(entries) => {
                let mut keys = HashSet::new();
                for entry in entries {
                    entry.node.settle(text)?;
                    if !keys.insert(entry.key.as_str()) {
                        let fault = ParseFault::DuplicateKey { key: entry.key.clone() };
                        return Err(ParseError::new(fault).at(entry.key_at));
                    }
                }
            }
            Value::Null | Value::Text(_) => {}
        }
        Ok(())
    }
}

fn slice(text: &str, (start, length): (u64, u64)) -> Option<&str> {
    let start = usize::try_from(start).ok()?;
    let length = usize::try_from(length).ok()?;
    text.get(start..start.checked_add(length)?)
}

/// Says what the parser found wrong, in our words where the bounds of [`ParseOptions`] are concerned.
fn refusal(error: &Error, options: &ParseOptions) -> ParseError {
    let place = error
        .location()
        .map(|location| Place { line: location.line(), column: location.column() });
    let fault = match error {
        Error::Budget {
            breach: BudgetBreach::Nodes { .. } | BudgetBreach::Documents { .. },
            ..
        } => ParseFault::TooManyNodes { max: options.max_nodes },
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            ParseFault::TooDeep { max: options.max_depth }
        }
        Error::Budget {
            breach: BudgetBreach::Aliases { .. } | BudgetBreach::Anchors { .. },
            ..
        }
        | Error::UnknownAnchor { .. } => ParseFault::Alias,
        Error::MergeKeyNotAllowed { .. } => ParseFault::MergeKey,
        Error::UnsupportedTag { .. } => ParseFault::Tag,
        Error::DuplicateMappingKey { key, .. } => {
            ParseFault::DuplicateKey { key: key.clone().unwrap_or_default() }
        }
        Error::NullIntoString { .. } => {
            ParseFault::Syntax { message: "a key is null or missing before `:`".to_owned() }
        }
        other => {
            let mut message = other.to_string();
            // The place is shown in front of the message already.
            if let Some(end) = message.rfind(" at line ") {
                message.truncate(end);
            }
            ParseFault::Syntax { message }
        }
    };
    ParseError::new(fault).at(place)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        let place = spanned.referenced;
        let span = place.span();
        Ok(Self {
            at: Some(Place { line: place.line(), column: place.column() }),
            value: spanned.value,
            span: span.byte_offset().zip(span.byte_len()),
        })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = items.next_element()? {
            nodes.push(node);
        }
        Ok(Value::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let key_at =
                Some(Place { line: key.referenced.line(), column: key.referenced.column() });
            entries.push(Entry { key: key.value, key_at, node: map.next_value()? });
        }
        Ok(Value::Map(entries))
    }
}

/// The same tree from a value that was read elsewhere, such as an object of the Kubernetes API.
impl From<serde_json::Value> for Node {
    fn from(value: serde_json::Value) -> Self {
        Self::unplaced(match value {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(value.to_string()),
            serde_json::Value::Number(value) => Value::Number(value.to_string()),
            serde_json::Value::String(value) => Value::Text(value),
            serde_json::Value::Array(values) => {
                Value::List(values.into_iter().map(Self::from).collect())
            }
            serde_json::Value::Object(values) => Value::Map(
                values
                    .into_iter()
                    .map(|(key, value)| Entry { key, key_at: None, node: value.into() })
                    .collect(),
            ),
        })
    }
}
