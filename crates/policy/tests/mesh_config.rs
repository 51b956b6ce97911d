//! Istio's `meshConfig`: what is read, skipped and refused.
#![expect(clippy::unwrap_used, reason = "a name that is none must fail the test")]

use std::time::Duration;

use meshtls_policy::{MeshSettings, MinimumTls, ParseFault};

fn domain(name: &str) -> meshtls_identity::TrustDomain {
    name.parse().unwrap()
}

const WHOLE: &str = "
rootNamespace: mesh-admin
trustDomain: new.example
trustDomainAliases: [old.example, cluster.local]
enableAutoMtls: false
defaultDestinationRuleExportTo: ['.']
meshMTLS:
  minProtocolVersion: TLSV1_3
protocolDetectionTimeout: 2500ms
caCertificates:
- pem: |
    -----BEGIN CERTIFICATE-----
  trustDomains: [partner.example, other.example]
- spiffeBundleUrl: https://partner.example/bundle
  trustDomains: [partner.example]
accessLogFile: /dev/stdout
defaultConfig:
  discoveryAddress: istiod:15012
";

fn whole() -> MeshSettings {
    MeshSettings::new(domain("new.example"))
        .with_root_namespace("mesh-admin")
        .with_trust_domain_aliases([domain("old.example"), domain("cluster.local")])
        .with_accepted_trust_domains([domain("partner.example"), domain("other.example")])
        .with_enable_auto_mtls(false)
        .with_default_destination_rule_export_to(["."])
        .with_minimum_tls(MinimumTls::Tls13)
        .with_protocol_detection_timeout(Duration::from_millis(2500))
}

#[test]
fn every_setting_is_read_and_the_rest_is_reported() {
    let read = MeshSettings::parse("mesh.yaml", WHOLE).unwrap();
    assert_eq!(read.settings, whole());
    let skipped: Vec<String> = read.skipped.iter().map(ToString::to_string).collect();
    assert_eq!(
        skipped,
        [
            "mesh.yaml:16: accessLogFile has no effect here",
            "mesh.yaml:17: defaultConfig has no effect here",
            "mesh.yaml:11: caCertificates[0].pem has no effect here",
            "mesh.yaml:14: caCertificates[1].spiffeBundleUrl has no effect here",
        ]
    );
}

#[test]
fn a_config_map_holds_the_same() {
    let indented = WHOLE.replace('\n', "\n    ");
    let text = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: istio, namespace: istio-system }}\ndata:\n  meshNetworks: 'networks: {{}}'\n  mesh: |{indented}\n"
    );
    assert_eq!(MeshSettings::parse("cm.yaml", &text).unwrap().settings, whole());
    let json = r#"{"kind":"ConfigMap","data":{"mesh":""}}"#;
    assert_eq!(MeshSettings::parse("cm.json", json).unwrap().settings, MeshSettings::default());
}

#[test]
fn what_is_absent_has_its_default() {
    for text in [
        "",
        "# nothing\n",
        "{}",
        "trustDomain: ''",
        "{protocolDetectionTimeout: 0s, caCertificates: [], meshMTLS: {}, defaultDestinationRuleExportTo: []}",
        "meshMTLS: {minProtocolVersion: TLS_AUTO}",
        "{rootNamespace: , enableAutoMtls: true}",
    ] {
        let read = MeshSettings::parse("mesh.yaml", text).unwrap();
        assert_eq!(read.settings, MeshSettings::default(), "{text}");
    }
    assert_eq!(MeshSettings::default().protocol_detection_timeout, None);
    assert!(MeshSettings::default().sidecar_ingress_tls);
}

