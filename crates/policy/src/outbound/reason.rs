//! Why a connection gets its TLS.

use std::fmt;

use serde::Serialize;

use crate::discovery::EndpointTls;
use crate::{ResourceName, Subset, Winner};

/// Why a connection gets its TLS.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum OutboundReason {
    /// Plaintext: the caller asked for it.
    ChosenDisable,
    /// mTLS: the caller asked for it.
    ChosenIstioMutual,
    /// Plaintext: a rule says so.
    RuleDisable(RuleRef),
    /// TLS without a client certificate: a rule says so.
    RuleSimple(RuleRef),
    /// TLS with the rule's client certificate: a rule says so.
    RuleMutual(RuleRef),
    /// Mesh mTLS: a rule says so, whatever the endpoint takes.
    RuleIstioMutual(RuleRef),
    /// No connection: the subset that the caller asked for does not exist.
    UnknownSubset,
    /// Plaintext: the service is outside the mesh.
    MeshExternal,
    /// Plaintext: auto mTLS is switched off.
    AutoMtlsOff,
    /// Plaintext: the policy for the whole namespace says so. Policies for single workloads or ports do not count here,
    /// so that a STRICT workload in such a namespace cannot be reached.
    NamespaceDisable {
        /// The service's namespace.
        namespace: String,
    },
    /// Plaintext: no endpoint of a headless service is known.
    NoEndpoints,
    /// Plaintext: an endpoint of a headless service is outside the mesh.
    SomeEndpointDisabled,
    /// mTLS: all endpoints of a headless service are in the mesh.
    AllEndpointsInMesh,
    /// mTLS: a rule leaves the choice of the address to the caller for this port or subset only, and Istio then looks at no
    /// endpoint.
    EndpointsNotLookedAt,
    /// Plaintext: no block counts for the service, but this one still does for its endpoints, and it is not ISTIO_MUTUAL.
    EndpointViewPlaintext(RuleRef),
    /// mTLS: no block counts for the service, but this one still does for its endpoints: what the endpoint's own policies
    /// say is not looked at.
    EndpointViewIstioMutual(RuleRef),
    /// Plaintext: the endpoint is outside the mesh.
    EndpointNotInMesh,
    /// Plaintext: the endpoint accepts no mTLS on this port.
    EndpointModeDisable {
        /// The policy that says so.
        winner: Winner,
    },
    /// mTLS: the endpoint is in the mesh and its port accepts mTLS.
    EndpointInMesh,
}

impl OutboundReason {
    /// Whether auto mTLS, or the caller, comes to mesh mTLS by it.
    pub(super) fn is_mutual(&self) -> bool {
        matches!(
            self,
            Self::ChosenIstioMutual
                | Self::RuleIstioMutual(_)
                | Self::AllEndpointsInMesh
                | Self::EndpointsNotLookedAt
                | Self::EndpointViewIstioMutual(_)
                | Self::EndpointInMesh
        )
    }
}

/// The `tls` of a `DestinationRule` that counts.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RuleRef {
    /// The rule.
    pub rule: ResourceName,
    /// The part of it.
    #[serde(flatten)]
    pub part: RulePart,
}

impl RuleRef {
    /// A part of a rule.
    pub fn new(rule: ResourceName, part: RulePart) -> Self {
        Self { rule, part }
    }
}

/// The part of a `DestinationRule` that says something.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RulePart {
    /// In this subset; `None`: for all endpoints.
    pub subset: Option<String>,
    /// In the entry for this service port; `None`: for all ports.
    pub port: Option<u16>,
}

impl RulePart {
    pub(crate) fn new(subset: Option<&Subset>, port: Option<u16>) -> Self {
        Self { subset: subset.map(|subset| subset.name.clone()), port }
    }
}

/// Such as `shop/api (subset v1, port 80)`.
impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.part.subset, self.part.port) {
            (None, None) => write!(f, "{}", self.rule),
            (None, Some(port)) => write!(f, "{} (port {port})", self.rule),
            (Some(subset), None) => write!(f, "{} (subset {subset})", self.rule),
            (Some(subset), Some(port)) => {
                write!(f, "{} (subset {subset}, port {port})", self.rule)
            }
        }
    }
}

impl fmt::Display for OutboundReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChosenDisable => f.write_str("the caller chose plaintext"),
            Self::ChosenIstioMutual => f.write_str("the caller chose mesh mTLS"),
            Self::RuleDisable(rule)
            | Self::RuleSimple(rule)
            | Self::RuleMutual(rule)
            | Self::RuleIstioMutual(rule) => write!(f, "DestinationRule {rule}"),
            Self::UnknownSubset => f.write_str("no DestinationRule has the subset asked for"),
            Self::MeshExternal => {
                f.write_str("the service is outside the mesh (location MESH_EXTERNAL)")
            }
            Self::AutoMtlsOff => f.write_str("auto mTLS is switched off (enableAutoMtls)"),
            Self::NamespaceDisable { namespace } => write!(
                f,
                "the policy for the whole namespace {namespace} is DISABLE; policies for single workloads are not looked at"
            ),
            Self::NoEndpoints => {
                f.write_str("the service is headless and none of its endpoints is known")
            }
            Self::SomeEndpointDisabled => {
                f.write_str("the service is headless and one of its endpoints is not in the mesh")
            }
            Self::AllEndpointsInMesh => {
                f.write_str("the service is headless and all its endpoints are in the mesh")
            }
            Self::EndpointsNotLookedAt => f.write_str(
                "a DestinationRule sets PASSTHROUGH for this port or subset only, so no endpoint is looked at",
            ),
            Self::EndpointViewPlaintext(rule) => write!(
                f,
                "no tls counts for the port, but that of DestinationRule {rule} still does for endpoints, and is not ISTIO_MUTUAL"
            ),
            Self::EndpointViewIstioMutual(rule) => write!(
                f,
                "no tls counts for the port, but that of DestinationRule {rule} still does for endpoints, and is ISTIO_MUTUAL"
            ),
            Self::EndpointNotInMesh => {
                write!(
                    f,
                    "the endpoint is not in the mesh (neither {}: istio nor a service account)",
                    EndpointTls::LABEL
                )
            }
            Self::EndpointModeDisable { winner } => {
                write!(f, "the endpoint's port is DISABLE, by {winner}")
            }
            Self::EndpointInMesh => f.write_str("the endpoint is in the mesh"),
        }
    }
}
