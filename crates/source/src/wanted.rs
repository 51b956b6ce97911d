//! The identity that is wanted.

use std::time::Duration;

use meshtls_ca::KeyType;
use meshtls_identity::SpiffeId;

/// The identity that is wanted of an issuer.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Wanted {
    /// Who the workload is.
    pub id: SpiffeId,
    /// The kind of its keys. Default: P-256.
    pub key_type: KeyType,
    /// How long each X509-SVID lives. Default: what the issuer gives, mostly 24 hours.
    pub ttl: Option<Duration>,
}

impl Wanted {
    /// Wants `id`, all else at its default.
    #[must_use]
    pub fn new(id: SpiffeId) -> Self {
        Self { id, key_type: KeyType::default(), ttl: None }
    }

    /// Wants another kind of key.
    #[must_use]
    pub fn with_key_type(self, key_type: KeyType) -> Self {
        Self { key_type, ..self }
    }

    /// Wants another life, counted from each issuance.
    #[must_use]
    pub fn with_ttl(self, ttl: Duration) -> Self {
        Self { ttl: Some(ttl), ..self }
    }
}
