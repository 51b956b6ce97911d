//! Handshakes that succeed, and what each end then knows of the other.

use std::sync::Arc;

use meshtls_identity::IdMatcher;
use meshtls_rustls::{AlpnAnswer, MeshClient, TlsVersion};
use meshtls_testkit::{Faults, FaultyStream, RawClient, RawServer, TestCa};
use rustls::HandshakeKind;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

use crate::kit::{
    LEDGER, PROVIDERS, SHOP, Version, client, each, exactly, link, mesh_to_mesh,
    mesh_to_raw_client, raw_server_to_mesh, server,
};

/// With every pair of providers.
#[tokio::test]
async fn both_ends_learn_who_the_other_is() {
    let ca = crate::kit::ca();
    for (ours, theirs) in PROVIDERS
        .into_iter()
        .flat_map(|one| PROVIDERS.map(|two| (one, two)))
    {
        let (server, client) = (server(&ca, &ours.profile()), client(&ca, &theirs.profile()));
        let (accepted, connected) = mesh_to_mesh(&server, &client, &exactly(LEDGER)).await;
        let (_, their) = accepted.unwrap();
        let (_, our) = connected.unwrap();
        let name = format!("{ours} {theirs}");
        assert_eq!((their.id().as_str(), our.id().as_str()), (SHOP, LEDGER), "{name}");
        assert_eq!(
            (their.tls_version(), our.tls_version()),
            (TlsVersion::Tls13, TlsVersion::Tls13),
            "{name}"
        );
        assert_eq!((their.alpn(), their.server_name()), (None, None), "{name}");
        assert_eq!(their.not_after(), ca.svid(SHOP).not_after(), "{name}");
    }
}

#[tokio::test]
async fn versions() {
    let ca = crate::kit::ca();
    for (provider, version) in each() {
        let name = format!("{provider} {version:?}");
        let want = match version {
            Version::Tls12 => TlsVersion::Tls12,
            Version::Tls13 => TlsVersion::Tls13,
        };
        let raw = RawClient::new(provider.get()).with_versions(version.only());
        let config = raw.with_svid(&ca.svid(SHOP)).config();
        let server = server(&ca, &provider.profile());
        let (peer, seen) = mesh_to_raw_client(&server, AlpnAnswer::None, config).await;
        assert_eq!(peer.unwrap().tls_version(), want, "{name}");
        assert_eq!(seen.outcome.unwrap().handshake_kind(), Some(HandshakeKind::Full), "{name}");

        let raw =
            RawServer::with_svid(provider.get(), &ca.svid(LEDGER)).with_versions(version.only());
        let config = raw.asking_for_certificate().config();
        let client = client(&ca, &provider.profile());
        let (served, peer) = raw_server_to_mesh(config, &client, &exactly(LEDGER)).await;
        assert_eq!(peer.unwrap().tls_version(), want, "{name}");
        let presented = served.unwrap().peer_certificates().map(<[_]>::len);
        assert_eq!(presented, Some(2), "our client shows leaf and intermediate: {name}");
    }
}

/// As with SPIFFE bundle endpoints.
#[tokio::test]
async fn a_client_without_an_svid_verifies_the_server_all_the_same() {
    let ca = crate::kit::ca();
    for (provider, version) in each() {
        let name = format!("{provider} {version:?}");
        let client =
            |bundles| MeshClient::without_svid(&provider.profile(), &Arc::new(bundles)).unwrap();
        let raw =
            || RawServer::with_svid(provider.get(), &ca.svid(LEDGER)).with_versions(version.only());
        let known = client(ca.bundles());
        assert_eq!(known.generation(), 0, "{name}");
        let (served, peer) = raw_server_to_mesh(raw().config(), &known, &exactly(LEDGER)).await;
        assert_eq!(peer.unwrap().id().as_str(), LEDGER, "{name}");
        assert!(served.unwrap().peer_certificates().is_none(), "{name}: nothing is presented");

        for (bundles, expected, want) in [
            (ca.bundles(), SHOP, "name_mismatch"),
            (TestCa::new("prod.example").bundles(), LEDGER, "untrusted_issuer"),
            (TestCa::new("other.example").bundles(), LEDGER, "unknown_trust_domain"),
        ] {
            let client = client(bundles);
            let (_, peer) = raw_server_to_mesh(raw().config(), &client, &exactly(expected)).await;
            assert_eq!(peer.unwrap_err().reason(), want, "{name}");
        }
    }
    // Our own server lets nobody in without one.
    let profile = PROVIDERS[0].profile();
    let client = MeshClient::without_svid(&profile, &Arc::new(ca.bundles())).unwrap();
    let (accepted, _) = mesh_to_mesh(&server(&ca, &profile), &client, &exactly(LEDGER)).await;
    assert_eq!(accepted.unwrap_err().reason(), "no_certificate");
}

