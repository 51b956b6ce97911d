//! Our client and foreign ones against our server, over sockets of the loopback interface.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

mod callers;
mod kit;
mod refusals;
mod renewal;
mod wire;
