//! Every refusal, provoked alone over a real socket: its variant, its label, what the client saw, and exactly one event.

#![expect(clippy::unwrap_used, reason = "helpers of a test end it by a panic")]

mod common;

use std::{mem::discriminant, sync::Arc, time::Duration};

use meshtls_acceptor::{
    AcceptorBuilder, BuildError, DetectionTimeout, FirstSpeaker, Inbound, Listener, OpeningRefusal,
    PortProtocol, Ready, Refusal, Stage,
};
use meshtls_policy::MtlsMode::{self, Disable, Permissive, Strict};
use meshtls_policy::{MeshSettings, PolicySet, Resources};
use meshtls_rustls::{HandshakeError, TlsProfile, rustls::AlertDescription};
use meshtls_svid::{SvidHandle, SvidSnapshot, SvidSource, SvidUnavailable, X509Svid};
use meshtls_testkit::{Defect, TestCa};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use PortProtocol::{Auto, Http, Tcp};
use common::{
    CLIENT, INGRESS_TLS, Server, ca,
    client::{Client, Hello, Saw, Version, anonymous, ending, saw, with_svid},
    identity, mode, policies, profile, profiles,
    refused::{last_of, play, refused},
    tcp_pair,
};

/// Sends `bytes` and waits for the end.
async fn send(mut io: TcpStream, bytes: &[u8]) -> Saw {
    io.write_all(bytes).await.unwrap();
    ending(&mut io).await
}

const NOTHING: &[u8] = &[];
const SOON: Duration = Duration::from_millis(50);

fn soon(builder: AcceptorBuilder<Ready>) -> AcceptorBuilder<Ready> {
    builder.detection_timeout(DetectionTimeout::After(SOON))
}

/// A `ClientHello` as rustls writes it.
async fn hello(profile: &TlsProfile, alpn: &[&str]) -> Vec<u8> {
    let (near, _far) = tokio::io::duplex(1 << 16);
    let mut client = Client::new(profile, near, anonymous(alpn));
    timeout(Duration::from_millis(1), client.handshake())
        .await
        .unwrap_err();
    client.sent
}

#[tokio::test]
async fn where_a_sidecar_ends_tls_nothing_is_let_in() {
    let mesh_name = hello(&profile(), &["istio"]).await;
    for protocol in [Http, Tcp, Auto] {
        for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &mesh_name] {
            let server = Server::new(&ca(), Disable, protocol);
            server
                .policies
                .replace(policies(&(mode(Disable) + INGRESS_TLS)));
            // A `tcp` port under DISABLE is decided, and so reset, before the client sends.
            let (refusal, end) =
                play(&server, async |mut io: TcpStream| match io.write_all(bytes).await {
                    Ok(()) => ending(&mut io).await,
                    Err(error) => saw(&error),
                })
                .await;
            let case = format!("{protocol:?}, {} bytes", bytes.len());
            assert!(
                matches!(refusal, Refusal::Opening(OpeningRefusal::IngressTls)),
                "{case}: {refusal:?}"
            );
            assert_eq!(refusal.reason(), "ingress_tls_unavailable");
            assert_eq!(end, Saw::Reset, "{case}");
        }
    }
}

/// STRICT in place of DISABLE must not let members of the mesh in.
#[tokio::test]
async fn where_a_sidecar_ends_tls_tightened_policies_let_nothing_in_either() {
    let mesh_name = hello(&profile(), &["istio"]).await;
    for (bytes, want) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "plaintext_under_strict"),
        (&mesh_name, "ingress_tls_unavailable"),
    ] {
        let server = Server::new(&ca(), Disable, Auto);
        let tightened = policies(&(mode(Disable) + INGRESS_TLS)).tightened();
        server.policies.replace(tightened);
        let (mut near, far) = tcp_pair().await;
        let (result, end) = tokio::join!(server.acceptor.accept(far, None), async {
            near.write_all(bytes).await.unwrap();
            ending(&mut near).await
        });
        assert_eq!((result.unwrap_err().reason(), end), (want, Saw::Reset));
        let heard = server.heard.only();
        assert_eq!(heard.label, want);
        assert_eq!(heard.winner, "no policy: the policies are tightened to STRICT");
    }
}

