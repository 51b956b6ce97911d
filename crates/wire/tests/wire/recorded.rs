//! Hellos recorded from real programs, in `tests/hellos/`.

use std::{fs, path::Path};

use crate::support::{check_hello, content, records};

struct Recorded {
    name: String,
    server_name: Option<String>,
    alpn: Vec<String>,
    wire: Vec<u8>,
}

fn all() -> Vec<Recorded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hellos");
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            all.push(parse(name, &fs::read_to_string(&path).unwrap()));
        }
    }
    assert_eq!(all.len(), 16, "a recorded hello was added or lost");
    all
}

fn parse(name: String, text: &str) -> Recorded {
    assert!(text.starts_with("# origin: "), "{name}");
    let field = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
    let hex: Vec<u8> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::bytes)
        .collect();
    let wire = hex
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap());
    Recorded {
        server_name: field("# server_name: ").map(str::to_owned),
        alpn: field("# alpn: ")
            .map(|list| list.split(',').map(str::to_owned).collect())
            .unwrap_or_default(),
        wire: wire.collect(),
        name,
    }
}

/// The names are those the program was told to send, and every cut says "need more" or the same.
fn check_names(hello: &Recorded, how: &str, wire: &[u8]) {
    let name = format!("{}, {how}", hello.name);
    let read = check_hello(&name, wire);
    assert_eq!(read.server_name(), hello.server_name.as_deref(), "{name}");
    let alpn: Vec<_> = read
        .alpn()
        .map(|protocol| str::from_utf8(protocol).unwrap())
        .collect();
    assert_eq!(alpn, hello.alpn, "{name}");
}

#[test]
fn as_recorded() {
    for hello in all() {
        check_names(&hello, "as recorded", &hello.wire);
    }
}

#[test]
fn in_other_records() {
    for hello in all() {
        let message = content(&hello.wire);
        // The smallest that leaves the hello within 16 KiB and this test within a second or two.
        let smallest = if message.len() < 3000 { message.len().div_ceil(600) } else { 200 };
        for size in [smallest, smallest + 1, 3 * smallest, 100 * smallest] {
            check_names(&hello, &format!("records of {size}"), &records(&message, size));
        }
    }
}

#[test]
fn what_follows_changes_nothing() {
    for hello in all() {
        let read = check_hello(&hello.name, &hello.wire);
        for (what, more) in [
            ("change_cipher_spec and early data", &[0x14, 3, 3, 0, 1, 1, 0x17, 3, 3, 0, 1, 0][..]),
            ("HTTP", b"GET / HTTP/1.1\r\n\r\n"),
            ("20,000 bytes", &[0x16; 20_000]),
        ] {
            let longer = meshtls_wire::sniff(&[&hello.wire, more].concat());
            assert_eq!(
                longer,
                meshtls_wire::Sniff::Is(meshtls_wire::Opening::ClientHello(read.clone())),
                "{what}"
            );
        }
    }
}

/// The folder holds what it is there for.
#[test]
fn kinds() {
    let all = all();
    let wire = |name: &str| &all.iter().find(|hello| hello.name == name).unwrap().wire;
    let count = |wire: &[u8]| (wire.len() - content(wire).len()) / 5;
    let x25519_mlkem768 = [0x11, 0xec, 0x04, 0xc0];
    let post_quantum = |name: &str| wire(name).windows(4).any(|bytes| bytes == x25519_mlkem768);

    assert!(post_quantum("rustls-post-quantum"));
    assert!(!post_quantum("rustls-ring"));
    assert_eq!(count(wire("openssl-512-byte-records")), 5);
    assert_eq!(count(wire("rustls-post-quantum-32-byte-records")), 56);
    assert!(wire("openssl-15-kb").len() > 14 * 1024);
    assert_eq!(wire("openssl-tls10")[9..11], [3, 1], "client_version");
}
