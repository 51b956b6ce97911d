//! What a handshake and its verifier tell each other.
//!
//! A verifier belongs to a configuration, and a configuration serves all connections; so it cannot know whom
//! *this* connection expects. And rustls picks the alert from the kind of error, while only one kind
//! (whose alert is 46) has room for our reason. Both therefore travel through a slot of the task, set around
//! each handshake: rustls calls the verifier while that very handshake is polled.

use std::cell::Cell;

use meshtls_identity::{IdMatcher, SpiffeId};
use meshtls_svid::{RejectSvid, ValidSvid};

/// What the verifier found.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    Valid(ValidSvid),
    Rejected(RejectSvid),
    NameMismatch { presented: SpiffeId },
}

struct Slot {
    expected: IdMatcher,
    verdict: Cell<Option<Verdict>>,
}

tokio::task_local! {
    static SLOT: Slot;
}

/// Runs a handshake that accepts peers of `expected`, and gives its verdict beside its outcome.
///
/// No verdict means that the verifier was not called: nothing is known of the peer.
pub(crate) async fn scoped<F: Future>(
    expected: IdMatcher,
    handshake: F,
) -> (F::Output, Option<Verdict>) {
    let slot = Slot { expected, verdict: Cell::new(None) };
    let run = async {
        let outcome = handshake.await;
        (outcome, SLOT.with(|slot| slot.verdict.take()))
    };
    SLOT.scope(slot, run).await
}

/// Judges a valid peer by what the running handshake expects. Outside of one, nobody is expected: `None`.
pub(crate) fn judge(found: Result<ValidSvid, RejectSvid>) -> Option<Verdict> {
    SLOT.try_with(|slot| {
        let verdict = match found {
            Ok(valid) if slot.expected.matches(valid.id()) => Verdict::Valid(valid),
            Ok(valid) => Verdict::NameMismatch { presented: valid.into_id() },
            Err(reject) => Verdict::Rejected(reject),
        };
        slot.verdict.set(Some(verdict.clone()));
        verdict
    })
    .ok()
}
