//! Istio mTLS policies: parsed, validated, compiled, resolved and explained.
//!
//! ```
//! use meshtls_policy::{MeshSettings, MtlsMode, PolicySet, Resources, Workload};
//!
//! let resources = Resources::parse(
//!     "policies.yaml",
//!     "
//! apiVersion: security.istio.io/v1
//! kind: PeerAuthentication
//! metadata: { name: default, namespace: foo }
//! spec: { mtls: { mode: STRICT } }
//! ",
//! )?;
//! let policies = PolicySet::compile(MeshSettings::default(), &resources);
//! let httpbin = Workload::new("foo", [("app", "httpbin")]);
//! assert_eq!(policies.resolve(&httpbin, 8000).mode(), MtlsMode::Strict);
//! println!("{}", policies.explain(&httpbin, 8000));
//! # Ok::<(), meshtls_policy::ParseError>(())
//! ```
//!
//! # Guarantees
//!
//! * A text is read whole or refused whole, within the bounds of [`ParseOptions`]; reading never panics.
//! * A [`PolicySet`] is immutable, and [`PolicySet::resolve`] does not allocate; how long it takes does not depend on the
//!   number of policies.
//! * [`PolicySet::explain`] answers from the same code as [`PolicySet::resolve`].
//! * No I/O, no clock, no global. The YAML parser appears in no public signature.
//!
//! # Sources
//!
//! Istio's `PeerAuthentication` (`pilot/pkg/security/authn/policy_applier.go`), its validation
//! (`pkg/config/validation/validation.go`), its auto mTLS (`pilot/pkg/networking/core/cluster_tls.go`) and its `DestinationRule`
//! (`pilot/pkg/model/push_context.go`, `pilot/pkg/model/destination_rule.go`), at commit 86c9f01.
//!
//! Rules such as PA-7 and PAV-1 have their numbers from `docs/spec-coverage.md` in the repository.

#![warn(clippy::arithmetic_side_effects)]

mod accepted_names;
mod authorization;
mod changes;
mod compare;
mod connection_pool;
mod destination_rule;
mod discovery;
mod dry_run;
mod explain;
mod explain_outbound;
mod field;
mod go_duration;
mod handle;
mod host_name;
mod inventory;
mod kind;
mod label_hash;
mod label_syntax;
mod labels;
mod lint;
mod member;
mod mesh_config;
mod metadata;
mod mode;
mod mode_policies;
mod nearest;
mod node_serde;
mod origin;
mod outbound;
mod parse_error;
mod parse_options;
mod peer_authentication;
mod policy_set;
mod print;
mod protocol;
mod provenance;
mod resolved;
mod resource;
mod resource_name;
mod resources;
mod rollout;
mod rule_lookup;
mod scalar;
mod selector;
mod selector_index;
mod service_entry;
mod settings;
mod sidecar;
mod timestamp;
mod tree;
mod unix_address;
mod verbatim;
mod violation;
mod workload;
mod workload_entry;
mod workload_policies;
mod yaml;

pub use accepted_names::{AcceptedNames, NameSet, PeerName};
pub use authorization::{
    Action, Attribute, Authorization, AuthorizationExplanation, AuthorizationNote,
    AuthorizationPolicies, AuthorizationPolicy, AuthorizationReason, AuthorizationTrap,
    AuthorizationViolation, Condition, Connection, ConnectionReport, FailedCondition, NotSelected,
    Operation, PeerNames, PolicyOutcome, PolicyReport, Rule, RuleReport, SelectedAuthorization,
    Sense, Source, TargetRef, UnknownCondition, Verdict, VerdictReport,
};
pub use changes::PolicyChanges;
pub use compare::{
    Blocked, Caller, Change, Comparison, DeadPolicy, Effect, Exception, ModeChange, Observation,
    Observations, ObservedCaller, Outcome, Proposal, Remedy, Security, compare,
};
pub use destination_rule::{
    ClientTls, ClientTlsMode, DestinationRule, DestinationRuleViolation, LoadBalancer, PortPolicy,
    Subset, TrafficPolicy,
};
pub use discovery::{Discovery, Endpoint, EndpointTls, Registry, Resolution, ServiceView};
pub use explain::{Explanation, Level, LevelReport, Loser, LossReason, Note, ShadowReport};
pub use explain_outbound::{
    OutboundExplanation, OutboundNote, RuleLoser, RuleLossReason, ServerSide, StepOutcome,
    StepReport, TlsPart, TlsPartEffect,
};
pub use handle::{NothingStaged, PolicyHandle, PolicySnapshot};
pub use inventory::Inventory;
pub use kind::Skipped;
pub use labels::{LabelMismatch, Labels};
pub use lint::{Code, Finding, Severity, UnknownCode, lint};
pub use member::{Member, ServedPort};
pub use mesh_config::{ParsedSettings, SkippedSetting};
pub use metadata::Metadata;
pub use mode::{MtlsMode, UnknownMode};
pub use origin::Origin;
pub use outbound::{
    ClientCredential, Origination, Outbound, OutboundChoice, OutboundReason, OutboundRefusal,
    OutboundTls, Roots, RulePart, RuleRef, ServerNames, Sni,
};
pub use parse_error::{ParseError, ParseFault};
pub use parse_options::ParseOptions;
pub use peer_authentication::PeerAuthentication;
pub use policy_set::PolicySet;
pub use print::Printed;
pub use provenance::Provenance;
pub use resolved::{Resolved, Winner};
pub use resource_name::ResourceName;
pub use resources::{DuplicateObject, ExtendError, InventoryTooLarge, Resources};
pub use rollout::{Rollout, RolloutStage, Schedule, Standing};
pub use rule_lookup::RuleStep;
pub use service_entry::{EntryResolution, Location, ServiceEntry, ServicePort};
pub use settings::{MeshSettings, MinimumTls};
pub use sidecar::{
    IngressEffect, IngressExplanation, IngressListener, IngressProtocol, IngressTls, ServerTls,
    ServerTlsMode, Sidecar, SidecarLoser, SidecarLossReason, TlsVersion,
};
pub use timestamp::{ParseTimestampError, Timestamp};
pub use tree::comments;
pub use verbatim::Verbatim;
pub use violation::{Caution, Violation, Warning};
pub use workload::Workload;
pub use workload_entry::{Address, WorkloadEntry, WorkloadSpec};
pub use workload_policies::WorkloadPolicies;
