//! Which hellos are readable, what is read from them, and which are refused everywhere.

use meshtls_wire::{
    HelloDefect::{Ssl3, TooLarge},
    Hint, MAX_CLIENT_HELLO, Opening, Sniff, sniff,
};

use crate::support::{Hello, alpn, check, check_hello, record, records, server_name, vector16};

const TLS_LIKE: Sniff = Sniff::Is(Opening::TlsLike);

#[test]
fn readable() {
    for (name, hello) in [
        ("all parts", Hello::good()),
        ("no extensions field", Hello::with(|hello| hello.extensions = None)),
        ("no extensions", Hello::with(|hello| hello.extensions = Some(Vec::new()))),
        ("no session ID", Hello::with(|hello| hello.session_id.clear())),
        ("client_version 3.1", Hello::with(|hello| hello.client_version = 0x0301)),
        ("client_version 3.4", Hello::with(|hello| hello.client_version = 0x0304)),
        ("client_version 4.0", Hello::with(|hello| hello.client_version = 0x0400)),
        ("nonsense in an extension that is not read", Hello::with_extension(43, vec![255])),
        ("empty extension", Hello::with_extension(23, Vec::new())),
        ("many extension types", {
            Hello::with(|hello| {
                hello.extensions = Some(
                    (0x0100..0x0400)
                        .chain([1, 33, 65, 129, u16::MAX])
                        .map(|kind| (kind, vec![]))
                        .collect(),
                )
            })
        }),
    ] {
        check_hello(name, &hello.record());
    }
}

#[test]
fn unreadable() {
    for (name, hello) in [
        ("session ID of 33 bytes", Hello::with(|hello| hello.session_id = vec![0; 33])),
        ("no cipher suite", Hello::with(|hello| hello.cipher_suites.clear())),
        ("half a cipher suite", Hello::with(|hello| hello.cipher_suites.push(0))),
        ("no compression method", Hello::with(|hello| hello.compression_methods.clear())),
        ("byte after the extensions", Hello::with(|hello| hello.trailing.push(0))),
        ("half an extensions length", {
            Hello::with(|hello| (hello.extensions, hello.trailing) = (None, vec![0]))
        }),
        ("extensions shorter than they say", {
            Hello::with(|hello| (hello.extensions, hello.trailing) = (None, vec![0, 9, 0, 43]))
        }),
        ("extension longer than the extensions", {
            Hello::with(|hello| {
                (hello.extensions, hello.trailing) = (None, vec![0, 5, 0, 43, 0, 2, 0])
            })
        }),
        ("half an extension type", {
            Hello::with(|hello| (hello.extensions, hello.trailing) = (None, vec![0, 1, 0]))
        }),
        ("server_name twice", twice(0, &server_name("a"))),
        ("ALPN twice", twice(16, &alpn(&["istio"]))),
        ("unknown extension twice", twice(0xfefe, &[])),
        ("server_name without content", Hello::with_extension(0, Vec::new())),
        ("server_name with an empty list", Hello::with_extension(0, vec![0, 0])),
        ("server_name of 0 bytes", Hello::with_extension(0, server_name(""))),
        ("server_name of 256 bytes", Hello::with_extension(0, server_name(&"a".repeat(256)))),
        ("server_name with NUL", Hello::with_extension(0, server_name("a\0.example"))),
        ("server_name of another type", Hello::with_extension(0, vec![0, 4, 1, 0, 1, b'a'])),
        ("two server names", Hello::with_extension(0, vec![0, 8, 0, 0, 1, b'a', 0, 0, 1, b'b'])),
        ("byte after the server_name list", Hello::with_extension(0, vec![0, 4, 0, 0, 1, b'a', 0])),
        ("server_name list cut short", Hello::with_extension(0, vec![0, 9, 0, 0, 1, b'a'])),
        ("malformed although of client_version 3.0", {
            Hello::with(|hello| (hello.client_version, hello.trailing) = (0x0300, vec![0]))
        }),
    ] {
        assert_eq!(check(name, &hello.record()), TLS_LIKE, "{name}");
        assert_eq!(
            check(name, &records(&hello.message(), 3)),
            TLS_LIKE,
            "{name}, in small records"
        );
    }
    for len in 0..41 {
        let message = [&[1, 0][..], &vector16(&vec![3; len])].concat();
        assert_eq!(check("short", &record(&message)), TLS_LIKE, "a body of {len} bytes");
    }
}

#[test]
fn server_names() {
    let longest = "a".repeat(255);
    for (name, sent, want) in [
        ("host name", "a.example", Some("a.example")),
        ("Istio's", "outbound_.8000_._.httpbin.foo.svc", Some("outbound_.8000_._.httpbin.foo.svc")),
        ("case is kept", "A.Example", Some("A.Example")),
        ("one byte", "a", Some("a")),
        ("255 bytes", &longest, Some(&*longest)),
        ("address", "10.0.0.1", Some("10.0.0.1")),
        ("beyond ASCII", "bücher.example", None),
        ("line feed", "a\nb", None),
        ("space", "a b", None),
    ] {
        let hello = check_hello(name, &Hello::with_extension(0, server_name(sent)).record());
        assert_eq!(hello.server_name(), want, "{name}");
    }
    assert_eq!(
        check_hello("none", &Hello::with_extension(43, vec![]).record()).server_name(),
        None
    );
    let not_utf8 =
        check_hello("not UTF-8", &Hello::with_extension(0, vec![0, 4, 0, 0, 1, 0xff]).record());
    assert_eq!(not_utf8.server_name(), None);
}