#[test]
fn settings_are_refused_with_reason_and_place() {
    for (name, text, reason, field) in [
        ("misspelt", "trustDomin: a", "unknown_field", "trustDomin"),
        ("other case", "enableAutoMTLS: true", "unknown_field", "enableAutoMTLS"),
        ("no domain", "trustDomain: A_b/c", "bad_trust_domain", "trustDomain"),
        ("no alias", "trustDomainAliases: [a, 'b c']", "bad_trust_domain", "trustDomainAliases[1]"),
        (
            "no accepted domain",
            "caCertificates: [{trustDomains: ['']}]",
            "bad_trust_domain",
            "caCertificates[0].trustDomains[0]",
        ),
        ("no boolean", "enableAutoMtls: 'true'", "wrong_type", "enableAutoMtls"),
        ("no duration", "protocolDetectionTimeout: 5", "wrong_type", "protocolDetectionTimeout"),
        ("negative", "protocolDetectionTimeout: -5s", "bad_duration", "protocolDetectionTimeout"),
        (
            "microseconds",
            "protocolDetectionTimeout: 5us",
            "bad_duration",
            "protocolDetectionTimeout",
        ),
        (
            "no version",
            "meshMTLS: {minProtocolVersion: TLSV1_1}",
            "unknown_enum_value",
            "meshMTLS.minProtocolVersion",
        ),
        ("curves", "meshMTLS: {ecdhCurves: [P-256]}", "mesh_curves", "meshMTLS.ecdhCurves"),
        ("twice", "trustDomain: a\ntrustDomain: b", "duplicate_key", ""),
        ("a list", "[a]", "wrong_type", ""),
        ("two documents", "trustDomain: a\n---\ntrustDomain: b", "wrong_type", ""),
        ("no data", "kind: ConfigMap", "missing_field", ""),
        ("no YAML within", "kind: ConfigMap\ndata: {mesh: '[a'}", "syntax", "data.mesh"),
    ] {
        let error = MeshSettings::parse("mesh.yaml", text).unwrap_err();
        assert_eq!((error.reason(), error.field()), (reason, field), "{name}: {error}");
        assert_eq!(error.source_name(), "mesh.yaml", "{name}");
    }
    let error = MeshSettings::parse("mesh.yaml", "trustDomin: a").unwrap_err();
    assert!(
        matches!(error.fault(), ParseFault::UnknownField { nearest: Some("trustDomain"), .. }),
        "{error}"
    );
}

#[test]
fn what_istio_does_not_have_is_said_so() {
    let read = MeshSettings::parse("", "somethingNewAltogether: 1\naccesLogFile: x").unwrap();
    let skipped: Vec<String> = read.skipped.iter().map(ToString::to_string).collect();
    assert_eq!(
        skipped,
        [
            ":1: somethingNewAltogether has no effect here, nor in Istio",
            ":2: accesLogFile has no effect here, nor in Istio, did you mean `accessLogFile`?",
        ]
    );
}

/// An accepted domain is let in and is nobody else's name; an alias is both.
#[test]
fn accepted_domains_are_not_equated() {
    let settings = whole();
    let accepted = settings.accepted_domains();
    for name in ["new.example", "old.example", "cluster.local", "partner.example", "other.example"]
    {
        assert!(accepted.accepts(&domain(name)), "{name}");
    }
    assert!(!accepted.accepts(&domain("stranger.example")));
    assert!(settings.domains().contains(&domain("old.example")));
    assert!(!settings.domains().contains(&domain("partner.example")));
}

/// A bomb and a flood end in a refusal that names the bound.
#[test]
fn bombs_and_floods_are_refused_by_their_bound() {
    for (name, text, reason) in [
        ("100 MB", "a: b\n".repeat(20_000_000), "too_large"),
        ("aliases", "a: &a [*b, *b]\n".to_owned(), "alias"),
        ("depth", "[".repeat(100_000), "too_deep"),
        ("values", "- a\n".repeat(100_000), "too_many_nodes"),
        (
            "depth within",
            format!("kind: ConfigMap\ndata: {{mesh: '{}'}}", "[".repeat(100_000)),
            "too_deep",
        ),
    ] {
        let error = MeshSettings::parse("mesh.yaml", &text).unwrap_err();
        assert_eq!(error.reason(), reason, "{name}: {error}");
    }
}
