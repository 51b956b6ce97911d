//! Policies on trial: the policy in force decides, and the event says what the other one would have done.

#![expect(clippy::unwrap_used, reason = "helpers of a test end it by a panic")]

mod common;

use std::time::Duration;

use meshtls_acceptor::{DetectionTimeout, FirstSpeaker, PortProtocol, ShadowOutcome};
use meshtls_policy::{
    MeshSettings,
    MtlsMode::{self, Disable, Permissive, Strict},
    PeerAuthentication, PolicySet, Resources,
};
use meshtls_testkit::TestCa;
use tokio::io::{AsyncWriteExt, duplex};

use PortProtocol::{Auto, Http, Tcp};
use ShadowOutcome::{Accept, Handshake, Refuse, Unseen};
use common::{
    CLIENT, Heard, INGRESS_TLS, Server, ca,
    client::{Client, Hello, anonymous, with_svid},
    identity, profile, tcp_pair,
};

const GET: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

/// `acts` for the mesh, and `trial` for the namespace, on trial.
fn policies(acts: MtlsMode, trial: MtlsMode) -> PolicySet {
    let mesh = PeerAuthentication::new("istio-system", "default").with_mode(acts);
    let namespace = PeerAuthentication::new("foo", "default")
        .with_mode(trial)
        .with_dry_run(true);
    let resources = Resources::default().with_peer_authentications([mesh, namespace]);
    PolicySet::compile(MeshSettings::default(), &resources)
}

fn server(ca: &TestCa, acts: MtlsMode, trial: MtlsMode, protocol: PortProtocol) -> Server {
    let server = Server::with(&profile(), identity(ca, ca.bundles()), acts, protocol, |builder| {
        builder.detection_timeout(DetectionTimeout::After(Duration::from_millis(50)))
    });
    server.policies.replace(policies(acts, trial));
    server
}

/// Sends `bytes` over a socket, and ends the stream if they are none.
async fn plaintext(server: &Server, bytes: &[u8]) -> Heard {
    let (mut near, far) = tcp_pair().await;
    near.write_all(bytes).await.unwrap();
    drop(server.acceptor.accept(far, None).await);
    server.heard.only()
}

/// Does a handshake as far as it goes.
async fn tls(server: &Server, hello: Hello<'_>) -> Heard {
    let (near, far) = duplex(1 << 16);
    let mut client = Client::new(&profile(), near, hello);
    let client = async {
        client.handshake().await.ok();
        client.send(GET).await.ok();
        client
    };
    // What is accepted is dropped at once, so that a client that waits for an answer gets none.
    let accept = async { drop(server.acceptor.accept(far, None).await) };
    drop(tokio::join!(accept, client));
    server.heard.only()
}

#[tokio::test]
async fn plaintext_that_a_policy_on_trial_would_refuse_or_accept() {
    let ca = ca();
    for (acts, trial, protocol, outcome, shadow, text) in [
        (
            Permissive,
            Strict,
            Auto,
            "plaintext",
            Refuse("plaintext_under_strict"),
            "would have been refused: plaintext under STRICT by foo/default",
        ),
        (
            Permissive,
            Strict,
            Http,
            "plaintext",
            Refuse("plaintext_under_strict"),
            "would have been refused: plaintext under STRICT by foo/default",
        ),
        (
            Strict,
            Permissive,
            Auto,
            "plaintext_under_strict",
            Accept,
            "would have been accepted: under PERMISSIVE by foo/default",
        ),
        (
            Strict,
            Disable,
            Tcp,
            "plaintext_under_strict",
            Accept,
            "would have been accepted: under DISABLE by foo/default",
        ),
        (
            Permissive,
            Disable,
            Auto,
            "plaintext",
            Accept,
            "would have been accepted: under DISABLE by foo/default",
        ),
        (
            Disable,
            Strict,
            Tcp,
            "unsniffed",
            Unseen,
            "would have depended on first bytes that nobody read: under STRICT by foo/default",
        ),
    ] {
        let server = server(&ca, acts, trial, protocol);
        let heard = plaintext(&server, GET).await;
        assert_eq!(heard.label, outcome, "{acts}, {trial} on trial");
        assert_eq!(heard.mode, acts, "{acts}, {trial} on trial");
        assert_eq!(heard.winner, "mesh policy istio-system/default");
        assert_eq!(heard.shadow, Some((shadow, text.to_owned())), "{acts}, {trial} on trial");
    }
}

