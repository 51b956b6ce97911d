#![no_main]

#[path = "../properties/first_bytes.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| property::check(bytes));
