//! The public API, from bytes to answers.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod classes;
mod client_hello;
mod mesh_alpn;
mod properties;
mod recorded;
mod support;
