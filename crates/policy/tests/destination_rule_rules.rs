//! The rules of `DestinationRule` stated a second time, one function for each of DR-1 to DR-13 in `docs/spec-coverage.md`, and held
//! against the crate on random rules. Only the resource types are shared.

#![expect(clippy::indexing_slicing, reason = "merged rules have at least one part")]

use std::net::IpAddr;

use meshtls_policy::{
    ClientTls, ClientTlsMode, DestinationRule, Endpoint, EndpointTls, Labels, MeshSettings,
    Outbound, OutboundChoice, OutboundTls, PolicySet, Resources, ServiceView, Sni, StepOutcome,
    Subset, Timestamp, TrafficPolicy, Workload,
};
use proptest::prelude::*;

const ROOT: &str = "root";

type Rule<'a> = &'a DestinationRule;

/// DR-7, first half: selectors first, then age, name, namespace.
fn dr_7_order(rules: &[DestinationRule]) -> Vec<Rule<'_>> {
    let mut ordered: Vec<Rule<'_>> = rules.iter().collect();
    ordered.sort_by_key(|rule| {
        let name = rule.name();
        (
            rule.workload_selector.is_none(),
            rule.metadata.created,
            name.name().as_bytes().to_vec(),
            name.namespace().as_bytes().to_vec(),
        )
    });
    ordered
}

/// DR-8: a selector makes a rule private, whatever `exportTo` says; otherwise it says it as a set.
fn dr_8_export_to(rule: Rule<'_>) -> Vec<String> {
    if rule.workload_selector.is_some() {
        return vec![".".to_owned()];
    }
    let mut entries = rule.export_to.clone();
    entries.sort();
    entries.dedup();
    entries
}

/// DR-8: whether only the rule's own namespace sees it.
fn dr_8_is_private(rule: Rule<'_>, default: &[String]) -> bool {
    let entries = dr_8_export_to(rule);
    match entries.as_slice() {
        [] => default.contains(&".".to_owned()),
        [only] => only == "." || only == rule.name().namespace(),
        _ => false,
    }
}

/// DR-8: whether its own namespace sees it.
fn dr_8_is_local(rule: Rule<'_>) -> bool {
    let entries = dr_8_export_to(rule);
    let own = rule.name().namespace();
    entries.is_empty()
        || entries
            .iter()
            .any(|entry| ["*", ".", own].contains(&entry.as_str()))
}

/// DR-9: short names are Kubernetes services of the rule's namespace.
fn dr_9_host(rule: Rule<'_>) -> String {
    let host = rule.host.as_str();
    if host.contains('.') || host == "*" {
        host.to_owned()
    } else {
        format!("{host}.{}.svc.cluster.local", rule.name().namespace())
    }
}

/// DR-5: the exact host, else the longest star that fits.
fn dr_5_best_host(pool: &[Rule<'_>], host: &str) -> Option<String> {
    let hosts: Vec<String> = pool.iter().map(|rule| dr_9_host(rule)).collect();
    if hosts.contains(&host.to_owned()) {
        return Some(host.to_owned());
    }
    let fits = |pattern: &&String| pattern.starts_with('*') && host.ends_with(&pattern[1..]);
    hosts
        .iter()
        .filter(fits)
        .max_by_key(|pattern| pattern.len())
        .cloned()
}

/// DR-7, second half: the rules for one host as they are merged, each by its parts.
fn dr_7_merge<'a>(pool: &[Rule<'a>], host: &str) -> Vec<Vec<Rule<'a>>> {
    let mut merged: Vec<Vec<Rule<'a>>> = Vec::new();
    for rule in pool.iter().filter(|rule| dr_9_host(rule) == host) {
        let mut alone = true;
        for parts in &mut merged {
            let (old, new) = (dr_8_export_to(parts[0]), dr_8_export_to(rule));
            let equal = old == new;
            let superset = !old.is_empty() && old.iter().all(|entry| new.contains(entry));
            let both_plain =
                parts[0].workload_selector.is_none() && rule.workload_selector.is_none();
            let same_selector = parts[0].workload_selector == rule.workload_selector;
            let both_select =
                parts[0].workload_selector.is_some() && rule.workload_selector.is_some();
            if (equal || superset) && (same_selector || !both_select) {
                parts.push(rule);
                alone = !equal && !both_plain && !both_select;
            } else {
                alone = true;
            }
        }
        if alone {
            merged.push(vec![rule]);
        }
    }
    merged
}

