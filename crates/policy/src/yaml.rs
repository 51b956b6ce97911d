//! Objects printed as YAML in block style.
//!
//! A text is quoted wherever some reader of YAML could take it for anything else: the same caution that the reader has, see
//! `scalar.rs`. Fields keep the order of their JSON form.

use std::fmt::Write;

use serde::Serialize;

use crate::scalar;
use crate::tree::{Node, Value};

/// Prints an object as a document, without `---`.
pub(crate) fn print(object: &impl Serialize) -> String {
    let mut text = String::new();
    // The forms of objects have text for keys, and no number that JSON lacks.
    let json = serde_json::to_string(object).unwrap_or_default();
    if let Ok(node) = serde_json::from_str::<Node>(&json) {
        block(&node, 0, &mut text);
    }
    text
}

/// Prints a value that begins a line, each of its lines indented.
fn block(node: &Node, indent: usize, text: &mut String) {
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            for (nth, entry) in entries.iter().enumerate() {
                if nth > 0 {
                    pad(indent, text);
                }
                key(&entry.key, text);
                text.push(':');
                match &entry.node.value {
                    // As operators write them, the dashes stand under the key.
                    Value::List(nodes) if !nodes.is_empty() => {
                        text.push('\n');
                        pad(indent, text);
                        block(&entry.node, indent, text);
                    }
                    Value::Map(below) if !below.is_empty() => {
                        let indent = indent.saturating_add(2);
                        text.push('\n');
                        pad(indent, text);
                        block(&entry.node, indent, text);
                    }
                    _ => {
                        text.push(' ');
                        block(&entry.node, indent, text);
                    }
                }
            }
        }
        Value::List(nodes) if !nodes.is_empty() => {
            for (nth, node) in nodes.iter().enumerate() {
                if nth > 0 {
                    pad(indent, text);
                }
                text.push_str("- ");
                block(node, indent.saturating_add(2), text);
            }
        }
        Value::Map(_) => text.push_str("{}\n"),
        Value::List(_) => text.push_str("[]\n"),
        Value::Null => text.push_str("null\n"),
        Value::Bool(spelling) | Value::Number(spelling) => {
            text.push_str(spelling);
            text.push('\n');
        }
        Value::Text(value) => {
            if is_plain(value) {
                text.push_str(value);
            } else {
                quote(value, text);
            }
            text.push('\n');
        }
    }
}

fn pad(indent: usize, text: &mut String) {
    text.extend(std::iter::repeat_n(' ', indent));
}

/// Keys are text to every reader that Kubernetes has, and ports are written without quotes.
fn key(key: &str, text: &mut String) {
    let port =
        !key.is_empty() && !key.starts_with('0') && key.bytes().all(|byte| byte.is_ascii_digit());
    if port || is_plain(key) {
        text.push_str(key);
    } else {
        quote(key, text);
    }
}

/// Whether every reader takes the bare text for this very text.
fn is_plain(text: &str) -> bool {
    let safe = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_./:@".contains(&byte));
    let first = text.bytes().next();
    let starts_well =
        first.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'/' || byte == b'_');
    // Times, dates and numbers to the base of 60 begin with a digit; addresses such as 10.0.0.1 are fine.
    let digit = first.is_some_and(|byte| byte.is_ascii_digit());
    let letters = text.bytes().any(|byte| byte.is_ascii_alphabetic());
    let dots = text.bytes().filter(|byte| *byte == b'.').count();
    let no_number = !digit || (!text.contains(':') && (letters || dots > 1));
    let text_to_all = matches!(scalar::plain(text.to_owned()), Value::Text(_));
    safe && starts_well && no_number && text_to_all && !text.ends_with(':')
}

/// In double quotes, everything escaped that is not plainly visible.
fn quote(value: &str, text: &mut String) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => {
                text.push('\\');
                text.push(c);
            }
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            ' '..='~' => text.push(c),
            // Control characters, separators of lines, marks of byte order and private use.
            _ if c.is_control() || c.is_whitespace() || !is_visible(c) => {
                // Writing to a String does not fail.
                let _written = match u32::from(c) {
                    code @ ..=0xffff => write!(text, "\\u{code:04X}"),
                    code => write!(text, "\\U{code:08X}"),
                };
            }
            _ => text.push(c),
        }
    }
    text.push('"');
}

fn is_visible(c: char) -> bool {
    matches!(c, '\u{a1}'..='\u{1fff}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdff}' | '\u{10000}'..='\u{1fffd}')
}
