//! What hostile clients do to a running httpbin, and that it serves the next honest ones at once all the same.
//!
//! The first test needs about 1,100 file descriptors here and as many in httpbin: it raises the soft limit, which is often 1,024.

#![cfg(unix)]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

mod httpbin;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use meshtls::rustls::TlsProfile;
use meshtls::rustls::rustls::pki_types::ServerName;
use meshtls::rustls::rustls::version::{TLS12, TLS13};
use meshtls::rustls::rustls::{ClientConfig, ClientConnection, SupportedProtocolVersion};
use meshtls_testkit::RawClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use crate::httpbin::Httpbin;

type Versions = &'static [&'static SupportedProtocolVersion];
const TLS_1_3: Versions = &[&TLS13];
const TLS_1_2: Versions = &[&TLS12];

const SOCKETS: &str = "a socket: is `ulimit -n` too low?";

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_connections_that_say_nothing() {
    let limit = rlimit::increase_nofile_limit(2_048).unwrap();
    assert!(limit >= 1_200, "the hard limit of file descriptors is {limit}: raise it");
    let mut httpbin = Httpbin::start(None).await;
    let mut silent = Vec::new();
    for _ in 0..1_000 {
        silent.push(httpbin.connect().await.expect(SOCKETS));
    }
    httpbin.serves_honest_clients("1,000 say nothing").await;
    drop(silent);
    httpbin.gives_its_descriptors_back().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hellos_of_one_byte_per_second() {
    let mut httpbin = Httpbin::start(None).await;
    let hello = first_flight(&client(&httpbin, TLS_1_3));
    let mut slow = JoinSet::new();
    for _ in 0..32 {
        let (mut stream, hello) = (httpbin.connect().await.unwrap(), hello.clone());
        slow.spawn(async move {
            let mut second = interval(Duration::from_secs(1));
            for byte in hello {
                second.tick().await;
                if stream.write_all(&[byte]).await.is_err() {
                    break;
                }
            }
        });
    }
    let mut honest = interval(Duration::from_millis(250));
    for _ in 0..20 {
        honest.tick().await;
        httpbin.serves_honest_clients("hellos trickle in").await;
    }
    assert_eq!(slow.len(), 32);
    assert!(slow.try_join_next().is_none(), "a slow client was given up before its deadline");
    slow.shutdown().await;
    httpbin.gives_its_descriptors_back().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_at_every_byte_of_a_handshake_of_tls_1_3() {
    reset_at_every_byte(TLS_1_3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_at_every_byte_of_a_handshake_of_tls_1_2() {
    reset_at_every_byte(TLS_1_2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_sockets_for_sixty_four_descriptors() {
    let mut httpbin = Httpbin::start(Some(64)).await;
    let hello = first_flight(&client(&httpbin, TLS_1_3));
    let half = hello.len() / 2;
    for (when, says) in [
        ("200 sockets say nothing", &b""[..]),
        ("200 sockets say half a hello", &hello[..half]),
        ("200 sockets say half a request", b"GET /ip HTT"),
    ] {
        let mut connecting = JoinSet::new();
        for _ in 0..200 {
            connecting.spawn(httpbin.connect());
        }
        let mut sockets = Vec::new();
        while let Some(socket) = connecting.join_next().await {
            match socket.unwrap() {
                // The service hangs up on the oldest, some of which do not yet know that they are connected.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
                socket => sockets.push(socket.expect(SOCKETS)),
            }
        }
        for socket in &mut sockets {
            socket.write_all(says).await.ok();
        }
        httpbin.serves_honest_clients(when).await;
        assert!(httpbin.open_descriptors() <= Some(64), "the limit is another one");
        drop(sockets);
        httpbin
            .serves_honest_clients("the 200 sockets are closed")
            .await;
    }
    httpbin.gives_its_descriptors_back().await;
}

/// These get as far as the HTTP server, which gives them up when they say no more: first those that it can hold, then the rest.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_sockets_that_stay_after_their_request() {
    let mut httpbin = Httpbin::start(Some(64)).await;
    let mut sockets = Vec::new();
    for _ in 0..50 {
        for says in [&b"GET /ip HTTP/1.1\r\n"[..], b"GET /ip HTTP/1.1\r\nHost: httpbin\r\n\r\n"] {
            let mut socket = httpbin.connect().await.expect(SOCKETS);
            socket.write_all(says).await.unwrap();
            sockets.push(socket);
        }
    }
    httpbin.gives_its_descriptors_back().await;
    httpbin
        .serves_honest_clients("100 sockets had stayed")
        .await;
    drop(sockets);
}

/// As many of its bytes as the client has sent before it resets the connection: each number from none to all.
async fn reset_at_every_byte(versions: Versions) {
    let mut httpbin = Httpbin::start(None).await;
    let config = client(&httpbin, versions);
    let mut cutting = JoinSet::new();
    let (mut next, mut whole) = (0, None);
    while whole.is_none() || !cutting.is_empty() {
        while whole.is_none() && cutting.len() < IN_PARALLEL {
            let (connecting, config) = (httpbin.connect(), Arc::clone(&config));
            cutting.spawn(async move {
                (next, reset_after(next, connecting.await.unwrap(), config).await)
            });
            next += 1;
        }
        if let Some(cut) = cutting.join_next().await {
            let (at, end) = cut.unwrap();
            match end {
                Cut::Reset => {}
                Cut::HandshakeDone => whole = Some(whole.unwrap_or(at).min(at)),
            }
            if at % 256 == 255 {
                httpbin.serves_honest_clients("handshakes are reset").await;
            }
        }
    }
    // The client's hello, certificate and proof.
    assert!(whole > Some(800), "{whole:?} bytes are no whole handshake");
    httpbin
        .serves_honest_clients("all handshakes were reset")
        .await;
    httpbin.gives_its_descriptors_back().await;
}

const IN_PARALLEL: usize = 16;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cut {
    Reset,
    HandshakeDone,
}

/// Does a handshake, but sends only `limit` bytes of it and then a reset. A handshake that needs no more is reset after it.
async fn reset_after(limit: usize, mut stream: TcpStream, config: Arc<ClientConfig>) -> Cut {
    // The reset comes with the drop.
    stream.set_zero_linger().unwrap();
    let mut tls = connection(config);
    let mut left = limit;
    loop {
        let mut flight = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut flight).unwrap();
        }
        let sent = flight.len().min(left);
        stream.write_all(&flight[..sent]).await.unwrap();
        if sent < flight.len() {
            return Cut::Reset;
        }
        left -= sent;
        if !tls.is_handshaking() {
            return Cut::HandshakeDone;
        }
        let mut answer = Vec::new();
        let read = timeout(httpbin::AT_ONCE, stream.read_buf(&mut answer)).await;
        assert!(read.expect("an answer to a flight").unwrap() > 0, "closed in the handshake");
        let mut answer = &answer[..];
        while !answer.is_empty() {
            tls.read_tls(&mut answer).unwrap();
            tls.process_new_packets().unwrap();
        }
    }
}

/// A member of the mesh, who speaks only these versions.
fn client(httpbin: &Httpbin, versions: Versions) -> Arc<ClientConfig> {
    RawClient::new(Arc::clone(TlsProfile::ring().provider()))
        .with_versions(versions)
        .with_alpn(httpbin::MESH_HTTP)
        .with_svid(&httpbin.client_svid())
        .config()
}

fn connection(config: Arc<ClientConfig>) -> ClientConnection {
    let name = ServerName::try_from("httpbin.foo.svc.cluster.local").unwrap();
    ClientConnection::new(config, name).unwrap()
}

fn first_flight(config: &Arc<ClientConfig>) -> Vec<u8> {
    let mut hello = Vec::new();
    connection(Arc::clone(config))
        .write_tls(&mut hello)
        .unwrap();
    hello
}