#[tokio::test]
async fn a_block_without_effect_refuses_nothing() {
    let text = mode(Permissive) + INGRESS_TLS;
    let turned_off = {
        let resources = Resources::parse("test", &(mode(Disable) + INGRESS_TLS)).unwrap();
        let settings = MeshSettings::default().with_sidecar_ingress_tls(false);
        PolicySet::compile(settings, &resources)
    };
    for (name, set) in [("PERMISSIVE", policies(&text)), ("turned off", turned_off)] {
        let server = Server::new(&ca(), Disable, Auto);
        server.policies.replace(set);
        let (near, far) = tcp_pair().await;
        let peer_addr = far.peer_addr().unwrap();
        let (inbound, _saw) =
            tokio::join!(async { server.acceptor.accept(far, peer_addr).await.unwrap() }, async {
                let mut near = near;
                near.write_all(b"GET / HTTP/1.1\r\n\r\n").await
            });
        assert!(matches!(inbound, Inbound::Plaintext(_)), "{name}: {inbound:?}");
    }
}

#[tokio::test]
async fn what_the_first_bytes_can_do_wrong() {
    let no_mesh_name = hello(&profile(), &["h2"]).await;
    let mesh_name = hello(&profile(), &["istio"]).await;
    let mut ssl3 = mesh_name.clone();
    // Record header (5), handshake header (4), then client_version.
    ssl3[9..11].copy_from_slice(&[3, 0]);
    let half = &mesh_name[..mesh_name.len() / 2];
    let too_large = [0x16, 3, 1, 0x3f, 0xff, 1, 0, 0x80, 0];
    let ssl2 = [0x80, 0x2e, 1, 0, 2];

    type Row<'a> = (&'a str, MtlsMode, PortProtocol, &'a [u8], OpeningRefusal, &'a str);
    let refusals: [Row<'_>; 24] = [
        (
            "HTTP/1",
            Strict,
            Http,
            b"GET / HTTP/1.1\r\n\r\n",
            OpeningRefusal::Plaintext,
            "plaintext_under_strict",
        ),
        ("one letter", Strict, Auto, b"G", OpeningRefusal::Plaintext, "plaintext_under_strict"),
        (
            "HTTP/2",
            Strict,
            Auto,
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            OpeningRefusal::Plaintext,
            "plaintext_under_strict",
        ),
        (
            "a PROXY header",
            Strict,
            Tcp,
            b"PROXY TCP4 1.2.3.4",
            OpeningRefusal::Plaintext,
            "plaintext_under_strict",
        ),
        (
            "record type 22 of version 4",
            Strict,
            Tcp,
            &[0x16, 4, 0, 0, 0],
            OpeningRefusal::Plaintext,
            "plaintext_under_strict",
        ),
        (
            "an alert first",
            Strict,
            Tcp,
            &[0x15, 3, 1, 0, 2, 2, 40],
            OpeningRefusal::NoClientHello,
            "no_client_hello",
        ),
        (
            "application data first",
            Strict,
            Http,
            &[0x17, 3, 3, 0, 1, 0],
            OpeningRefusal::NoClientHello,
            "no_client_hello",
        ),
        (
            "a handshake message that is no hello",
            Strict,
            Auto,
            &[0x16, 3, 1, 0, 4, 2, 0, 0, 0],
            OpeningRefusal::NoClientHello,
            "no_client_hello",
        ),
        ("an SSLv2 hello", Strict, Auto, &ssl2, OpeningRefusal::NoClientHello, "no_client_hello"),
        (
            "no mesh name",
            Permissive,
            Http,
            &no_mesh_name,
            OpeningRefusal::TlsOnHttpPort,
            "tls_on_http_port",
        ),
        (
            "an alert on HTTP",
            Permissive,
            Http,
            &[0x15, 3, 1, 0, 2, 2, 40],
            OpeningRefusal::TlsOnHttpPort,
            "tls_on_http_port",
        ),
        (
            "a mesh name where TLS is off",
            Disable,
            Http,
            &mesh_name,
            OpeningRefusal::TlsOnHttpPort,
            "tls_on_http_port",
        ),
        (
            "a large hello",
            Strict,
            Auto,
            &too_large,
            OpeningRefusal::HelloTooLarge,
            "hello_too_large",
        ),
        (
            "a large hello",
            Permissive,
            Tcp,
            &too_large,
            OpeningRefusal::HelloTooLarge,
            "hello_too_large",
        ),
        (
            "a large hello",
            Disable,
            Auto,
            &too_large,
            OpeningRefusal::HelloTooLarge,
            "hello_too_large",
        ),
        ("SSL 3.0", Strict, Tcp, &ssl3, OpeningRefusal::HelloSsl3, "hello_ssl3"),
        ("SSL 3.0", Permissive, Auto, &ssl3, OpeningRefusal::HelloSsl3, "hello_ssl3"),
        ("SSL 3.0", Disable, Http, &ssl3, OpeningRefusal::HelloSsl3, "hello_ssl3"),
        ("half a hello", Strict, Auto, half, OpeningRefusal::IncompleteHello, "incomplete_hello"),
        (
            "half a hello",
            Permissive,
            Tcp,
            half,
            OpeningRefusal::IncompleteHello,
            "incomplete_hello",
        ),
        ("half a hello", Disable, Auto, half, OpeningRefusal::IncompleteHello, "incomplete_hello"),
        (
            "one byte of a record",
            Permissive,
            Auto,
            &[0x16],
            OpeningRefusal::IncompleteHello,
            "incomplete_hello",
        ),
        ("silence", Permissive, Tcp, b"", OpeningRefusal::Silent, "silent"),
        ("silence", Strict, Http, b"", OpeningRefusal::Silent, "silent"),
    ];
    let ca = ca();
    for (name, mode, protocol, bytes, want, label) in refusals {
        let server = Server::with(&profile(), identity(&ca, ca.bundles()), mode, protocol, soon);
        let (refusal, saw) = play(&server, |io| send(io, bytes)).await;
        let name = format!("{name}, {mode} {protocol:?}");
        assert!(matches!(refusal, Refusal::Opening(seen) if seen == want), "{name}: {refusal:?}");
        assert_eq!(refusal.reason(), label, "{name}");
        assert_eq!(saw, Saw::Reset, "{name}");
        assert_eq!(server.heard.only().handshake, None, "{name}");
        assert_eq!(server.heard.only().mode, mode, "{name}");
    }
}

