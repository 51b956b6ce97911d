//! What is read can be printed, as YAML and as JSON, and is read back as the same.

use meshtls_policy::{
    MtlsMode, ParseOptions, PeerAuthentication, Resources, ServiceEntry, ServicePort, Timestamp,
    WorkloadEntry, WorkloadSpec,
};
use proptest::prelude::*;

const WRITTEN: &str = "\
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata:
  name: httpbin
  namespace: foo
  creationTimestamp: \"2024-03-01T00:00:01Z\"
  annotations:
    note: \"a: b # \\\"c\\\"\\n\\u0007 \\U0001F600é\"
spec:
  selector:
    matchLabels:
      app: httpbin
      version: \"1.10\"
  mtls:
    mode: STRICT
  portLevelMtls:
    9080:
      mode: DISABLE
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: require-mtls
  namespace: foo
spec:
  action: DENY
  rules:
  - from:
    - source:
        notPrincipals:
        - \"*\"
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: web
  namespace: foo
spec:
  host: web.foo.svc.cluster.local
  trafficPolicy:
    tls:
      mode: ISTIO_MUTUAL
    connectionPool:
      tcp:
        maxConnections: 10
  subsets:
  - name: v1
    labels:
      version: v1
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata:
  name: ingress
  namespace: foo
spec:
  workloadSelector:
    labels:
      app: httpbin
  ingress:
  - port:
      number: 9080
      protocol: HTTPS
      name: external
    defaultEndpoint: \"0.0.0.0:80\"
    tls:
      mode: MUTUAL
      serverCertificate: /etc/tls.crt
      privateKey: /etc/tls.key
      caCertificates: /etc/ca.crt
      cipherSuites: []
    captureMode: NONE
  egress:
  - hosts:
    - \"./*\"
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: web
  namespace: foo
spec:
  hosts:
  - web.foo.svc.cluster.local
  ports:
  - number: 80
    name: http
    protocol: HTTP
    targetPort: 8080
  location: MESH_INTERNAL
  resolution: STATIC
  endpoints:
  - address: 10.0.0.1
    ports:
      http: 9090
    labels:
      app: web
    serviceAccount: web
  exportTo:
  - \".\"
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata:
  name: web-1
  namespace: foo
spec:
  address: \"2001:db8::1\"
  network: \"on\"
  weight: 3
";

#[test]
fn every_kind_in_block_style() {
    let read = Resources::parse("written.yaml", WRITTEN).unwrap();
    assert_eq!(read.len(), 6);
    assert_eq!(read.to_yaml(), WRITTEN.replace("\\U0001F600", "\u{1f600}"));
}

/// Flow style, block style, JSON, several documents and a list: the same objects.
#[test]
fn every_kind_in_every_form() {
    let read = Resources::parse("written.yaml", WRITTEN).unwrap();
    let json: Vec<String> = [
        serde_json::to_string(&read.authorization_policies()[0]),
        serde_json::to_string(&read.peer_authentications()[0]),
        serde_json::to_string(&read.destination_rules()[0]),
        serde_json::to_string(&read.service_entries()[0]),
        serde_json::to_string(&read.sidecars()[0]),
        serde_json::to_string(&read.workload_entries()[0]),
    ]
    .map(Result::unwrap)
    .into();
    let list = |kind: &str, items: &[String]| {
        let items = items.join(",");
        format!("{{\"apiVersion\":\"{kind}\",\"items\":[{items}]}}").replace('@', "\",\"kind\":\"")
    };
    let own_lists: Vec<String> = json
        .iter()
        .zip([
            "security.istio.io/v1@AuthorizationPolicyList",
            "security.istio.io/v1beta1@PeerAuthenticationList",
            "networking.istio.io/v1@DestinationRuleList",
            "networking.istio.io/v1@ServiceEntryList",
            "networking.istio.io/v1alpha3@SidecarList",
            "networking.istio.io/v1@WorkloadEntryList",
        ])
        .map(|(json, kind)| list(kind, std::slice::from_ref(json)))
        .collect();
    for (name, text) in [
        ("JSON documents", json.join("\n---\n")),
        ("a List", list("v1@List", &json)),
        ("a List of Lists", list("v1@List", &own_lists)),
        ("lists of a kind each", own_lists.join("\n---\n")),
        ("other versions", WRITTEN.replace("istio.io/v1\n", "istio.io/v1beta1\n")),
    ] {
        let again = Resources::parse(name, &text).unwrap();
        assert_eq!(again.to_yaml(), read.to_yaml(), "{name}");
        assert_eq!(again, read, "{name}");
    }
}

#[test]
fn documents_are_sorted_by_kind_and_keep_their_order_within() {
    let resources = Resources::default()
        .with_workload_entries([WorkloadEntry::new(
            "a",
            "w",
            WorkloadSpec::new(std::net::IpAddr::from([10, 0, 0, 1])),
        )])
        .with_peer_authentications([
            PeerAuthentication::new("b", "a"),
            PeerAuthentication::new("a", "z"),
            PeerAuthentication::new("a", "b"),
        ]);
    let text = resources.to_yaml();
    let names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("name"))
        .collect();
    assert_eq!(names, [": a", "space: b", ": z", "space: a", ": b", "space: a", ": w", "space: a"]);
    assert_eq!(Resources::default().to_yaml(), "");
}

