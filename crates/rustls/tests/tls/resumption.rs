//! Nothing is resumed: each connection is verified as if it were the first.

use std::sync::Arc;
use std::time::Duration;

use meshtls_rustls::AlpnAnswer;
use meshtls_testkit::{ManualClock, RawClient, RawServer, test_time};
use rustls::HandshakeKind;
use rustls::client::Resumption;
use rustls::server::ServerSessionMemoryCache;

use crate::kit::{
    LEDGER, SHOP, ca, client, each, exactly, mesh_to_raw_client, raw_server_to_mesh, server,
};

/// A client that would resume finds nothing to resume with.
#[tokio::test]
async fn our_server_gives_no_tickets() {
    let ca = ca();
    for (provider, version) in each() {
        let name = format!("{provider} {version:?}");
        let raw = RawClient::new(provider.get()).with_versions(version.only());
        let mut config = Arc::unwrap_or_clone(raw.with_svid(&ca.svid(SHOP)).config());
        config.resumption = Resumption::in_memory_sessions(8);
        let config = Arc::new(config);
        let server = server(&ca, &provider.profile());
        for round in 0..3 {
            let (peer, seen) =
                mesh_to_raw_client(&server, AlpnAnswer::None, Arc::clone(&config)).await;
            assert_eq!(peer.unwrap().id().as_str(), SHOP, "{name}");
            let connection = seen.outcome.unwrap();
            assert_eq!(
                connection.handshake_kind(),
                Some(HandshakeKind::Full),
                "{name}, round {round}"
            );
            assert_eq!(connection.tls13_tickets_received(), 0, "{name}");
        }
    }
}

/// The same client, after its certificate has expired: a resumed connection would let it in.
#[tokio::test]
async fn an_expired_client_does_not_come_back() {
    let ca = ca();
    for (provider, version) in each() {
        let name = format!("{provider} {version:?}");
        let clock = Arc::new(ManualClock::new(test_time()));
        let server = server(&ca, &provider.profile_at(Arc::clone(&clock)));
        let svid = ca.svid(SHOP);
        let raw = RawClient::new(provider.get()).with_versions(version.only());
        let mut config = Arc::unwrap_or_clone(raw.with_svid(&svid).config());
        config.resumption = Resumption::in_memory_sessions(8);
        let config = Arc::new(config);

        clock.set(svid.not_after());
        let (peer, _) = mesh_to_raw_client(&server, AlpnAnswer::None, Arc::clone(&config)).await;
        assert!(peer.is_ok(), "{name}");
        clock.advance(Duration::from_secs(1));
        let (peer, seen) = mesh_to_raw_client(&server, AlpnAnswer::None, config).await;
        assert_eq!((peer.unwrap_err().reason(), seen.alert()), ("expired", Some(45)), "{name}");
    }
}

/// A server that would resume is not asked to.
#[tokio::test]
async fn our_client_uses_no_tickets() {
    let ca = ca();
    for (provider, version) in each() {
        let raw =
            RawServer::with_svid(provider.get(), &ca.svid(LEDGER)).with_versions(version.only());
        let mut config = Arc::unwrap_or_clone(raw.asking_for_certificate().config());
        config.session_storage = ServerSessionMemoryCache::new(8);
        config.send_tls13_tickets = 2;
        let config = Arc::new(config);
        let client = client(&ca, &provider.profile());
        for round in 0..3 {
            let (served, peer) =
                raw_server_to_mesh(Arc::clone(&config), &client, &exactly(LEDGER)).await;
            assert!(peer.is_ok());
            let kind = served.unwrap().handshake_kind();
            assert_eq!(kind, Some(HandshakeKind::Full), "{provider} {version:?}, round {round}");
        }
    }
}
