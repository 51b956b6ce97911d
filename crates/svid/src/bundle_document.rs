//! SPIFFE bundle documents: a trust domain's authorities as a JWK Set, read and written.

use std::fmt;
use std::time::Duration;

use data_encoding::BASE64;
use meshtls_identity::TrustDomain;
use serde_json::{Map, Value};

use crate::bundle::{BundleError, TrustBundle};
use crate::document_error::DocumentError;
use crate::document_read::{Keys, X509_SVID, read};
use crate::jwk::PublicJwk;

/// The most bytes a bundle document may have: 1 MiB (our bound).
pub const MAX_DOCUMENT_BYTES: usize = 1 << 20;

/// The most entries `keys` of a bundle document may have, ignored ones included: 1,024 (our bound).
pub const MAX_DOCUMENT_KEYS: usize = 1024;

/// A SPIFFE bundle document: what a trust domain publishes of itself (SPIFFE Trust Domain and Bundle, section 4).
///
/// It does not name its domain: whoever takes one says of which it is. A domain that publishes no X509-SVID authority has
/// revoked those it published before, or moved to what is not understood here: then [`bundle`](Self::bundle) is
/// `None`, and section 4.1.3 says that none of its X509-SVIDs is to be trusted.
///
/// ```
/// use meshtls_svid::{BundleDocument, DocumentError, TrustBundle};
/// use std::time::Duration;
///
/// fn publish(bundle: TrustBundle, changes: u64) -> Result<String, DocumentError> {
///     let document = BundleDocument::new(bundle)?
///         .with_sequence(changes)
///         .with_refresh_hint(Duration::from_secs(300));
///     Ok(document.to_json())
/// }
/// ```
///
/// Invariant: each authority's key has a form as JSON Web Key, so every document can be written.
#[derive(Clone, Eq, PartialEq)]
pub struct BundleDocument {
    trust_domain: TrustDomain,
    bundle: Option<TrustBundle>,
    // Invariant: as long as the bundle's authorities, in their order.
    keys: Vec<PublicJwk>,
    sequence: Option<u64>,
    refresh_hint: Option<Duration>,
}

impl BundleDocument {
    /// Makes the document of `bundle`, without sequence number and refresh hint.
    ///
    /// # Errors
    ///
    /// [`DocumentError::UnsupportedKey`]: an authority's key is not P-256, P-384, P-521, RSA or Ed25519.
    pub fn new(bundle: TrustBundle) -> Result<Self, DocumentError> {
        let keys = bundle
            .anchors()
            .iter()
            .enumerate()
            .map(|(at, authority)| {
                PublicJwk::of_certificate(authority).ok_or(DocumentError::UnsupportedKey { at })
            })
            .collect::<Result<_, _>>()?;
        let trust_domain = bundle.trust_domain().clone();
        Ok(Self { trust_domain, bundle: Some(bundle), keys, sequence: None, refresh_hint: None })
    }

    /// Makes the document of a domain that revokes all authorities it published before.
    #[must_use]
    pub fn without_authorities(trust_domain: TrustDomain) -> Self {
        Self { trust_domain, bundle: None, keys: vec![], sequence: None, refresh_hint: None }
    }

    /// Sets the sequence number, which has to grow whenever the content changes (section 4.1.1).
    #[must_use]
    pub fn with_sequence(self, sequence: u64) -> Self {
        Self { sequence: Some(sequence), ..self }
    }

    /// Sets how often consumers should look for a newer document (section 4.1.2), in whole seconds: parts of one
    /// are dropped.
    #[must_use]
    pub fn with_refresh_hint(self, every: Duration) -> Self {
        Self { refresh_hint: Some(Duration::from_secs(every.as_secs())), ..self }
    }

