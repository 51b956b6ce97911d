//! The first bytes of a connection: every cut asks for more or has the final answer, and hints are never wrong.

use meshtls_wire::{
    Hint, HttpVersion, MAX_CLIENT_HELLO, Opening, Sniff, http_version, sniff, sniff_plaintext,
};

/// Holds for all bytes.
pub(crate) fn check(bytes: &[u8]) {
    check_prefixes(bytes, sniff);
    check_prefixes(bytes, sniff_plaintext);
    check_http_version(bytes);

    if let Sniff::Is(Opening::ClientHello(hello)) = sniff(bytes) {
        assert!(
            hello
                .server_name()
                .is_none_or(|name| name.len() < MAX_CLIENT_HELLO)
        );
        let names = hello.alpn().map(<[u8]>::len);
        assert!(names.clone().all(|len| (1..=255).contains(&len)), "RFC 7301 section 3.1");
        assert!(names.sum::<usize>() < MAX_CLIENT_HELLO);
    }
}

fn check_prefixes(bytes: &[u8], sniff: fn(&[u8]) -> Sniff) {
    let whole = sniff(bytes);
    let mut hint = Hint::Undetermined;
    for prefix in prefixes(bytes) {
        match sniff(prefix) {
            Sniff::NeedMore(now) => {
                assert_eq!(now == Hint::Undetermined, prefix.is_empty());
                assert!(hint == Hint::Undetermined || hint == now, "{hint:?}, then {now:?}");
                hint = now;
            }
            answer => {
                assert_eq!(answer, whole, "an answer changed after {} bytes", prefix.len());
                break;
            }
        }
    }
    match (&hint, &whole) {
        (
            Hint::Plaintext,
            Sniff::Is(Opening::ClientHello(_) | Opening::TlsLike) | Sniff::Unacceptable(_),
        )
        | (Hint::Tls, Sniff::Is(Opening::Http1 | Opening::Http2)) => {
            assert_eq!(format!("{hint:?}"), format!("{whole:?}"), "the hint was wrong");
        }
        _ => {}
    }
    // Whoever goes on talking gets an answer.
    let mut talker = bytes.to_vec();
    talker.resize(bytes.len().max(MAX_CLIENT_HELLO), b'a');
    assert!(
        !matches!(sniff(&talker), Sniff::NeedMore(_)),
        "no answer after {} bytes",
        talker.len()
    );
}

fn check_http_version(bytes: &[u8]) {
    let whole = http_version(bytes);
    for prefix in prefixes(bytes) {
        let answer = http_version(prefix);
        assert!(
            answer.is_none() || answer == whole,
            "an answer changed after {} bytes",
            prefix.len()
        );
        assert!(answer.is_some() || prefix.len() < 24);
    }
    let spoken = match sniff_plaintext(bytes) {
        Sniff::Is(Opening::Http1) => Some(HttpVersion::Http1),
        Sniff::Is(Opening::Http2) => Some(HttpVersion::Http2),
        _ => return,
    };
    assert_eq!(whole, spoken);
}

/// Every prefix of up to 600 bytes, then ever fewer: long inputs would take the square of their length.
fn prefixes(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let prefix = bytes.get(..next)?;
        next += 1 + next / 600 * 16;
        Some(prefix)
    })
}
