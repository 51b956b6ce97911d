//! What a connector says it would do, without doing it.

#![expect(clippy::unwrap_used, reason = "helpers of tests end the test by a panic")]

use std::sync::Arc;

use meshtls_connector::{Connector, Destination, Unnamed};
use meshtls_identity::IdMatcher;
use meshtls_policy::{
    Inventory, Labels, MeshSettings, OutboundChoice, PolicyHandle, PolicySet, Resources, Workload,
};
use meshtls_rustls::TlsProfile;
use meshtls_svid::SvidHandle;
use meshtls_testkit::TestCa;

const MESH: &str = "\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ledger, namespace: pay }
spec:
  hosts: [ledger.pay.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: http, targetPort: 8080 }]
  endpoints:
  - { address: 127.0.1.2, serviceAccount: ledger, labels: { app: ledger } }
  - { address: 127.0.1.3 }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: nobody, namespace: pay }
spec:
  hosts: ['*.nobody.example']
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: http }]
  endpoints: [{ address: 127.0.1.4, labels: { security.istio.io/tlsMode: istio } }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: empty, namespace: pay }
spec:
  hosts: [empty.example]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: http }]
  workloadSelector: { labels: { app: none } }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: headless, namespace: pay }
spec:
  hosts: [headless.example]
  location: MESH_INTERNAL
  ports: [{ number: 80, name: http }]
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: pay }
spec: { mtls: { mode: STRICT } }
";

fn connector(yaml: &str, unnamed: Unnamed) -> Connector {
    let ca = TestCa::new("prod.example");
    let settings = MeshSettings::new(ca.trust_domain().clone());
    let resources = Resources::parse("mesh.yaml", yaml).unwrap();
    let svid = SvidHandle::new(ca.svid("spiffe://prod.example/ns/web/sa/shop"), ca.bundles());
    Connector::builder(TlsProfile::ring())
        .svid(Arc::new(svid))
        .policy(PolicyHandle::new(PolicySet::compile(settings.clone(), &resources)))
        .discovery(Arc::new(Inventory::from_resources(&settings, &resources)))
        .client(Workload::new("web", Labels::default()))
        .unnamed(unnamed)
        .build()
}

#[test]
fn each_endpoint_is_explained() {
    let connector = connector(MESH, Unnamed::Refuse);
    for (host, want) in [
        (
            "ledger.pay",
            "\
ledger.pay:80 is service ledger.pay.svc.cluster.local of namespace pay
  127.0.1.2:8080: mesh mTLS, the endpoint is in the mesh
    accepted: spiffe://prod.example/ns/pay/sa/ledger
    server name: outbound_.80_._.ledger.pay.svc.cluster.local
    its own mode is STRICT, by namespace policy pay/default
  127.0.1.3:8080: plaintext, the endpoint is not in the mesh (neither security.istio.io/tlsMode: istio nor a service account)
    its own mode is STRICT, by namespace policy pay/default: it will reset this connection",
        ),
        (
            "one.nobody.example",
            "\
one.nobody.example:80 is service *.nobody.example of namespace pay
  127.0.1.4:80: mesh mTLS, the endpoint is in the mesh
    accepted: anybody in the mesh (no connection: which identities may answer has to be said)
    server name: none, `outbound_.80_._.*.nobody.example` cannot be sent
    its own mode is STRICT, by namespace policy pay/default",
        ),
        (
            "empty.example",
            "\
empty.example:80 is service empty.example of namespace pay
  no endpoint is known",
        ),
        (
            "headless.example",
            "\
headless.example:80 is service headless.example of namespace pay
  headless.example:80: plaintext, the service is headless and none of its endpoints is known
    its own mode is STRICT, by namespace policy pay/default: it will reset this connection",
        ),
        (
            "198.51.100.7",
            "\
198.51.100.7:80 is outside the mesh: no service has this host and port
  198.51.100.7:80: plaintext, no service has this host and port, so it is outside the mesh",
        ),
    ] {
        assert_eq!(connector.explain(host, 80).to_string(), want, "{host}");
    }
}

