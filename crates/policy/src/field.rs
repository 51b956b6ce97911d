//! Typed reading of a tree: each step knows where it is, so each refusal says so.

use crate::nearest::nearest;
use crate::parse_error::{ParseError, ParseFault, Place};
use crate::tree::{Entry, Node, Value};
use crate::violation::Violation;
use crate::{Labels, Verbatim};

/// A value in a document, with the path that leads to it.
#[derive(Clone, Debug)]
pub(crate) struct Field<'n> {
    path: String,
    /// Where the key stands, for what is wrong with the field as such.
    key_at: Option<Place>,
    node: &'n Node,
}

impl<'n> Field<'n> {
    /// The root of a document.
    pub(crate) fn root(node: &'n Node) -> Self {
        Self { path: String::new(), key_at: node.at, node }
    }

    /// The path from the root, such as `spec.mtls.mode`.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Where the key stands.
    pub(crate) fn key_at(&self) -> Option<Place> {
        self.key_at
    }

    /// The value.
    pub(crate) fn node(&self) -> &'n Node {
        self.node
    }

    /// A refusal that points at a value inside this one, whose spelling readers of YAML differ on.
    pub(crate) fn ambiguous(&self, node: &Node, expected: &'static str) -> ParseError {
        let fault = ParseFault::WrongType { expected, found: describe(node) };
        ParseError::new(fault).at(node.at).in_field(&self.path)
    }

    /// A refusal that points at the value.
    pub(crate) fn refuse(&self, fault: ParseFault) -> ParseError {
        ParseError::new(fault).at(self.node.at).in_field(&self.path)
    }

    /// A refusal that points at the key.
    pub(crate) fn refuse_key(&self, fault: ParseFault) -> ParseError {
        ParseError::new(fault).at(self.key_at).in_field(&self.path)
    }

    /// A refusal by Istio's validation that points at the value.
    pub(crate) fn invalid(&self, violation: Violation) -> ParseError {
        self.refuse(ParseFault::Invalid(violation))
    }

    /// A refusal by Istio's validation that points at the key.
    pub(crate) fn invalid_key(&self, violation: Violation) -> ParseError {
        self.refuse_key(ParseFault::Invalid(violation))
    }

    /// Whether there is no value.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self.node.value, Value::Null)
    }

    /// The same value with an empty path: the root of an object inside a list.
    pub(crate) fn as_root(&self) -> Self {
        Self { path: String::new(), ..self.clone() }
    }

    /// Reads text. Booleans and numbers are refused: the API server refuses them too, and `1.10` is not `1.1`.
    pub(crate) fn text(&self) -> Result<&'n str, ParseError> {
        match &self.node.value {
            Value::Text(text) => Ok(text),
            _ => Err(self.wrong_type("text")),
        }
    }

    /// Reads a port, 1 to 65535.
    pub(crate) fn port(&self) -> Result<u16, ParseError> {
        match &self.node.value {
            Value::Number(text) => port(text).map_err(|violation| self.invalid(violation)),
            _ => Err(self.wrong_type("a port number")),
        }
    }

    /// Reads `true` or `false`, in the spellings that every reader of YAML agrees on.
    pub(crate) fn boolean(&self) -> Result<bool, ParseError> {
        match &self.node.value {
            Value::Bool(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Value::Bool(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err(self.wrong_type("`true` or `false`")),
        }
    }

    /// Whether the value is the one that the API server takes for none: an empty text, list or object, `false` or `0`.
    pub(crate) fn is_zero(&self) -> bool {
        match &self.node.value {
            Value::Null => true,
            Value::Bool(text) => text.eq_ignore_ascii_case("false"),
            Value::Number(text) => text == "0",
            Value::Text(text) => text.is_empty(),
            Value::List(nodes) => nodes.is_empty(),
            Value::Map(entries) => entries.is_empty(),
        }
    }

    /// Reads a whole number that is not negative.
    pub(crate) fn count(&self) -> Result<u32, ParseError> {
        match &self.node.value {
            Value::Number(text) => text
                .parse()
                .map_err(|_malformed| self.wrong_type("a whole number")),
            _ => Err(self.wrong_type("a whole number")),
        }
    }

    /// Reads one of the `allowed` names; `named` turns a name into its value.
    pub(crate) fn name_of<T>(
        &self,
        allowed: &'static [&'static str],
        named: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ParseError> {
        let (written, kind) = match &self.node.value {
            Value::Text(text) => match named(text) {
                Some(value) => return Ok(value),
                None => (text, ""),
            },
            Value::Bool(text) => (text, " (a boolean)"),
            Value::Number(text) => (text, " (a number)"),
            _ => return Err(self.wrong_type("a name")),
        };
        let found = format!("`{}`{kind}", shorten(written));
        let nearest = nearest(written, allowed);
        Err(self.invalid(Violation::UnknownEnumValue { found, allowed, nearest }))
    }

    /// Reads an object whose fields are the `known` ones.
    pub(crate) fn object(&self, known: &'static [&'static str]) -> Result<Object<'n>, ParseError> {
        let object = self.open_object()?;
        for field in object.fields() {
            let name = field.key();
            if !known.contains(&name) {
                let fault =
                    ParseFault::UnknownField { name: shorten(name), nearest: nearest(name, known) };
                return Err(field.refuse_key(fault));
            }
        }
        Ok(object)
    }

    /// Reads an object whose fields are the `read` ones, which have a meaning, and the `kept` ones, which have none here.
    pub(crate) fn object_keeping(
        &self,
        read: &'static [&'static str],
        kept: &'static [&'static str],
    ) -> Result<(Object<'n>, Verbatim), ParseError> {
        let object = self.open_object()?;
        let mut verbatim = Verbatim::default();
        for field in object.fields() {
            let name = field.key();
            if kept.contains(&name) {
                // Null is absent, as for the fields that are read.
                if !field.field.is_null() {
                    verbatim.keep(name, &field.field)?;
                }
            } else if !read.contains(&name) {
                let nearest = nearest(name, read).or_else(|| nearest(name, kept));
                let fault = ParseFault::UnknownField { name: shorten(name), nearest };
                return Err(field.refuse_key(fault));
            }
        }
        Ok((object, verbatim))
    }

    /// Reads an object with any fields.
    pub(crate) fn open_object(&self) -> Result<Object<'n>, ParseError> {
        match &self.node.value {
            Value::Map(entries) => Ok(Object { field: self.clone(), entries }),
            _ => Err(self.wrong_type("an object")),
        }
    }

    /// Reads a list.
    pub(crate) fn list(&self) -> Result<Vec<Self>, ParseError> {
        match &self.node.value {
            Value::List(nodes) => Ok(nodes
                .iter()
                .enumerate()
                .map(|(nth, node)| Field {
                    path: format!("{}[{nth}]", self.path),
                    key_at: node.at,
                    node,
                })
                .collect()),
            _ => Err(self.wrong_type("a list")),
        }
    }

    /// Reads a list of texts.
    pub(crate) fn texts(&self) -> Result<Vec<String>, ParseError> {
        self.list()?
            .iter()
            .map(|item| item.text().map(str::to_owned))
            .collect()
    }

    /// Reads texts by key.
    pub(crate) fn labels(&self) -> Result<Labels, ParseError> {
        self.open_object()?
            .fields()
            .map(|field| Ok((field.key().to_owned(), field.field.text()?.to_owned())))
            .collect()
    }

    fn wrong_type(&self, expected: &'static str) -> ParseError {
        self.refuse(ParseFault::WrongType { expected, found: describe(self.node) })
    }
}

