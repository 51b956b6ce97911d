//! `AuthorizationPolicy` objects are obeyed: for each kind of connection, and each fact of a connection.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of a test end it by a panic")]

mod common;

use std::{mem::discriminant, time::Duration};

use meshtls_acceptor::{FirstSpeaker, PortProtocol, Refusal};
use meshtls_policy::MtlsMode::{Disable, Permissive, Strict};
use meshtls_rustls::TlsProfile;
use meshtls_testkit::TestCa;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use PortProtocol::{Auto, Tcp};
use common::{
    CLIENT, Heard, Server, authorization, ca,
    client::{Client, Saw, anonymous, with_svid},
    identity, mode, policies, profile, profiles, soon, tcp_pair,
};

const GET: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
const WELCOME: &[u8] = b"welcome";
const OTHER: &str = "spiffe://cluster.local/ns/bar/sa/other";
const NO_PLAINTEXT: &str =
    r#"action: DENY, rules: [{ from: [{ source: { notPrincipals: ["*"] } }] }]"#;
const ONLY_CLIENT: &str =
    "rules: [{ from: [{ source: { principals: [cluster.local/ns/foo/sa/client] } }] }]";
const ALLOWED: &str = "an ALLOW policy matches (foo/it, rule 0)";
const DENIED: &str = "a DENY policy matches (foo/it, rule 0)";
const NOT_ALLOWED: &str = "no ALLOW policy matches";
const NOTHING: &str = "no ALLOW policy is in force";

