//! Text to a tree of located nodes: the only file that knows the YAML parser.
//!
//! JSON is read by the same parser: it is YAML in flow style. The parser's events are taken one by one rather than through
//! serde, whose recursion costs some 40 KiB of stack a level in a debug build: a nested text must not end the process.

use std::collections::HashSet;

use serde_saphyr::granit_parser::{self, ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError};

use crate::parse_error::{ParseError, ParseFault, Place};
use crate::parse_options::ParseOptions;
use crate::scalar;

/// A value and where it stands.
#[derive(Debug)]
pub(crate) struct Node {
    /// Where the value begins; `None` if it did not come from a text.
    pub(crate) at: Option<Place>,
    pub(crate) value: Value,
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
    let limits = granit_parser::options! {
        // The builder bounds the depth of both styles and says so; the scanner's own limits would be mere syntax errors.
        flow_nesting_limit: options.max_bytes,
        block_nesting_limit: options.max_bytes,
        emit_comments: false,
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parser = Parser::new_from_str_with_options(text, limits);
    let mut builder = Builder { options, open: Vec::new(), documents: Vec::new(), nodes: 0 };
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| refusal(&error, options))?;
        let at = place(&span.start);
        builder
            .take(event, at)
            .map_err(|fault| ParseError::new(fault).at(Some(at)))?;
    }
    Ok(builder.documents)
}

/// Where each comment of a YAML text begins: its line and its column in characters, both from 1. A comment ends with its
/// line. Of a text that is no YAML, the comments up to where that shows.
///
/// Reading leaves comments out, so that printing what was read loses them: for tools that print.
pub fn comments(text: &str) -> Vec<(u64, u64)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parser =
        Parser::new_from_str_with_options(text, granit_parser::options! { emit_comments: true });
    let mut found = Vec::new();
    while let Some(Ok((event, span))) = parser.next_event() {
        if matches!(event, Event::Comment(..)) {
            let Place { line, column } = place(&span.start);
            found.push((line, column));
        }
    }
    found
}

/// Puts the parser's events together.
struct Builder<'o> {
    options: &'o ParseOptions,
    /// The lists and maps that are not complete yet, outermost first.
    open: Vec<Open>,
    documents: Vec<Node>,
    nodes: usize,
}

/// A list or a map that is not complete yet.
enum Open {
    List { at: Place, items: Vec<Node> },
    Map { at: Place, entries: Vec<Entry>, keys: HashSet<String>, key: Option<(String, Place)> },
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, at: Place) -> Result<(), ParseFault> {
        // 0 is "no anchor"; an alias refers to one.
        if event.anchor_id().is_some_and(|id| id != 0) {
            return Err(ParseFault::Alias);
        }
        if event.tag().is_some() {
            return Err(ParseFault::Tag);
        }
        match event {
            Event::Scalar(text, style, ..) => self.scalar(text.into_owned(), style, at),
            Event::SequenceStart(..) => self.begin(Open::List { at, items: Vec::new() }),
            Event::MappingStart(..) => {
                self.begin(Open::Map { at, entries: Vec::new(), keys: HashSet::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                match self.open.pop() {
                    Some(Open::List { at, items }) => {
                        self.add(Node { at: Some(at), value: Value::List(items) })
                    }
                    Some(Open::Map { at, entries, .. }) => {
                        self.add(Node { at: Some(at), value: Value::Map(entries) });
                    }
                    // The parser closes only what it has opened.
                    None => {}
                }
                Ok(())
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => Err(ParseFault::Alias),
            // Starts and ends of documents; none of them is a value.
            _ => Ok(()),
        }
    }

    fn begin(&mut self, opened: Open) -> Result<(), ParseFault> {
        self.count()?;
        if let Some(Open::Map { key: None, .. }) = self.open.last() {
            return Err(ParseFault::Syntax { message: "a key must be text".to_owned() });
        }
        let max = self.options.depth();
        if self.open.len() >= max {
            return Err(ParseFault::TooDeep { max });
        }
        self.open.push(opened);
        Ok(())
    }

    fn scalar(&mut self, text: String, style: ScalarStyle, at: Place) -> Result<(), ParseFault> {
        self.count()?;
        let plain = style == ScalarStyle::Plain;
        if let Some(Open::Map { keys, key: key @ None, .. }) = self.open.last_mut() {
            if plain && scalar::is_null(&text) {
                return Err(ParseFault::Syntax {
                    message: "a key is null, or missing before `:`".to_owned(),
                });
            } else if plain && text == "<<" {
                return Err(ParseFault::MergeKey);
            } else if !keys.insert(text.clone()) {
                return Err(ParseFault::DuplicateKey { key: text });
            }
            *key = Some((text, at));
            return Ok(());
        }
        let value = if plain { scalar::plain(text) } else { Value::Text(text) };
        self.add(Node { at: Some(at), value });
        Ok(())
    }

    /// Puts a complete value where it belongs.
    fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, .. }) => {
                if let Some((key, key_at)) = key.take() {
                    entries.push(Entry { key, key_at: Some(key_at), node });
                }
            }
            None if matches!(node.value, Value::Null) => {}
            None => self.documents.push(node),
        }
    }

    fn count(&mut self) -> Result<(), ParseFault> {
        let max = self.options.max_nodes;
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > max { Err(ParseFault::TooManyNodes { max }) } else { Ok(()) }
    }
}

/// Says what the parser found wrong.
fn refusal(error: &ScanError, options: &ParseOptions) -> ParseError {
    let fault = match error.kind() {
        ErrorKind::UnknownAnchor => ParseFault::Alias,
        ErrorKind::RecursionLimitExceeded => ParseFault::TooDeep { max: options.depth() },
        _ => ParseFault::Syntax { message: error.info() },
    };
    ParseError::new(fault).at(Some(place(error.marker())))
}

fn place(marker: &Marker) -> Place {
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    // The parser counts columns from 0.
    Place { line: count(marker.line()), column: count(marker.col()).saturating_add(1) }
}

#[cfg(test)]
mod tests {
    use super::comments;

    #[test]
    fn a_comment_is_told_from_a_text_that_looks_like_one() {
        for (name, text, want) in [
            ("none", "a: b\n", &[][..]),
            ("on lines of their own", "a: b\n  # why\nc: d\n# how\n", &[(2, 3), (4, 1)]),
            ("before everything", "# why\na: b\n", &[(1, 1)]),
            ("behind a value", "a: b # why\n", &[(1, 6)]),
            ("behind the head of a block", "a: | # why\n  text\n", &[(1, 6)]),
            ("between documents", "a: b\n---\n# why\nc: d\n", &[(3, 1)]),
            ("in a list", "[\n  a, # why\n  b # how\n]\n", &[(2, 6), (3, 5)]),
            ("columns are characters", "a: \u{e9} # why\n", &[(1, 6)]),
            ("alone", "# why", &[(1, 1)]),
            ("in a block of text", "a: |\n  # text\n", &[]),
            ("in quotes", "a: \"b # c\"\n", &[]),
            ("within a word", "a: b#c\n", &[]),
            ("before what is no YAML", "# why\na: [\n", &[(1, 1)]),
        ] {
            assert_eq!(comments(text), want, "{name}");
        }
    }
}
