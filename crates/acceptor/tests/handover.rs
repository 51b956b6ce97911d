//! What the application gets: the right kind, peer, protocol and every byte; and what replaced policies and identities change.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of a test end it by a panic"
)]

mod common;

use std::sync::Arc;

use meshtls_acceptor::{AppProtocol, ForeignTlsReason, Inbound, PortProtocol, Refusal};
use meshtls_identity::AcceptedDomains;
use meshtls_policy::{
    MeshSettings,
    MtlsMode::{Disable, Permissive, Strict},
    PeerAuthentication, PolicySet, Resources,
};
use meshtls_rustls::{HttpSpoken, TlsProfile, rustls};
use meshtls_svid::{SvidHandle, TrustBundles};
use meshtls_testkit::{RawServer, TestCa};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use PortProtocol::{Auto, Http, Tcp};
use common::{
    CLIENT, SERVER, Server, ca,
    client::{Client, Hello, Saw, with_svid},
    identity, policy_set, profiles,
};

const GET: &[u8] = b"GET /ip HTTP/1.1\r\n\r\n";
const NO_NAMES: &[&str] = &[];
const OFFER_H2: &[&str] = &["h2"];
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Does a handshake and sends `text`.
async fn mesh(
    profile: &TlsProfile,
    server: &Server,
    hello: Hello<'_>,
    text: &[u8],
) -> (Result<Inbound<DuplexStream>, Refusal>, Result<Client<DuplexStream>, Saw>) {
    let (near, far) = duplex(1 << 16);
    let mut client = Client::new(profile, near, hello);
    tokio::join!(server.acceptor.accept(far, None), async {
        client.handshake().await?;
        client.send(text).await?;
        Ok(client)
    })
}

/// The answer to the client's offer, and what the application is told.
#[tokio::test]
async fn which_protocol() {
    use AppProtocol::{Http1, Http2};
    let ca = ca();
    let svid = ca.svid(CLIENT);
    let envoy_http1: &[&str] = &["istio-http/1.1", "istio", "http/1.1"];
    let envoy_http2: &[&str] = &["istio-h2", "istio", "h2"];
    let envoy_tcp: &[&str] = &["istio-peer-exchange", "istio"];
    let tcp_first: &[&str] = &["istio", "istio-http/1.1"];
    for (provider, profile) in profiles() {
        for (mode, protocol, spoken, offer, text, answer, want) in [
            (Strict, Http, HttpSpoken::Both, envoy_http1, GET, Some("http/1.1"), Http1),
            (Strict, Http, HttpSpoken::Both, envoy_http2, PREFACE, Some("h2"), Http2),
            (Permissive, Auto, HttpSpoken::Both, envoy_http1, GET, Some("http/1.1"), Http1),
            (Permissive, Auto, HttpSpoken::Both, envoy_http2, PREFACE, Some("h2"), Http2),
            // Without an answer the decrypted bytes say it.
            (Permissive, Http, HttpSpoken::Both, envoy_tcp, GET, None, Http1),
            (Permissive, Http, HttpSpoken::Both, envoy_tcp, PREFACE, None, Http2),
            (Strict, Http, HttpSpoken::Both, &[], PREFACE, None, Http2),
            (Strict, Http, HttpSpoken::Http1, envoy_http2, PREFACE, None, Http2),
            (Strict, Http, HttpSpoken::Neither, envoy_http1, b"SSH-2.0-x\r\n", None, Http1),
            // The answer counts, whatever is said then (RFC 7301): the application's server will object.
            (Strict, Http, HttpSpoken::Both, &["h2"], GET, Some("h2"), Http2),
            (Strict, Http, HttpSpoken::Both, &["http/1.1", "h2"], PREFACE, Some("h2"), Http2),
            (Strict, Http, HttpSpoken::Http1, &["h2", "http/1.1"], GET, Some("http/1.1"), Http1),
            // The TCP side.
            (Permissive, Auto, HttpSpoken::Both, envoy_tcp, GET, None, AppProtocol::Tcp),
            (
                Permissive,
                Tcp,
                HttpSpoken::Both,
                envoy_http1,
                GET,
                Some("http/1.1"),
                AppProtocol::Tcp,
            ),
            (Strict, Auto, HttpSpoken::Both, &[], GET, None, AppProtocol::Tcp),
            (Strict, Auto, HttpSpoken::Both, &["h2"], PREFACE, Some("h2"), AppProtocol::Tcp),
            // A TCP name before an HTTP one: STRICT passes it over, PERMISSIVE does not.
            (Strict, Auto, HttpSpoken::Both, tcp_first, GET, None, Http1),
            (Permissive, Auto, HttpSpoken::Both, tcp_first, GET, None, AppProtocol::Tcp),
        ] {
            let name = format!("{mode} {protocol:?} {spoken:?} {offer:?} with {provider}");
            let server =
                Server::with(&profile, identity(&ca, ca.bundles()), mode, protocol, |builder| {
                    builder.http_spoken(spoken)
                });
            let (inbound, client) = mesh(&profile, &server, with_svid(&svid, offer), text).await;
            let (Inbound::Mesh(mut seen), mut client) = (inbound.unwrap(), client.unwrap()) else {
                panic!("{name}")
            };
            assert_eq!(client.alpn(), answer.map(str::as_bytes), "{name}");
            assert_eq!(seen.peer.alpn(), answer.map(str::as_bytes), "{name}");
            assert_eq!(seen.connection.app_protocol(), want, "{name}");
            assert_eq!(seen.peer.id().as_str(), CLIENT, "{name}");
            let mut read = vec![0; text.len()];
            seen.stream.read_exact(&mut read).await.unwrap();
            assert_eq!(read, text, "{name}");
            seen.stream.write_all(b"answer").await.unwrap();
            seen.stream.shutdown().await.unwrap();
            assert_eq!(client.receive(6).await.unwrap(), b"answer", "{name}");
            assert_eq!(client.receive(1).await, Err(Saw::Closed), "{name}: close_notify");
        }
    }
}