/// The client ends its stream, which it may do and go on reading.
#[tokio::test]
async fn an_early_end_of_stream() {
    let hello = hello(&profile(), &["istio"]).await;
    let ca = ca();
    for (name, mode, bytes, want) in [
        ("nothing, then the end", Strict, NOTHING, OpeningRefusal::Closed),
        ("nothing, then the end", Permissive, &[], OpeningRefusal::Closed),
        ("a byte of a record", Permissive, &hello[..1], OpeningRefusal::IncompleteHello),
        ("all but a byte", Permissive, &hello[..hello.len() - 1], OpeningRefusal::IncompleteHello),
        ("all but a byte", Strict, &hello[..hello.len() - 1], OpeningRefusal::IncompleteHello),
        ("all but a byte", Disable, &hello[..hello.len() - 1], OpeningRefusal::IncompleteHello),
    ] {
        let server = Server::new(&ca, mode, Auto);
        let (refusal, saw) = play(&server, async |mut io: TcpStream| {
            io.write_all(bytes).await.unwrap();
            io.shutdown().await.unwrap();
            ending(&mut io).await
        })
        .await;
        assert!(
            matches!(refusal, Refusal::Opening(seen) if seen == want),
            "{name}, {mode}: {refusal:?}"
        );
        assert_eq!(saw, Saw::Reset, "{name}, {mode}");
    }
    assert_eq!(Refusal::from(OpeningRefusal::Closed).reason(), "closed");
}

#[tokio::test]
async fn a_reset_during_detection() {
    let ca = ca();
    for bytes in [NOTHING, &[0x16, 3], b"GE"] {
        let server = Server::new(&ca, Permissive, Auto);
        let (refusal, _) = play(&server, async |mut io: TcpStream| {
            io.write_all(bytes).await.unwrap();
            sleep(SOON).await;
            io.set_zero_linger().unwrap();
            Saw::Closed
        })
        .await;
        assert!(matches!(refusal, Refusal::Lost { stage: Stage::Detection, .. }), "{refusal:?}");
        assert_eq!(refusal.reason(), "connection_lost");
    }
}

