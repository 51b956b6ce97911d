//! An authority's own TLS: clients with an X509-SVID, without one, and with one that is rejected.

use std::sync::Arc;

use meshtls_identity::{AcceptedDomains, IdMatcher};
use meshtls_rustls::{EnrollmentServer, HandshakeError, MeshClient, TlsProfile};
use meshtls_svid::{NameCheck, ServerAuthorities};
use meshtls_testkit::{RawClient, TestCa};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::kit::{LEDGER, PROVIDERS, SHOP, ca, client, each, exactly, link, snapshot};

fn server(ca: &TestCa, profile: &TlsProfile) -> EnrollmentServer {
    let accepted = AcceptedDomains::from_iter([ca.trust_domain().clone()]);
    EnrollmentServer::new(profile, &snapshot(ca.svid(LEDGER), ca.bundles()), &accepted).unwrap()
}

#[tokio::test]
async fn whoever_shows_an_svid_is_known_and_whoever_shows_none_is_nobody() {
    let (ca, ledger) = (ca(), exactly(LEDGER));
    for provider in PROVIDERS {
        let profile = provider.profile();
        let server = server(&ca, &profile);

        let (near, far) = link();
        let with = client(&ca, &profile);
        let (accepted, connected) =
            tokio::join!(server.accept(near), with.connect(far, None, &ledger, &[b"h2"]));
        let (_, peer) = accepted.unwrap();
        let peer = peer.unwrap();
        assert_eq!((peer.id().as_str(), peer.alpn()), (SHOP, Some(&b"h2"[..])), "{provider}");
        assert_eq!(connected.unwrap().1.id().as_str(), LEDGER, "{provider}");

        let (near, far) = link();
        let without = MeshClient::without_svid(&profile, &Arc::new(ca.bundles())).unwrap();
        let (accepted, connected) =
            tokio::join!(server.accept(near), without.connect(far, None, &ledger, &[b"h2"]));
        let (mut stream, peer) = accepted.unwrap();
        assert_eq!(peer, None, "{provider}");
        let (mut heard, server) = connected.unwrap();
        assert_eq!(server.id().as_str(), LEDGER, "{provider}");
        stream.write_all(b"!").await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(heard.read_u8().await.unwrap(), b'!', "{provider}");
    }
}

/// A certificate that is rejected is not taken for none.
#[tokio::test]
async fn a_rejected_certificate_ends_the_handshake() {
    let (ca, other) = (ca(), TestCa::new("prod.example"));
    let foreign = TestCa::new("other.example");
    for (provider, version) in each() {
        let server = server(&ca, &provider.profile());
        for (name, svid, reason, alert) in [
            ("of another authority", other.svid(SHOP), "untrusted_issuer", 48),
            (
                "of another domain",
                foreign.svid("spiffe://other.example/shop"),
                "unknown_trust_domain",
                46,
            ),
        ] {
            let raw = RawClient::new(provider.get()).with_versions(version.only());
            let config = raw.with_svid(&svid).config();
            let (near, far) = link();
            let connect = async {
                let name = rustls::pki_types::ServerName::try_from("ca").unwrap();
                let mut stream = tokio_rustls::TlsConnector::from(config)
                    .connect(name, far)
                    .await?;
                stream.read_u8().await
            };
            let (accepted, seen) = tokio::join!(server.accept(near), connect);
            let error = accepted.unwrap_err();
            assert!(matches!(error, HandshakeError::Rejected(_)), "{name}: {error:?}");
            assert_eq!(error.reason(), reason, "{name}");
            let seen = crate::kit::alert_in(&seen.unwrap_err());
            assert_eq!(seen, Some(alert), "{name} {provider} {version:?}");
        }
    }
}

/// TLS 1.2 and stock clients without a certificate come in as nobody too.
#[tokio::test]
async fn a_stock_client_without_a_certificate_is_nobody() {
    let ca = ca();
    for (provider, version) in each() {
        let server = server(&ca, &provider.profile());
        let config = RawClient::new(provider.get())
            .with_versions(version.only())
            .config();
        let (near, far) = link();
        let name = rustls::pki_types::ServerName::try_from("ca").unwrap();
        let connector = tokio_rustls::TlsConnector::from(config);
        let (accepted, connected) = tokio::join!(server.accept(near), connector.connect(name, far));
        assert_eq!(accepted.unwrap().1, None, "{provider} {version:?}");
        connected.unwrap();
    }
}

#[tokio::test]
async fn the_server_must_be_who_the_client_expects() {
    let ca = ca();
    let (profile, bundles) = (PROVIDERS[0].profile(), Arc::new(ca.bundles()));
    let client = MeshClient::without_svid(&profile, &bundles).unwrap();
    for (name, server, expected, reason) in [
        ("another ID", server(&ca, &profile), exactly(SHOP), "name_mismatch"),
        (
            "another root",
            server(&TestCa::new("prod.example"), &profile),
            IdMatcher::Any,
            "untrusted_issuer",
        ),
    ] {
        let (near, far) = link();
        let (_, connected) =
            tokio::join!(server.accept(near), client.connect(far, None, &expected, &[]));
        assert_eq!(connected.unwrap_err().reason(), reason, "{name}");
    }
}

/// A certificate with a DNS name for clients that know no SPIFFE ID.
#[tokio::test]
async fn a_chain_with_a_dns_name_can_be_presented() {
    let (ca, web) = (ca(), TestCa::new("web.example"));
    let profile = PROVIDERS[0].profile();
    let own = web.web_certificate(&["istiod.istio-system.svc"]);
    let accepted = AcceptedDomains::from_iter([ca.trust_domain().clone()]);
    let server =
        EnrollmentServer::with_chain(&profile, &own, &Arc::new(ca.bundles()), &accepted).unwrap();
    let authorities = Arc::new(ServerAuthorities::new(web.bundle().anchors()).unwrap());
    let client = meshtls_rustls::OriginationClient::new(&profile, authorities, None).unwrap();
    let names = NameCheck::OneOf(vec!["istiod.istio-system.svc".to_owned()]);
    let (near, far) = link();
    let (accepted, connected) =
        tokio::join!(server.accept(near), client.connect(far, None, &names, &[b"h2"]));
    assert_eq!(accepted.unwrap().1, None);
    assert!(connected.unwrap().1.is_verified());
}
