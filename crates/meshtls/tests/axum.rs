//! HTTP services with axum: what a handler learns of its caller, from where, and for how long it waits.

#![cfg(all(feature = "axum", any(feature = "ring", feature = "aws-lc-rs")))]
#![expect(clippy::unwrap_used, reason = "a step that fails must fail the test")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::HeaderMap;
use axum::routing::get;
use meshtls::acceptor::PortProtocol;
use meshtls::axum::{Caller, HttpListener, Peer, serve};
use meshtls::connector::{Destination, Outbound, Protocol};
use meshtls::identity::IdMatcher;
use meshtls::policy::OutboundChoice;
use meshtls::svid::SvidHandle;
use meshtls::{IdentityFrom, MeshListener, PoliciesFrom, Workload, WorkloadBuilder};
use meshtls_testkit::{ManualClock, TestCa};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const SERVER: &str = "cluster.local/ns/foo/sa/httpbin";
const CLIENT: &str = "cluster.local/ns/bar/sa/curl";
const LIMIT: Duration = Duration::from_secs(10);

fn workload(ca: &TestCa, id: &str) -> Workload {
    builder(ca, id).start().unwrap()
}

fn builder(ca: &TestCa, id: &str) -> WorkloadBuilder {
    let svid = ca.svid(&format!("spiffe://{id}"));
    let source = Arc::new(SvidHandle::new(svid, ca.bundles()));
    #[cfg(feature = "ring")]
    let profile = meshtls::rustls::TlsProfile::ring();
    #[cfg(not(feature = "ring"))]
    let profile = meshtls::rustls::TlsProfile::aws_lc_rs();
    let clock = Arc::new(ManualClock::new(ca.now()));
    Workload::builder(id.parse().unwrap(), IdentityFrom::Source(source))
        .tls(profile.with_time(clock))
}

