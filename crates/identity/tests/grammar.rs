//! Which text is a SPIFFE ID: every byte at every kind of place, every refusal, every bound.

use meshtls_identity::{ParseIdError, SpiffeId, TrustDomain};

use ParseIdError::{
    DotSegment, EmptySegment, ForbiddenByte, NoTrustDomain, Scheme, TooLong, TrailingSlash,
    TrustDomainTooLong,
};

const TRUST_DOMAIN_BYTES: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789.-_";
const SEGMENT_BYTES: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

#[test]
fn every_byte_at_every_kind_of_place() {
    let cases: [(&str, &str, &str, &[u8]); 9] = [
        ("trust domain, only byte", "spiffe://", "/a", TRUST_DOMAIN_BYTES),
        ("trust domain, first", "spiffe://", "bc/a", TRUST_DOMAIN_BYTES),
        ("trust domain, middle", "spiffe://a", "c/a", TRUST_DOMAIN_BYTES),
        ("trust domain, last", "spiffe://ab", "/a", TRUST_DOMAIN_BYTES),
        ("trust domain, last, no path", "spiffe://ab", "", TRUST_DOMAIN_BYTES),
        ("segment, first", "spiffe://td/x/", "bc/y", SEGMENT_BYTES),
        ("segment, middle", "spiffe://td/x/a", "c/y", SEGMENT_BYTES),
        ("segment, last", "spiffe://td/x/ab", "/y", SEGMENT_BYTES),
        ("last segment, last", "spiffe://td/x/ab", "", SEGMENT_BYTES),
    ];
    for (name, before, after, allowed) in cases {
        for byte in (0..=u8::MAX).filter(|&byte| byte != b'/') {
            let text = [before.as_bytes(), &[byte], after.as_bytes()].concat();
            let want = if allowed.contains(&byte) {
                Ok(())
            } else {
                Err(ForbiddenByte { at: before.len(), byte })
            };
            check_bytes(&format!("{name}, byte {byte:#04x}"), &text, want);
        }
    }
}

#[test]
fn every_byte_in_the_scheme() {
    for at in 0.."spiffe://".len() {
        for byte in 0..=u8::MAX {
            let mut text = *b"spiffe://td/a";
            let original = std::mem::replace(&mut text[at], byte);
            let want = match byte {
                _ if byte == original => Ok(()),
                0x80.. => Err(ForbiddenByte { at, byte }),
                _ => Err(Scheme),
            };
            check_bytes(&format!("offset {at}, byte {byte:#04x}"), &text, want);
        }
    }
}

#[test]
fn a_slash_at_every_kind_of_place() {
    for (name, text, want) in [
        ("instead of the trust domain", "spiffe:///a", Err(NoTrustDomain)),
        ("ends the trust domain", "spiffe://a/c", Ok(())),
        ("ends the text after the trust domain", "spiffe://a/", Err(TrailingSlash)),
        ("first in the path", "spiffe://td//x", Err(EmptySegment { at: 12 })),
        ("between segments", "spiffe://td/x//y", Err(EmptySegment { at: 14 })),
        ("twice at the end", "spiffe://td/x//", Err(EmptySegment { at: 14 })),
        ("at the end", "spiffe://td/x/", Err(TrailingSlash)),
    ] {
        check(name, text, want);
    }
}

#[test]
fn hostile_texts() {
    for (name, text, want) in [
        ("empty", "", Err(Scheme)),
        ("scheme only", "spiffe://", Err(NoTrustDomain)),
        ("half a scheme", "spiffe:/", Err(Scheme)),
        ("upper case scheme", "SPIFFE://td/a", Err(Scheme)),
        ("space before", " spiffe://td/a", Err(Scheme)),
        ("scheme twice", "spiffe://spiffe://td", Err(ForbiddenByte { at: 15, byte: b':' })),
        ("port", "spiffe://td:80/a", Err(ForbiddenByte { at: 11, byte: b':' })),
        ("user", "spiffe://u@td/a", Err(ForbiddenByte { at: 10, byte: b'@' })),
        ("IPv6", "spiffe://[::1]/a", Err(ForbiddenByte { at: 9, byte: b'[' })),
        ("star", "spiffe://*/a", Err(ForbiddenByte { at: 9, byte: b'*' })),
        ("query", "spiffe://td/a?b", Err(ForbiddenByte { at: 13, byte: b'?' })),
        ("query, no path", "spiffe://td?b", Err(ForbiddenByte { at: 11, byte: b'?' })),
        ("fragment", "spiffe://td/a#b", Err(ForbiddenByte { at: 13, byte: b'#' })),
        ("percent-encoded dots", "spiffe://td/%2e%2e", Err(ForbiddenByte { at: 12, byte: b'%' })),
        ("percent-encoded NUL", "spiffe://td/a%00", Err(ForbiddenByte { at: 13, byte: b'%' })),
        ("NUL", "spiffe://td/a\0b", Err(ForbiddenByte { at: 13, byte: 0 })),
        ("line end", "spiffe://td/a\n", Err(ForbiddenByte { at: 13, byte: b'\n' })),
        ("terminal escape", "spiffe://td/\x1b[2J", Err(ForbiddenByte { at: 12, byte: 0x1b })),
        ("dotless i", "spiffe://exa\u{131}/a", Err(ForbiddenByte { at: 12, byte: 0xc4 })),
        ("full-width slash", "spiffe://td\u{ff0f}a", Err(ForbiddenByte { at: 11, byte: 0xef })),
        ("dot segment", "spiffe://td/a/./b", Err(DotSegment { at: 14 })),
        ("dots segment", "spiffe://td/a/../b", Err(DotSegment { at: 14 })),
        ("dots at the end", "spiffe://td/..", Err(DotSegment { at: 12 })),
        ("three dots", "spiffe://td/...", Ok(())),
        ("trust domain of dots", "spiffe://../a", Ok(())),
    ] {
        check(name, text, want);
    }
}

