//! What the tests share: providers, versions, and the two ends.

use std::fmt;
use std::io;
use std::sync::Arc;

use meshtls_identity::{AcceptedDomains, IdMatcher};
use meshtls_rustls::{
    AlpnAnswer, ClientStream, HandshakeError, MeshClient, MeshServer, ServerStream, TlsProfile,
    VerifiedPeer,
};
use meshtls_svid::{SvidHandle, SvidSnapshot, TrustBundles, X509Svid};
use meshtls_testkit::{ManualClock, TestCa, test_time};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub(crate) const LEDGER: &str = "spiffe://prod.example/ns/pay/sa/ledger";
pub(crate) const SHOP: &str = "spiffe://prod.example/ns/shop/sa/web";

pub(crate) fn ca() -> TestCa {
    TestCa::new("prod.example").with_intermediate()
}

/// The crypto provider of a test.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Provider {
    Ring,
    AwsLcRs,
}

pub(crate) const PROVIDERS: [Provider; 2] = [Provider::Ring, Provider::AwsLcRs];

impl Provider {
    pub(crate) fn get(self) -> Arc<CryptoProvider> {
        Arc::new(match self {
            Self::Ring => rustls::crypto::ring::default_provider(),
            Self::AwsLcRs => rustls::crypto::aws_lc_rs::default_provider(),
        })
    }

    /// With a clock that stands at the time of the testkit's authorities.
    pub(crate) fn profile(self) -> TlsProfile {
        self.profile_at(Arc::new(ManualClock::new(test_time())))
    }

    pub(crate) fn profile_at(self, clock: Arc<ManualClock>) -> TlsProfile {
        TlsProfile::new(self.get()).with_time(clock)
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The version that the end without our care insists on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Version {
    Tls12,
    Tls13,
}

pub(crate) const VERSIONS: [Version; 2] = [Version::Tls12, Version::Tls13];

impl Version {
    pub(crate) fn only(self) -> &'static [&'static SupportedProtocolVersion] {
        const TLS12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
        const TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
        match self {
            Self::Tls12 => TLS12,
            Self::Tls13 => TLS13,
        }
    }
}

pub(crate) fn each() -> impl Iterator<Item = (Provider, Version)> {
    PROVIDERS
        .into_iter()
        .flat_map(|provider| VERSIONS.map(|version| (provider, version)))
}

pub(crate) fn snapshot(svid: X509Svid, bundles: TrustBundles) -> Arc<SvidSnapshot> {
    SvidHandle::new(svid, bundles).load()
}

pub(crate) fn server(ca: &TestCa, profile: &TlsProfile) -> MeshServer {
    let accepted = AcceptedDomains::from_iter([ca.trust_domain().clone()]);
    MeshServer::new(profile, &snapshot(ca.svid(LEDGER), ca.bundles()), &accepted).unwrap()
}

pub(crate) fn client(ca: &TestCa, profile: &TlsProfile) -> MeshClient {
    MeshClient::new(profile, &snapshot(ca.svid(SHOP), ca.bundles())).unwrap()
}

pub(crate) fn exactly(id: &str) -> IdMatcher {
    IdMatcher::Exact(id.parse().unwrap())
}

pub(crate) type Accepted = Result<(ServerStream<DuplexStream>, VerifiedPeer), HandshakeError>;
pub(crate) type Connected = Result<(ClientStream<DuplexStream>, VerifiedPeer), HandshakeError>;

pub(crate) fn link() -> (DuplexStream, DuplexStream) {
    duplex(64 * 1024)
}

/// Our server against our client.
pub(crate) async fn mesh_to_mesh(
    server: &MeshServer,
    client: &MeshClient,
    accepted: &IdMatcher,
) -> (Accepted, Connected) {
    let (near, far) = link();
    tokio::join!(server.accept(near, AlpnAnswer::None), client.connect(far, None, accepted, &[]))
}

/// What a client of stock rustls saw, up to the first byte of the server or instead of it.
pub(crate) struct Seen {
    pub(crate) outcome: Result<rustls::ClientConnection, io::Error>,
}

impl Seen {
    /// The alert that ended it.
    pub(crate) fn alert(&self) -> Option<u8> {
        self.outcome.as_ref().err().and_then(alert_in)
    }
}

pub(crate) fn alert_in(error: &io::Error) -> Option<u8> {
    match error.get_ref()?.downcast_ref()? {
        rustls::Error::AlertReceived(alert) => Some((*alert).into()),
        _ => None,
    }
}

/// Our server against stock rustls. A server that accepts says one byte.
pub(crate) async fn mesh_to_raw_client(
    server: &MeshServer,
    answer: AlpnAnswer,
    config: Arc<ClientConfig>,
) -> (Result<VerifiedPeer, HandshakeError>, Seen) {
    let (near, far) = link();
    let serve = async {
        let (mut stream, peer) = server.accept(near, answer).await?;
        stream.write_all(b"!").await.unwrap();
        stream.shutdown().await.unwrap();
        Ok(peer)
    };
    let name = ServerName::try_from("ledger.pay").unwrap();
    let connect = async {
        let mut stream = TlsConnector::from(config).connect(name, far).await?;
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await?;
        assert_eq!(heard, b"!");
        Ok(stream.into_inner().1)
    };
    let (peer, outcome) = tokio::join!(serve, connect);
    (peer, Seen { outcome })
}

/// Stock rustls against our client, which reads one byte from a server that accepts it.
pub(crate) async fn raw_server_to_mesh(
    config: Arc<ServerConfig>,
    client: &MeshClient,
    accepted: &IdMatcher,
) -> (Result<rustls::ServerConnection, io::Error>, Result<VerifiedPeer, HandshakeError>) {
    let (near, far) = link();
    let serve = async {
        let mut stream = TlsAcceptor::from(config).accept(near).await?;
        stream.write_all(b"!").await?;
        stream.shutdown().await?;
        Ok(stream.into_inner().1)
    };
    let connect = async {
        let (mut stream, peer) = client.connect(far, None, accepted, &[]).await?;
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"!");
        Ok(peer)
    };
    tokio::join!(serve, connect)
}
