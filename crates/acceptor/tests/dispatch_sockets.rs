//! Each `inbound_dispatch` vector played over a real socket, once per crypto provider: a client built from the row's fields, a
//! listener built from its mode and protocol. What client, application and observer saw must be the row's action.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of a test end it by a panic")]

mod common;
mod vectors;

use std::time::Duration;

use meshtls_acceptor::{Acceptor, AppProtocol, Inbound, Listener};
use meshtls_identity::AcceptedDomains;
use meshtls_rustls::TlsProfile;
use meshtls_svid::{TrustBundles, X509Svid};
use meshtls_testkit::{Defect, TestCa};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use common::{
    Server,
    client::{Client as TlsClient, Hello, Saw, anonymous, ending, with_svid},
    identity, profiles,
};
use vectors::{Certificate, Client, FirstText, Row, app_protocol};

#[tokio::test]
async fn every_row_over_a_socket() {
    for (provider, profile) in profiles() {
        for row in Row::all() {
            let name = format!("{} with {provider}: {}", row.id, row.why);
            timeout(Duration::from_secs(30), play(&profile, &row))
                .await
                .unwrap_or_else(|_| panic!("{name}: hangs"));
        }
    }
}

async fn play(profile: &TlsProfile, row: &Row) {
    let cas = Cas::new(row);
    let server = Server::with(
        profile,
        identity(&cas.own, cas.trusted()),
        row.mode,
        row.protocol,
        |builder| builder.accepted_domains(accepted(row)),
    );
    let (mut listener, client) = connect(server.acceptor.clone()).await;
    match row.action.as_str() {
        "terminate_mtls" => {
            let mut client = TlsClient::new(profile, client, hello(row, &cas));
            let inside = inside(row);
            // Some servers need the first request before they hand the connection over.
            let (sent, inbound) = tokio::join!(
                async {
                    client.handshake().await?;
                    client.send(inside).await
                },
                listener.accept()
            );
            sent.unwrap();
            let Some(Inbound::Mesh(mut mesh)) = inbound else { panic!("{}: {inbound:?}", row.id) };
            assert_eq!(Some(mesh.peer.id().as_str()), row.peer_principal.as_deref(), "{}", row.id);
            assert_eq!(
                Some(app_protocol(mesh.connection.app_protocol())),
                row.app_protocol.as_deref(),
                "{}",
                row.id
            );
            // The vectors call both versions `http`; the application is told which it is.
            match (row.app_protocol.as_deref(), &row.client) {
                (Some("http"), Client::Tls { inside: FirstText::Http1, .. }) => {
                    assert_eq!(mesh.connection.app_protocol(), AppProtocol::Http1, "{}", row.id);
                }
                (Some("http"), Client::Tls { inside: FirstText::Http2, .. }) => {
                    assert_eq!(mesh.connection.app_protocol(), AppProtocol::Http2, "{}", row.id);
                }
                _ => {}
            }
            assert_eq!(read(&mut mesh.stream, inside.len()).await, inside, "{}", row.id);
            mesh.stream.write_all(b"answer").await.unwrap();
            mesh.stream.flush().await.unwrap();
            assert_eq!(client.receive(6).await.unwrap(), b"answer", "{}", row.id);
            // Never an istio name.
            assert!(
                client
                    .alpn()
                    .is_none_or(|name| [&b"h2"[..], b"http/1.1"].contains(&name)),
                "{}",
                row.id
            );
        }
        "plaintext_to_app" => {
            let mut client = client;
            let text = plaintext(row);
            client.write_all(text).await.unwrap();
            let inbound = listener.accept().await.unwrap();
            assert!(
                matches!(inbound, Inbound::Plaintext(_) | Inbound::Unsniffed(_)),
                "{}: {inbound:?}",
                row.id
            );
            assert!(inbound.peer().is_none());
            assert_eq!(
                Some(app_protocol(inbound.connection().app_protocol())),
                row.app_protocol.as_deref(),
                "{}",
                row.id
            );
            let mut stream = inbound.into_stream();
            assert_eq!(read(&mut stream, text.len()).await, text, "{}", row.id);
            stream.write_all(b"answer").await.unwrap();
            assert_eq!(read(&mut client, 6).await, b"answer", "{}", row.id);
        }
        "raw_tls_to_app" => {
            let mut client = TlsClient::new(profile, client, hello(row, &cas));
            let (inbound, _) = tokio::join!(
                listener.accept(),
                timeout(Duration::from_millis(200), client.handshake())
            );
            let inbound = inbound.unwrap();
            assert!(
                matches!(inbound, Inbound::ForeignTls(_) | Inbound::Unsniffed(_)),
                "{}: {inbound:?}",
                row.id
            );
            assert!(inbound.peer().is_none());
            assert_eq!(
                Some(app_protocol(inbound.connection().app_protocol())),
                row.app_protocol.as_deref(),
                "{}",
                row.id
            );
            assert!(!client.sent.is_empty());
            let mut stream = inbound.into_stream();
            assert_eq!(read(&mut stream, client.sent.len()).await, client.sent, "{}", row.id);
        }
        "reset" | "http_protocol_error" => {
            let saw = opening(profile, row, &cas, client).await;
            assert_eq!(saw, Saw::Reset, "{}", row.id);
        }
        "tls_handshake_failure" => {
            let saw = opening(profile, row, &cas, client).await;
            assert!(matches!(saw, Saw::Alert(_)), "{}: {saw:?}", row.id);
        }
        "wait_for_client_bytes" => {
            let mut client = client;
            let mut byte = [0];
            tokio::select! {
                inbound = listener.accept() => panic!("{}: {inbound:?}", row.id),
                read = client.read(&mut byte) => panic!("{}: {read:?}", row.id),
                () = tokio::time::sleep(Duration::from_millis(300)) => {},
            }
            assert!(server.heard.all().is_empty(), "{}", row.id);
            return;
        }
        other => panic!("{}: action {other}", row.id),
    }

    server.heard.wait_for(1).await;
    let heard = server.heard.only();
    let labels: &[&str] = match row.action.as_str() {
        "terminate_mtls" => &["mesh"],
        "plaintext_to_app" => &["plaintext", "unsniffed"],
        "raw_tls_to_app" => &["foreign_tls", "unsniffed"],
        "http_protocol_error" => &["tls_on_http_port"],
        "reset" => &["plaintext_under_strict", "no_client_hello", "tls_on_http_port"],
        "tls_handshake_failure" => &[
            "no_certificate",
            "untrusted_issuer",
            "wrong_signature",
            "expired",
            "trust_domain_not_accepted",
        ],
        other => panic!("{}: action {other}", row.id),
    };
    assert!(labels.contains(&heard.label), "{}: {heard:?}", row.id);
    assert_eq!(heard.mode, row.mode);
    // What is refused never reaches the application.
    if !heard.accepted {
        let nothing = timeout(Duration::from_millis(20), listener.accept()).await;
        assert!(nothing.is_err(), "{}: {nothing:?}", row.id);
    }
}

