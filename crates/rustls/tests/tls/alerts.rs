//! What a peer is told: the alert on the wire, for every defect, at both ends, in both versions.

use meshtls_identity::{AcceptedDomains, IdMatcher};
use meshtls_rustls::{AlpnAnswer, HandshakeError, MeshClient, MeshServer, refusal_of};
use meshtls_svid::{RejectSvid, TrustBundle, TrustBundles, Usage};
use meshtls_testkit::{Defect, Faults, FaultyStream, RawClient, RawServer, TestCa, Verdict};
use tokio::io::{AsyncReadExt as _, duplex};

use crate::kit::{
    LEDGER, PROVIDERS, SHOP, Version, alert_in, ca, client, each, exactly, link, mesh_to_mesh,
    mesh_to_raw_client, raw_server_to_mesh, server, snapshot,
};

/// The alert that goes with each reason: Envoy's where known (rule IN-20).
fn alert_for(reason: &str) -> u8 {
    match reason {
        "expired" | "issuer_expired" | "anchor_expired" => 45,
        "not_yet_valid" | "issuer_not_yet_valid" | "anchor_not_yet_valid" => 45,
        "untrusted_issuer" | "wrong_signature" | "issuer_not_authority" | "path_length" => 48,
        "malformed_certificate" | "certificate_version" | "unknown_critical_extension" => 42,
        "wrong_purpose" => 43,
        _ => 46,
    }
}

/// Who a chain with `defect` names, if it is accepted.
fn id_of(defect: Defect) -> &'static str {
    match defect {
        Defect::PathBeyondServiceAccount => "spiffe://prod.example/ns/pay/sa/ledger/x",
        _ => LEDGER,
    }
}

/// Copies, since a configuration takes its trust over.
fn copied(bundles: &TrustBundles) -> TrustBundles {
    TrustBundles::new(bundles.bundles().map(|bundle| {
        TrustBundle::new(bundle.trust_domain().clone(), bundle.anchors().to_vec()).unwrap()
    }))
}