/// Nothing is opened for it: no file of these rules is there.
#[test]
fn tls_to_servers_outside_the_mesh_is_explained() {
    let explained = |tls: &str, subset: &str| {
        let rule = format!(
            "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\n\
             metadata: {{ name: it, namespace: pay }}\n\
             spec: {{ host: '*.nobody.example', trafficPolicy: {{ tls: {{ {tls} }} }} }}\n"
        );
        let connector = connector(&format!("{MESH}{rule}"), Unnamed::Refuse);
        let to = Destination::new("one.nobody.example", 80).subset(subset);
        let text = connector.explain_to(&to).to_string();
        let lines: Vec<&str> = text.lines().skip(1).collect();
        lines.join("\n")
    };
    for (tls, subset, want) in [
        (
            "mode: SIMPLE",
            "",
            "  \
  127.0.1.4:80: TLS, DestinationRule pay/it
    accepted: one.nobody.example
    vouched for by: the system's authorities
    server name: one.nobody.example",
        ),
        (
            "mode: MUTUAL, sni: a.example, caCertificates: /ca.pem, clientCertificate: /c.pem, privateKey: /k.pem",
            "",
            "  \
  127.0.1.4:80: TLS with a client certificate, DestinationRule pay/it
    accepted: any name
    vouched for by: the authorities in `/ca.pem`
    our certificate: `/c.pem`
    server name: a.example",
        ),
        (
            "mode: MUTUAL, subjectAltNames: [b.example, a.example], credentialName: payments",
            "",
            "  \
  127.0.1.4:80: TLS with a client certificate, DestinationRule pay/it
    accepted: any of a.example, b.example (no connection: credential `payments` is not available outside Kubernetes)
    vouched for by: the authorities of credential `payments`
    our certificate: credential `payments`
    server name: one.nobody.example",
        ),
        (
            "mode: SIMPLE, insecureSkipVerify: true",
            "",
            "  \
  127.0.1.4:80: TLS, DestinationRule pay/it
    accepted: anybody, nothing is verified (no connection: the rule says insecureSkipVerify, which this connector does not allow)
    vouched for by: nobody has to
    server name: one.nobody.example",
        ),
        ("mode: SIMPLE", "v1", "  127.0.1.4:80: no connection, there is no subset `v1`"),
    ] {
        let want = format!("{want}\n    its own mode is STRICT, by namespace policy pay/default");
        assert_eq!(explained(tls, subset), want);
    }
}

#[test]
fn what_the_caller_asks_for_is_explained() {
    let connector = connector(MESH, Unnamed::Refuse);
    let ledger = Destination::new("ledger.pay", 80);
    let explanation = connector.explain_to(&ledger.clone().tls(OutboundChoice::Disable));
    assert!(
        explanation
            .to_string()
            .contains("plaintext, the caller chose plaintext"),
        "{explanation}"
    );
    assert!(
        explanation
            .endpoints
            .iter()
            .all(|endpoint| endpoint.is_plaintext_into_strict())
    );

    let any = ledger.accept(IdMatcher::Any);
    let explanation = connector
        .explain_to(&any.tls(OutboundChoice::IstioMutual))
        .to_string();
    assert_eq!(
        explanation
            .matches("mesh mTLS, the caller chose mesh mTLS")
            .count(),
        2,
        "{explanation}"
    );
    assert_eq!(explanation.matches("accepted: any SPIFFE ID").count(), 2, "{explanation}");
}

#[test]
fn an_explanation_is_data_too() {
    let explanation = connector(MESH, Unnamed::AcceptAnybody).explain("one.nobody.example", 80);
    assert_eq!(
        serde_json::to_value(explanation).unwrap(),
        serde_json::json!({
            "host": "one.nobody.example",
            "port": 80,
            "service": { "hostname": "*.nobody.example", "namespace": "pay" },
            "endpoints": [{
                "endpoint": "127.0.1.4:80",
                "decision": {
                    "mode": "ISTIO_MUTUAL",
                    "why": { "reason": "endpoint_in_mesh" },
                    "sni": { "unsendable": "outbound_.80_._.*.nobody.example" },
                    "accepted": "anybody in the mesh",
                    "refused_unnamed": false,
                },
                "server_mode": {
                    "mode": "STRICT",
                    "winner": { "level": "namespace", "policy": "pay/default" },
                },
            }],
        })
    );
}

#[test]
fn policies_are_read_at_each_question() {
    let resources = Resources::parse("mesh.yaml", MESH).unwrap();
    let settings = MeshSettings::new("prod.example".parse().unwrap());
    let policies = PolicyHandle::new(PolicySet::compile(settings.clone(), &resources));
    let ca = TestCa::new("prod.example");
    let svid = SvidHandle::new(ca.svid("spiffe://prod.example/ns/web/sa/shop"), ca.bundles());
    let connector = Connector::builder(TlsProfile::ring())
        .svid(Arc::new(svid))
        .policy(policies.clone())
        .discovery(Arc::new(Inventory::from_resources(&settings, &resources)))
        .client(Workload::new("web", Labels::default()))
        .build();
    let mode = || {
        connector.explain("ledger.pay", 80).endpoints[0]
            .decision
            .clone()
    };
    let before = mode();
    let disable = Resources::parse("mesh.yaml", &MESH.replace("STRICT", "DISABLE")).unwrap();
    policies.replace(PolicySet::compile(settings, &disable));
    assert!(
        mode()
            .to_string()
            .starts_with("plaintext, the policy for the whole namespace pay is DISABLE")
    );
    assert_ne!(before, mode());
}
