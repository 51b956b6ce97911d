//! Policies that change while a connection is on its way, and connections that linger when they are refused.

mod common;

use std::{sync::Arc, time::Duration};

use meshtls_acceptor::{DetectionTimeout, PortProtocol};
use meshtls_policy::{
    MeshSettings,
    MtlsMode::{Disable, Permissive, Strict},
    PolicySet, Resources,
};
use meshtls_svid::SvidHandle;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    time::{Instant, sleep},
};

use PortProtocol::{Auto, Http, Tcp};
use common::{
    CLIENT, INGRESS_TLS, SERVER, Server, authorization, ca,
    client::{Client, Saw, with_svid},
    identity, mode, policies, profile,
};

const GET: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
const DENY_CLIENT: &str = "action: DENY, rules: [{ from: [{ source: { principals: [cluster.local/ns/foo/sa/client] } }] }]";
const ALLOW_OTHER: &str =
    "rules: [{ from: [{ source: { principals: [cluster.local/ns/foo/sa/other] } }] }]";
const ALLOW_CLIENT: &str =
    "rules: [{ from: [{ source: { principals: [cluster.local/ns/foo/sa/client] } }] }]";
const NO_PLAINTEXT: &str =
    r#"action: DENY, rules: [{ from: [{ source: { notPrincipals: ["*"] } }] }]"#;

/// Both the policies that decided to do the handshake and those in force at its end have to let the peer in.
#[tokio::test(start_paused = true)]
async fn policies_that_change_during_a_handshake() {
    let ca = ca();
    let svid = ca.svid(CLIENT);
    let it = |spec| authorization("it", spec);
    for (case, before, after, want) in [
        ("DENY comes", String::new(), it(DENY_CLIENT), "deny_policy_matched"),
        ("DENY goes", it(DENY_CLIENT), String::new(), "deny_policy_matched"),
        ("ALLOW comes for another", String::new(), it(ALLOW_OTHER), "no_allow_policy_matched"),
        ("ALLOW passes to another", it(ALLOW_CLIENT), it(ALLOW_OTHER), "no_allow_policy_matched"),
        ("ALLOW stays", it(ALLOW_CLIENT), it(ALLOW_CLIENT), "mesh"),
        ("the mode goes", String::new(), mode(Disable), "mesh"),
        ("all goes", mode(Strict) + &it(ALLOW_CLIENT), String::new(), "mesh"),
    ] {
        let server = Server::new(&ca, Permissive, Auto);
        server.policies.replace(policies(&before));
        let decided = if before.contains("STRICT") { Strict } else { Permissive };
        let (near, far) = duplex(1 << 16);
        let mut client = Client::new(&profile(), near, with_svid(&svid, &["istio"]));
        let (result, end) = tokio::join!(
            // What is accepted is dropped, without `close_notify`.
            async { server.acceptor.accept(far, None).await.map(drop) },
            async {
                client.listen().await;
                server.policies.replace(policies(&after));
                client.handshake().await.unwrap();
                let end = client.receive(1).await;
                let told = client.was_told_of_the_end();
                drop(client);
                (end, told)
            }
        );
        let heard = server.heard.only();
        assert_eq!(heard.label, want, "{case}");
        assert_eq!(heard.accepted, result.is_ok(), "{case}");
        assert_eq!(heard.mode, decided, "{case}: the mode is that of the decision");
        assert_eq!(end, (Err(Saw::Closed), !heard.accepted), "{case}");
    }
}

