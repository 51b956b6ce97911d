//! The connector over real sockets on the loopback, with each crypto provider.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests end the test by a panic")]

mod failures;
mod mtls;
mod origination;
mod plaintext;
mod retry;
mod web;
mod world;
