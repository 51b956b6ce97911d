//! What surprises people about the TLS of a client.

use serde::Serialize;

use super::ServerSide;
use super::search::{RuleLossReason, Search, StepOutcome};
use crate::discovery::{Registry, ServiceView};
use crate::rule_lookup::Reduced;
use crate::{
    AcceptedNames, ClientCredential, Location, MtlsMode, NameSet, Origination, Outbound,
    OutboundReason, OutboundTls, PeerName, ResourceName, Roots, RuleRef, ServerNames, Winner,
};

/// Something about the answer that surprises people.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "note", rename_all = "snake_case")]
#[non_exhaustive]
pub enum OutboundNote {
    /// An entry for the port has no `tls`. What is said for all ports is not inherited, and yet it still counts for endpoints.
    PortEntryWithoutTls {
        /// The `tls` that is not inherited.
        wider: RuleRef,
        /// The service port.
        port: u16,
    },
    /// `sni` without `subjectAltNames`: whatever name a server's certificate carries, it is accepted.
    AnyName {
        /// The server name that is sent.
        sni: String,
    },
    /// `insecureSkipVerify`: whoever answers is accepted.
    NothingVerified,
    /// Mesh mTLS, and nothing says who serves the destination: anybody in the mesh is accepted.
    AnybodyInTheMesh,
    /// The only names accepted are service accounts of the mesh, and a server outside it has none of them: the handshake will
    /// fail.
    OnlyMeshNames {
        /// The names.
        names: NameSet,
    },
    /// Mesh mTLS to an endpoint that is not in the mesh: the handshake will fail.
    NotInTheMesh,
    /// Mesh mTLS to a port that is DISABLE: the handshake will fail.
    MutualIntoDisable {
        /// The policy that says so.
        winner: Winner,
    },
    /// Plaintext to a port that is STRICT: it will be refused.
    PlaintextIntoStrict {
        /// The policy that says so.
        winner: Winner,
    },
    /// Plaintext to a port that is STRICT, because the namespace as a whole is DISABLE and clients look at nothing else.
    NamespaceDisableHidesStrict {
        /// The policy that makes the port STRICT.
        winner: Winner,
    },
    /// TLS without a mesh certificate to a port that is STRICT: it will be refused.
    NoMeshCertificateIntoStrict {
        /// The mode of the client.
        mode: &'static str,
        /// The policy that says so.
        winner: Winner,
    },
    /// `credentialName` in a rule without `workloadSelector`: Istio's sidecars leave out its TLS and send plaintext. Here they
    /// do not.
    CredentialWithoutSelector {
        /// The secret.
        name: String,
    },
    /// The rules that end the search are for other clients: the client goes by no rule, and no further namespace is looked at.
    RulesForOtherClients {
        /// Those rules.
        rules: Vec<ResourceName>,
    },
    /// A rule of a later namespace has a host that fits better, which does not matter between namespaces.
    BetterHostLater {
        /// That rule.
        rule: ResourceName,
        /// Its host.
        host: String,
        /// The host that won.
        won: String,
    },
    /// The subset asked for does not exist.
    KnownSubsets {
        /// Those that do.
        subsets: Vec<String>,
    },
}

pub(super) fn notes(
    outbound: &Outbound,
    search: &Search<'_>,
    reduced: Option<&Reduced<'_>>,
    service: &ServiceView,
    server: &ServerSide,
) -> Vec<OutboundNote> {
    let mut notes = of_search(search);
    if outbound.reason == OutboundReason::UnknownSubset {
        let subsets = search
            .winner
            .into_iter()
            .flat_map(|rule| rule.subset_names());
        let subsets = subsets.map(str::to_owned).collect();
        notes.push(OutboundNote::KnownSubsets { subsets });
    }
    if let Some(Reduced { block: None, endpoint_view: Some(view), .. }) = reduced {
        let (wider, port) = (view.reference(), service.port);
        notes.push(OutboundNote::PortEntryWithoutTls { wider, port });
    }
    match &outbound.tls {
        OutboundTls::Disable => notes.extend(plaintext(&outbound.reason, service, server)),
        OutboundTls::Simple(origination) => {
            notes.extend(of_origination(origination, None, search, service));
        }
        OutboundTls::Mutual { origination, credential } => {
            notes.extend(of_origination(origination, Some(credential), search, service));
        }
        OutboundTls::IstioMutual { accepted, .. } => {
            if *accepted == AcceptedNames::Anybody {
                notes.push(OutboundNote::AnybodyInTheMesh);
            }
            if !server.in_mesh && !is_headless(&outbound.reason) {
                notes.push(OutboundNote::NotInTheMesh);
            } else if server.mode == MtlsMode::Disable {
                let winner = server.winner.clone();
                notes.push(OutboundNote::MutualIntoDisable { winner });
            }
        }
        OutboundTls::Refuse(_) => {}
    }
    let foreign = matches!(outbound.tls, OutboundTls::Simple(_) | OutboundTls::Mutual { .. });
    if foreign && is_strict(service, server) {
        let (mode, winner) = (outbound.tls.mode(), server.winner.clone());
        notes.push(OutboundNote::NoMeshCertificateIntoStrict { mode, winner });
    }
    notes
}

