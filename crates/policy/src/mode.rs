//! The mTLS mode of a port: what an inbound connection must be.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// What a workload accepts on a port.
///
/// There is no value for `UNSET`: where a policy may leave the mode open, it is an `Option`, and `None` means "take it from
/// the level above" (rule PA-7).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever decides about a connection must handle every mode"
)]
pub enum MtlsMode {
    /// Plaintext; TLS is not terminated.
    Disable,
    /// Mesh mTLS and plaintext.
    Permissive,
    /// Mesh mTLS only.
    Strict,
}

impl MtlsMode {
    /// The three modes, weakest first.
    pub const ALL: [Self; 3] = [Self::Disable, Self::Permissive, Self::Strict];

    /// The mode where no policy says anything: [`Permissive`](Self::Permissive).
    pub const DEFAULT: Self = Self::Permissive;

    /// The name in Istio's schema, such as `STRICT`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "DISABLE",
            Self::Permissive => "PERMISSIVE",
            Self::Strict => "STRICT",
        }
    }
}

impl fmt::Display for MtlsMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for MtlsMode {
    type Err = UnknownMode;

    /// Reads one of the three names. Case counts, as in Istio's schema.
    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or(UnknownMode)
    }
}

/// A text is not `DISABLE`, `PERMISSIVE` or `STRICT`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not one of DISABLE, PERMISSIVE, STRICT")]
#[non_exhaustive]
pub struct UnknownMode;

#[cfg(test)]
mod tests {
    use super::{MtlsMode, UnknownMode};

    #[test]
    fn names_are_read_as_they_are_printed() {
        for mode in MtlsMode::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
            assert_eq!(mode.to_string().to_lowercase().parse::<MtlsMode>(), Err(UnknownMode));
        }
    }
}
