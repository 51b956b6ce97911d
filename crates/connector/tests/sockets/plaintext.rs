//! Connections in plaintext: only where the decision says so, and typed as such.

use std::io::ErrorKind;

use meshtls_connector::{Destination, Outbound, PlaintextReason};
use meshtls_policy::{OutboundChoice, OutboundReason};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::{AS_LEDGER, HOST, PORT, RawServer, Resets, Says, World, each_provider, service};

const DISABLE_PAY: &str = "---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\n\
                           metadata: { name: default, namespace: pay }\nspec: { mtls: { mode: DISABLE } }\n";

/// Connects, sends a line, and gives the reason for plaintext and what came back.
async fn exchange(world: &World, yaml: &str, to: &Destination) -> (PlaintextReason, String) {
    let mut outbound = match world.client(yaml).build().connect_to(to).await.unwrap() {
        Outbound::Plaintext(plaintext) => plaintext,
        other => panic!("{other:?}"),
    };
    outbound
        .stream
        .write_all(b"GET / HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    let mut text = String::new();
    outbound.stream.read_to_string(&mut text).await.unwrap();
    (outbound.reason, text)
}

#[tokio::test]
async fn plaintext_has_a_reason() {
    each_provider(async |world| {
        let server = RawServer::new(Says(b"hello")).await;
        let in_mesh = service(&[(server.address, AS_LEDGER)]);
        let outside_mesh = service(&[(server.address, "labels: { app: ledger }")]);
        let disabled = format!("{in_mesh}{DISABLE_PAY}");
        let external = in_mesh.replace("MESH_INTERNAL", "MESH_EXTERNAL");
        let known = Destination::new(HOST, PORT);
        let address = Destination::new(server.address.ip().to_string(), server.address.port());
        let disable = |to: &Destination| to.clone().tls(OutboundChoice::Disable);
        for (name, yaml, to, want) in [
            ("no such service", &*in_mesh, address.clone(), PlaintextReason::OutsideTheMesh),
            (
                "the caller says so",
                &in_mesh,
                disable(&known),
                policy(OutboundReason::ChosenDisable),
            ),
            (
                "the caller says so, outside",
                "",
                disable(&address),
                policy(OutboundReason::ChosenDisable),
            ),
            ("no account", &outside_mesh, known.clone(), policy(OutboundReason::EndpointNotInMesh)),
            (
                "not part of the mesh",
                &external,
                known.clone(),
                policy(OutboundReason::MeshExternal),
            ),
            (
                "the namespace is DISABLE",
                &disabled,
                known,
                policy(OutboundReason::NamespaceDisable { namespace: "pay".to_owned() }),
            ),
        ] {
            let (reason, text) = exchange(&world, yaml, &to).await;
            assert_eq!(reason, want, "{name}");
            assert_eq!(text, "hello", "{name}");
            assert_eq!(
                world.events.one(),
                "plaintext, attempts 1, no handshake, sni none, accepted -",
                "{name}"
            );
        }
        assert!(
            server
                .first_bytes()
                .iter()
                .all(|bytes| bytes.starts_with(b"GET / "))
        );
    })
    .await;
}

#[tokio::test]
async fn a_server_that_refuses_plaintext_resets_the_first_read() {
    each_provider(async |world| {
        let server = RawServer::new(Resets).await;
        let yaml = service(&[(server.address, "labels: { app: ledger }")]);
        let outbound = world
            .client(&yaml)
            .build()
            .connect(HOST, PORT)
            .await
            .unwrap();
        let mut stream = outbound.into_stream();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let error = stream.read(&mut [0; 16]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(meshtls_connector::refusal_of(&error).is_none(), "nobody refused a certificate");
    })
    .await;
}

fn policy(reason: OutboundReason) -> PlaintextReason {
    PlaintextReason::Policy(reason)
}