#[tokio::test]
async fn a_loss_before_the_first_request() {
    let ca = ca();
    for (provider, profile) in profiles() {
        let server = Server::new_with_profile(&profile, &ca, Strict, Http);
        let svid = ca.svid(CLIENT);
        let (refusal, _) = play(&server, async |io| {
            let mut client = Client::new(&profile, io, with_svid(&svid, &["istio"]));
            client.handshake().await.unwrap();
            // No close_notify.
            client.io.shutdown().await.unwrap();
            client.receive(1).await.unwrap_err()
        })
        .await;
        assert!(
            matches!(refusal, Refusal::Lost { stage: Stage::FirstRequest, .. }),
            "{provider}: {refusal:?}"
        );
        assert_eq!(refusal.reason(), "connection_lost", "{provider}");
        assert!(server.heard.only().handshake.is_some(), "{provider}");
    }
}

#[derive(Debug)]
struct NoIdentity;

impl SvidSource for NoIdentity {
    fn snapshot(&self) -> Result<Arc<SvidSnapshot>, SvidUnavailable> {
        Err(SvidUnavailable::NotYet)
    }
}

#[tokio::test]
async fn no_identity() {
    let ca = ca();
    let hello = hello(&profile(), &["istio"]).await;
    for (mode, plaintext_too) in [(Strict, false), (Permissive, true)] {
        let server = Server::with(&profile(), Arc::new(NoIdentity), mode, Auto, |builder| builder);
        let (refusal, saw) = play(&server, |io| send(io, &hello)).await;
        assert!(matches!(refusal, Refusal::NoIdentity(SvidUnavailable::NotYet)), "{refusal:?}");
        assert_eq!((refusal.reason(), saw), ("no_identity", Saw::Reset));
        if plaintext_too {
            // Plaintext needs no identity of ours.
            let (mut near, far) = tcp_pair().await;
            near.write_all(b"hello, server").await.unwrap();
            assert!(matches!(server.acceptor.accept(far, None).await, Ok(Inbound::Plaintext(_))));
        }
    }
    drop(ca);
}

#[tokio::test]
async fn an_identity_that_cannot_be_used() {
    let ca = ca();
    for (provider, profile) in profiles() {
        let hello = hello(&profile, &["istio"]).await;
        let wrong_key = ca.hostile(Defect::WrongKey);
        let svid = X509Svid::new(wrong_key.chain().to_vec(), wrong_key.private_key()).unwrap();
        let source = Arc::new(SvidHandle::new(svid, ca.bundles()));
        let server = Server::with(&profile, source, Strict, Auto, |builder| builder);
        let (refusal, saw) = play(&server, |io| send(io, &hello)).await;
        assert!(matches!(refusal, Refusal::UnusableIdentity(_)), "{provider}: {refusal:?}");
        assert_eq!((refusal.reason(), saw), ("unusable_identity", Saw::Reset), "{provider}");
    }
}

