//! Questions that users of Istio asked, and the answer each needed.

use meshtls_policy::{Code, MeshSettings, MtlsMode, PeerAuthentication, Timestamp};

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
