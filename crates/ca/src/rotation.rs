//! The rotation of a root, as a state machine: which authority signs, which roots are trusted, and what may come next.

mod error;
mod issue;
mod phase;
mod renewal;

pub use self::error::RotationError;
pub(crate) use self::issue::unused;
pub use self::phase::{Phase, Readiness, Step};

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, UnixTime};

use crate::{Authority, AuthorityRoots, Ledger};

/// Which authority signs, and which are trusted beside it.
///
/// ```text
///          prepare            activate             retire            forget
/// Steady -----------> Prepared -----------> Activated -----------> Retired -----------> Steady
///        <-----------          <-----------           <-----------
///            back                  back                  back
/// ```
///
/// | phase | signs | trusted |
/// | --- | --- | --- |
/// | [`Steady`](Phase::Steady) | the only one | it |
/// | [`Prepared`](Phase::Prepared) | the old one | both |
/// | [`Activated`](Phase::Activated) | the new one | both |
/// | [`Retired`](Phase::Retired) | the new one | it; the old one is remembered |
///
/// # The rule
///
/// Each step begins a new generation, and each X509-SVID is recorded in a [`Ledger`] with the generation it was issued
/// in. Its holder got the roots of that generation with it. Hence, for a generation *g*, once nothing older than *g*
/// lives:
///
/// * If a root is trusted since *g*, every holder has got it. It may begin to sign
///   ([`activate`](Self::activate), and [`back`](Self::back) from Activated).
/// * If a root has not signed since *g*, nobody shows a chain that ends in it. Its trust may end
///   ([`retire`](Self::retire), and [`back`](Self::back) from Prepared, at once if the new root has never signed).
///
/// A root that comes back into trust is trusted since *that* generation, and one that stops signing a second time has
/// signed until *then*: so the rule holds along every path, backwards too. What only adds trust, or drops what is not
/// trusted, waits for nothing.
///
/// What the record cannot know: who verifies X509-SVIDs without having one (a federated domain, `curl`), and what an
/// authority that was [prepared](Self::prepare) has signed elsewhere.
///
/// A value is one state; each step gives the next one, and leaves this one as it is.
#[derive(Clone, Debug)]
pub struct Rotation {
    generation: u64,
    signing: Root,
    state: State,
}

/// An authority, and the generations that the rule asks for.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    pub(crate) authority: Arc<Authority>,
    /// Trusted in every generation from this one on, as far as it is trusted now.
    pub(crate) trusted_since: u64,
    /// Signs in no generation from this one on, as far as it does not sign now; 0 if it has never signed.
    pub(crate) signed_until: u64,
}

#[derive(Clone, Debug)]
enum State {
    Steady,
    Prepared { next: Root },
    Activated { previous: Root },
    Retired { remembered: Root },
}

impl Rotation {
    /// One authority, which signs and is trusted: [`Phase::Steady`] in generation 0.
    #[must_use]
    pub fn steady(authority: Authority) -> Self {
        let signing = Root { authority: Arc::new(authority), trusted_since: 0, signed_until: 0 };
        Self { generation: 0, signing, state: State::Steady }
    }

