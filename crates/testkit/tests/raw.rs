//! Raw ends against each other: what they offer, and what a wrong key comes to.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use meshtls_testkit::{Defect, RawClient, RawServer, TestCa};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{
    ClientConfig, ClientConnection, Error, ServerConfig, ServerConnection,
    SupportedProtocolVersion, version,
};
use rustls_pki_types::ServerName;

#[test]
fn any_certificate_of_either_end_is_taken() {
    let ca = TestCa::new("prod.example");
    let svid = ca.svid("spiffe://prod.example/ns/pay/sa/ledger");
    for versions in VERSIONS {
        for defect in [Defect::Expired, Defect::SelfSigned, Defect::TwoUris, Defect::LeafIsCa] {
            let hostile = ca.hostile(defect);
            let client = RawClient::new(provider())
                .with_versions(versions)
                .with_certificate(hostile.chain(), &hostile.private_key());
            let server = RawServer::with_svid(provider(), &svid).asking_for_certificate();
            let (_, server) = shake_hands(client.config(), server.config()).unwrap();
            assert_eq!(server.peer_certificates().unwrap(), hostile.chain(), "{defect}");

            let client = RawClient::new(provider())
                .with_versions(versions)
                .with_svid(&svid);
            let server = RawServer::new(provider(), hostile.chain(), &hostile.private_key());
            let (client, _) = shake_hands(client.config(), server.config()).unwrap();
            assert_eq!(client.peer_certificates().unwrap(), hostile.chain(), "{defect}");
        }
    }
}

#[test]
fn a_wrong_key_fails_over_the_signature_of_the_handshake() {
    let ca = TestCa::new("prod.example");
    let svid = ca.svid("spiffe://prod.example/ns/pay/sa/ledger");
    let wrong = ca.hostile(Defect::WrongKey);
    for versions in VERSIONS {
        let client = RawClient::new(provider())
            .with_versions(versions)
            .with_certificate(wrong.chain(), &wrong.private_key());
        let server = RawServer::with_svid(provider(), &svid).asking_for_certificate();
        let error = shake_hands(client.config(), server.config()).unwrap_err();
        assert!(is_bad_signature(&error), "client, {versions:?}: {error:?}");

        let client = RawClient::new(provider()).with_versions(versions);
        let server = RawServer::new(provider(), wrong.chain(), &wrong.private_key());
        let error = shake_hands(client.config(), server.config()).unwrap_err();
        assert!(is_bad_signature(&error), "server, {versions:?}: {error:?}");
    }
}

#[test]
fn names_are_offered_as_given_and_sessions_are_not_resumed() {
    let ca = TestCa::new("prod.example");
    let svid = ca.svid("spiffe://prod.example/ns/pay/sa/ledger");
    let client = RawClient::new(provider())
        .with_alpn(&[b"istio", b"h2"])
        .config();
    let server = RawServer::with_svid(provider(), &svid)
        .with_alpn(&[b"h2", b"http/1.1"])
        .config();
    for _ in 0..2 {
        let (client, _) = shake_hands(Arc::clone(&client), Arc::clone(&server)).unwrap();
        assert_eq!(client.alpn_protocol(), Some(b"h2".as_slice()));
        assert_eq!(client.handshake_kind(), Some(rustls::HandshakeKind::Full));
    }
}

#[test]
fn without_a_certificate_none_is_presented() {
    let ca = TestCa::new("prod.example");
    let svid = ca.svid("spiffe://prod.example/ns/pay/sa/ledger");
    let client = RawClient::new(provider()).config();
    let server = RawServer::with_svid(provider(), &svid)
        .asking_for_certificate()
        .config();
    let error = shake_hands(client, server).unwrap_err();
    assert_eq!(error, Error::NoCertificatesPresented);
}

/// Carries records to and fro until both ends are done, or one has failed.
fn shake_hands(
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
) -> Result<(ClientConnection, ServerConnection), Error> {
    let name = ServerName::try_from("peer.test").unwrap();
    let mut client = ClientConnection::new(client, name)?;
    let mut server = ServerConnection::new(server)?;
    while client.is_handshaking() || server.is_handshaking() {
        let mut records = vec![];
        while client.wants_write() {
            client.write_tls(&mut records).unwrap();
        }
        server.read_tls(&mut records.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut records = vec![];
        while server.wants_write() {
            server.write_tls(&mut records).unwrap();
        }
        client.read_tls(&mut records.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    Ok((client, server))
}

const VERSIONS: [&[&SupportedProtocolVersion]; 2] = [&[&version::TLS12], &[&version::TLS13]];

fn is_bad_signature(error: &Error) -> bool {
    matches!(error, Error::InvalidCertificate(rustls::CertificateError::BadSignature))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
