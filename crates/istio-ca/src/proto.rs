//! What `build.rs` makes of `proto/ca.proto`. Nothing of it leaves this crate.

#![allow(warnings, reason = "generated, in whatever style the generator has")]

include!(concat!(env!("OUT_DIR"), "/istio.v1.auth.rs"));
