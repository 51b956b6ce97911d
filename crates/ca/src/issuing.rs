//! What issues X509-SVIDs and may change while it runs: a chain, and the roots that belong to it.

use std::fmt;

use meshtls_identity::TrustDomain;
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::{Authority, IssueError, IssueRequest, SerialSource};

/// Issues X509-SVIDs of one trust domain, and tells what to trust. Its signing certificate and its roots may change
/// from one call to the next; within one answer they fit together.
///
/// Its methods may block, on a disk or a KMS: call them from where blocking is allowed.
pub trait IssuingAuthority: fmt::Debug + Send + Sync {
    /// The domain whose IDs are issued.
    fn trust_domain(&self) -> &TrustDomain;

    /// Issues an X509-SVID as [`Authority::issue`] does.
    ///
    /// # Errors
    ///
    /// Those of [`Authority::issue`], and [`IssueError::Unavailable`] where the authority cannot be reached.
    fn issue(
        &self,
        request: &IssueRequest<'_>,
        now: UnixTime,
        serials: &mut dyn SerialSource,
    ) -> Result<IssuedSvid, IssueError>;

    /// The roots that are to be trusted now.
    ///
    /// # Errors
    ///
    /// [`IssueError::Unavailable`] where the authority cannot be reached.
    fn roots(&self, now: UnixTime) -> Result<AuthorityRoots, IssueError>;
}

/// An X509-SVID as it leaves its authority.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct IssuedSvid {
    /// The leaf, then the intermediates, without a root.
    pub chain: Vec<CertificateDer<'static>>,
    /// What its owner trusts from now on: at least one root.
    pub roots: Vec<CertificateDer<'static>>,
}

impl IssuedSvid {
    /// Puts an answer together.
    #[must_use]
    pub fn new(chain: Vec<CertificateDer<'static>>, roots: Vec<CertificateDer<'static>>) -> Self {
        Self { chain, roots }
    }
}

/// The roots of an authority at one moment.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct AuthorityRoots {
    /// At least one root.
    pub certificates: Vec<CertificateDer<'static>>,
    /// Another number whenever the signing certificate or the roots are others than before.
    pub generation: u64,
}

impl AuthorityRoots {
    /// Puts an answer together.
    #[must_use]
    pub fn new(certificates: Vec<CertificateDer<'static>>, generation: u64) -> Self {
        Self { certificates, generation }
    }
}

/// An authority that never changes.
impl IssuingAuthority for Authority {
    fn trust_domain(&self) -> &TrustDomain {
        self.trust_domain()
    }

    fn issue(
        &self,
        request: &IssueRequest<'_>,
        now: UnixTime,
        serials: &mut dyn SerialSource,
    ) -> Result<IssuedSvid, IssueError> {
        let chain = self.issue(request, now, serials)?;
        Ok(IssuedSvid::new(chain, self.roots().to_vec()))
    }

    fn roots(&self, _now: UnixTime) -> Result<AuthorityRoots, IssueError> {
        Ok(AuthorityRoots::new(self.roots().to_vec(), 0))
    }
}
