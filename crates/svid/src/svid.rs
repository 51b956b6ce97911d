//! An X509-SVID of our own: chain, key, and the identity it carries.

use std::fmt;
use std::path::Path;

use meshtls_identity::SpiffeId;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use zeroize::Zeroizing;

use crate::certificate::{Certificate, Period};
use crate::leaf::Leaf;
use crate::load::{LoadError, read_file};
use crate::pem::{self, PemError};
use crate::reject::{ChainPart, RejectSvid};
use crate::validate::check_bounds;

/// An X509-SVID with its private key.
///
/// Invariant: the leaf follows the leaf rules ([`identify`](crate::identify)), and every certificate can be
/// read. Not promised: that the chain is trusted or valid now, and that the key belongs to the leaf; the
/// latter needs a crypto provider and is checked where a TLS configuration is made.
///
/// The key is overwritten when the value is dropped, and neither cloned nor shown.
pub struct X509Svid {
    id: SpiffeId,
    chain: Vec<CertificateDer<'static>>,
    key: Zeroizing<PrivateKeyDer<'static>>,
    period: Period,
    serial: Vec<u8>,
}

impl X509Svid {
    /// Puts chain (leaf first) and key together.
    ///
    /// # Errors
    ///
    /// [`SvidError::Rejected`]: the chain's bounds, encoding or leaf rules.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, SvidError> {
        // From here on the key is overwritten, also if the chain is rejected.
        let key = Zeroizing::new(key);
        let (leaf, issuers) = chain.split_first().ok_or(RejectSvid::NoCertificate)?;
        check_bounds(&chain)?;
        let Leaf { id, period, serial, .. } = Leaf::read(leaf)?;
        if issuers
            .iter()
            .any(|issuer| Certificate::read(issuer).is_none())
        {
            return Err(RejectSvid::Malformed { part: ChainPart::Issuer }.into());
        }
        Ok(Self { id, chain, key, period, serial })
    }

    /// Reads chain and key from PEM, as [`from_files`](Self::from_files) does. They may be the same text.
    ///
    /// # Errors
    ///
    /// [`SvidError`], naming which of the two and the PEM block.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, SvidError> {
        let chain = pem::certificates(chain).map_err(SvidError::Chain)?;
        Self::new(chain, pem::private_key(key).map_err(SvidError::Key)?)
    }

    /// Reads chain and key from two PEM files of at most 1 MiB each, or one file named twice.
    ///
    /// The chain is every `CERTIFICATE` block in order, leaf first. The key is the only block of kind
    /// `PRIVATE KEY`, `EC PRIVATE KEY` or `RSA PRIVATE KEY`; encrypted keys are not read. Other blocks,
    /// comments, CRLF and a byte order mark are passed over. Who may read the key file is not checked here:
    /// see [`key_file_exposure`](crate::key_file_exposure).
    ///
    /// # Errors
    ///
    /// [`LoadError`], naming file and block.
    pub fn from_files(chain: &Path, key: &Path) -> Result<Self, LoadError> {
        let (chain_text, key_text) = (read_file(chain)?, read_file(key)?);
        Self::from_pem(&chain_text, &key_text).map_err(|source| {
            let path = if matches!(source, SvidError::Key(_)) { key } else { chain };
            LoadError::Svid { path: path.to_owned(), source }
        })
    }

    /// Gives the identity that the leaf carries.
    #[must_use]
    pub fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// Gives the certificates, leaf first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Gives the private key. Copies of it are the caller's to overwrite.
    #[must_use]
    pub fn private_key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }

    /// Gives the leaf's first valid second.
    #[must_use]
    pub fn not_before(&self) -> UnixTime {
        self.period.not_before
    }

    /// Gives the leaf's last valid second.
    #[must_use]
    pub fn not_after(&self) -> UnixTime {
        self.period.not_after
    }

    /// Gives the leaf's serial number: the content of the DER integer, most significant byte first.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// Writes the chain as `CERTIFICATE` blocks, leaf first.
    #[must_use]
    pub fn chain_pem(&self) -> String {
        pem::write_certificates(&self.chain)
    }

    /// Writes the key as one PEM block, in text that is overwritten when dropped.
    #[must_use]
    pub fn key_pem(&self) -> Zeroizing<String> {
        pem::write_private_key(&self.key)
    }
}

impl fmt::Debug for X509Svid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("X509Svid")
            .field("id", &self.id)
            .field("not_before", &self.period.not_before.as_secs())
            .field("not_after", &self.period.not_after.as_secs())
            .field("certificates", &self.chain.len())
            .finish_non_exhaustive()
    }
}

/// Why chain and key are not an X509-SVID.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SvidError {
    /// The chain is not the PEM that was wanted.
    #[error("the chain cannot be read from PEM")]
    Chain(#[source] PemError),
    /// The key is not the PEM that was wanted.
    #[error("the key cannot be read from PEM")]
    Key(#[source] PemError),
    /// The certificates break a rule.
    #[error("the chain is no X509-SVID")]
    Rejected(#[from] RejectSvid),
}
