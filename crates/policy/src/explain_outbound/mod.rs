//! Why a client uses the TLS it uses: the search for a rule, what the rule says, and what surprises people there.

mod notes;
mod search;
mod text;

use serde::Serialize;

use crate::discovery::{Endpoint, ServiceView};
use crate::rule_lookup::{Merged, Reduced};
use crate::{
    ClientTlsMode, MtlsMode, Outbound, OutboundChoice, PolicySet, ResourceName, RulePart, RuleRef,
    Winner, Workload,
};

pub use notes::OutboundNote;
pub use search::{RuleLoser, RuleLossReason, StepOutcome, StepReport};

impl PolicySet {
    /// Says why `client` connects to `endpoint` with the TLS that [`outbound`](Self::outbound) gives.
    ///
    /// Every rule of the set whose host covers the service is in the answer: as the winner, or among the losers.
    pub fn explain_outbound(
        &self,
        client: &Workload,
        service: &ServiceView,
        subset: &str,
        endpoint: &Endpoint,
        choice: OutboundChoice,
    ) -> OutboundExplanation {
        let outbound = self.outbound(client, service, subset, endpoint, choice);
        let search = match choice {
            OutboundChoice::Auto => search::search(self, client, service),
            OutboundChoice::Disable | OutboundChoice::IstioMutual => search::Search::default(),
        };
        let reduced = search
            .winner
            .and_then(|rule| Reduced::new(rule, subset, service.port));
        let resolved = self.resolve_as_written(&endpoint.workload, endpoint.port);
        let server = ServerSide {
            in_mesh: endpoint.tls == crate::EndpointTls::Istio,
            mode: resolved.mode(),
            winner: resolved.winner(),
        };
        OutboundExplanation {
            notes: notes::notes(&outbound, &search, reduced.as_ref(), service, &server),
            client: client.clone(),
            service: service.hostname.clone(),
            service_namespace: service.namespace.clone(),
            port: service.port,
            subset: subset.to_owned(),
            endpoint: endpoint.to_string(),
            choice,
            parts: parts(search.winner, reduced.as_ref(), &outbound, subset, service.port),
            steps: search.steps,
            losers: search.losers,
            outbound,
            server,
        }
    }
}

/// Why a client uses the TLS it uses. Its `Display` is for operators; the data is for programs.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OutboundExplanation {
    /// The client asked about.
    pub client: Workload,
    /// The full host name of the service.
    pub service: String,
    /// The namespace the service belongs to.
    pub service_namespace: String,
    /// The service port.
    pub port: u16,
    /// The subset that the client asks for; empty: none.
    pub subset: String,
    /// The endpoint: an address or a name, and the workload port.
    pub endpoint: String,
    /// What the caller asks for.
    pub choice: OutboundChoice,
    /// What is done, and why.
    pub outbound: Outbound,
    /// The search for a rule, in order. Empty if the caller left no choice.
    pub steps: Vec<StepReport>,
    /// What the parts of the rule say about TLS, from the widest to the narrowest.
    pub parts: Vec<TlsPart>,
    /// The rules whose host covers the service and that the client does not go by.
    pub losers: Vec<RuleLoser>,
    /// What is known of the other end.
    pub server: ServerSide,
    /// What surprises people here.
    pub notes: Vec<OutboundNote>,
}

/// What is known of an endpoint's own side.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ServerSide {
    /// Whether it takes part in mesh mTLS.
    pub in_mesh: bool,
    /// The mode that policies give its port.
    pub mode: MtlsMode,
    /// Where that comes from.
    pub winner: Winner,
}

/// What one part of a rule says about TLS.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TlsPart {
    /// The part.
    #[serde(flatten)]
    pub part: RuleRef,
    /// The mode of its `tls`; `None` if it has none.
    pub mode: Option<ClientTlsMode>,
    /// What comes of it.
    pub effect: TlsPartEffect,
}

/// What comes of the `tls` of a part of a rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TlsPartEffect {
    /// It is what the client does.
    Decides,
    /// It does not count for the service, but still for its endpoints where auto mTLS decides.
    CountsForEndpoints,
    /// There is none, and what wider parts say stays.
    Inherits,
    /// There is none, and what wider parts say for all ports is not inherited.
    Clears,
    /// A narrower part says something else, or clears it.
    Overridden,
}

/// What each part of a rule says about TLS.
fn parts(
    rule: Option<&Merged>,
    reduced: Option<&Reduced<'_>>,
    outbound: &Outbound,
    subset: &str,
    port: u16,
) -> Vec<TlsPart> {
    let (Some(rule), Some(reduced)) = (rule, reduced) else { return Vec::new() };
    let top = rule.policy().map(|(name, policy)| (name, None, policy));
    let own = rule
        .subset(subset)
        .and_then(|(name, subset)| Some((name, Some(subset), subset.traffic_policy.as_ref()?)));
    let is = |at: Option<&crate::rule_lookup::Block<'_>>, part: &RuleRef| {
        at.is_some_and(|block| block.reference() == *part)
    };
    let mut parts = Vec::new();
    for (name, subset, policy) in [top, own].into_iter().flatten() {
        let entry = policy.ports.iter().find(|entry| entry.port == port);
        let for_all = (None, policy.tls.as_ref());
        let for_port = entry.map(|entry| (Some(port), entry.tls.as_ref()));
        for (port, tls) in [Some(for_all), for_port].into_iter().flatten() {
            let part = RuleRef::new(ResourceName::clone(name), RulePart::new(subset, port));
            let effect = if is(reduced.block.as_ref(), &part) {
                TlsPartEffect::Decides
            } else if outbound.is_auto() && is(reduced.endpoint_view.as_ref(), &part) {
                TlsPartEffect::CountsForEndpoints
            } else if tls.is_some() {
                TlsPartEffect::Overridden
            } else if port.is_some() {
                TlsPartEffect::Clears
            } else {
                TlsPartEffect::Inherits
            };
            parts.push(TlsPart { part, mode: tls.map(|tls| tls.mode), effect });
        }
    }
    parts
}
