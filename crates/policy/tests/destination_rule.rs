//! `DestinationRule`: read from text, validated, printed and read back.
#![expect(clippy::unwrap_used, reason = "a failure to read a test text must fail the test")]

use meshtls_policy::{
    ClientTls, ClientTlsMode, DestinationRule, Labels, LoadBalancer, PortPolicy, Resources, Subset,
    TrafficPolicy,
};

fn document(spec: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: a, namespace: shop}}\nspec: {spec}\n"
    )
}

/// The reason and the field of a refusal.
fn refusal(spec: &str) -> (&'static str, String) {
    let error = Resources::parse("rule.yaml", &document(spec)).unwrap_err();
    (error.reason(), error.field().to_owned())
}

#[test]
fn every_field_is_read() {
    let text = document(
        "
  host: api
  exportTo: [., web]
  trafficPolicy:
    tls:
      mode: MUTUAL
      sni: api.example.com
      subjectAltNames: [api.example.com, spiffe://td/ns/a/sa/b]
      caCertificates: /ca.pem
      caCrl: /crl.pem
      clientCertificate: /cert.pem
      privateKey: /key.pem
      insecureSkipVerify: false
    connectionPool: {tcp: {maxConnections: 1}}
    loadBalancer: {simple: PASSTHROUGH, warmup: {duration: 1s}}
    portLevelSettings:
    - {port: {number: 80}, tls: {mode: DISABLE}}
    - {port: {number: 81}, outlierDetection: {interval: 5m}}
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, trafficPolicy: {tls: {mode: SIMPLE, credentialName: secret}}}",
    );
    let resources = Resources::parse("rule.yaml", &text).unwrap();
    let [rule] = resources.destination_rules() else { unreachable!("one rule") };
    let policy = rule.traffic_policy.as_ref().unwrap();
    let tls = ClientTls::new(ClientTlsMode::Mutual)
        .with_sni("api.example.com")
        .with_subject_alt_names(["api.example.com", "spiffe://td/ns/a/sa/b"])
        .with_ca_certificates("/ca.pem")
        .with_ca_crl("/crl.pem")
        .with_client_certificate("/cert.pem", "/key.pem")
        .with_insecure_skip_verify(false);
    assert_eq!((rule.host.as_str(), &rule.export_to), ("api", &vec![".".to_owned(), "web".into()]));
    assert_eq!(policy.tls, Some(tls));
    assert!(policy.load_balancer.as_ref().unwrap().passthrough);
    assert_eq!(
        policy
            .load_balancer
            .as_ref()
            .unwrap()
            .rest
            .names()
            .collect::<Vec<_>>(),
        ["warmup"]
    );
    assert_eq!(policy.rest.names().collect::<Vec<_>>(), ["connectionPool"]);
    assert_eq!(policy.ports[0], PortPolicy::new(80, ClientTls::new(ClientTlsMode::Disable)));
    assert_eq!((policy.ports[1].port, &policy.ports[1].tls), (81, &None));
    let simple = ClientTls::new(ClientTlsMode::Simple).with_credential_name("secret");
    assert_eq!(
        rule.subsets,
        [
            Subset::new("v1", [("version", "v1")]),
            Subset::new("v2", Labels::default()).with_traffic_policy(TrafficPolicy::new(simple)),
        ]
    );
}

#[test]
fn no_mode_is_disable_and_empty_texts_are_absent() {
    for (name, tls, want) in [
        ("nothing", "{}", ClientTls::new(ClientTlsMode::Disable)),
        ("a name only", "{sni: a}", ClientTls::new(ClientTlsMode::Disable).with_sni("a")),
        ("empty", "{mode: SIMPLE, sni: ''}", ClientTls::new(ClientTlsMode::Simple)),
    ] {
        let text = document(&format!("{{host: a, trafficPolicy: {{tls: {tls}}}}}"));
        let rule = Resources::parse("", &text).unwrap().destination_rules()[0].clone();
        assert_eq!(rule.traffic_policy.unwrap().tls, Some(want), "{name}");
    }
}