#[tokio::test(start_paused = true)]
async fn tls_that_a_policy_on_trial_would_refuse_or_accept() {
    let (ca, other) = (ca(), ca());
    let (good, foreign) = (ca.svid(CLIENT), other.svid(CLIENT));
    let mesh: &[&str] = &["istio-http/1.1", "istio", "http/1.1"];
    for (case, acts, trial, protocol, hello, outcome, shadow) in [
        ("mTLS stays", Permissive, Strict, Auto, with_svid(&good, mesh), "mesh", Accept),
        ("mTLS stays", Strict, Permissive, Auto, with_svid(&good, mesh), "mesh", Accept),
        ("raw TLS is let through", Strict, Disable, Auto, with_svid(&good, mesh), "mesh", Accept),
        (
            "an HTTP port that is shown TLS",
            Strict,
            Disable,
            Http,
            with_svid(&good, mesh),
            "mesh",
            Refuse("tls_on_http_port"),
        ),
        (
            "the same failure",
            Permissive,
            Strict,
            Auto,
            with_svid(&foreign, mesh),
            "untrusted_issuer",
            Refuse("untrusted_issuer"),
        ),
        (
            "a failure that would not have been",
            Strict,
            Disable,
            Auto,
            with_svid(&foreign, mesh),
            "untrusted_issuer",
            Accept,
        ),
        (
            "TLS that STRICT would end",
            Permissive,
            Strict,
            Tcp,
            anonymous(&[]),
            "foreign_tls",
            Handshake,
        ),
        (
            "TLS that STRICT would end, refused",
            Permissive,
            Strict,
            Http,
            anonymous(&[]),
            "tls_on_http_port",
            Handshake,
        ),
    ] {
        let server = server(&ca, acts, trial, protocol);
        let heard = tls(&server, hello).await;
        assert_eq!(heard.label, outcome, "{case}: {acts}, {trial} on trial");
        let (got, text) = heard.shadow.unwrap();
        assert_eq!(got, shadow, "{case}: {acts}, {trial} on trial");
        assert!(text.ends_with(&format!(" {trial} by foo/default")), "{text}");
    }
}

/// Under DISABLE the block of a `Sidecar` would have the port to itself; under another mode it would not.
#[tokio::test]
async fn a_sidecar_that_a_policy_on_trial_would_let_end_tls() {
    let ca = ca();
    let unavailable = "ingress_tls_unavailable";
    for (acts, trial, protocol, outcome, shadow) in [
        (Permissive, Disable, Auto, "plaintext", Refuse(unavailable)),
        (Permissive, Disable, Tcp, "plaintext", Refuse(unavailable)),
        (Strict, Disable, Http, "plaintext_under_strict", Refuse(unavailable)),
        (Permissive, Strict, Auto, "plaintext", Refuse("plaintext_under_strict")),
        (Disable, Permissive, Auto, unavailable, Accept),
    ] {
        let server = server(&ca, acts, trial, protocol);
        let namespace = "---\n{ apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: { name: default, \
            namespace: foo, annotations: { meshtls.dev/dry-run: 'true' } }, spec: { mtls: { mode: ";
        let text = format!("{}{namespace}{trial} }} }} }}\n{INGRESS_TLS}", common::mode(acts));
        server.policies.replace(common::policies(&text));
        let heard = plaintext(&server, GET).await;
        assert_eq!(heard.label, outcome, "{acts}, {trial} on trial");
        assert_eq!(heard.shadow.unwrap().0, shadow, "{acts}, {trial} on trial");
    }
}

/// Where no bytes decide, the shadow is asked about their absence as well.
#[tokio::test]
async fn silence_in_the_shadow() {
    let ca = ca();
    let server =
        Server::with(&profile(), identity(&ca, ca.bundles()), Permissive, Tcp, |builder| {
            builder
                .first_speaker(FirstSpeaker::Server)
                .detection_timeout(DetectionTimeout::After(Duration::from_millis(20)))
        });
    server.policies.replace(policies(Permissive, Strict));
    let heard = plaintext(&server, b"").await;
    assert_eq!(heard.label, "unsniffed");
    assert_eq!(heard.shadow.unwrap().0, Refuse("silent"));
}

#[tokio::test]
async fn no_shadow_without_a_policy_on_trial_or_before_the_decision() {
    let ca = ca();
    let elsewhere = PeerAuthentication::new("bar", "default")
        .with_mode(Strict)
        .with_dry_run(true);
    let resources = Resources::default().with_peer_authentications([elsewhere]);
    let calm = server(&ca, Permissive, Strict, Auto);
    calm.policies
        .replace(PolicySet::compile(MeshSettings::default(), &resources));
    assert_eq!(plaintext(&calm, GET).await.shadow, None);

    let cancelled = server(&ca, Permissive, Strict, Auto);
    let (_near, far) = tcp_pair().await;
    let accept = cancelled.acceptor.accept(far, None);
    tokio::time::timeout(Duration::from_millis(1), accept)
        .await
        .unwrap_err();
    let heard = cancelled.heard.only();
    assert_eq!((heard.label, heard.shadow), ("cancelled", None));
}
