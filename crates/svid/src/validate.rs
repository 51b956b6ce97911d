//! Validation of a chain at a given time: bounds, leaf rules, the bundle of the ID's domain, the path.

use std::cell::Cell;
use std::fmt;

use meshtls_identity::{AcceptedDomains, SpiffeId};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};

use crate::bundle::TrustBundle;
use crate::bundles::TrustBundles;
use crate::certificate::{Certificate, Period};
use crate::leaf::Leaf;
use crate::reject::{ChainPart, RejectSvid};
use crate::revocation_lists::strict;

/// The most certificates a chain may have, leaf included: five (our bound).
///
/// webpki looks for a path before it checks a signature, and tries intermediates of the same name in every order: nine of them
/// cost a stranger's handshake seconds of our time, four of them some milliseconds at most.
pub const MAX_CERTIFICATES: usize = 5;

/// The most bytes a chain may have: 16,384 (our bound). Five certificates with RSA keys of 4096 bits take about 10,000.
pub const MAX_CHAIN_BYTES: usize = 16_384;

/// Checks that `chain`, leaf first, proves a SPIFFE ID at the time of `rules`, and gives that ID.
///
/// Trust is bound to the trust domain: the ID names its domain, the domain names the bundle, and only that
/// bundle's anchors count ([`TrustBundles::istio_flat`] is the stated exception). Anchors outside their
/// own validity do not count. Intermediates may come in any order, and unused ones are ignored. If the bundle has
/// revocation lists, every certificate of the path is looked up, the anchor excepted
/// ([`TrustBundle::with_revocation_lists`]).
///
/// Accepting the chain is one half: the peer must also prove that it holds the leaf's key.
///
/// # Errors
///
/// The first broken rule, in the order that [`RejectSvid`] states.
pub fn validate(
    chain: &[CertificateDer<'_>],
    rules: &Validation<'_>,
) -> Result<ValidSvid, RejectSvid> {
    let (leaf, issuers) = chain.split_first().ok_or(RejectSvid::NoCertificate)?;
    check_bounds(chain)?;
    let leaf = Leaf::read(leaf)?;
    let bundle = rules
        .bundles
        .bundle_for(leaf.id.trust_domain())
        .ok_or_else(|| RejectSvid::UnknownTrustDomain {
            presented: leaf.id.clone(),
            known: rules.bundles.domains().cloned().collect(),
        })?;
    let not_after = verify_path(&leaf, issuers, bundle, rules)?;
    if !rules.accepted.accepts(leaf.id.trust_domain()) {
        return Err(RejectSvid::NotAccepted {
            presented: leaf.id,
            accepted: rules.accepted.clone(),
        });
    }
    Ok(ValidSvid { id: leaf.id, not_after })
}

/// What a chain is checked against.
#[derive(Clone, Copy)]
pub struct Validation<'a> {
    bundles: &'a TrustBundles,
    accepted: &'a AcceptedDomains,
    algorithms: &'a [&'static dyn SignatureVerificationAlgorithm],
    usage: Usage,
    now: UnixTime,
}

impl<'a> Validation<'a> {
    /// Names everything a validation depends on; there are no defaults.
    ///
    /// `algorithms` are those of the crypto provider; `usage` is the end of the connection at which the
    /// chain's owner sits; `now` is in seconds since the Unix epoch, with no allowance for clock skew.
    #[must_use]
    pub fn new(
        bundles: &'a TrustBundles,
        accepted: &'a AcceptedDomains,
        algorithms: &'a [&'static dyn SignatureVerificationAlgorithm],
        usage: Usage,
        now: UnixTime,
    ) -> Self {
        Self { bundles, accepted, algorithms, usage, now }
    }
}

impl fmt::Debug for Validation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validation")
            .field("accepted", &self.accepted)
            .field("usage", &self.usage)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// The end of a TLS connection at which the owner of the chain sits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Usage {
    /// The peer is the client: extended key usage, if present, must hold clientAuth.
    Client,
    /// The peer is the server: extended key usage, if present, must hold serverAuth.
    Server,
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

/// A chain that was accepted. Only [`validate`] makes one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ValidSvid {
    id: SpiffeId,
    not_after: UnixTime,
}

impl ValidSvid {
    /// Gives the ID that the chain proves.
    #[must_use]
    pub fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// Gives the ID alone.
    #[must_use]
    pub fn into_id(self) -> SpiffeId {
        self.id
    }

    /// Gives the last second at which the same path is valid: the earliest notAfter of leaf,
    /// intermediates used, and trust anchor.
    #[must_use]
    pub fn not_after(&self) -> UnixTime {
        self.not_after
    }
}