#[test]
fn bounds() {
    let id = |td: usize, path: usize| format!("spiffe://{}/{}", "a".repeat(td), "b".repeat(path));
    for (name, text, want) in [
        ("longest trust domain", id(255, 1), Ok(())),
        ("trust domain one longer", id(256, 1), Err(TrustDomainTooLong { len: 256 })),
        ("longest ID", id(255, 1783), Ok(())),
        ("ID one longer", id(255, 1784), Err(TooLong { len: 2049 })),
        ("too long before all else", "\u{e9}".repeat(2048), Err(TooLong { len: 4096 })),
    ] {
        check(name, &text, want);
    }
    assert_eq!(id(255, 1783).len(), SpiffeId::MAX_LEN);
}

#[test]
fn a_trust_domain_alone() {
    for (name, text, want) in [
        ("plain", "prod.example", Ok(())),
        ("empty", "", Err(NoTrustDomain)),
        ("with scheme", "spiffe://td", Err(ForbiddenByte { at: 6, byte: b':' })),
        ("upper case", "tD", Err(ForbiddenByte { at: 1, byte: b'D' })),
        ("with path", "td/a", Err(ForbiddenByte { at: 2, byte: b'/' })),
        ("longest", &"a".repeat(TrustDomain::MAX_LEN), Ok(())),
        ("one longer", &"a".repeat(256), Err(TrustDomainTooLong { len: 256 })),
    ] {
        let got: Result<TrustDomain, _> = text.parse();
        assert_eq!(got.clone().map(|_| ()), want, "{name}");
        if let Ok(trust_domain) = got {
            assert_eq!(trust_domain.to_string(), text, "{name}");
            let id = trust_domain.spiffe_id();
            assert_eq!((id.trust_domain(), id.path()), (&trust_domain, ""), "{name}");
            assert_eq!(id.as_str().parse(), Ok(id.clone()), "{name}");
        }
    }
}

#[test]
fn what_an_operator_reads() {
    for (error, want) in [
        (TooLong { len: 2049 }, "2049 bytes are more than the 2048 a SPIFFE ID may have"),
        (Scheme, "does not begin with `spiffe://`"),
        (NoTrustDomain, "the trust domain is empty"),
        (
            TrustDomainTooLong { len: 256 },
            "256 bytes are more than the 255 a trust domain may have",
        ),
        (ForbiddenByte { at: 9, byte: 0 }, "byte 0x00 at offset 9 is not allowed"),
        (EmptySegment { at: 12 }, "the path segment at offset 12 is empty"),
        (DotSegment { at: 12 }, "the path segment at offset 12 is a dot segment"),
        (TrailingSlash, "the path ends in a slash"),
    ] {
        assert_eq!(error.to_string(), want);
    }
}

fn check(name: &str, text: &str, want: Result<(), ParseIdError>) {
    assert_eq!(text.parse::<SpiffeId>().map(|_| ()), want, "{name}");
    check_bytes(name, text.as_bytes(), want);
}

fn check_bytes(name: &str, text: &[u8], want: Result<(), ParseIdError>) {
    let got = SpiffeId::from_bytes(text);
    assert_eq!(got.clone().map(|_| ()), want, "{name}");
    if let Ok(id) = got {
        assert_eq!(id.as_str().as_bytes(), text, "{name}");
        assert_eq!(id.to_string().parse(), Ok(id), "{name}");
    }
}
