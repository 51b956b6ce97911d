//! Connections that come about.

use meshtls_connector::{Destination, Outbound, Protocol, Unnamed};
use meshtls_identity::IdMatcher;
use meshtls_policy::OutboundChoice;

use crate::world::{
    AS_LEDGER, CLIENT, HOST, KeepsSilent, LEDGER, OTHER, PORT, RawServer, each_provider, failed,
    hello, read_all, service, service_called,
};

#[tokio::test]
async fn a_service_of_the_mesh_is_reached_by_mtls() {
    each_provider(async |world| {
        let server = world.server(LEDGER).await;
        let client = world
            .client(&service(&[(server.address, AS_LEDGER)]))
            .build();

        let outbound = client.connect(HOST, PORT).await.unwrap();
        let Outbound::Mesh(mesh) = &outbound else { panic!("{outbound:?}") };
        assert_eq!(mesh.peer.id().as_str(), LEDGER);
        assert_eq!(mesh.endpoint, server.address);
        assert_eq!(read_all(outbound).await, "hello");

        let sni = "outbound_.80_._.ledger.pay.svc.cluster.local";
        let peers = server.peers();
        assert_eq!(peers.len(), 1);
        assert_eq!(peers[0].id().as_str(), CLIENT);
        assert_eq!(peers[0].server_name(), Some(sni));
        let event = format!("mesh, attempts 1, handshake, sni {sni}, accepted {LEDGER}");
        assert_eq!(world.events.one(), event.replace("accepted ", "accepted any of "));
    })
    .await;
}

#[tokio::test]
async fn short_names_of_the_service_send_its_full_name() {
    each_provider(async |world| {
        let server = world.server(LEDGER).await;
        let client = world
            .client(&service(&[(server.address, AS_LEDGER)]))
            .build();
        assert_eq!(read_all(client.connect("Ledger.pay", PORT).await.unwrap()).await, "hello");
        assert_eq!(
            server.peers()[0].server_name(),
            Some("outbound_.80_._.ledger.pay.svc.cluster.local")
        );
    })
    .await;
}

#[tokio::test]
async fn a_timeout_without_end_is_a_long_one() {
    each_provider(async |world| {
        let server = world.server(LEDGER).await;
        let client = world
            .client(&service(&[(server.address, AS_LEDGER)]))
            .connect_timeout(std::time::Duration::MAX)
            .handshake_timeout(std::time::Duration::MAX)
            .build();
        assert_eq!(read_all(client.connect(HOST, PORT).await.unwrap()).await, "hello");
    })
    .await;
}

#[tokio::test]
async fn each_protocol_offers_its_alpn_names() {
    each_provider(async |world| {
        let server = RawServer::new(KeepsSilent).await;
        let client = world
            .client(&service(&[(server.address, AS_LEDGER)]))
            .handshake_timeout(std::time::Duration::from_millis(200))
            .build();
        for protocol in [Protocol::Http1, Protocol::Http2, Protocol::Tcp] {
            failed(
                client
                    .connect_to(&Destination::new(HOST, PORT).protocol(protocol))
                    .await,
            );
        }
        let offers: Vec<String> = server
            .first_bytes()
            .iter()
            .map(|bytes| {
                hello(bytes, |hello| {
                    let names: Vec<_> = hello.alpn().unwrap().collect();
                    String::from_utf8(names.join(&b' ')).unwrap()
                })
            })
            .collect();
        assert_eq!(offers, ["istio-http/1.1 istio http/1.1", "istio-h2 istio h2", "istio"]);
    })
    .await;
}

#[tokio::test]
async fn a_wildcard_host_is_reached_without_a_server_name_and_the_event_says_so() {
    each_provider(async |world| {
        let server = world.server(LEDGER).await;
        let yaml = service_called("*.pay.example", &[(server.address, AS_LEDGER)]);
        let client = world.client(&yaml).build();
        assert_eq!(read_all(client.connect("one.pay.example", PORT).await.unwrap()).await, "hello");
        assert_eq!(server.peers()[0].server_name(), None);
        let event = world.events.one();
        assert!(
            event.contains("sni none, `outbound_.80_._.*.pay.example` cannot be sent"),
            "{event}"
        );
    })
    .await;
}

#[tokio::test]
async fn anybody_answers_only_where_the_caller_says_so() {
    each_provider(async |world| {
        let server = world.server(OTHER).await;
        // In the mesh by its label, but nobody knows its account.
        let yaml = service(&[(server.address, "labels: { security.istio.io/tlsMode: istio }")]);

        let error = failed(world.client(&yaml).build().connect(HOST, PORT).await);
        assert_eq!(error.reason(), "unnamed");
        assert!(
            world
                .events
                .one()
                .starts_with("unnamed, attempts 0, no handshake")
        );
        assert!(server.peers().is_empty());

        let as_istio = world.client(&yaml).unnamed(Unnamed::AcceptAnybody).build();
        assert_eq!(read_all(as_istio.connect(HOST, PORT).await.unwrap()).await, "hello");
        assert!(world.events.one().ends_with("accepted any SPIFFE ID"));

        let asked = Destination::new(HOST, PORT).accept(IdMatcher::Any);
        let outbound = world
            .client(&yaml)
            .build()
            .connect_to(&asked)
            .await
            .unwrap();
        assert_eq!(outbound.peer().unwrap().id().as_str(), OTHER);
    })
    .await;
}

#[tokio::test]
async fn the_callers_own_list_counts_alone() {
    each_provider(async |world| {
        let server = world.server(OTHER).await;
        let client = world
            .client(&service(&[(server.address, AS_LEDGER)]))
            .build();
        let listed =
            |id: &str| Destination::new(HOST, PORT).accept(IdMatcher::Exact(id.parse().unwrap()));
        assert!(client.connect_to(&listed(OTHER)).await.is_ok());
        assert_eq!(failed(client.connect_to(&listed(LEDGER)).await).reason(), "secure_naming");
    })
    .await;
}

#[tokio::test]
async fn mtls_can_be_asked_for_outside_of_the_inventory() {
    each_provider(async |world| {
        let server = world.server(OTHER).await;
        let client = world.client("").build();
        let host = server.address.ip().to_string();
        let to = Destination::new(&host, server.address.port()).tls(OutboundChoice::IstioMutual);
        assert_eq!(failed(client.connect_to(&to).await).reason(), "unnamed");

        let named = to.accept(IdMatcher::Exact(OTHER.parse().unwrap()));
        let outbound = client.connect_to(&named).await.unwrap();
        assert_eq!(outbound.peer().unwrap().id().as_str(), OTHER);
        assert_eq!(outbound.endpoint(), server.address);
    })
    .await;
}

#[tokio::test]
async fn a_new_identity_is_shown_from_the_next_connection_on() {
    each_provider(async |world| {
        let server = world.server(LEDGER).await;
        let client = world
            .client(&service(&[(server.address, AS_LEDGER)]))
            .build();
        for id in [CLIENT, "spiffe://prod.example/ns/web/sa/renamed"] {
            world
                .identity
                .replace(world.ca.svid(id), world.ca.bundles());
            read_all(client.connect(HOST, PORT).await.unwrap()).await;
            assert_eq!(server.peers()[0].id().as_str(), id);
        }
    })
    .await;
}
