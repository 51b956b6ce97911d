//! What becomes of one connection: the client's decision, the port's mode, secure naming and authorization in one.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use meshtls_identity::TrustDomain;
use serde::Serialize;

use super::caller::{self, Caller};
use super::observation::{Observation, Observations, ObservedCaller, Security};
use crate::{
    AcceptedNames, Connection, Discovery, Endpoint, Inventory, Member, MtlsMode, Outbound,
    OutboundChoice, OutboundRefusal, OutboundTls, PeerNames, PolicySet, ResourceName,
    ServerTlsMode, ServiceView, Winner,
};

/// What becomes of a connection.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// Mutual TLS of the mesh.
    MutualTls,
    /// Plaintext, accepted.
    Plaintext,
    /// TLS that the port ends by a `Sidecar`'s own certificate.
    IngressTls,
    /// TLS that reaches the application as it is.
    PassedThrough,
    /// It fails.
    Blocked(Blocked),
}

impl Outcome {
    /// Whether the application is reached.
    pub fn is_served(&self) -> bool {
        match self {
            Self::MutualTls | Self::Plaintext | Self::IngressTls | Self::PassedThrough => true,
            Self::Blocked(_) => false,
        }
    }

    /// Whether it fails for being plaintext to a STRICT port.
    pub(super) fn is_plaintext_refused(&self) -> bool {
        matches!(self, Self::Blocked(Blocked::PlaintextUnderStrict { .. }))
    }
}

/// Why a connection fails.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Blocked {
    /// The client sends plaintext, the port is STRICT.
    PlaintextUnderStrict {
        /// Where the mode comes from.
        winner: Winner,
    },
    /// The client sends plaintext, the port ends TLS by a `Sidecar`.
    PlaintextOnIngressTls,
    /// The client insists on mesh mTLS, the port is DISABLE.
    MutualTlsToDisabledPort {
        /// Where the mode comes from.
        winner: Winner,
    },
    /// The client insists on mesh mTLS, the server is outside the mesh.
    ServerOutsideMesh,
    /// The client's rule is SIMPLE or MUTUAL, so that it presents no mesh certificate, and the port is STRICT.
    NoMeshCertificate {
        /// Where the mode comes from.
        winner: Winner,
    },
    /// What the client's rule asks for cannot be done.
    NoWay {
        /// Why not.
        refusal: OutboundRefusal,
    },
    /// The client does not accept the identity of the server.
    ServerIdentity {
        /// Whom it accepts.
        accepted: AcceptedNames,
    },
    /// The port asks for a client certificate of its own authority, and the client presents none.
    NoIngressCertificate,
    /// An `AuthorizationPolicy` says no, or none of those that could says yes.
    Unauthorized {
        /// The policy that denies.
        policy: Option<ResourceName>,
    },
}

/// One way through the fleet.
#[derive(Clone, Debug)]
pub(super) struct Route<'a> {
    pub(super) caller: &'a Caller,
    pub(super) service: &'a ServiceView,
    pub(super) endpoint: &'a Endpoint,
    pub(super) server: &'a Member,
    /// Whether the caller sends plaintext whatever policies tell clients.
    plaintext: bool,
    pub(super) observed: Option<u64>,
}

