//! Findings about `DestinationRule` beside the examples of `docs/lint.md`: each row a small set and all that is found.

use meshtls_policy::{
    Address, ClientTls, ClientTlsMode, DestinationRule, Endpoint, EndpointTls, Inventory, Labels,
    MeshSettings, MtlsMode, OutboundChoice, OutboundTls, PeerAuthentication, PolicySet, Resources,
    ServiceView, Subset, Timestamp, TrafficPolicy, Workload, lint,
};

use crate::brief;
use ClientTlsMode::{Disable, IstioMutual, Mutual, Simple};

const HOST: &str = "httpbin.foo.svc.cluster.local";

fn rule(namespace: &str, name: &str, host: &str) -> DestinationRule {
    DestinationRule::new(namespace, name, host)
}

fn tls(mode: ClientTlsMode) -> ClientTls {
    ClientTls::new(mode)
}

fn aged(rule: DestinationRule, age: i64) -> DestinationRule {
    rule.with_created(Timestamp::from_unix_seconds(age))
}

#[test]
fn without_inventory() {
    let http = || rule("bar", "r", HOST);
    let api = || rule("bar", "r", "api.example.com");
    let pattern = |namespace: &str| rule(namespace, "all", "*.local");
    let exact = |namespace: &str| rule(namespace, "r", HOST).with_tls(tls(IstioMutual));
    for (name, rules, want) in [
        ("a port entry without tls, and no tls above", vec![http().with_port(8000, None)], vec![]),
        (
            "a port entry of a subset, under the rule's tls",
            vec![
                http().with_tls(tls(IstioMutual)).with_subset(
                    Subset::new("v1", [("v", "1")])
                        .with_traffic_policy(TrafficPolicy::default().with_port(8000, None)),
                ),
            ],
            vec!["MT103 bar/r spec.subsets[0].trafficPolicy.portLevelSettings[0]"],
        ),
        (
            "a port entry for another port",
            vec![
                http()
                    .with_tls(tls(Simple))
                    .with_port(9, tls(Disable))
                    .with_port(8, None),
            ],
            vec!["MT103 bar/r spec.trafficPolicy.portLevelSettings[1]"],
        ),
        ("sni of mesh mTLS", vec![api().with_tls(tls(IstioMutual).with_sni("x"))], vec![]),
        (
            "sni of MUTUAL in a port entry",
            vec![api().with_port(443, tls(Mutual).with_sni("x"))],
            vec!["MT104 bar/r spec.trafficPolicy.portLevelSettings[0].tls.sni"],
        ),
        ("SIMPLE without sni checks the authority", vec![api().with_tls(tls(Simple))], vec![]),
        (
            "the same tls twice",
            vec![
                aged(http().with_tls(tls(Simple)), 1),
                aged(rule("bar", "s", HOST).with_tls(tls(Simple)), 2),
            ],
            vec![],
        ),
        (
            "two ages",
            vec![
                aged(http().with_tls(tls(Simple)), 2),
                aged(rule("bar", "s", HOST).with_tls(tls(Disable)), 1),
            ],
            vec!["MT107 bar/r spec.trafficPolicy"],
        ),
        (
            "a short name for the same host",
            vec![
                aged(rule("foo", "r", HOST).with_tls(tls(Simple)), 1),
                aged(rule("foo", "s", "httpbin").with_tls(tls(Disable)), 2),
            ],
            vec!["MT107 foo/s spec.trafficPolicy"],
        ),
        (
            "the same host in two namespaces",
            vec![http().with_tls(tls(Simple)), rule("foo", "s", HOST).with_tls(tls(Disable))],
            vec![],
        ),
        (
            "other exports stay separate",
            vec![
                http().with_tls(tls(Simple)),
                rule("bar", "s", HOST)
                    .with_tls(tls(Disable))
                    .with_export_to(["."]),
            ],
            vec![],
        ),
        (
            "a selector of clients is for them",
            vec![
                http().with_tls(tls(Simple)),
                rule("bar", "s", HOST)
                    .with_tls(tls(Disable))
                    .with_workload_selector([("app", "x")]),
            ],
            vec![],
        ),
        (
            "a pattern before an exact rule",
            vec![pattern("bar"), exact("foo")],
            vec!["MT106 bar/all spec.host"],
        ),
        (
            "a pattern for everything",
            vec![rule("bar", "all", "*"), exact("foo")],
            vec!["MT106 bar/all spec.host"],
        ),
        (
            "a pattern that does not fit",
            vec![rule("bar", "all", "*.example"), exact("foo")],
            vec![],
        ),
        ("a pattern of the mesh comes last", vec![pattern("istio-system"), exact("foo")], vec![]),
        (
            "an exact rule that is not exported",
            vec![pattern("bar"), exact("foo").with_export_to(["."])],
            vec![],
        ),
        (
            "an exact rule that is exported elsewhere",
            vec![pattern("bar"), exact("foo").with_export_to(["baz"])],
            vec![],
        ),
        ("an exact rule without tls", vec![pattern("bar"), rule("foo", "r", HOST)], vec![]),
        (
            "the same pattern",
            vec![pattern("bar"), rule("foo", "r", "*.local").with_tls(tls(IstioMutual))],
            vec![],
        ),
        (
            "a narrower pattern",
            vec![pattern("bar"), rule("foo", "r", "*.cluster.local").with_tls(tls(IstioMutual))],
            vec!["MT106 bar/all spec.host"],
        ),
        (
            "a pattern that its own clients do not see",
            vec![pattern("bar").with_export_to(["baz"]), exact("foo")],
            vec![],
        ),
    ] {
        let resources = Resources::default().with_destination_rules(rules);
        assert_eq!(brief(&lint(&MeshSettings::default(), &resources, None)), want, "{name}");
    }
}

