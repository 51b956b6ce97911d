//! Which TLS a client uses towards an endpoint: what a `DestinationRule` says, else auto mTLS.

mod reason;
mod subset;
mod tls;

use std::fmt;

use serde::Serialize;

use crate::discovery::{Endpoint, EndpointTls, Registry, Resolution, ServiceView};
use crate::rule_lookup::{self, Block, Merged, Reduced};
use crate::{
    AcceptedNames, ClientTls, ClientTlsMode, Location, MtlsMode, NameSet, PolicySet, ResourceName,
    Workload,
};

pub use reason::{OutboundReason, RulePart, RuleRef};
pub use tls::{
    ClientCredential, Origination, OutboundRefusal, OutboundTls, Roots, ServerNames, Sni,
};

impl PolicySet {
    /// Which TLS `client` uses for a connection to `endpoint` of `service` (Istio: `pilot/pkg/networking/core/cluster_tls.go`).
    ///
    /// `subset` is the subset of the service that the caller asks for; empty: none. The answer holds for this endpoint only:
    /// another endpoint of the same service may need another.
    pub fn outbound(
        &self,
        client: &Workload,
        service: &ServiceView,
        subset: &str,
        endpoint: &Endpoint,
        choice: OutboundChoice,
    ) -> Outbound {
        let (tls, reason, rule) = match choice {
            OutboundChoice::Disable => (OutboundTls::Disable, OutboundReason::ChosenDisable, None),
            OutboundChoice::IstioMutual => {
                (self.istio_mutual(service, subset, None), OutboundReason::ChosenIstioMutual, None)
            }
            OutboundChoice::Auto => {
                let rule = self.destination_rules().find(
                    self.settings(),
                    client,
                    &service.namespace,
                    &service.hostname,
                );
                let (tls, reason) = self.by_rule(rule, service, subset, endpoint);
                (tls, reason, rule)
            }
        };
        Outbound { tls, reason, rules: rule_lookup::names(rule) }
    }

    fn by_rule(
        &self,
        rule: Option<&Merged>,
        service: &ServiceView,
        subset: &str,
        endpoint: &Endpoint,
    ) -> (OutboundTls, OutboundReason) {
        let reduced = rule.and_then(|rule| Reduced::new(rule, subset, service.port));
        if reduced.is_none() && !subset.is_empty() {
            let refusal = OutboundRefusal::UnknownSubset { subset: subset.to_owned() };
            return (OutboundTls::Refuse(refusal), OutboundReason::UnknownSubset);
        }
        let reduced = reduced.unwrap_or_default();
        if let Some(block) = &reduced.block {
            return self.by_block(block, service, subset);
        }
        let reason = self.auto_reason(&reduced, service, endpoint);
        let tls = if reason.is_mutual() {
            self.istio_mutual(service, subset, None)
        } else {
            OutboundTls::Disable
        };
        (tls, reason)
    }

    /// What a `tls` block says; it counts whatever the endpoint takes (rule DR-13).
    fn by_block(
        &self,
        block: &Block<'_>,
        service: &ServiceView,
        subset: &str,
    ) -> (OutboundTls, OutboundReason) {
        let rule = block.reference();
        match block.tls.mode {
            ClientTlsMode::Disable => (OutboundTls::Disable, OutboundReason::RuleDisable(rule)),
            ClientTlsMode::Simple => (
                OutboundTls::Simple(self.origination(block.tls, service)),
                OutboundReason::RuleSimple(rule),
            ),
            ClientTlsMode::Mutual => {
                (self.mutual(block.tls, service), OutboundReason::RuleMutual(rule))
            }
            ClientTlsMode::IstioMutual => (
                self.istio_mutual(service, subset, Some(block.tls)),
                OutboundReason::RuleIstioMutual(rule),
            ),
        }
    }

    /// Mesh mTLS; a rule may set server name and accepted names (rules DR-15 and DR-16).
    fn istio_mutual(
        &self,
        service: &ServiceView,
        subset: &str,
        tls: Option<&ClientTls>,
    ) -> OutboundTls {
        let sni = tls.and_then(|tls| text(&tls.sni)).map_or_else(
            || format!("outbound_.{}_.{subset}_.{}", service.port, service.hostname),
            str::to_owned,
        );
        let accepted = tls
            .and_then(|tls| AcceptedNames::exactly(&tls.subject_alt_names))
            .unwrap_or_else(|| self.accepted_names(service));
        OutboundTls::IstioMutual { sni, accepted }
    }

    fn accepted_names(&self, service: &ServiceView) -> AcceptedNames {
        AcceptedNames::expanded(&service.names, &self.settings().domains())
    }

    fn mutual(&self, tls: &ClientTls, service: &ServiceView) -> OutboundTls {
        let files = (text(&tls.client_certificate), text(&tls.private_key));
        let credential = match (text(&tls.credential_name), files) {
            (Some(name), _) => ClientCredential::Credential(name.to_owned()),
            (None, (Some(certificate), Some(private_key))) => ClientCredential::Files {
                certificate: certificate.to_owned(),
                private_key: private_key.to_owned(),
            },
            (None, _) => return OutboundTls::Refuse(OutboundRefusal::MissingClientCertificate),
        };
        OutboundTls::Mutual { origination: self.origination(tls, service), credential }
    }

