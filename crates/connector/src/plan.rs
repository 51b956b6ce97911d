//! What would be done for a destination: pure, shared by connecting and explaining.

use std::sync::Arc;

use meshtls_identity::IdMatcher;
use meshtls_policy::{
    AcceptedNames, Address, Discovery, Endpoint, Labels, OutboundChoice, OutboundReason,
    OutboundRefusal, OutboundTls, PolicySet, Resolution, ServiceView, Workload,
};

use crate::error::ConnectError;
use crate::origination::Originate;
use crate::{Destination, PlaintextReason, Sni};

/// What is known about a destination, and what policies say now.
pub(crate) struct Plan<'a> {
    policies: Arc<PolicySet>,
    client: &'a Workload,
    choice: OutboundChoice,
    to: &'a Destination,
    service: Service,
}

/// What a destination is.
enum Service {
    /// A service and its endpoints.
    Known(Arc<ServiceView>),
    /// A headless service without endpoints, which is reached at the address that the caller has.
    Headless(Arc<ServiceView>, Endpoint),
    /// No service has that host and port, so it is outside the mesh; this stands for it.
    Outside(ServiceView),
}

/// How an endpoint would be connected to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    Plaintext(PlaintextReason),
    Originate(Originate),
    Mesh { sni: Sni, accepted: Accepted, reason: OutboundReason },
    Refuse(OutboundRefusal),
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

impl<'a> Plan<'a> {
    pub(crate) fn new(
        policies: Arc<PolicySet>,
        discovery: &dyn Discovery,
        client: &'a Workload,
        choice: OutboundChoice,
        to: &'a Destination,
    ) -> Self {
        let service = match discovery.service(&client.namespace, &to.host, to.port) {
            Some(service)
                if service.resolution == Resolution::Passthrough
                    && service.endpoints.is_empty() =>
            {
                let endpoint = caller_endpoint(&service.namespace, to);
                Service::Headless(service, endpoint)
            }
            Some(service) => Service::Known(service),
            None => {
                let mut stand_in = ServiceView::new(&*to.host, &*client.namespace, to.port);
                stand_in
                    .endpoints
                    .push(caller_endpoint(&client.namespace, to));
                Service::Outside(stand_in)
            }
        };
        Self { policies, client, choice, to, service }
    }

    /// `None`: outside the mesh.
    pub(crate) fn service(&self) -> Option<&ServiceView> {
        match &self.service {
            Service::Known(service) | Service::Headless(service, _) => Some(service),
            Service::Outside(_) => None,
        }
    }

    /// The endpoints, of a subset those with its labels.
    pub(crate) fn endpoints(&self) -> Vec<&Endpoint> {
        match &self.service {
            Service::Known(service) => {
                let labels = self.subset_labels();
                let belongs = |endpoint: &&Endpoint| {
                    labels.is_none_or(|labels| labels.select(&endpoint.workload.labels))
                };
                service.endpoints.iter().filter(belongs).collect()
            }
            Service::Headless(_, endpoint) => vec![endpoint],
            Service::Outside(stand_in) => stand_in.endpoints.iter().collect(),
        }
    }

    /// `None`: no subset was asked for, or it does not exist.
    fn subset_labels(&self) -> Option<&Labels> {
        let subset = Some(&self.to.subset).filter(|subset| !subset.is_empty())?;
        self.policies
            .subset_labels(self.client, self.service()?, subset)
    }

    pub(crate) fn policies(&self) -> &PolicySet {
        &self.policies
    }

    /// How `endpoint` would be connected to.
    pub(crate) fn way(&self, endpoint: &Endpoint) -> Way {
        let subset = &self.to.subset;
        if !subset.is_empty() && self.subset_labels().is_none() {
            return Way::Refuse(OutboundRefusal::UnknownSubset { subset: subset.clone() });
        }
        let service = match &self.service {
            Service::Known(service) | Service::Headless(service, _) => service,
            Service::Outside(_) if self.choice == OutboundChoice::Auto => {
                return Way::Plaintext(PlaintextReason::OutsideTheMesh);
            }
            Service::Outside(stand_in) => stand_in,
        };
        let outbound = self
            .policies
            .outbound(self.client, service, subset, endpoint, self.choice);
        match outbound.tls {
            OutboundTls::Disable => Way::Plaintext(PlaintextReason::Policy(outbound.reason)),
            OutboundTls::Simple(origination) => {
                let (credential, reason) = (None, outbound.reason);
                Way::Originate(Originate { origination, credential, reason })
            }
            OutboundTls::Mutual { origination, credential } => {
                let (credential, reason) = (Some(credential), outbound.reason);
                Way::Originate(Originate { origination, credential, reason })
            }
            OutboundTls::Refuse(refusal) => Way::Refuse(refusal),
            OutboundTls::IstioMutual { sni, accepted } => Way::Mesh {
                sni: Sni::of(sni),
                accepted: match &self.to.accept {
                    Some(ids) => Accepted::Caller(ids.clone()),
                    None => Accepted::Inventory(accepted),
                },
                reason: outbound.reason,
            },
        }
    }
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