/// DRV-1 to DRV-14: each violation is provoked alone, and points at its field.
#[test]
fn rules_are_refused_with_reason_and_place() {
    let tls = |tls: &str| format!("{{host: a, trafficPolicy: {{tls: {tls}}}}}");
    let policy = |policy: &str| format!("{{host: a, trafficPolicy: {policy}}}");
    let (at_tls, at) = ("spec.trafficPolicy.tls", "spec.trafficPolicy");
    let port_at = "spec.trafficPolicy.portLevelSettings[0]";
    for (name, spec, reason, field) in [
        ("no host", "{trafficPolicy: {tls: {}}}".to_owned(), "missing_field", "spec"),
        ("bad host", "{host: a_b}".to_owned(), "bad_host", "spec.host"),
        ("empty host", "{host: ''}".to_owned(), "bad_host", "spec.host"),
        ("an address", "{host: 10.0.0.1}".to_owned(), "bad_host", "spec.host"),
        ("unknown field", "{host: a, hosts: [a]}".to_owned(), "unknown_field", "spec.hosts"),
        (
            "unknown field in tls",
            tls("{modes: SIMPLE}"),
            "unknown_field",
            "spec.trafficPolicy.tls.modes",
        ),
        (
            "unknown field in the policy",
            policy("{tsl: {}}"),
            "unknown_field",
            "spec.trafficPolicy.tsl",
        ),
        (
            "unknown mode",
            tls("{mode: simple}"),
            "unknown_enum_value",
            "spec.trafficPolicy.tls.mode",
        ),
        ("says nothing", policy("{}"), "traffic_policy_empty", at),
        ("says null", policy("{connectionPool: null}"), "traffic_policy_empty", at),
        ("an empty list of ports", policy("{portLevelSettings: []}"), "traffic_policy_empty", at),
        (
            "tunnel and proxyProtocol",
            policy("{tunnel: {targetHost: a, targetPort: 1}, proxyProtocol: {version: V1}}"),
            "tunnel_and_proxy_protocol",
            at,
        ),
        (
            "no load balancing of that name",
            policy("{loadBalancer: {simple: PASSTROUGH}}"),
            "unknown_enum_value",
            "spec.trafficPolicy.loadBalancer.simple",
        ),
        (
            "a port entry that says nothing",
            policy("{portLevelSettings: [{port: {number: 80}}]}"),
            "port_policy_empty",
            port_at,
        ),
        (
            "a connection pool that says nothing",
            policy("{connectionPool: {}}"),
            "connection_pool_empty",
            "spec.trafficPolicy.connectionPool",
        ),
        ("no port", policy("{portLevelSettings: [{tls: {}}]}"), "missing_field", port_at),
        (
            "port 0",
            policy("{portLevelSettings: [{port: {number: 0}, tls: {}}]}"),
            "port_out_of_range",
            "spec.trafficPolicy.portLevelSettings[0].port.number",
        ),
        (
            "MUTUAL without anything",
            tls("{mode: MUTUAL}"),
            "client_certificate_required",
            "spec.trafficPolicy.tls.mode",
        ),
        (
            "MUTUAL without key",
            tls("{mode: MUTUAL, clientCertificate: c}"),
            "private_key_required",
            "spec.trafficPolicy.tls.mode",
        ),
        (
            "in a port entry too",
            policy(
                "{portLevelSettings: [{port: {number: 80}, tls: {mode: MUTUAL, privateKey: k}}]}",
            ),
            "client_certificate_required",
            "spec.trafficPolicy.portLevelSettings[0].tls.mode",
        ),
        (
            "in a subset too",
            "{host: a, subsets: [{name: v1, trafficPolicy: {tls: {mode: MUTUAL, privateKey: k}}}]}"
                .to_owned(),
            "client_certificate_required",
            "spec.subsets[0].trafficPolicy.tls.mode",
        ),
        (
            "a secret and a file",
            tls("{mode: SIMPLE, credentialName: s, caCertificates: f}"),
            "credential_name_with_files",
            "spec.trafficPolicy.tls.credentialName",
        ),
        (
            "a secret and a list of revoked",
            tls("{mode: MUTUAL, credentialName: s, caCrl: f}"),
            "credential_name_with_files",
            "spec.trafficPolicy.tls.credentialName",
        ),
        (
            "a config map elsewhere",
            tls("{credentialName: 'configmap://web/a'}"),
            "config_map_name",
            "spec.trafficPolicy.tls.credentialName",
        ),
        (
            "a config map without namespace",
            tls("{credentialName: 'configmap://a'}"),
            "config_map_name",
            "spec.trafficPolicy.tls.credentialName",
        ),
        (
            "nothing verified, with names",
            tls("{mode: SIMPLE, insecureSkipVerify: true, subjectAltNames: [a]}"),
            "insecure_skip_verify_with_verification",
            "spec.trafficPolicy.tls.insecureSkipVerify",
        ),
        (
            "nothing verified, with a secret",
            tls("{mode: SIMPLE, insecureSkipVerify: true, credentialName: a}"),
            "insecure_skip_verify_with_verification",
            "spec.trafficPolicy.tls.insecureSkipVerify",
        ),
        (
            "a boolean in quotes",
            tls("{mode: SIMPLE, insecureSkipVerify: 'true'}"),
            "wrong_type",
            "spec.trafficPolicy.tls.insecureSkipVerify",
        ),
        (
            "a subset without name",
            "{host: a, subsets: [{labels: {}}]}".to_owned(),
            "missing_field",
            "spec.subsets[0]",
        ),
        (
            "a bad subset",
            "{host: a, subsets: [{name: v.1}]}".to_owned(),
            "bad_subset_name",
            "spec.subsets[0].name",
        ),
        (
            "a subset twice",
            "{host: a, subsets: [{name: v1}, {name: v1}]}".to_owned(),
            "duplicate_subset",
            "spec.subsets[1].name",
        ),
        (
            "a label that nobody has",
            "{host: a, subsets: [{name: v1, labels: {-a: b}}]}".to_owned(),
            "bad_label",
            "spec.subsets[0].labels.-a",
        ),
        (
            "exported to nobody",
            "{host: a, exportTo: ['~']}".to_owned(),
            "bad_export_to",
            "spec.exportTo[0]",
        ),
        (
            "no namespace",
            "{host: a, exportTo: [a.b]}".to_owned(),
            "bad_export_to",
            "spec.exportTo[0]",
        ),
        (
            "twice",
            "{host: a, exportTo: [., shop]}".to_owned(),
            "duplicate_export_to",
            "spec.exportTo[1]",
        ),
        (
            "all and others",
            "{host: a, exportTo: ['*', web]}".to_owned(),
            "export_to_all_and_others",
            "spec.exportTo[0]",
        ),
        (
            "a selector, exported",
            "{host: a, exportTo: [web], workloadSelector: {matchLabels: {a: b}}}".to_owned(),
            "selector_exported",
            "spec.exportTo[0]",
        ),
        (
            "a selector with a star",
            "{host: a, workloadSelector: {matchLabels: {a: '*'}}}".to_owned(),
            "selector_wildcard",
            "spec.workloadSelector.matchLabels.a",
        ),
        ("at the tls as such", tls("{mode: [a]}"), "wrong_type", &format!("{at_tls}.mode")),
    ] {
        assert_eq!(refusal(&spec), (reason, field.to_owned()), "{name}");
    }
}

