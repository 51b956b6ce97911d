//! The grammar of SPIFFE IDs: which bytes may stand where (SPIFFE-ID sections 2.1 to 2.3).

use crate::{ParseIdError, TrustDomain};

/// What every SPIFFE ID begins with. Compared byte by byte, so `SPIFFE://` is none (as go-spiffe does).
pub(crate) const SCHEME: &str = "spiffe://";

/// Checks the name of a trust domain that begins at offset `at` of the text.
pub(crate) fn check_trust_domain(name: &str, at: usize) -> Result<(), ParseIdError> {
    match name.len() {
        0 => Err(ParseIdError::NoTrustDomain),
        len if len > TrustDomain::MAX_LEN => Err(ParseIdError::TrustDomainTooLong { len }),
        _ => check_bytes(name, at, is_trust_domain_byte),
    }
}

/// Checks a path that begins at offset `at` of the text: nothing, or segments that each follow a slash.
pub(crate) fn check_path(path: &str, at: usize) -> Result<(), ParseIdError> {
    let Some(segments) = path.strip_prefix('/') else { return Ok(()) };
    let mut at = at.saturating_add(1);
    let mut segments = segments.split('/').peekable();
    while let Some(segment) = segments.next() {
        if segment.is_empty() && segments.peek().is_none() {
            return Err(ParseIdError::TrailingSlash);
        }
        check_segment(segment, at)?;
        at = at.saturating_add(segment.len()).saturating_add(1);
    }
    Ok(())
}

/// Checks one path segment that begins at offset `at` of the text.
pub(crate) fn check_segment(segment: &str, at: usize) -> Result<(), ParseIdError> {
    match segment {
        "" => Err(ParseIdError::EmptySegment { at }),
        "." | ".." => Err(ParseIdError::DotSegment { at }),
        _ => check_bytes(segment, at, is_segment_byte),
    }
}

fn check_bytes(part: &str, at: usize, allowed: fn(u8) -> bool) -> Result<(), ParseIdError> {
    match part.bytes().enumerate().find(|&(_, byte)| !allowed(byte)) {
        Some((i, byte)) => Err(ParseIdError::ForbiddenByte { at: at.saturating_add(i), byte }),
        None => Ok(()),
    }
}

/// SPIFFE-ID section 2.1: letters are lower case only.
pub(crate) fn is_trust_domain_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_')
}

/// SPIFFE-ID section 2.2.
pub(crate) fn is_segment_byte(byte: u8) -> bool {
    byte.is_ascii_uppercase() || is_trust_domain_byte(byte)
}