impl Route<'_> {
    pub(super) fn server_name(&self) -> String {
        super::dotted(&self.server.name)
    }

    /// What policies tell the client; `None` if it sends plaintext whatever they say.
    pub(super) fn outbound(&self, set: &PolicySet) -> Option<Outbound> {
        let client = &self.caller.workload;
        let choice = OutboundChoice::Auto;
        (!self.plaintext).then(|| set.outbound(client, self.service, "", self.endpoint, choice))
    }

    pub(super) fn outcome(&self, set: &PolicySet) -> Outcome {
        let tls = self
            .outbound(set)
            .map_or(OutboundTls::Disable, |outbound| outbound.tls);
        match self.attempt(set, &tls) {
            Ok(served) if self.server.is_in_mesh() => self.authorized(set, served, &tls),
            Ok(served) => served,
            Err(blocked) => Outcome::Blocked(blocked),
        }
    }

    /// What the client's TLS and the port make of it, before authorization.
    fn attempt(&self, set: &PolicySet, tls: &OutboundTls) -> Result<Outcome, Blocked> {
        if !self.server.is_in_mesh() {
            return match tls {
                OutboundTls::Disable => Ok(Outcome::Plaintext),
                OutboundTls::Simple(_) | OutboundTls::Mutual { .. } => Ok(Outcome::PassedThrough),
                OutboundTls::IstioMutual { .. } => Err(Blocked::ServerOutsideMesh),
                OutboundTls::Refuse(refusal) => Err(Blocked::NoWay { refusal: refusal.clone() }),
            };
        }
        let resolved = set.resolve(&self.server.workload, self.endpoint.port);
        let ingress = set.ingress_tls(&self.server.workload, self.endpoint.port);
        let ingress = ingress.and_then(|ingress| ingress.tls());
        match (tls, resolved.mode()) {
            (OutboundTls::Refuse(refusal), _) => Err(Blocked::NoWay { refusal: refusal.clone() }),
            (OutboundTls::Disable, MtlsMode::Strict) => {
                Err(Blocked::PlaintextUnderStrict { winner: resolved.winner() })
            }
            (OutboundTls::Disable, MtlsMode::Disable) if ingress.is_some() => {
                Err(Blocked::PlaintextOnIngressTls)
            }
            (OutboundTls::Disable, MtlsMode::Permissive | MtlsMode::Disable) => {
                Ok(Outcome::Plaintext)
            }
            (OutboundTls::IstioMutual { .. }, MtlsMode::Disable) => {
                Err(Blocked::MutualTlsToDisabledPort { winner: resolved.winner() })
            }
            (
                OutboundTls::IstioMutual { accepted, .. },
                MtlsMode::Permissive | MtlsMode::Strict,
            ) => {
                let id = caller::identity(self.server, &set.settings().trust_domain);
                let matcher = accepted.matcher();
                match (id, matcher) {
                    (Some(id), Some(matcher)) if matcher.matches(&id) => Ok(Outcome::MutualTls),
                    _ => Err(Blocked::ServerIdentity { accepted: accepted.clone() }),
                }
            }
            (OutboundTls::Simple(_) | OutboundTls::Mutual { .. }, MtlsMode::Strict) => {
                Err(Blocked::NoMeshCertificate { winner: resolved.winner() })
            }
            (OutboundTls::Simple(_) | OutboundTls::Mutual { .. }, MtlsMode::Permissive) => {
                Ok(Outcome::PassedThrough)
            }
            (OutboundTls::Simple(_), MtlsMode::Disable) => match ingress {
                None => Ok(Outcome::PassedThrough),
                Some(tls) if tls.mode == ServerTlsMode::Mutual => {
                    Err(Blocked::NoIngressCertificate)
                }
                Some(_) => Ok(Outcome::IngressTls),
            },
            (OutboundTls::Mutual { .. }, MtlsMode::Disable) => Ok(match ingress {
                None => Outcome::PassedThrough,
                Some(_) => Outcome::IngressTls,
            }),
        }
    }

    fn authorized(&self, set: &PolicySet, served: Outcome, tls: &OutboundTls) -> Outcome {
        let source = self.caller.address.unwrap_or(UNKNOWN);
        let destination = self.endpoint.address.ip().unwrap_or(UNKNOWN);
        let mut connection = Connection::new(source, destination, self.endpoint.port);
        if let (Outcome::MutualTls, Some(id)) = (&served, &self.caller.id) {
            connection = connection.with_peer(PeerNames::workload(id));
        }
        if let OutboundTls::IstioMutual { sni, .. } = tls {
            connection = connection.with_sni(sni.as_str());
        }
        let answer = set.authorize(&self.server.workload, &connection);
        if answer.allow() {
            served
        } else {
            Outcome::Blocked(Blocked::Unauthorized { policy: answer.policy().cloned() })
        }
    }
}

/// Stands for an address that nobody knows: no rule names it.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Every workload of the inventory, in its order, then the strangers that were observed.
pub(super) fn callers(
    inventory: &Inventory,
    observations: &Observations,
    trust_domain: &TrustDomain,
) -> Vec<Caller> {
    let members = inventory
        .members()
        .iter()
        .map(|member| Caller::member(member, trust_domain));
    let strangers: BTreeSet<IpAddr> = observations
        .iter()
        .filter_map(|seen| stranger(seen, inventory))
        .collect();
    members
        .chain(strangers.into_iter().map(Caller::stranger))
        .collect()
}

