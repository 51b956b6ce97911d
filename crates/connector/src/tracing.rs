//! An observer that emits `tracing` events.

use meshtls_rustls::{WithCauses, log_text};
use tracing::{debug, info};

use crate::{Event, Observer, Outcome};

/// Emits one `tracing` event for each attempt to connect: `DEBUG` if it succeeded, `INFO` if it failed.
///
/// The fields are `outcome` ([`Outcome::label`]), `host`, `port`, `service`, `endpoint`, `attempts`, `sni`, `accepted`,
/// `connect` and `handshake` (where there are such); with mesh mTLS also `peer_id`, with SIMPLE and MUTUAL `presented`, in plaintext `reason`, after a failure
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
            host = log_text($event.host),
            port = $event.port,
            service = $event.service.map(log_text),
            endpoint = $event.endpoint.map(tracing::field::display),
            attempts = $event.attempts,
            sni = log_text(&$event.sni.to_string()),
            accepted = accepted($event).map(|accepted| log_text(&accepted)),
            connect = ?$event.connect,
            handshake = $event.handshake.map(tracing::field::debug),
        )
    };
}

impl Observer for TracingObserver {
    fn connection(&self, event: &Event<'_>) {
        match event.outcome {
            Outcome::Mesh(peer) => emit!(debug, event, peer_id = log_text(peer.id().as_str()),),
            Outcome::Originated(_, peer) => {
                emit!(debug, event, presented = log_text(&peer.presented().to_string()),)
            }
            Outcome::Plaintext(reason) => {
                emit!(debug, event, reason = log_text(&reason.to_string()),)
            }
            Outcome::Failed(error) => {
                emit!(info, event, error = log_text(&WithCauses(error).to_string()),)
            }
        }
    }
}

/// Who may answer, by identity or by name.
fn accepted(event: &Event<'_>) -> Option<String> {
    match (event.accepted, event.server_names) {
        (Some(ids), _) => Some(ids.to_string()),
        (None, Some(names)) => Some(names.to_string()),
        (None, None) => None,
    }
}
