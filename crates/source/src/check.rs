//! The checks that new identity material must pass before it replaces good material.

use std::fmt;
use std::time::Duration;

use meshtls_identity::{AcceptedDomains, MeshDomains, SpiffeId};
use meshtls_rustls::rustls::sign::CertifiedKey;
use meshtls_rustls::rustls::{Error, InconsistentKeys};
use meshtls_rustls::{ConfigError, TlsProfile};
use meshtls_svid::{RejectSvid, TrustBundle, TrustBundles, Usage, Validation, X509Svid, validate};
use rustls_pki_types::UnixTime;

use crate::IdentityError;

/// What new identity material is checked with.
#[derive(Clone)]
pub(crate) struct Check {
    pub(crate) domains: MeshDomains,
    pub(crate) profile: TlsProfile,
}

impl Check {
    /// The trust bundles of the mesh: `bundle`, for its domain and every alias, and those of other domains.
    ///
    /// For the own domain the issuer alone vouches: a federated bundle of that name is left out.
    pub(crate) fn bundles(&self, bundle: TrustBundle, federated: &[TrustBundle]) -> TrustBundles {
        let own = self.domains.own();
        let others = federated.iter().filter(|other| other.trust_domain() != own);
        self.domains
            .aliases()
            .iter()
            .fold(TrustBundles::new(others.cloned().chain([bundle])), |bundles, alias| {
                bundles.with_alias(alias.clone(), own.clone())
            })
    }

    /// Whether peers that trust `bundles` would accept `svid` now, and its key fits.
    ///
    /// A certificate for one end of TLS only (extended key usage) is fine: a workload may only serve, or only call.
    pub(crate) fn usable(
        &self,
        svid: &X509Svid,
        bundles: &TrustBundles,
    ) -> Result<(), IdentityError> {
        self.key_fits(svid).map_err(IdentityError::Key)?;
        self.accepted(svid, bundles)?;
        Ok(())
    }

    /// Whether peers that still have the bundles `before` accept `svid`.
    pub(crate) fn overlap(&self, svid: &X509Svid, before: &TrustBundles) -> Overlap {
        match self.accepted(svid, before) {
            Ok(()) => Overlap::Whole,
            Err(_) => Overlap::None,
        }
    }

    fn accepted(&self, svid: &X509Svid, bundles: &TrustBundles) -> Result<(), RejectSvid> {
        let algorithms = self
            .profile
            .provider()
            .signature_verification_algorithms
            .all;
        let now = self.now();
        let as_peer = |usage| {
            let rules = Validation::new(bundles, &AcceptedDomains::Any, algorithms, usage, now);
            validate(svid.chain(), &rules)
        };
        as_peer(Usage::Server).or_else(|reject| as_peer(Usage::Client).map_err(|_also| reject))?;
        Ok(())
    }

    fn key_fits(&self, svid: &X509Svid) -> Result<(), ConfigError> {
        let unusable = |source| ConfigError::UnusableKey { id: svid.id().clone(), source };
        let key = self
            .profile
            .provider()
            .key_provider
            .load_private_key(svid.private_key().clone_key())
            .map_err(unusable)?;
        match CertifiedKey::new(svid.chain().to_vec(), key).keys_match() {
            // A key that cannot tell its public half (a custom provider's) is taken on trust; peers would find out.
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(()),
            Err(Error::InconsistentKeys(_)) => {
                Err(ConfigError::KeyMismatch { id: svid.id().clone() })
            }
            Err(source) => Err(unusable(source)),
        }
    }

    /// The time by the clock of the profile. A broken clock reads as 1970, when nothing is valid yet.
    pub(crate) fn now(&self) -> UnixTime {
        let broken = UnixTime::since_unix_epoch(Duration::ZERO);
        self.profile.time().current_time().unwrap_or(broken)
    }
}

/// Whether those who have not got the newest trust bundles yet are served as well.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Overlap {
    Whole,
    None,
}

/// Whether the identity may change while the process runs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "it may or it may not")]
pub enum IdentityChange {
    /// New material must carry the same SPIFFE ID. The default.
    #[default]
    Refuse,
    /// New material may carry another SPIFFE ID.
    Allow,
}

impl IdentityChange {
    pub(crate) fn check(
        self,
        current: &SpiffeId,
        presented: &SpiffeId,
    ) -> Result<(), IdentityError> {
        if self == Self::Allow || current == presented {
            return Ok(());
        }
        Err(IdentityError::OtherIdentity { current: current.clone(), presented: presented.clone() })
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("domains", &self.domains)
            .finish_non_exhaustive()
    }
}