#[tokio::test]
async fn clients_with_a_defect() {
    let ca = ca();
    for (provider, version) in each() {
        for defect in Defect::all() {
            let name = format!("{defect}, {provider} {version:?}");
            let hostile = ca.hostile(defect);
            let own = snapshot(ca.svid(LEDGER), copied(hostile.bundles()));
            let server = MeshServer::new(&provider.profile(), &own, &AcceptedDomains::Any).unwrap();
            let config = RawClient::new(provider.get())
                .with_versions(version.only())
                .with_certificate(hostile.chain(), &hostile.private_key())
                .config();
            let (peer, seen) = mesh_to_raw_client(&server, AlpnAnswer::None, config).await;
            match defect.verdict(Usage::Client) {
                Verdict::Accepted => {
                    assert_eq!(peer.unwrap().id().as_str(), id_of(defect), "{name}");
                }
                Verdict::HandshakeFails => {
                    let error = peer.unwrap_err();
                    assert_eq!(
                        (error.reason(), seen.alert()),
                        ("not_key_holder", Some(51)),
                        "{name}"
                    );
                }
                Verdict::Rejected("no_certificate") => {
                    assert!(matches!(peer, Err(HandshakeError::NoCertificate)), "{name}");
                    let want = if version == Version::Tls13 { 116 } else { 40 };
                    assert_eq!(seen.alert(), Some(want), "{name}");
                }
                Verdict::Rejected(reason) => {
                    let error = peer.unwrap_err();
                    assert!(matches!(error, HandshakeError::Rejected(_)), "{name}: {error:?}");
                    assert_eq!(
                        (error.reason(), seen.alert()),
                        (reason, Some(alert_for(reason))),
                        "{name}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn servers_with_a_defect() {
    let ca = ca();
    for (provider, version) in each() {
        for defect in Defect::all() {
            if defect == Defect::NoCertificate {
                continue; // rustls does not let a server go without; the next test does.
            }
            let name = format!("{defect}, {provider} {version:?}");
            let hostile = ca.hostile(defect);
            let own = snapshot(ca.svid(SHOP), copied(hostile.bundles()));
            let client = MeshClient::new(&provider.profile(), &own).unwrap();
            let config = RawServer::new(provider.get(), hostile.chain(), &hostile.private_key())
                .with_versions(version.only())
                .asking_for_certificate()
                .config();
            let (served, peer) = raw_server_to_mesh(config, &client, &IdMatcher::Any).await;
            let alert = served.err().as_ref().and_then(alert_in);
            match defect.verdict(Usage::Server) {
                Verdict::Accepted => {
                    assert_eq!(peer.unwrap().id().as_str(), id_of(defect), "{name}");
                }
                Verdict::HandshakeFails => {
                    let error = peer.unwrap_err();
                    assert_eq!((error.reason(), alert), ("not_key_holder", Some(51)), "{name}");
                }
                Verdict::Rejected(reason) => {
                    let error = peer.unwrap_err();
                    assert_eq!(
                        (error.reason(), alert),
                        (reason, Some(alert_for(reason))),
                        "{name}"
                    );
                }
            }
        }
    }
}

/// Who claims no certificate at all, rather than an empty one.
#[tokio::test]
async fn clients_without_a_certificate() {
    let ca = ca();
    for (provider, version) in each() {
        let config = RawClient::new(provider.get())
            .with_versions(version.only())
            .config();
        let server = server(&ca, &provider.profile());
        let (peer, seen) = mesh_to_raw_client(&server, AlpnAnswer::None, config).await;
        let error = peer.unwrap_err();
        assert!(matches!(error, HandshakeError::NoCertificate), "{error:?}");
        let want = if version == Version::Tls13 { 116 } else { 40 };
        assert_eq!(
            (error.reason(), seen.alert()),
            ("no_certificate", Some(want)),
            "{provider} {version:?}"
        );
    }
}

#[tokio::test]
async fn clients_of_a_domain_that_is_not_accepted() {
    let (ca, foreign) = (ca(), TestCa::new("foreign.example"));
    for (provider, version) in each() {
        let trust = TrustBundles::new([ca.bundle(), foreign.bundle()]);
        let accepted = AcceptedDomains::from_iter([ca.trust_domain().clone()]);
        let own = snapshot(ca.svid(LEDGER), trust);
        let server = MeshServer::new(&provider.profile(), &own, &accepted).unwrap();
        let config = RawClient::new(provider.get())
            .with_versions(version.only())
            .with_svid(&foreign.svid("spiffe://foreign.example/ns/a/sa/b"))
            .config();
        let (peer, seen) = mesh_to_raw_client(&server, AlpnAnswer::None, config).await;
        let error = peer.unwrap_err();
        let HandshakeError::Rejected(RejectSvid::NotAccepted { presented, .. }) = error else {
            panic!("{error:?}")
        };
        assert_eq!(presented.as_str(), "spiffe://foreign.example/ns/a/sa/b");
        assert_eq!(seen.alert(), Some(46), "{provider} {version:?}");
    }
}

#[tokio::test]
async fn servers_that_are_somebody_else() {
    let ca = ca();
    for (provider, version) in each() {
        let config = RawServer::with_svid(provider.get(), &ca.svid(LEDGER))
            .with_versions(version.only())
            .asking_for_certificate()
            .config();
        let client = client(&ca, &provider.profile());
        let expected = exactly("spiffe://prod.example/ns/pay/sa/other");
        let (served, peer) = raw_server_to_mesh(config, &client, &expected).await;
        let error = peer.unwrap_err();
        let HandshakeError::NameMismatch { presented, accepted } = &error else {
            panic!("{error:?}")
        };
        assert_eq!((presented.as_str(), accepted), (LEDGER, &expected));
        assert_eq!(error.reason(), "name_mismatch");
        let text = error.to_string();
        assert!(text.contains("/sa/ledger") && text.contains("/sa/other"), "{text}");
        assert_eq!(served.err().as_ref().and_then(alert_in), Some(46), "{provider} {version:?}");
    }
}

/// Our server hears the alert by which our client refuses it.
#[tokio::test]
async fn the_refused_server_hears_why() {
    let ca = ca();
    for provider in PROVIDERS {
        let (server, client) = (server(&ca, &provider.profile()), client(&ca, &provider.profile()));
        let (accepted, connected) = mesh_to_mesh(&server, &client, &exactly(SHOP)).await;
        assert!(matches!(connected, Err(HandshakeError::NameMismatch { .. })));
        let error = accepted.unwrap_err();
        let HandshakeError::AlertReceived(refused) = &error else { panic!("{error:?}") };
        assert_eq!((refused.alert.code(), error.reason()), (46, "alert_received"), "{provider}");
        assert!(refused.alert.is_about_certificate());
        assert_eq!(
            error.to_string(),
            "the peer refused us with the TLS alert certificate_unknown (46)"
        );
    }
}

/// In TLS 1.3 our client hears of its refusal on its first read, in TLS 1.2 in the handshake.
#[tokio::test]
async fn the_refused_client_hears_why() {
    let (ca, impostor) = (ca(), TestCa::new("prod.example"));
    for provider in PROVIDERS {
        let own = snapshot(impostor.svid(SHOP), ca.bundles());
        let client = MeshClient::new(&provider.profile(), &own).unwrap();
        let server = server(&ca, &provider.profile());
        let (near, far) = link();
        let matcher = exactly(LEDGER);
        let (accepted, connected) = tokio::join!(
            server.accept(near, AlpnAnswer::None),
            client.connect(far, None, &matcher, &[])
        );
        assert!(matches!(accepted, Err(HandshakeError::Rejected(_))), "{provider}");
        let (mut stream, peer) = connected.expect("the server is who it should be");
        assert_eq!(peer.id().as_str(), LEDGER, "{provider}");
        let error = stream.read_u8().await.unwrap_err();
        let refused = refusal_of(&error).expect("typed");
        assert_eq!((refused.alert.code(), refused.alert.name()), (48, "unknown_ca"), "{provider}");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionAborted, "{provider}");
        let again = stream.read_u8().await.unwrap_err();
        assert!(refusal_of(&again).is_none(), "told once; then it is an ended stream: {again:?}");
    }
}

/// A transport that is not ready when the alert is due gets it nevertheless.
#[tokio::test(start_paused = true)]
async fn alerts_through_a_slow_link_of_one_byte_pieces() {
    let ca = ca();
    for (provider, version) in each() {
        let server = server(&ca, &provider.profile());
        let faults = Faults::chunks(1).with_delay(std::time::Duration::from_millis(1));
        let (near, far) = duplex(5);
        let near = FaultyStream::new(near, faults, faults);
        let config = RawClient::new(provider.get())
            .with_versions(version.only())
            .config();
        let connect = async {
            let name = "ledger.pay".try_into().unwrap();
            let mut stream = tokio_rustls::TlsConnector::from(config)
                .connect(name, far)
                .await?;
            stream.read_u8().await
        };
        let (accepted, heard) = tokio::join!(server.accept(near, AlpnAnswer::None), connect);
        assert!(matches!(accepted, Err(HandshakeError::NoCertificate)), "{provider} {version:?}");
        let want = if version == Version::Tls13 { 116 } else { 40 };
        assert_eq!(alert_in(&heard.unwrap_err()), Some(want), "{provider} {version:?}");
    }
}
