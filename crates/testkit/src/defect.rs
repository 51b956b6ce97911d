//! Everything that one certificate can do wrong, each alone, and what must come of it.

use std::fmt;

use meshtls_svid::Usage;

use crate::bad_id::BadId;

/// One defect of a chain that is otherwise as an authority issues it.
///
/// [`TestCa::hostile`](crate::TestCa::hostile) makes the chain; [`verdict`](Self::verdict) says what must
/// come of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Defect {
    /// A subject alternative name extension with a DNS name only.
    NoUri,
    /// No subject alternative name extension at all; the ID is in the common name.
    IdInCommonName,
    /// A DNS name that spells a SPIFFE ID, and no URI.
    IdInDnsName,
    /// Two SPIFFE IDs.
    TwoUris,
    /// The same SPIFFE ID twice.
    SameUriTwice,
    /// 33 SPIFFE IDs.
    ThirtyThreeUris,
    /// A SPIFFE ID and an `https` URI.
    SecondUriOther,
    /// A SPIFFE ID and a URI that is not UTF-8. Readers that skip it count one.
    SecondUriNotText,
    /// A SPIFFE ID, and another as a BMPString in a constructed `[6]`. Readers that know the primitive form
    /// only count one.
    SecondUriConstructed,
    /// One URI, which is not UTF-8.
    UriNotText,
    /// A URI that is no SPIFFE ID.
    BadId(BadId),
    /// The ID of the trust domain itself, without a path.
    IdWithoutPath,
    /// `/ns/pay/sa/ledger/x`: no defect but a SPIFFE ID of somebody else, and no service account's. Whoever
    /// reads namespace and service account off its front is deceived.
    PathBeyondServiceAccount,
    /// An ID of another trust domain, signed by this one's authority.
    ForeignTrustDomain,
    /// An ID of `<this domain>.evil`, signed by this domain's authority.
    TrustDomainAsPrefix,
    /// Expired a second ago.
    Expired,
    /// Valid from a second ahead.
    NotYetValid,
    /// notAfter before notBefore, with the present between them.
    EndsBeforeItBegins,
    /// Valid until the end of 9999, which RFC 5280 section 4.1.2.5 gives to what never expires.
    NeverExpires,
    /// Valid until a leap second. The seconds of a `UTCTime` end at 59 (X.680).
    LeapSecond,
    /// An intermediate that expired.
    ExpiredIntermediate,
    /// An intermediate that expired, and after it in the chain one of the same name and key that did not.
    ExpiredIntermediateRenewed,
    /// An intermediate whose time has not come.
    NotYetValidIntermediate,
    /// A root that expired. webpki does not look.
    ExpiredRoot,
    /// A root whose time has not come.
    NotYetValidRoot,
    /// A leaf with `cA`.
    LeafIsCa,
    /// A leaf with keyCertSign.
    LeafMayCertSign,
    /// A leaf with cRLSign.
    LeafMayCrlSign,
    /// Key usage without digitalSignature.
    NoDigitalSignature,
    /// No key usage extension. RFC 5280 admits it; X509-SVID asks issuers for it, not validators.
    NoKeyUsage,
    /// No extended key usage extension. X509-SVID section 4.4 admits it.
    NoExtendedKeyUsage,
    /// Extended key usage with serverAuth only.
    ServerOnly,
    /// Extended key usage with clientAuth only.
    ClientOnly,
    /// Extended key usage with anyExtendedKeyUsage only.
    AnyUsageOnly,
    /// A critical extension that nobody knows.
    UnknownCriticalExtension,
    /// A basic constraints extension twice.
    ExtensionTwice,
    /// An X.509 version 1 certificate with the ID as common name.
    Version1,
    /// Bytes after the end of the certificate.
    TrailingBytes,
    /// A signature said to be ECDSA with SHA-1.
    Sha1,
    /// A signature said to be RSA with MD5.
    Md5,
    /// The leaf's key is RSA with 1024 bits, and [`Hostile::private_key`](crate::Hostile::private_key) of
    /// P-256: no provider signs with such a key, nor takes its signature.
    Rsa1024Key,
    /// The leaf's key is on P-521, and [`Hostile::private_key`](crate::Hostile::private_key) of P-256: ring
    /// knows no P-521. (AWS-LC does: there a peer that signs with such a key is accepted.)
    P521Key,
    /// An X509-SVID that signed another one.
    LeafSignedByLeaf,
    /// An intermediate without `cA`.
    IntermediateNotCa,
    /// An intermediate whose key usage lacks keyCertSign. webpki does not look.
    IntermediateMayNotSign,
    /// Two intermediates below one with a path length of zero.
    PathTooLong,
    /// An intermediate with a name constraint that excludes every URI of the trust domain.
    NameExcluded,
    /// An intermediate with a name constraint that permits the URIs of the trust domain, and no others.
    /// webpki does not read constraints on URIs, and refuses what they apply to.
    NamePermitted,
    /// The intermediate is left out of the chain.
    IntermediateMissing,
    /// Signed by a root that nobody trusts.
    UnknownIssuer,
    /// Signed by a root of the right name, with another key.
    ImpostorIssuer,
    /// Signed by its own key.
    SelfSigned,
    /// No certificate at all.
    NoCertificate,
    /// A faultless chain with another's private key: it can only show in the handshake.
    WrongKey,
}

