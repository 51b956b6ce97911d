#![no_main]

#[path = "../properties/resources.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| property::check_spec(
    "security.istio.io/v1",
    "AuthorizationPolicy",
    bytes
));