/// Who connects.
#[derive(Clone, Copy, Debug)]
enum Who {
    /// `curl` without TLS.
    Plaintext,
    /// A member of the mesh, by its ID.
    Mesh(&'static str),
    /// TLS that belongs to the application.
    ForeignTls,
}

use Who::{ForeignTls, Mesh, Plaintext};

/// Connects over a socket and checks that both ends and the one event tell the same.
async fn connect(ca: &TestCa, profile: &TlsProfile, server: &Server, who: Who) -> Heard {
    let (near, far) = tcp_pair().await;
    let peer_addr = far.peer_addr().unwrap();
    let accept = async {
        let result = server.acceptor.accept(far, peer_addr).await;
        let heard = server.heard.only();
        match result {
            Ok(inbound) => {
                let ruling = inbound.connection().authorization().to_string();
                assert_eq!(heard.ruling, Some(ruling));
                let mut stream = inbound.into_stream();
                stream.write_all(WELCOME).await.unwrap();
                stream.shutdown().await.unwrap();
                stream.read_to_end(&mut Vec::new()).await.ok();
            }
            Err(refusal) => {
                assert_eq!(heard.refused, Some(discriminant(&refusal)));
                assert_eq!(heard.label, refusal.reason());
                let Refusal::Unauthorized(unauthorized) = refusal else { panic!("{refusal:?}") };
                assert_eq!(heard.label, unauthorized.ruling.reason().as_str());
                assert_eq!(heard.ruling, Some(unauthorized.ruling.to_string()));
                let id = unauthorized.peer.as_ref().map(|id| id.as_str());
                match who {
                    Mesh(want) => assert_eq!(id, Some(want)),
                    Plaintext | ForeignTls => assert_eq!(id, None),
                }
            }
        }
        heard
    };
    let both = async { tokio::join!(accept, client(ca, profile, near, who)) };
    let (heard, read) = timeout(Duration::from_secs(30), both).await.unwrap();
    assert_eq!(read, if heard.accepted { WELCOME } else { &[] }, "{who:?}: {heard:?}");
    heard
}

/// What the server says to the application before it ends the connection in order.
async fn client(ca: &TestCa, profile: &TlsProfile, mut near: TcpStream, who: Who) -> Vec<u8> {
    let mut read = Vec::new();
    match who {
        Plaintext => {
            near.write_all(GET).await.unwrap();
            near.read_to_end(&mut read).await.unwrap();
        }
        ForeignTls => {
            let mut client = Client::new(profile, near, anonymous(&["h2"]));
            client.hello().await;
            client.io.read_to_end(&mut read).await.unwrap();
        }
        Mesh(id) => {
            let svid = ca.svid(id);
            let mut client = Client::new(profile, near, with_svid(&svid, &["istio"]));
            client.handshake().await.unwrap();
            client.send(GET).await.unwrap();
            loop {
                match client.receive(1).await {
                    Ok(byte) => read.extend(byte),
                    Err(end) => break assert_eq!(end, Saw::Closed),
                }
            }
            assert!(client.was_told_of_the_end(), "close_notify");
        }
    }
    read
}

#[tokio::test]
async fn who_may_come_in() {
    let ca = ca();
    let trusting = "from: [{ source: { namespaces: [foo] } }]";
    for (case, spec, who, want) in [
        ("no plaintext", NO_PLAINTEXT, Plaintext, DENIED),
        ("no plaintext", NO_PLAINTEXT, ForeignTls, DENIED),
        ("no plaintext", NO_PLAINTEXT, Mesh(CLIENT), NOTHING),
        ("one ID", ONLY_CLIENT, Mesh(CLIENT), ALLOWED),
        ("one ID", ONLY_CLIENT, Mesh(OTHER), NOT_ALLOWED),
        ("one ID", ONLY_CLIENT, Plaintext, NOT_ALLOWED),
        ("one ID", ONLY_CLIENT, ForeignTls, NOT_ALLOWED),
        ("a namespace", &format!("rules: [{{ {trusting} }}]"), Mesh(OTHER), NOT_ALLOWED),
        ("a namespace", &format!("rules: [{{ {trusting} }}]"), Mesh(CLIENT), ALLOWED),
        ("nothing is allowed", "", Mesh(CLIENT), NOT_ALLOWED),
        (
            "HTTP that nobody reads",
            "rules: [{ to: [{ operation: { methods: [GET] } }] }]",
            Mesh(CLIENT),
            NOT_ALLOWED,
        ),
        (
            "the port",
            r#"rules: [{ to: [{ operation: { ports: ["8080"] } }] }]"#,
            Plaintext,
            ALLOWED,
        ),
        (
            "another port",
            r#"rules: [{ to: [{ operation: { ports: ["80"] } }] }]"#,
            Mesh(CLIENT),
            NOT_ALLOWED,
        ),
        (
            "the port",
            r#"action: DENY, rules: [{ to: [{ operation: { ports: ["8080"] } }] }]"#,
            ForeignTls,
            DENIED,
        ),
        (
            "the source",
            r#"action: DENY, rules: [{ from: [{ source: { ipBlocks: ["127.0.0.0/8"] } }] }]"#,
            Plaintext,
            DENIED,
        ),
        (
            "the source",
            r#"action: DENY, rules: [{ from: [{ source: { ipBlocks: ["127.0.0.0/8"] } }] }]"#,
            Mesh(CLIENT),
            DENIED,
        ),
        (
            "another source",
            r#"action: DENY, rules: [{ from: [{ source: { ipBlocks: ["10.0.0.0/8"] } }] }]"#,
            Plaintext,
            NOTHING,
        ),
        (
            "the client",
            r#"rules: [{ from: [{ source: { remoteIpBlocks: ["127.0.0.1"] } }] }]"#,
            Plaintext,
            ALLOWED,
        ),
        (
            "the destination",
            r#"rules: [{ when: [{ key: destination.ip, values: ["127.0.0.1"] }] }]"#,
            Plaintext,
            ALLOWED,
        ),
        (
            "the destination",
            r#"rules: [{ when: [{ key: destination.ip, values: ["127.0.0.1"] }] }]"#,
            Mesh(CLIENT),
            ALLOWED,
        ),
        (
            "another destination",
            r#"rules: [{ when: [{ key: destination.ip, values: ["127.0.0.2"] }] }]"#,
            Mesh(CLIENT),
            NOT_ALLOWED,
        ),
        (
            "the server name",
            r#"rules: [{ when: [{ key: connection.sni, values: ["server.test"] }] }]"#,
            Mesh(CLIENT),
            ALLOWED,
        ),
        (
            "the server name",
            r#"action: DENY, rules: [{ when: [{ key: connection.sni, values: ["*.test"] }] }]"#,
            ForeignTls,
            DENIED,
        ),
        (
            "another server name",
            r#"rules: [{ when: [{ key: connection.sni, values: ["other.test"] }] }]"#,
            ForeignTls,
            NOT_ALLOWED,
        ),
        (
            "no server name",
            r#"rules: [{ when: [{ key: connection.sni, values: ["*"] }] }]"#,
            Plaintext,
            NOT_ALLOWED,
        ),
        (
            "nobody to ask",
            r#"action: CUSTOM, provider: { name: opa }, rules: [{ to: [{ operation: { ports: ["8080"] } }] }]"#,
            Mesh(CLIENT),
            "a CUSTOM policy matches, and there is no external authorizer here (foo/it, rule 0)",
        ),
        (
            "nobody has to be asked",
            r#"action: CUSTOM, provider: { name: opa }, rules: [{ to: [{ operation: { ports: ["80"] } }] }]"#,
            Mesh(CLIENT),
            NOTHING,
        ),
        ("a log", "action: AUDIT, rules: [{}]", Plaintext, NOTHING),
        ("other workloads", "selector: { matchLabels: { app: other } }", Plaintext, NOTHING),
    ] {
        let server = Server::new(&ca, Permissive, Auto);
        server
            .policies
            .replace(policies(&authorization("it", spec)));
        let heard = connect(&ca, &profile(), &server, who).await;
        assert_eq!(heard.ruling.as_deref(), Some(want), "{case}: {spec} for {who:?}");
        assert_eq!(heard.winner, "default, no policy sets a mode");
    }
}

/// With each provider, a refusal after the handshake ends in order.
#[tokio::test]
async fn one_member_comes_in_and_another_does_not() {
    let ca = ca();
    for (provider, profile) in profiles() {
        for (who, accepted) in [(Mesh(CLIENT), true), (Mesh(OTHER), false)] {
            let server = Server::new_with_profile(&profile, &ca, Strict, Tcp);
            let text = mode(Strict) + &authorization("it", ONLY_CLIENT);
            server.policies.replace(policies(&text));
            let heard = connect(&ca, &profile, &server, who).await;
            assert_eq!(heard.accepted, accepted, "{provider}");
            assert!(heard.handshake.is_some(), "{provider}");
            assert_eq!(heard.mode, Strict);
        }
    }
}

/// Where nobody looks at the first bytes, the connection is authorized without them.
#[tokio::test]
async fn what_is_handed_over_unseen_is_authorized_as_well() {
    let ca = ca();
    for (name, acts, speaker) in [
        ("DISABLE", Disable, FirstSpeaker::Client),
        ("server-first", Permissive, FirstSpeaker::Server),
    ] {
        for (spec, want) in [(NO_PLAINTEXT, DENIED), ("", NOT_ALLOWED), ("rules: [{}]", ALLOWED)] {
            let server =
                Server::with(&profile(), identity(&ca, ca.bundles()), acts, Tcp, |builder| {
                    soon(builder).first_speaker(speaker)
                });
            let text = mode(acts) + &authorization("it", spec);
            server.policies.replace(policies(&text));
            let (mut near, far) = tcp_pair().await;
            let accept = async {
                // The client says nothing.
                drop(server.acceptor.accept(far, None).await);
            };
            let mut read = Vec::new();
            let client = async {
                near.read_to_end(&mut read).await.unwrap();
                drop(near);
            };
            tokio::join!(accept, client);
            assert!(read.is_empty(), "{name}");
            let heard = server.heard.only();
            assert_eq!(heard.ruling.as_deref(), Some(want), "{name}: {spec}");
            assert_eq!(heard.accepted, want == ALLOWED, "{name}: {spec}");
        }
    }
}

/// What is refused by its mode or its handshake is not asked about.
#[tokio::test]
async fn policies_are_asked_last() {
    let ca = ca();
    let text = mode(Strict) + &authorization("it", NO_PLAINTEXT);
    let server = Server::new(&ca, Strict, Tcp);
    server.policies.replace(policies(&text));
    let (mut near, far) = tcp_pair().await;
    near.write_all(GET).await.unwrap();
    server.acceptor.accept(far, None).await.unwrap_err();
    let heard = server.heard.only();
    assert_eq!((heard.label, heard.ruling), ("plaintext_under_strict", None));
}

/// An address that nobody knows is in no block that does not go around `0.0.0.0`.
#[tokio::test]
async fn a_source_that_nobody_knows() {
    let ca = ca();
    for (spec, accepted) in [
        (r#"rules: [{ from: [{ source: { ipBlocks: ["127.0.0.0/8"] } }] }]"#, false),
        (r#"rules: [{ from: [{ source: { ipBlocks: ["0.0.0.0/0"] } }] }]"#, true),
        (
            r#"action: DENY, rules: [{ from: [{ source: { notIpBlocks: ["127.0.0.0/8"] } }] }]"#,
            false,
        ),
    ] {
        let server = Server::new(&ca, Permissive, Auto);
        server
            .policies
            .replace(policies(&authorization("it", spec)));
        let (mut near, far) = tcp_pair().await;
        near.write_all(GET).await.unwrap();
        near.shutdown().await.unwrap();
        assert_eq!(server.acceptor.accept(far, None).await.is_ok(), accepted, "{spec}");
        assert_eq!(server.heard.only().accepted, accepted, "{spec}");
    }
}
