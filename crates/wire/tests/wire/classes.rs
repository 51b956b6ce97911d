//! The classes that are decided without reading a hello, and the versions of HTTP.

use meshtls_wire::{
    Class, Hint, HttpVersion, MAX_REQUEST_LINE, Opening, Sniff, http_version, sniff,
    sniff_plaintext,
};

use crate::support::{Hello, check};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const PLAINTEXT: Sniff = Sniff::NeedMore(Hint::Plaintext);
const TLS: Sniff = Sniff::NeedMore(Hint::Tls);
const TLS_LIKE: Sniff = Sniff::Is(Opening::TlsLike);
const HTTP1: Sniff = Sniff::Is(Opening::Http1);
const HTTP2: Sniff = Sniff::Is(Opening::Http2);
const OTHER: Sniff = Sniff::Is(Opening::Other);

#[test]
fn every_first_byte() {
    for first in 0..=u8::MAX {
        let want = match first {
            0x14..=0x17 | 0x80..=0xff => TLS,
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => PLAINTEXT,
            _ if b"!#$%&'*+-.^_`|~".contains(&first) => PLAINTEXT,
            _ => OTHER,
        };
        assert_eq!(sniff(&[first]), want, "{first:#04x}");
    }
}

#[test]
fn every_second_byte_after_a_record_type() {
    for major in 0..=u8::MAX {
        let tls = major == 3;
        for kind in [0x14, 0x15, 0x17] {
            let want = if tls { TLS_LIKE } else { OTHER };
            assert_eq!(sniff(&[kind, major]), want, "{kind:#04x} {major:#04x}");
        }
        assert_eq!(sniff(&[0x16, major]), if tls { TLS } else { OTHER }, "0x16 {major:#04x}");
        for kind in [0x13, 0x18] {
            assert_eq!(sniff(&[kind, major]), OTHER, "{kind:#04x} {major:#04x} is no record");
        }
    }
}

#[test]
fn every_minor_version_is_tls() {
    for minor in 0..=u8::MAX {
        let mut hello = Hello::good().record();
        hello[2] = minor;
        assert_eq!(class(&check("minor version", &hello)), Class::ClientHello, "{minor:#04x}");
    }
}

#[test]
fn tls_like() {
    for (name, bytes, want) in [
        ("nothing", &[][..], Sniff::NeedMore(Hint::Undetermined)),
        ("first segment of one byte", &[0x16], TLS),
        ("alert first", &[0x15, 3, 3, 0, 2, 1, 0], TLS_LIKE),
        ("application data first", &[0x17, 3, 3, 0, 9], TLS_LIKE),
        ("change_cipher_spec first", &[0x14, 3, 3, 0, 1, 1], TLS_LIKE),
        ("version 4.0", &[0x16, 4, 0, 0, 5, 1], OTHER),
        ("handshake record with text in it", b"\x16\x03\x01hello", TLS_LIKE),
        ("handshake record of 16,384 bytes", &[0x16, 3, 1, 0x40, 0, 1], TLS),
        ("handshake record of 18,432 bytes", &[0x16, 3, 1, 0x48, 0, 1], TLS),
        ("handshake record of 18,433 bytes", &[0x16, 3, 1, 0x48, 1], TLS_LIKE),
        ("ServerHello", &[0x16, 3, 3, 0, 9, 2], TLS_LIKE),
        ("HelloRequest", &[0x16, 3, 3, 0, 4, 0, 0, 0, 0], TLS_LIKE),
        ("SSLv2 hello, first two bytes", &[0x80, 0x2e], TLS),
        ("SSLv2 hello", &[0x80, 0x2e, 1, 0, 2, 0, 0x15], TLS_LIKE),
        ("SSLv2 hello that offers TLS 1.0", &[0x80, 0x2e, 1, 3, 1, 0, 0x15], TLS_LIKE),
        ("SSLv2 hello of more than 255 bytes", &[0x81, 0x2e, 1, 3, 3], TLS_LIKE),
        ("SSLv2 hello of version 0.3", &[0x80, 0x2e, 1, 0, 3], OTHER),
        ("SSLv2 hello of version 4", &[0x80, 0x2e, 1, 4], OTHER),
        ("SSLv2 SERVER-HELLO", &[0x80, 0x2e, 4, 0, 2], OTHER),
        ("Thrift call", &[0x80, 1, 0, 1, 0, 0, 0, 4], OTHER),
        ("UTF-8 text", "äöü".as_bytes(), OTHER),
    ] {
        assert_eq!(check(name, bytes), want, "{name}");
    }
}

