#![no_main]

#[path = "../properties/revocation_list.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| property::check(bytes));
