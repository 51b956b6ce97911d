//! Why a text is not an ID, a pattern or a matcher.

use crate::{SpiffeId, TrustDomain};

/// Why a text is not a SPIFFE ID or trust domain. The text is left out: it may come from an
/// unauthenticated peer.
///
/// Offsets count bytes from the start of the text that was parsed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseIdError {
    /// The text is longer than [`SpiffeId::MAX_LEN`] bytes (SPIFFE-ID section 2.3 asks for at least that).
    #[error("{len} bytes are more than the {} a SPIFFE ID may have", SpiffeId::MAX_LEN)]
    TooLong {
        /// Length of the text, in bytes.
        len: usize,
    },
    /// The text does not begin with `spiffe://`, in lower case (SPIFFE-ID section 2).
    #[error("does not begin with `spiffe://`")]
    Scheme,
    /// There is no trust domain (SPIFFE-ID section 2.1).
    #[error("the trust domain is empty")]
    NoTrustDomain,
    /// The trust domain is longer than [`TrustDomain::MAX_LEN`] bytes (SPIFFE-ID section 2.3).
    #[error("{len} bytes are more than the {} a trust domain may have", TrustDomain::MAX_LEN)]
    TrustDomainTooLong {
        /// Length of the trust domain, in bytes.
        len: usize,
    },
    /// A byte is outside the allowed set (SPIFFE-ID sections 2.1, 2.2).
    #[error("byte {byte:#04x} at offset {at} is not allowed")]
    ForbiddenByte {
        /// Offset in the text, in bytes.
        at: usize,
        /// The byte found.
        byte: u8,
    },
    /// A path segment is empty (SPIFFE-ID section 2.2).
    #[error("the path segment at offset {at} is empty")]
    EmptySegment {
        /// Offset in the text, in bytes.
        at: usize,
    },
    /// A path segment is `.` or `..` (SPIFFE-ID section 2.2).
    #[error("the path segment at offset {at} is a dot segment")]
    DotSegment {
        /// Offset in the text, in bytes.
        at: usize,
    },
    /// The path ends in a slash (SPIFFE-ID section 2.2).
    #[error("the path ends in a slash")]
    TrailingSlash,
}

/// Why something is not Istio's identity of a service account.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceAccountIdError {
    /// It is no SPIFFE ID. Offsets count from `spiffe://`, whether that was written or not.
    #[error("not a SPIFFE ID")]
    SpiffeId(#[from] ParseIdError),
    /// It is a SPIFFE ID whose path is not `/ns/<namespace>/sa/<service account>`.
    #[error("the path is not `/ns/<namespace>/sa/<service account>`")]
    Layout,
}

/// A matcher over no IDs at all was asked for. "Anybody" and "nobody" are never an empty list.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the list of accepted IDs is empty")]
#[non_exhaustive]
pub struct EmptyMatcher;

/// A principal pattern without a single byte, which could never match.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the principal pattern is empty")]
#[non_exhaustive]
pub struct EmptyPattern;
