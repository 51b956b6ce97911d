//! Why a text is not a SPIFFE bundle document.

/// Why a text is not a bundle document, or a bundle cannot be written as one. Entries count from 0.
///
/// The text itself is left out: somebody else chose it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The text is longer than [`MAX_DOCUMENT_BYTES`](crate::MAX_DOCUMENT_BYTES).
    #[error("a bundle document of {bytes} bytes, more than {max}")]
    TooLarge {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        max: usize,
    },
    /// The text is not UTF-8 (SPIFFE Federation, sections 5.2.1.3 and 5.2.2.3).
    #[error("not UTF-8: byte {at}")]
    NotUtf8 {
        /// The first byte that is not, counted from 0.
        at: usize,
    },
    /// The text is not JSON (RFC 8259), or what is looked at is nested deeper than 128 levels.
    #[error("not JSON: line {line}, column {column}")]
    NotJson {
        /// The line, counted from 1.
        line: usize,
        /// The column, counted from 1; 0 at a line's end.
        column: usize,
    },
    /// It is JSON, but not an object with an array `keys` of objects, or a name that counts is in an object twice.
    #[error("not a bundle document: line {line}, column {column}")]
    NotADocument {
        /// The line, counted from 1.
        line: usize,
        /// The column, counted from 1; 0 at a line's end.
        column: usize,
    },
    /// There is no `keys` (SPIFFE Trust Domain and Bundle, section 4.1.3). An empty one is something else.
    #[error("a bundle document without `keys`")]
    NoKeys,
    /// There are more entries than [`MAX_DOCUMENT_KEYS`](crate::MAX_DOCUMENT_KEYS).
    #[error("a bundle document with {count} keys, more than {max}")]
    TooManyKeys {
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// `spiffe_sequence` is no integer from 0 below 2^64 (section 4.1.1; the bounds are ours).
    #[error("`spiffe_sequence` is not an integer from 0 below 2^64")]
    Sequence,
    /// `spiffe_refresh_hint` is no integer from 0 below 2^64 (section 4.1.2; the bounds are ours).
    #[error("`spiffe_refresh_hint` is not an integer from 0 below 2^64")]
    RefreshHint,
    /// The `x5c` of an entry is no array that begins with a certificate in base64 (RFC 7517 section 4.7).
    #[error("key {key} (counted from 0): `x5c` does not begin with a certificate in base64")]
    Certificate {
        /// Which entry.
        key: usize,
    },
    /// The certificate of an entry cannot be read.
    #[error("key {key} (counted from 0): the certificate is malformed")]
    Malformed {
        /// Which entry.
        key: usize,
    },
    /// The certificate of an entry has no `cA`, or a key usage without keyCertSign.
    #[error("key {key} (counted from 0): the certificate is not a certificate authority")]
    NotAuthority {
        /// Which entry.
        key: usize,
    },
    /// A parameter of an entry's key is missing, or is not that of its certificate (RFC 7517 section 4.7).
    #[error("key {key} (counted from 0): `{parameter}` is not that of the certificate")]
    OtherKey {
        /// Which entry.
        key: usize,
        /// The name of the parameter, such as `kty` or `x`.
        parameter: &'static str,
    },
    /// No entry is an X509-SVID authority: the domain has revoked what it published, or is not understood here.
    #[error("a bundle document without an X509-SVID authority")]
    NoAuthority,
    /// The key of an authority cannot be written: it is not P-256, P-384, P-521, RSA or Ed25519.
    #[error("certificate {at} (counted from 0) has a key without a form in a bundle document")]
    UnsupportedKey {
        /// Its position in the bundle.
        at: usize,
    },
}

impl DocumentError {
    pub(crate) fn of(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        if error.is_data() {
            Self::NotADocument { line, column }
        } else {
            Self::NotJson { line, column }
        }
    }

    /// Gives a short label for metrics. It stays the same over releases.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "document_too_large",
            Self::NotUtf8 { .. } => "document_not_utf8",
            Self::NotJson { .. } => "document_not_json",
            Self::NotADocument { .. } => "document_shape",
            Self::NoKeys => "document_without_keys",
            Self::TooManyKeys { .. } => "document_too_many_keys",
            Self::Sequence => "document_sequence",
            Self::RefreshHint => "document_refresh_hint",
            Self::Certificate { .. } => "document_certificate",
            Self::Malformed { .. } => "document_malformed_certificate",
            Self::NotAuthority { .. } => "document_not_authority",
            Self::OtherKey { .. } => "document_other_key",
            Self::NoAuthority => "document_without_authority",
            Self::UnsupportedKey { .. } => "document_unsupported_key",
        }
    }
}
