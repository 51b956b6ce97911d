//! The real `httpbin` and the clients that we did not write: what each ends with in each mode, and whom the service takes it for.

#![cfg(feature = "run")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
#![expect(clippy::disallowed_methods, reason = "what another process takes is real time")]
#![expect(clippy::indexing_slicing, reason = "a field that JSON lacks reads as null")]

mod curl;
mod others;
mod service;
