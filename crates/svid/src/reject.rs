//! Why a certificate chain does not prove a SPIFFE ID.

use std::fmt;

use meshtls_identity::{AcceptedDomains, ParseIdError, SpiffeId, TrustDomain};
use rustls_pki_types::UnixTime;
use x509_parser::time::ASN1Time;

use crate::Usage;

/// Why a chain was rejected: the rule, and the numbers or names that broke it.
///
/// A field `presented` is the ID that the leaf *claims*; only in [`NotAccepted`](Self::NotAccepted) has the
/// chain been verified. A parsed ID holds no control characters and at most 2048 bytes, and text that
/// does not parse is left out, so messages may go to a log.
///
/// Several rules broken at once are reported in the order of the checks: bounds, encoding, leaf rules
/// (signing, URI SAN, ID, key usage), trust domain known, path (where webpki's most specific error
/// wins, and validity is looked at before signatures), trust domain accepted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RejectSvid {
    /// The chain is empty.
    #[error("no certificate was presented")]
    NoCertificate,

    /// The chain has more certificates than [`MAX_CERTIFICATES`](crate::MAX_CERTIFICATES) (our bound).
    #[error("{count} certificates were presented, more than {max}")]
    TooManyCertificates {
        /// How many were presented.
        count: usize,
        /// How many are allowed.
        max: usize,
    },

    /// The chain is longer than [`MAX_CHAIN_BYTES`](crate::MAX_CHAIN_BYTES) (our bound).
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

    /// The leaf is not X.509 version 3 (RFC 5280 section 4.1.2.1).
    #[error("the leaf is not an X.509 version 3 certificate")]
    Version,

    /// The leaf has a critical extension that nobody here understands (RFC 5280 section 4.2).
    #[error("the leaf has an unknown critical extension")]
    CriticalExtension,

    /// The leaf may sign certificates or CRLs (X509-SVID sections 4.1, 4.3 and 5.2).
    #[error("the leaf is a signing certificate: it has {mark}")]
    SigningCertificate {
        /// What makes it one.
        mark: SigningMark,
    },

    /// The leaf has not exactly one URI SAN (X509-SVID sections 2 and 5.2).
    #[error("the leaf has {count} URI names, wanted exactly one")]
    UriSans {
        /// How many it has, readable or not.
        count: usize,
    },

    /// The only URI SAN is not a SPIFFE ID.
    #[error("the leaf's URI name is not a SPIFFE ID")]
    SpiffeId(#[source] ParseIdError),

    /// The ID names a trust domain, not a workload (X509-SVID section 5.2).
    #[error("`{presented}` has no path, so it names no workload")]
    NoPath {
        /// The claimed ID.
        presented: SpiffeId,
    },

    /// The leaf has a key usage extension without digitalSignature (X509-SVID section 4.3).
    #[error("the leaf's key usage lacks digitalSignature")]
    NoDigitalSignature,

    /// There is no trust bundle for the domain of the ID.
    #[error("`{presented}` is of an unknown trust domain, known: {}", Listed(known))]
    UnknownTrustDomain {
        /// The claimed ID.
        presented: SpiffeId,
        /// The domains with a bundle, sorted.
        known: Vec<TrustDomain>,
    },

    /// No authority in the bundle of the ID's domain issued the chain.
    #[error("no authority of `{}` issued the chain of `{presented}`", presented.trust_domain())]
    UntrustedIssuer {
        /// The claimed ID.
        presented: SpiffeId,
    },

    /// An issuer has the right name, but another key made the signature.
    #[error(
        "an authority of the right name, but with another key, signed the chain of `{presented}`"
    )]
    WrongSignature {
        /// The claimed ID.
        presented: SpiffeId,
    },

    /// The chain is signed by an algorithm that the crypto provider lacks.
    #[error("the chain of `{presented}` is signed by an unsupported algorithm")]
    UnsupportedAlgorithm {
        /// The claimed ID.
        presented: SpiffeId,
    },

    /// A certificate's validity is over (RFC 5280 section 4.1.2.5; no allowance for clock skew is ours).
    #[error("the {part} of `{presented}` expired at {}, now is {}", At(*not_after), At(*now))]
    Expired {
        /// The claimed ID.
        presented: SpiffeId,
        /// Which certificate.
        part: ChainPart,
        /// Its last valid second.
        not_after: UnixTime,
        /// The time of the check.
        now: UnixTime,
    },

    /// A certificate's validity has not begun (RFC 5280 section 4.1.2.5).
    #[error("the {part} of `{presented}` is valid from {}, now is {}", At(*not_before), At(*now))]
    NotYetValid {
        /// The claimed ID.
        presented: SpiffeId,
        /// Which certificate.
        part: ChainPart,
        /// Its first valid second.
        not_before: UnixTime,
        /// The time of the check.
        now: UnixTime,
    },

    /// A certificate's validity ends before it begins.
    #[error("a certificate in the chain of `{presented}` ends before it begins")]
    ReversedValidity {
        /// The claimed ID.
        presented: SpiffeId,
    },

    /// The extended key usage does not allow this end of a TLS connection (X509-SVID section 4.4).
    #[error("the chain of `{presented}` may not be used by a TLS {usage}")]
    WrongPurpose {
        /// The claimed ID.
        presented: SpiffeId,
        /// What it was used for.
        usage: Usage,
    },

    /// An issuer is no authority: `cA` is missing (webpki), or a key usage without keyCertSign (ours,
    /// RFC 5280 section 6.1.4 (n)).
    #[error("an issuer in the chain of `{presented}` is not a certificate authority")]
    IssuerNotAuthority {
        /// The claimed ID.
        presented: SpiffeId,
    },

    /// An issuer's path length constraint is broken (RFC 5280 section 4.2.1.9).
    #[error("the chain of `{presented}` breaks a path length constraint")]
    PathLength {
        /// The claimed ID.
        presented: SpiffeId,
    },

    /// An issuer's name constraints do not allow the names below it (RFC 5280 section 4.2.1.10).
    #[error("the chain of `{presented}` breaks a name constraint")]
    NameConstraint {
        /// The claimed ID.
        presented: SpiffeId,
    },

    /// A revocation list names a certificate of the chain (RFC 5280 section 5.3).
    #[error("a certificate in the chain of `{presented}` is revoked")]
    Revoked {
        /// The claimed ID.
        presented: SpiffeId,
    },

    /// The bundle has revocation lists, but none of them speaks for an issuer of the chain.
    #[error("no revocation list tells about the chain of `{presented}`")]
    RevocationUnknown {
        /// The claimed ID.
        presented: SpiffeId,
    },

    /// The revocation list of an issuer is out of date (RFC 5280 section 5.1.2.5).
    #[error(
        "a revocation list for the chain of `{presented}` was to be replaced at {}, now is {}",
        At(*next_update), At(*now)
    )]
    RevocationListExpired {
        /// The claimed ID.
        presented: SpiffeId,
        /// When a new list was promised for.
        next_update: UnixTime,
        /// The time of the check.
        now: UnixTime,
    },

    /// The revocation list of an issuer cannot be used: its signature, its signer or its kind.
    #[error("a revocation list for the chain of `{presented}` cannot be used")]
    RevocationListUnusable {
        /// The claimed ID.
        presented: SpiffeId,
    },

    /// Finding a path costs more than webpki's budget of signatures, steps or depth.
    #[error("the chain of `{presented}` is too complex to verify")]
    TooComplex {
        /// The claimed ID.
        presented: SpiffeId,
    },

    /// The chain is good, but its trust domain is not accepted here.
    #[error("`{presented}` is not of an accepted trust domain: {accepted}")]
    NotAccepted {
        /// The verified ID.
        presented: SpiffeId,
        /// The domains accepted.
        accepted: AcceptedDomains,
    },
}

