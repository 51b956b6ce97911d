//! Who may ask for which identity, for how long, and for which keys.

use std::collections::BTreeMap;
use std::time::Duration;

use meshtls_identity::{IdMatcher, SpiffeId};
use rustls_pki_types::UnixTime;

use crate::registration::Refusal;
use crate::requester::Requester;
use crate::{Authority, KeyAlgorithm, PublicKey};

/// The rules of a [`RegistrationAuthority`](crate::RegistrationAuthority).
///
/// By default a requester gets exactly its own identity, for 24 hours unless it asks for another life of
/// one minute to 90 days (24 hours and 90 days are Istio's defaults, the minute is ours), and for a key of any kind
/// that [`csr::check`](crate::csr::check) accepts, RSA from 2048 bits.
#[derive(Clone, Debug)]
pub struct IssuancePolicy {
    delegates: BTreeMap<SpiffeId, Vec<IdMatcher>>,
    default_ttl: Duration,
    min_ttl: Duration,
    max_ttl: Duration,
    keys: Vec<KeyAlgorithm>,
    min_rsa_bits: usize,
}

impl Default for IssuancePolicy {
    fn default() -> Self {
        Self {
            delegates: BTreeMap::new(),
            default_ttl: Authority::DEFAULT_TTL,
            min_ttl: Self::DEFAULT_MIN_TTL,
            max_ttl: Authority::MAX_TTL,
            keys: vec![
                KeyAlgorithm::P256,
                KeyAlgorithm::P384,
                KeyAlgorithm::Ed25519,
                KeyAlgorithm::Rsa,
            ],
            min_rsa_bits: Self::RSA_BITS.0,
        }
    }
}

impl IssuancePolicy {
    /// The lowest bound that a policy may set: one second, for tests and rehearsals.
    pub const SHORTEST_TTL: Duration = Duration::from_secs(1);
    /// The shortest life that may be asked for unless a policy says otherwise: one minute, so that an authority which is away for a
    /// moment is not missed.
    pub const DEFAULT_MIN_TTL: Duration = Duration::from_secs(60);
    /// The bounds between which the least RSA length may be set.
    const RSA_BITS: (usize, usize) = (2048, 8192);

    /// Lets `delegate` ask for the identities of others that `may_ask_for` matches, beside its own: a node's
    /// agent that asks for the workloads of its node, as ztunnel does. Said twice, both count.
    #[must_use]
    pub fn with_delegate(mut self, delegate: SpiffeId, may_ask_for: IdMatcher) -> Self {
        self.delegates
            .entry(delegate)
            .or_default()
            .push(may_ask_for);
        self
    }

    /// Sets the life of an X509-SVID that is asked for without one, and the shortest and longest that may be
    /// asked for.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Ttl`]: not [`SHORTEST_TTL`](Self::SHORTEST_TTL) ≤ `min` ≤ `default` ≤ `max` ≤
    /// [`Authority::MAX_TTL`].
    pub fn with_ttl(
        mut self,
        min: Duration,
        default: Duration,
        max: Duration,
    ) -> Result<Self, PolicyError> {
        let ordered = [Self::SHORTEST_TTL, min, default, max, Authority::MAX_TTL].is_sorted();
        if !ordered {
            return Err(PolicyError::Ttl { min, default, max });
        }
        (self.min_ttl, self.default_ttl, self.max_ttl) = (min, default, max);
        Ok(self)
    }

    /// Issues only for keys of these kinds.
    ///
    /// # Errors
    ///
    /// [`PolicyError::NoKeys`]: `keys` is empty, which would refuse everybody.
    pub fn with_keys(mut self, keys: &[KeyAlgorithm]) -> Result<Self, PolicyError> {
        if keys.is_empty() {
            return Err(PolicyError::NoKeys);
        }
        self.keys = keys.to_vec();
        Ok(self)
    }

    /// Refuses RSA keys below `bits`: 2048 (the default) to 8192.
    ///
    /// # Errors
    ///
    /// [`PolicyError::RsaBits`]: outside these bounds.
    pub fn with_min_rsa_bits(mut self, bits: usize) -> Result<Self, PolicyError> {
        if !(Self::RSA_BITS.0..=Self::RSA_BITS.1).contains(&bits) {
            return Err(PolicyError::RsaBits { bits });
        }
        self.min_rsa_bits = bits;
        Ok(self)
    }

    /// Decides the identity: one's own, or for a delegate one that it may ask for.
    pub(crate) fn identity(
        &self,
        requester: &Requester,
        wanted: Option<&SpiffeId>,
        now: UnixTime,
    ) -> Result<SpiffeId, Refusal> {
        if let Some(valid_until) = requester.expired(now) {
            return Err(Refusal::RequesterExpired { valid_until, now });
        }
        let own = requester.ids();
        let Some(wanted) = wanted else {
            return match own {
                [] => Err(Refusal::NoIdentity),
                [id] => Ok(id.clone()),
                several => Err(Refusal::Ambiguous { identities: several.len() }),
            };
        };
        let delegated = own.iter().filter_map(|id| self.delegates.get(id));
        if own.contains(wanted) || delegated.flatten().any(|matcher| matcher.matches(wanted)) {
            return Ok(wanted.clone());
        }
        if own.is_empty() {
            return Err(Refusal::NoIdentity);
        }
        Err(Refusal::NotYours { wanted: wanted.clone() })
    }

    /// Decides the life: no or zero asks for the default, as in Istio; one out of bounds is not moved into them.
    pub(crate) fn life(&self, ttl: Option<Duration>) -> Result<Duration, Refusal> {
        match ttl {
            None | Some(Duration::ZERO) => Ok(self.default_ttl),
            Some(ttl) if ttl < self.min_ttl => Err(Refusal::TtlTooShort { ttl, min: self.min_ttl }),
            Some(ttl) if ttl > self.max_ttl => Err(Refusal::TtlTooLong { ttl, max: self.max_ttl }),
            Some(ttl) => Ok(ttl),
        }
    }

    pub(crate) fn check_key(&self, key: &PublicKey) -> Result<(), Refusal> {
        let algorithm = key.algorithm();
        if !self.keys.contains(&algorithm) {
            return Err(Refusal::KeyAlgorithm { algorithm });
        }
        match key.rsa_bits() {
            Some(bits) if bits < self.min_rsa_bits => {
                Err(Refusal::RsaTooShort { bits, min: self.min_rsa_bits })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Why a policy cannot be meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The lives are not in order, or out of bounds.
    #[error(
        "lives of {} s to {} s, by default {} s: wanted {} s or more, in this order, and at most {} s",
        min.as_secs(), max.as_secs(), default.as_secs(), IssuancePolicy::SHORTEST_TTL.as_secs(), Authority::MAX_TTL.as_secs()
    )]
    Ttl {
        /// The shortest.
        min: Duration,
        /// The default.
        default: Duration,
        /// The longest.
        max: Duration,
    },
    /// No kind of key is allowed.
    #[error("no kind of key is allowed")]
    NoKeys,
    /// The least RSA length is out of bounds.
    #[error("RSA keys of at least {bits} bits, wanted 2048 to 8192")]
    RsaBits {
        /// The length asked for.
        bits: usize,
    },
}