    /// What SIMPLE and MUTUAL ask of the server (rule DR-17).
    fn origination(&self, tls: &ClientTls, service: &ServiceView) -> Origination {
        let sni = text(&tls.sni).map_or(Sni::Authority, |sni| Sni::Fixed(sni.to_owned()));
        let of_entry = || match (service.registry, self.accepted_names(service)) {
            (Registry::External, AcceptedNames::OneOf(names)) => Some(names),
            (Registry::External, AcceptedNames::Anybody) | (Registry::Kubernetes, _) => None,
        };
        let names = if tls.insecure_skip_verify == Some(true) {
            ServerNames::InsecureSkipVerify
        } else if let Some(names) = NameSet::of_texts(&tls.subject_alt_names).or_else(of_entry) {
            ServerNames::OneOf(names)
        } else if sni == Sni::Authority {
            ServerNames::Authority
        } else {
            ServerNames::ChainOnly
        };
        let credential = text(&tls.credential_name);
        let file = text(&tls.ca_certificates).filter(|file| *file != SYSTEM);
        let roots = match (credential, file) {
            (Some(name), _) => Roots::Credential(name.to_owned()),
            (None, Some(file)) => Roots::File(file.to_owned()),
            (None, None) => Roots::System,
        };
        Origination { sni, names, roots, crl: text(&tls.ca_crl).map(str::to_owned) }
    }

    /// Where no block counts (rules DR-12 and DR-14).
    fn auto_reason(
        &self,
        reduced: &Reduced<'_>,
        service: &ServiceView,
        endpoint: &Endpoint,
    ) -> OutboundReason {
        if service.location == Location::MeshExternal {
            return OutboundReason::MeshExternal;
        }
        if !self.settings().enable_auto_mtls {
            return OutboundReason::AutoMtlsOff;
        }
        if self.namespace_mode(&service.namespace) == MtlsMode::Disable {
            return OutboundReason::NamespaceDisable { namespace: service.namespace.clone() };
        }
        let headless = service.resolution == Resolution::Passthrough;
        let looked_at = headless || reduced.checks_endpoints;
        if looked_at {
            let disabled = |endpoint: &Endpoint| endpoint.tls == EndpointTls::Disabled;
            if service.endpoints.is_empty() {
                return OutboundReason::NoEndpoints;
            } else if service.endpoints.iter().any(disabled) {
                return OutboundReason::SomeEndpointDisabled;
            }
        }
        match (headless || reduced.passthrough, looked_at) {
            (true, true) => return OutboundReason::AllEndpointsInMesh,
            (true, false) => return OutboundReason::EndpointsNotLookedAt,
            (false, _) => {}
        }
        if endpoint.tls != EndpointTls::Istio {
            return OutboundReason::EndpointNotInMesh;
        }
        if let Some(block) = &reduced.endpoint_view {
            return match block.tls.mode {
                ClientTlsMode::IstioMutual => {
                    OutboundReason::EndpointViewIstioMutual(block.reference())
                }
                ClientTlsMode::Disable | ClientTlsMode::Simple | ClientTlsMode::Mutual => {
                    OutboundReason::EndpointViewPlaintext(block.reference())
                }
            };
        }
        let resolved = self.resolve_as_written(&endpoint.workload, endpoint.port);
        match resolved.mode() {
            MtlsMode::Disable => OutboundReason::EndpointModeDisable { winner: resolved.winner() },
            MtlsMode::Permissive | MtlsMode::Strict => OutboundReason::EndpointInMesh,
        }
    }
}

/// A text that is not empty: an empty one means the same as none.
fn text(field: &Option<String>) -> Option<&str> {
    field.as_deref().filter(|text| !text.is_empty())
}

/// What `caCertificates` says for the authorities that the system trusts; the default.
const SYSTEM: &str = "system";

/// What the caller asks for.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OutboundChoice {
    /// What rules, policies and endpoint say.
    #[default]
    Auto,
    /// Plaintext, whatever they say.
    Disable,
    /// Mesh mTLS, whatever they say, also to an endpoint outside the mesh; the handshake then fails. No rule is looked at: not
    /// for the server name either.
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
    /// The `DestinationRule`s that the client goes by: those for one host in one namespace are merged, oldest first. Empty
    /// without one, or if the caller left no choice. They need not say anything about TLS.
    pub rules: Vec<ResourceName>,
}

impl Outbound {
    /// Whether auto mTLS decided, whatever it decided: the caller left the choice, no `tls` of a rule counts for the service,
    /// the service is in the mesh, and auto mTLS is on.
    pub fn is_auto(&self) -> bool {
        match self.reason {
            OutboundReason::ChosenDisable
            | OutboundReason::ChosenIstioMutual
            | OutboundReason::RuleDisable(_)
            | OutboundReason::RuleSimple(_)
            | OutboundReason::RuleMutual(_)
            | OutboundReason::RuleIstioMutual(_)
            | OutboundReason::UnknownSubset
            | OutboundReason::MeshExternal
            | OutboundReason::AutoMtlsOff => false,
            OutboundReason::NamespaceDisable { .. }
            | OutboundReason::NoEndpoints
            | OutboundReason::SomeEndpointDisabled
            | OutboundReason::AllEndpointsInMesh
            | OutboundReason::EndpointsNotLookedAt
            | OutboundReason::EndpointViewPlaintext(_)
            | OutboundReason::EndpointViewIstioMutual(_)
            | OutboundReason::EndpointNotInMesh
            | OutboundReason::EndpointModeDisable { .. }
            | OutboundReason::EndpointInMesh => true,
        }
    }
}

/// Such as `DISABLE: the endpoint is not in the mesh ...`.
impl fmt::Display for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.tls.mode(), self.reason)?;
        match (&self.tls, self.tls.accepted()) {
            (OutboundTls::Refuse(refusal), _) => write!(f, ": {refusal}"),
            (_, Some(accepted)) => write!(f, "; accepted server: {accepted}"),
            (_, None) => Ok(()),
        }
    }
}
