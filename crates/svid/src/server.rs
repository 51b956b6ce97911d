//! Validation of a server's chain outside the mesh: the path, revocation, and the names.

use std::cell::Cell;
use std::fmt;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::EndEntityCert;

use crate::certificate::{Certificate, Period};
use crate::reject::ChainPart;
use crate::reject_server::RejectServer;
use crate::revocation_lists::strict;
use crate::server_authorities::ServerAuthorities;
use crate::server_names::{NameCheck, PresentedNames};
use crate::validate::length;

/// The most certificates a server's chain may have, leaf included: six (our bound, for the reason that
/// [`MAX_CERTIFICATES`](crate::MAX_CERTIFICATES) has; servers of the web present up to five).
///
/// Whoever answers at the server's address can present a chain, and webpki tries its orders before it checks a signature.
/// Of five intermediates with one name there are 325, of seven 13,699.
pub const MAX_SERVER_CERTIFICATES: usize = 6;

/// The most bytes a server's chain may have: 24,576 (our bound). Leaves of the web have more names than those of a mesh, and so
/// may take more than [`MAX_CHAIN_BYTES`](crate::MAX_CHAIN_BYTES) leaves them.
pub const MAX_SERVER_CHAIN_BYTES: usize = 24_576;

/// Checks that `chain`, leaf first, proves one of the accepted names at the time of `rules`.
///
/// The order is: the chain, and only then the names; so whoever is told of a wrong name knows that the names are
/// true. Accepting the chain is one half: the server must also prove that it holds the leaf's key.
///
/// # Errors
///
/// The first broken rule, in the order that [`RejectServer`] states.
pub fn validate_server(
    chain: &[CertificateDer<'_>],
    rules: &ServerValidation<'_>,
) -> Result<ValidServer, RejectServer> {
    let (leaf, issuers) = chain.split_first().ok_or(RejectServer::NoCertificate)?;
    check_bounds(chain)?;
    const MALFORMED: RejectServer = RejectServer::Malformed { part: ChainPart::Leaf };
    let certificate = EndEntityCert::try_from(leaf).map_err(|error| match error {
        webpki::Error::UnsupportedCertVersion => RejectServer::Version,
        webpki::Error::UnsupportedCriticalExtension => RejectServer::CriticalExtension,
        _ => MALFORMED,
    })?;
    let parsed = Certificate::read(leaf).ok_or(MALFORMED)?;
    verify_path(&certificate, parsed.period, issuers, rules)?;
    let presented = PresentedNames::of(&parsed.alternative_names);
    if rules.names.accept(&certificate, &parsed.alternative_names) {
        Ok(ValidServer { presented })
    } else {
        Err(RejectServer::WrongName { presented, accepted: rules.names.clone() })
    }
}

/// What a server's chain is checked against.
#[derive(Clone, Copy)]
pub struct ServerValidation<'a> {
    authorities: &'a ServerAuthorities,
    names: &'a NameCheck,
    algorithms: &'a [&'static dyn SignatureVerificationAlgorithm],
    now: UnixTime,
}

impl<'a> ServerValidation<'a> {
    /// Names everything a validation depends on; there are no defaults.
    ///
    /// `algorithms` are those of the crypto provider; `now` is in seconds since the Unix epoch, with no allowance
    /// for clock skew.
    #[must_use]
    pub fn new(
        authorities: &'a ServerAuthorities,
        names: &'a NameCheck,
        algorithms: &'a [&'static dyn SignatureVerificationAlgorithm],
        now: UnixTime,
    ) -> Self {
        Self { authorities, names, algorithms, now }
    }
}

impl fmt::Debug for ServerValidation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerValidation")
            .field("authorities", self.authorities)
            .field("names", self.names)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// A server's chain that was accepted. Only [`validate_server`] makes one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ValidServer {
    presented: PresentedNames,
}

impl ValidServer {
    /// Gives the names that the chain proves.
    #[must_use]
    pub fn presented(&self) -> &PresentedNames {
        &self.presented
    }
}

