#![no_main]

#[path = "../properties/bundle_document.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| property::check(bytes));
