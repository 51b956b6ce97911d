//! One trust domain's authorities.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use meshtls_identity::{SpiffeId, TrustDomain};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor};

use crate::bundle_document::BundleDocument;
use crate::certificate::{Certificate, Period};
use crate::document_error::DocumentError;
use crate::load::{LoadError, read_file};
use crate::pem::{self, PemError};
use crate::revocation_lists::{RevocationListError, RevocationLists};

/// The authorities of one trust domain: at least one.
///
/// Invariant: each is a version 3 certificate with `cA` that may sign certificates, so a leaf put here by
/// mistake is refused. Whether an authority is valid *now* is asked at each validation. The number is not
/// bounded here; a file may have 1 MiB. A clone shares the authorities.
#[derive(Clone)]
pub struct TrustBundle {
    trust_domain: TrustDomain,
    authorities: Arc<Vec<CertificateDer<'static>>>,
    // Invariant: the two below are as long as `authorities`, in its order.
    anchors: Arc<Vec<TrustAnchor<'static>>>,
    periods: Arc<Vec<Period>>,
    revocations: RevocationLists,
}

impl TrustBundle {
    /// Makes the bundle of `trust_domain`. An authority that is there twice counts once.
    ///
    /// # Errors
    ///
    /// * [`BundleError::Empty`]: no authority.
    /// * [`BundleError::Malformed`], [`BundleError::NotAuthority`]: which one cannot be an authority.
    pub fn new(
        trust_domain: TrustDomain,
        authorities: Vec<CertificateDer<'static>>,
    ) -> Result<Self, BundleError> {
        let mut bundle = Self {
            trust_domain,
            authorities: Arc::default(),
            anchors: Arc::default(),
            periods: Arc::default(),
            revocations: RevocationLists::default(),
        };
        for (at, authority) in authorities.into_iter().enumerate() {
            bundle.add(authority, at)?;
        }
        if bundle.authorities.is_empty() { Err(BundleError::Empty) } else { Ok(bundle) }
    }

    /// Reads a bundle from PEM: every `CERTIFICATE` block is an authority, other blocks are ignored.
    ///
    /// # Errors
    ///
    /// [`BundleError::Pem`], and those of [`new`](Self::new).
    pub fn from_pem(trust_domain: TrustDomain, text: &[u8]) -> Result<Self, BundleError> {
        Self::new(trust_domain, pem::certificates(text)?)
    }

    /// Reads a bundle from a PEM file of at most 1 MiB.
    ///
    /// # Errors
    ///
    /// [`LoadError`] with the file's path.
    pub fn from_file(trust_domain: TrustDomain, path: &Path) -> Result<Self, LoadError> {
        let text = read_file(path)?;
        Self::from_pem(trust_domain, &text)
            .map_err(|source| LoadError::Bundle { path: path.to_owned(), source })
    }

    /// Reads a bundle from a SPIFFE bundle document. [`BundleDocument`] gives its numbers as well.
    ///
    /// # Errors
    ///
    /// [`DocumentError::NoAuthority`], and those of [`BundleDocument::parse`].
    pub fn from_jwks(trust_domain: TrustDomain, text: &[u8]) -> Result<Self, DocumentError> {
        BundleDocument::parse(trust_domain, text)?.into_bundle()
    }

    /// Checks that no authority's certificate carries the SPIFFE ID of another trust domain.
    ///
    /// Neither PEM nor a bundle document names the domain it is of, and an authority need not carry an ID; where it
    /// does, the ID should be of the domain that it issues for (X509-SVID section 3.2). Whoever takes a bundle from
    /// another domain's operator finds a mix-up so. Our choice: no other door asks, since one authority may serve
    /// two domains, as it does while a domain is renamed.
    ///
    /// # Errors
    ///
    /// [`BundleError::OtherDomain`]: the first that does.
    pub fn check_ids(&self) -> Result<(), BundleError> {
        for (at, der) in self.authorities.iter().enumerate() {
            let authority = Certificate::read(der).ok_or(BundleError::Malformed { at })?;
            for presented in authority.spiffe_ids() {
                if presented.trust_domain() != &self.trust_domain {
                    return Err(BundleError::OtherDomain { at, presented });
                }
            }
        }
        Ok(())
    }

    /// Adds certificate revocation lists. From then on every certificate below an authority needs a list of its
    /// issuer that is not out of date and does not name it, as with OpenSSL's flags CRL_CHECK and CRL_CHECK_ALL: a
    /// status that no list tells is a rejection. Of two lists of one issuer the first counts.
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

