//! The metadata of a request: a `google.protobuf.Struct`, of which only texts at the top are of interest.

use prost_types::value::Kind;
use prost_types::{Struct, Value};

/// The text under `name`: `None` if there is nothing.
///
/// # Errors
///
/// [`NotAText`]: there is something else.
pub(crate) fn text<'a>(
    metadata: Option<&'a Struct>,
    name: &str,
) -> Result<Option<&'a str>, NotAText> {
    match metadata.and_then(|metadata| metadata.fields.get(name)) {
        None => Ok(None),
        Some(Value { kind: Some(Kind::StringValue(text)) }) => Ok(Some(text)),
        Some(_) => Err(NotAText),
    }
}

/// A number, a list or the like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotAText;
