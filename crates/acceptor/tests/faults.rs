//! Connections that break off, come in pieces, or make no sense: nothing is let in that should not be, nothing is lost, and
//! there is always exactly one event.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of a test end it by a panic")]

mod common;

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use meshtls_acceptor::{
    AppProtocol, Inbound, OpeningRefusal, PortProtocol, Refusal, Stage, Transport,
};
use meshtls_policy::MtlsMode::{self, Disable, Permissive, Strict};
use meshtls_rustls::HandshakeError;
use meshtls_testkit::{Ending, Faults, FaultyStream};
use meshtls_wire::{Opening, Sniff, sniff};
use proptest::prelude::*;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
    time::timeout,
};

use PortProtocol::{Auto, Http, Tcp};
use common::{
    CLIENT, Server, ca,
    client::{Client, with_svid},
    profiles,
};

/// A transport with faults.
#[derive(Debug)]
struct Faulty(FaultyStream<DuplexStream>);

impl AsyncRead for Faulty {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Faulty {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl Transport for Faulty {
    fn abort(self) {}
}

/// The client's stream ends at every byte of its handshake.
#[tokio::test(start_paused = true)]
async fn an_end_at_every_byte_of_a_handshake() {
    break_off_everywhere(Ending::Closed, |refusal| match refusal {
        Refusal::Opening(OpeningRefusal::Closed) => Some("closed"),
        Refusal::Opening(OpeningRefusal::IncompleteHello) => Some("incomplete_hello"),
        Refusal::Handshake(HandshakeError::Io(error))
            if error.kind() == io::ErrorKind::UnexpectedEof =>
        {
            Some("closed_in_handshake")
        }
        _ => None,
    })
    .await;
}

/// The client's stream is reset at every byte of its handshake.
#[tokio::test(start_paused = true)]
async fn a_reset_at_every_byte_of_a_handshake() {
    break_off_everywhere(Ending::Reset, |refusal| match refusal {
        Refusal::Lost { stage: Stage::Detection, .. } => Some("connection_lost"),
        Refusal::Handshake(HandshakeError::Io(error))
            if error.kind() == io::ErrorKind::ConnectionReset =>
        {
            Some("transport")
        }
        _ => None,
    })
    .await;
}

/// `expected` knows the refusals there may be, and their labels.
async fn break_off_everywhere(end: Ending, expected: fn(&Refusal) -> Option<&'static str>) {
    let ca = ca();
    let svid = ca.svid(CLIENT);
    for (provider, profile) in profiles() {
        let play = async |server: &Server, reading| {
            let (near, far) = duplex(1 << 16);
            let far = Faulty(FaultyStream::new(far, reading, Faults::default()));
            let mut client = Client::new(&profile, near, with_svid(&svid, &["istio"]));
            tokio::join!(server.acceptor.accept(far, None), async move {
                client.handshake().await.ok();
                client.sent.len()
            })
        };

        let server = Server::new_with_profile(&profile, &ca, Permissive, Tcp);
        let (result, len) = play(&server, Faults::default()).await;
        assert!(matches!(result, Ok(Inbound::Mesh(_))), "{provider}: {result:?}");

        let server = Server::new_with_profile(&profile, &ca, Permissive, Tcp);
        for at in 0..len {
            let name = format!("after {at} of {len} bytes with {provider}");
            let faults = Faults::ending(u64::try_from(at).unwrap(), end);
            let (result, sent) = play(&server, faults).await;
            match result {
                Err(refusal) => {
                    assert_eq!(Some(refusal.reason()), expected(&refusal), "{name}: {refusal:?}");
                }
                // The length of an ECDSA signature varies: this handshake was shorter than the first, and whole.
                Ok(inbound) => assert!(sent <= at, "{name}: {sent} were sent, {inbound:?}"),
            }
            assert_eq!(server.heard.all().len(), at + 1, "{name}");
        }
    }
}

/// However the client's bytes are cut, the handshake succeeds.
#[tokio::test(start_paused = true)]
async fn pieces_of_every_small_size() {
    let ca = ca();
    let svid = ca.svid(CLIENT);
    for (provider, profile) in profiles() {
        for (size, delay) in [
            (1, Duration::ZERO),
            (1, Duration::from_micros(1)),
            (2, Duration::ZERO),
            (5, Duration::ZERO),
        ] {
            let server = Server::new_with_profile(&profile, &ca, Strict, Http);
            let (near, far) = duplex(1 << 16);
            let reading = Faults::chunks(size).with_delay(delay);
            let far = Faulty(FaultyStream::new(far, reading, Faults::chunks(size)));
            let mut client = Client::new(&profile, near, with_svid(&svid, &["istio-http/1.1"]));
            let (inbound, _client) = tokio::join!(server.acceptor.accept(far, None), async move {
                client.handshake().await.unwrap();
                client.send(b"GET /pieces HTTP/1.1\r\n\r\n").await.unwrap();
                client
            });
            let inbound = inbound.unwrap();
            assert_eq!(inbound.connection().app_protocol(), AppProtocol::Http1);
            let mut text = [0; 24];
            inbound.into_stream().read_exact(&mut text).await.unwrap();
            assert_eq!(&text, b"GET /pieces HTTP/1.1\r\n\r\n", "pieces of {size} with {provider}");
        }
    }
}

/// The server's writes fail at every 16th byte of its own flight.
#[tokio::test(start_paused = true)]
async fn an_end_of_the_other_direction() {
    let ca = ca();
    let svid = ca.svid(CLIENT);
    for (provider, profile) in profiles() {
        let server = Server::new_with_profile(&profile, &ca, Strict, Tcp);
        let mut expected = 0;
        for at in (0..600).step_by(16) {
            let (near, far) = duplex(1 << 16);
            let far = Faulty(FaultyStream::new(
                far,
                Faults::default(),
                Faults::ending(at, Ending::Reset),
            ));
            let mut client = Client::new(&profile, near, with_svid(&svid, &["istio"]));
            let (result, _) =
                tokio::join!(
                    server.acceptor.accept(far, None),
                    async move { client.handshake().await }
                );
            let refusal = result.unwrap_err();
            let name = format!("after {at} bytes with {provider}: {refusal:?}");
            assert!(matches!(refusal, Refusal::Handshake(HandshakeError::Io(_))), "{name}");
            assert_eq!(refusal.reason(), "transport", "{name}");
            expected += 1;
            assert_eq!(server.heard.all().len(), expected);
        }
    }
}

/// Any bytes at all, in any pieces: what arbitrary clients can do to detection.
fn check(mode: MtlsMode, protocol: PortProtocol, bytes: &[u8], piece: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let ca = ca();
        let server = Server::new(&ca, mode, protocol);
        let (mut near, far) = duplex(1 << 16);
        let far = Faulty(FaultyStream::new(far, Faults::chunks(piece), Faults::default()));
        near.write_all(bytes).await.unwrap();
        near.shutdown().await.unwrap();
        let result = timeout(Duration::from_secs(60), server.acceptor.accept(far, None))
            .await
            .unwrap();
        let heard = server.heard.only();
        let class = sniff(bytes);
        match result {
            Ok(inbound) => {
                assert!(heard.accepted);
                assert_eq!(inbound.kind(), heard.label);
                assert_ne!(mode, Strict, "STRICT let in {inbound:?}");
                match &inbound {
                    Inbound::Mesh(_) | Inbound::Ingress(_) => panic!("nobody proved who they are"),
                    Inbound::Plaintext(_) => {
                        let tls = matches!(
                            class,
                            Sniff::Is(Opening::ClientHello(_) | Opening::TlsLike)
                                | Sniff::Unacceptable(_)
                        );
                        assert!(!tls, "{class:?} as plaintext");
                    }
                    Inbound::ForeignTls(_) => assert_ne!(protocol, Http),
                    Inbound::Unsniffed(_) => assert_eq!((mode, protocol), (Disable, Tcp)),
                }
                let mut seen = Vec::new();
                inbound.into_stream().read_to_end(&mut seen).await.unwrap();
                assert_eq!(seen, bytes, "not a byte is lost");
            }
            Err(refusal) => {
                assert!(!heard.accepted);
                assert_eq!(heard.label, refusal.reason());
            }
        }
    });
}

fn modes() -> impl Strategy<Value = MtlsMode> {
    prop_oneof![Just(Disable), Just(Permissive), Just(Strict)]
}

fn protocols() -> impl Strategy<Value = PortProtocol> {
    prop_oneof![Just(Http), Just(Tcp), Just(Auto)]
}

/// Arbitrary bytes, and bytes that begin like something.
fn openings() -> impl Strategy<Value = Vec<u8>> {
    let beginning = prop_oneof![
        Just(vec![]),
        Just(vec![0x16, 3, 1]),
        Just(vec![0x16, 3, 1, 0, 60, 1, 0, 0, 56, 3, 3]),
        Just(vec![0x15, 3]),
        Just(vec![0x80, 0x20, 1]),
        Just(b"GET / HTTP/1.".to_vec()),
        Just(b"PRI * HTTP/2.0\r\n\r\nSM".to_vec()),
    ];
    (beginning, prop::collection::vec(any::<u8>(), 0..200))
        .prop_map(|(beginning, rest)| [beginning, rest].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn arbitrary_bytes(mode in modes(), protocol in protocols(), bytes in openings(), piece in 1_usize..64) {
        check(mode, protocol, &bytes, piece);
    }
}
