//! Watched files: what is a change, what is taken, what is refused. Time is tokio's, paused; nothing sleeps for real.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests end the test by a panic")]

mod identity;
mod policies;
mod reports;
