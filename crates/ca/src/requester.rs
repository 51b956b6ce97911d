//! Who asks for an X509-SVID, as somebody else has authenticated them.

use std::fmt;

use meshtls_identity::SpiffeId;
use rustls_pki_types::UnixTime;

/// Whoever asks. Making this value is the word of the caller that they were authenticated.
///
/// Invariant: at most [`MAX_IDS`](Self::MAX_IDS) IDs; its texts have at most [`MAX_TEXT`](Self::MAX_TEXT) bytes, all
/// printable ASCII, so that they may go to a log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Requester {
    ids: Vec<SpiffeId>,
    authenticated_by: AuthenticatedBy,
    name: Option<String>,
    address: Option<String>,
    valid_until: Option<UnixTime>,
}

impl Requester {
    /// The most identities that one requester has.
    pub const MAX_IDS: usize = 8;
    /// The longest name or address that is kept, in bytes after escaping; the rest is cut off.
    pub const MAX_TEXT: usize = 256;

    /// A requester who is one workload.
    #[must_use]
    pub fn new(id: SpiffeId, authenticated_by: AuthenticatedBy) -> Self {
        Self { ids: vec![id], ..Self::unidentified(authenticated_by) }
    }

    /// A requester with several identities, such as those of one token. Identities beyond
    /// [`MAX_IDS`](Self::MAX_IDS) do not count.
    #[must_use]
    pub fn with_ids(
        ids: impl IntoIterator<Item = SpiffeId>,
        authenticated_by: AuthenticatedBy,
    ) -> Self {
        let ids = ids.into_iter().take(Self::MAX_IDS).collect();
        Self { ids, ..Self::unidentified(authenticated_by) }
    }

    /// A requester without identity. Nothing is issued to it; it is there for the audit log.
    #[must_use]
    pub fn unidentified(authenticated_by: AuthenticatedBy) -> Self {
        Self { ids: vec![], authenticated_by, name: None, address: None, valid_until: None }
    }

    /// Keeps another name of the requester, such as a token's subject. It is for the audit log and decides nothing.
    #[must_use]
    pub fn with_name(self, name: &str) -> Self {
        Self { name: Some(printable(name)), ..self }
    }

    /// Keeps where the request came from, for the audit log.
    #[must_use]
    pub fn with_address(self, address: &str) -> Self {
        Self { address: Some(printable(address)), ..self }
    }

    /// The last second at which the requester's credential is good. It is looked at once more when the
    /// request is decided. By default there is no such second.
    #[must_use]
    pub fn valid_until(self, last: UnixTime) -> Self {
        Self { valid_until: Some(last), ..self }
    }

    /// The identities.
    #[must_use]
    pub fn ids(&self) -> &[SpiffeId] {
        &self.ids
    }

    /// How they were authenticated.
    #[must_use]
    pub fn authenticated_by(&self) -> AuthenticatedBy {
        self.authenticated_by
    }

    /// The other name, escaped and bounded.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Where the request came from, escaped and bounded.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// When the credential ended, if it has.
    pub(crate) fn expired(&self, now: UnixTime) -> Option<UnixTime> {
        self.valid_until.filter(|last| now > *last)
    }
}

/// On one line, without a line break or quote of the peer's choice.
impl fmt::Display for Requester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "by={}", self.authenticated_by.label())?;
        for id in &self.ids {
            write!(f, " id={id}")?;
        }
        if let Some(name) = &self.name {
            write!(f, " name=\"{name}\"")?;
        }
        if let Some(address) = &self.address {
            write!(f, " address=\"{address}\"")?;
        }
        Ok(())
    }
}

/// How a requester was authenticated.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum AuthenticatedBy {
    /// By nobody: authentication failed.
    Nobody,
    /// By the X509-SVID of its connection.
    ClientCertificate,
    /// By a JSON web token, such as that of a Kubernetes service account.
    Token,
    /// By a token that works once.
    JoinToken,
    /// By being in the same process.
    Process,
}

impl AuthenticatedBy {
    /// A short label for logs and metrics. It stays the same over releases.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::ClientCertificate => "client_certificate",
            Self::Token => "token",
            Self::JoinToken => "join_token",
            Self::Process => "process",
        }
    }
}

/// Printable ASCII of at most [`Requester::MAX_TEXT`] bytes: the rest is escaped, and what is too long is cut off
/// before an escape, not within.
pub(crate) fn printable(text: &str) -> String {
    let mut kept = String::new();
    for char in text.chars() {
        let escaped = char.escape_default();
        if kept.len().saturating_add(escaped.len()) > Requester::MAX_TEXT {
            break;
        }
        kept.extend(escaped);
    }
    kept
}
