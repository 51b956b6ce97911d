//! Fields that have no meaning here, kept as they were written.

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use crate::field::Field;
use crate::parse_error::ParseError;
use crate::tree::{Node, Value};

/// Fields of an object that Istio knows and this library does not interpret: kept, printed back, never looked at.
///
/// Two are equal if they hold the same fields with the same values, in any order. There is no way to look inside: what
/// needs a meaning gets a field of its own.
#[derive(Clone, Debug, Default, Eq)]
pub struct Verbatim(Vec<(String, Kept)>);

/// A value as it was written, but for numbers: they have one spelling.
#[derive(Clone, Debug, Eq)]
enum Kept {
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    /// The bits of a finite number.
    Float(u64),
    Text(String),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
    Null,
}

impl Verbatim {
    /// Whether nothing was kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of the fields, in the order of the text.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Keeps a field whole.
    pub(crate) fn keep(&mut self, name: &str, field: &Field<'_>) -> Result<(), ParseError> {
        self.0
            .push((name.to_owned(), Kept::of(field, field.node())?));
        Ok(())
    }
}

impl Kept {
    /// Refuses what could not be printed: numbers and booleans that only some readers of YAML know.
    fn of(field: &Field<'_>, node: &Node) -> Result<Self, ParseError> {
        Ok(match &node.value {
            Value::Null => Self::Null,
            Value::Text(text) => Self::Text(text.clone()),
            Value::Bool(text) => match text.as_str() {
                "true" | "True" | "TRUE" => Self::Bool(true),
                "false" | "False" | "FALSE" => Self::Bool(false),
                _ => return Err(field.ambiguous(node, "`true` or `false`")),
            },
            Value::Number(text) => match (text.parse(), text.parse(), text.parse::<f64>()) {
                (Ok(number), _, _) => Self::Unsigned(number),
                // -0 is 0.
                (_, Ok(0), _) => Self::Unsigned(0),
                (_, Ok(number), _) => Self::Signed(number),
                (_, _, Ok(number)) if number.is_finite() => Self::Float(number.to_bits()),
                _ => return Err(field.ambiguous(node, "a decimal number")),
            },
            Value::List(nodes) => Self::List(
                nodes
                    .iter()
                    .map(|node| Self::of(field, node))
                    .collect::<Result<_, _>>()?,
            ),
            Value::Map(entries) => Self::Map(
                entries
                    .iter()
                    .map(|entry| Ok((entry.key.clone(), Self::of(field, &entry.node)?)))
                    .collect::<Result<_, _>>()?,
            ),
        })
    }
}

impl PartialEq for Verbatim {
    fn eq(&self, other: &Self) -> bool {
        same_fields(&self.0, &other.0)
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Unsigned(a), Self::Unsigned(b)) => a == b,
            (Self::Signed(a), Self::Signed(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => same_fields(a, b),
            _ => false,
        }
    }
}

/// Whether two objects have the same fields; no object has a field twice.
fn same_fields(a: &[(String, Kept)], b: &[(String, Kept)]) -> bool {
    fn sorted(fields: &[(String, Kept)]) -> Vec<&(String, Kept)> {
        let mut fields: Vec<_> = fields.iter().collect();
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        fields
    }
    a.len() == b.len() && sorted(a) == sorted(b)
}

/// As an object with these fields; [`serde(flatten)`](https://serde.rs/attr-flatten.html) puts them among others.
impl Serialize for Verbatim {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        map(&self.0, serializer)
    }
}

impl Serialize for Kept {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Unsigned(number) => serializer.serialize_u64(*number),
            Self::Signed(number) => serializer.serialize_i64(*number),
            Self::Float(bits) => serializer.serialize_f64(f64::from_bits(*bits)),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(values) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                values
                    .iter()
                    .try_for_each(|value| list.serialize_element(value))?;
                list.end()
            }
            Self::Map(entries) => map(entries, serializer),
        }
    }
}

fn map<S: Serializer>(entries: &[(String, Kept)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(entries.len()))?;
    entries
        .iter()
        .try_for_each(|(name, value)| map.serialize_entry(name, value))?;
    map.end()
}
