//! The deadlines, to the second, with a clock that jumps.

#![expect(clippy::unwrap_used, reason = "helpers of a test end it by a panic")]

mod common;

use std::time::Duration;

use meshtls_acceptor::{
    AcceptorBuilder, AppProtocol, DetectionTimeout, FirstSpeaker, Inbound, OpeningRefusal,
    PlaintextReason, PortProtocol, Ready, Refusal, UnsniffedReason,
};
use meshtls_policy::MtlsMode::{self, Disable, Permissive, Strict};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::{Instant, sleep},
};

use PortProtocol::{Auto, Http, Tcp};
use common::{
    CLIENT, Server, ca,
    client::{Client, with_svid},
    identity, policy_set, profile, profiles,
};

const SECOND: Duration = Duration::from_secs(1);

type Outcome = (Result<Inbound<DuplexStream>, Refusal>, Duration, Server);

/// What becomes of a client that does what it is told, and after how long.
async fn outcome<F: Future<Output = DuplexStream>>(
    mode: MtlsMode,
    protocol: PortProtocol,
    tune: impl FnOnce(AcceptorBuilder<Ready>) -> AcceptorBuilder<Ready>,
    client: impl FnOnce(DuplexStream) -> F,
) -> Outcome {
    let ca = ca();
    let server = Server::with(&profile(), identity(&ca, ca.bundles()), mode, protocol, tune);
    let (near, far) = duplex(1 << 16);
    let start = Instant::now();
    let accept = async {
        let result = server.acceptor.accept(far, None).await;
        (result, start.elapsed())
    };
    let ((result, elapsed), _near) = tokio::join!(accept, client(near));
    assert_eq!(server.heard.all().len(), 1);
    (result, elapsed, server)
}

async fn silent(io: DuplexStream) -> DuplexStream {
    sleep(100 * SECOND).await;
    io
}

/// One byte a second.
async fn trickle(mut io: DuplexStream, bytes: &[u8]) -> DuplexStream {
    for byte in bytes {
        sleep(SECOND).await;
        if io.write_all(&[*byte]).await.is_err() {
            break;
        }
    }
    silent(io).await
}

#[tokio::test(start_paused = true)]
async fn silence() {
    for (mode, protocol, speaker, want) in [
        (Permissive, Tcp, FirstSpeaker::Client, None),
        (Permissive, Auto, FirstSpeaker::Client, None),
        (Permissive, Http, FirstSpeaker::Client, None),
        (Disable, Auto, FirstSpeaker::Client, None),
        (Strict, Tcp, FirstSpeaker::Client, None),
        // Under STRICT the client begins, with TLS.
        (Strict, Tcp, FirstSpeaker::Server, None),
        (Permissive, Tcp, FirstSpeaker::Server, Some(UnsniffedReason::ServerFirst)),
        (Permissive, Auto, FirstSpeaker::Server, Some(UnsniffedReason::ServerFirst)),
        (Disable, Auto, FirstSpeaker::Server, Some(UnsniffedReason::ServerFirst)),
    ] {
        let name = format!("{mode} {protocol:?} {speaker:?}");
        let (result, elapsed, server) =
            outcome(mode, protocol, |builder| builder.first_speaker(speaker), silent).await;
        match (result, want) {
            (Ok(Inbound::Unsniffed(seen)), Some(want)) => {
                assert_eq!(seen.reason, want, "{name}");
                assert_eq!(seen.connection.app_protocol(), AppProtocol::Tcp, "{name}");
                assert!(seen.stream.pending().is_empty(), "{name}");
            }
            (Err(Refusal::Opening(OpeningRefusal::Silent)), None) => {}
            (other, _) => panic!("{name}: {other:?}"),
        }
        assert_eq!(elapsed.as_secs(), 10, "{name}");
        assert_eq!(server.heard.only().detection.as_secs(), 10, "{name}");
    }
}

