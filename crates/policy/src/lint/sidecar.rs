//! Findings about `Sidecar`.

use std::collections::{BTreeMap, HashMap};

use super::audience::{self, Audience};
use super::code::Code;
use super::context::Context;
use super::finding::Findings;
use super::selectors::Selectors;
use super::world::Alike;
use crate::sidecar::IngressListener;
use crate::{Labels, MtlsMode, PeerAuthentication, Sidecar, Workload, protocol};

pub(super) fn check<'a>(context: &'a Context<'a>, findings: &mut Findings<'_>) {
    let mut namespaces: BTreeMap<&str, Vec<&'a Sidecar>> = BTreeMap::new();
    for sidecar in context.resources.sidecars() {
        namespaces
            .entry(sidecar.name().namespace())
            .or_default()
            .push(sidecar);
    }
    let selected = context.resources.sidecars().iter().map(reach_and_selector);
    let audience = context
        .world
        .as_ref()
        .map(|world| Audience::new(world, selected));
    let disabling = Disabling::new(context);
    for (namespace, mut sidecars) in namespaces {
        sidecars.sort_by(|a, b| a.metadata.precedence(&b.metadata));
        shadowed(context.is_root(namespace), &sidecars, findings);
        for sidecar in sidecars {
            let workloads = audience.as_ref().map(|audience| {
                let (reach, selector) = reach_and_selector(sidecar);
                audience.of(reach, selector)
            });
            if let (Some([]), Some(selector)) = (workloads, &sidecar.workload_selector)
                && !selector.is_empty()
            {
                let field = "spec.workloadSelector.labels";
                audience::matches_nothing(sidecar, field, Some(namespace), selector, findings);
            }
            let ports = Ports { context, disabling: &disabling, sidecar, workloads };
            for (nth, listener) in sidecar.ingress.iter().enumerate() {
                listener_tls(&ports, nth, listener, findings);
            }
        }
    }
}

fn reach_and_selector(sidecar: &Sidecar) -> (Option<&str>, &Labels) {
    static NONE: std::sync::LazyLock<Labels> = std::sync::LazyLock::new(Labels::default);
    (Some(sidecar.name().namespace()), sidecar.workload_selector.as_ref().unwrap_or(&NONE))
}

/// One `Sidecar` is for a workload: with a selector before without, then the oldest (rule SI-1).
fn shadowed(root: bool, by_age: &[&Sidecar], findings: &mut Findings<'_>) {
    let selective = || {
        by_age
            .iter()
            .filter_map(|sidecar| Some((sidecar, sidecar.workload_selector.as_ref()?)))
    };
    let for_all = selective()
        .find(|(_, selector)| selector.is_empty())
        .map(|(first, _)| first);
    // Of one selector the first counts: the others need not be compared with each other.
    let mut known: HashMap<&Labels, usize> = HashMap::new();
    let mut firsts: Vec<(&Sidecar, &Labels)> = Vec::new();
    for (sidecar, selector) in selective() {
        if !known.contains_key(selector) {
            known.insert(selector, firsts.len());
            firsts.push((sidecar, selector));
        }
    }
    let index = Selectors::new(firsts.iter().map(|(_, selector)| *selector));
    for (sidecar, selector) in selective() {
        let older = index
            .selecting(selector)
            .filter_map(|number| firsts.get(number));
        let winner = older
            .map(|(first, _)| *first)
            .chain(for_all.copied())
            .min_by(|a, b| a.metadata.precedence(&b.metadata));
        loses(sidecar, winner, findings);
    }
    let without = || {
        by_age
            .iter()
            .filter(|sidecar| sidecar.workload_selector.is_none())
    };
    let first = without().next();
    // In the root namespace one without selector is for other namespaces too.
    let winner = if root { first } else { for_all.or(first) };
    for sidecar in without() {
        loses(sidecar, winner.copied(), findings);
    }
}

fn loses(sidecar: &Sidecar, winner: Option<&Sidecar>, findings: &mut Findings<'_>) {
    let Some(winner) = winner.filter(|winner| !std::ptr::eq(*winner, sidecar)) else { return };
    if winner.workload_selector.is_some() == sidecar.workload_selector.is_some()
        && sidecar.metadata.precedence(&winner.metadata).is_lt()
    {
        return;
    }
    findings.add(
        Code::ShadowedSidecar,
        sidecar,
        "spec.workloadSelector",
        format!(
            "no effect: {} is for all of its workloads and comes first; nothing is merged",
            winner.name()
        ),
        format!(
            "put what both say into {}, or make their selectors exclude each other",
            winner.name()
        ),
    );
}

