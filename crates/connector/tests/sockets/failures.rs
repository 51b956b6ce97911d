//! Connections that do not come about, or end at the first read: each for its own reason, and never in plaintext.

use std::sync::Arc;
use std::time::Duration;

use meshtls_connector::{ConnectError, Connector, refusal_of};
use meshtls_policy::{
    Inventory, Labels, MeshSettings, PolicyHandle, PolicySet, Resources, Workload,
};
use meshtls_rustls::HandshakeError;
use meshtls_svid::{SvidHandle, SvidSnapshot, SvidSource, SvidUnavailable, X509Svid};
use meshtls_testkit::TestCa;
use tokio::io::AsyncReadExt as _;

use crate::world::{
    AS_LEDGER, CLIENT, DOMAIN, Events, HOST, KeepsSilent, LEDGER, OTHER, PORT, RawServer, Resets,
    Says, World, each_provider, failed, read_all, sentence, service,
};

#[tokio::test]
async fn a_server_of_another_account_is_refused_by_secure_naming() {
    each_provider(async |world| {
        let server = world.server(OTHER).await;
        let client = world
            .client(&service(&[(server.address, AS_LEDGER)]))
            .build();
        let error = failed(client.connect(HOST, PORT).await);
        assert_eq!(error.reason(), "secure_naming");
        assert_eq!(
            sentence(&error),
            format!(
                "secure naming: {} presented {OTHER}, but accepted is any of {LEDGER}",
                server.address
            )
        );
        assert!(
            world
                .events
                .one()
                .starts_with("secure_naming, attempts 1, handshake")
        );
    })
    .await;
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_is_rejected() {
    each_provider(async |world| {
        let server = world
            .server_with(&world.profile, TestCa::new(DOMAIN).svid(LEDGER))
            .await;
        let client = world
            .client(&service(&[(server.address, AS_LEDGER)]))
            .build();
        let error = failed(client.connect(HOST, PORT).await);
        assert!(matches!(
            error,
            ConnectError::Handshake { source: HandshakeError::Rejected(_), .. }
        ));
        assert_eq!(error.reason(), "untrusted_issuer");
        assert!(sentence(&error).contains(LEDGER), "{}", sentence(&error));
    })
    .await;
}

/// A client of another authority, which knows the server's all the same.
fn stranger(world: &World) -> SvidHandle {
    SvidHandle::new(TestCa::new(DOMAIN).svid(CLIENT), world.ca.bundles())
}

#[tokio::test]
async fn a_refusal_of_our_certificate_shows_at_the_first_read() {
    each_provider(async |mut world| {
        let server = world.server(LEDGER).await;
        world.identity = Arc::new(stranger(&world));
        let client = world
            .client(&service(&[(server.address, AS_LEDGER)]))
            .build();

        let outbound = client.connect(HOST, PORT).await.unwrap();
        assert_eq!(
            outbound.peer().unwrap().id().as_str(),
            LEDGER,
            "with TLS 1.3 our handshake succeeds"
        );
        let error = outbound.into_stream().read(&mut [0; 16]).await.unwrap_err();
        let refused = refusal_of(&error).unwrap();
        assert_eq!(refused.alert.code(), 48);
        assert_eq!(refused.to_string(), "the peer refused us with the TLS alert unknown_ca (48)");
        assert!(world.events.one().starts_with("mesh, attempts 1"));
    })
    .await;
}

#[tokio::test]
async fn with_tls_1_2_a_refusal_of_our_certificate_fails_the_connection() {
    each_provider(async |mut world| {
        let server = world.server(LEDGER).await;
        world.identity = Arc::new(stranger(&world));
        world.profile = world.tls12();
        let client = world.client(&service(&[(server.address, AS_LEDGER)])).build();

        let error = failed(client.connect(HOST, PORT).await);
        assert_eq!(error.reason(), "our_certificate_refused");
        assert_eq!(
            sentence(&error),
            format!(
                "{} refused our certificate: the peer refused us with the TLS alert unknown_ca (48)",
                server.address
            )
        );
    })
    .await;
}

#[tokio::test]
async fn whatever_answers_in_plaintext_is_never_talked_to_in_plaintext() {
    each_provider(async |world| {
        for (name, answer, want) in [
            (
                "an HTTP error",
                &b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"[..],
                "tls_protocol",
            ),
            ("a greeting", b"220 smtp.example ready\r\n", "tls_protocol"),
            (
                "the hint to use plaintext",
                b"HTTP/1.1 301 Moved\r\nlocation: http://x/\r\n\r\n",
                "tls_protocol",
            ),
            ("an alert", b"\x15\x03\x03\x00\x02\x02\x28", "alert_received"),
            ("nothing", b"", "closed_in_handshake"),
        ] {
            let server = RawServer::new(Says(answer)).await;
            let client = world
                .client(&service(&[(server.address, AS_LEDGER)]))
                .build();
            let error = failed(client.connect(HOST, PORT).await);
            assert!(matches!(error, ConnectError::Handshake { .. }), "{name}: {error:?}");
            assert_eq!(error.reason(), want, "{name}");
            assert!(world.events.one().starts_with(want), "{name}");
            let first = server.first_bytes();
            assert_eq!(first.len(), 1, "{name}: one connection");
            assert_eq!(first[0][..2], [0x16, 0x03], "{name}: a ClientHello");
        }
        let server = RawServer::new(Resets).await;
        let client = world
            .client(&service(&[(server.address, AS_LEDGER)]))
            .build();
        assert_eq!(failed(client.connect(HOST, PORT).await).reason(), "transport");
        assert_eq!(server.first_bytes().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_silent_server_runs_into_the_handshake_timeout() {
    each_provider(async |world| {
        let server = RawServer::new(KeepsSilent).await;
        let client = world
            .client(&service(&[(server.address, AS_LEDGER)]))
            .handshake_timeout(Duration::from_millis(50))
            .build();
        let error = failed(client.connect(HOST, PORT).await);
        assert_eq!(error.reason(), "handshake_timeout");
        assert_eq!(
            error.to_string(),
            format!("the TLS handshake with {} took longer than 50 ms", server.address)
        );
        assert!(
            world
                .events
                .one()
                .starts_with("handshake_timeout, attempts 1, handshake")
        );
    })
    .await;
}

#[derive(Debug)]
struct NoneYet;

impl SvidSource for NoneYet {
    fn snapshot(&self) -> Result<Arc<SvidSnapshot>, SvidUnavailable> {
        Err(SvidUnavailable::NotYet)
    }
}

#[tokio::test]
async fn without_an_identity_nobody_is_connected_to() {
    each_provider(async |world| {
        let server = world.server(LEDGER).await;
        let settings = MeshSettings::new(world.ca.trust_domain().clone());
        let yaml = service(&[(server.address, AS_LEDGER)]);
        let resources = Resources::parse("test.yaml", &yaml).unwrap();
        let client = Connector::builder(world.profile.clone())
            .svid(Arc::new(NoneYet))
            .policy(PolicyHandle::new(PolicySet::compile(settings.clone(), &resources)))
            .discovery(Arc::new(Inventory::from_resources(&settings, &resources)))
            .client(Workload::new("web", Labels::default()))
            .observer(Arc::<Events>::clone(&world.events))
            .build();
        let error = failed(client.connect(HOST, PORT).await);
        assert_eq!(error.reason(), "no_identity");
        assert!(
            world
                .events
                .one()
                .starts_with("no_identity, attempts 0, no handshake")
        );
    })
    .await;
}

#[tokio::test]
async fn an_identity_with_a_foreign_key_is_not_used() {
    each_provider(async |world| {
        let server = world.server(LEDGER).await;
        let [one, two] = [world.ca.svid(CLIENT), world.ca.svid(CLIENT)];
        let torn = X509Svid::new(one.chain().to_vec(), two.private_key().clone_key()).unwrap();
        world.identity.replace(torn, world.ca.bundles());
        let client = world
            .client(&service(&[(server.address, AS_LEDGER)]))
            .build();
        let error = failed(client.connect(HOST, PORT).await);
        assert_eq!(error.reason(), "own_identity");
        assert!(sentence(&error).contains("does not belong"), "{}", sentence(&error));
    })
    .await;
}

#[tokio::test]
async fn destinations_that_cannot_be_reached() {
    each_provider(async |world| {
        let nobody = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: { name: it, namespace: pay }\n\
                      spec: { hosts: [empty.pay], location: MESH_INTERNAL, resolution: STATIC, \
                      ports: [{ number: 80, name: main }], workloadSelector: { labels: { app: none } } }\n";
        let error = failed(world.client(nobody).build().connect("empty.pay", PORT).await);
        assert_eq!(error.reason(), "no_endpoints");
        assert_eq!(error.to_string(), "service empty.pay has no endpoint for port 80");
        assert!(world.events.one().starts_with("no_endpoints, attempts 0, no handshake"));

        let error = failed(world.client("").build().connect("not a host name", PORT).await);
        assert_eq!(error.reason(), "resolve_failed");
        assert_eq!(error.to_string(), "cannot resolve not a host name");
        assert!(world.events.one().starts_with("resolve_failed, attempts 0, no handshake"));

        let labelled = "labels: { security.istio.io/tlsMode: istio }";
        let named = service(&[(([127, 0, 0, 1], 1).into(), labelled)])
            .replace("  endpoints:", "  subjectAltNames: [pay.example]\n  endpoints:");
        let error = failed(world.client(&named).build().connect(HOST, PORT).await);
        assert_eq!(error.reason(), "no_mesh_name");
        assert_eq!(
            error.to_string(),
            format!("mTLS to {HOST} is wanted, but accepted is only pay.example, which is no SPIFFE ID")
        );
    })
    .await;
}

#[tokio::test]
async fn a_server_that_speaks_tls_1_2_only_is_fine() {
    each_provider(async |world| {
        let server = world
            .server_with(&world.tls12(), world.ca.svid(LEDGER))
            .await;
        let client = world
            .client(&service(&[(server.address, AS_LEDGER)]))
            .build();
        let outbound = client.connect(HOST, PORT).await.unwrap();
        assert_eq!(outbound.peer().unwrap().tls_version().to_string(), "TLS 1.2");
        assert_eq!(read_all(outbound).await, "hello");
    })
    .await;
}
