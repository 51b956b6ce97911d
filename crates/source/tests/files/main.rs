//! Watched files: what is a change, what is taken, what is refused. Time is tokio's, paused; nothing sleeps for real.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests end the test by a panic")]
#![expect(clippy::print_stdout, reason = "a failed test shows which provider it ran with")]

mod catalogue;
mod federated;
mod flapping;
mod freshness;
mod identity;
mod policies;
mod reports;
