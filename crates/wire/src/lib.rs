//! What the first bytes of a connection are, decided without consuming them.
//!
//! The caller reads, keeps what it read, and asks again with the longer prefix until the answer is
//! final. Whoever speaks next gets the kept bytes first.
//!
//! ```
//! use meshtls_wire::{Hint, Opening, Sniff, sniff};
//!
//! assert_eq!(sniff(b"GET /ip HT"), Sniff::NeedMore(Hint::Plaintext));
//! assert_eq!(sniff(b"GET /ip HTTP/1.1\r\n"), Sniff::Is(Opening::Http1));
//! assert_eq!(sniff(&[0x16, 0x03, 0x01]), Sniff::NeedMore(Hint::Tls));
//! assert_eq!(sniff(b"SSH-2.0-x\r\n"), Sniff::Is(Opening::Other));
//! ```
//!
//! # Guarantees
//!
//! * A final answer never changes when more bytes follow; no prefix gives another final answer.
//! * At [`MAX_CLIENT_HELLO`] bytes every answer is final.
//! * No panic, whatever the bytes. No I/O, no clock, no logging.
//! * Nothing is allocated but the names that a [`ClientHello`] returns. Asking for more bytes costs one
//!   step per TLS record, or one pass over at most [`MAX_REQUEST_LINE`] bytes of plaintext.
//!
//! # Sources
//!
//! RFC 8446 sections 4.1.2, 4.2 and 5.1 (TLS), RFC 6066 section 3 (SNI), RFC 7301 section 3.1 (ALPN),
//! RFC 9112 section 3 and RFC 9113 section 3.4 (HTTP). Where they leave a choice: what Envoy's
//! `tls_inspector` and `http_inspector` do behind Istio's inbound listeners.

#![warn(clippy::arithmetic_side_effects)]

pub mod alpn;
mod client_hello;
mod http;
mod record;
mod sniff;

pub use client_hello::ClientHello;
pub use http::{HttpVersion, MAX_REQUEST_LINE, http_version};
pub use record::MAX_CLIENT_HELLO;
pub use sniff::{Class, HelloDefect, Hint, Opening, Sniff, sniff, sniff_plaintext};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
