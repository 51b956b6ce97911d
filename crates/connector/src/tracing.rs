//! An observer that emits `tracing` events.

use std::error::Error;

use tracing::{debug, info};

use crate::{Event, Observer, Outcome};

/// Emits one `tracing` event for each attempt to connect: `DEBUG` if it succeeded, `INFO` if it failed.
///
/// The fields are `outcome` ([`Outcome::label`]), `host`, `port`, `service`, `endpoint`, `attempts`, `sni`, `accepted`,
/// `connect` and `handshake` (where there are such); with mTLS also `peer_id`, in plaintext `reason`, after a failure
/// `error`. Text is escaped, and cut at 256 characters.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct TracingObserver;

impl TracingObserver {
    /// The observer.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

/// The fields of every event, after those of its own.
macro_rules! emit {
    ($level:ident, $event:ident, $($own:tt)*) => {
        $level!(
            outcome = $event.outcome.label(),
            $($own)*
            host = bounded($event.host),
            port = $event.port,
            service = $event.service.map(bounded),
            endpoint = $event.endpoint.map(tracing::field::display),
            attempts = $event.attempts,
            sni = bounded(&$event.sni.to_string()),
            accepted = $event.accepted.map(|accepted| bounded(&accepted.to_string())),
            connect = ?$event.connect,
            handshake = $event.handshake.map(tracing::field::debug),
        )
    };
}

impl Observer for TracingObserver {
    fn connection(&self, event: &Event<'_>) {
        match event.outcome {
            Outcome::Mesh(peer) => emit!(debug, event, peer_id = bounded(peer.id().as_str()),),
            Outcome::Plaintext(reason) => {
                emit!(debug, event, reason = bounded(&reason.to_string()),)
            }
            Outcome::Failed(error) => emit!(info, event, error = bounded(&with_causes(error)),),
        }
    }
}

/// The error and its causes in one line.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// `text` without control characters, and no longer than a line of a log should be.
fn bounded(text: &str) -> String {
    text.escape_debug().take(MAX_CHARS).collect()
}

const MAX_CHARS: usize = 256;

#[cfg(test)]
mod tests {
    use super::{MAX_CHARS, bounded};

    #[test]
    fn text_is_escaped_and_cut() {
        assert_eq!(bounded("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
        assert_eq!(bounded(&"x".repeat(10_000)).len(), MAX_CHARS);
    }
}