/// So does what the port and the trust domain come to meanwhile.
#[tokio::test(start_paused = true)]
async fn what_is_taken_away_during_a_handshake_or_before_the_first_request() {
    let ca = ca();
    let svid = ca.svid(CLIENT);
    let accepting = |domains: &[&str]| {
        let settings = MeshSettings::default()
            .with_trust_domain("elsewhere.example".parse().unwrap())
            .with_accepted_trust_domains(domains.iter().map(|domain| domain.parse().unwrap()));
        let resources = Resources::parse("test", &mode(Permissive)).unwrap();
        PolicySet::compile(settings, &resources)
    };
    let here = ["cluster.local"];
    let sidecar = mode(Disable) + INGRESS_TLS;
    let written_only = mode(Permissive) + INGRESS_TLS;
    for (protocol, alpn) in [(Auto, &["istio"][..]), (Http, &["istio"])] {
        for (case, before, after, want) in [
            ("the domain goes", accepting(&here), accepting(&[]), "trust_domain_not_accepted"),
            ("the domain stays", accepting(&here), accepting(&here), "mesh"),
            ("a Sidecar", policies(""), policies(&sidecar), "ingress_tls_unavailable"),
            ("a Sidecar without effect", policies(""), policies(&written_only), "mesh"),
        ] {
            let case = format!("{case}, {protocol:?}");
            let server = Server::new(&ca, Permissive, protocol);
            server.policies.replace(before);
            let (near, far) = duplex(1 << 16);
            let mut client = Client::new(&profile(), near, with_svid(&svid, alpn));
            let (result, end) =
                tokio::join!(async { server.acceptor.accept(far, None).await.map(drop) }, async {
                    if protocol == Auto {
                        client.listen().await;
                        server.policies.replace(after);
                        client.handshake().await.unwrap();
                    } else {
                        client.handshake().await.unwrap();
                        sleep(Duration::from_secs(1)).await;
                        assert!(server.heard.all().is_empty(), "{case}");
                        server.policies.replace(after);
                        client.send(GET).await.unwrap();
                    }
                    let end = client.receive(1).await;
                    let told = client.was_told_of_the_end();
                    drop(client);
                    (end, told)
                });
            let heard = server.heard.only();
            assert_eq!(heard.label, want, "{case}");
            assert_eq!(
                (heard.accepted, result.is_ok()),
                (want == "mesh", want == "mesh"),
                "{case}"
            );
            assert_eq!(end, (Err(Saw::Closed), want != "mesh"), "{case}");
        }
    }
}

/// Who waits for its turn is verified by the roots that are trusted when the turn comes.
#[tokio::test(start_paused = true)]
async fn a_root_that_goes_before_the_handshake_has_its_turn() {
    let (ca, other) = (ca(), ca());
    let svid = ca.svid(CLIENT);
    for (goes, want) in [(true, "untrusted_issuer"), (false, "mesh")] {
        let handle = identity(&ca, ca.bundles());
        let server = Server::with(
            &profile(),
            Arc::<SvidHandle>::clone(&handle),
            Permissive,
            Tcp,
            |builder| builder.max_handshakes(1),
        );
        let (near, far) = duplex(1 << 16);
        let mut stalled = Client::new(&profile(), near, with_svid(&svid, &["istio"]));
        let (near, late) = duplex(1 << 16);
        let mut client = Client::new(&profile(), near, with_svid(&svid, &["istio"]));
        let (_, result, (), ()) = tokio::join!(
            server.acceptor.accept(far, None),
            async {
                // After the one that stalls.
                sleep(Duration::from_millis(50)).await;
                server.acceptor.accept(late, None).await.map(drop)
            },
            async {
                stalled.listen().await;
                sleep(Duration::from_millis(500)).await;
                if goes {
                    handle.replace(other.svid(SERVER), other.bundles());
                }
                drop(stalled);
            },
            async {
                client.handshake().await.ok();
                client.receive(1).await.ok();
                drop(client);
            }
        );
        assert_eq!(result.is_ok(), !goes, "{result:?}");
        assert_eq!(server.heard.labels().last(), Some(&want));
        assert_eq!(server.heard.all().len(), 2);
    }
}