/// DISABLE `tcp` reads nothing, so the server can speak first at once.
#[tokio::test(start_paused = true)]
async fn a_port_that_reads_nothing_does_not_wait() {
    let (result, elapsed, _) = outcome(Disable, Tcp, |builder| builder, silent).await;
    let Ok(Inbound::Unsniffed(seen)) = result else { panic!("{result:?}") };
    assert_eq!(seen.reason, UnsniffedReason::Disabled);
    assert_eq!(elapsed, Duration::ZERO);
}

/// A client that half-closed is as silent as it will ever be.
#[tokio::test(start_paused = true)]
async fn an_end_of_stream_on_a_server_first_port() {
    let server_first =
        |builder: AcceptorBuilder<Ready>| builder.first_speaker(FirstSpeaker::Server);
    let half_close = async |mut io: DuplexStream| {
        io.shutdown().await.unwrap();
        silent(io).await
    };
    let (result, elapsed, _) = outcome(Permissive, Tcp, server_first, half_close).await;
    assert!(matches!(result, Ok(Inbound::Unsniffed(_))), "{result:?}");
    assert_eq!(elapsed, Duration::ZERO);

    let (result, _, _) = outcome(Strict, Tcp, server_first, half_close).await;
    assert!(matches!(result, Err(Refusal::Opening(OpeningRefusal::Closed))), "{result:?}");
}

/// The deadline is absolute: bytes that trickle in do not put it off.
#[tokio::test(start_paused = true)]
async fn a_slow_hello() {
    for mode in [Disable, Permissive, Strict] {
        let (result, elapsed, _) = outcome(
            mode,
            Auto,
            |builder| builder,
            |io| trickle(io, &[0x16, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3, 0, 0]),
        )
        .await;
        assert!(
            matches!(result, Err(Refusal::Opening(OpeningRefusal::IncompleteHello))),
            "{mode}: {result:?}"
        );
        assert_eq!(elapsed.as_secs(), 10, "{mode}");
    }
}

