#![no_main]

#[path = "../properties/resources.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| property::check_spec(
    "networking.istio.io/v1",
    "Sidecar",
    bytes
));