    /// The phase.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.state {
            State::Steady => Phase::Steady,
            State::Prepared { .. } => Phase::Prepared,
            State::Activated { .. } => Phase::Activated,
            State::Retired { .. } => Phase::Retired,
        }
    }

    /// How many steps led here.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The authority that signs.
    #[must_use]
    pub fn signing(&self) -> &Arc<Authority> {
        &self.signing.authority
    }

    /// The other authority: the next one, the previous one or the one that is remembered, as the phase says.
    #[must_use]
    pub fn other(&self) -> Option<&Arc<Authority>> {
        self.other_root().map(|root| &root.authority)
    }

    /// What is to be trusted: the roots of the authority that signs, then those of the other one unless it is only
    /// remembered.
    #[must_use]
    pub fn roots(&self) -> AuthorityRoots {
        let mut roots = self.signing().roots().to_vec();
        if let State::Prepared { next: also } | State::Activated { previous: also } = &self.state {
            let more = also.authority.roots().iter();
            let more: Vec<_> = more.filter(|root| !roots.contains(root)).cloned().collect();
            roots.extend(more);
        }
        AuthorityRoots::new(roots, self.generation)
    }

    /// The authority that signs, as one that never changes: with all roots that are trusted now.
    #[must_use]
    pub fn to_authority(&self) -> Authority {
        Authority { roots: self.roots().certificates, ..Authority::clone(self.signing()) }
    }

    /// Whether `step` may be taken at `now`, without taking it.
    ///
    /// # Errors
    ///
    /// [`RotationError::NotAllowed`] and [`RotationError::NotReady`].
    pub fn ready(&self, step: Step, ledger: &Ledger, now: UnixTime) -> Result<(), RotationError> {
        match ledger.live_before(self.waits_for(step)?, now) {
            None => Ok(()),
            Some(waiting) => Err(RotationError::NotReady { phase: self.phase(), step, waiting }),
        }
    }

    /// Steady to Prepared: the roots of `next` are trusted from now on. It does not sign yet.
    ///
    /// Nothing has to be waited for: more trust breaks no connection.
    ///
    /// # Errors
    ///
    /// * [`RotationError::NotAllowed`]: in another phase. What is remembered is to be [forgotten](Self::forget) first.
    /// * [`RotationError::ForeignTrustDomain`], [`RotationError::SameCertificate`], [`RotationError::Unusable`]:
    ///   `next` is for another domain, signs already, or is not valid at `now`.
    pub fn prepare(&self, next: Authority, now: UnixTime) -> Result<Self, RotationError> {
        self.waits_for(Step::Prepare)?;
        if next.trust_domain() != self.signing().trust_domain() {
            return Err(RotationError::ForeignTrustDomain {
                presented: next.trust_domain().clone(),
                own: self.signing().trust_domain().clone(),
            });
        }
        if next.certificate() == self.signing().certificate() {
            return Err(RotationError::SameCertificate);
        }
        next.validity_of(Duration::ZERO, now)?;
        let generation = self.generation.saturating_add(1);
        let next = Root { authority: Arc::new(next), trusted_since: generation, signed_until: 0 };
        Ok(Self { generation, signing: self.signing.clone(), state: State::Prepared { next } })
    }

    /// Prepared to Activated: the new authority signs. Both are trusted.
    ///
    /// Ready once every live X509-SVID was issued together with the new root.
    ///
    /// # Errors
    ///
    /// * [`RotationError::NotAllowed`] and [`RotationError::NotReady`].
    /// * [`RotationError::Unusable`]: the new authority is not valid at `now`, overridden or not.
    pub fn activate(
        &self,
        ledger: &Ledger,
        now: UnixTime,
        readiness: Readiness,
    ) -> Result<Self, RotationError> {
        self.check(Step::Activate, ledger, now, readiness)?;
        let State::Prepared { next } = &self.state else {
            return Err(self.not_allowed(Step::Activate));
        };
        next.authority.validity_of(Duration::ZERO, now)?;
        let generation = self.generation.saturating_add(1);
        let previous = Root { signed_until: generation, ..self.signing.clone() };
        Ok(Self { generation, signing: next.clone(), state: State::Activated { previous } })
    }

    /// Activated to Retired: the old root is not trusted any more. It is remembered.
    ///
    /// Ready once every live X509-SVID chains to the new root.
    ///
    /// # Errors
    ///
    /// [`RotationError::NotAllowed`] and [`RotationError::NotReady`].
    pub fn retire(
        &self,
        ledger: &Ledger,
        now: UnixTime,
        readiness: Readiness,
    ) -> Result<Self, RotationError> {
        self.check(Step::Retire, ledger, now, readiness)?;
        let State::Activated { previous } = &self.state else {
            return Err(self.not_allowed(Step::Retire));
        };
        let generation = self.generation.saturating_add(1);
        let remembered = previous.clone();
        Ok(Self { generation, signing: self.signing.clone(), state: State::Retired { remembered } })
    }

    /// One phase back.
    ///
    /// * From Prepared: the new root is dropped, with its key. Ready at once, unless it has signed (after a way back
    ///   from Activated): then once no live X509-SVID chains to it.
    /// * From Activated: the old authority signs again. Ready at once, unless the old root was retired in between:
    ///   then once every live X509-SVID was issued together with it.
    /// * From Retired: the old root is trusted again. Ready at once; it does not sign.
    ///
    /// # Errors
    ///
    /// * [`RotationError::NotAllowed`] (in Steady) and [`RotationError::NotReady`].
    /// * [`RotationError::Unusable`]: the authority that would sign is not valid at `now`, overridden or not.
    pub fn back(
        &self,
        ledger: &Ledger,
        now: UnixTime,
        readiness: Readiness,
    ) -> Result<Self, RotationError> {
        self.check(Step::Back, ledger, now, readiness)?;
        let generation = self.generation.saturating_add(1);
        let signing = self.signing.clone();
        match &self.state {
            State::Steady => Err(self.not_allowed(Step::Back)),
            State::Prepared { .. } => Ok(Self { generation, signing, state: State::Steady }),
            State::Activated { previous } => {
                previous.authority.validity_of(Duration::ZERO, now)?;
                let next = Root { signed_until: generation, ..signing };
                Ok(Self { generation, signing: previous.clone(), state: State::Prepared { next } })
            }
            State::Retired { remembered } => {
                let previous = Root { trusted_since: generation, ..remembered.clone() };
                Ok(Self { generation, signing, state: State::Activated { previous } })
            }
        }
    }

    /// Retired to Steady: what is remembered is dropped for good, with its key. There is no way back.
    ///
    /// # Errors
    ///
    /// [`RotationError::NotAllowed`].
    pub fn forget(&self) -> Result<Self, RotationError> {
        self.waits_for(Step::Forget)?;
        let generation = self.generation.saturating_add(1);
        Ok(Self { generation, signing: self.signing.clone(), state: State::Steady })
    }

    /// The rule: nothing may live that is older than the generation given here.
    fn waits_for(&self, step: Step) -> Result<u64, RotationError> {
        match (&self.state, step) {
            (State::Steady, Step::Prepare | Step::Renew)
            | (State::Retired { .. }, Step::Back | Step::Forget | Step::Renew) => Ok(0),
            (State::Prepared { next: root }, Step::Activate)
            | (State::Activated { previous: root }, Step::Back) => Ok(root.trusted_since),
            (State::Prepared { next: root }, Step::Back)
            | (State::Activated { previous: root }, Step::Retire) => Ok(root.signed_until),
            (State::Steady, Step::Activate | Step::Retire | Step::Back | Step::Forget)
            | (State::Prepared { .. }, Step::Prepare | Step::Retire | Step::Forget | Step::Renew)
            | (
                State::Activated { .. },
                Step::Prepare | Step::Activate | Step::Forget | Step::Renew,
            )
            | (State::Retired { .. }, Step::Prepare | Step::Activate | Step::Retire) => {
                Err(self.not_allowed(step))
            }
        }
    }

    fn check(
        &self,
        step: Step,
        ledger: &Ledger,
        now: UnixTime,
        readiness: Readiness,
    ) -> Result<(), RotationError> {
        match readiness {
            Readiness::Required => self.ready(step, ledger, now),
            Readiness::Override => self.waits_for(step).map(|_generation| ()),
        }
    }

    fn not_allowed(&self, step: Step) -> RotationError {
        RotationError::NotAllowed { phase: self.phase(), step }
    }

    #[cfg(all(feature = "store", any(feature = "ring", feature = "aws-lc-rs")))]
    pub(crate) fn signing_root(&self) -> &Root {
        &self.signing
    }

    pub(crate) fn other_root(&self) -> Option<&Root> {
        match &self.state {
            State::Steady => None,
            State::Prepared { next: root }
            | State::Activated { previous: root }
            | State::Retired { remembered: root } => Some(root),
        }
    }

    /// Puts a state together that was written down. `None` if the phase and the other root do not fit.
    #[cfg(all(feature = "store", any(feature = "ring", feature = "aws-lc-rs")))]
    pub(crate) fn restore(
        phase: Phase,
        generation: u64,
        signing: Root,
        other: Option<Root>,
    ) -> Option<Self> {
        let state = match (phase, other) {
            (Phase::Steady, None) => State::Steady,
            (Phase::Prepared, Some(next)) => State::Prepared { next },
            (Phase::Activated, Some(previous)) => State::Activated { previous },
            (Phase::Retired, Some(remembered)) => State::Retired { remembered },
            (Phase::Steady, Some(_)) | (_, None) => return None,
        };
        Some(Self { generation, signing, state })
    }
}

/// Whether `certificate` is one of `roots`.
fn is_root(certificate: &CertificateDer<'_>, roots: &[CertificateDer<'_>]) -> bool {
    roots.iter().any(|root| root == certificate)
}
