//! Why a rotation does not go on.

use meshtls_identity::TrustDomain;

use super::{Phase, Step};
use crate::{IssueError, Waiting};

/// Why a step was not taken. The state is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RotationError {
    /// The phase has no such step.
    #[error("{step} is no step from the phase {phase}")]
    NotAllowed {
        /// The phase.
        phase: Phase,
        /// The step.
        step: Step,
    },
    /// The step would break connections now.
    #[error("{step} is not ready in the phase {phase}: {waiting}")]
    NotReady {
        /// The phase.
        phase: Phase,
        /// The step.
        step: Step,
        /// What lives that must not.
        waiting: Waiting,
    },
    /// The new authority is of another trust domain.
    #[error("the new authority is of the trust domain {presented}, not of {own}")]
    ForeignTrustDomain {
        /// Its domain.
        presented: TrustDomain,
        /// The domain of the authority that signs.
        own: TrustDomain,
    },
    /// The new authority has the certificate that signs already.
    #[error("the new authority is the one that signs already")]
    SameCertificate,
    /// Only a root can be renewed: an intermediate's certificate is made by the authority above it.
    #[error("the authority that signs is not its own root")]
    NotSelfSigned,
    /// The root limits what is below it (path length, name constraints), and its new certificate would not.
    #[error("the root has a path length or name constraints, which a renewal would lose")]
    Constrained,
    /// The authority that would sign is not valid now, or the new certificate was not made.
    #[error("the authority cannot be used")]
    Unusable(#[from] IssueError),
}

impl RotationError {
    /// A short label for metrics. It stays the same over releases.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotAllowed { .. } => "rotation_step_not_allowed",
            Self::NotReady { .. } => "rotation_not_ready",
            Self::ForeignTrustDomain { .. } => "rotation_foreign_trust_domain",
            Self::SameCertificate => "rotation_same_certificate",
            Self::NotSelfSigned => "rotation_not_self_signed",
            Self::Constrained => "rotation_constrained",
            Self::Unusable(_) => "rotation_authority_unusable",
        }
    }
}
