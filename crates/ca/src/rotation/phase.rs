//! Where a rotation stands, and what leads on.

use std::fmt;

#[cfg(doc)]
use super::Rotation;

/// Where a rotation stands.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Phase {
    /// One authority signs, and is trusted.
    Steady,
    /// The old one signs, the new one is trusted too.
    Prepared,
    /// The new one signs, the old one is trusted too.
    Activated,
    /// The new one signs and is trusted, the old one is remembered.
    Retired,
}

impl Phase {
    /// A short label for metrics. It stays the same over releases.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Prepared => "prepared",
            Self::Activated => "activated",
            Self::Retired => "retired",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// What leads from one phase to another.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Step {
    /// [`Rotation::prepare`].
    Prepare,
    /// [`Rotation::activate`].
    Activate,
    /// [`Rotation::retire`].
    Retire,
    /// [`Rotation::back`].
    Back,
    /// [`Rotation::forget`].
    Forget,
    /// [`Rotation::renew`].
    Renew,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepare => "prepare",
            Self::Activate => "activate",
            Self::Retire => "retire",
            Self::Back => "back",
            Self::Forget => "forget",
            Self::Renew => "renew",
        })
    }
}

/// Whether a step waits until it breaks no connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Readiness {
    /// A step that is not ready is refused.
    Required,
    /// The step is taken whatever lives. **Connections break**, until those whom [`Rotation::ready`] names have
    /// renewed. For emergencies, such as a key that somebody else has.
    Override,
}
