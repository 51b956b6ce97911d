//! What `compare` says of a connection is what the acceptor decides.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use meshtls::acceptor::{Decision, FirstBytes, MeshOffer, PortProtocol, decide};
use meshtls::policy::{
    Inventory, MeshSettings, MtlsMode, Observations, Outcome, PeerAuthentication, Proposal,
    Resources, compare,
};

const FLEET: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: web, namespace: foo }
spec:
  hosts: [web.foo.svc.cluster.local]
  ports: [{ number: 80, name: any }]
  location: MESH_INTERNAL
  resolution: STATIC
  workloadSelector: { labels: { app: web } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: web, namespace: foo }
spec: { address: 10.0.0.1, labels: { app: web }, serviceAccount: web }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: mesh, namespace: bar }
spec: { address: 10.0.0.2, serviceAccount: mesh }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: legacy, namespace: bar }
spec: { address: 10.0.0.3 }
";

fn rule(mode: &str) -> Resources {
    let text = format!(
        "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{ name: web, namespace: foo }}
spec: {{ host: web.foo.svc.cluster.local, trafficPolicy: {{ tls: {{ mode: {mode} }} }} }}
"
    );
    Resources::parse("rule.yaml", &text).unwrap()
}

#[test]
fn it_agrees_with_the_acceptor() {
    let settings = MeshSettings::default();
    let inventory =
        Inventory::from_resources(&settings, &Resources::parse("fleet.yaml", FLEET).unwrap());
    // What each client sends, and whether it shows a certificate of the mesh.
    for (caller, rule_mode, sends, certificate) in [
        ("legacy.bar", None, FirstBytes::Http1, false),
        ("mesh.bar", Some("DISABLE"), FirstBytes::Http1, false),
        ("mesh.bar", Some("SIMPLE"), FirstBytes::ClientHello(MeshOffer::None), false),
        ("mesh.bar", Some("ISTIO_MUTUAL"), FirstBytes::ClientHello(MeshOffer::Http), true),
    ] {
        for mode in [MtlsMode::Disable, MtlsMode::Permissive, MtlsMode::Strict] {
            let policy = PeerAuthentication::new("foo", "web").with_mode(mode);
            let after = rule_mode
                .map_or_else(Resources::default, rule)
                .with_peer_authentications([policy]);
            let outcome = outcome(&settings, &inventory, &after, caller);
            let case = format!("{caller} by rule {rule_mode:?} to {mode}");
            match decide(mode, PortProtocol::Auto, sends) {
                Decision::Refuse(_) => assert!(!outcome.is_served(), "{case}: {outcome}"),
                Decision::Terminate(_) if certificate => {
                    assert_eq!(outcome, Outcome::MutualTls, "{case}");
                }
                Decision::Terminate(_) => assert!(!outcome.is_served(), "{case}: {outcome}"),
                Decision::Plaintext(..) => assert_eq!(outcome, Outcome::Plaintext, "{case}"),
                // The bytes reach an application, which cannot end the TLS of the mesh.
                Decision::ForeignTls(_) if certificate => {
                    assert!(!outcome.is_served(), "{case}: {outcome}");
                }
                Decision::ForeignTls(_) => assert_eq!(outcome, Outcome::PassedThrough, "{case}"),
                Decision::Unsniffed(_) => panic!("{case}: an `auto` port is always sniffed"),
            }
        }
    }
}

/// The outcome under `after`: told apart from one that nothing else gives, so that it counts as a change.
fn outcome(
    settings: &MeshSettings,
    inventory: &Inventory,
    after: &Resources,
    caller: &str,
) -> Outcome {
    let deny = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: nobody, namespace: foo }
spec: { action: DENY, rules: [{}] }
";
    let before = Resources::parse("before.yaml", deny).unwrap();
    let comparison = compare(
        Proposal::new(settings, &before),
        Proposal::new(settings, after),
        inventory,
        &Observations::default(),
    );
    let change = comparison
        .changes
        .iter()
        .find(|change| change.caller.name == caller);
    change
        .unwrap_or_else(|| panic!("{caller}: {comparison}"))
        .after
        .clone()
}