/// The alerts that a real Envoy sends, for both versions of TLS and under both providers.
#[tokio::test]
async fn a_failed_handshake_sends_its_alert_and_closes_in_order() {
    let (ca, stranger) = (ca(), TestCa::new("cluster.local"));
    let other_domain = TestCa::new("other.example");
    let hostile = |ca: &TestCa, defect| {
        let hostile = ca.hostile(defect);
        (!hostile.chain().is_empty()).then(|| (hostile.chain().to_vec(), hostile.private_key()))
    };
    let of = |svid: &X509Svid| Some((svid.chain().to_vec(), svid.private_key().clone_key()));
    for (provider, profile) in profiles() {
        for (name, certificate, label, alert_in_tls13, alert_in_tls12) in [
            ("no certificate", None, "no_certificate", 116, 40),
            ("unknown CA", of(&stranger.svid(CLIENT)), "untrusted_issuer", 48, 48),
            ("expired", hostile(&ca, Defect::Expired), "expired", 45, 45),
            (
                "other trust domain",
                of(&other_domain.svid("spiffe://other.example/a")),
                "trust_domain_not_accepted",
                46,
                46,
            ),
            ("no URI SAN", hostile(&ca, Defect::NoUri), "uri_san_count", 46, 46),
            ("another's certificate", hostile(&ca, Defect::WrongKey), "not_key_holder", 51, 51),
        ] {
            for (version, alert) in
                [(Version::Tls13, alert_in_tls13), (Version::Tls12, alert_in_tls12)]
            {
                let name = format!("{name}, {version:?} with {provider}");
                let trusted = meshtls_svid::TrustBundles::new([ca.bundle(), other_domain.bundle()]);
                let server =
                    Server::with(&profile, identity(&ca, trusted), Permissive, Auto, |builder| {
                        builder
                    });
                let certificate = certificate
                    .as_ref()
                    .map(|(chain, key)| (chain.clone(), key.clone_key()));
                let (refusal, (saw, then)) = {
                    let (near, far) = tcp_pair().await;
                    let mut client = Client::new(
                        &profile,
                        near,
                        Hello { alpn: &["istio"], certificate, version },
                    );
                    // The client is dropped as soon as it has seen the end.
                    let ending = async move {
                        let saw = client.ending().await;
                        (saw, ending(&mut client.io).await)
                    };
                    tokio::join!(refused(&server, far), ending)
                };
                assert!(matches!(refusal, Refusal::Handshake(_)), "{name}: {refusal:?}");
                assert_eq!(refusal.reason(), label, "{name}: {refusal:?}");
                assert_eq!(saw, Saw::Alert(AlertDescription::from(alert)), "{name}");
                assert_eq!(then, Saw::Closed, "{name}: in order, without a reset");
                assert!(server.heard.only().handshake.is_some(), "{name}");
            }
        }
    }
}

/// The alert arrives even at a client that goes on sending.
#[tokio::test]
async fn an_alert_is_not_lost_to_a_reset() {
    let ca = ca();
    for (provider, profile) in profiles() {
        let server = Server::new_with_profile(&profile, &ca, Strict, Tcp);
        let (near, far) = tcp_pair().await;
        let mut client = Client::new(&profile, near, anonymous(&["istio"]));
        let (refusal, saw) = tokio::join!(refused(&server, far), async move {
            client.handshake().await.unwrap();
            for _ in 0..20 {
                client.send(&[0; 4096]).await.unwrap();
                sleep(Duration::from_millis(1)).await;
            }
            client.receive(1).await.unwrap_err()
        });
        assert!(
            matches!(refusal, Refusal::Handshake(HandshakeError::NoCertificate)),
            "{provider}: {refusal:?}"
        );
        assert_eq!(saw, Saw::Alert(AlertDescription::CertificateRequired), "{provider}");
    }
}

#[tokio::test]
async fn a_client_that_stalls_in_the_handshake() {
    let ca = ca();
    for (provider, profile) in profiles() {
        let hello = hello(&profile, &["istio"]).await;
        let server = Server::with(&profile, identity(&ca, ca.bundles()), Strict, Auto, |builder| {
            builder.handshake_timeout(SOON)
        });
        let (refusal, saw) = play(&server, async |mut io: TcpStream| {
            io.write_all(&hello).await.unwrap();
            sleep(4 * SOON).await;
            last_of(&mut io).await
        })
        .await;
        assert!(matches!(refusal, Refusal::HandshakeTimeout), "{provider}: {refusal:?}");
        assert_eq!((refusal.reason(), saw), ("handshake_timeout", Saw::Reset), "{provider}");
        assert!(server.heard.only().handshake.unwrap() >= SOON, "{provider}");
    }
}

#[tokio::test]
async fn the_oldest_silent_connection_gives_way() {
    let ca = ca();
    let server =
        Server::with(&profile(), identity(&ca, ca.bundles()), Permissive, Auto, |builder| {
            builder.max_pending(1)
        });
    let (mut near, far) = tcp_pair().await;
    let oldest = server.acceptor.clone();
    let oldest = tokio::spawn(async move { oldest.accept(far, None).await.unwrap_err() });
    sleep(SOON).await;
    let (mut second, far) = tcp_pair().await;
    second.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(matches!(server.acceptor.accept(far, None).await, Ok(Inbound::Plaintext(_))));
    let refusal = oldest.await.unwrap();
    assert!(matches!(refusal, Refusal::Overloaded), "{refusal:?}");
    assert_eq!(refusal.reason(), "overloaded");
    assert_eq!(ending(&mut near).await, Saw::Reset);
    let mut labels = server.heard.labels();
    labels.sort_unstable();
    assert_eq!(labels, ["overloaded", "plaintext"]);
}