/// Counts before anything is parsed.
fn check_bounds(chain: &[CertificateDer<'_>]) -> Result<(), RejectServer> {
    if chain.len() > MAX_SERVER_CERTIFICATES {
        let max = MAX_SERVER_CERTIFICATES;
        return Err(RejectServer::TooManyCertificates { count: chain.len(), max });
    }
    let bytes = length(chain);
    if bytes > MAX_SERVER_CHAIN_BYTES {
        return Err(RejectServer::TooLarge { bytes, max: MAX_SERVER_CHAIN_BYTES });
    }
    Ok(())
}

/// Finds a path to an authority that is valid now, and looks for revocation on it if there are lists.
fn verify_path(
    leaf: &EndEntityCert<'_>,
    period: Period,
    issuers: &[CertificateDer<'_>],
    rules: &ServerValidation<'_>,
) -> Result<(), RejectServer> {
    let lists = rules.authorities.revocations().all();
    // webpki asks about each path that it has verified; a no sends it on to look for another.
    let outdated = Cell::new(None);
    let admit = |path: &webpki::VerifiedPath<'_>| {
        let anchor = rules
            .authorities
            .period_of(path.anchor())
            .ok_or(webpki::Error::UnknownIssuer)?;
        if anchor.contains(rules.now) {
            return Ok(());
        }
        outdated.set(Some(anchor));
        Err(webpki::Error::UnknownIssuer)
    };
    let found = leaf.verify_for_usage(
        rules.algorithms,
        rules.authorities.trust_anchors(),
        issuers,
        rules.now,
        webpki::KeyUsage::server_auth(),
        strict(&lists),
        Some(&admit),
    );
    match (found, outdated.get()) {
        (Ok(_), _) => Ok(()),
        (Err(webpki::Error::UnknownIssuer), Some(anchor)) => Err(outside(anchor, rules.now)),
        (Err(error), _) => Err(reject(error, period)),
    }
}

/// The path is good but for its anchor, which `now` lies outside of.
fn outside(Period { not_before, not_after }: Period, now: UnixTime) -> RejectServer {
    let part = ChainPart::Anchor;
    if now < not_before {
        RejectServer::NotYetValid { part, not_before, now }
    } else {
        RejectServer::Expired { part, not_after, now }
    }
}

/// webpki does not say whose validity failed: the leaf's, if the leaf's fails.
fn guilty(leaf: Period, now: UnixTime) -> ChainPart {
    if leaf.contains(now) { ChainPart::Issuer } else { ChainPart::Leaf }
}

/// Gives webpki's error our name. What is not listed came from a certificate above the leaf.
fn reject(error: webpki::Error, leaf: Period) -> RejectServer {
    use webpki::Error;

    match error {
        Error::CertExpired { not_after, time: now } => {
            RejectServer::Expired { part: guilty(leaf, now), not_after, now }
        }
        Error::CertNotValidYet { not_before, time: now } => {
            RejectServer::NotYetValid { part: guilty(leaf, now), not_before, now }
        }
        Error::CaUsedAsEndEntity => RejectServer::AuthorityAsServer,
        Error::UnknownIssuer => RejectServer::UntrustedIssuer,
        Error::InvalidSignatureForPublicKey => RejectServer::WrongSignature,
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            RejectServer::UnsupportedAlgorithm
        }
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => {
            RejectServer::WrongPurpose
        }
        Error::EndEntityUsedAsCa
        | Error::PathLenConstraintViolated
        | Error::NameConstraintViolation => RejectServer::IssuerNotAllowed,
        Error::CertRevoked => RejectServer::Revoked,
        Error::UnknownRevocationStatus => RejectServer::RevocationUnknown,
        Error::CrlExpired { time: now, next_update } => {
            RejectServer::RevocationListExpired { next_update, now }
        }
        Error::InvalidCrlSignatureForPublicKey
        | Error::IssuerNotCrlSigner
        | Error::UnsupportedCrlSignatureAlgorithmContext(_)
        | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => {
            RejectServer::RevocationListUnusable
        }
        Error::MaximumSignatureChecksExceeded
        | Error::MaximumPathBuildCallsExceeded
        | Error::MaximumNameConstraintComparisonsExceeded
        | Error::MaximumPathDepthExceeded => RejectServer::TooComplex,
        _ => RejectServer::Malformed { part: ChainPart::Issuer },
    }
}