/// DR-6: the first with a selector that selects the client, else the last without.
fn dr_6_choose<'a>(merged: &[Vec<Rule<'a>>], client: &Workload) -> Option<Vec<Rule<'a>>> {
    let selects = |parts: &&Vec<Rule<'_>>| {
        let selector = parts[0].workload_selector.as_ref();
        selector.is_some_and(|labels| {
            labels
                .iter()
                .all(|(key, value)| client.labels.get(key) == Some(value))
        })
    };
    let plain = |parts: &&Vec<Rule<'_>>| parts[0].workload_selector.is_none();
    merged
        .iter()
        .find(selects)
        .or_else(|| merged.iter().rfind(plain))
        .cloned()
}

/// DR-1 to DR-4: the steps, of which the first with a rule for the host ends the search.
fn dr_1_to_4_search<'a>(
    ordered: &[Rule<'a>],
    default: &[String],
    client: &Workload,
    service: &ServiceView,
) -> Option<Vec<Rule<'a>>> {
    let of = |namespace: &str, keep: &dyn Fn(Rule<'_>) -> bool| -> Vec<Rule<'a>> {
        let here = |rule: &Rule<'a>| rule.name().namespace() == namespace && keep(rule);
        ordered.iter().copied().filter(here).collect()
    };
    let private = |rule: Rule<'_>| dr_8_is_private(rule, default);
    let exported = |rule: Rule<'_>| !dr_8_is_private(rule, default);
    let own = if client.namespace == ROOT {
        of(ROOT, &private)
    } else {
        of(&client.namespace, &dr_8_is_local)
    };
    let steps =
        [(own, false), (of(&service.namespace, &exported), true), (of(ROOT, &exported), true)];
    for (pool, tested) in steps {
        let Some(host) = dr_5_best_host(&pool, &service.hostname) else { continue };
        let mut merged = dr_7_merge(&pool, &host);
        if tested {
            merged.retain(|parts| {
                let entries = dr_8_export_to(parts[0]);
                entries.is_empty()
                    || entries
                        .iter()
                        .any(|entry| *entry == "*" || *entry == client.namespace)
            });
        }
        if !merged.is_empty() {
            return dr_6_choose(&merged, client);
        }
    }
    None
}

/// DR-10: an entry for the port in place of the rest.
fn dr_10_port(policy: &TrafficPolicy, port: u16) -> (bool, Option<&ClientTls>) {
    for entry in &policy.ports {
        if entry.port == port {
            return (true, entry.tls.as_ref());
        }
    }
    (false, policy.tls.as_ref())
}

/// DR-12: what endpoints see: the `tls` of an entry if it has one, else the top-level one.
fn dr_12_view(policy: &TrafficPolicy, port: u16) -> Option<&ClientTls> {
    let mut entries = policy
        .ports
        .iter()
        .filter(|entry| entry.port == port && entry.tls.is_some());
    entries
        .next()
        .map_or(policy.tls.as_ref(), |entry| entry.tls.as_ref())
}

/// What a client does: the names that were merged, the mode, and the server name, which tells the blocks apart.
#[derive(Debug, Eq, PartialEq)]
struct Answer {
    rules: Vec<String>,
    mode: &'static str,
    sni: Option<String>,
    auto: bool,
}