/// Texts that some reader of YAML takes for something else.
#[test]
fn what_looks_like_something_else_is_quoted() {
    for text in [
        "",
        "~",
        "null",
        "true",
        "off",
        "Y",
        "n",
        "1",
        "1.5",
        "1_000",
        "0x1F",
        "0o17",
        "1e3",
        ".5",
        ".inf",
        "10:20",
        "1:20:30.5",
        "2024-03-01",
        "2024-03-01T00:00:01Z",
        "-",
        "---",
        "...",
        "- a",
        "a: b",
        "a:",
        ":a",
        "a #b",
        "#a",
        "*a",
        "&a",
        "!a",
        "<<",
        "=",
        "@a",
        "`a`",
        "%a",
        "|",
        ">",
        "{a",
        "[a",
        "'a'",
        "\"a\"",
        "\\",
        " a",
        "a ",
        "a\nb",
        "a\tb",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{7f}",
        "\u{1f600}",
        "\u{e000}",
        "é",
        "?",
        "? a",
        ",",
        "0",
        "007",
    ] {
        let policy = annotated("key", text);
        let printed = policy.to_yaml();
        assert_eq!(Resources::parse(text, &printed).unwrap(), policy, "{printed}");
        let policy = annotated(text, "value");
        let printed = policy.to_yaml();
        assert_eq!(Resources::parse(text, &printed).unwrap(), policy, "{printed}");
    }
}

fn annotated(key: &str, value: &str) -> Resources {
    let mut policy = PeerAuthentication::new("foo", "bar");
    policy.metadata.annotations.insert(key, value);
    Resources::from_iter([policy])
}

proptest! {
    #[test]
    fn any_text_is_printed_and_read_back(key in any::<String>(), value in "[ -~é\\n\u{85}\u{2028}]{0,20}|.*") {
        prop_assume!(!key.contains('\0') && !value.contains('\0'));
        let policy = annotated(&key, &value);
        let printed = policy.to_yaml();
        prop_assert_eq!(&Resources::parse("p.yaml", &printed).unwrap(), &policy, "{}", printed);
        let json = serde_json::to_string(&policy.peer_authentications()[0]).unwrap();
let again: PeerAuthentication = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(&again, &policy.peer_authentications()[0], "{}", json);
    }

    #[test]
    fn any_service_is_printed_and_read_back(
        hosts in prop::collection::vec("[a-z]{1,3}\\.[a-z]{1,3}", 1..3),
        ports in prop::collection::btree_map(1_u16.., "[a-z]{1,4}", 0..4),
        address in any::<std::net::IpAddr>(),
        labels in prop::collection::btree_map("[a-z]{1,4}", "([a-z0-9]([a-z0-9._-]{0,6}[a-z0-9])?)?", 0..3),
        account in prop::option::of("[a-z0-9]{1,8}"),
        weight in any::<Option<u32>>(),
        seconds in prop::option::of(-62_135_596_800_i64..253_402_207_200),
    ) {
        let mut spec = WorkloadSpec::new(address).with_labels(labels.into_iter().collect::<meshtls_policy::Labels>());
        spec.service_account = account;
        spec.weight = weight;
        let mut service = ServiceEntry::new("foo", "web", hosts[0].clone()).with_endpoint(spec.clone());
        service.hosts = hosts;
        service.metadata.created = seconds.map(Timestamp::from_unix_seconds);
        let mut names = std::collections::BTreeSet::new();
        for (number, name) in ports {
            if names.insert(name.clone()) {
                let mut port = ServicePort::new(name, number).with_target_port(number);
                port.protocol = "HTTP".to_owned();
                service = service.with_port(port);
            }
        }
        let resources = Resources::default()
            .with_service_entries([service])
            .with_workload_entries([WorkloadEntry::new("foo", "web-1", spec)])
            .with_peer_authentications([PeerAuthentication::new("foo", "default").with_mode(MtlsMode::Strict)]);
        let printed = resources.to_yaml();
        let again = Resources::parse_with("p.yaml", &printed, &ParseOptions::default()).unwrap();
        prop_assert_eq!(&again, &resources, "{}", printed);
    }
}

/// No kind is lost when texts are joined.
#[test]
fn joined_texts_hold_every_kind() {
    let read = Resources::parse("written.yaml", WRITTEN).unwrap();
    let mut joined = Resources::default();
    for document in WRITTEN.split("---\n") {
        joined
            .extend(Resources::parse("part.yaml", document).unwrap())
            .unwrap();
    }
    assert_eq!(joined, read);
}

/// A value that was kept as it was written is printed however deep it nests.
#[test]
fn the_deepest_text_is_printed() {
    let options = ParseOptions::default().with_max_depth(usize::MAX);
    // The lists stand four objects deep.
    let nested = |levels: usize| {
        let value = format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let text = format!(
            "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{ name: a, namespace: b }}\n\
             spec: {{ host: a.b.c, trafficPolicy: {{ loadBalancer: {{ warmup: {value} }} }} }}\n"
        );
        Resources::parse_with("deep.yaml", &text, &options)
    };
    let deepest = nested(ParseOptions::DEEPEST - 4).unwrap();
    let again = Resources::parse_with("again.yaml", &deepest.to_yaml(), &options).unwrap();
    assert_eq!(again, deepest);
    assert_eq!(nested(ParseOptions::DEEPEST - 3).unwrap_err().reason(), "too_deep");
}
