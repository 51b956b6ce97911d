//! Why there is no new identity.

use meshtls_identity::SpiffeId;
use meshtls_svid::{BundleError, RejectSvid, SvidError};

use crate::IssuerError;

/// Why identity material was not put into use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The issuer gave none.
    #[error("there is no new certificate")]
    Issuer(#[source] IssuerError),
    /// The issuer neither asked for the request nor brought a key along.
    #[error("the issuer answered without a key")]
    NoKey,
    /// What the issuer gave is no X509-SVID.
    #[error("the issuer gave no X509-SVID")]
    Svid(#[source] SvidError),
    /// The issuer's roots are no trust bundle.
    #[error("the issuer gave no trust bundle")]
    Roots(#[source] BundleError),
    /// The private key cannot be used, or is not the one that the certificate names.
    #[error("the private key does not fit the certificate")]
    Key(#[source] meshtls_rustls::ConfigError),
    /// The own chain does not verify now against the own trust bundles, so no peer would accept it.
    #[error("the own certificate would be rejected by peers")]
    Rejected(#[from] RejectSvid),
    /// The new certificate carries another identity.
    #[error("the new certificate is of `{presented}`, but this workload is `{current}`")]
    OtherIdentity {
        /// The identity in use.
        current: SpiffeId,
        /// The identity of the new certificate.
        presented: SpiffeId,
    },
}

impl IdentityError {
    /// A short stable label, for metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Issuer(error) => error.reason(),
            Self::NoKey => "no_key",
            Self::Svid(_) => "svid",
            Self::Roots(_) => "roots",
            Self::Key(_) => "key",
            Self::Rejected(reject) => reject.reason(),
            Self::OtherIdentity { .. } => "other_identity",
        }
    }

    pub(crate) fn is_permanent(&self) -> bool {
        matches!(self, Self::Issuer(IssuerError::Permanent { .. }))
    }
}