/// The authorities of a row: one for each trust domain that it names.
struct Cas {
    own: TestCa,
    others: Vec<TestCa>,
    /// Of the same names, and trusted by nobody.
    foreign: Vec<TestCa>,
}

impl Cas {
    fn new(row: &Row) -> Self {
        let mut domains = row.trust_domains.clone();
        if let Client::Tls {
            certificate: Certificate::Good(id) | Certificate::Bad { uri_san: id, .. },
            ..
        } = &row.client
        {
            domains.push(domain_of(id).to_owned());
        }
        domains.retain(|domain| domain != "cluster.local");
        domains.dedup();
        Self {
            own: TestCa::new("cluster.local"),
            others: domains.iter().map(|domain| TestCa::new(domain)).collect(),
            foreign: domains
                .iter()
                .map(String::as_str)
                .chain(["cluster.local"])
                .map(TestCa::new)
                .collect(),
        }
    }

    fn trusted(&self) -> TrustBundles {
        TrustBundles::new(
            [&self.own]
                .into_iter()
                .chain(&self.others)
                .map(TestCa::bundle),
        )
    }

    fn issue(&self, id: &str, trusted: bool) -> X509Svid {
        let mut cas: Box<dyn Iterator<Item = &TestCa>> = if trusted {
            Box::new([&self.own].into_iter().chain(&self.others))
        } else {
            Box::new(self.foreign.iter())
        };
        let ca = cas
            .find(|ca| ca.trust_domain().as_str() == domain_of(id))
            .unwrap();
        ca.svid(id)
    }
}

