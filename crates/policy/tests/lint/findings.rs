//! What a finding looks like: to people, to programs, and in which order.

use meshtls_policy::{Code, MeshSettings, MtlsMode, PeerAuthentication, Severity};

use crate::{brief, lint_text, lint_values};

const TEXT: &str = "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata:
  name: web
  namespace: istio-system
spec:
  selector:
    matchLabels: { app: web }
  mtls: { mode: STRICT }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: web, namespace: foo }
spec:
  selector: { matchLabels: { app: web } }
  mtls: { mode: STRICT }
  portLevelMtls:
    8080: { mode: STRICT }
";

#[test]
fn a_finding_reads_like_a_message_of_a_compiler() {
    let findings = lint_text(&MeshSettings::default(), TEXT);
    let text: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        text.join("\n"),
        "\
policies.yaml:8:3: error MT004: PeerAuthentication istio-system/web: spec.selector: a selector in the root namespace istio-system has no effect for PeerAuthentication, on no workload anywhere
    instead: move the policy into each namespace that has such workloads, or remove the selector for the whole mesh
policies.yaml:19:5: note MT007: PeerAuthentication foo/web: spec.portLevelMtls.8080: changes nothing: port 8080 is STRICT as every port of these workloads
    instead: another mode, or no entry"
    );
}

#[test]
fn a_finding_about_a_value_has_no_place() {
    let findings = lint_values([PeerAuthentication::new("foo", "default")]);
    assert_eq!(
        findings[0].to_string(),
        "note MT011: PeerAuthentication foo/default: spec: UNSET, so that the mode above holds as without this policy (PERMISSIVE now)\
         \n    instead: a mode, if one is meant; else delete the policy"
    );
    assert_eq!((findings[0].line, findings[0].column), (None, None));
}

#[test]
fn the_data_has_stable_names() {
    let findings = lint_text(&MeshSettings::default(), TEXT);
    let value = serde_json::to_value(&findings[0]).unwrap();
    assert_eq!(
        value,
        serde_json::json!({
            "code": "MT004",
            "severity": "error",
            "kind": "PeerAuthentication",
            "object": "istio-system/web",
            "field": "spec.selector",
            "source_name": "policies.yaml",
            "line": 8,
            "column": 3,
            "message": findings[0].message,
            "instead": findings[0].instead,
        })
    );
}

#[test]
fn codes_are_read_as_they_are_printed() {
    for code in Code::ALL {
        assert_eq!(code.to_string().parse(), Ok(*code));
        assert!(code.to_string().to_lowercase().parse::<Code>().is_err());
    }
    assert!("MT999".parse::<Code>().is_err());
    assert!(Severity::Error < Severity::Warning && Severity::Warning < Severity::Note);
}

#[test]
fn findings_do_not_depend_on_the_order_of_objects() {
    let mut policies: Vec<PeerAuthentication> = (0..20)
        .map(|nth: u16| {
            PeerAuthentication::new(format!("ns-{}", nth % 3), format!("p-{nth}"))
                .with_selector([("app", ["a", "b", "c"][usize::from(nth % 2)])])
                .with_mode(MtlsMode::ALL[usize::from(nth % 3)])
                .with_port(8080, MtlsMode::ALL[usize::from(nth % 2)])
        })
        .collect();
    let forward = lint_values(policies.clone());
    policies.reverse();
    assert_eq!(forward, lint_values(policies));
    assert!(forward.len() > 10, "{:?}", brief(&forward));
}
