//! The codes of findings, and how bad each is.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(
    clippy::exhaustive_enums,
    reason = "an exit code is chosen by severity: none may be missed"
)]
pub enum Severity {
    /// Connections fail, or what is written does not protect: nobody can mean it.
    Error,
    /// Something has no effect, or more effect than it seems.
    Warning,
    /// Harmless, or right in some meshes; worth knowing.
    Note,
}

impl Severity {
    /// `error`, `warning` or `note`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One table for the variants, their names and their severities.
macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $name:literal $severity:ident,)*) => {
        /// What a finding is about. Names are stable: a code is never given another meaning, and a number never used twice.
        ///
        /// `docs/lint.md` in the repository has the reason for each, an example that provokes it and one that does not.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $code,)*
        }

        impl Code {
            /// Every code, by number.
            pub const ALL: &'static [Self] = &[$(Self::$code),*];

            /// The stable name, such as `MT001`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => $name,)*
                }
            }

            /// How bad it is.
            pub const fn severity(self) -> Severity {
                match self {
                    $(Self::$code => Severity::$severity,)*
                }
            }
        }
    };
}

codes! {
    /// A policy without selector that is not the oldest of its namespace (rule PA-3).
    SupersededPolicy = "MT001" Warning,
    /// A policy with a selector, every workload of which an older policy has taken (rule PA-6).
    ShadowedPolicy = "MT002" Warning,
    /// A policy that says of the same workloads what an older one says.
    DuplicatePolicy = "MT003" Note,
    /// A `PeerAuthentication` with a selector in the root namespace (rule PA-4).
    SelectorInRootNamespace = "MT004" Error,
    /// A port entry for a port on which no selected workload listens.
    PortEntryUnserved = "MT005" Warning,
    /// A port entry for a Service's port that is another one at the workload (rule PA-9).
    PortEntryIsServicePort = "MT006" Error,
    /// A port entry that says what would hold without it (rule PA-8).
    PortEntryRedundant = "MT007" Note,
    /// A selector that no workload of the inventory has the labels for.
    SelectorMatchesNothing = "MT008" Warning,
    /// Port entries in a policy without selector; only a value can have them (rules PA-8 and PAV-1).
    PortEntriesWithoutSelector = "MT009" Error,
    /// Port entries that are lost because an older policy selects the same workload (rule PA-6).
    PortEntriesLost = "MT010" Error,
    /// A policy that is UNSET and keeps no other from taking effect (rule PA-7).
    UnsetPolicy = "MT011" Note,
    /// STRICT for a workload that is not in the mesh.
    StrictWithoutIdentity = "MT012" Error,
    /// STRICT while the inventory has workloads outside the mesh, which it refuses as clients.
    ClientsWithoutIdentity = "MT013" Note,
    /// STRICT for a workload of a namespace that clients take for DISABLE (rule PA-11).
    StrictInDisabledNamespace = "MT014" Error,
    /// A policy on trial that would change nothing.
    DryRunWithoutEffect = "MT015" Warning,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// As its name.
impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl FromStr for Code {
    type Err = UnknownCode;

    /// Reads a name such as `MT001`, in capitals.
    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.as_str() == text)
            .ok_or(UnknownCode)
    }
}

/// A text is not the name of a [`Code`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no code of a finding; they are called MT001 and so on")]
#[non_exhaustive]
pub struct UnknownCode;