#[tokio::test]
async fn alpn() {
    let ca = crate::kit::ca();
    let istio_http2: &[&[u8]] = &[b"istio-h2", b"istio", b"h2"];
    let istio_tcp: &[&[u8]] = &[b"istio-peer-exchange", b"istio"];
    let none: &[&[u8]] = &[];
    for provider in PROVIDERS {
        let (server, client) = (server(&ca, &provider.profile()), client(&ca, &provider.profile()));
        for (name, offer, answer, want) in [
            ("h2", istio_http2, AlpnAnswer::Http2, Some(&b"h2"[..])),
            ("http/1.1", &[b"istio-http/1.1", b"http/1.1"], AlpnAnswer::Http11, Some(b"http/1.1")),
            ("Envoy's TCP offer is left unanswered", istio_tcp, AlpnAnswer::None, None),
            ("no offer, no answer", none, AlpnAnswer::None, None),
            ("no offer to a server that has one", none, AlpnAnswer::Http2, None),
        ] {
            let (near, far) = link();
            let matcher = IdMatcher::Any;
            let (accepted, connected) = tokio::join!(
                server.accept(near, answer),
                client.connect(far, None, &matcher, offer)
            );
            let (their, our) = (accepted.unwrap().1, connected.unwrap().1);
            assert_eq!((their.alpn(), our.alpn()), (want, want), "{name}, {provider}");
        }
    }
}

#[tokio::test]
async fn server_names() {
    let ca = crate::kit::ca();
    let istio = "outbound_.8080_._.ledger.pay.svc.cluster.local";
    for provider in PROVIDERS {
        let (server, client) = (server(&ca, &provider.profile()), client(&ca, &provider.profile()));
        for (asked, want) in [
            (None, None),
            (Some("192.0.2.1"), None),
            (Some("ledger.pay"), Some("ledger.pay")),
            (Some(istio), Some(istio)),
        ] {
            let (near, far) = link();
            let matcher = exactly(LEDGER);
            let name = asked.map(|name| ServerName::try_from(name).unwrap());
            let (accepted, connected) = tokio::join!(
                server.accept(near, AlpnAnswer::None),
                client.connect(far, name, &matcher, &[])
            );
            assert_eq!(accepted.unwrap().1.server_name(), want, "{asked:?}, {provider}");
            assert_eq!(connected.unwrap().1.server_name(), None, "{asked:?}, {provider}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn through_a_slow_link_of_one_byte_pieces() {
    let ca = TestCa::new("prod.example");
    let faults = Faults::chunks(1).with_delay(std::time::Duration::from_millis(1));
    for provider in PROVIDERS {
        let (server, client) = (server(&ca, &provider.profile()), client(&ca, &provider.profile()));
        let (near, far) = duplex(7);
        let near = FaultyStream::new(near, faults, faults);
        let matcher = exactly(LEDGER);
        let serve = async {
            let (mut stream, peer) = server.accept(near, AlpnAnswer::None).await.unwrap();
            let mut heard = [0; 4];
            stream.read_exact(&mut heard).await.unwrap();
            stream.write_all(&heard).await.unwrap();
            stream.flush().await.unwrap();
            peer
        };
        let connect = async {
            let (mut stream, _) = client.connect(far, None, &matcher, &[]).await.unwrap();
            stream.write_all(b"ping").await.unwrap();
            stream.flush().await.unwrap();
            let mut heard = [0; 4];
            stream.read_exact(&mut heard).await.unwrap();
            heard
        };
        let (peer, heard) = tokio::join!(serve, connect);
        assert_eq!((peer.id().as_str(), &heard), (SHOP, b"ping"), "{provider}");
    }
}

/// The verdict of one handshake never reaches another, though one task polls both in turns.
#[tokio::test]
async fn handshakes_in_one_task_are_apart() {
    let ca = crate::kit::ca();
    for provider in PROVIDERS {
        let (server, client) = (server(&ca, &provider.profile()), client(&ca, &provider.profile()));
        let (right, wrong) = (exactly(LEDGER), exactly(SHOP));
        let (one, two, three) = tokio::join!(
            mesh_to_mesh(&server, &client, &right),
            mesh_to_mesh(&server, &client, &wrong),
            mesh_to_mesh(&server, &client, &right),
        );
        assert_eq!(one.1.unwrap().1.id().as_str(), LEDGER, "{provider}");
        assert_eq!(two.1.unwrap_err().reason(), "name_mismatch", "{provider}");
        assert_eq!(three.0.unwrap().1.id().as_str(), SHOP, "{provider}");
        assert!(three.1.is_ok() && one.0.is_ok() && two.0.is_err(), "{provider}");
    }
}
