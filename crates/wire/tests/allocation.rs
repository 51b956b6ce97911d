//! Reading first bytes allocates what is returned and nothing else.

#![expect(clippy::unwrap_used, reason = "a recording that cannot be read must fail the test")]

use allocation_counter::measure;
use meshtls_wire::{Opening, Sniff, sniff};

#[test]
fn a_hello_costs_its_two_names_and_all_else_nothing() {
    let hello = recorded(include_str!("hellos/openssl-istio-tcp.txt"));
    let mut seen = None;
    let counted = measure(|| seen = Some(sniff(&hello)));
    let Some(Sniff::Is(Opening::ClientHello(names))) = seen else { panic!("{seen:?}") };
    let returned =
        u64::from(names.server_name().is_some()) + u64::from(names.alpn().next().is_some());
    assert_eq!(counted.count_total, returned, "{counted:?}");

    for (name, prefix) in [
        ("nothing", &[][..]),
        ("a hello that is not whole", &hello[..hello.len() - 1]),
        ("no readable hello", b"\x16\x03\x01\x00\x05hello"),
        ("HTTP/1.1", b"GET /ip HTTP/1.1\r\n"),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("anything else", b"HELO there\r\n"),
    ] {
        let counted = measure(|| drop(sniff(prefix)));
        assert_eq!(counted.count_total, 0, "{name}: {counted:?}");
    }
}

/// Hexadecimal, with comments.
fn recorded(text: &str) -> Vec<u8> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let digits: Vec<u8> = lines
        .flat_map(str::bytes)
        .filter(u8::is_ascii_hexdigit)
        .collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
