//! HTTP/1.1, HTTP/2 or neither.

/// A request line of HTTP/1.1 is looked for in this many bytes: 8 KiB, its line end included (our choice,
/// the limit of Envoy's inspector; RFC 9112 section 3 asks for 8000 at least).
pub const MAX_REQUEST_LINE: usize = 8 * 1024;

/// A version of HTTP, as far as the framing of a connection goes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "callers must serve both")]
pub enum HttpVersion {
    /// HTTP/1.0 or HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Which HTTP a stream speaks that is known to be HTTP: its port is declared so, or its ALPN said so.
///
/// `None` while `prefix` is a proper prefix of the HTTP/2 client preface, the empty one included;
/// [`HttpVersion::Http1`] as soon as it is not, whatever it is, since an HTTP/1 parser answers
/// nonsense best; at most 24 bytes are needed (RFC 9113 section 3.4).
///
/// ```
/// use meshtls_wire::{HttpVersion, http_version};
///
/// assert_eq!(http_version(b"P"), None);
/// assert_eq!(http_version(b"POST / HTTP/1.0\r\n"), Some(HttpVersion::Http1));
/// assert_eq!(http_version(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Some(HttpVersion::Http2));
/// ```
#[must_use]
pub fn http_version(prefix: &[u8]) -> Option<HttpVersion> {
    if prefix.starts_with(PREFACE) {
        Some(HttpVersion::Http2)
    } else if PREFACE.starts_with(prefix) {
        None
    } else {
        Some(HttpVersion::Http1)
    }
}

/// What a stream is that may be HTTP.
pub(crate) enum Http {
    NeedMore,
    V1,
    V2,
    Neither,
}

pub(crate) fn classify(prefix: &[u8]) -> Http {
    match http_version(prefix) {
        None => Http::NeedMore,
        Some(HttpVersion::Http2) => Http::V2,
        Some(HttpVersion::Http1) => request_line(prefix),
    }
}

/// `method SP request-target SP "HTTP/1.1"`, then CRLF or LF (RFC 9112 sections 2.2 and 3).
fn request_line(prefix: &[u8]) -> Http {
    let open = if prefix.len() < MAX_REQUEST_LINE { Http::NeedMore } else { Http::Neither };
    let mut rest = prefix.get(..MAX_REQUEST_LINE).unwrap_or(prefix);

    for part in [token_len, visible_len] {
        match rest.split_at_checked(part(rest)) {
            Some((_, [])) => return open,
            Some(([_, ..], [b' ', tail @ ..])) => rest = tail,
            _ => return Http::Neither,
        }
    }
    let endings: [&[u8]; 2] = [b"HTTP/1.1\r\n", b"HTTP/1.1\n"];
    if endings.iter().any(|ending| rest.starts_with(ending)) {
        Http::V1
    } else if endings.iter().any(|ending| ending.starts_with(rest)) {
        open
    } else {
        Http::Neither
    }
}

/// How many bytes at the start are `tchar` (RFC 9110 section 5.6.2).
fn token_len(bytes: &[u8]) -> usize {
    run_len(bytes, |byte| match byte {
        b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~' => true,
        _ => byte.is_ascii_alphanumeric(),
    })
}

/// How many bytes at the start are visible ASCII.
fn visible_len(bytes: &[u8]) -> usize {
    run_len(bytes, |byte| byte.is_ascii_graphic())
}

/// How many bytes at the start are `allowed`.
///
/// A line that grows by one byte at a time is read from its start each time, so this is fast: whole
/// blocks are tested without an early exit, which compiles to vector instructions.
fn run_len(bytes: &[u8], allowed: impl Fn(u8) -> bool) -> usize {
    let is_whole = |block: &&[u8; 64]| block.iter().fold(true, |all, &byte| all & allowed(byte));
    let blocks = bytes.as_chunks().0.iter().take_while(is_whole).count();
    let start = blocks.saturating_mul(64);
    let rest = bytes.iter().skip(start).take_while(|byte| allowed(**byte));
    start.saturating_add(rest.count())
}

/// RFC 9113 section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
