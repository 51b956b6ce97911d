//! What an unquoted scalar is to the readers of YAML.
//!
//! Readers differ, and `kubectl` still reads YAML 1.1, where `off` is a boolean. So a scalar is taken for text only if no
//! reader takes it for anything else; fields that need text then refuse it, as the API server does.

use crate::tree::Value;

/// An unquoted scalar as the value it stands for.
pub(crate) fn plain(text: String) -> Value {
    if is_null(&text) {
        Value::Null
    } else if is_bool(&text) {
        Value::Bool(text)
    } else if is_number(&text) {
        Value::Number(text)
    } else {
        Value::Text(text)
    }
}

/// Null in YAML 1.1 and 1.2.
pub(crate) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// A boolean in YAML 1.1 or 1.2: lower case, upper case, or a capital in front.
fn is_bool(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let mut rest = text.chars();
    rest.next();
    let one_style =
        text == lower || text == text.to_ascii_uppercase() || !rest.any(|c| c.is_ascii_uppercase());
    one_style && ["y", "n", "yes", "no", "on", "off", "true", "false"].contains(&lower.as_str())
}

/// A number in YAML 1.1 or 1.2: decimal, with a fraction or an exponent, with a base in front, infinite or none at all;
/// `_` between digits.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.replace('_', "");
    for (prefix, base) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = digits.strip_prefix(prefix) {
            return !digits.is_empty() && digits.chars().all(|c| c.is_digit(base));
        }
    }
    let starts_well = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let special = matches!(unsigned.to_ascii_lowercase().as_str(), ".inf" | ".nan");
    starts_well && (special || digits.parse::<f64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::plain;
    use crate::tree::Value;

    #[test]
    fn what_readers_make_of_it() {
        for (text, want) in [
            ("", "null"),
            ("~", "null"),
            ("null", "null"),
            ("nULL", "text"),
            ("true", "bool"),
            ("OFF", "bool"),
            ("Yes", "bool"),
            ("n", "bool"),
            ("yEs", "text"),
            ("yep", "text"),
            ("0", "number"),
            ("-1", "number"),
            ("1.10", "number"),
            ("08080", "number"),
            ("1_000", "number"),
            ("1e3", "number"),
            (".5", "number"),
            ("5.", "number"),
            ("0x1F", "number"),
            ("0o17", "number"),
            ("-.inf", "number"),
            (".NaN", "number"),
            ("99999999999999999999999", "number"),
            ("1.2.3", "text"),
            ("0x", "text"),
            ("0xG", "text"),
            ("v1", "text"),
            ("inf", "text"),
            ("nan", "text"),
            ("-", "text"),
            (".", "text"),
            ("_1", "text"),
            ("2024-03-01T00:00:01Z", "text"),
            ("10.0.0.1", "text"),
            ("::1", "text"),
        ] {
            let got = match plain(text.to_owned()) {
                Value::Null => "null",
                Value::Bool(_) => "bool",
                Value::Number(_) => "number",
                Value::Text(_) => "text",
                Value::List(_) | Value::Map(_) => "collection",
            };
            assert_eq!(got, want, "{text}");
        }
    }
}
