//! Which TLS a client uses towards an endpoint, as far as no `DestinationRule` says it.

use std::fmt;

use serde::Serialize;

use crate::discovery::{Endpoint, EndpointTls, Resolution, ServiceView};
use crate::{AcceptedNames, Location, MtlsMode, PolicySet, Winner};

impl PolicySet {
    /// Which TLS a client uses for a connection to `endpoint` of `service` (Istio: `pilot/pkg/networking/core/cluster_tls.go`).
    ///
    /// The answer holds for this endpoint only: another endpoint of the same service may need another.
    pub fn outbound(
        &self,
        service: &ServiceView,
        endpoint: &Endpoint,
        choice: OutboundChoice,
    ) -> Outbound {
        let reason = match choice {
            OutboundChoice::Disable => OutboundReason::ChosenDisable,
            OutboundChoice::IstioMutual => OutboundReason::ChosenIstioMutual,
            OutboundChoice::Auto => self.auto_reason(service, endpoint),
        };
        let tls = if reason.is_mutual() {
            OutboundTls::IstioMutual {
                sni: format!("outbound_.{}_._.{}", service.port, service.hostname),
                accepted: AcceptedNames::expanded(&service.names, &self.settings().domains()),
            }
        } else {
            OutboundTls::Disable
        };
        Outbound { tls, reason }
    }

    fn auto_reason(&self, service: &ServiceView, endpoint: &Endpoint) -> OutboundReason {
        if service.location == Location::MeshExternal {
            return OutboundReason::MeshExternal;
        }
        if !self.settings().enable_auto_mtls {
            return OutboundReason::AutoMtlsOff;
        }
        if self.namespace_mode(&service.namespace) == MtlsMode::Disable {
            return OutboundReason::NamespaceDisable { namespace: service.namespace.clone() };
        }
        if service.resolution == Resolution::Passthrough {
            let disabled = |endpoint: &Endpoint| endpoint.tls == EndpointTls::Disabled;
            return if service.endpoints.is_empty() {
                OutboundReason::NoEndpoints
            } else if service.endpoints.iter().any(disabled) {
                OutboundReason::SomeEndpointDisabled
            } else {
                OutboundReason::AllEndpointsInMesh
            };
        }
        if endpoint.tls != EndpointTls::Istio {
            return OutboundReason::EndpointNotInMesh;
        }
        let resolved = self.resolve_as_written(&endpoint.workload, endpoint.port);
        match resolved.mode() {
            MtlsMode::Disable => OutboundReason::EndpointModeDisable { winner: resolved.winner() },
            MtlsMode::Permissive | MtlsMode::Strict => OutboundReason::EndpointInMesh,
        }
    }
}

/// What the caller asks for.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum OutboundChoice {
    /// What policies and endpoint say (Istio's auto mTLS).
    #[default]
    Auto,
    /// Plaintext, whatever they say.
    Disable,
    /// Mesh mTLS, whatever they say, also to an endpoint outside the mesh; the handshake then fails.
    IstioMutual,
}

/// The TLS of a connection, and why.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Outbound {
    /// What to do.
    pub tls: OutboundTls,
    /// Why.
    pub reason: OutboundReason,
}

impl Outbound {
    /// Whether auto mTLS decided, whatever it decided: the caller left the choice, the service is in the mesh, and auto
    /// mTLS is on.
    pub fn is_auto(&self) -> bool {
        match self.reason {
            OutboundReason::ChosenDisable
            | OutboundReason::ChosenIstioMutual
            | OutboundReason::MeshExternal
            | OutboundReason::AutoMtlsOff => false,
            OutboundReason::NamespaceDisable { .. }
            | OutboundReason::NoEndpoints
            | OutboundReason::SomeEndpointDisabled
            | OutboundReason::AllEndpointsInMesh
            | OutboundReason::EndpointNotInMesh
            | OutboundReason::EndpointModeDisable { .. }
            | OutboundReason::EndpointInMesh => true,
        }
    }
}

/// Such as `DISABLE: the endpoint is not in the mesh ...`.
impl fmt::Display for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tls {
            OutboundTls::Disable => write!(f, "DISABLE: {}", self.reason),
            OutboundTls::IstioMutual { accepted, .. } => {
                write!(f, "ISTIO_MUTUAL: {}; accepted server: {accepted}", self.reason)
            }
        }
    }
}

/// The TLS of a connection.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "mode", rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(clippy::exhaustive_enums, reason = "whoever connects must handle every mode")]
pub enum OutboundTls {
    /// Plaintext.
    Disable,
    /// Mesh mTLS with the own X509-SVID.
    IstioMutual {
        /// The server name to send. It may be none that a TLS library takes (a `*` in it, or more than 253 bytes).
        sni: String,
        /// Whose certificate to accept.
        accepted: AcceptedNames,
    },
}

/// Why a connection gets its TLS.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum OutboundReason {
    /// Plaintext: the caller asked for it.
    ChosenDisable,
    /// mTLS: the caller asked for it.
    ChosenIstioMutual,
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
    fn is_mutual(&self) -> bool {
        matches!(self, Self::ChosenIstioMutual | Self::AllEndpointsInMesh | Self::EndpointInMesh)
    }
}

impl fmt::Display for OutboundReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChosenDisable => f.write_str("the caller chose plaintext"),
            Self::ChosenIstioMutual => f.write_str("the caller chose mesh mTLS"),
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