    /// Reads the document that `trust_domain` published.
    ///
    /// An entry of `keys` is an authority if its `use` is `x509-svid` and it has an `x5c` that is not empty; of
    /// `x5c` the first certificate counts (X509-SVID section 6.2). Entries of another or no `use`, or of another or no
    /// `kty` (and `crv`), are ignored, as are parameters that nobody here knows.
    ///
    /// Stricter than the standard, by our choice: one broken authority refuses the whole document, since one that is
    /// silently left out is revoked; a key's parameters must be there and be those of its certificate (RFC 7517
    /// section 4.7); a name that counts may not be there twice in one object. Bounds of ours:
    /// [`MAX_DOCUMENT_BYTES`], [`MAX_DOCUMENT_KEYS`], and 128 levels of nesting in what is looked at.
    ///
    /// # Errors
    ///
    /// * [`DocumentError::TooLarge`], [`DocumentError::TooManyKeys`]: a bound is passed.
    /// * [`DocumentError::NotUtf8`], [`DocumentError::NotJson`], [`DocumentError::NotADocument`],
    ///   [`DocumentError::NoKeys`]: the text as a whole.
    /// * [`DocumentError::Sequence`], [`DocumentError::RefreshHint`]: not integers from 0 below 2^64.
    /// * [`DocumentError::Certificate`], [`DocumentError::Malformed`], [`DocumentError::NotAuthority`],
    ///   [`DocumentError::OtherKey`]: which entry is no authority, though it says so.
    pub fn parse(trust_domain: TrustDomain, text: &[u8]) -> Result<Self, DocumentError> {
        if text.len() > MAX_DOCUMENT_BYTES {
            let bytes = text.len();
            return Err(DocumentError::TooLarge { bytes, max: MAX_DOCUMENT_BYTES });
        }
        let text = str::from_utf8(text)
            .map_err(|error| DocumentError::NotUtf8 { at: error.valid_up_to() })?;
        let read = read(text).map_err(|error| DocumentError::of(&error))?;
        let Keys { entries, count } = read.keys.value().ok_or(DocumentError::NoKeys)?;
        if count > MAX_DOCUMENT_KEYS {
            return Err(DocumentError::TooManyKeys { count, max: MAX_DOCUMENT_KEYS });
        }
        let integer = |value: Option<Value>, fault| match value {
            None => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or(fault),
        };
        let sequence = integer(read.sequence.value(), DocumentError::Sequence)?;
        let refresh_hint = integer(read.refresh_hint.value(), DocumentError::RefreshHint)?;

        let (mut authorities, mut positions) = (vec![], vec![]);
        for (key, entry) in entries.iter().enumerate() {
            if let Some(authority) = entry.authority(key)? {
                authorities.push(authority);
                positions.push(key);
            }
        }
        let document = if authorities.is_empty() {
            Self::without_authorities(trust_domain)
        } else {
            // A position among the authorities becomes that of the entry.
            let key_of = |at: usize| positions.get(at).copied().unwrap_or(at);
            let bundle =
                TrustBundle::new(trust_domain, authorities).map_err(|error| match error {
                    BundleError::NotAuthority { at } => {
                        DocumentError::NotAuthority { key: key_of(at) }
                    }
                    BundleError::Malformed { at } => DocumentError::Malformed { key: key_of(at) },
                    BundleError::Empty | BundleError::Pem(_) | BundleError::OtherDomain { .. } => {
                        DocumentError::NoAuthority
                    }
                })?;
            Self::new(bundle)?
        };
        Ok(Self { sequence, refresh_hint: refresh_hint.map(Duration::from_secs), ..document })
    }

    /// Gives the domain whose document this is.
    #[must_use]
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// Gives the authorities. `None`: the domain has none, and nobody of it is to be trusted.
    #[must_use]
    pub fn bundle(&self) -> Option<&TrustBundle> {
        self.bundle.as_ref()
    }

    /// Gives the authorities, at least one.
    ///
    /// # Errors
    ///
    /// [`DocumentError::NoAuthority`]: there is none.
    pub fn into_bundle(self) -> Result<TrustBundle, DocumentError> {
        self.bundle.ok_or(DocumentError::NoAuthority)
    }

    /// Gives the sequence number, if there is one. A document with a lower one is older.
    #[must_use]
    pub fn sequence(&self) -> Option<u64> {
        self.sequence
    }

    /// Gives how often the publisher wants to be asked, if it says so: as published, so it may be zero or ages.
    #[must_use]
    pub fn refresh_hint(&self) -> Option<Duration> {
        self.refresh_hint
    }

    /// Writes the document, on one line (X509-SVID section 6.1): per authority an entry with `use`, the key, and `x5c`
    /// with its certificate; no `kid`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let authorities = self
            .bundle
            .as_ref()
            .map(TrustBundle::anchors)
            .unwrap_or_default();
        let keys = authorities.iter().zip(&self.keys).map(|(authority, key)| {
            let certificate = BASE64.encode(authority);
            let mut entry = Map::new();
            entry.insert("use".to_owned(), X509_SVID.into());
            entry.insert("kty".to_owned(), key.kty().into());
            for (name, text) in key.parameters() {
                entry.insert(name.to_owned(), text.into());
            }
            entry.insert("x5c".to_owned(), Value::Array(vec![certificate.into()]));
            Value::Object(entry)
        });
        let mut document = Map::new();
        document.insert("keys".to_owned(), Value::Array(keys.collect()));
        let numbers = [
            ("spiffe_sequence", self.sequence),
            ("spiffe_refresh_hint", self.refresh_hint.map(|every| every.as_secs())),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                document.insert(name.to_owned(), number.into());
            }
        }
        Value::Object(document).to_string()
    }
}

impl fmt::Debug for BundleDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BundleDocument")
            .field("trust_domain", &self.trust_domain)
            .field("authorities", &self.keys.len())
            .field("sequence", &self.sequence)
            .field("refresh_hint", &self.refresh_hint)
            .finish()
    }
}
