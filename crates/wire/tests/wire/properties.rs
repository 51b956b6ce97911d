//! Arbitrary bytes, arbitrary cuts: no panic, and an answer never changes.

use meshtls_wire::{MAX_CLIENT_HELLO, Opening, Sniff, http_version, sniff, sniff_plaintext};
use proptest::prelude::*;

use crate::support::{Hello, alpn, check, check_hello, records, server_name};

/// Bytes that get somewhere: a beginning that is right, then anything.
fn openings() -> impl Strategy<Value = Vec<u8>> {
    let starts = prop::sample::select(vec![
        &b""[..],
        b"\x16\x03",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\x16\x03\x03\x00\x01\x01\x16\x03\x03",
        b"\x80\x2e\x01",
        b"GET /",
        b"GET / HTTP/1.1",
        b"PRI * HTTP/2.0\r\n",
    ]);
    (starts, prop::collection::vec(any::<u8>(), 0..200))
        .prop_map(|(start, rest)| [start, &rest].concat())
}

/// A right hello in records of some size.
fn hellos() -> impl Strategy<Value = (Hello, usize)> {
    let extension = (17_u16..60, prop::collection::vec(any::<u8>(), 0..40));
    (prop::collection::btree_map(extension.0, extension.1, 0..8), 1_usize..600).prop_map(
        |(others, size)| {
            let named = [(0, server_name("a.example")), (16, alpn(&["istio", "h2"]))];
            let extensions = others.into_iter().chain(named).collect();
            (Hello::with(|hello| hello.extensions = Some(extensions)), size)
        },
    )
}

proptest! {
    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check("arbitrary", &bytes);
    }

    #[test]
    fn bytes_that_begin_well(bytes in openings()) {
        check("begins well", &bytes);
    }

    #[test]
    fn spoilt_hellos((hello, size) in hellos(), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut wire = records(&hello.message(), size);
        let at = at.index(wire.len());
        wire[at] ^= 1 << bit;
        check("spoilt hello", &wire);
    }

    #[test]
    fn right_hellos((hello, size) in hellos()) {
        let read = check_hello("right hello", &records(&hello.message(), size));
        prop_assert_eq!(read.server_name(), Some("a.example"));
        prop_assert!(read.alpn().eq([&b"istio"[..], b"h2"]));
    }

    #[test]
    fn at_the_limit_there_is_an_answer(start in openings(), fill in any::<u8>(), cut in 0..MAX_CLIENT_HELLO) {
        let mut bytes = start;
        bytes.resize(MAX_CLIENT_HELLO, fill);
        let last = sniff(&bytes);
        prop_assert!(!matches!(last, Sniff::NeedMore(_)));
        let earlier = sniff(&bytes[..cut]);
        prop_assert!(matches!(earlier, Sniff::NeedMore(_)) || earlier == last);
    }

    #[test]
    fn plaintext_is_what_sniff_says_without_tls(bytes in openings()) {
        let plaintext = sniff_plaintext(&bytes);
        match sniff(&bytes) {
            Sniff::Is(Opening::ClientHello(_) | Opening::TlsLike) | Sniff::Unacceptable(_) => {
                prop_assert_eq!(plaintext, Sniff::Is(Opening::Other));
            },
            Sniff::NeedMore(meshtls_wire::Hint::Tls) => prop_assert_eq!(plaintext, Sniff::Is(Opening::Other)),
            same => prop_assert_eq!(plaintext, same),
        }
    }

    #[test]
    fn versions_never_change(bytes in openings(), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(bytes.len() + 1);
        if let Some(version) = http_version(&bytes[..cut]) {
            prop_assert_eq!(http_version(&bytes), Some(version));
        }
    }
}
