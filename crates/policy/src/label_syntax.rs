//! Which labels are well formed (Istio: `pkg/config/labels/instance.go`).

use crate::host_name::is_label;

/// Whether `text` is a label's key: a name of at most 63, perhaps with a DNS name of at most 253 and `/` before it.
pub(crate) fn is_label_key(text: &str) -> bool {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    let sound_prefix =
        prefix.is_none_or(|prefix| prefix.len() <= 253 && prefix.split('.').all(is_label));
    sound_prefix && name.len() <= 63 && is_qualified(name)
}

/// Whether `text` is a label's value: nothing, or what a name in a key may be, of any length.
pub(crate) fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_qualified(text)
}

/// Letters, digits, `-`, `_` and `.`, with a letter or a digit at both ends.
fn is_qualified(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    end(text.bytes().next()) && end(text.bytes().last()) && text.bytes().all(inner)
}

#[cfg(test)]
mod tests {
    use super::{is_label_key, is_label_value};

    #[test]
    fn keys_and_values() {
        let long = "a".repeat(64);
        for (text, key, value) in [
            ("app", true, true),
            ("My-app_1.x", true, true),
            ("app.kubernetes.io/name", true, false),
            ("a/b/c", false, false),
            ("/name", false, false),
            ("a_b/name", false, false),
            ("prefix/", false, false),
            ("", false, true),
            ("-a", false, false),
            ("a-", false, false),
            ("a b", false, false),
            (long.as_str(), false, true),
        ] {
            assert_eq!((is_label_key(text), is_label_value(text)), (key, value), "{text}");
        }
    }
}
