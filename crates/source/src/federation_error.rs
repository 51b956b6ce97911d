//! Why another domain's bundle was not put into use.

use std::path::PathBuf;

use meshtls_identity::TrustDomain;
use meshtls_svid::{BundleError, DocumentError};

use crate::ReadError;

/// Why the bundle of another trust domain was not put into use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FederationError {
    /// The domain has a source already: of two, nobody could say which counts.
    #[error("the trust domain `{trust_domain}` has two sources of its bundle")]
    TwoSources {
        /// The domain.
        trust_domain: TrustDomain,
    },
    /// A file could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The PEM file holds no bundle, or one with the ID of another domain.
    #[error("{} holds no trust bundle of `{trust_domain}`", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Whose bundle it should be.
        trust_domain: TrustDomain,
        /// What is wrong with it.
        source: BundleError,
    },
    /// The file holds no bundle document, or one without an authority.
    #[error("{} holds no bundle document of `{trust_domain}`", path.display())]
    Document {
        /// The file.
        path: PathBuf,
        /// Whose document it should be.
        trust_domain: TrustDomain,
        /// What is wrong with it.
        source: DocumentError,
    },
    /// The bundle endpoint gave none.
    #[cfg(feature = "federation")]
    #[error("no bundle of `{trust_domain}` from {url}")]
    Fetch {
        /// Whose bundle it should be.
        trust_domain: TrustDomain,
        /// Where it was fetched from.
        url: String,
        /// What went wrong.
        source: Box<crate::FetchError>,
    },
}

impl FederationError {
    /// A short stable label, for metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TwoSources { .. } => "two_sources",
            Self::Read(error) => error.reason(),
            Self::Pem { source, .. } => source.reason(),
            Self::Document { source, .. } => source.reason(),
            #[cfg(feature = "federation")]
            Self::Fetch { source, .. } => source.reason(),
        }
    }
}