async fn listen(workload: &Workload) -> (MeshListener, SocketAddr) {
    let address = ([127, 0, 0, 1], 0).into();
    let listener = workload
        .listen(address)
        .protocol(PortProtocol::Http)
        .bind()
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn router() -> Router {
    Router::new()
        .route("/whoami", get(whoami))
        .route("/claims", get(claims))
        .route("/authorization", get(authorization))
}

async fn whoami(ConnectInfo(caller): ConnectInfo<Caller>) -> String {
    match caller.peer() {
        Peer::Mesh(peer) => format!("{} {} {}", caller.kind(), caller.protocol(), peer.id()),
        Peer::Ingress(_) | Peer::Plaintext(_) | Peer::ForeignTls(_) | Peer::Unsniffed(_) => {
            format!("{} {} {}", caller.kind(), caller.protocol(), caller.winner())
        }
    }
}

/// Which authorization policy let the caller in.
async fn authorization(ConnectInfo(caller): ConnectInfo<Caller>) -> String {
    caller.authorization().to_string()
}

/// Which headers with a claimed identity arrive.
async fn claims(headers: HeaderMap) -> String {
    let claims = ["x-forwarded-client-cert", "client-cert", "client-cert-chain"];
    claims
        .into_iter()
        .filter(|name| headers.contains_key(*name))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Asks as somebody who claims an identity in every header there is for it.
async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> String {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nClient-Cert: :AA==:\r\nClient-Cert-Chain: :AA==:\r\n\
         X-Forwarded-Client-Cert: URI=spiffe://cluster.local/ns/istio-system/sa/admin\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(LIMIT, stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    answer.split("\r\n\r\n").nth(1).unwrap().to_owned()
}

async fn plaintext(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

async fn mesh(client: &Workload, server: &Workload, address: SocketAddr) -> Outbound {
    let destination = Destination::new(address.ip().to_string(), address.port())
        .protocol(Protocol::Http1)
        .tls(OutboundChoice::IstioMutual)
        .accept(IdMatcher::Exact(server.id().clone().into()));
    client.connector().connect_to(&destination).await.unwrap()
}

#[tokio::test]
async fn authorization_policies_say_who_gets_an_answer() {
    const ONLY_CURL: &str = r#"
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: only-curl, namespace: foo }
spec:
  rules:
  - from:
    - source: { principals: [cluster.local/ns/bar/sa/curl] }
"#;
    let ca = TestCa::new("cluster.local");
    let policies = PoliciesFrom::text("only-curl", ONLY_CURL);
    let server = builder(&ca, SERVER).policies(policies).start().unwrap();
    let (listener, address) = listen(&server).await;
    let serving = tokio::spawn(serve(listener, router()).run());

    let curl = workload(&ca, CLIENT);
    let outbound = mesh(&curl, &server, address).await;
    assert_eq!(
        ask(outbound.into_stream(), "/authorization").await,
        "an ALLOW policy matches (foo/only-curl, rule 0)"
    );

    let other = workload(&ca, "cluster.local/ns/bar/sa/other");
    let outbound = mesh(&other, &server, address).await;
    assert_eq!(silence(outbound.into_stream()).await, b"");
    assert_eq!(silence(plaintext(address).await).await, b"");
    serving.abort();
}

/// What comes until the end of the stream, whatever was asked.
async fn silence(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Vec<u8> {
    stream
        .write_all(b"GET /whoami HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    timeout(LIMIT, stream.read_to_end(&mut answer))
        .await
        .unwrap()
        .unwrap();
    answer
}

#[tokio::test]
async fn a_handler_sees_who_proved_what_and_no_claims() {
    let ca = TestCa::new("cluster.local");
    let (server, client) = (workload(&ca, SERVER), workload(&ca, CLIENT));
    let (listener, address) = listen(&server).await;
    let serving = tokio::spawn(serve(listener, router()).run());

    assert_eq!(
        ask(plaintext(address).await, "/whoami").await,
        "plaintext http1 default, no policy sets a mode"
    );
    assert_eq!(ask(plaintext(address).await, "/claims").await, "");

    let outbound = mesh(&client, &server, address).await;
    assert_eq!(
        ask(outbound.into_stream(), "/whoami").await,
        "mesh http1 spiffe://cluster.local/ns/bar/sa/curl"
    );
    serving.abort();
}

#[tokio::test]
async fn claims_are_kept_only_where_that_was_asked_for() {
    let server = workload(&TestCa::new("cluster.local"), SERVER);
    let (listener, address) = listen(&server).await;
    let serving = tokio::spawn(
        serve(listener, router())
            .dangerous_keep_claimed_identities()
            .run(),
    );
    let claims = ask(plaintext(address).await, "/claims").await;
    assert_eq!(claims, "x-forwarded-client-cert client-cert client-cert-chain");
    serving.abort();
}

/// Whatever the port speaks: on `tcp` nobody looked at the bytes before the HTTP server does.
#[tokio::test]
async fn half_a_request_is_not_waited_for() {
    let server = workload(&TestCa::new("cluster.local"), SERVER);
    for (name, protocol, half) in [
        ("half a head", PortProtocol::Http, &b"GET /whoami HTTP/1.1\r\nHost: h\r\n"[..]),
        ("half a head, tcp", PortProtocol::Tcp, b"GET /whoami HTTP/1.1\r\nHost: h\r\n"),
        ("half a preface, tcp", PortProtocol::Tcp, b"PRI * H"),
    ] {
        let address = ([127, 0, 0, 1], 0).into();
        let listener = server
            .listen(address)
            .protocol(protocol)
            .bind()
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        let serving = serve(listener, router()).head_timeout(Duration::from_millis(50));
        let serving = tokio::spawn(serving.run());
        let mut client = plaintext(address).await;
        client.write_all(half).await.unwrap();
        let mut answer = Vec::new();
        // An end or a reset: what counts is that it comes.
        timeout(LIMIT, client.read_to_end(&mut answer))
            .await
            .expect(name)
            .ok();
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{name}: {}", answer.escape_ascii());
        serving.abort();
    }
}

#[tokio::test]
async fn the_listener_serves_axum_itself_too() {
    let server = workload(&TestCa::new("cluster.local"), SERVER);
    let (listener, address) = listen(&server).await;
    let service = router().into_make_service_with_connect_info::<Caller>();
    let serving =
        tokio::spawn(async move { axum::serve(HttpListener::new(listener), service).await });
    assert_eq!(
        ask(plaintext(address).await, "/whoami").await,
        "plaintext http1 default, no policy sets a mode"
    );
    serving.abort();
}
