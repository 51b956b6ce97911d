//! Several endpoints: turns, the next one after a failure, and the same expectation of it.

use std::net::SocketAddr;
use std::time::Duration;

use meshtls_rustls::TlsProfile;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::world::{
    AS_LEDGER, HOST, LEDGER, OTHER, PORT, RawServer, Says, World, closed_port, each_provider,
    failed, read_all, service,
};

const NOT_IN_MESH: &str = "labels: { app: ledger }";

#[tokio::test]
async fn endpoints_take_turns() {
    each_provider(async |world| {
        let [one, two] = [world.server(LEDGER).await, world.server(LEDGER).await];
        let yaml = service(&[(one.address, AS_LEDGER), (two.address, AS_LEDGER)]);
        let client = world.client(&yaml).build();
        for _ in 0..2 {
            for server in [&one, &two] {
                let outbound = client.clone().connect(HOST, PORT).await.unwrap();
                assert_eq!(outbound.endpoint(), server.address);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_next_endpoint_is_tried_and_has_to_meet_the_same() {
    each_provider(async |world| {
        let closed = closed_port().await;
        let [good, wrong] = [world.server(LEDGER).await, world.server(OTHER).await];

        let client = world
            .client(&service(&[(closed, AS_LEDGER), (good.address, AS_LEDGER)]))
            .build();
        assert_eq!(read_all(client.connect(HOST, PORT).await.unwrap()).await, "hello");
        assert!(
            world
                .events
                .one()
                .starts_with("mesh, attempts 2, handshake")
        );

        let client = world
            .client(&service(&[(closed, AS_LEDGER), (wrong.address, AS_LEDGER)]))
            .build();
        assert_eq!(failed(client.connect(HOST, PORT).await).reason(), "secure_naming");
        assert!(
            world
                .events
                .one()
                .starts_with("secure_naming, attempts 2, handshake")
        );
    })
    .await;
}

#[tokio::test]
async fn a_failed_handshake_is_not_tried_elsewhere() {
    each_provider(async |world| {
        let [wrong, good] = [world.server(OTHER).await, world.server(LEDGER).await];
        let yaml = service(&[(wrong.address, AS_LEDGER), (good.address, AS_LEDGER)]);
        assert_eq!(
            failed(world.client(&yaml).build().connect(HOST, PORT).await).reason(),
            "secure_naming"
        );
        assert!(good.peers().is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_outside_of_the_mesh_is_no_substitute_for_one_inside() {
    each_provider(async |world| {
        let (closed, plain) = (closed_port().await, RawServer::new(Says(b"hello")).await);
        let yaml = service(&[(closed, AS_LEDGER), (plain.address, NOT_IN_MESH)]);
        let error = failed(world.client(&yaml).build().connect(HOST, PORT).await);
        assert_eq!(error.reason(), "connect_failed");
        assert_eq!(error.to_string(), format!("cannot connect to {closed} (attempt 1)"));
        assert!(
            world
                .events
                .one()
                .starts_with("connect_failed, attempts 1, no handshake")
        );
        assert!(plain.first_bytes().is_empty());

        // Nor the other way round: what is expected does not depend on who fails.
        let mesh = world.server(LEDGER).await;
        let yaml = service(&[(closed, NOT_IN_MESH), (mesh.address, AS_LEDGER)]);
        assert_eq!(
            failed(world.client(&yaml).build().connect(HOST, PORT).await).reason(),
            "connect_failed"
        );
    })
    .await;
}

#[tokio::test]
async fn attempts_are_bounded() {
    each_provider(async |world| {
        let mut closed = Vec::new();
        for _ in 0..5 {
            closed.push((closed_port().await, AS_LEDGER));
        }
        let yaml = service(&closed);
        for (most, want) in [(1, 1), (3, 3), (9, 5)] {
            failed(
                world
                    .client(&yaml)
                    .max_attempts(most)
                    .build()
                    .connect(HOST, PORT)
                    .await,
            );
            assert!(
                world
                    .events
                    .one()
                    .starts_with(&format!("connect_failed, attempts {want},")),
                "{most}"
            );
        }
    })
    .await;
}

/// A listener whose queue is full, so that further connections get no answer. The streams keep it full.
async fn full() -> (tokio::net::TcpListener, SocketAddr, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(Ok(stream)) =
        timeout(Duration::from_millis(200), TcpStream::connect(address)).await
    {
        queued.push(stream);
        assert!(queued.len() < 4096, "the queue has no end");
    }
    (listener, address, queued)
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_gets_its_share_of_the_time() {
    let (_listener, full, _queued) = full().await;
    each_provider(async |world| {
        let within = Duration::from_millis(200);
        let alone = world.client(&service(&[(full, AS_LEDGER)])).connect_timeout(within).build();
        let error = failed(alone.connect(HOST, PORT).await);
        assert_eq!(error.reason(), "connect_timeout");
        assert_eq!(
            error.to_string(),
            format!("no endpoint took the connection within 200 ms, the last tried was {full} (attempt 1)")
        );
        assert!(world.events.one().starts_with("connect_timeout, attempts 1, no handshake"));

        let good = world.server(LEDGER).await;
        let yaml = service(&[(full, AS_LEDGER), (good.address, AS_LEDGER)]);
        let client = world.client(&yaml).connect_timeout(within).build();
        assert_eq!(read_all(client.connect(HOST, PORT).await.unwrap()).await, "hello");
        assert!(world.events.one().starts_with("mesh, attempts 2, handshake"));
    })
    .await;
}

#[tokio::test]
async fn names_of_endpoints_are_resolved() {
    each_provider(async |world| {
        let server = world.server(LEDGER).await;
        // `localhost` may be ::1 first, where nobody listens.
        let yaml = service(&[(server.address, AS_LEDGER)])
            .replace("STATIC", "DNS")
            .replace("address: 127.0.0.1", "address: localhost");
        assert!(yaml.contains("localhost"), "{yaml}");
        let outbound = world
            .client(&yaml)
            .build()
            .connect(HOST, PORT)
            .await
            .unwrap();
        assert_eq!(outbound.endpoint(), server.address);
        assert_eq!(read_all(outbound).await, "hello");
    })
    .await;
}

#[tokio::test]
async fn connecting_may_move_between_threads() {
    fn assert_send<T: Send>(value: T) -> T {
        value
    }
    let world = World::new(TlsProfile::ring());
    let client = world.client("").build();
    failed(assert_send(client.connect("not a host", PORT)).await);
}