/// The rules for one port of a `Sidecar`.
fn listener_tls(
    ports: &Ports<'_>,
    nth: usize,
    listener: &IngressListener,
    findings: &mut Findings<'_>,
) {
    let port = listener.port;
    let enabled = ports.context.settings.sidecar_ingress_tls;
    if listener.tls.is_some() && !enabled {
        findings.add(
            Code::IngressTlsTurnedOff,
            ports.sidecar,
            format!("spec.ingress[{nth}].tls"),
            format!("the mesh has TLS blocks of Sidecars turned off: nothing ends TLS on port {port}, and plaintext is taken"),
            "turn them on (sidecar_ingress_tls of the mesh settings); or end TLS in the application",
        );
    } else if listener.tls.is_some()
        && let Some(mode) = ports.never_disabled(port)
    {
        let instead = "a PeerAuthentication that selects the workloads, with portLevelMtls";
        findings.add(
            Code::IngressTlsIgnored,
            ports.sidecar,
            format!("spec.ingress[{nth}].tls"),
            format!("ignored: port {port} is {mode}, and a TLS block counts under DISABLE alone"),
            format!("{instead}: {{ {port}: {{ mode: DISABLE }} }}"),
        );
    } else if listener.tls.is_none()
        && protocol::is_tls(&listener.protocol)
        && ports.typical_mode(port) != MtlsMode::Strict
    {
        findings.add(
            Code::IngressWithoutTls,
            ports.sidecar,
            format!("spec.ingress[{nth}].port.protocol"),
            format!("port {port} is declared {} and nothing ends TLS on it: the application gets what comes, plaintext too", listener.protocol),
            "a tls block, and DISABLE for the port; or no matter, if the application ends TLS itself",
        );
    }
}

/// The ports of the workloads that a `Sidecar` is for.
struct Ports<'a> {
    context: &'a Context<'a>,
    disabling: &'a Disabling<'a>,
    sidecar: &'a Sidecar,
    workloads: Option<&'a [&'a Alike]>,
}

impl Ports<'_> {
    /// The mode of a workload with the labels asked for and no other.
    fn typical_mode(&self, port: u16) -> MtlsMode {
        let (namespace, selector) = reach_and_selector(self.sidecar);
        let typical = Workload::new(namespace.unwrap_or_default(), selector.clone());
        self.context.enforced.resolve(&typical, port).mode()
    }

    /// The mode of the port, if it is DISABLE for none of the workloads.
    fn never_disabled(&self, port: u16) -> Option<MtlsMode> {
        let mode = |alike: &&Alike| self.context.enforced.resolve(&alike.workload, port).mode();
        match self.workloads {
            Some([first, rest @ ..]) => {
                let never = [first]
                    .into_iter()
                    .chain(rest)
                    .all(|alike| mode(alike) != MtlsMode::Disable);
                never.then(|| mode(first))
            }
            Some([]) | None => {
                let typical = self.typical_mode(port);
                let never = typical != MtlsMode::Disable && !self.disabling.may(self.sidecar, port);
                never.then_some(typical)
            }
        }
    }
}

/// The policies with a selector that make a port DISABLE, by namespace and port.
struct Disabling<'a> {
    ports: HashMap<(&'a str, Option<u16>), Vec<&'a Labels>>,
}

impl<'a> Disabling<'a> {
    fn new(context: &'a Context<'a>) -> Self {
        let mut ports: HashMap<_, Vec<&Labels>> = HashMap::new();
        let selective =
            |policy: &&PeerAuthentication| !policy.selector.is_empty() && !policy.is_dry_run();
        for policy in context
            .resources
            .peer_authentications()
            .iter()
            .filter(selective)
        {
            let namespace = policy.name().namespace();
            let entries = policy.ports.keys().copied().map(Some);
            for port in entries.chain([None]) {
                if context.port_mode(policy, port.unwrap_or(0)) == MtlsMode::Disable {
                    ports
                        .entry((namespace, port))
                        .or_default()
                        .push(&policy.selector);
                }
            }
        }
        Self { ports }
    }

    /// Whether a workload of the `Sidecar` may be selected by one of them.
    fn may(&self, sidecar: &Sidecar, port: u16) -> bool {
        let (namespace, own) = reach_and_selector(sidecar);
        let namespace = namespace.unwrap_or_default();
        [Some(port), None]
            .into_iter()
            .filter_map(|port| self.ports.get(&(namespace, port)))
            .flatten()
            .any(|selector| {
                selector
                    .iter()
                    .all(|(key, value)| own.get(key).is_none_or(|found| found == value))
            })
    }
}