/// TLS that is not ours reaches the application's own TLS server, which finishes the handshake.
#[tokio::test]
async fn foreign_tls_can_be_ended_by_the_application() {
    let (ca, of_the_application) = (ca(), TestCa::new("app.example"));
    let svid = of_the_application.svid("spiffe://app.example/server");
    for (provider, profile) in profiles() {
        let config = RawServer::with_svid(Arc::clone(profile.provider()), &svid).config();
        for (mode, protocol, alpn, reason) in [
            (Permissive, Auto, OFFER_H2, ForeignTlsReason::NoMeshName),
            (Permissive, Tcp, &[], ForeignTlsReason::NoMeshName),
            (Disable, Auto, &["istio"], ForeignTlsReason::Disabled),
        ] {
            let server = Server::new_with_profile(&profile, &ca, mode, protocol);
            let (near, far) = duplex(1 << 16);
            let mut client = Client::new(&profile, near, common::client::anonymous(alpn));
            let (inbound, shaken) = tokio::join!(
                async {
                    let inbound = server.acceptor.accept(far, None).await.unwrap();
                    let Inbound::ForeignTls(seen) = inbound else {
                        panic!("{provider}: {inbound:?}")
                    };
                    assert_eq!(seen.reason, reason, "{provider}");
                    assert_eq!(seen.connection.app_protocol(), AppProtocol::Tcp);
                    end_tls(seen.stream, Arc::clone(&config)).await
                },
                client.handshake()
            );
            shaken.unwrap();
            drop(inbound);
        }
    }
}

/// The application's own TLS server: as much of it as a handshake takes.
async fn end_tls<IO>(mut io: IO, config: Arc<rustls::ServerConfig>) -> IO
where
    IO: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut tls = rustls::ServerConnection::new(config).unwrap();
    while tls.is_handshaking() {
        let mut bytes = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut bytes).unwrap();
        }
        io.write_all(&bytes).await.unwrap();
        if tls.is_handshaking() {
            let mut bytes = [0; 100];
            let n = io.read(&mut bytes).await.unwrap();
            assert!(n > 0);
            tls.read_tls(&mut &bytes[..n]).unwrap();
            tls.process_new_packets().unwrap();
        }
    }
    io
}

#[tokio::test]
async fn a_policy_counts_from_the_next_connection_on() {
    let ca = ca();
    let svid = ca.svid(CLIENT);
    for (provider, profile) in profiles() {
        let server = Server::new_with_profile(&profile, &ca, Permissive, Auto);
        let plaintext = async || {
            let (mut near, far) = duplex(1 << 16);
            near.write_all(GET).await.unwrap();
            server.acceptor.accept(far, None).await
        };
        let kept = plaintext().await.unwrap();
        for (mode, accepted) in
            [(Strict, false), (Permissive, true), (Disable, true), (Strict, false)]
        {
            server.policies.replace(policy_set(mode));
            let result = plaintext().await;
            assert_eq!(result.is_ok(), accepted, "{mode} with {provider}: {result:?}");
            if let Ok(inbound) = result {
                assert_eq!(inbound.connection().mode(), mode);
            }
        }
        // What was accepted before lives on.
        let mut read = vec![0; GET.len()];
        kept.into_stream().read_exact(&mut read).await.unwrap();

        // The event names the winner of the moment.
        let of_the_port = PeerAuthentication::new("foo", "ports")
            .with_selector([("app", "web")])
            .with_port(common::PORT, Strict);
        let resources = Resources::default().with_peer_authentications([of_the_port]);
        server
            .policies
            .replace(PolicySet::compile(MeshSettings::default(), &resources));
        let (inbound, _client) = mesh(&profile, &server, with_svid(&svid, &["istio"]), GET).await;
        assert_eq!(
            inbound.unwrap().connection().winner().to_string(),
            "default, no policy sets a mode"
        );
        assert_eq!(server.heard.all().last().unwrap().winner, "default, no policy sets a mode");
    }
}