#[test]
fn http() {
    for (name, bytes, want) in [
        ("request", &b"GET /ip HTTP/1.1\r\nHost: a\r\n\r\n"[..], HTTP1),
        ("request line alone", b"GET / HTTP/1.1\r\n", HTTP1),
        ("bare LF", b"GET / HTTP/1.1\n", HTTP1),
        ("any method", b"M-SEARCH * HTTP/1.1\r\n", HTTP1),
        ("lower-case method", b"get / HTTP/1.1\r\n", HTTP1),
        ("absolute target", b"GET http://a.example/x?y=z HTTP/1.1\r\n", HTTP1),
        ("authority as target", b"CONNECT a.example:443 HTTP/1.1\r\n", HTTP1),
        ("PRI with version 1.1", b"PRI * HTTP/1.1\r\n", HTTP1),
        ("no line end yet", b"GET / HTTP/1.1", PLAINTEXT),
        ("CR but no LF yet", b"GET / HTTP/1.1\r", PLAINTEXT),
        ("target not ended", b"GET /", PLAINTEXT),
        ("HTTP/2 preface", PREFACE, HTTP2),
        ("HTTP/2 preface and SETTINGS", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0", HTTP2),
        ("HTTP/2 preface but its last byte", &PREFACE[..23], PLAINTEXT),
    ] {
        assert_eq!(check(name, bytes), want, "{name}");
        assert_eq!(sniff_plaintext(bytes), want, "{name}, known to be plaintext");
    }
}

/// Every row ends with the byte that rules HTTP out; with it the answer is there, so that nobody waits.
#[test]
fn other_at_once() {
    for (name, bytes) in [
        ("HTTP/1.0", &b"GET / HTTP/1.0"[..]),
        ("HTTP/1.2", b"GET / HTTP/1.2"),
        ("HTTP/1.10", b"GET / HTTP/1.10"),
        ("HTTP/2 in a request line", b"GET / HTTP/2"),
        ("lower-case version", b"GET / h"),
        ("space after the version", b"GET / HTTP/1.1 "),
        ("CR twice", b"GET / HTTP/1.1\r\r"),
        ("no version, CRLF", b"GET /\r"),
        ("no version, LF", b"GET /\n"),
        ("no target", b"GET  "),
        ("method alone", b"QUIT\r"),
        ("tab", b"GET\t"),
        ("leading CRLF", b"\r"),
        ("leading LF", b"\n"),
        ("leading space", b" "),
        ("NUL in the target", b"GET /\0"),
        ("target beyond ASCII", b"GET /\xc3"),
        ("response", b"HTTP/"),
        ("PROXY protocol 1", b"PROXY TCP4 1"),
        ("PROXY protocol 2", b"\r"),
        ("SMTP", b"HELO a.example\r"),
        ("SSH", b"SSH-2.0-OpenSSH_9.2\r"),
        ("Redis", b"*1\r"),
        ("Postgres", b"\0"),
        ("HTTP/2 preface spoilt in its request line", b"PRI * HTTP/2.0\n"),
        ("HTTP/2 preface spoilt by a method", b"PRICE\r"),
    ] {
        let (_, before) = bytes.split_last().unwrap();
        assert!(
            matches!(sniff(before), Sniff::NeedMore(_)),
            "{name}: decided before its last byte"
        );
        assert_eq!(sniff(bytes), OTHER, "{name}");
        assert_eq!(sniff_plaintext(bytes), OTHER, "{name}, known to be plaintext");
        check(name, &[bytes, b" HTTP/1.1\r\n"].concat());
    }
    // The preface is spoilt behind its first line: at that byte as well.
    assert_eq!(sniff(b"PRI * HTTP/2.0\r\n\r\nSM\r"), PLAINTEXT);
    assert_eq!(sniff(b"PRI * HTTP/2.0\r\n\r\nSM\r\r"), OTHER);
}

#[test]
fn plaintext_knows_no_tls() {
    assert_eq!(sniff_plaintext(&[]), Sniff::NeedMore(Hint::Undetermined));
    for first in 0..=u8::MAX {
        let expected = match sniff(&[first]) {
            TLS => OTHER,
            same => same,
        };
        assert_eq!(sniff_plaintext(&[first]), expected, "{first:#04x}");
    }
    assert_eq!(sniff_plaintext(&Hello::good().record()), OTHER);
}

#[test]
fn a_request_line_is_bounded() {
    assert_eq!(MAX_REQUEST_LINE, 8192);
    let line = |len: usize| {
        let target = "x".repeat(len - b"GET  HTTP/1.1\r\n".len());
        format!("GET {target} HTTP/1.1\r\n").into_bytes()
    };
    assert_eq!(sniff(&line(MAX_REQUEST_LINE)), HTTP1);
    let longer = line(MAX_REQUEST_LINE + 1);
    assert_eq!(sniff(&longer[..MAX_REQUEST_LINE - 1]), PLAINTEXT);
    assert_eq!(sniff(&longer[..MAX_REQUEST_LINE]), OTHER);
    assert_eq!(sniff(&longer), OTHER);
    assert_eq!(sniff(&[b'a'; MAX_REQUEST_LINE - 1]), PLAINTEXT);
    assert_eq!(sniff(&[b'a'; MAX_REQUEST_LINE]), OTHER);
    check("a long line", &line(1000));
    for len in 0..200 {
        let bytes = [&vec![b'a'; len][..], b" / HTTP/1.1\r\n"].concat();
        assert_eq!(sniff(&bytes), if len == 0 { OTHER } else { HTTP1 }, "a method of {len} bytes");
        let bytes = [&vec![b'a'; len][..], b"\0"].concat();
        assert_eq!(sniff(&bytes), OTHER, "a NUL after {len} bytes");
    }
}

#[test]
fn classes_of_openings() {
    for (answer, want) in [
        (sniff(&Hello::good().record()), Class::ClientHello),
        (TLS_LIKE, Class::TlsLike),
        (HTTP1, Class::Http1),
        (HTTP2, Class::Http2),
        (OTHER, Class::Other),
    ] {
        assert_eq!(class(&answer), want);
    }
}

#[test]
fn versions_of_declared_http() {
    use HttpVersion::{Http1, Http2};
    for cut in 0..PREFACE.len() {
        assert_eq!(http_version(&PREFACE[..cut]), None, "{cut} bytes of the preface");
        let mut spoilt = PREFACE[..=cut].to_vec();
        spoilt[cut] ^= 1;
        assert_eq!(http_version(&spoilt), Some(Http1), "preface spoilt at {cut}");
    }
    for (name, bytes, want) in [
        ("preface", PREFACE, Http2),
        ("preface and more", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0", Http2),
        ("HTTP/1.1", b"GET", Http1),
        ("a method with the same first letter", b"PO", Http1),
        ("HTTP/1.0", b"GET / HTTP/1.0\r\n", Http1),
        ("nonsense", b"\0", Http1),
        ("TLS", b"\x16", Http1),
    ] {
        assert_eq!(http_version(bytes), Some(want), "{name}");
    }
}

fn class(answer: &Sniff) -> Class {
    match answer {
        Sniff::Is(opening) => opening.class(),
        other => panic!("{other:?}"),
    }
}