/// DR-11 and DR-13: subset over rule, then what the block says, else what endpoints see.
fn answer(won: Option<Vec<Rule<'_>>>, subset: &str, port: u16, in_mesh: bool) -> Answer {
    let parts = won.unwrap_or_default();
    let rules = parts.iter().map(|rule| rule.name().to_string()).collect();
    let top = parts.iter().find_map(|rule| rule.traffic_policy.as_ref());
    let found = parts
        .iter()
        .flat_map(|rule| &rule.subsets)
        .find(|known| known.name == subset);
    if !subset.is_empty() && found.is_none() {
        return Answer { rules, mode: "REFUSE", sni: None, auto: false };
    }
    let own = found.and_then(|subset| subset.traffic_policy.as_ref());
    let top_tls = top.and_then(|policy| dr_10_port(policy, port).1);
    let block = match own.map(|policy| dr_10_port(policy, port)) {
        None => top_tls,
        Some((true, tls)) => tls,
        Some((false, tls)) => tls.or(top_tls),
    };
    if let Some(tls) = block {
        return Answer { rules, mode: tls.mode.as_str(), sni: tls.sni.clone(), auto: false };
    }
    let view = own
        .and_then(|policy| dr_12_view(policy, port))
        .or_else(|| top.and_then(|policy| dr_12_view(policy, port)));
    let mutual = in_mesh && view.is_none_or(|tls| tls.mode == ClientTlsMode::IstioMutual);
    let mode = if mutual { "ISTIO_MUTUAL" } else { "DISABLE" };
    let sni = mutual.then(|| format!("outbound_.{port}_.{subset}_.api.shop.svc.cluster.local"));
    Answer { rules, mode, sni, auto: true }
}

fn seen(outbound: &Outbound) -> Answer {
    let sni = match &outbound.tls {
        OutboundTls::IstioMutual { sni, .. } => Some(sni.clone()),
        OutboundTls::Simple(origination) | OutboundTls::Mutual { origination, .. } => {
            match &origination.sni {
                Sni::Fixed(sni) => Some(sni.clone()),
                Sni::Authority => None,
            }
        }
        OutboundTls::Disable | OutboundTls::Refuse(_) => None,
    };
    Answer {
        rules: outbound.rules.iter().map(ToString::to_string).collect(),
        mode: outbound.tls.mode(),
        sni,
        auto: outbound.is_auto(),
    }
}

fn any_tls() -> impl Strategy<Value = Option<ClientTls>> {
    use ClientTlsMode::{Disable, IstioMutual, Mutual, Simple};
    let mode = prop::sample::select(vec![Disable, Simple, Mutual, IstioMutual]);
    let tls = (mode, "[a-z]{8}").prop_map(|(mode, sni)| {
        let tls = ClientTls::new(mode).with_client_certificate("c", "k");
        // Plaintext sends no name, so nothing would be compared.
        if mode == Disable { tls } else { tls.with_sni(sni) }
    });
    prop::option::of(tls)
}

fn any_policy() -> impl Strategy<Value = Option<TrafficPolicy>> {
    let ports = prop::collection::vec((prop::sample::select(vec![80_u16, 81]), any_tls()), 0..3);
    let policy = (any_tls(), ports).prop_map(|(tls, ports)| {
        let policy = TrafficPolicy::new(tls);
        ports
            .into_iter()
            .fold(policy, |policy, (port, tls)| policy.with_port(port, tls))
    });
    prop::option::of(policy)
}

fn any_selector() -> impl Strategy<Value = Option<Labels>> {
    prop_oneof![
        6 => Just(None),
        1 => Just(Some(Labels::default())),
        3 => prop::sample::select(vec!["a", "b"]).prop_map(|app| Some(Labels::from([("app", app)]))),
    ]
}

fn any_export_to() -> impl Strategy<Value = Vec<String>> {
    let entry = prop::sample::select(vec!["*", ".", "web", "shop", "other", ROOT]);
    prop_oneof![
        2 => Just(Vec::new()),
        3 => prop::collection::vec(entry.prop_map(str::to_owned), 1..3),
    ]
}