#[test]
fn what_istio_accepts() {
    for (name, spec) in [
        ("nothing but a host", "{host: a}"),
        ("all hosts", "{host: '*'}"),
        ("a beginning of a label", "{host: '*-a.example.com'}"),
        ("SIMPLE alone", "{host: a, trafficPolicy: {tls: {mode: SIMPLE}}}"),
        ("MUTUAL by secret", "{host: a, trafficPolicy: {tls: {mode: MUTUAL, credentialName: s}}}"),
        (
            "nothing verified, certificate by secret",
            "{host: a, trafficPolicy: {tls: {mode: MUTUAL, insecureSkipVerify: true, credentialName: s}}}",
        ),
        (
            "ISTIO_MUTUAL with what it has no use for",
            "{host: a, trafficPolicy: {tls: {mode: ISTIO_MUTUAL, credentialName: s, caCertificates: f}}}",
        ),
        (
            "a config map of its own namespace",
            "{host: a, trafficPolicy: {tls: {mode: SIMPLE, credentialName: 'configmap://shop/a'}}}",
        ),
        (
            "a selector, exported to itself",
            "{host: a, exportTo: [shop], workloadSelector: {matchLabels: {a: b}}}",
        ),
        ("only a retry budget", "{host: a, trafficPolicy: {retryBudget: {percent: 20}}}"),
    ] {
        let read = Resources::parse(name, &document(spec)).map(|read| read.warnings().len());
        assert_eq!(read.map_err(|error| error.to_string()), Ok(0), "{name}");
    }
}

