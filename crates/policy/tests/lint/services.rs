//! Findings about `ServiceEntry` and `WorkloadEntry` beside the examples of `docs/lint.md`.

use meshtls_policy::MeshSettings;

use crate::{brief, lint_text};

/// A service of the mesh, called `name`; `rest` is further fields of its `spec`.
fn service(name: &str, rest: &str) -> String {
    format!(
        "
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{ name: {name}, namespace: foo }}
spec: {{ hosts: [db.example], ports: [{{ number: 5432, name: tcp }}], resolution: STATIC, {rest} }}
"
    )
}

fn workload(spec: &str) -> String {
    format!(
        "
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{ name: w, namespace: foo }}
spec: {{ address: 10.0.0.1, {spec} }}
"
    )
}

#[test]
fn services_and_workloads() {
    let internal = |rest: &str| service("s", &format!("location: MESH_INTERNAL, {rest}"));
    let selects = "workloadSelector: { labels: { app: db } }";
    for (name, text, want) in [
        (
            "outside the mesh, no account is needed",
            service("s", "endpoints: [{ address: 10.0.0.1 }]"),
            vec![],
        ),
        (
            "plaintext on purpose",
            internal(
                "endpoints: [{ address: 10.0.0.1, labels: { security.istio.io/tlsMode: disabled } }]",
            ),
            vec![],
        ),
        (
            "one of two endpoints",
            internal(
                "endpoints: [{ address: 10.0.0.1, serviceAccount: db }, { address: 10.0.0.2 }]",
            ),
            vec!["MT401 foo/s spec.endpoints[1]"],
        ),
        (
            "a selected workload without account",
            internal(selects) + &workload("labels: { app: db }"),
            vec!["MT401 foo/w spec"],
        ),
        ("a workload without account that serves nothing", workload("labels: { app: db }"), vec![]),
        (
            "a selected workload without account, outside the mesh",
            service("s", selects) + &workload("labels: { app: db }"),
            vec![],
        ),
        (
            "in the mesh without account",
            workload("labels: { app: db, security.istio.io/tlsMode: istio }"),
            vec!["MT404 foo/w spec.labels.security.istio.io/tlsMode"],
        ),
        (
            "an endpoint with an unknown tlsMode",
            internal(
                "endpoints: [{ address: 10.0.0.1, serviceAccount: db, labels: { security.istio.io/tlsMode: maybe } }]",
            ),
            vec!["MT404 foo/s spec.endpoints[0].labels.security.istio.io/tlsMode"],
        ),
        (
            "the same host twice",
            service("s", "endpoints: [{ address: 10.0.0.1 }]")
                + &service("t", "endpoints: [{ address: 10.0.0.2 }]"),
            vec!["MT403 foo/t spec.hosts[0]"],
        ),
        (
            "the same host in two namespaces",
            service("s", "endpoints: [{ address: 10.0.0.1 }]")
                + &service("t", "endpoints: [{ address: 10.0.0.2 }]")
                    .replace("namespace: foo", "namespace: bar"),
            vec![],
        ),
    ] {
        assert_eq!(brief(&lint_text(&MeshSettings::default(), &text)), want, "{name}");
    }
}
