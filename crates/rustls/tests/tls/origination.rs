//! Handshakes with servers outside the mesh: SIMPLE and MUTUAL.

use std::sync::Arc;

use meshtls_rustls::{
    OriginatedPeer, OriginationClient, OriginationConfigError, OriginationError, TlsMinimum,
    TlsProfile, TlsVersion,
};
use meshtls_svid::{KeyedChain, NameCheck, RejectServer, ServerAuthorities};
use meshtls_testkit::{Ending, Faults, FaultyStream, RawServer, Revocations, TestCa};
use rustls::ServerConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

use crate::kit::{PROVIDERS, Provider, Version, ca, each, link};

const API: &str = "api.example.com";

fn authorities(ca: &TestCa) -> Arc<ServerAuthorities> {
    Arc::new(ServerAuthorities::new(ca.bundle().anchors()).unwrap())
}

fn simple(ca: &TestCa, profile: &TlsProfile) -> OriginationClient {
    OriginationClient::new(profile, authorities(ca), None).unwrap()
}

fn host(name: &str) -> NameCheck {
    NameCheck::Host(server_name(name))
}

fn server_name(name: &str) -> ServerName<'static> {
    ServerName::try_from(name.to_owned()).unwrap()
}

fn raw(provider: Provider, own: &KeyedChain) -> RawServer {
    RawServer::new(provider.get(), own.chain(), own.private_key())
}

/// What the server saw of a client.
#[derive(Debug, PartialEq)]
struct Seen {
    sni: Option<String>,
    certificates: usize,
}

/// Stock rustls against our client, which reads one byte from a server that accepts it.
async fn originate(
    config: Arc<ServerConfig>,
    client: &OriginationClient,
    sni: Option<&str>,
    names: &NameCheck,
    alpn: &[&[u8]],
) -> (std::io::Result<Seen>, Result<OriginatedPeer, OriginationError>) {
    let (near, far) = link();
    let serve = async {
        let mut stream = TlsAcceptor::from(config).accept(near).await?;
        stream.write_all(b"!").await?;
        stream.shutdown().await?;
        let (_, connection) = stream.get_ref();
        Ok(Seen {
            sni: connection.server_name().map(str::to_owned),
            certificates: connection.peer_certificates().map_or(0, <[_]>::len),
        })
    };
    let connect = async {
        let (mut stream, peer) = client
            .connect(far, sni.map(server_name), names, alpn)
            .await?;
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"!");
        Ok(peer)
    };
    tokio::join!(serve, connect)
}