/// The value in words, for a refusal.
fn describe(node: &Node) -> String {
    match &node.value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(text) => {
            format!("the boolean `{}` (quote it if it is meant as text)", shorten(text))
        }
        Value::Number(text) => {
            format!("the number `{}` (quote it if it is meant as text)", shorten(text))
        }
        Value::Text(text) => format!("`{}`", shorten(text)),
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "an object".to_owned(),
    }
}

/// An object: fields by name.
#[derive(Debug)]
pub(crate) struct Object<'n> {
    field: Field<'n>,
    entries: &'n [Entry],
}

/// A field with its key.
#[derive(Debug)]
pub(crate) struct Keyed<'n> {
    key: &'n str,
    pub(crate) field: Field<'n>,
}

impl<'n> Keyed<'n> {
    pub(crate) fn key(&self) -> &'n str {
        self.key
    }

    pub(crate) fn refuse_key(&self, fault: ParseFault) -> ParseError {
        self.field.refuse_key(fault)
    }
}

impl<'n> Object<'n> {
    /// The fields in the order of the text.
    pub(crate) fn fields(&self) -> impl Iterator<Item = Keyed<'n>> {
        self.entries
            .iter()
            .map(|entry| Keyed { key: &entry.key, field: self.child(entry) })
    }

    /// A field that may be absent; null is absent.
    pub(crate) fn get(&self, name: &str) -> Option<Field<'n>> {
        let entry = self.entries.iter().find(|entry| entry.key == name)?;
        let child = self.child(entry);
        if child.is_null() { None } else { Some(child) }
    }

    /// A field that must be there.
    pub(crate) fn require(&self, name: &'static str) -> Result<Field<'n>, ParseError> {
        self.get(name)
            .ok_or_else(|| self.field.refuse(ParseFault::MissingField { name }))
    }

    /// The text of a field that may be absent.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&'n str>, ParseError> {
        self.get(name).map(|field| field.text()).transpose()
    }

    fn child(&self, entry: &'n Entry) -> Field<'n> {
        let Entry { key, key_at, node } = entry;
        let plain = !key.is_empty()
            && key
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let above = self.field.path();
        let path = match (plain, above.is_empty()) {
            (true, true) => shorten(key),
            (true, false) => format!("{above}.{}", shorten(key)),
            (false, _) => format!("{above}[\"{}\"]", shorten(key)),
        };
        Field { path, key_at: *key_at, node }
    }
}

/// Reads a port in its shortest decimal form. Other spellings of the number are refused, because readers of YAML differ
/// on them: `010` is 8 to some and 10 to others.
pub(crate) fn port(text: &str) -> Result<u16, Violation> {
    let shortest = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if shortest => Ok(port),
        Ok(_) | Err(_) => Err(Violation::PortOutOfRange { found: shorten(text) }),
    }
}

/// At most 64 characters of `text`, without control characters: enough to recognise it in a message.
pub(crate) fn shorten(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(64)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(64).is_some() {
        short.push('…');
    }
    short
}