/// Every way through the fleet: from each workload to each endpoint of each service it sees, and what was observed beside.
pub(super) fn routes<'a>(
    inventory: &'a Inventory,
    callers: &'a [Caller],
    observations: &Observations,
) -> Vec<Route<'a>> {
    let servers = servers(inventory);
    let mut routes = Vec::new();
    for (nth, caller) in callers.iter().enumerate() {
        let member = inventory.members().get(nth);
        let is_caller = |seen: &&Observation| match member {
            Some(member) => is_of(seen, member),
            None => seen.caller == ObservedCaller::Address(caller.address.unwrap_or(UNKNOWN)),
        };
        let seen: Vec<&Observation> = observations.iter().filter(is_caller).collect();
        for &(service, endpoint, server) in &servers {
            let count = |security| {
                seen.iter()
                    .filter(|seen| is_at(seen, server, endpoint) && seen.security == security)
                    .map(|seen| seen.count)
                    .reduce(u64::saturating_add)
            };
            let (plaintext, mutual) = (count(Security::None), count(Security::MutualTls));
            let route = |plaintext, observed| Route {
                caller,
                service,
                endpoint,
                server,
                plaintext,
                observed,
            };
            let possible = member.is_some_and(|member| {
                let namespace = &member.workload.namespace;
                !std::ptr::eq(member, server)
                    && inventory
                        .service(namespace, &service.hostname, service.port)
                        .is_some_and(|found| *found == *service)
            });
            let in_mesh = caller.id.is_some();
            if in_mesh && (possible || mutual.is_some()) {
                routes.push(route(false, mutual));
            }
            if plaintext.is_some() || (possible && !in_mesh) {
                routes.push(route(true, plaintext));
            }
        }
    }
    routes
}

/// The observations that no route can stand for: their server, or a caller known by name or to be in the mesh, is not in the
/// inventory.
pub(super) fn unjudged(inventory: &Inventory, observations: &Observations) -> Vec<Observation> {
    let servers = servers(inventory);
    let judged = |seen: &Observation| {
        let server = servers
            .iter()
            .any(|(_, endpoint, server)| is_at(seen, server, endpoint));
        let mut members = inventory.members().iter();
        let caller = members.any(|member| {
            is_of(seen, member) && (member.is_in_mesh() || seen.security == Security::None)
        });
        server && (caller || stranger(seen, inventory).is_some())
    };
    observations
        .iter()
        .filter(|seen| !judged(seen))
        .cloned()
        .collect()
}

fn is_of(seen: &Observation, member: &Member) -> bool {
    match &seen.caller {
        ObservedCaller::Workload(name) => *name == member.name,
        ObservedCaller::Address(address) => member.address.ip() == Some(*address),
    }
}

fn is_at(seen: &Observation, server: &Member, endpoint: &Endpoint) -> bool {
    seen.workload == server.name && seen.port == endpoint.port
}

/// The address of a plaintext caller that no workload has.
fn stranger(seen: &Observation, inventory: &Inventory) -> Option<IpAddr> {
    match (&seen.caller, seen.security) {
        (ObservedCaller::Address(address), Security::None) => {
            let known = inventory.members().iter().any(|member| is_of(seen, member));
            (!known).then_some(*address)
        }
        (ObservedCaller::Address(_) | ObservedCaller::Workload(_), _) => None,
    }
}

type Server<'a> = (&'a ServiceView, &'a Endpoint, &'a Member);

/// The endpoints of all services with the workloads behind them, by service and address.
fn servers(inventory: &Inventory) -> Vec<Server<'_>> {
    let mut servers: Vec<Server<'_>> = inventory
        .services()
        .flat_map(|service| {
            service
                .endpoints
                .iter()
                .map(move |endpoint| (&**service, endpoint))
        })
        .filter_map(|(service, endpoint)| Some((service, endpoint, inventory.member(endpoint)?)))
        .collect();
    servers.sort_by(|a, b| {
        let key = |of: &Server<'_>| (of.0.hostname.clone(), of.0.port, of.1.address.clone());
        key(a).cmp(&key(b))
    });
    servers
}
