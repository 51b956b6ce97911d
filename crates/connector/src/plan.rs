//! What would be done for a destination: pure, shared by connecting and explaining.

use std::sync::Arc;

use meshtls_identity::IdMatcher;
use meshtls_policy::{
    AcceptedNames, Address, Discovery, Endpoint, Labels, OutboundChoice, OutboundReason,
    OutboundTls, PolicySet, Resolution, ServiceView, Workload,
};

use crate::error::ConnectError;
use crate::{Destination, PlaintextReason, Sni};

/// What is known about a destination, and how each of its endpoints would be connected to.
#[derive(Debug)]
pub(crate) struct Plan {
    /// `None`: no service has that host and port, so it is outside the mesh.
    pub(crate) service: Option<Arc<ServiceView>>,
    pub(crate) candidates: Vec<Candidate>,
}

/// An endpoint, and how it would be connected to.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) endpoint: Endpoint,
    pub(crate) way: Way,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    Plaintext(PlaintextReason),
    Mesh { sni: Sni, accepted: Accepted, reason: OutboundReason },
}

/// Which identities may answer, and who says so.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Accepted {
    /// The caller's list.
    Caller(IdMatcher),
    /// The names that the inventory knows, aliases included.
    Inventory(AcceptedNames),
}

/// What to do where mTLS is wanted, and nothing says which identities may answer.
///
/// Istio accepts anybody with a certificate of the mesh then.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Unnamed {
    /// Do not connect. The default, because "anybody" should be somebody's decision.
    #[default]
    Refuse,
    /// Accept anybody with a certificate of the mesh, as Istio does.
    AcceptAnybody,
}

impl Way {
    pub(crate) fn is_mesh(&self) -> bool {
        matches!(self, Self::Mesh { .. })
    }
}

impl Plan {
    pub(crate) fn new(
        policies: &PolicySet,
        discovery: &dyn Discovery,
        client: &Workload,
        choice: OutboundChoice,
        to: &Destination,
    ) -> Self {
        let service = discovery.service(&client.namespace, &to.host, to.port);
        let candidates = match &service {
            Some(service) => endpoints(service, to)
                .into_iter()
                .map(|endpoint| candidate(policies, service, endpoint, choice, to))
                .collect(),
            None => vec![outside(policies, client, choice, to)],
        };
        Self { service, candidates }
    }
}

/// The endpoints of `service`. A headless one without endpoints is reached at the address that the caller has.
fn endpoints(service: &ServiceView, to: &Destination) -> Vec<Endpoint> {
    if service.resolution == Resolution::Passthrough && service.endpoints.is_empty() {
        return vec![caller_endpoint(&service.namespace, to)];
    }
    service.endpoints.clone()
}

/// A host without a service is reached in plaintext, unless the caller insists on mTLS.
fn outside(
    policies: &PolicySet,
    client: &Workload,
    choice: OutboundChoice,
    to: &Destination,
) -> Candidate {
    let endpoint = caller_endpoint(&client.namespace, to);
    if choice == OutboundChoice::IstioMutual {
        let service = ServiceView::new(&*to.host, &*client.namespace, to.port);
        return candidate(policies, &service, endpoint, choice, to);
    }
    let reason = match choice {
        OutboundChoice::Disable => PlaintextReason::Policy(OutboundReason::ChosenDisable),
        _ => PlaintextReason::OutsideTheMesh,
    };
    Candidate { endpoint, way: Way::Plaintext(reason) }
}

fn candidate(
    policies: &PolicySet,
    service: &ServiceView,
    endpoint: Endpoint,
    choice: OutboundChoice,
    to: &Destination,
) -> Candidate {
    let outbound = policies.outbound(service, &endpoint, choice);
    let way = match outbound.tls {
        OutboundTls::Disable => Way::Plaintext(PlaintextReason::Policy(outbound.reason)),
        OutboundTls::IstioMutual { sni, accepted } => Way::Mesh {
            sni: Sni::of(sni),
            accepted: match &to.accept {
                Some(ids) => Accepted::Caller(ids.clone()),
                None => Accepted::Inventory(accepted),
            },
            reason: outbound.reason,
        },
    };
    Candidate { endpoint, way }
}

fn caller_endpoint(namespace: &str, to: &Destination) -> Endpoint {
    let address = to
        .host
        .parse()
        .map_or_else(|_| Address::Host(to.host.clone()), Address::Ip);
    Endpoint::new(address, to.port, Workload::new(namespace, Labels::default()))
}

impl Accepted {
    /// The matcher for the handshake.
    pub(crate) fn matcher(&self, host: &str, unnamed: Unnamed) -> Result<IdMatcher, ConnectError> {
        match self {
            Self::Caller(ids) => Ok(ids.clone()),
            Self::Inventory(AcceptedNames::Anybody) if unnamed == Unnamed::Refuse => {
                Err(ConnectError::Unnamed { host: host.to_owned() })
            }
            Self::Inventory(names) => names.matcher().ok_or_else(|| ConnectError::NoMeshName {
                host: host.to_owned(),
                accepted: names.clone(),
            }),
        }
    }
}
