//! Handshakes that fail for other reasons than a certificate.

use std::error::Error as _;

use meshtls_identity::IdMatcher;
use meshtls_rustls::{AlpnAnswer, HandshakeError, TlsMinimum};
use meshtls_testkit::{Ending, Faults, FaultyStream, RawClient, RawServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::kit::{
    LEDGER, PROVIDERS, SHOP, Version, ca, client, exactly, link, mesh_to_raw_client,
    raw_server_to_mesh, server,
};

#[tokio::test]
async fn no_protocol_in_common() {
    let ca = ca();
    for provider in PROVIDERS {
        let (server, client) = (server(&ca, &provider.profile()), client(&ca, &provider.profile()));
        let (near, far) = link();
        let (accepted, connected) = tokio::join!(
            server.accept(near, AlpnAnswer::Http2),
            client.connect(far, None, &IdMatcher::Any, &[b"istio"])
        );
        let error = accepted.unwrap_err();
        assert!(
            matches!(error, HandshakeError::Tls(rustls::Error::NoApplicationProtocol)),
            "{error:?}"
        );
        assert_eq!(
            (error.reason(), error.to_string().as_str()),
            ("tls_protocol", "the TLS handshake failed")
        );
        assert!(error.source().is_some());
        let error = connected.unwrap_err();
        let HandshakeError::AlertReceived(refused) = error else { panic!("{error:?}") };
        assert_eq!(refused.alert.code(), 120, "{provider}");
        assert!(!refused.alert.is_about_certificate());
    }
}

#[tokio::test]
async fn no_version_in_common() {
    let ca = ca();
    for provider in PROVIDERS {
        let profile = provider.profile().with_minimum_version(TlsMinimum::Tls13);
        let raw = RawClient::new(provider.get()).with_versions(Version::Tls12.only());
        let config = raw.with_svid(&ca.svid(SHOP)).config();
        let (peer, seen) =
            mesh_to_raw_client(&server(&ca, &profile), AlpnAnswer::None, config).await;
        assert_eq!(
            (peer.unwrap_err().reason(), seen.alert()),
            ("tls_protocol", Some(70)),
            "{provider}"
        );

        let raw = RawServer::with_svid(provider.get(), &ca.svid(LEDGER));
        let config = raw.with_versions(Version::Tls12.only()).config();
        let (_, peer) = raw_server_to_mesh(config, &client(&ca, &profile), &exactly(LEDGER)).await;
        let error = peer.unwrap_err();
        let HandshakeError::AlertReceived(refused) = error else { panic!("{error:?}") };
        assert_eq!(refused.alert.code(), 70, "{provider}");
    }
}

/// Bytes that are no TLS get an alert, not silence.
#[tokio::test]
async fn plaintext_gets_an_alert() {
    let ca = ca();
    for provider in PROVIDERS {
        let server = server(&ca, &provider.profile());
        let (near, mut far) = link();
        far.write_all(b"GET / HTTP/1.1\r\nhost: ledger\r\n\r\n")
            .await
            .unwrap();
        let error = server.accept(near, AlpnAnswer::None).await.unwrap_err();
        assert_eq!(error.reason(), "tls_protocol", "{provider}");
        let mut heard = Vec::new();
        far.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, [21, 3, 3, 0, 2, 2, 50], "{provider}");
    }
}

/// A client that ends or breaks off the connection after any number of bytes is told apart from one that is refused.
#[tokio::test]
async fn connections_that_break() {
    let ca = ca();
    for provider in PROVIDERS {
        let server = server(&ca, &provider.profile());
        let client = client(&ca, &provider.profile());
        for (ending, reason) in
            [(Ending::Closed, "closed_in_handshake"), (Ending::Reset, "transport")]
        {
            for bytes in (0..1_400).step_by(100) {
                let (near, far) = link();
                let near =
                    FaultyStream::new(near, Faults::ending(bytes, ending), Faults::default());
                let (accepted, _) = tokio::join!(
                    server.accept(near, AlpnAnswer::None),
                    client.connect(far, None, &IdMatcher::Any, &[])
                );
                let error = accepted.unwrap_err();
                assert!(matches!(error, HandshakeError::Io(_)), "{error:?}");
                assert_eq!(error.reason(), reason, "{bytes} bytes, {provider}");
            }
        }
    }
}

/// A caller's deadline drops the future; the transport goes with it.
#[tokio::test(start_paused = true)]
async fn a_deadline_ends_a_silent_handshake() {
    let ca = ca();
    for provider in PROVIDERS {
        let server = server(&ca, &provider.profile());
        let (near, mut far) = link();
        let deadline = std::time::Duration::from_secs(10);
        let outcome = tokio::time::timeout(deadline, server.accept(near, AlpnAnswer::None)).await;
        assert!(outcome.is_err(), "{provider}");
        assert_eq!(far.read(&mut [0]).await.unwrap(), 0, "{provider}");
    }
}