pub(crate) fn check_bounds(chain: &[CertificateDer<'_>]) -> Result<(), RejectSvid> {
    if chain.len() > MAX_CERTIFICATES {
        return Err(RejectSvid::TooManyCertificates { count: chain.len(), max: MAX_CERTIFICATES });
    }
    let bytes = length(chain);
    if bytes > MAX_CHAIN_BYTES {
        return Err(RejectSvid::TooLarge { bytes, max: MAX_CHAIN_BYTES });
    }
    Ok(())
}

/// The length of all certificates together.
pub(crate) fn length(chain: &[CertificateDer<'_>]) -> usize {
    chain
        .iter()
        .fold(0_usize, |sum, next| sum.saturating_add(next.len()))
}

/// Finds a path to an anchor that is valid now, and gives the path's earliest notAfter.
fn verify_path(
    leaf: &Leaf<'_>,
    issuers: &[CertificateDer<'_>],
    bundle: &TrustBundle,
    rules: &Validation<'_>,
) -> Result<UnixTime, RejectSvid> {
    let usage = match rules.usage {
        Usage::Client => webpki::KeyUsage::client_auth(),
        Usage::Server => webpki::KeyUsage::server_auth(),
    };
    // webpki asks about each path that it has verified; a no sends it on to look for another.
    let not_after = Cell::new(leaf.period.not_after);
    let outdated = Cell::new(None);
    let admit = |path: &webpki::VerifiedPath<'_>| {
        let anchor = bundle
            .period_of(path.anchor())
            .ok_or(webpki::Error::UnknownIssuer)?;
        if !anchor.contains(rules.now) {
            outdated.set(Some(anchor));
            return Err(webpki::Error::UnknownIssuer);
        }
        let mut end = leaf.period.not_after.min(anchor.not_after);
        for issuer in path.intermediate_certificates() {
            let der = issuer.der();
            let issuer = Certificate::read(&der).ok_or(webpki::Error::BadDer)?;
            if !issuer.is_authority() {
                return Err(webpki::Error::EndEntityUsedAsCa);
            }
            end = end.min(issuer.period.not_after);
        }
        not_after.set(end);
        Ok(())
    };
    let lists = bundle.revocations().all();
    let found = leaf.certificate.verify_for_usage(
        rules.algorithms,
        bundle.trust_anchors(),
        issuers,
        rules.now,
        usage,
        strict(&lists),
        Some(&admit),
    );
    match (found, outdated.get()) {
        (Ok(_), _) => Ok(not_after.get()),
        (Err(webpki::Error::UnknownIssuer), Some(period)) => Err(outside(period, leaf, rules.now)),
        (Err(error), _) => Err(reject(error, leaf, rules)),
    }
}

/// The path is good but for its anchor, which `now` lies outside of.
fn outside(anchor: Period, leaf: &Leaf<'_>, now: UnixTime) -> RejectSvid {
    let (presented, part) = (leaf.id.clone(), ChainPart::Anchor);
    let Period { not_before, not_after } = anchor;
    if now < not_before {
        RejectSvid::NotYetValid { presented, part, not_before, now }
    } else {
        RejectSvid::Expired { presented, part, not_after, now }
    }
}

/// webpki does not say whose validity failed: the leaf's, if the leaf's fails.
fn guilty(leaf: Period, now: UnixTime) -> ChainPart {
    if leaf.contains(now) { ChainPart::Issuer } else { ChainPart::Leaf }
}

/// Gives webpki's error our name. What is not listed came from a certificate above the leaf: the leaf's
/// own encoding was checked before.
fn reject(error: webpki::Error, leaf: &Leaf<'_>, rules: &Validation<'_>) -> RejectSvid {
    use webpki::Error;

    let presented = leaf.id.clone();
    match error {
        Error::CertExpired { not_after, time: now } => {
            let part = guilty(leaf.period, now);
            RejectSvid::Expired { presented, part, not_after, now }
        }
        Error::CertNotValidYet { not_before, time: now } => {
            let part = guilty(leaf.period, now);
            RejectSvid::NotYetValid { presented, part, not_before, now }
        }
        Error::InvalidCertValidity => RejectSvid::ReversedValidity { presented },
        Error::UnknownIssuer => RejectSvid::UntrustedIssuer { presented },
        Error::InvalidSignatureForPublicKey => RejectSvid::WrongSignature { presented },
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            RejectSvid::UnsupportedAlgorithm { presented }
        }
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => {
            RejectSvid::WrongPurpose { presented, usage: rules.usage }
        }
        Error::EndEntityUsedAsCa => RejectSvid::IssuerNotAuthority { presented },
        Error::PathLenConstraintViolated => RejectSvid::PathLength { presented },
        Error::NameConstraintViolation => RejectSvid::NameConstraint { presented },
        Error::CertRevoked => RejectSvid::Revoked { presented },
        Error::UnknownRevocationStatus => RejectSvid::RevocationUnknown { presented },
        Error::CrlExpired { time: now, next_update } => {
            RejectSvid::RevocationListExpired { presented, next_update, now }
        }
        Error::InvalidCrlSignatureForPublicKey
        | Error::IssuerNotCrlSigner
        | Error::UnsupportedCrlSignatureAlgorithmContext(_)
        | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => {
            RejectSvid::RevocationListUnusable { presented }
        }
        Error::MaximumSignatureChecksExceeded
        | Error::MaximumPathBuildCallsExceeded
        | Error::MaximumNameConstraintComparisonsExceeded
        | Error::MaximumPathDepthExceeded => RejectSvid::TooComplex { presented },
        _ => RejectSvid::Malformed { part: ChainPart::Issuer },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Within our bounds webpki does not run into its own; if it ever does, the reason is the right one.
    #[test]
    fn webpkis_own_bounds_have_a_name() {
        let (bundles, accepted) = (TrustBundles::new([]), AcceptedDomains::Any);
        let now = UnixTime::since_unix_epoch(std::time::Duration::ZERO);
        let rules = Validation::new(&bundles, &accepted, &[], Usage::Client, now);
        let svid =
            meshtls_testkit::TestCa::new("prod.example").svid("spiffe://prod.example/ledger");
        let leaf = Leaf::read(&svid.chain()[0]).unwrap();
        for error in [
            webpki::Error::MaximumSignatureChecksExceeded,
            webpki::Error::MaximumPathBuildCallsExceeded,
            webpki::Error::MaximumNameConstraintComparisonsExceeded,
            webpki::Error::MaximumPathDepthExceeded,
        ] {
            let want = RejectSvid::TooComplex { presented: leaf.id.clone() };
            assert_eq!(reject(error, &leaf, &rules), want);
        }
    }
}
