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
    /// A rule that sends plaintext or foreign TLS to a STRICT port.
    RuleRefusedByStrict = "MT101" Error,
    /// A rule that does mesh mTLS with an endpoint outside the mesh, or with a DISABLE port.
    RuleNeedsMesh = "MT102" Error,
    /// A port entry without `tls`, under a `tls` that it does not inherit.
    PortDropsTls = "MT103" Warning,
    /// A server name without names to check: only the chain is.
    ServerNameUnchecked = "MT104" Warning,
    /// A rule for a host that no service has.
    HostUnknown = "MT105" Warning,
    /// A pattern that hides a more exact rule of another namespace.
    PatternHidesRule = "MT106" Warning,
    /// A rule whose TLS is dropped for that of an older one for the same host.
    RulesConflict = "MT107" Error,
    /// `insecureSkipVerify`.
    VerificationSkipped = "MT108" Warning,
    /// `credentialName`, which needs Kubernetes.
    CredentialName = "MT109" Warning,
    /// A subset without endpoints.
    SubsetEmpty = "MT110" Warning,
    /// ALLOW that a plaintext peer fits, because it asks only who the peer is not (rule AZ-14).
    AllowAdmitsPlaintext = "MT201" Error,
    /// DENY that denies more connections than it says, because its HTTP conditions are left out (rule AZ-9).
    DenyWidened = "MT202" Warning,
    /// An ALLOW rule that no connection matches, because it has an HTTP condition (rule AZ-8).
    AllowRuleDropped = "MT203" Error,
    /// A principal written with `spiffe://` (rule AZ-10).
    PrincipalWithScheme = "MT204" Error,
    /// A star that is neither the first nor the last character, and so a literal one (rule AZ-10).
    LiteralStar = "MT205" Error,
    /// `cluster.local` in a principal, in a mesh that has another trust domain (rule AZ-17).
    PointerToTrustDomain = "MT206" Note,
    /// A trust domain that is none of the mesh.
    ForeignTrustDomain = "MT207" Warning,
    /// A principal pattern that is not taken to the other names of the trust domain (rule AZ-17).
    PatternNotExpanded = "MT208" Warning,
    /// ALLOW without rules: nobody may connect (rule AZ-6).
    AllowWithoutRules = "MT209" Note,
    /// CUSTOM: here every connection that matches is refused (rule AZ-5).
    CustomRefuses = "MT210" Warning,
    /// A port on which no selected workload listens.
    PortUnserved = "MT211" Warning,
    /// A Service's port that is another one at the workload (rule AZ-16).
    PortIsServicePort = "MT212" Error,
    /// `targetRefs`: the policy is for no workload (rule AZ-3).
    TargetRefsIgnored = "MT213" Warning,
    /// A dry-run annotation that is neither `true` nor `false`; only a value can have it.
    DryRunUnreadable = "MT214" Warning,
    /// DENY that a plaintext peer evades, because it asks who the peer is (rule AZ-14).
    DenyEvadedByPlaintext = "MT215" Warning,
    /// A TLS block for a port that is not DISABLE (rule SI-4).
    IngressTlsIgnored = "MT301" Error,
    /// A TLS block in a mesh that has them turned off (rule SI-3).
    IngressTlsTurnedOff = "MT302" Error,
    /// A port declared `HTTPS` or `TLS` on which nothing ends TLS (rule SI-4).
    IngressWithoutTls = "MT303" Warning,
    /// A `Sidecar` that is for no workload, because others come before it (rule SI-1).
    ShadowedSidecar = "MT304" Warning,
    /// An endpoint of a service of the mesh without service account: it gets plaintext.
    EndpointWithoutAccount = "MT401" Warning,
    /// A `workloadSelector` that selects no `WorkloadEntry`.
    NoEntrySelected = "MT402" Warning,
    /// A host and port that an older entry of the namespace has already.
    HostTwice = "MT403" Warning,
    /// A service account and a label that contradict each other.
    IdentityContradiction = "MT404" Error,
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