#[tokio::test]
async fn a_listener_that_shuts_down() {
    let ca = ca();
    let server = Server::new(&ca, Permissive, Auto);
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let mut listener = Listener::spawn(server.acceptor.clone(), socket);
    let mut client = TcpStream::connect(address).await.unwrap();
    sleep(SOON).await;
    listener.shutdown().begin(SOON);
    assert!(listener.accept().await.is_none());
    assert_eq!(ending(&mut client).await, Saw::Reset);
    let heard = server.heard.only();
    assert_eq!(heard.refused, Some(discriminant(&Refusal::ShuttingDown)));
    assert_eq!(heard.label, "shutting_down");
    assert_eq!(Refusal::ShuttingDown.reason(), "shutting_down");
    TcpStream::connect(address).await.unwrap_err();
}

#[tokio::test]
async fn accepting_that_is_cancelled() {
    let ca = ca();
    let server = Server::new(&ca, Permissive, Auto);
    let (mut near, far) = tcp_pair().await;
    timeout(SOON, server.acceptor.accept(far, None))
        .await
        .unwrap_err();
    let heard = server.heard.only();
    assert_eq!(heard.refused, Some(discriminant(&Refusal::Cancelled)));
    assert_eq!(heard.label, "cancelled");
    assert_eq!(Refusal::Cancelled.reason(), "cancelled");
    assert_eq!(ending(&mut near).await, Saw::Closed);
}

#[test]
fn settings_out_of_bounds() {
    let ca = ca();
    let build = |protocol, tune: fn(AcceptorBuilder<Ready>) -> AcceptorBuilder<Ready>, port| {
        let builder = meshtls_acceptor::Acceptor::builder(profile())
            .svid(identity(&ca, ca.bundles()))
            .policy(
                meshtls_policy::PolicyHandle::new(common::policy_set(Strict)),
                common::workload(),
                port,
            )
            .protocol(protocol);
        tune(builder).build().map(drop)
    };
    let hour = Duration::from_secs(3600);
    let detection = |value| Err(BuildError::Timeout { name: "detection", value });
    let handshake = |value| Err(BuildError::Timeout { name: "handshake", value });
    let limit = |name, value, max| Err(BuildError::Limit { name, value, min: 1, max });
    type Tune = fn(AcceptorBuilder<Ready>) -> AcceptorBuilder<Ready>;
    let same: Tune = |builder| builder;
    let cases: [(Tune, Result<(), BuildError>); 12] = [
        (same, Ok(())),
        (
            |b| b.detection_timeout(DetectionTimeout::After(Duration::ZERO)),
            detection(Duration::ZERO),
        ),
        (|b| b.detection_timeout(DetectionTimeout::After(Duration::MAX)), detection(Duration::MAX)),
        (|b| b.detection_timeout(DetectionTimeout::WaitForEver), Ok(())),
        (|b| b.handshake_timeout(Duration::ZERO), handshake(Duration::ZERO)),
        (
            |b| b.handshake_timeout(Duration::from_secs(3601)),
            handshake(hour + Duration::from_secs(1)),
        ),
        (|b| b.handshake_timeout(Duration::from_secs(3600)), Ok(())),
        (|b| b.max_pending(0), limit("pending connections", 0, 1 << 20)),
        (|b| b.max_pending(usize::MAX), limit("pending connections", usize::MAX, 1 << 20)),
        (|b| b.max_handshakes(0), limit("handshakes", 0, 1 << 16)),
        (|b| b.max_handshakes((1 << 16) + 1), limit("handshakes", (1 << 16) + 1, 1 << 16)),
        (|b| b.first_speaker(FirstSpeaker::Server), Ok(())),
    ];
    for (at, (tune, want)) in cases.into_iter().enumerate() {
        assert_eq!(build(Auto, tune, 8080), want, "row {at}");
    }
    assert_eq!(build(Auto, same, 0), Err(BuildError::PortZero));
    assert_eq!(
        build(Http, |b| b.first_speaker(FirstSpeaker::Server), 8080),
        Err(BuildError::ServerFirstHttp)
    );
}