/// Two endpoints at 80 for port 8000, v1 in the mesh and v2 not; port 9000 is served at 9000.
const INVENTORY: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: httpbin, namespace: foo }
spec:
  hosts: [httpbin.foo.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 8000, name: http, protocol: HTTP, targetPort: 80 }, { number: 9000, name: tcp }]
  endpoints:
  - { address: 10.0.0.1, labels: { app: httpbin, v: '1' }, serviceAccount: httpbin }
  - { address: 10.0.0.2, labels: { app: httpbin, v: '2', security.istio.io/tlsMode: disabled } }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: cdn, namespace: foo }
spec: { hosts: ['*.cdn.example'], resolution: NONE, ports: [{ number: 443, name: tls }] }
";

#[test]
fn with_an_inventory() {
    let http = || rule("bar", "r", HOST);
    let v = |value: &str, policy: TrafficPolicy| {
        Subset::new("s", [("v", value)]).with_traffic_policy(policy)
    };
    let plain = || PeerAuthentication::new("foo", "p").with_selector([("v", "1")]);
    let strict = || plain().with_mode(MtlsMode::Strict);
    for (name, policy, rule, want) in [
        (
            "DISABLE towards PERMISSIVE",
            plain().with_mode(MtlsMode::Permissive),
            http().with_tls(tls(Disable)),
            vec![],
        ),
        (
            "SIMPLE towards STRICT",
            strict(),
            http().with_tls(tls(Simple)),
            vec!["MT101 bar/r spec.trafficPolicy.tls.mode"],
        ),
        (
            "DISABLE for the one port that is not STRICT",
            strict().with_port(9000, MtlsMode::Disable),
            http().with_port(9000, tls(Disable)),
            vec![],
        ),
        (
            "DISABLE for all ports but the STRICT one",
            plain()
                .with_mode(MtlsMode::Disable)
                .with_port(80, MtlsMode::Strict),
            http().with_tls(tls(Disable)).with_port(8000, tls(Disable)),
            vec![
                "MT014 foo/p spec.portLevelMtls.80",
                "MT101 bar/r spec.trafficPolicy.portLevelSettings[0].tls.mode",
            ],
        ),
        (
            "DISABLE for a subset that is not STRICT",
            strict(),
            http().with_subset(v("2", TrafficPolicy::new(tls(Disable)))),
            vec![],
        ),
        (
            "ISTIO_MUTUAL for a subset in the mesh",
            strict(),
            http().with_subset(v("1", TrafficPolicy::new(tls(IstioMutual)))),
            vec![],
        ),
        (
            "ISTIO_MUTUAL for a subset outside it",
            strict(),
            http().with_subset(v("2", TrafficPolicy::new(tls(IstioMutual)))),
            vec!["MT102 bar/r spec.subsets[0].trafficPolicy.tls.mode"],
        ),
        (
            "ISTIO_MUTUAL for a DISABLE port",
            strict().with_port(80, MtlsMode::Disable),
            http().with_subset(v("1", TrafficPolicy::default().with_port(8000, tls(IstioMutual)))),
            vec!["MT102 bar/r spec.subsets[0].trafficPolicy.portLevelSettings[0].tls.mode"],
        ),
        (
            "a pattern that leads there",
            strict(),
            rule("bar", "r", "*.foo.svc.cluster.local").with_tls(tls(Disable)),
            vec!["MT101 bar/r spec.trafficPolicy.tls.mode"],
        ),
        (
            "a pattern of nobody",
            strict(),
            rule("bar", "r", "*.baz.svc.cluster.local"),
            vec!["MT105 bar/r spec.host"],
        ),
        (
            "a host that a service's pattern has",
            strict(),
            rule("bar", "r", "a.cdn.example"),
            vec![],
        ),
        (
            "a subset of a service without endpoints",
            strict(),
            rule("bar", "r", "*.cdn.example").with_subset(Subset::new("s", [("v", "1")])),
            vec![],
        ),
        (
            "clients that nobody is",
            strict(),
            http().with_workload_selector([("app", "x")]),
            vec!["MT008 bar/r spec.workloadSelector.matchLabels"],
        ),
    ] {
        // A DISABLE exception in a namespace that is DISABLE as a whole would be another matter.
        let mut policies = vec![policy];
        if name.starts_with("DISABLE for all") {
            policies.push(PeerAuthentication::new("foo", "default").with_mode(MtlsMode::Disable));
        }
        let settings = MeshSettings::default();
        let resources = Resources::parse("inventory.yaml", INVENTORY)
            .unwrap()
            .with_peer_authentications(policies)
            .with_destination_rules([rule]);
        let inventory = Inventory::from_resources(&settings, &resources);
        let mut found = brief(&lint(&settings, &resources, Some(&inventory)));
        found.sort();
        assert_eq!(found, want, "{name}");
    }
}

