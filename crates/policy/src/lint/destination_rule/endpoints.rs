//! Client rules and servers that cannot meet.

use std::collections::HashMap;

use super::blocks::{Block, blocks};
use super::hosts::{Services, resolved};
use crate::lint::code::Code;
use crate::lint::context::Context;
use crate::lint::finding::Findings;
use crate::{
    ClientTlsMode, DestinationRule, Endpoint, EndpointTls, Inventory, Labels, MtlsMode, ServiceView,
};

/// Holds rules against the endpoints they lead to.
pub(super) struct Endpoints<'a> {
    context: &'a Context<'a>,
    inventory: &'a Inventory,
    services: &'a Services<'a>,
    /// What is wrong with the endpoints of a host, by what a block says: many namespaces may have the same rule.
    known: HashMap<Asked, Option<(Code, String)>>,
}

#[derive(Eq, Hash, PartialEq)]
struct Asked {
    host: String,
    mode: ClientTlsMode,
    port: Option<u16>,
    entries: Vec<u16>,
    subset: Option<Labels>,
}

impl<'a> Endpoints<'a> {
    pub(super) fn new(
        context: &'a Context<'a>,
        inventory: &'a Inventory,
        services: &'a Services<'a>,
    ) -> Self {
        Self { context, inventory, services, known: HashMap::new() }
    }

    pub(super) fn check(&mut self, rule: &DestinationRule, findings: &mut Findings<'_>) {
        let host = resolved(rule);
        for block in blocks(rule) {
            if let Some((code, message)) = self.cannot_meet(&host, &block) {
                let instead = match code {
                    Code::RuleRefusedByStrict => {
                        "ISTIO_MUTUAL; or no tls, so that auto mTLS does what each endpoint takes"
                    }
                    _ => {
                        "no tls, so that auto mTLS does what each endpoint takes; or bring the endpoint into the mesh"
                    }
                };
                findings.add(code, rule, format!("{}.mode", block.field), message, instead);
            }
        }
        for (nth, subset) in rule.subsets.iter().enumerate() {
            let mut endpoints = self
                .services
                .of(&host)
                .flat_map(|service| &service.endpoints)
                .peekable();
            // Where no endpoint is known, neither is that one is missing.
            let known = endpoints.peek().is_some();
            if known && !endpoints.any(|endpoint| subset.labels.select(&endpoint.workload.labels)) {
                findings.add(
                    Code::SubsetEmpty,
                    rule,
                    format!("spec.subsets[{nth}].labels"),
                    format!("no endpoint of {host} in the inventory has the labels {}: the subset reaches nobody", subset.labels),
                    "the labels of endpoints of this host",
                );
            }
        }
    }

    fn cannot_meet(&mut self, host: &str, block: &Block<'_>) -> Option<(Code, String)> {
        let asked = Asked {
            host: host.to_owned(),
            mode: block.tls.mode,
            port: block.port,
            entries: block.entries.iter().map(|entry| entry.port).collect(),
            subset: block.subset.cloned(),
        };
        if let Some(known) = self.known.get(&asked) {
            return known.clone();
        }
        let reached = self.services.of(host).filter(|service| match block.port {
            Some(port) => service.port == port,
            None => !asked.entries.contains(&service.port),
        });
        let found = reached
            .flat_map(|service| {
                service
                    .endpoints
                    .iter()
                    .map(move |endpoint| (service, endpoint))
            })
            .filter(|(_, endpoint)| {
                block
                    .subset
                    .is_none_or(|labels| labels.select(&endpoint.workload.labels))
            })
            .find_map(|(service, endpoint)| self.trouble(block.tls.mode, service, endpoint));
        self.known.insert(asked, found.clone());
        found
    }

    /// Why a client with this mode does not get through to an endpoint, whatever it takes by itself.
    fn trouble(
        &self,
        mode: ClientTlsMode,
        service: &ServiceView,
        endpoint: &Endpoint,
    ) -> Option<(Code, String)> {
        let in_mesh = endpoint.tls == EndpointTls::Istio;
        let resolved = self
            .context
            .enforced
            .resolve(&endpoint.workload, endpoint.port);
        let name = self
            .inventory
            .member(endpoint)
            .map_or_else(|| endpoint.to_string(), |member| member.name.to_string());
        let whom = format!("{name} on port {} of {}", service.port, service.hostname);
        match (mode, resolved.mode()) {
            (ClientTlsMode::Disable | ClientTlsMode::Simple, MtlsMode::Strict) if in_mesh => {
                let sends = if mode == ClientTlsMode::Simple {
                    "TLS without a mesh certificate"
                } else {
                    "plaintext"
                };
                let winner = resolved.winner();
                Some((
                    Code::RuleRefusedByStrict,
                    format!(
                        "{mode} sends {sends}, and {whom} is STRICT by {winner}: connections fail"
                    ),
                ))
            }
            (ClientTlsMode::IstioMutual, _) if !in_mesh => Some((
                Code::RuleNeedsMesh,
                format!(
                    "{mode} holds for every endpoint, and {whom} is not in the mesh: handshakes fail"
                ),
            )),
            (ClientTlsMode::IstioMutual, MtlsMode::Disable) => {
                let winner = resolved.winner();
                Some((
                    Code::RuleNeedsMesh,
                    format!(
                        "{mode} holds whatever the server takes, and {whom} is DISABLE by {winner}: handshakes fail"
                    ),
                ))
            }
            _ => None,
        }
    }
}
