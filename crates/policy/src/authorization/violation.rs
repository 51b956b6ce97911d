//! What Istio's validation refuses in an `AuthorizationPolicy`.

use crate::parse_error::did_you_mean;

/// A rule of Istio's validation that an `AuthorizationPolicy` breaks (rules AZV-1 to AZV-17).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizationViolation {
    /// A selector beside `targetRef` or `targetRefs`, or both of these.
    #[error("only one of selector, targetRef and targetRefs can be there")]
    SelectorAndTargetRefs,
    /// A reference to an object without name.
    #[error("a target needs a name")]
    TargetWithoutName,
    /// A reference to another namespace.
    #[error("a target is always in the policy's own namespace")]
    TargetNamespace,
    /// A reference to a kind that policies cannot be for.
    #[error("`{found}` is no target: Service, ServiceEntry, Gateway or GatewayClass")]
    TargetKind {
        /// Group and kind.
        found: String,
    },
    /// DENY without rules would never deny.
    #[error(
        "DENY needs rules: without any it denies nothing (the empty rule `{{}}` denies everything)"
    )]
    DenyWithoutRules,
    /// CUSTOM without rules would never ask.
    #[error(
        "CUSTOM needs rules: without any nothing is asked for (the empty rule `{{}}` asks about everything)"
    )]
    CustomWithoutRules,
    /// CUSTOM without `provider.name`.
    #[error("CUSTOM needs the name of a provider")]
    CustomWithoutProvider,
    /// A condition that CUSTOM rules cannot have.
    #[error("CUSTOM rules cannot have `{found}`")]
    CustomUnsupported {
        /// The field or key.
        found: String,
    },
    /// A provider with another action than CUSTOM.
    #[error("only CUSTOM takes a provider")]
    ProviderWithoutCustom,
    /// `from: []`: it reads as "nobody", and means "anybody".
    #[error("`from` without a source; leave it out for anybody")]
    EmptyFrom,
    /// `to: []`: it reads as "nothing", and means "anything".
    #[error("`to` without an operation; leave it out for any")]
    EmptyTo,
    /// A source without conditions.
    #[error("a source needs a condition; leave `from` out for anybody")]
    EmptySource,
    /// An operation without conditions.
    #[error("an operation needs a condition; leave `to` out for any")]
    EmptyOperation,
    /// `serviceAccounts` beside `principals` or `namespaces`.
    #[error("serviceAccounts and notServiceAccounts cannot be beside principals or namespaces")]
    ServiceAccountsCombined,
    /// More entries than Istio takes.
    #[error("{found} entries are more than the {max} allowed")]
    TooMany {
        /// How many there are.
        found: usize,
        /// The bound.
        max: usize,
    },
    /// A value without text.
    #[error("an empty value")]
    EmptyValue,
    /// A service account that is neither `name` nor `namespace/name`, or longer than 320 characters.
    #[error(
        "`{found}` is no service account: `name` or `namespace/name`, without `*`, at most 320 characters"
    )]
    BadAccount {
        /// What is written.
        found: String,
    },
    /// A trust domain with a slash in it.
    #[error("`{found}` is no trust domain: it has a `/`")]
    TrustDomainWithSlash {
        /// What is written.
        found: String,
    },
    /// A second `*`, or one that is not at an end.
    #[error("`{found}`: one `*` is allowed, at the start or at the end")]
    MisplacedStar {
        /// What is written.
        found: String,
    },
    /// Neither an IP address nor a block of them.
    #[error("`{found}` is neither an IP address nor a block such as `10.0.0.0/8`")]
    BadIpBlock {
        /// What is written.
        found: String,
    },
    /// A port that is not a number from 0 to 65535.
    #[error("`{found}` is no port: 0 to 65535")]
    BadPort {
        /// What is written.
        found: String,
    },
    /// A path with braces that are no template.
    #[error("`{found}` is no path: `{{*}}` and a last `{{**}}` are the templates")]
    BadPath {
        /// What is written.
        found: String,
    },
    /// A condition without key.
    #[error("a condition needs a key")]
    EmptyKey,
    /// A key that is no attribute.
    #[error("`{found}` is no attribute{}", did_you_mean(*nearest))]
    UnknownKey {
        /// What is written.
        found: String,
        /// The attribute that looks most like it.
        nearest: Option<&'static str>,
    },
    /// An attribute of Istio's first API, which the namespace, the selector and `ports` replace.
    #[error("`{found}` is no attribute any more: use the namespace, the selector or `ports`")]
    RetiredKey {
        /// What is written.
        found: String,
    },
    /// A key that needs a name in brackets.
    #[error("`{found}` needs a name in brackets, such as `request.headers[x-token]`")]
    BadKey {
        /// What is written.
        found: String,
    },
    /// A condition without values.
    #[error("a condition needs values or notValues")]
    ConditionWithoutValues,
}

impl AuthorizationViolation {
    /// A short name that stays stable, for metrics and tests.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::SelectorAndTargetRefs => "selector_and_target_refs",
            Self::TargetWithoutName => "target_without_name",
            Self::TargetNamespace => "target_namespace",
            Self::TargetKind { .. } => "target_kind",
            Self::DenyWithoutRules => "deny_without_rules",
            Self::CustomWithoutRules => "custom_without_rules",
            Self::CustomWithoutProvider => "custom_without_provider",
            Self::CustomUnsupported { .. } => "custom_unsupported",
            Self::ProviderWithoutCustom => "provider_without_custom",
            Self::EmptyFrom => "empty_from",
            Self::EmptyTo => "empty_to",
            Self::EmptySource => "empty_source",
            Self::EmptyOperation => "empty_operation",
            Self::ServiceAccountsCombined => "service_accounts_combined",
            Self::TooMany { .. } => "too_many",
            Self::EmptyValue => "empty_value",
            Self::BadAccount { .. } => "bad_account",
            Self::TrustDomainWithSlash { .. } => "trust_domain_with_slash",
            Self::MisplacedStar { .. } => "misplaced_star",
            Self::BadIpBlock { .. } => "bad_ip_block",
            Self::BadPort { .. } => "bad_port",
            Self::BadPath { .. } => "bad_path",
            Self::EmptyKey => "empty_key",
            Self::UnknownKey { .. } => "unknown_key",
            Self::RetiredKey { .. } => "retired_key",
            Self::BadKey { .. } => "bad_key",
            Self::ConditionWithoutValues => "condition_without_values",
        }
    }
}
