//! The authorities that vouch for servers outside the mesh, and what they have revoked.

use std::fmt;
use std::path::Path;

use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor};

use crate::bundle::BundleError;
use crate::certificate::{Certificate, Period};
use crate::load::{LoadError, read_file};
use crate::pem;
use crate::revocation_lists::{RevocationListError, RevocationLists};

/// Authorities without a trust domain: at least one. They vouch for names of servers, never for a SPIFFE ID.
///
/// Any certificate may be put here, a version 1 root or an intermediate too: naming it is the operator's word.
/// Whether an authority is valid *now* is asked at each validation.
pub struct ServerAuthorities {
    anchors: Vec<TrustAnchor<'static>>,
    // Invariant: as long as `anchors`, in its order.
    periods: Vec<Period>,
    revocations: RevocationLists,
}

impl ServerAuthorities {
    /// Takes these authorities.
    ///
    /// # Errors
    ///
    /// [`BundleError::Empty`], [`BundleError::Malformed`]: there is none, or one cannot be read.
    pub fn new(authorities: &[CertificateDer<'_>]) -> Result<Self, BundleError> {
        let mut all =
            Self { anchors: vec![], periods: vec![], revocations: RevocationLists::default() };
        for (at, authority) in authorities.iter().enumerate() {
            all.add(authority).ok_or(BundleError::Malformed { at })?;
        }
        all.at_least_one()
    }

    /// Takes those of these authorities that can be read, as is usual with a system's own store, which holds
    /// what nobody here has chosen.
    ///
    /// # Errors
    ///
    /// [`BundleError::Empty`]: there is none that can be read.
    pub fn readable_of(authorities: &[CertificateDer<'_>]) -> Result<Self, BundleError> {
        let mut all =
            Self { anchors: vec![], periods: vec![], revocations: RevocationLists::default() };
        for authority in authorities {
            // What cannot be read vouches for nobody.
            if all.add(authority).is_none() {
                continue;
            }
        }
        all.at_least_one()
    }

    /// Reads authorities from PEM: every `CERTIFICATE` block is one, other blocks are ignored.
    ///
    /// # Errors
    ///
    /// [`BundleError::Pem`], and those of [`new`](Self::new).
    pub fn from_pem(text: &[u8]) -> Result<Self, BundleError> {
        Self::new(&pem::certificates(text)?)
    }

    /// Reads authorities from a PEM file of at most 1 MiB.
    ///
    /// # Errors
    ///
    /// [`LoadError`] with the file's path.
    pub fn from_file(path: &Path) -> Result<Self, LoadError> {
        let text = read_file(path)?;
        Self::from_pem(&text).map_err(|source| LoadError::Bundle { path: path.to_owned(), source })
    }

    /// Adds certificate revocation lists. From then on every certificate below an authority needs a list of
    /// its issuer that is not out of date and does not name it, as with OpenSSL's flags CRL_CHECK and
    /// CRL_CHECK_ALL.
    ///
    /// # Errors
    ///
    /// [`RevocationListError`]: there is none, or one cannot be read.
    pub fn with_revocation_lists(
        mut self,
        lists: &[CertificateRevocationListDer<'_>],
    ) -> Result<Self, RevocationListError> {
        self.revocations.add(lists)?;
        Ok(self)
    }

    /// Adds the lists of a PEM text: every `X509 CRL` block is one.
    ///
    /// # Errors
    ///
    /// [`RevocationListError::Pem`], and those of [`with_revocation_lists`](Self::with_revocation_lists).
    pub fn with_revocation_pem(mut self, text: &[u8]) -> Result<Self, RevocationListError> {
        self.revocations.add_pem(text)?;
        Ok(self)
    }

    /// Adds the lists of a PEM file of at most 1 MiB, as [`with_revocation_pem`](Self::with_revocation_pem) does.
    ///
    /// # Errors
    ///
    /// [`LoadError`] with the file's path.
    pub fn with_revocation_file(self, path: &Path) -> Result<Self, LoadError> {
        let text = read_file(path)?;
        self.with_revocation_pem(&text)
            .map_err(|source| LoadError::RevocationLists { path: path.to_owned(), source })
    }

    pub(crate) fn trust_anchors(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }

    pub(crate) fn revocations(&self) -> &RevocationLists {
        &self.revocations
    }

    /// Gives the validity of one of these anchors, known by its address.
    pub(crate) fn period_of(&self, anchor: &TrustAnchor<'_>) -> Option<Period> {
        self.anchors
            .iter()
            .zip(&self.periods)
            .find(|(one, _)| std::ptr::eq(*one, anchor))
            .map(|(_, period)| *period)
    }

    fn add(&mut self, der: &CertificateDer<'_>) -> Option<()> {
        let period = Certificate::read(der)?.period;
        let anchor = webpki::anchor_from_trusted_cert(der).ok()?.to_owned();
        self.anchors.push(anchor);
        self.periods.push(period);
        Some(())
    }

    fn at_least_one(self) -> Result<Self, BundleError> {
        if self.anchors.is_empty() { Err(BundleError::Empty) } else { Ok(self) }
    }
}

impl fmt::Debug for ServerAuthorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerAuthorities")
            .field("authorities", &self.anchors.len())
            .field("revocation_lists", &self.revocations.len())
            .finish()
    }
}