#[tokio::test(start_paused = true)]
async fn an_identity_counts_from_the_next_handshake_on() {
    for (provider, profile) in profiles() {
        let (old, new) = (ca(), ca());
        let handle: Arc<SvidHandle> = identity(&old, old.bundles());
        let server =
            Server::with(&profile, Arc::<SvidHandle>::clone(&handle), Strict, Tcp, |builder| {
                builder
            });
        let of_old = old.svid(CLIENT);
        let of_new = new.svid(CLIENT);

        let (first, client) = mesh(&profile, &server, with_svid(&of_old, &["istio"]), GET).await;
        let first = first.unwrap();
        let mut client = client.unwrap();
        let (refused, _) = mesh(&profile, &server, with_svid(&of_new, &["istio"]), GET).await;
        assert_eq!(refused.unwrap_err().reason(), "untrusted_issuer", "{provider}");

        handle.replace(new.svid(SERVER), new.bundles());
        let (second, _client) = mesh(&profile, &server, with_svid(&of_new, &["istio"]), GET).await;
        assert!(second.is_ok(), "{provider}: {second:?}");
        let (refused, _) = mesh(&profile, &server, with_svid(&of_old, &["istio"]), GET).await;
        assert_eq!(refused.unwrap_err().reason(), "untrusted_issuer", "{provider}");

        // The old connection lives on.
        let mut stream = first.into_stream();
        let mut read = vec![0; GET.len()];
        stream.read_exact(&mut read).await.unwrap();
        stream.write_all(b"still").await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(client.receive(5).await.unwrap(), b"still");
    }
}

/// Trust domains that are accepted come from the policies' mesh settings, unless the caller says otherwise.
#[tokio::test(start_paused = true)]
async fn accepted_trust_domains() {
    let (ca, other) = (ca(), TestCa::new("old.example"));
    let svid = other.svid("spiffe://old.example/ns/foo/sa/a");
    let both = || TrustBundles::new([ca.bundle(), other.bundle()]);
    let settings = |aliases: &[&str]| {
        let aliases = aliases.iter().map(|alias| alias.parse().unwrap());
        let policies = Resources::default().with_peer_authentications([]);
        PolicySet::compile(MeshSettings::default().with_trust_domain_aliases(aliases), &policies)
    };
    for (provider, profile) in profiles() {
        let server = Server::with(&profile, identity(&ca, both()), Strict, Tcp, |builder| builder);
        for (aliases, accepted) in
            [(NO_NAMES, false), (&["old.example"], true), (&["old.example.evil"], false)]
        {
            server.policies.replace(settings(aliases));
            let (result, _client) =
                mesh(&profile, &server, with_svid(&svid, &["istio"]), GET).await;
            match result {
                Ok(Inbound::Mesh(_)) if accepted => {}
                Err(refusal) if !accepted => {
                    assert_eq!(refusal.reason(), "trust_domain_not_accepted")
                }
                other => panic!("{aliases:?} with {provider}: {other:?}"),
            }
        }

        let accepting =
            MeshSettings::default().with_accepted_trust_domains([other.trust_domain().clone()]);
        server
            .policies
            .replace(PolicySet::compile(accepting, &Resources::default()));
        // The set is of no policies, so that the port is PERMISSIVE now.
        let (result, _client) = mesh(&profile, &server, with_svid(&svid, &["istio"]), GET).await;
        assert!(matches!(result, Ok(Inbound::Mesh(_))), "accepted with {provider}: {result:?}");

        for (domains, accepted) in [
            (AcceptedDomains::Any, true),
            (AcceptedDomains::Only([other.trust_domain().clone()].into()), true),
            (AcceptedDomains::Only([ca.trust_domain().clone()].into()), false),
            (AcceptedDomains::Only([].into()), false),
        ] {
            let server = Server::with(&profile, identity(&ca, both()), Strict, Tcp, |builder| {
                builder.accepted_domains(domains.clone())
            });
            let (result, _client) =
                mesh(&profile, &server, with_svid(&svid, &["istio"]), GET).await;
            assert_eq!(result.is_ok(), accepted, "{domains} with {provider}: {result:?}");
        }
    }
}