fn domain_of(id: &str) -> &str {
    id.strip_prefix("spiffe://")
        .unwrap()
        .split('/')
        .next()
        .unwrap()
}

fn accepted(row: &Row) -> AcceptedDomains {
    if row.trust_domains.is_empty() {
        return AcceptedDomains::Any;
    }
    row.trust_domains
        .iter()
        .map(|domain| domain.parse().unwrap())
        .collect()
}

async fn connect(acceptor: Acceptor) -> (Listener, TcpStream) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    (Listener::spawn(acceptor, socket), TcpStream::connect(address).await.unwrap())
}

fn hello<'a>(row: &'a Row, cas: &Cas) -> Hello<'a> {
    let Client::Tls { alpn, certificate, .. } = &row.client else { panic!("{}: no TLS", row.id) };
    let alpn: Vec<&str> = alpn.iter().map(String::as_str).collect();
    let alpn: &[&str] = alpn.leak();
    match certificate {
        Certificate::None => anonymous(alpn),
        Certificate::Good(id) => with_svid(&cas.issue(id, true), alpn),
        Certificate::Bad { valid_now: false, .. } => {
            let expired = cas.own.hostile(Defect::Expired);
            Hello {
                certificate: Some((expired.chain().to_vec(), expired.private_key())),
                ..anonymous(alpn)
            }
        }
        Certificate::Bad { uri_san, trusted, valid_now: true } => {
            with_svid(&cas.issue(uri_san, *trusted), alpn)
        }
    }
}

/// Plays a client that is refused.
async fn opening(profile: &TlsProfile, row: &Row, cas: &Cas, mut client: TcpStream) -> Saw {
    match &row.client {
        Client::Silent => panic!("{}: silence is not refused here", row.id),
        Client::Plaintext(first) => {
            client.write_all(first.bytes()).await.unwrap();
            ending(&mut client).await
        }
        Client::MalformedHello => {
            client
                .write_all(&[0x16, 0x03, 0x01, 0x00, 0x05, 0x02, 0, 0, 0, 0])
                .await
                .unwrap();
            ending(&mut client).await
        }
        Client::Tls { .. } => {
            TlsClient::new(profile, client, hello(row, cas))
                .ending()
                .await
        }
    }
}

fn plaintext(row: &Row) -> &'static [u8] {
    match &row.client {
        Client::Plaintext(first) => first.bytes(),
        Client::Silent | Client::MalformedHello | Client::Tls { .. } => FirstText::Other.bytes(),
    }
}

fn inside(row: &Row) -> &'static [u8] {
    match &row.client {
        Client::Tls { inside, .. } => inside.bytes(),
        Client::Silent | Client::MalformedHello | Client::Plaintext(_) => {
            panic!("{}: no TLS", row.id)
        }
    }
}

async fn read(io: &mut (impl tokio::io::AsyncRead + Unpin), len: usize) -> Vec<u8> {
    let mut text = vec![0; len];
    io.read_exact(&mut text).await.unwrap();
    text
}
