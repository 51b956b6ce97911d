//! Text for operators: an error with its causes, and a peer's text made fit for a log.

use std::error::Error;
use std::fmt;

/// Shows an error and its causes in one line, joined by colons.
///
/// ```
/// use meshtls_rustls::WithCauses;
///
/// let error = "7x".parse::<u8>().unwrap_err();
/// assert_eq!(WithCauses(&error).to_string(), "invalid digit found in string");
/// ```
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "it shows one error")]
pub struct WithCauses<'a>(pub &'a (dyn Error + 'a));

impl fmt::Display for WithCauses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Gives `text` without control characters and with at most 256 characters, so that it fits into one line of a log whoever chose it.
///
/// ```
/// assert_eq!(meshtls_rustls::log_text("a\nb"), "a\\nb");
/// ```
#[must_use]
pub fn log_text(text: &str) -> String {
    text.escape_debug().take(MAX_CHARS).collect()
}

const MAX_CHARS: usize = 256;

#[cfg(test)]
mod tests {
    use std::io;

    use super::{MAX_CHARS, WithCauses, log_text};
    use crate::HandshakeError;

    #[test]
    fn causes_follow_their_error() {
        let error = HandshakeError::Io(io::Error::other("torn"));
        assert_eq!(
            WithCauses(&error).to_string(),
            "the transport failed during the handshake: torn"
        );
    }

    #[test]
    fn text_is_escaped_and_cut() {
        assert_eq!(log_text("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
        assert_eq!(log_text(&"x".repeat(10_000)).len(), MAX_CHARS);
    }
}