/// Where the first bytes of HTTP are awaited after the handshake, the policies in force after them count.
#[tokio::test(start_paused = true)]
async fn policies_that_change_before_the_first_request() {
    let ca = ca();
    let svid = ca.svid(CLIENT);
    for (after, want) in [(DENY_CLIENT, "deny_policy_matched"), (ALLOW_CLIENT, "mesh")] {
        let server = Server::new(&ca, Strict, Http);
        let (near, far) = duplex(1 << 16);
        let mut client = Client::new(&profile(), near, with_svid(&svid, &["istio"]));
        let (_, ()) = tokio::join!(server.acceptor.accept(far, None), async {
            client.handshake().await.unwrap();
            // Long after the handshake is done.
            sleep(Duration::from_secs(1)).await;
            assert!(server.heard.all().is_empty());
            let text = mode(Strict) + &authorization("it", after);
            server.policies.replace(policies(&text));
            client.send(GET).await.unwrap();
            client.send(GET).await.unwrap();
            if want != "mesh" {
                assert_eq!(client.receive(1).await, Err(Saw::Closed));
            }
            drop(client);
        });
        assert_eq!(server.heard.only().label, want);
    }
}

/// Mode and authorization come from one set, whatever is swapped between two looks at a connection.
#[tokio::test(start_paused = true)]
async fn mode_and_authorization_come_from_one_set() {
    let ca = ca();
    let closed = authorization("it", NO_PLAINTEXT);
    let strict = mode(Strict);
    for (before, after, want) in
        [(&closed, &strict, "plaintext_under_strict"), (&strict, &closed, "deny_policy_matched")]
    {
        let server = Server::new(&ca, Permissive, Auto);
        server.policies.replace(policies(before));
        let (mut near, far) = duplex(1 << 16);
        let (result, ()) = tokio::join!(server.acceptor.accept(far, None), async {
            // It does not tell plaintext from TLS, so nothing is decided yet.
            sleep(Duration::from_secs(1)).await;
            server.policies.replace(policies(after));
            near.write_all(GET).await.unwrap();
            near.shutdown().await.unwrap();
        });
        assert_eq!(result.unwrap_err().reason(), want);
        assert_eq!(server.heard.only().label, want);
    }
}

/// A client that does not close its end is waited for no longer than two seconds, and not at all if others need its place.
#[tokio::test(start_paused = true)]
async fn refused_clients_do_not_pile_up() {
    let ca = ca();
    let svid = ca.svid(CLIENT);
    for (crowded, waited) in [(false, Duration::from_secs(2)), (true, Duration::from_secs(1))] {
        for plaintext in [true, false] {
            let server =
                Server::with(&profile(), identity(&ca, ca.bundles()), Permissive, Tcp, |builder| {
                    builder
                        .max_pending(1)
                        .detection_timeout(DetectionTimeout::After(Duration::from_secs(60)))
                });
            server.policies.replace(policies(&authorization("it", "")));
            let (near, far) = duplex(1 << 16);
            let mut client = Client::new(&profile(), near, with_svid(&svid, &["istio"]));
            let refused = async {
                let refusal = server.acceptor.accept(far, None).await.unwrap_err();
                assert_eq!(refusal.reason(), "no_allow_policy_matched");
                Instant::now()
            };
            let linger = async {
                if plaintext {
                    client.io.write_all(GET).await.unwrap();
                    assert_eq!(client.io.read(&mut [0; 8]).await.unwrap(), 0);
                } else {
                    client.handshake().await.unwrap();
                    assert_eq!(client.receive(1).await, Err(Saw::Closed));
                }
                let started = Instant::now();
                // The outcome was told before.
                assert_eq!(server.heard.only().label, "no_allow_policy_matched");
                sleep(Duration::from_secs(1)).await;
                let (_silent, far) = duplex(1 << 10);
                if crowded {
                    let silent = server.acceptor.accept(far, None);
                    tokio::time::timeout(Duration::from_secs(3), silent)
                        .await
                        .unwrap_err();
                }
                started
            };
            let (ended, started) = tokio::join!(refused, linger);
            assert_eq!(ended - started, waited, "crowded {crowded}, plaintext {plaintext}");
        }
    }
}
