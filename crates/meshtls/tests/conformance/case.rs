//! One vector, and short ways to read its fields.

use std::error::Error;

use serde_json::Value;

/// What answers a case: `Err` says how the answer differs.
pub(crate) type Check = fn(&Case<'_>) -> Result<(), Box<dyn Error>>;

/// One vector of a kind.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) kind: &'static str,
    pub(crate) value: &'a Value,
}

impl<'a> Case<'a> {
    pub(crate) fn id(&self) -> &'a str {
        text(&self.value["id"]).unwrap_or("(no id)")
    }

    pub(crate) fn why(&self) -> &'a str {
        text(&self.value["why"]).unwrap_or_default()
    }

    /// The field `name`; null if it is missing.
    pub(crate) fn field(&self, name: &str) -> &'a Value {
        &self.value[name]
    }

    pub(crate) fn expected(&self) -> &'a Value {
        self.field("expected")
    }
}

/// A string, if it is one.
pub(crate) fn text(value: &Value) -> Result<&str, Box<dyn Error>> {
    value
        .as_str()
        .ok_or_else(|| format!("{value} is no string").into())
}

/// The strings of an array; none if it is null.
pub(crate) fn texts(value: &Value) -> Result<Vec<&str>, Box<dyn Error>> {
    value.as_array().into_iter().flatten().map(text).collect()
}

/// A port number.
pub(crate) fn port(value: &Value) -> Result<u16, Box<dyn Error>> {
    let number = value
        .as_u64()
        .ok_or_else(|| format!("{value} is no port"))?;
    Ok(u16::try_from(number)?)
}

/// Compares what was seen with what was expected.
pub(crate) fn same(seen: &Value, expected: &Value) -> Result<(), Box<dyn Error>> {
    if seen == expected { Ok(()) } else { Err(format!("expected {expected}, saw {seen}").into()) }
}
