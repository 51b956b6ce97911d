//! Texts in a URI SAN that are no SPIFFE ID of a workload, each wrong in one way.

use std::fmt;

/// A text that is not the SPIFFE ID of a workload.
#[derive(Clone, Copy)]
pub struct BadId {
    name: &'static str,
    uri: fn(&str) -> Vec<u8>,
}

impl BadId {
    /// All of them.
    pub const ALL: &[Self] = &[
        bad("empty", |_| vec![]),
        bad("scheme alone", |_| b"spiffe://".to_vec()),
        bad("scheme in capitals", |td| text(format!("SPIFFE://{td}/ns/pay/sa/ledger"))),
        bad("https scheme", |td| text(format!("https://{td}/ns/pay/sa/ledger"))),
        bad("no scheme", |td| text(format!("{td}/ns/pay/sa/ledger"))),
        bad("trust domain in capitals", |td| {
            text(format!("spiffe://{}/ns/pay/sa/ledger", td.to_uppercase()))
        }),
        bad("empty trust domain", |_| b"spiffe:///ns/pay/sa/ledger".to_vec()),
        bad("user", |td| text(format!("spiffe://user@{td}/ns/pay/sa/ledger"))),
        bad("port", |td| text(format!("spiffe://{td}:443/ns/pay/sa/ledger"))),
        bad("IPv6 address", |_| b"spiffe://[::1]/ns/pay/sa/ledger".to_vec()),
        bad("query", |td| text(format!("spiffe://{td}/ns/pay/sa/ledger?a=b"))),
        bad("fragment", |td| text(format!("spiffe://{td}/ns/pay/sa/ledger#a"))),
        bad("trailing slash", |td| text(format!("spiffe://{td}/ns/pay/sa/ledger/"))),
        bad("slash alone", |td| text(format!("spiffe://{td}/"))),
        bad("empty segment", |td| text(format!("spiffe://{td}/ns//sa/ledger"))),
        bad("dot segment", |td| text(format!("spiffe://{td}/ns/./sa/ledger"))),
        bad("dot dot segment", |td| text(format!("spiffe://{td}/ns/pay/../sa/ledger"))),
        bad("percent-encoded dots", |td| text(format!("spiffe://{td}/%2e%2e/ledger"))),
        bad("percent-encoded NUL", |td| text(format!("spiffe://{td}/ns/pay/sa/ledger%00"))),
        bad("NUL", |td| text(format!("spiffe://{td}/ns/pay/sa/ledger\0.evil"))),
        bad("line break", |td| text(format!("spiffe://{td}/ns/pay/sa/ledger\nallowed"))),
        bad("tab", |td| text(format!("spiffe://{td}/ns/pay/sa/ledger\tx"))),
        bad("backspace", |td| text(format!("spiffe://{td}/ns/pay/sa/ledger\x08x"))),
        bad("carriage return", |td| text(format!("spiffe://{td}/ns/pay/sa/ledger\rallowed"))),
        bad("escape", |td| text(format!("spiffe://{td}/ns/pay/sa/\x1b[2Jledger"))),
        bad("delete", |td| text(format!("spiffe://{td}/ns/pay/sa/ledger\x7f"))),
        bad("C1 next line", |td| text(format!("spiffe://{td}/ns/pay/sa/ledger\u{85}allowed"))),
        bad("UTF-16, as in a BMPString", |td| utf16(&format!("spiffe://{td}/ns/pay/sa/ledger"))),
        bad("space", |td| text(format!("spiffe://{td}/ns/pay/sa/led ger"))),
        bad("space before", |td| text(format!(" spiffe://{td}/ns/pay/sa/ledger"))),
        bad("not ASCII", |td| text(format!("spiffe://{td}/ns/pay/sa/l\u{e9}dger"))),
        bad("trust domain of 256 bytes", |_| text(format!("spiffe://{}/a", "a".repeat(256)))),
        bad("2049 bytes", |td| {
            let mut uri = format!("spiffe://{td}/");
            uri.extend(std::iter::repeat_n('a', 2049_usize.saturating_sub(uri.len())));
            text(uri)
        }),
    ];

    /// The text, for a trust domain.
    #[must_use]
    pub fn uri(&self, trust_domain: &str) -> Vec<u8> {
        (self.uri)(trust_domain)
    }
}

impl fmt::Display for BadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

impl fmt::Debug for BadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BadId").field(&self.name).finish()
    }
}

impl PartialEq for BadId {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for BadId {}

const fn bad(name: &'static str, uri: fn(&str) -> Vec<u8>) -> BadId {
    BadId { name, uri }
}

fn text(uri: String) -> Vec<u8> {
    uri.into_bytes()
}

/// Most significant byte first.
pub(crate) fn utf16(uri: &str) -> Vec<u8> {
    uri.encode_utf16().flat_map(u16::to_be_bytes).collect()
}