impl RejectSvid {
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
            Self::SigningCertificate { .. } => "signing_certificate",
            Self::UriSans { .. } => "uri_san_count",
            Self::SpiffeId(_) => "not_a_spiffe_id",
            Self::NoPath { .. } => "id_without_path",
            Self::NoDigitalSignature => "key_usage",
            Self::UnknownTrustDomain { .. } => "unknown_trust_domain",
            Self::UntrustedIssuer { .. } => "untrusted_issuer",
            Self::WrongSignature { .. } => "wrong_signature",
            Self::UnsupportedAlgorithm { .. } => "unsupported_algorithm",
            Self::Expired { part: ChainPart::Leaf, .. } => "expired",
            Self::Expired { part: ChainPart::Issuer, .. } => "issuer_expired",
            Self::Expired { part: ChainPart::Anchor, .. } => "anchor_expired",
            Self::NotYetValid { part: ChainPart::Leaf, .. } => "not_yet_valid",
            Self::NotYetValid { part: ChainPart::Issuer, .. } => "issuer_not_yet_valid",
            Self::NotYetValid { part: ChainPart::Anchor, .. } => "anchor_not_yet_valid",
            Self::ReversedValidity { .. } => "reversed_validity",
            Self::WrongPurpose { .. } => "wrong_purpose",
            Self::IssuerNotAuthority { .. } => "issuer_not_authority",
            Self::PathLength { .. } => "path_length",
            Self::NameConstraint { .. } => "name_constraint",
            Self::Revoked { .. } => "revoked",
            Self::RevocationUnknown { .. } => "revocation_unknown",
            Self::RevocationListExpired { .. } => "revocation_list_expired",
            Self::RevocationListUnusable { .. } => "revocation_list_unusable",
            Self::TooComplex { .. } => "chain_too_complex",
            Self::NotAccepted { .. } => "trust_domain_not_accepted",
        }
    }

    /// Gives the ID that the leaf claims, if it claims one that can be read.
    ///
    /// Nothing proves it: a log may show it, a decision may not rest on it.
    #[must_use]
    pub fn presented(&self) -> Option<&SpiffeId> {
        match self {
            Self::NoCertificate
            | Self::TooManyCertificates { .. }
            | Self::TooLarge { .. }
            | Self::Malformed { .. }
            | Self::Version
            | Self::CriticalExtension
            | Self::SigningCertificate { .. }
            | Self::UriSans { .. }
            | Self::SpiffeId(_)
            | Self::NoDigitalSignature => None,
            Self::NoPath { presented }
            | Self::UnknownTrustDomain { presented, .. }
            | Self::UntrustedIssuer { presented }
            | Self::WrongSignature { presented }
            | Self::UnsupportedAlgorithm { presented }
            | Self::Expired { presented, .. }
            | Self::NotYetValid { presented, .. }
            | Self::ReversedValidity { presented }
            | Self::WrongPurpose { presented, .. }
            | Self::IssuerNotAuthority { presented }
            | Self::PathLength { presented }
            | Self::NameConstraint { presented }
            | Self::Revoked { presented }
            | Self::RevocationUnknown { presented }
            | Self::RevocationListExpired { presented, .. }
            | Self::RevocationListUnusable { presented }
            | Self::TooComplex { presented }
            | Self::NotAccepted { presented, .. } => Some(presented),
        }
    }
}

