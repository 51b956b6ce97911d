//! A SPIFFE ID: a trust domain and a path.

use std::{fmt, str::FromStr, sync::Arc};

use crate::{
    ParseIdError, TrustDomain,
    grammar::{SCHEME, check_path, check_trust_domain},
};

/// A SPIFFE ID, such as `spiffe://prod.example/ns/pay/sa/ledger`.
///
/// Invariant: the text follows the grammar of SPIFFE-ID sections 2.1 to 2.3 and has at most
/// [`MAX_LEN`](Self::MAX_LEN) bytes; the standard asks for support of at least as many, refusing more is our choice.
/// Scheme and trust domain are lower case, since nothing here changes the case of what it reads.
/// Only the parsers of this crate make one, so every value keeps it. Cloning copies no text.
///
/// ```
/// # use meshtls_identity::{ParseIdError, SpiffeId};
/// let id: SpiffeId = "spiffe://prod.example/ns/pay/sa/ledger".parse()?;
/// assert_eq!(id.path(), "/ns/pay/sa/ledger");
/// assert_eq!("spiffe://prod.example/pay/".parse::<SpiffeId>(), Err(ParseIdError::TrailingSlash));
/// # Ok::<(), ParseIdError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SpiffeId {
    text: Arc<str>,
    trust_domain: TrustDomain,
}

impl SpiffeId {
    /// The most bytes an ID may have, `spiffe://` included (SPIFFE-ID section 2.3).
    pub const MAX_LEN: usize = 2048;

    /// Parses bytes, such as those of a URI SAN, which need not be UTF-8.
    ///
    /// # Errors
    ///
    /// As [`FromStr`]; a byte that is not UTF-8 is a [`ParseIdError::ForbiddenByte`], reported before any other
    /// defect but [`ParseIdError::TooLong`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ParseIdError> {
        check_len(bytes.len())?;
        match str::from_utf8(bytes) {
            Ok(text) => text.parse(),
            Err(error) => {
                let at = error.valid_up_to();
                let byte = bytes.get(at).copied().unwrap_or_default();
                Err(ParseIdError::ForbiddenByte { at, byte })
            }
        }
    }

    /// The whole ID, as it was parsed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The trust domain.
    #[must_use]
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The path with its leading slash, or `""` if the ID is that of the trust domain itself.
    #[must_use]
    pub fn path(&self) -> &str {
        self.principal()
            .strip_prefix(self.trust_domain.as_str())
            .unwrap_or_default()
    }

    /// The ID as Istio's policies write it: without `spiffe://`.
    #[must_use]
    pub fn principal(&self) -> &str {
        self.text.strip_prefix(SCHEME).unwrap_or_default()
    }

    /// Whether this ID is in `trust_domain`. Other domains, aliases included, are not looked at.
    #[must_use]
    pub fn is_member_of(&self, trust_domain: &TrustDomain) -> bool {
        self.trust_domain == *trust_domain
    }

    /// `text` follows the grammar, and `trust_domain` is the one in it.
    pub(crate) fn from_checked(text: Arc<str>, trust_domain: TrustDomain) -> Self {
        Self { text, trust_domain }
    }
}

impl FromStr for SpiffeId {
    type Err = ParseIdError;

    /// Parses a whole ID. Of several defects the first one in the text is reported, after
    /// [`ParseIdError::TooLong`], and after [`ParseIdError::TrustDomainTooLong`] for the trust domain.
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        check_len(text.len())?;
        let rest = text.strip_prefix(SCHEME).ok_or(ParseIdError::Scheme)?;
        let (name, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        check_trust_domain(name, SCHEME.len())?;
        check_path(path, SCHEME.len().saturating_add(name.len()))?;
        Ok(Self::from_checked(text.into(), TrustDomain::from_checked(name)))
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

pub(crate) fn check_len(len: usize) -> Result<(), ParseIdError> {
    if len > SpiffeId::MAX_LEN { Err(ParseIdError::TooLong { len }) } else { Ok(()) }
}