#[test]
fn istio_31425_the_client_rule_and_the_server_policy_are_named() {
    let settings = MeshSettings::default();
    let resources = Resources::parse("inventory.yaml", INVENTORY)
        .unwrap()
        .with_peer_authentications([
            PeerAuthentication::new("foo", "default").with_mode(MtlsMode::Strict)
        ])
        .with_destination_rules([rule("bar", "r", HOST).with_tls(tls(Disable))]);
    let inventory = Inventory::from_resources(&settings, &resources);
    let findings = lint(&settings, &resources, Some(&inventory));
    let finding = findings
        .iter()
        .find(|finding| finding.kind == "DestinationRule")
        .unwrap();
    assert_eq!(
        finding.message,
        "DISABLE sends plaintext, and foo/httpbin on port 8000 of httpbin.foo.svc.cluster.local is STRICT by namespace policy foo/default: connections fail"
    );
}

/// What the finding says of a port entry without `tls` is what clients then do.
#[test]
fn what_comes_of_a_port_entry_without_tls() {
    let service = ServiceView::new(HOST, "foo", 80);
    let workload = Workload::new("foo", [(EndpointTls::LABEL, "istio")]);
    let endpoint = Endpoint::new(Address::Host("a".to_owned()), 8000, workload);
    for mode in [Disable, Simple, Mutual, IstioMutual] {
        let resources = Resources::default().with_destination_rules([rule("bar", "r", HOST)
            .with_tls(tls(mode))
            .with_port(80, None)]);
        let findings = lint(&MeshSettings::default(), &resources, None);
        let [finding] = findings.as_slice() else { unreachable!("{mode}: {findings:?}") };
        let set = PolicySet::compile(MeshSettings::default(), &resources);
        let client = Workload::new("bar", Labels::default());
        let outbound = set.outbound(&client, &service, "", &endpoint, OutboundChoice::Auto);
        let plaintext = outbound.tls == OutboundTls::Disable;
        assert_eq!(finding.message.contains("sends plaintext"), plaintext, "{finding}");
        assert_eq!(plaintext, mode != IstioMutual, "{mode}");
    }
}