#[test]
fn a_selector_without_labels_is_a_warning() {
    for spec in
        ["{host: a, workloadSelector: {}}", "{host: a, workloadSelector: {matchLabels: {}}}"]
    {
        let read = Resources::parse("rule.yaml", &document(spec)).unwrap();
        let [warning] = read.warnings() else { unreachable!("one warning: {:?}", read.warnings()) };
        assert_eq!(
            (warning.reason(), warning.field.as_str()),
            ("selector_without_labels", "spec.workloadSelector")
        );
        assert!(
            warning
                .to_string()
                .contains("hides the rule from all others"),
            "{warning}"
        );
        assert_eq!(read.destination_rules()[0].workload_selector, Some(Labels::default()));
    }
}

#[test]
fn printed_as_kubernetes_stores_it_and_read_back() {
    let mut policy = TrafficPolicy::new(ClientTls::new(ClientTlsMode::Simple).with_sni("x"))
        .with_port(80, None)
        .with_load_balancer(LoadBalancer::passthrough());
    policy.ports[0].load_balancer = Some(LoadBalancer::default());
    let rule = DestinationRule::new("shop", "api", "api")
        .with_traffic_policy(policy)
        .with_subset(Subset::new("v1", [("version", "v1")]))
        .with_export_to(["."])
        .with_workload_selector([("app", "web")]);
    let text = serde_json::to_string(&rule).unwrap();
    assert_eq!(
        text,
        r#"{"apiVersion":"networking.istio.io/v1","kind":"DestinationRule","metadata":{"name":"api","namespace":"shop"},"spec":{"host":"api","exportTo":["."],"workloadSelector":{"matchLabels":{"app":"web"}},"trafficPolicy":{"tls":{"mode":"SIMPLE","sni":"x"},"loadBalancer":{"simple":"PASSTHROUGH"},"portLevelSettings":[{"port":{"number":80},"loadBalancer":{}}]},"subsets":[{"name":"v1","labels":{"version":"v1"}}]}}"#
    );
    assert_eq!(serde_json::from_str::<DestinationRule>(&text).unwrap(), rule);
    let read = Resources::parse("", &text).unwrap();
    assert_eq!(read.destination_rules(), [rule]);
    assert_eq!(Resources::parse("", &read.to_yaml()).unwrap(), read, "as YAML too");

    let other =
        serde_json::from_str::<DestinationRule>(&text.replace("DestinationRule", "ServiceEntry"));
    assert!(
        other
            .unwrap_err()
            .to_string()
            .contains("not a DestinationRule")
    );
    let broken = serde_json::from_str::<DestinationRule>(&text.replace("SIMPLE", "MUTUAL"));
    assert!(
        broken
            .unwrap_err()
            .to_string()
            .contains("clientCertificate"),
        "the same rules as for text"
    );
}

/// What has no meaning here comes out as it went in.
#[test]
fn fields_without_meaning_are_kept() {
    let kept = r#""trafficPolicy":{"connectionPool":{"tcp":{"maxConnections":7,"connectTimeout":"30ms"}},"outlierDetection":{"consecutive5xxErrors":3},"tunnel":{"targetHost":"a","targetPort":1},"retryBudget":{"percent":12.5}}"#;
    let text = format!(
        r#"{{"apiVersion":"networking.istio.io/v1","kind":"DestinationRule","metadata":{{"name":"a","namespace":"b"}},"spec":{{"host":"c",{kept}}}}}"#
    );
    let read = Resources::parse("rule.json", &text).unwrap();
    assert_eq!(serde_json::to_string(&read.destination_rules()[0]).unwrap(), text);
}