/// What must come of a chain, wherever meshtls is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a test must handle each")]
pub enum Verdict {
    /// It is no defect: the chain is accepted, and the handshake succeeds.
    Accepted,
    /// `validate` rejects it, with this `RejectSvid::reason`.
    Rejected(&'static str),
    /// The chain is accepted, and the handshake fails over the signature of `CertificateVerify`.
    HandshakeFails,
}

impl Defect {
    /// Every defect, with every [`BadId`].
    pub fn all() -> impl Iterator<Item = Self> {
        Self::PLAIN
            .iter()
            .copied()
            .chain(BadId::ALL.iter().copied().map(Self::BadId))
    }

    /// What must come of it when the chain's owner is the client, or the server, of a connection.
    #[must_use]
    pub fn verdict(self, usage: Usage) -> Verdict {
        use Verdict::{Accepted, HandshakeFails, Rejected};
        match self {
            Self::NoUri
            | Self::IdInCommonName
            | Self::IdInDnsName
            | Self::TwoUris
            | Self::SameUriTwice
            | Self::ThirtyThreeUris
            | Self::SecondUriOther
            | Self::SecondUriNotText
            | Self::SecondUriConstructed => Rejected("uri_san_count"),
            Self::UriNotText | Self::BadId(_) => Rejected("not_a_spiffe_id"),
            Self::IdWithoutPath => Rejected("id_without_path"),
            Self::ForeignTrustDomain | Self::TrustDomainAsPrefix => {
                Rejected("unknown_trust_domain")
            }
            Self::Expired => Rejected("expired"),
            Self::NotYetValid => Rejected("not_yet_valid"),
            Self::EndsBeforeItBegins => Rejected("reversed_validity"),
            Self::ExpiredIntermediate => Rejected("issuer_expired"),
            Self::NotYetValidIntermediate => Rejected("issuer_not_yet_valid"),
            Self::ExpiredRoot => Rejected("anchor_expired"),
            Self::NotYetValidRoot => Rejected("anchor_not_yet_valid"),
            Self::LeafIsCa | Self::LeafMayCertSign | Self::LeafMayCrlSign => {
                Rejected("signing_certificate")
            }
            Self::NoDigitalSignature => Rejected("key_usage"),
            Self::PathBeyondServiceAccount
            | Self::NeverExpires
            | Self::ExpiredIntermediateRenewed
            | Self::NoKeyUsage
            | Self::NoExtendedKeyUsage => Accepted,
            Self::ServerOnly => match usage {
                Usage::Client => Rejected("wrong_purpose"),
                Usage::Server => Accepted,
            },
            Self::ClientOnly => match usage {
                Usage::Client => Accepted,
                Usage::Server => Rejected("wrong_purpose"),
            },
            Self::AnyUsageOnly => Rejected("wrong_purpose"),
            Self::UnknownCriticalExtension => Rejected("unknown_critical_extension"),
            Self::LeapSecond | Self::ExtensionTwice | Self::TrailingBytes => {
                Rejected("malformed_certificate")
            }
            Self::Version1 => Rejected("certificate_version"),
            Self::Sha1 | Self::Md5 => Rejected("unsupported_algorithm"),
            Self::LeafSignedByLeaf | Self::IntermediateNotCa | Self::IntermediateMayNotSign => {
                Rejected("issuer_not_authority")
            }
            Self::PathTooLong => Rejected("path_length"),
            Self::NameExcluded | Self::NamePermitted => Rejected("name_constraint"),
            Self::IntermediateMissing | Self::UnknownIssuer | Self::SelfSigned => {
                Rejected("untrusted_issuer")
            }
            Self::ImpostorIssuer => Rejected("wrong_signature"),
            Self::NoCertificate => Rejected("no_certificate"),
            Self::WrongKey | Self::Rsa1024Key | Self::P521Key => HandshakeFails,
        }
    }

    const PLAIN: &[Self] = &[
        Self::NoUri,
        Self::IdInCommonName,
        Self::IdInDnsName,
        Self::TwoUris,
        Self::SameUriTwice,
        Self::ThirtyThreeUris,
        Self::SecondUriOther,
        Self::SecondUriNotText,
        Self::SecondUriConstructed,
        Self::UriNotText,
        Self::IdWithoutPath,
        Self::PathBeyondServiceAccount,
        Self::ForeignTrustDomain,
        Self::TrustDomainAsPrefix,
        Self::Expired,
        Self::NotYetValid,
        Self::EndsBeforeItBegins,
        Self::NeverExpires,
        Self::LeapSecond,
        Self::ExpiredIntermediate,
        Self::ExpiredIntermediateRenewed,
        Self::NotYetValidIntermediate,
        Self::ExpiredRoot,
        Self::NotYetValidRoot,
        Self::LeafIsCa,
        Self::LeafMayCertSign,
        Self::LeafMayCrlSign,
        Self::NoDigitalSignature,
        Self::NoKeyUsage,
        Self::NoExtendedKeyUsage,
        Self::ServerOnly,
        Self::ClientOnly,
        Self::AnyUsageOnly,
        Self::UnknownCriticalExtension,
        Self::ExtensionTwice,
        Self::Version1,
        Self::TrailingBytes,
        Self::Sha1,
        Self::Md5,
        Self::Rsa1024Key,
        Self::P521Key,
        Self::LeafSignedByLeaf,
        Self::IntermediateNotCa,
        Self::IntermediateMayNotSign,
        Self::PathTooLong,
        Self::NameExcluded,
        Self::NamePermitted,
        Self::IntermediateMissing,
        Self::UnknownIssuer,
        Self::ImpostorIssuer,
        Self::SelfSigned,
        Self::NoCertificate,
        Self::WrongKey,
    ];
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadId(id) => write!(f, "bad ID: {id}"),
            other => write!(f, "{other:?}"),
        }
    }
}