fn any_rules() -> impl Strategy<Value = Vec<DestinationRule>> {
    let namespace = prop::sample::select(vec!["web", "shop", "shop", "other", ROOT]);
    let host = prop::sample::select(vec![
        "api",
        "api.shop.svc.cluster.local",
        "api.shop.svc.cluster.local",
        "*",
        "*.local",
        "*.svc.cluster.local",
        "*i.shop.svc.cluster.local",
        "api.example.com",
    ]);
    let subset = (prop::sample::select(vec!["v1", "v2"]), any_policy());
    let rule = (
        namespace,
        host,
        any_export_to(),
        any_selector(),
        any_policy(),
        prop::collection::vec(subset, 0..3),
        prop::option::of(0_i64..3),
    );
    prop::collection::vec(rule, 0..9).prop_map(|rules| {
        let named = rules.into_iter().enumerate().map(
            |(nth, (namespace, host, export_to, selector, policy, subsets, created))| {
                let mut rule = DestinationRule::new(namespace, format!("r{nth}"), host)
                    .with_export_to(export_to);
                rule.workload_selector = selector;
                rule.traffic_policy = policy;
                rule.metadata.created = created.map(Timestamp::from_unix_seconds);
                for (name, policy) in subsets {
                    let mut subset = Subset::new(name, Labels::default());
                    subset.traffic_policy = policy;
                    rule.subsets.push(subset);
                }
                rule
            },
        );
        named.collect()
    })
}

fn any_client() -> impl Strategy<Value = Workload> {
    let app = prop::sample::select(vec![None, Some("a"), Some("b")]);
    (prop::sample::select(vec!["web", "shop", "other", ROOT]), app).prop_map(|(namespace, app)| {
        Workload::new(namespace, app.map(|app| ("app", app)).into_iter().collect::<Labels>())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn both_statements_agree(
        rules in any_rules(),
        client in any_client(),
        namespace in prop::sample::select(vec!["shop", "shop", "web", ROOT]),
        default in prop::sample::select(vec![vec!["*"], vec!["."], vec![]]),
        subset in prop::sample::select(vec!["", "", "v1", "v2"]),
        in_mesh in any::<bool>(),
    ) {
        let default: Vec<String> = default.into_iter().map(str::to_owned).collect();
        let settings = MeshSettings::default()
            .with_root_namespace(ROOT)
            .with_default_destination_rule_export_to(default.clone());
        let set = PolicySet::compile(settings, &Resources::default().with_destination_rules(rules.clone()));
        let service = ServiceView::new("api.shop.svc.cluster.local", namespace, 80);
        let mut endpoint = Endpoint::new(IpAddr::from([10, 0, 0, 1]), 8080, Workload::new(namespace, Labels::default()));
        endpoint.tls = if in_mesh { EndpointTls::Istio } else { EndpointTls::Disabled };

        let ordered = dr_7_order(&rules);
        let won = dr_1_to_4_search(&ordered, &default, &client, &service);
        let want = answer(won, subset, 80, in_mesh);
        let outbound = set.outbound(&client, &service, subset, &endpoint, OutboundChoice::Auto);
        prop_assert_eq!(seen(&outbound), want);

        // The explanation tells the same, and each rule for the host is in it exactly once.
        let told = set.explain_outbound(&client, &service, subset, &endpoint, OutboundChoice::Auto);
        prop_assert_eq!(&told.outbound, &outbound);
        let winner: Vec<_> = told.steps.iter().filter_map(|report| match &report.outcome {
            StepOutcome::Won { rules, .. } => Some(rules.clone()),
            _ => None,
        }).flatten().collect();
        prop_assert_eq!(&winner, &outbound.rules);
        let mut told_of: Vec<String> = winner.iter().chain(told.losers.iter().map(|loser| &loser.rule)).map(ToString::to_string).collect();
        told_of.sort();
        let mut all: Vec<String> = rules
            .iter()
            .filter(|rule| {
                let host = dr_9_host(rule);
                host == service.hostname || host.strip_prefix('*').is_some_and(|end| service.hostname.ends_with(end))
            })
            .map(|rule| rule.name().to_string())
            .collect();
        all.sort();
        prop_assert_eq!(told_of, all);
        prop_assert!(!told.to_string().is_empty());
    }
}
