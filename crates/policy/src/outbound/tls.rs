//! The TLS of a connection: what whoever connects has to do.

use std::fmt;

use serde::Serialize;

use crate::{AcceptedNames, NameSet};

/// The TLS of a connection.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "mode", rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(clippy::exhaustive_enums, reason = "whoever connects must handle every mode")]
pub enum OutboundTls {
    /// Plaintext.
    Disable,
    /// TLS that proves the server only, who need not be of the mesh.
    Simple(Origination),
    /// TLS with a client certificate that a rule names; neither side need be of the mesh.
    Mutual {
        /// What is asked of the server.
        #[serde(flatten)]
        origination: Origination,
        /// Our certificate.
        credential: ClientCredential,
    },
    /// Mesh mTLS with the own X509-SVID.
    IstioMutual {
        /// The server name to send. It may be none that a TLS library takes (a `*` in it, or more than 253 bytes).
        sni: String,
        /// Whose certificate to accept.
        accepted: AcceptedNames,
    },
    /// No connection: what is asked for cannot be done. Never plaintext instead.
    Refuse(OutboundRefusal),
}

/// TLS to a server that need not be of the mesh. Paths and names are as the rule writes them.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Origination {
    /// The server name to send.
    pub sni: Sni,
    /// Which names the server's certificate may carry.
    pub names: ServerNames,
    /// Who may have issued it. Without a meaning for [`ServerNames::InsecureSkipVerify`].
    pub roots: Roots,
    /// The file with revoked certificates.
    pub crl: Option<String>,
}

/// Which server name to send.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "whoever connects must handle both")]
pub enum Sni {
    /// The host that the caller asked for.
    Authority,
    /// This one.
    Fixed(String),
}

/// What is asked of the names in a server's certificate.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "whoever connects must handle every case")]
pub enum ServerNames {
    /// One is the host that the caller asked for.
    Authority,
    /// One is exactly one of these.
    OneOf(NameSet),
    /// Nothing: whoever has a certificate of the [`roots`](Origination::roots) is accepted. What a rule with `sni` and without
    /// `subjectAltNames` means.
    ChainOnly,
    /// Nothing, and nothing of the chain either: anybody is accepted (`insecureSkipVerify`).
    InsecureSkipVerify,
}

/// Who may have issued a server's certificate.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "whoever connects must handle every case")]
pub enum Roots {
    /// Those that the operating system trusts.
    System,
    /// Those in this file.
    File(String),
    /// Those in this secret.
    Credential(String),
}

/// Where a client certificate and its key are.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "whoever connects must handle both")]
pub enum ClientCredential {
    /// In files.
    Files {
        /// The certificate, with what leads to its root.
        certificate: String,
        /// The private key.
        private_key: String,
    },
    /// In this secret.
    Credential(String),
}

/// Why there is no way to connect.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "snake_case")]
#[non_exhaustive]
pub enum OutboundRefusal {
    /// A rule wants mode MUTUAL and does not say with which certificate and key. No rule that was read is like that, as
    /// validation refuses it. Istio would send plaintext.
    #[error("mode MUTUAL without a client certificate and its private key")]
    MissingClientCertificate,
    /// The caller asks for a subset that the rule does not have, or there is no rule.
    #[error("there is no subset `{subset}`")]
    UnknownSubset {
        /// The subset asked for.
        subset: String,
    },
}

impl OutboundRefusal {
    /// A short name that stays stable, for metrics and tests.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::MissingClientCertificate => "missing_client_certificate",
            Self::UnknownSubset { .. } => "unknown_subset",
        }
    }
}

impl OutboundTls {
    /// The mode, such as `SIMPLE`; `REFUSE` if there is none.
    pub fn mode(&self) -> &'static str {
        match self {
            Self::Disable => "DISABLE",
            Self::Simple(_) => "SIMPLE",
            Self::Mutual { .. } => "MUTUAL",
            Self::IstioMutual { .. } => "ISTIO_MUTUAL",
            Self::Refuse(_) => "REFUSE",
        }
    }

    /// Who is accepted as the server; `None` where nobody is asked.
    pub(crate) fn accepted(&self) -> Option<&dyn fmt::Display> {
        match self {
            Self::Simple(origination) | Self::Mutual { origination, .. } => {
                Some(&origination.names)
            }
            Self::IstioMutual { accepted, .. } => Some(accepted),
            Self::Disable | Self::Refuse(_) => None,
        }
    }
}

impl fmt::Display for ServerNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authority => f.write_str("the host asked for"),
            Self::OneOf(names) => names.fmt(f),
            Self::ChainOnly => f.write_str("any name, if its issuer is trusted"),
            Self::InsecureSkipVerify => f.write_str("anybody, nothing is verified"),
        }
    }
}
