//! A certificate chain with its private key, without a SPIFFE ID: what is presented outside the mesh.

use std::fmt;
use std::path::Path;

use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::certificate::Certificate;
use crate::load::{LoadError, read_file};
use crate::pem::{self, PemError};

/// A certificate chain with its private key, for peers that know nothing of SPIFFE.
///
/// Invariant: there is a leaf, and every certificate can be read. Whom it names and whether it is valid is the
/// peer's to judge; that the key belongs to the leaf is checked where a TLS configuration is made.
///
/// The key is overwritten when the value is dropped, and neither cloned nor shown.
pub struct KeyedChain {
    chain: Vec<CertificateDer<'static>>,
    key: Zeroizing<PrivateKeyDer<'static>>,
}

impl KeyedChain {
    /// Puts chain (leaf first) and key together.
    ///
    /// # Errors
    ///
    /// [`KeyedChainError::Empty`], [`KeyedChainError::Malformed`]: the chain.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, KeyedChainError> {
        // From here on the key is overwritten, also if the chain is refused.
        let key = Zeroizing::new(key);
        if chain.is_empty() {
            return Err(KeyedChainError::Empty);
        }
        match chain
            .iter()
            .position(|certificate| Certificate::read(certificate).is_none())
        {
            Some(at) => Err(KeyedChainError::Malformed { at }),
            None => Ok(Self { chain, key }),
        }
    }

    /// Reads chain and key from PEM. They may be the same text.
    ///
    /// # Errors
    ///
    /// [`KeyedChainError`], naming which of the two and the PEM block.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, KeyedChainError> {
        let chain = pem::certificates(chain).map_err(KeyedChainError::Chain)?;
        Self::new(chain, pem::private_key(key).map_err(KeyedChainError::Key)?)
    }

    /// Reads chain and key from two PEM files of at most 1 MiB each, or one file named twice. Blocks are
    /// chosen as [`X509Svid::from_files`](crate::X509Svid::from_files) does.
    ///
    /// # Errors
    ///
    /// [`LoadError`], naming file and block.
    pub fn from_files(chain: &Path, key: &Path) -> Result<Self, LoadError> {
        let (chain_text, key_text) = (read_file(chain)?, read_file(key)?);
        Self::from_pem(&chain_text, &key_text).map_err(|source| {
            let at_fault = if matches!(source, KeyedChainError::Key(_)) { key } else { chain };
            LoadError::KeyedChain { path: at_fault.to_owned(), source }
        })
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

impl fmt::Debug for KeyedChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedChain")
            .field("certificates", &self.chain.len())
            .finish_non_exhaustive()
    }
}

/// Why chain and key cannot be presented. Positions count certificates from 0.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyedChainError {
    /// The chain is not the PEM that was wanted.
    #[error("the chain cannot be read from PEM")]
    Chain(#[source] PemError),
    /// The key is not the PEM that was wanted.
    #[error("the key cannot be read from PEM")]
    Key(#[source] PemError),
    /// There is no certificate.
    #[error("there is no certificate")]
    Empty,
    /// A certificate cannot be read.
    #[error("certificate {at} (counted from 0) is malformed")]
    Malformed {
        /// Its position.
        at: usize,
    },
}
