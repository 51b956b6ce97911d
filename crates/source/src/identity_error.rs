//! Why there is no new identity.

use std::path::PathBuf;

use meshtls_identity::SpiffeId;
use meshtls_svid::RejectSvid;

use crate::ReadError;

/// Why identity material was not put into use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A file could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The PEM text holds no X509-SVID or no trust bundle.
    #[error(transparent)]
    Load(#[from] meshtls_svid::LoadError),
    /// Others than its owner may read the file of the private key, and that is to be refused.
    #[error("others may read the private key {} (mode {mode:o})", path.display())]
    ExposedKey {
        /// The file.
        path: PathBuf,
        /// Its permission bits, such as `0o644`.
        mode: u32,
    },
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
    /// The authority did not issue.
    #[cfg(all(feature = "authority", any(feature = "aws-lc-rs", feature = "ring")))]
    #[error("the authority did not issue a certificate")]
    Issue(#[source] meshtls_ca::GenerateError),
}

impl IdentityError {
    /// A short stable label, for metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Read(error) => error.reason(),
            Self::Load(_) => "load",
            Self::ExposedKey { .. } => "exposed_key",
            Self::Key(_) => "key",
            Self::Rejected(reject) => reject.reason(),
            Self::OtherIdentity { .. } => "other_identity",
            #[cfg(all(feature = "authority", any(feature = "aws-lc-rs", feature = "ring")))]
            Self::Issue(_) => "issue",
        }
    }
}
