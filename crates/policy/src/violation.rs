//! What Istio's validation refuses, and what it only warns about.

use std::fmt;

use crate::ResourceName;
use crate::parse_error::{Place, did_you_mean};

/// A rule of Istio's validation that an object breaks (rules PAV-1 to PAV-7 for `PeerAuthentication`).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// `portLevelMtls` on a policy without selector: it would have no effect.
    #[error("portLevelMtls needs a selector with labels: without one it would have no effect")]
    PortLevelNeedsSelector,
    /// `portLevelMtls: {}`.
    #[error("portLevelMtls needs at least one port")]
    PortLevelEmpty,
    /// A port that is not a number from 1 to 65535 in its shortest decimal form.
    #[error("`{found}` is no port: 1 to 65535, in decimal and without leading zeros")]
    PortOutOfRange {
        /// What is written.
        found: String,
    },
    /// `*` in a label of a selector: selectors compare literally.
    #[error("`*` is not allowed in a selector: labels are compared literally")]
    SelectorWildcard,
    /// An empty label key.
    #[error("a label needs a key")]
    SelectorEmptyKey,
    /// A label value that no workload can have.
    #[error("a label value of {length} characters: Kubernetes allows 63")]
    SelectorValueTooLong {
        /// Its length in characters.
        length: usize,
    },
    /// A value outside the names that the field takes.
    #[error("unknown value {found}{}; allowed: {}", did_you_mean(*nearest), allowed.join(", "))]
    UnknownEnumValue {
        /// What is written, between `` ` ``, with its type where that is not text.
        found: String,
        /// The names that the field takes.
        allowed: &'static [&'static str],
        /// The one that looks most like it.
        nearest: Option<&'static str>,
    },
    /// A `ServiceEntry` without `hosts`.
    #[error("at least one host is needed")]
    HostsEmpty,
    /// A host that is no DNS name, nor `*.` before one.
    #[error("`{found}` is no host name")]
    BadHost {
        /// What is written.
        found: String,
    },
    /// Two ports of a `ServiceEntry` share number or name.
    #[error("a second port with this number or name: `{found}`")]
    DuplicatePort {
        /// The number or name.
        found: String,
    },
    /// Both `endpoints` and `workloadSelector`.
    #[error("either endpoints or workloadSelector, not both")]
    EndpointsAndSelector,
    /// `resolution: NONE` with endpoints: the caller's own address is used, so they would have no effect.
    #[error("resolution NONE takes no endpoints")]
    EndpointsWithoutResolution,
    /// `resolution: STATIC` without endpoints and without `workloadSelector`.
    #[error("resolution STATIC needs endpoints or a workloadSelector")]
    StaticWithoutEndpoints,
    /// An endpoint whose address is missing or is neither an IP address nor a host name.
    #[error("`{found}` is no address: an IP address or a host name is needed")]
    BadAddress {
        /// What is written.
        found: String,
    },
    /// `resolution: STATIC` with an endpoint that is a host name.
    #[error("resolution STATIC needs IP addresses, `{found}` is a host name")]
    AddressNotIp {
        /// The host name.
        found: String,
    },
    /// A dry-run annotation with another value than `"true"` and `"false"`.
    #[error("`{found}` says neither \"true\" (on trial) nor \"false\" (in force)")]
    BadDryRun {
        /// What is written.
        found: String,
    },
    /// A service account that cannot be part of a SPIFFE ID.
    #[error("`{found}` is no service account")]
    BadServiceAccount {
        /// What is written.
        found: String,
    },
}

impl Violation {
    /// A short name that stays stable, for metrics and tests.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::PortLevelNeedsSelector => "port_level_needs_selector",
            Self::PortLevelEmpty => "port_level_empty",
            Self::PortOutOfRange { .. } => "port_out_of_range",
            Self::SelectorWildcard => "selector_wildcard",
            Self::SelectorEmptyKey => "selector_empty_key",
            Self::SelectorValueTooLong { .. } => "selector_value_too_long",
            Self::UnknownEnumValue { .. } => "unknown_enum_value",
            Self::HostsEmpty => "hosts_empty",
            Self::BadHost { .. } => "bad_host",
            Self::DuplicatePort { .. } => "duplicate_port",
            Self::EndpointsAndSelector => "endpoints_and_selector",
            Self::EndpointsWithoutResolution => "endpoints_without_resolution",
            Self::StaticWithoutEndpoints => "static_without_endpoints",
            Self::BadAddress { .. } => "bad_address",
            Self::AddressNotIp { .. } => "address_not_ip",
            Self::BadDryRun { .. } => "bad_dry_run",
            Self::BadServiceAccount { .. } => "bad_service_account",
        }
    }
}

/// Something that is accepted and probably not meant.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Warning {
    /// The name that the caller gave the text.
    pub source_name: String,
    /// The line, from 1.
    pub line: Option<u64>,
    /// The column in characters, from 1.
    pub column: Option<u64>,
    /// The path of the field within its object.
    pub field: String,
    /// The object.
    pub object: ResourceName,
    /// What is odd.
    pub caution: Caution,
}

impl Warning {
    pub(crate) fn new(
        place: Option<Place>,
        field: String,
        object: ResourceName,
        caution: Caution,
    ) -> Self {
        Self {
            source_name: String::new(),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            field,
            object,
            caution,
        }
    }

    /// A short name that stays stable, for metrics and tests.
    pub fn reason(&self) -> &'static str {
        match self.caution {
            Caution::SelectorWithoutLabels => "selector_without_labels",
        }
    }
}

/// Such as `policies.yaml:4:3: foo/default: spec.selector: a selector without labels ...`.
impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source_name)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, ":{line}:{column}")?;
        }
        let colon = if self.source_name.is_empty() && self.line.is_none() { "" } else { ": " };
        write!(f, "{colon}{}: {}: {}", self.object, self.field, self.caution)
    }
}

/// What a [`Warning`] is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Caution {
    /// `selector: {}`: the policy is for the whole namespace, as if there were no selector.
    #[error("a selector without labels selects the whole namespace, as if it were not there")]
    SelectorWithoutLabels,
}
