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
