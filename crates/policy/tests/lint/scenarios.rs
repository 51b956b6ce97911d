//! The stories that operators know: what they write is clean, or has exactly the finding that it deserves.

use meshtls_policy::MeshSettings;

use crate::{brief, lint_text};

/// Two namespaces in the mesh, one outside it.
const INVENTORY: &str = "
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
metadata: { name: curl, namespace: bar }
spec: { address: 10.0.1.1, labels: { app: curl }, serviceAccount: curl }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: curl, namespace: legacy }
spec: { address: 10.0.2.1, labels: { app: curl } }
";

#[test]
fn the_stories() {
    for (name, policies, known, want) in [
        (
            "S1, S2: PERMISSIVE for a namespace",
            "
apiVersion: security.istio.io/v1beta1
kind: PeerAuthentication
metadata:
  name: default
  namespace: test-istio-mtls
spec:
  mtls:
    mode: PERMISSIVE
",
            true,
            vec![],
        ),
        (
            "S3: STRICT for the mesh, and for the workloads that a selector names",
            "
apiVersion: security.istio.io/v1beta1
kind: PeerAuthentication
metadata:
  name: default
  namespace: istio-system
spec:
  mtls:
    mode: STRICT
---
apiVersion: security.istio.io/v1beta1
kind: PeerAuthentication
metadata:
  name: default
  namespace: my-namespace
spec:
  selector:
    matchLabels:
      app: customers
  mtls:
    mode: STRICT
",
            false,
            vec![],
        ),
        (
            "S5: one namespace locked",
            "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata:
  name: default
  namespace: foo
spec:
  mtls:
    mode: STRICT
",
            true,
            vec!["MT013 foo/default spec.mtls.mode"],
        ),
        (
            "S5: the mesh locked",
            "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata:
  name: default
  namespace: istio-system
spec:
  mtls:
    mode: STRICT
",
            true,
            vec!["MT012 istio-system/default spec.mtls.mode"],
        ),
    ] {
        let text = format!("{policies}{}", if known { INVENTORY } else { "" });
        assert_eq!(brief(&lint_text(&MeshSettings::default(), &text)), want, "{name}");
    }
}

/// S4: mTLS for all, off on the port that outsiders use, where the workload ends TLS itself.
const INGRESS: &str = include_str!("../stories/ingress.yaml");

/// The workload of S4, and its Service.
const HTTPBIN: &str = "
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: httpbin, namespace: test }
spec:
  hosts: [httpbin.test.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports:
  - { number: 8443, name: https, protocol: HTTPS, targetPort: 9080 }
  - { number: 8080, name: http, protocol: HTTP, targetPort: 9081 }
  endpoints: [{ address: 10.0.0.1, labels: { app: httpbin, version: v1 }, serviceAccount: httpbin }]
";

#[test]
fn ingress_tls() {
    let known = format!("{INGRESS}{HTTPBIN}");
    let service_port =
        known.replace("    9080:\n      mode: DISABLE", "    8443:\n      mode: DISABLE");
    for (name, settings, text, want) in [
        ("as printed", MeshSettings::default(), INGRESS, vec![]),
        ("as printed, with the workload", MeshSettings::default(), &*known, vec![]),
        (
            "with the Service's port in the exception",
            MeshSettings::default(),
            &*service_port,
            vec![
                "MT006 test/disable-peer-auth-for-external-mtls-port spec.portLevelMtls.8443",
                "MT301 test/ingress-sidecar spec.ingress[0].tls",
            ],
        ),
        (
            "with TLS of Sidecars turned off, as Istio does by default",
            MeshSettings::default().with_sidecar_ingress_tls(false),
            INGRESS,
            vec!["MT302 test/ingress-sidecar spec.ingress[0].tls"],
        ),
    ] {
        assert_eq!(brief(&lint_text(&settings, text)), want, "{name}");
    }
}

#[test]
fn the_caller_that_breaks_is_named() {
    let findings = lint_text(
        &MeshSettings::default(),
        &format!(
            "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{ name: default, namespace: foo }}
spec: {{ mtls: {{ mode: STRICT }} }}
{INVENTORY}"
        ),
    );
    assert_eq!(
        findings[0].message,
        "STRICT refuses workloads of other namespaces that are not in the mesh, should they connect: legacy/curl"
    );
}
