//! An authority from PEM texts, as Istio's plugged-in CA keeps them.

use std::sync::Arc;

use meshtls_identity::TrustDomain;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};

use crate::{Authority, KeyError, KeyPair, LoadAuthorityError};

/// The four texts of an authority; the names in Istio's secret `cacerts` are in parentheses.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct AuthorityPem<'a> {
    certificate: &'a [u8],
    key: &'a [u8],
    chain: &'a [u8],
    roots: &'a [u8],
}

impl<'a> AuthorityPem<'a> {
    /// A root (`ca-cert.pem`) and its key (`ca-key.pem`).
    #[must_use]
    pub fn root(certificate: &'a [u8], key: &'a [u8]) -> Self {
        Self { certificate, key, chain: b"", roots: certificate }
    }

    /// An intermediate and its key, the certificates between it and the root (`cert-chain.pem`, may be
    /// empty), and the roots (`root-cert.pem`).
    #[must_use]
    pub fn intermediate(
        certificate: &'a [u8],
        key: &'a [u8],
        chain: &'a [u8],
        roots: &'a [u8],
    ) -> Self {
        Self { certificate, key, chain, roots }
    }
}

impl std::fmt::Debug for AuthorityPem<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthorityPem").finish_non_exhaustive()
    }
}

impl Authority {
    /// Takes an authority from PEM; see [`load`](Self::load).
    ///
    /// The first certificate of the signing certificate's text signs; others there count as above it.
    ///
    /// # Errors
    ///
    /// [`FromPemError`] says which text is at fault.
    pub fn from_pem(
        trust_domain: TrustDomain,
        pem: &AuthorityPem<'_>,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
        now: UnixTime,
    ) -> Result<Self, FromPemError> {
        pem.load(trust_domain, algorithms, |_path, _roots| now)
            .map(|(authority, _key)| authority)
    }
}

impl AuthorityPem<'_> {
    /// The authority, tried out at the time that `at` names for its path (its certificate first) and its roots, and its key.
    pub(crate) fn load(
        &self,
        trust_domain: TrustDomain,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
        at: impl FnOnce(&[CertificateDer<'static>], &[CertificateDer<'static>]) -> UnixTime,
    ) -> Result<(Authority, Arc<KeyPair>), FromPemError> {
        let key = Arc::new(KeyPair::from_pem(self.key).map_err(FromPemError::Key)?);
        let mut path = read(self.certificate).ok_or(FromPemError::Certificate)?;
        path.extend(read(self.chain).ok_or(FromPemError::Chain)?);
        let roots = read(self.roots).ok_or(FromPemError::Roots)?;
        let now = at(&path, &roots);
        let mut path = path.into_iter();
        let certificate = path.next().ok_or(FromPemError::Certificate)?;
        let above = path.collect();
        let signer = Arc::<KeyPair>::clone(&key);
        let authority =
            Authority::load(trust_domain, signer, certificate, above, roots, algorithms, now)?;
        Ok((authority, key))
    }
}

/// Why PEM texts are not an authority.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FromPemError {
    /// The signing certificate's text holds no certificate, or broken PEM.
    #[error("no signing certificate in its PEM")]
    Certificate,
    /// The key's text holds no usable key.
    #[error("the signing key cannot be used")]
    Key(#[source] KeyError),
    /// The chain's text is broken PEM.
    #[error("the chain is not valid PEM")]
    Chain,
    /// The roots' text is broken PEM.
    #[error("the roots are not valid PEM")]
    Roots,
    /// All was read, and does not fit together.
    #[error(transparent)]
    Load(#[from] LoadAuthorityError),
}

/// Every certificate of a text. Other blocks are ignored.
fn read(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .ok()
}