    /// Gives the domain whose identities these authorities may issue.
    #[must_use]
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// Gives the authorities' certificates, in the order they came.
    #[must_use]
    pub fn anchors(&self) -> &[CertificateDer<'static>] {
        &self.authorities
    }

    /// Writes the authorities as `CERTIFICATE` blocks.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::write_certificates(&self.authorities)
    }

    /// Writes the authorities as a SPIFFE bundle document without sequence number and refresh hint, which a
    /// publisher should set: see [`BundleDocument`].
    ///
    /// # Errors
    ///
    /// [`DocumentError::UnsupportedKey`]: an authority's key has no form there.
    pub fn to_jwks(&self) -> Result<String, DocumentError> {
        BundleDocument::new(self.clone()).map(|document| document.to_json())
    }

    /// Takes the other bundle's authorities and lists in, whatever its domain. Lists of one side then bind both.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.revocations.absorb(other.revocations);
        let parts = other
            .authorities
            .iter()
            .zip(other.anchors.iter())
            .zip(other.periods.iter());
        for ((authority, anchor), period) in parts {
            self.push(authority.clone(), anchor.clone(), *period);
        }
    }

    pub(crate) fn revocations(&self) -> &RevocationLists {
        &self.revocations
    }

    pub(crate) fn trust_anchors(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }

    /// Gives the validity of an anchor of this bundle, known by its address: two authorities may share
    /// name and key and differ in validity (Istio renews its root so).
    pub(crate) fn period_of(&self, anchor: &TrustAnchor<'_>) -> Option<Period> {
        let known = self.anchors.iter().zip(self.periods.iter());
        known
            .into_iter()
            .find(|(one, _)| std::ptr::eq(*one, anchor))
            .map(|(_, period)| *period)
    }

    fn add(&mut self, der: CertificateDer<'static>, at: usize) -> Result<(), BundleError> {
        let authority = Certificate::read(&der).ok_or(BundleError::Malformed { at })?;
        if !authority.is_authority() {
            return Err(BundleError::NotAuthority { at });
        }
        let period = authority.period;
        let anchor = webpki::anchor_from_trusted_cert(&der)
            .map_err(|_unreadable| BundleError::Malformed { at })?
            .to_owned();
        self.push(der, anchor, period);
        Ok(())
    }

    fn push(
        &mut self,
        authority: CertificateDer<'static>,
        anchor: TrustAnchor<'static>,
        period: Period,
    ) {
        if !self.authorities.contains(&authority) {
            Arc::make_mut(&mut self.authorities).push(authority);
            Arc::make_mut(&mut self.anchors).push(anchor);
            Arc::make_mut(&mut self.periods).push(period);
        }
    }
}

/// The same domain, the same authorities in the same order, and the same revocation lists: those that were read at once.
impl PartialEq for TrustBundle {
    fn eq(&self, other: &Self) -> bool {
        self.trust_domain == other.trust_domain
            && self.authorities == other.authorities
            && self.revocations == other.revocations
    }
}

impl Eq for TrustBundle {}

impl fmt::Debug for TrustBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustBundle")
            .field("trust_domain", &self.trust_domain)
            .field("authorities", &self.authorities.len())
            .field("revocation_lists", &self.revocations.len())
            .finish_non_exhaustive()
    }
}

/// Why something is not a trust bundle. Positions count certificates from 0.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The text is not the PEM that was wanted.
    #[error("not a bundle in PEM")]
    Pem(#[from] PemError),
    /// There is no authority.
    #[error("a bundle needs at least one authority")]
    Empty,
    /// A certificate cannot be read.
    #[error("certificate {at} (counted from 0) is malformed")]
    Malformed {
        /// Its position.
        at: usize,
    },
    /// A certificate has no `cA`, or a key usage without keyCertSign.
    #[error("certificate {at} (counted from 0) is not a certificate authority")]
    NotAuthority {
        /// Its position.
        at: usize,
    },
    /// An authority carries the ID of another trust domain. Only [`TrustBundle::check_ids`] asks.
    #[error("certificate {at} (counted from 0) is of another trust domain: `{presented}`")]
    OtherDomain {
        /// Its position.
        at: usize,
        /// The ID that it carries.
        presented: SpiffeId,
    },
}

impl BundleError {
    /// Gives a short label for metrics. It stays the same over releases.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Pem(_) => "bundle_pem",
            Self::Empty => "bundle_empty",
            Self::Malformed { .. } => "bundle_malformed",
            Self::NotAuthority { .. } => "bundle_not_authority",
            Self::OtherDomain { .. } => "bundle_other_domain",
        }
    }
}
