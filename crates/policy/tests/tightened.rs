//! Sets in which every port is STRICT, whatever the policies say.

#![expect(clippy::unwrap_used, reason = "helpers of tests end the test by a panic")]

use std::sync::Arc;

use meshtls_policy::{
    Endpoint, EndpointTls, IngressEffect, Labels, Level, MeshSettings, MtlsMode, OutboundChoice,
    OutboundReason, OutboundTls, PolicySet, Resources, ServiceView, Winner, Workload,
};

/// A mesh at PERMISSIVE, a namespace `off` at DISABLE, and in `foo` a workload policy at STRICT with an exception for a port.
const POLICIES: &str = r#"
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system }
spec: { mtls: { mode: PERMISSIVE } }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: "off" }
spec: { mtls: { mode: DISABLE } }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: web, namespace: foo }
spec: { selector: { matchLabels: { app: web } }, mtls: { mode: STRICT }, portLevelMtls: { 8080: { mode: DISABLE } } }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: trial, namespace: bar, annotations: { meshtls.dev/dry-run: "true" } }
spec: { mtls: { mode: DISABLE } }
"#;

fn set() -> Arc<PolicySet> {
    let resources = Resources::parse("policies.yaml", POLICIES).unwrap();
    Arc::new(PolicySet::compile(MeshSettings::default(), &resources))
}

fn workload(namespace: &str) -> Workload {
    Workload::new(namespace, [("app", "web")].into_iter().collect::<Labels>())
}

#[test]
fn every_port_of_every_workload_is_strict() {
    let set = set();
    let tightened = Arc::new(set.tightened());
    assert!(tightened.is_tightened() && !set.is_tightened());
    for (namespace, port, written, winner) in [
        ("elsewhere", 80, MtlsMode::Permissive, "no policy: the policies are tightened to STRICT"),
        (
            "istio-system",
            80,
            MtlsMode::Permissive,
            "no policy: the policies are tightened to STRICT",
        ),
        ("off", 80, MtlsMode::Disable, "no policy: the policies are tightened to STRICT"),
        ("foo", 8080, MtlsMode::Disable, "no policy: the policies are tightened to STRICT"),
        ("foo", 80, MtlsMode::Strict, "workload policy foo/web"),
    ] {
        let name = format!("{namespace} {port}");
        let workload = workload(namespace);
        assert_eq!(set.resolve(&workload, port).mode(), written, "{name}");

        let resolved = tightened.resolve(&workload, port);
        assert_eq!(resolved.mode(), MtlsMode::Strict, "{name}");
        assert_eq!(resolved.default_mode(), MtlsMode::Strict, "{name}");
        assert_eq!(resolved.winner().to_string(), winner, "{name}");
        let view = tightened.for_workload(&workload);
        assert_eq!(view.mode(port), MtlsMode::Strict, "{name}");
        assert_eq!(view.resolve(port).winner(), resolved.winner(), "{name}");
    }
    assert_eq!(Winner::Tightened.policy(), None);
    assert_eq!(tightened.tightened().resolve(&workload("off"), 80).mode(), MtlsMode::Strict);
}

#[test]
fn what_is_on_trial_is_tightened_too() {
    let set = set();
    assert_eq!(set.shadow(&workload("bar"), 80).unwrap().mode(), MtlsMode::Disable);
    let tightened = Arc::new(set.tightened());
    assert_eq!(tightened.shadow(&workload("bar"), 80).unwrap().mode(), MtlsMode::Strict);
    let view = tightened.for_workload(&workload("bar"));
    assert_eq!(view.shadow(80).unwrap().mode(), MtlsMode::Strict);
}

#[test]
fn the_explanation_says_so_where_it_decides() {
    let tightened = set().tightened();
    let explained = tightened.explain(&workload("off"), 80);
    assert_eq!(explained.mode, MtlsMode::Strict);
    let last = explained.levels.last().unwrap();
    assert_eq!((last.level, last.decides, last.mode), (Level::Tightened, true, MtlsMode::Strict));
    assert_eq!(
        explained
            .levels
            .iter()
            .filter(|level| level.decides)
            .count(),
        1
    );
    let text = explained.to_string();
    for line in [
        "because of no policy: the policies are tightened to STRICT",
        "  namespace  off/default           DISABLE\n",
        "  tightened  all ports             STRICT  <- decides",
        "clients look at nothing else",
    ] {
        assert!(text.contains(line), "{line} in:\n{text}");
    }
    let as_before = tightened.explain(&workload("foo"), 80);
    assert_eq!(as_before.levels.last().unwrap().level, Level::Port, "STRICT without it");
}

/// A block that has a DISABLE port to itself keeps it: the port must not become open to members of the mesh.
#[test]
fn a_sidecar_ends_tls_as_before() {
    let sidecar = "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: { name: a, namespace: 'off' }\n\
        spec: { ingress: [{ port: { number: 80, protocol: HTTPS, name: web }, defaultEndpoint: '127.0.0.1:8080', \
        tls: { mode: SIMPLE, serverCertificate: /a, privateKey: /b } }] }\n";
    let resources =
        Resources::parse("policies.yaml", &format!("{POLICIES}---\n{sidecar}")).unwrap();
    let set = Arc::new(PolicySet::compile(MeshSettings::default(), &resources));
    let tightened = Arc::new(set.tightened());
    let off = workload("off");
    for (name, set) in [("as written", set), ("tightened", tightened)] {
        let want = IngressEffect::Applies;
        assert_eq!(set.ingress_tls(&off, 80).unwrap().effect(), want, "{name}");
        let view = set.for_workload(&off);
        assert_eq!(view.ingress_tls(80).unwrap().effect(), want, "{name}");
        assert_eq!(view.shadow_ingress_tls(80).unwrap().effect(), want, "{name}");
        let explained = set.explain_ingress(&off, 80);
        assert_eq!((explained.effect, explained.mode), (Some(want), MtlsMode::Disable), "{name}");
    }
}

#[test]
fn clients_go_on_as_the_policies_say() {
    let set = set();
    let tightened = set.tightened();
    for namespace in ["off", "foo", "elsewhere"] {
        assert_eq!(tightened.namespace_mode(namespace), set.namespace_mode(namespace));
    }
    let address = std::net::IpAddr::from([10, 0, 0, 1]);
    let service = ServiceView::new("web.foo.svc.cluster.local", "foo", 80);
    let mut endpoint = Endpoint::new(address, 8080, workload("foo"));
    endpoint.tls = EndpointTls::Istio;
    let outbound =
        tightened.outbound(&endpoint.workload, &service, "", &endpoint, OutboundChoice::Auto);
    assert_eq!(outbound.tls, OutboundTls::Disable);
    assert!(matches!(outbound.reason, OutboundReason::EndpointModeDisable { .. }), "{outbound:?}");
}
