//! Why what a rule wants of SIMPLE or MUTUAL cannot be done.

use meshtls_rustls::OriginationConfigError;
use meshtls_svid::LoadError;

use crate::CredentialError;

/// Why what a rule wants of SIMPLE or MUTUAL cannot be done. No connection is tried then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OriginationUnavailable {
    /// The rule says `insecureSkipVerify`, and this connector was not told that it may:
    /// [`dangerous_allow_insecure_skip_verify`](crate::ConnectorBuilder::dangerous_allow_insecure_skip_verify).
    #[error("the rule says insecureSkipVerify, which this connector does not allow")]
    InsecureSkipVerify,
    /// A file that the rule names cannot be used.
    #[error("a file that the rule names cannot be used")]
    File(#[from] LoadError),
    /// The rule names no authorities, so the system's count, and there are none that can be read.
    #[error("the system has no trusted authorities{}{problems}", if problems.is_empty() { "" } else { ": " })]
    NoSystemRoots {
        /// What went wrong when they were read; may be empty.
        problems: String,
    },
    /// The rule names a credential. That is a Secret in Kubernetes, and there is no
    /// [`CredentialResolver`](crate::CredentialResolver) to look elsewhere.
    #[error("credential `{name}` is not available outside Kubernetes")]
    NoCredentialResolver {
        /// The name.
        name: String,
    },
    /// The resolver does not have the credential.
    #[error("credential `{name}` is not available")]
    Credential {
        /// The name.
        name: String,
        /// What the resolver says.
        source: CredentialError,
    },
    /// The credential lacks a part that the mode needs.
    #[error("credential `{name}` has no {part}")]
    CredentialLacks {
        /// The name.
        name: String,
        /// The part: `authorities` or `certificate`.
        part: &'static str,
    },
    /// The certificate cannot be used with its key.
    #[error("the client certificate of {of} cannot be used")]
    ClientCertificate {
        /// The file of the certificate, or the credential.
        of: String,
        /// Why.
        source: OriginationConfigError,
    },
    /// The crypto provider does not fit the TLS profile.
    #[error("the TLS profile cannot be used")]
    Profile(#[source] OriginationConfigError),
}

impl OriginationUnavailable {
    /// A short stable label, for metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::InsecureSkipVerify => "insecure_skip_verify",
            Self::File(_) => "origination_file",
            Self::NoSystemRoots { .. } => "no_system_roots",
            Self::NoCredentialResolver { .. } => "no_credential_resolver",
            Self::Credential { .. } => "credential_unavailable",
            Self::CredentialLacks { .. } => "credential_incomplete",
            Self::ClientCertificate { .. } => "client_certificate",
            Self::Profile(_) => "tls_profile",
        }
    }
}
