//! Why a certificate chain does not prove the name of a server.

use rustls_pki_types::UnixTime;

use crate::reject::At;
use crate::{ChainPart, NameCheck, PresentedNames};

/// Why a server's chain was rejected: the rule, and the numbers or names that broke it.
///
/// Several rules broken at once are reported in the order of the checks: bounds, encoding, path (where webpki's
/// most specific error wins, and validity is looked at before signatures, and these before revocation), names.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RejectServer {
    /// The chain is empty.
    #[error("no certificate was presented")]
    NoCertificate,
    /// The chain has more certificates than [`MAX_SERVER_CERTIFICATES`](crate::MAX_SERVER_CERTIFICATES).
    #[error("{count} certificates were presented, more than {max}")]
    TooManyCertificates {
        /// How many were presented.
        count: usize,
        /// How many are allowed.
        max: usize,
    },
    /// The chain is longer than [`MAX_SERVER_CHAIN_BYTES`](crate::MAX_SERVER_CHAIN_BYTES).
    #[error("{bytes} bytes of certificates were presented, more than {max}")]
    TooLarge {
        /// Length of all certificates together.
        bytes: usize,
        /// How long they may be.
        max: usize,
    },
    /// A certificate is not DER that RFC 5280 section 4.1 allows.
    #[error("the {part} is not a well-formed certificate")]
    Malformed {
        /// Which certificate.
        part: ChainPart,
    },
    /// The server's certificate is not X.509 version 3.
    #[error("the server's certificate is not of X.509 version 3")]
    Version,
    /// The server's certificate has a critical extension that nobody here understands (RFC 5280 section 4.2).
    #[error("the server's certificate has an unknown critical extension")]
    CriticalExtension,
    /// The server's certificate is an authority's (`cA`), such as a self-signed one that OpenSSL's `req -x509`
    /// makes.
    #[error("the server's certificate is that of a certificate authority")]
    AuthorityAsServer,
    /// None of the authorities issued the chain.
    #[error("no accepted authority issued the server's certificate")]
    UntrustedIssuer,
    /// An issuer has the right name, but another key made the signature.
    #[error("an authority of the right name, but with another key, signed the server's chain")]
    WrongSignature,
    /// The chain is signed by an algorithm that the crypto provider lacks.
    #[error("the server's chain is signed by an unsupported algorithm")]
    UnsupportedAlgorithm,
    /// A certificate's validity is over.
    #[error("the {part} expired at {}, now is {}", At(*not_after), At(*now))]
    Expired {
        /// Which certificate.
        part: ChainPart,
        /// Its last valid second.
        not_after: UnixTime,
        /// The time of the check.
        now: UnixTime,
    },
    /// A certificate's validity has not begun.
    #[error("the {part} is valid from {}, now is {}", At(*not_before), At(*now))]
    NotYetValid {
        /// Which certificate.
        part: ChainPart,
        /// Its first valid second.
        not_before: UnixTime,
        /// The time of the check.
        now: UnixTime,
    },
    /// The extended key usage is not that of a TLS server.
    #[error("the server's certificate may not be used by a TLS server")]
    WrongPurpose,
    /// An issuer is no authority, or its path length or name constraints do not allow this chain.
    #[error("an issuer was not allowed to issue the server's chain")]
    IssuerNotAllowed,
    /// A revocation list names a certificate of the chain.
    #[error("a certificate of the server's chain is revoked")]
    Revoked,
    /// Revocation lists were given, but none of them speaks for an issuer of the chain.
    #[error("no revocation list tells about the server's chain")]
    RevocationUnknown,
    /// The revocation list of an issuer is out of date.
    #[error("a revocation list was to be replaced at {}, now is {}", At(*next_update), At(*now))]
    RevocationListExpired {
        /// When a new list was promised for.
        next_update: UnixTime,
        /// The time of the check.
        now: UnixTime,
    },
    /// The revocation list of an issuer cannot be used: its signature, its signer or its kind.
    #[error("a revocation list for the server's chain cannot be used")]
    RevocationListUnusable,
    /// Finding a path costs more than webpki's budget of signatures, steps or depth.
    #[error("the server's chain is too complex to verify")]
    TooComplex,
    /// The chain is good, but carries none of the names accepted.
    #[error("the server presented {presented}, but accepted is {accepted}")]
    WrongName {
        /// The names in the verified certificate.
        presented: PresentedNames,
        /// The names accepted.
        accepted: NameCheck,
    },
}

impl RejectServer {
    /// Gives a short label for metrics. It stays the same over releases.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoCertificate => "no_certificate",
            Self::TooManyCertificates { .. } => "too_many_certificates",
            Self::TooLarge { .. } => "chain_too_large",
            Self::Malformed { .. } => "malformed_certificate",
            Self::Version => "certificate_version",
            Self::CriticalExtension => "unknown_critical_extension",
            Self::AuthorityAsServer => "authority_as_server",
            Self::UntrustedIssuer => "untrusted_issuer",
            Self::WrongSignature => "wrong_signature",
            Self::UnsupportedAlgorithm => "unsupported_algorithm",
            Self::Expired { part: ChainPart::Leaf, .. } => "expired",
            Self::Expired { part: ChainPart::Issuer, .. } => "issuer_expired",
            Self::Expired { part: ChainPart::Anchor, .. } => "anchor_expired",
            Self::NotYetValid { part: ChainPart::Leaf, .. } => "not_yet_valid",
            Self::NotYetValid { part: ChainPart::Issuer, .. } => "issuer_not_yet_valid",
            Self::NotYetValid { part: ChainPart::Anchor, .. } => "anchor_not_yet_valid",
            Self::WrongPurpose => "wrong_purpose",
            Self::IssuerNotAllowed => "issuer_not_allowed",
            Self::Revoked => "revoked",
            Self::RevocationUnknown => "revocation_unknown",
            Self::RevocationListExpired { .. } => "revocation_list_expired",
            Self::RevocationListUnusable => "revocation_list_unusable",
            Self::TooComplex => "chain_too_complex",
            Self::WrongName { .. } => "wrong_server_name",
        }
    }
}
