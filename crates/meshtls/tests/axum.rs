//! The axum listener: what a handler learns of its caller, and from where.

#![cfg(all(feature = "axum", any(feature = "ring", feature = "aws-lc-rs")))]
#![expect(clippy::unwrap_used, reason = "a step that fails must fail the test")]

use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use meshtls::acceptor::PortProtocol;
use meshtls::axum::{Caller, HttpListener, Peer};
use meshtls::connector::{Destination, Protocol};
use meshtls::identity::IdMatcher;
use meshtls::policy::OutboundChoice;
use meshtls::{IdentityFrom, Workload};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

async fn whoami(ConnectInfo(caller): ConnectInfo<Caller>) -> String {
    match caller.peer() {
        Peer::Mesh(peer) => format!("{} {} {}", caller.kind(), caller.protocol(), peer.id()),
        Peer::Ingress(_) | Peer::Plaintext(_) | Peer::ForeignTls(_) | Peer::Unsniffed(_) => {
            format!("{} {} {}", caller.kind(), caller.protocol(), caller.winner())
        }
    }
}

/// Asks as somebody who claims an identity in a header.
async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> String {
    let request = "GET /whoami HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\
                   x-forwarded-client-cert: URI=spiffe://cluster.local/ns/root/sa/admin\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(Duration::from_secs(10), stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    answer.split("\r\n\r\n").nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn a_handler_sees_who_proved_what_and_believes_no_header() {
    let folder = std::env::temp_dir().join(format!("meshtls-axum-{}", std::process::id()));
    let workload = |id: &str| {
        Workload::builder(id.parse().unwrap(), IdentityFrom::ca_dir(&folder))
            .start()
            .unwrap()
    };
    let server = workload("cluster.local/ns/foo/sa/httpbin");
    let client = workload("cluster.local/ns/bar/sa/curl");

    let address = ([127, 0, 0, 1], 0).into();
    let listener = server
        .listen(address)
        .protocol(PortProtocol::Http)
        .bind()
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/whoami", get(whoami));
    let service = router.into_make_service_with_connect_info::<Caller>();
    let serving =
        tokio::spawn(async move { axum::serve(HttpListener::new(listener), service).await });

    let plaintext = ask(TcpStream::connect(address).await.unwrap()).await;
    assert_eq!(plaintext, "plaintext http1 default, no policy sets a mode");

    let destination = Destination::new(address.ip().to_string(), address.port())
        .protocol(Protocol::Http1)
        .tls(OutboundChoice::IstioMutual)
        .accept(IdMatcher::Exact(server.id().clone().into()));
    let outbound = client.connector().connect_to(&destination).await.unwrap();
    assert_eq!(
        ask(outbound.into_stream()).await,
        "mesh http1 spiffe://cluster.local/ns/bar/sa/curl"
    );

    serving.abort();
    std::fs::remove_dir_all(folder).unwrap();
}
