//! Who answers a request for an X509-SVID, and how.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::SvidRequest;
use crate::backoff::LONGEST_WAIT;

/// Gives X509-SVIDs: an authority at hand, one at the other end of a network, or files that somebody else rotates.
///
/// ```
/// use meshtls_source::{Issued, Issuer, IssuerError, IssuerFuture, SvidRequest};
///
/// /// Sends requests by hand.
/// #[derive(Debug)]
/// struct ByHand;
///
/// impl Issuer for ByHand {
///     fn issue<'a>(&'a self, request: &'a SvidRequest) -> IssuerFuture<'a, Result<Issued, IssuerError>> {
///         Box::pin(async move {
///             let _der = request.csr()?;
///             Err(IssuerError::retryable("closed", "the office is closed"))
///         })
///     }
/// }
/// ```
pub trait Issuer: fmt::Debug + Send + Sync {
    /// Answers a request. Whom the answer names is the issuer's decision; it is checked before it is put into use.
    ///
    /// An issuer has deadlines of its own. Who [renews](crate::Renewal) gives one up that is silent for two minutes, or for a
    /// quarter of the life that is left to lose. Dropping the future gives the request up.
    ///
    /// # Errors
    ///
    /// [`IssuerError`] says whether the same request may succeed later.
    fn issue<'a>(
        &'a self,
        request: &'a SvidRequest,
    ) -> IssuerFuture<'a, Result<Issued, IssuerError>>;

    /// Waits until an answer may differ for another reason than time, such as a root that was added or files that were written,
    /// from what the issuer had seen at `since`: what it [noted](SvidRequest::note) in the last request, answered or not. The
    /// default waits for ever.
    ///
    /// Dropping the future loses no change: the next call tells of it. Several may wait, each since another moment.
    fn changed(&self, since: Option<u64>) -> IssuerFuture<'_, ()> {
        let _ever_the_same = since;
        Box::pin(std::future::pending())
    }

    /// The longest wait between two attempts while they fail: half a second to a day. The default, 150 s, spares an issuer that
    /// many share.
    fn longest_wait(&self) -> Duration {
        LONGEST_WAIT
    }
}

/// An issuer that answers within this process, so that a program can begin with an identity or not at all.
pub trait IssuerAtHand: Issuer {
    /// Answers as [`Issuer::issue`] does, here and now. It may block, on a disk or a KMS.
    ///
    /// # Errors
    ///
    /// Those of [`Issuer::issue`].
    fn issue_now(&self, request: &SvidRequest) -> Result<Issued, IssuerError>;
}

/// What [`Issuer`] gives: a trait object cannot have `async fn`.
pub type IssuerFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An issuer's answer.
#[derive(Debug)]
#[non_exhaustive]
pub struct Issued {
    /// The certificates, leaf first, without a root.
    pub chain: Vec<CertificateDer<'static>>,
    /// The authorities of the own trust domain, to be trusted from now on.
    pub roots: Vec<CertificateDer<'static>>,
    /// The leaf's private key, where the issuer has drawn it: then the request's own was not asked for.
    pub key: Option<Zeroizing<PrivateKeyDer<'static>>>,
}

impl Issued {
    /// An answer for the key of the request.
    #[must_use]
    pub fn new(chain: Vec<CertificateDer<'static>>, roots: Vec<CertificateDer<'static>>) -> Self {
        Self { chain, roots, key: None }
    }

    /// An answer that brings its key along.
    #[must_use]
    pub fn with_key(self, key: PrivateKeyDer<'static>) -> Self {
        Self { key: Some(Zeroizing::new(key)), ..self }
    }
}

/// Why an issuer did not answer with an X509-SVID.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerError {
    /// The same request may succeed later: the issuer is away, overloaded or not ready.
    #[error("the issuer cannot answer now")]
    Retryable {
        /// A short label for metrics.
        reason: &'static str,
        /// What happened.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The same request will fail again until somebody changes something: refused, or not understood.
    #[error("the issuer refuses")]
    Permanent {
        /// A short label for metrics.
        reason: &'static str,
        /// What happened.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl IssuerError {
    /// One that may pass.
    #[must_use]
    pub fn retryable(
        reason: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Retryable { reason, source: source.into() }
    }

    /// One that stays.
    #[must_use]
    pub fn permanent(
        reason: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Permanent { reason, source: source.into() }
    }

    /// A short label for metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Retryable { reason, .. } | Self::Permanent { reason, .. } => reason,
        }
    }
}