/// A place in a chain, from the identity up to the trust anchor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a chain has no other part")]
pub enum ChainPart {
    /// The certificate that carries the SPIFFE ID.
    Leaf,
    /// A certificate between the leaf and the anchor.
    Issuer,
    /// An authority from the trust bundle.
    Anchor,
}

impl fmt::Display for ChainPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Leaf => "leaf",
            Self::Issuer => "issuer",
            Self::Anchor => "trust anchor",
        })
    }
}

/// What marks a certificate as one that signs others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SigningMark {
    /// Basic constraints with `cA`.
    Ca,
    /// Key usage keyCertSign.
    KeyCertSign,
    /// Key usage cRLSign.
    CrlSign,
}

impl fmt::Display for SigningMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ca => "cA",
            Self::KeyCertSign => "keyCertSign",
            Self::CrlSign => "cRLSign",
        })
    }
}

/// A time as text, in UTC.
pub(crate) struct At(pub(crate) UnixTime);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match i64::try_from(seconds).map(ASN1Time::from_timestamp) {
            Ok(Ok(time)) => write!(f, "{time}"),
            Ok(Err(_)) | Err(_) => write!(f, "second {seconds}"),
        }
    }
}

/// At most eight domains, so that a message stays short whatever the federation.
struct Listed<'a>(&'a [TrustDomain]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (at, domain) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}`{domain}`", if at == 0 { "" } else { ", " })?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