#[test]
fn offers() {
    let longest = "p".repeat(255);
    let none: &[&str] = &[];
    for (name, content, want) in [
        ("order is kept", alpn(&["http/1.1", "istio", "h2"]), &["http/1.1", "istio", "h2"][..]),
        ("a name twice", alpn(&["h2", "h2"]), &["h2", "h2"]),
        ("name of 255 bytes", alpn(&[&longest]), &[&*longest]),
        ("empty list", alpn(&[]), none),
        ("no content", Vec::new(), none),
        ("half a length", vec![0], none),
        ("empty name", alpn(&["istio", ""]), none),
        ("name longer than the list", vec![0, 3, 3, b'h', b'2'], none),
        ("list longer than the extension", vec![0, 4, 2, b'h', b'2'], none),
        ("list shorter than the extension", vec![0, 3, 2, b'h', b'2', 0], none),
    ] {
        let extensions = vec![(16, content), (0, server_name("a"))];
        let hello =
            check_hello(name, &Hello::with(|hello| hello.extensions = Some(extensions)).record());
        let offered: Vec<_> = hello
            .alpn()
            .map(|name| str::from_utf8(name).unwrap())
            .collect();
        assert_eq!(offered, want, "{name}");
        assert_eq!(hello.server_name(), Some("a"), "{name}");
    }
}

#[test]
fn ssl3() {
    for version in [0, 0x0002, 0x0200, 0x02ff, 0x0300] {
        let hello = Hello::with(|hello| hello.client_version = version);
        assert_eq!(check("ssl3", &hello.record()), Sniff::Unacceptable(Ssl3), "{version:#06x}");
    }
    let bare = Hello::with(|hello| (hello.client_version, hello.extensions) = (0x0300, None));
    assert_eq!(check("ssl3", &bare.record()), Sniff::Unacceptable(Ssl3), "without extensions");
}

#[test]
fn sizes() {
    assert_eq!(MAX_CLIENT_HELLO, 16_384);
    for len in [15_000, 15 * 1024, MAX_CLIENT_HELLO] {
        check_hello("large", &Hello::of_wire_len(len));
    }
    for len in [MAX_CLIENT_HELLO + 1, 20_000, 40_000] {
        let hello = Hello::of_wire_len(len);
        let wire = [&hello, &[0; 10][..]].concat();
        for (name, wire) in
            [("in one record", wire), ("in records of 2^14", records(&hello[5..], 1 << 14))]
        {
            // A record of more than 18,432 bytes is not even a record.
            let want = if wire[3] > 0x48 { TLS_LIKE } else { Sniff::Unacceptable(TooLarge) };
            assert_eq!(check(name, &wire), want, "{len} bytes {name}");
            let known_at = if wire[3] > 0x48 { 5 } else { 9 };
            assert_eq!(sniff(&wire[..known_at]), want, "{len} bytes {name}, early");
        }
    }
}

#[test]
fn too_large_by_record_headers_only() {
    let message = Hello::of_wire_len(10_000)[5..].to_vec();
    for (name, wire) in [
        ("records of 5 bytes", records(&message, 5)),
        ("nothing but empty records", record(&[]).repeat(4000)),
    ] {
        for cut in (2..MAX_CLIENT_HELLO)
            .step_by(101)
            .chain([MAX_CLIENT_HELLO - 1])
        {
            assert_eq!(sniff(&wire[..cut]), Sniff::NeedMore(Hint::Tls), "{name}, {cut} bytes");
        }
        for cut in [MAX_CLIENT_HELLO, MAX_CLIENT_HELLO + 1, wire.len()] {
            assert_eq!(sniff(&wire[..cut]), Sniff::Unacceptable(TooLarge), "{name}, {cut} bytes");
        }
    }
}

#[test]
fn records_in_the_middle() {
    let message = Hello::good().message();
    let (start, rest) = message.split_at(20);
    let join = |between: &[u8]| [&record(start), between, &record(rest)].concat();
    check_hello("nothing between", &join(&[]));
    check_hello("empty record between", &join(&record(&[])));
    check_hello(
        "another minor version",
        &[record(start), vec![0x16, 3, 0xff, 0, 0], record(rest)].concat(),
    );
    check_hello("empty record first", &[record(&[]), record(&message)].concat());
    for (name, between) in [
        ("alert", &[0x15, 3, 3, 0, 2, 1, 0][..]),
        ("change_cipher_spec", &[0x14, 3, 3, 0, 1, 1]),
        ("application data", &[0x17, 3, 3, 0, 0]),
        ("version 2", &[0x16, 2, 0, 0, 0]),
        ("version 4", &[0x16, 4, 0, 0, 0]),
        ("overlong record", &[0x16, 3, 3, 0xff, 0xff]),
        ("text", b"GET / HTTP/1.1\r\n\r\n"),
    ] {
        let wire = join(between);
        assert_eq!(check(name, &wire), TLS_LIKE, "{name}");
        assert_eq!(sniff(&wire[..25 + between.len().min(5)]), TLS_LIKE, "{name}, by its header");
    }
}

#[test]
fn a_second_message_in_the_record_is_not_looked_at() {
    let wire = record(&[Hello::good().message(), vec![0xff; 9]].concat());
    assert_eq!(sniff(&wire), sniff(&Hello::good().record()));
    check("two messages", &wire);
}

#[test]
fn debug_is_readable() {
    let hello = check_hello("debug", &Hello::good().record());
    assert_eq!(
        format!("{hello:?}"),
        r#"ClientHello { server_name: Some("a.example"), alpn: ["h2", "istio"] }"#
    );
}

fn twice(kind: u16, content: &[u8]) -> Hello {
    Hello::with(|hello| {
        hello.extensions = Some(vec![(kind, content.to_vec()), (kind, content.to_vec())])
    })
}
