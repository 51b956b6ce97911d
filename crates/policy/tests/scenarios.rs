//! The resources of the stories that users know, as their documents write them: each parses, prints, and explains itself.

use meshtls_policy::{
    IngressEffect, MeshSettings, MtlsMode, PolicySet, Resources, ServerTlsMode, Workload,
};

/// Encrypting traffic between pods: PERMISSIVE is said out loud.
const PERMISSIVE: &str = "\
apiVersion: security.istio.io/v1beta1
kind: PeerAuthentication
metadata:
  name: default
  namespace: test-istio-mtls
spec:
  mtls:
    mode: PERMISSIVE
";

/// The handbook's way: the whole mesh STRICT, and a selector for one workload.
const MESH_STRICT: &str = "\
apiVersion: security.istio.io/v1beta1
kind: PeerAuthentication
metadata:
  name: default
  namespace: istio-system
spec:
  mtls:
    mode: STRICT
";
const CUSTOMERS: &str = "\
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
";

/// Ingress TLS on one port of a STRICT namespace.
const INGRESS: &str = include_str!("stories/ingress.yaml");

/// Mutual TLS migration: one namespace is locked.
const FOO_STRICT: &str = "\
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata:
  name: default
  namespace: foo
spec:
  mtls:
    mode: STRICT
";

#[test]
fn modes_and_winners() {
    let mesh_and_customers = format!("{MESH_STRICT}---\n{CUSTOMERS}");
    for (name, text, namespace, app, port, mode, winner) in [
        (
            "PERMISSIVE",
            PERMISSIVE,
            "test-istio-mtls",
            "webserver",
            80,
            MtlsMode::Permissive,
            "namespace policy test-istio-mtls/default",
        ),
        (
            "no policy",
            PERMISSIVE,
            "other",
            "webserver",
            80,
            MtlsMode::Permissive,
            "default, no policy sets a mode",
        ),
        (
            "a selected workload",
            CUSTOMERS,
            "my-namespace",
            "customers",
            80,
            MtlsMode::Strict,
            "workload policy my-namespace/default",
        ),
        (
            "beside it",
            &mesh_and_customers,
            "my-namespace",
            "web",
            80,
            MtlsMode::Strict,
            "mesh policy istio-system/default",
        ),
        (
            "the internal port",
            INGRESS,
            "test",
            "httpbin",
            9081,
            MtlsMode::Strict,
            "workload policy test/disable-peer-auth-for-external-mtls-port",
        ),
        (
            "the external port",
            INGRESS,
            "test",
            "httpbin",
            9080,
            MtlsMode::Disable,
            "port entry of workload policy test/disable-peer-auth-for-external-mtls-port",
        ),
        (
            "the rest of the namespace",
            INGRESS,
            "test",
            "other",
            9080,
            MtlsMode::Strict,
            "namespace policy test/default",
        ),
        (
            "foo is locked",
            FOO_STRICT,
            "foo",
            "httpbin",
            8000,
            MtlsMode::Strict,
            "namespace policy foo/default",
        ),
        (
            "bar is not",
            FOO_STRICT,
            "bar",
            "httpbin",
            8000,
            MtlsMode::Permissive,
            "default, no policy sets a mode",
        ),
        (
            "the mesh is locked",
            MESH_STRICT,
            "bar",
            "httpbin",
            8000,
            MtlsMode::Strict,
            "mesh policy istio-system/default",
        ),
    ] {
        let resources = Resources::parse(name, text).unwrap();
        assert_eq!(resources.warnings(), [], "{name}");
        let policies = PolicySet::compile(MeshSettings::default(), &resources);
        let explained = policies.explain(&Workload::new(namespace, [("app", app)]), port);
        assert_eq!(
            (explained.mode, explained.winner.to_string().as_str()),
            (mode, winner),
            "{name}"
        );
        assert_eq!(Resources::parse(name, &resources.to_yaml()).unwrap(), resources, "{name}");
    }
}

#[test]
fn ingress_tls_is_for_the_external_port_of_the_selected_workload() {
    let resources = Resources::parse("ingress.yaml", INGRESS).unwrap();
    let policies = PolicySet::compile(MeshSettings::default(), &resources);
    let v1 = Workload::new("test", [("app", "httpbin"), ("version", "v1")]);
    let v2 = Workload::new("test", [("app", "httpbin"), ("version", "v2")]);
    for (name, workload, port, sidecar, effect) in [
        ("external", &v1, 9080, true, Some(IngressEffect::Applies)),
        ("internal", &v1, 9081, true, None),
        ("another version", &v2, 9080, false, None),
    ] {
        let explained = policies.explain_ingress(workload, port);
        assert_eq!((explained.sidecar.is_some(), explained.effect), (sidecar, effect), "{name}");
        let mode = effect.map(|_| ServerTlsMode::Mutual);
        assert_eq!(explained.tls, mode, "{name}");
    }
}
