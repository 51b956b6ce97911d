//! Questions that users of Istio asked, and the answer each needed.

use meshtls_policy::{
    Code, Inventory, MeshSettings, MtlsMode, PeerAuthentication, PolicySet, Resources, Timestamp,
    Workload,
};

use crate::{lint_text, lint_values};

/// istio/istio#49098: portLevelMtls with the Service's port did nothing.
#[test]
fn istio_49098_the_service_port_is_not_the_container_port() {
    let findings = lint_text(
        &MeshSettings::default(),
        "
apiVersion: security.istio.io/v1beta1
kind: PeerAuthentication
metadata: { name: httpbin, namespace: foo }
spec:
  selector:
    matchLabels: { app: httpbin }
  mtls: { mode: STRICT }
  portLevelMtls:
    8000: { mode: DISABLE }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: httpbin, namespace: foo }
spec:
  hosts: [httpbin.foo.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 8000, name: http, protocol: HTTP, targetPort: 80 }]
  endpoints: [{ address: 10.0.0.1, labels: { app: httpbin }, serviceAccount: httpbin }]
",
    );
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].code, Code::PortEntryIsServicePort);
    assert_eq!(
        findings[0].to_string(),
        "policies.yaml:10:5: error MT006: PeerAuthentication foo/httpbin: spec.portLevelMtls.8000: \
         no effect: 8000 is the port of the Service httpbin.foo.svc.cluster.local; the container port is 80\
         \n    instead: portLevelMtls counts container ports: write 80 instead of 8000"
    );
}

/// The same question, asked of explain: of the Service's port, of the container's, of one that is neither.
#[test]
fn istio_49098_explained() {
    let settings = MeshSettings::default();
    let resources = Resources::parse(
        "policies.yaml",
        "
apiVersion: security.istio.io/v1beta1
kind: PeerAuthentication
metadata: { name: httpbin, namespace: foo }
spec:
  selector: { matchLabels: { app: httpbin } }
  mtls: { mode: STRICT }
  portLevelMtls: { 8000: { mode: DISABLE } }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: httpbin, namespace: foo }
spec:
  hosts: [httpbin.foo.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 8000, name: http, protocol: HTTP, targetPort: 80 }]
  endpoints: [{ address: 10.0.0.1, labels: { app: httpbin, version: v1 }, serviceAccount: httpbin }]
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: unserved, namespace: foo }
spec: { address: 10.0.0.2, labels: { app: other }, serviceAccount: other }
",
    )
    .unwrap();
    let inventory = Inventory::from_resources(&settings, &resources);
    let policies = PolicySet::compile(settings, &resources);
    for (app, port, want) in [
        (
            "httpbin",
            8000,
            vec![
                "this port number is the port of the Service httpbin.foo.svc.cluster.local; the container port is 80, ask about that",
            ],
        ),
        (
            "httpbin",
            80,
            vec![
                "foo/httpbin has entries for other ports only (port 8000); they are workload (container) ports, not service ports",
                "the entry of foo/httpbin for port 8000 has no effect: that is the port of the Service httpbin.foo.svc.cluster.local, the container port is 80",
            ],
        ),
        (
            "httpbin",
            81,
            vec![
                "foo/httpbin has entries for other ports only (port 8000); they are workload (container) ports, not service ports",
                "no workload like this is known to listen on this port, only on port 80",
            ],
        ),
        ("other", 81, vec![]),
        ("nobody", 81, vec![]),
    ] {
        let workload = Workload::new("foo", [("app", app)]);
        let explanation = policies.explain(&workload, port).with_inventory(&inventory);
        let notes: Vec<String> = explanation.notes.iter().map(ToString::to_string).collect();
        assert_eq!(notes, want, "{app} {port}");
    }
}

/// istio/istio#27994: port exceptions on a mesh-wide policy were ignored.
#[test]
fn istio_27994_port_entries_need_a_selector() {
    let findings = lint_values([PeerAuthentication::new("istio-system", "default")
        .with_mode(MtlsMode::Strict)
        .with_port(9090, MtlsMode::Permissive)
        .with_port(15014, MtlsMode::Permissive)]);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].code, Code::PortEntriesWithoutSelector);
    assert_eq!(findings[0].message, "no effect on port 9090, 15014: port entries need a selector");
    assert_eq!(
        findings[0].instead,
        "in each namespace, a policy with the labels of those workloads as selector and with these port entries"
    );
}

/// istio/istio#48036: two policies for one workload, each with another port, and only one counted.
#[test]
fn istio_48036_port_entries_of_two_policies_are_not_merged() {
    let policy = |name, age, port| {
        PeerAuthentication::new("foo", name)
            .with_created(Timestamp::from_unix_seconds(age))
            .with_selector([("app", "web")])
            .with_mode(MtlsMode::Strict)
            .with_port(port, MtlsMode::Permissive)
    };
    let findings = lint_values([policy("metrics", 1, 9090), policy("admin", 2, 9901)]);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].code, Code::PortEntriesLost);
    assert_eq!(
        findings[0].to_string(),
        "error MT010: PeerAuthentication foo/admin: spec.portLevelMtls.9901: \
         no effect: foo/metrics is older and selects the same workload; port entries of several policies are not merged, \
         so that port 9901 is STRICT there\
         \n    instead: add to portLevelMtls of foo/metrics: 9901: { mode: PERMISSIVE }"
    );
}
