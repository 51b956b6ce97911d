//! Handshakes between two endpoints in memory, with each provider, by a clock moved by hand.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod alerts;
mod configurations;
mod enrollment;
mod failures;
mod handshakes;
mod kit;
mod origination;
mod resumption;
mod revocation;
mod streams;
