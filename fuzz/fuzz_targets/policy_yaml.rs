#![no_main]

#[path = "../properties/policy_yaml.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| property::check(bytes));