fn of_search(search: &Search<'_>) -> Vec<OutboundNote> {
    let mut notes = Vec::new();
    for report in &search.steps {
        match &report.outcome {
            StepOutcome::NotSelected { rules, .. } => {
                notes.push(OutboundNote::RulesForOtherClients { rules: rules.clone() });
            }
            StepOutcome::Won { host, .. } => {
                let later = search.losers.iter().filter(|loser| {
                    matches!(loser.reason, RuleLossReason::EarlierStep { .. })
                        && is_better(&loser.host, host)
                });
                notes.extend(later.map(|loser| OutboundNote::BetterHostLater {
                    rule: loser.rule.clone(),
                    host: loser.host.clone(),
                    won: host.clone(),
                }));
            }
            StepOutcome::NotReached | StepOutcome::NoRule | StepOutcome::NotExported { .. } => {}
        }
    }
    notes
}

/// Whether `host` is more specific than `other`; both cover the same service.
fn is_better(host: &str, other: &str) -> bool {
    match (host.starts_with('*'), other.starts_with('*')) {
        (false, true) => true,
        (true, true) => host.len() > other.len(),
        (_, false) => false,
    }
}

fn plaintext(
    reason: &OutboundReason,
    service: &ServiceView,
    server: &ServerSide,
) -> Option<OutboundNote> {
    let winner = || server.winner.clone();
    is_strict(service, server).then(|| match reason {
        OutboundReason::NamespaceDisable { .. } => {
            OutboundNote::NamespaceDisableHidesStrict { winner: winner() }
        }
        _ => OutboundNote::PlaintextIntoStrict { winner: winner() },
    })
}

/// Whether the endpoint refuses what is no mesh mTLS. A service outside the mesh does not enforce policies of it, nor does an
/// endpoint that takes no part in it.
fn is_strict(service: &ServiceView, server: &ServerSide) -> bool {
    service.location == Location::MeshInternal && server.in_mesh && server.mode == MtlsMode::Strict
}

fn is_headless(reason: &OutboundReason) -> bool {
    matches!(reason, OutboundReason::AllEndpointsInMesh)
}

fn of_origination(
    origination: &Origination,
    credential: Option<&ClientCredential>,
    search: &Search<'_>,
    service: &ServiceView,
) -> Vec<OutboundNote> {
    let mut notes = Vec::new();
    match &origination.names {
        ServerNames::Authority => {}
        ServerNames::OneOf(names) => {
            let of_entry = service.registry == Registry::External;
            let spiffe = |name: &PeerName| matches!(name, PeerName::Spiffe(_));
            if of_entry && names.iter().all(spiffe) {
                notes.push(OutboundNote::OnlyMeshNames { names: names.clone() });
            }
        }
        ServerNames::ChainOnly => {
            if let crate::Sni::Fixed(sni) = &origination.sni {
                notes.push(OutboundNote::AnyName { sni: sni.clone() });
            }
        }
        ServerNames::InsecureSkipVerify => notes.push(OutboundNote::NothingVerified),
    }
    let secret = match (&origination.roots, credential) {
        (Roots::Credential(name), _) | (_, Some(ClientCredential::Credential(name))) => Some(name),
        _ => None,
    };
    let selective = search.winner.is_some_and(|rule| rule.selector().is_some());
    if let Some(name) = secret.filter(|name| !selective && !name.starts_with("configmap://")) {
        notes.push(OutboundNote::CredentialWithoutSelector { name: name.clone() });
    }
    notes
}
