#![no_main]

#[path = "../properties/accept_stream.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| property::check(bytes));