/// Plaintext that is still undecided at the deadline or at its end is no HTTP, unless the port says so.
#[tokio::test(start_paused = true)]
async fn slow_plaintext() {
    for (mode, protocol, text, seconds, want) in [
        (Permissive, Auto, "GET / HTTP/1.1\r\n\r\n", 10, AppProtocol::Tcp),
        (Disable, Auto, "GET / HTTP/1.1\r\n\r\n", 10, AppProtocol::Tcp),
        (Permissive, Auto, "PRI * HTTP/2", 10, AppProtocol::Tcp),
        (Permissive, Http, "PRI * HTTP/2.0\r\n\r\n", 10, AppProtocol::Http1),
        (Permissive, Http, "GET /", 1, AppProtocol::Http1),
        (Permissive, Http, "POST /", 2, AppProtocol::Http1),
        (Permissive, Auto, "SSH-2.0\r\n", 8, AppProtocol::Tcp),
        (Permissive, Tcp, "GET /", 1, AppProtocol::Tcp),
    ] {
        let name = format!("{mode} {protocol:?} {text:?}");
        let (result, elapsed, _) =
            outcome(mode, protocol, |builder| builder, |io| trickle(io, text.as_bytes())).await;
        let Ok(Inbound::Plaintext(seen)) = result else { panic!("{name}: {result:?}") };
        assert_eq!(seen.connection.app_protocol(), want, "{name}");
        let why =
            if mode == Disable { PlaintextReason::Disabled } else { PlaintextReason::Permissive };
        assert_eq!(seen.reason, why, "{name}");
        assert_eq!(elapsed.as_secs(), seconds, "{name}");
        assert!(text.as_bytes().starts_with(seen.stream.pending()), "{name}");
        assert!(!seen.stream.pending().is_empty(), "{name}");
    }

    let half_a_line = async |mut io: DuplexStream| {
        io.write_all(b"GET / HT").await.unwrap();
        io.shutdown().await.unwrap();
        io
    };
    for (protocol, want) in [(Auto, AppProtocol::Tcp), (Http, AppProtocol::Http1)] {
        let (result, elapsed, _) =
            outcome(Permissive, protocol, |builder| builder, half_a_line).await;
        let mut inbound = result.unwrap();
        assert_eq!(inbound.connection().app_protocol(), want);
        assert_eq!(elapsed, Duration::ZERO);
        let mut text = Vec::new();
        let Inbound::Plaintext(seen) = &mut inbound else { panic!("{inbound:?}") };
        seen.stream.read_to_end(&mut text).await.unwrap();
        assert_eq!(text, b"GET / HT");
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_for_ever_must_be_asked_for() {
    let late = async |mut io: DuplexStream| {
        sleep(24 * 3600 * SECOND).await;
        io.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        io
    };
    let for_ever =
        |builder: AcceptorBuilder<Ready>| builder.detection_timeout(DetectionTimeout::WaitForEver);
    let (result, elapsed, _) = outcome(Permissive, Auto, for_ever, late).await;
    assert!(matches!(result, Ok(Inbound::Plaintext(_))), "{result:?}");
    assert_eq!(elapsed.as_secs(), 24 * 3600);

    let zero = |builder: AcceptorBuilder<Ready>| {
        builder.detection_timeout(DetectionTimeout::from_mesh_config(Duration::ZERO))
    };
    let (result, elapsed, _) = outcome(Permissive, Auto, zero, silent).await;
    assert!(matches!(result, Err(Refusal::Opening(OpeningRefusal::Silent))), "{result:?}");
    assert_eq!(elapsed.as_secs(), 10);
}

/// Lets the other end be as slow as it likes.
struct Pipe {
    client: DuplexStream,
    server: DuplexStream,
}

impl Pipe {
    /// Passes `bytes` from the client on to the server, one after the other, within `time`.
    async fn upstream(&mut self, bytes: usize, time: Duration) {
        let mut piece = vec![0; bytes];
        self.client.read_exact(&mut piece).await.unwrap();
        let pause = time / u32::try_from(bytes).unwrap();
        for byte in piece {
            sleep(pause).await;
            if self.server.write_all(&[byte]).await.is_err() {
                return;
            }
        }
    }

    /// Passes everything on, both ways.
    async fn rest(mut self) {
        tokio::io::copy_bidirectional(&mut self.client, &mut self.server)
            .await
            .ok();
    }
}

/// The handshake has a deadline of its own, which begins with the whole hello.
#[tokio::test(start_paused = true)]
async fn a_slow_handshake() {
    let ca = ca();
    let svid = ca.svid(CLIENT);
    for (provider, profile) in profiles() {
        // How long the hello takes, how long the client's second flight takes, and whether that is fast enough.
        for (hello, flight, accepted) in
            [(0, 0, true), (9, 9, true), (9, 11, false), (0, 11, false)]
        {
            let server = Server::new_with_profile(&profile, &ca, Strict, Tcp);
            let (near, client_end) = duplex(1 << 16);
            let (server_end, far) = duplex(1 << 16);
            let mut pipe = Pipe { client: client_end, server: server_end };
            let mut client = Client::new(&profile, near, with_svid(&svid, &["istio"]));
            let start = Instant::now();
            let accept = async {
                let result = server.acceptor.accept(far, None).await;
                (result, start.elapsed())
            };
            let relay = async {
                let hello_len = {
                    let mut header = [0; 5];
                    pipe.client.read_exact(&mut header).await.unwrap();
                    pipe.server.write_all(&header).await.unwrap();
                    usize::from(u16::from_be_bytes([header[3], header[4]]))
                };
                pipe.upstream(hello_len, hello * SECOND).await;
                let mut flight_of_ours = vec![0; 1 << 16];
                let n = pipe.server.read(&mut flight_of_ours).await.unwrap();
                pipe.client.write_all(&flight_of_ours[..n]).await.unwrap();
                pipe.upstream(500, flight * SECOND).await;
                pipe.rest().await;
            };
            let play = async {
                client.handshake().await.ok();
                client.receive(1).await.ok();
            };
            let name = format!("hello {hello} s, flight {flight} s with {provider}");
            let (result, elapsed) = tokio::select! {
                result = accept => result,
                _ = async { tokio::join!(relay, play) } => panic!("{name}: the client ended first"),
            };
            match (&result, accepted) {
                (Ok(Inbound::Mesh(_)), true) => {}
                (Err(Refusal::HandshakeTimeout), false) => {
                    assert!(
                        (elapsed.as_secs_f64() - f64::from(hello + 10)).abs() < 0.5,
                        "{name}: {elapsed:?}"
                    );
                    let handshake = server.heard.only().handshake.unwrap();
                    assert_eq!(handshake.as_secs(), 10, "{name}");
                }
                (other, _) => panic!("{name}: {other:?}"),
            }
            assert_eq!(server.heard.all().len(), 1, "{name}");
        }
    }
}

/// Where only the decrypted bytes say which HTTP it is, they are waited for as long as the first bytes were.
#[tokio::test(start_paused = true)]
async fn a_late_first_request() {
    let ca = ca();
    let svid = ca.svid(CLIENT);
    for (provider, profile) in profiles() {
        for (wait, text, want, seconds) in [
            (3, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", AppProtocol::Http2, 3),
            (3, "GET / HTTP/1.1\r\n\r\n", AppProtocol::Http1, 3),
            (11, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", AppProtocol::Http1, 10),
        ] {
            let name = format!("after {wait} s {text:?} with {provider}");
            let server = Server::new_with_profile(&profile, &ca, Strict, Http);
            let (near, far) = duplex(1 << 16);
            let mut client = Client::new(&profile, near, with_svid(&svid, &["istio"]));
            let start = Instant::now();
            let accept = async {
                let inbound = server.acceptor.accept(far, None).await.unwrap();
                (inbound, start.elapsed())
            };
            let ((inbound, elapsed), ()) = tokio::join!(accept, async {
                client.handshake().await.unwrap();
                sleep(wait * SECOND).await;
                client.send(text.as_bytes()).await.unwrap();
            });
            assert_eq!(inbound.connection().app_protocol(), want, "{name}");
            assert_eq!(elapsed.as_secs(), seconds, "{name}");
            let mut seen = vec![0; text.len()];
            inbound.into_stream().read_exact(&mut seen).await.unwrap();
            assert_eq!(seen, text.as_bytes());
            // The wait for the request is not part of the handshake.
            assert_eq!(server.heard.only().handshake.unwrap().as_secs(), 0);
        }
    }
}

/// A client that is refused by an alert and does not close is not waited for.
#[tokio::test(start_paused = true)]
async fn a_refused_client_that_lingers() {
    let ca = ca();
    for (provider, profile) in profiles() {
        let server = Server::new_with_profile(&profile, &ca, Strict, Tcp);
        let (near, far) = duplex(1 << 16);
        let mut client = Client::new(&profile, near, common::client::anonymous(&["istio"]));
        let start = Instant::now();
        let (result, _) = tokio::join!(server.acceptor.accept(far, None), client.handshake());
        assert!(matches!(result, Err(Refusal::Handshake(_))), "{provider}: {result:?}");
        assert_eq!(start.elapsed().as_secs(), 2, "{provider}");
        assert_eq!(server.heard.all().len(), 1, "{provider}");
        drop(client);
    }
}

/// The policies that count are those in force when the first bytes come.
#[tokio::test(start_paused = true)]
async fn a_policy_that_changes_during_detection() {
    let ca = ca();
    for (before, after, text, label) in [
        (Permissive, Strict, &b"GET / HTTP/1.1\r\n\r\n"[..], "plaintext_under_strict"),
        (Strict, Permissive, b"GET / HTTP/1.1\r\n\r\n", "plaintext"),
        (Permissive, Disable, &[0x15, 3, 1, 0, 2, 2, 40], "foreign_tls"),
        (Permissive, Strict, b"", "silent"),
    ] {
        let server = Server::new(&ca, before, Auto);
        let (mut near, far) = duplex(1 << 16);
        let (result, ()) = tokio::join!(server.acceptor.accept(far, None), async {
            sleep(SECOND).await;
            server.policies.replace(policy_set(after));
            if text.is_empty() {
                return;
            }
            near.write_all(text).await.unwrap();
        });
        let heard = server.heard.only();
        assert_eq!((heard.label, heard.mode), (label, after), "{before} to {after}: {result:?}");
        if let Ok(inbound) = result {
            assert_eq!(inbound.connection().mode(), after);
        }
    }
}
