//! What a source tells its owner while it runs.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use meshtls_identity::TrustDomain;
use meshtls_policy::{Skipped, Warning};
use meshtls_rustls::WithCauses;
use rustls_pki_types::UnixTime;

use crate::{FederationError, IdentityError, PolicyError, WhenStale};

/// Receives what happens to a watched source. It is called from the watching tasks: it must not block.
pub trait Reporter: Send + Sync {
    /// Takes note of `report`.
    fn report(&self, report: &Report<'_>);
}

/// One thing that happened to a watched source. `Display` gives a sentence for a log.
///
/// A problem with files that stays the same is reported once, not at every look.
#[derive(Debug)]
#[non_exhaustive]
pub enum Report<'a> {
    /// New policies are in force.
    PoliciesReplaced {
        /// The version of the policy handle after the change.
        version: u64,
    },
    /// New policies were refused; the last good ones stay in force.
    PoliciesKept(&'a PolicyError),
    /// The policies in force are too old, as [`PolicyFiles::stale_after`](crate::PolicyFiles::stale_after) bounds it.
    /// [`Recovered`](Self::Recovered) or [`PoliciesReplaced`](Self::PoliciesReplaced) ends it.
    PoliciesStale {
        /// How long ago the source was last seen to read as what is in force.
        age: Duration,
        /// What happens now.
        then: WhenStale,
    },
    /// An object among the policies in force is of a kind that is not read, so it has no effect. Each such object is
    /// reported when the watch begins, and again whenever policies are replaced.
    PolicySkipped(&'a Skipped),
    /// Something among the policies in force is probably not meant. Reported as often as
    /// [`PolicySkipped`](Self::PolicySkipped).
    PolicyWarning(&'a Warning),
    /// A new identity or new trust bundles are in use from the next handshake.
    IdentityReplaced {
        /// The generation of the snapshots from now on; the first is 0.
        generation: u64,
    },
    /// The new certificate chains to a root that was not among the trust bundles so far: peers that have not got the new
    /// bundle yet reject it. Told right before [`IdentityReplaced`](Self::IdentityReplaced).
    IdentityWithoutOverlap {
        /// The generation of the new identity.
        generation: u64,
    },
    /// The certificate in use has ended, and there is no newer one: handshakes are refused from now on.
    IdentityExpired {
        /// Its last valid second.
        not_after: UnixTime,
    },
    /// New identity material was refused, or could not be had; the last good one stays in use.
    IdentityKept(&'a IdentityError),
    /// The bundle of another trust domain was replaced: its peers are verified by the new one from the next handshake.
    FederatedBundleReplaced {
        /// The domain.
        trust_domain: &'a TrustDomain,
        /// The sequence number of the new one, if it has one.
        sequence: Option<u64>,
    },
    /// A new bundle of another trust domain was refused, or could not be had; the last good one, if there is one, stays
    /// in use.
    FederatedBundleKept {
        /// The domain.
        trust_domain: &'a TrustDomain,
        /// What is wrong.
        error: &'a FederationError,
    },
    /// After a problem, the bundle of another trust domain was seen again, as it is in use.
    FederatedBundleConfirmed {
        /// The domain.
        trust_domain: &'a TrustDomain,
    },
    /// Another trust domain has published that it has no authority, and is not trusted any more.
    FederatedBundleRevoked {
        /// The domain.
        trust_domain: &'a TrustDomain,
    },
    /// Others than its owner may read the file of the private key in use. Kubernetes mounts keys like that unless told
    /// otherwise; [`PemFiles::refuse_exposed_key`](crate::PemFiles::refuse_exposed_key) makes it an error.
    KeyExposed {
        /// The file.
        path: &'a Path,
        /// Its permission bits, such as `0o644`.
        mode: u32,
    },
    /// After a problem, the source reads again as what is in force.
    Recovered,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PoliciesReplaced { version } => {
                write!(f, "policies replaced (version {version})")
            }
            Self::PoliciesKept(error) => {
                write!(f, "policies kept, the new ones are refused: {}", WithCauses(*error))
            }
            Self::PoliciesStale { age, then } => {
                write!(f, "policies too old, not read for {} s: {then}", age.as_secs())
            }
            Self::PolicySkipped(skipped) => {
                write!(f, "policies: an object has no effect: {skipped}")
            }
            Self::PolicyWarning(warning) => {
                write!(f, "policies: probably not meant: {warning}")
            }
            Self::IdentityReplaced { generation } => {
                write!(f, "identity replaced (generation {generation})")
            }
            Self::IdentityWithoutOverlap { generation } => write!(
                f,
                "identity of generation {generation} chains to a root that was not trusted before: peers without the new bundle reject it"
            ),
            Self::IdentityExpired { not_after } => {
                write!(
                    f,
                    "own SVID expired at second {}, handshakes are refused",
                    not_after.as_secs()
                )
            }
            Self::IdentityKept(error) => {
                write!(f, "identity kept, no new one: {}", WithCauses(*error))
            }
            Self::FederatedBundleReplaced { trust_domain, sequence } => {
                write!(f, "bundle of `{trust_domain}` replaced")?;
                sequence.map_or(Ok(()), |sequence| write!(f, " (sequence {sequence})"))
            }
            Self::FederatedBundleKept { trust_domain, error } => {
                write!(f, "bundle of `{trust_domain}` kept, no new one: {}", WithCauses(*error))
            }
            Self::FederatedBundleConfirmed { trust_domain } => {
                write!(f, "bundle of `{trust_domain}` is good again and unchanged")
            }
            Self::FederatedBundleRevoked { trust_domain } => {
                write!(
                    f,
                    "bundle of `{trust_domain}` revoked by its domain, which is trusted no more"
                )
            }
            Self::KeyExposed { path, mode } => {
                write!(f, "others may read the private key {} (mode {mode:o})", path.display())
            }
            Self::Recovered => f.write_str("the source is good again and unchanged"),
        }
    }
}

/// Drops every report. The default.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Silent;

impl Reporter for Silent {
    fn report(&self, _report: &Report<'_>) {}
}

impl<F> Reporter for F
where
    F: Fn(&Report<'_>) + Send + Sync,
{
    fn report(&self, report: &Report<'_>) {
        self(report);
    }
}