fn rejected(outcome: Result<OriginatedPeer, OriginationError>) -> RejectServer {
    match outcome.unwrap_err() {
        OriginationError::Rejected(reject) => reject,
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn simple_shows_no_certificate_and_learns_the_names() {
    let ca = ca();
    let web = ca.web_certificate(&[API, "10.1.2.3"]);
    for (provider, version) in each() {
        let config = raw(provider, &web)
            .with_versions(version.only())
            .with_alpn(&[b"h2"])
            .config();
        let client = simple(&ca, &provider.profile());
        let (seen, peer) = originate(config, &client, Some(API), &host(API), &[b"h2"]).await;
        let (seen, peer) = (seen.unwrap(), peer.unwrap());
        assert_eq!(seen, Seen { sni: Some(API.to_owned()), certificates: 0 });
        assert_eq!(peer.presented().to_string(), "api.example.com, 10.1.2.3");
        assert_eq!(peer.presented().iter().count(), 2);
        assert!(peer.is_verified());
        assert_eq!(peer.alpn(), Some(b"h2".as_slice()));
        assert_eq!(format!("{version:?}"), format!("{:?}", peer.tls_version()), "{provider}");
    }
}

#[tokio::test]
async fn mutual_shows_its_certificate() {
    let ca = ca();
    let (web, own) = (ca.web_certificate(&[API]), ca.web_certificate(&["client.example.com"]));
    for (provider, version) in each() {
        let config = raw(provider, &web)
            .with_versions(version.only())
            .asking_for_certificate()
            .config();
        let client =
            OriginationClient::new(&provider.profile(), authorities(&ca), Some(&own)).unwrap();
        let (seen, peer) = originate(config, &client, None, &host(API), &[]).await;
        assert_eq!(seen.unwrap(), Seen { sni: None, certificates: 2 }, "{provider} {version:?}");
        assert!(peer.unwrap().alpn().is_none());
    }
}

#[tokio::test]
async fn the_name_counts_and_not_the_sni() {
    let ca = ca();
    for provider in PROVIDERS {
        let client = simple(&ca, &provider.profile());
        let config = || raw(provider, &ca.web_certificate(&[API])).config();
        let sni = Some("front.example.com");
        assert!(
            originate(config(), &client, sni, &host(API), &[])
                .await
                .1
                .is_ok()
        );
        assert!(
            originate(config(), &client, sni, &NameCheck::ChainOnly, &[])
                .await
                .1
                .is_ok()
        );

        let names = host("front.example.com");
        let (seen, peer) = originate(config(), &client, sni, &names, &[]).await;
        assert_eq!(crate::kit::alert_in(&seen.unwrap_err()), Some(46));
        let error = rejected(peer);
        assert_eq!(
            error.to_string(),
            "the server presented api.example.com, but accepted is front.example.com"
        );
        assert_eq!(error.reason(), "wrong_server_name");
    }
}

/// Without a name to check, the chain still has to be good.
#[tokio::test]
async fn chain_only_checks_the_chain() {
    let (ca, other) = (ca(), TestCa::new("prod.example"));
    for provider in PROVIDERS {
        let client = simple(&ca, &provider.profile());
        let config = raw(provider, &other.web_certificate(&[API])).config();
        let (seen, peer) = originate(config, &client, Some(API), &NameCheck::ChainOnly, &[]).await;
        assert_eq!(crate::kit::alert_in(&seen.unwrap_err()), Some(48));
        assert_eq!(rejected(peer).reason(), "untrusted_issuer");
    }
}

#[tokio::test]
async fn revoked_servers_are_told_so() {
    let ca = TestCa::new("prod.example");
    let list = ca.revocation_list(Revocations::EveryWebCertificate);
    for provider in PROVIDERS {
        let authorities = ServerAuthorities::new(ca.bundle().anchors())
            .unwrap()
            .with_revocation_lists(std::slice::from_ref(&list))
            .unwrap();
        let client =
            OriginationClient::new(&provider.profile(), Arc::new(authorities), None).unwrap();
        let config = raw(provider, &ca.web_certificate(&[API])).config();
        let (seen, peer) = originate(config, &client, Some(API), &host(API), &[]).await;
        assert_eq!(crate::kit::alert_in(&seen.unwrap_err()), Some(44));
        assert_eq!(rejected(peer), RejectServer::Revoked);
    }
}

/// Whose key it is has to be proved, even where any certificate will do.
#[tokio::test]
async fn without_verification_the_key_still_counts() {
    let (ca, other) = (ca(), TestCa::new("other.example"));
    let (web, stolen) = (other.web_certificate(&["x.example"]), other.web_certificate(&[API]));
    for (provider, version) in each() {
        let client =
            OriginationClient::dangerous_without_verification(&provider.profile(), None).unwrap();
        let config = raw(provider, &web).with_versions(version.only()).config();
        let (_, peer) = originate(config, &client, Some(API), &host(API), &[]).await;
        let peer = peer.unwrap();
        assert!(!peer.is_verified());
        assert_eq!(peer.presented().to_string(), "x.example");

        for (client, chain) in [
            (&client, stolen.chain()),
            (&simple(&ca, &provider.profile()), ca.web_certificate(&[API]).chain()),
        ] {
            let config = RawServer::new(provider.get(), chain, web.private_key())
                .with_versions(version.only())
                .config();
            let (_, peer) = originate(config, client, Some(API), &host(API), &[]).await;
            let error = peer.unwrap_err();
            assert_eq!(error.reason(), "not_key_holder", "{provider} {version:?}");
            assert_eq!(
                error.to_string(),
                "the server does not hold the key of the certificate for api.example.com"
            );
        }
    }
}

#[tokio::test]
async fn a_server_that_refuses_us_is_told_from_one_that_we_refuse() {
    let ca = ca();
    for provider in PROVIDERS {
        let profile = provider.profile().with_minimum_version(TlsMinimum::Tls13);
        let config = raw(provider, &ca.web_certificate(&[API]))
            .with_versions(Version::Tls12.only())
            .config();
        let (_, peer) = originate(config, &simple(&ca, &profile), None, &host(API), &[]).await;
        let error = peer.unwrap_err();
        let OriginationError::AlertReceived(refused) = &error else { panic!("{error:?}") };
        assert_eq!((refused.alert.code(), error.reason()), (70, "alert_received"));
    }
}

#[tokio::test]
async fn a_server_without_tls() {
    let ca = ca();
    for (said, want) in [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".as_slice(), "tls_protocol"),
        (b"", "closed_in_handshake"),
    ] {
        let (mut near, far) = link();
        near.write_all(said).await.unwrap();
        near.shutdown().await.unwrap();
        let client = simple(&ca, &Provider::Ring.profile());
        let error = client
            .connect(far, None, &host(API), &[])
            .await
            .unwrap_err();
        assert_eq!(error.reason(), want);
    }
    let (_near, far) = link();
    let torn = FaultyStream::new(far, Faults::ending(0, Ending::Reset), Faults::default());
    let client = simple(&ca, &Provider::Ring.profile());
    let error = client
        .connect(torn, None, &host(API), &[])
        .await
        .unwrap_err();
    assert_eq!(error.reason(), "transport");
}

#[test]
fn own_certificates_have_to_fit_their_keys() {
    let ca = ca();
    for provider in PROVIDERS {
        let (one, other) = (ca.web_certificate(&["a"]), ca.web_certificate(&["b"]));
        let mixed = KeyedChain::new(one.chain().to_vec(), other.private_key().clone_key()).unwrap();
        let outcome = OriginationClient::new(&provider.profile(), authorities(&ca), Some(&mixed));
        assert!(matches!(outcome.unwrap_err(), OriginationConfigError::KeyMismatch));

        let nonsense = rustls::pki_types::PrivatePkcs8KeyDer::from(b"nonsense".to_vec());
        let broken = KeyedChain::new(one.chain().to_vec(), nonsense.into()).unwrap();
        let outcome = OriginationClient::new(&provider.profile(), authorities(&ca), Some(&broken));
        assert!(matches!(outcome.unwrap_err(), OriginationConfigError::UnusableKey(_)));
    }
}

/// Several connections at once with one client: each is judged by its own names.
#[tokio::test]
async fn connections_do_not_share_their_verdicts() {
    let ca = ca();
    let client = simple(&ca, &Provider::Ring.profile());
    let config = || raw(Provider::Ring, &ca.web_certificate(&[API])).config();
    let (good, bad) = (host(API), host("b.example.com"));
    let (good, bad) = tokio::join!(
        originate(config(), &client, Some(API), &good, &[]),
        originate(config(), &client, Some(API), &bad, &[]),
    );
    assert_eq!(good.1.unwrap().tls_version(), TlsVersion::Tls13);
    assert_eq!(rejected(bad.1).reason(), "wrong_server_name");
}
