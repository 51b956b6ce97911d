//! A mesh of one trust domain, a client in it, and servers that are made up for one test.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use meshtls_connector::{
    ConnectError, Connector, ConnectorBuilder, Event, Observer, Outbound, Ready,
};
use meshtls_identity::AcceptedDomains;
use meshtls_policy::{
    Inventory, Labels, MeshSettings, PolicyHandle, PolicySet, Resources, Workload,
};
use meshtls_rustls::rustls::SupportedCipherSuite;
use meshtls_rustls::rustls::crypto::CryptoProvider;
use meshtls_rustls::rustls::server::{Acceptor, ClientHello};
use meshtls_rustls::{AlpnAnswer, HandshakeError, MeshServer, TlsProfile, VerifiedPeer};
use meshtls_svid::{SvidHandle, SvidSnapshot, X509Svid};
use meshtls_testkit::{ManualClock, TestCa};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const DOMAIN: &str = "prod.example";
pub(crate) const CLIENT: &str = "spiffe://prod.example/ns/web/sa/shop";
pub(crate) const LEDGER: &str = "spiffe://prod.example/ns/pay/sa/ledger";
pub(crate) const OTHER: &str = "spiffe://prod.example/ns/pay/sa/other";
pub(crate) const HOST: &str = "ledger.pay.svc.cluster.local";
pub(crate) const PORT: u16 = 80;

/// A trust domain, and the client's side of it.
pub(crate) struct World {
    pub(crate) ca: TestCa,
    pub(crate) profile: TlsProfile,
    pub(crate) identity: Arc<SvidHandle>,
    pub(crate) events: Arc<Events>,
}

/// Runs `test` in a new world for each provider.
pub(crate) async fn each_provider(test: impl AsyncFn(World)) {
    for profile in [TlsProfile::ring(), TlsProfile::aws_lc_rs()] {
        test(World::new(profile)).await;
    }
}

impl World {
    pub(crate) fn new(profile: TlsProfile) -> Self {
        let ca = TestCa::new(DOMAIN);
        let profile = profile.with_time(Arc::new(ManualClock::new(ca.now())));
        let identity = Arc::new(SvidHandle::new(ca.svid(CLIENT), ca.bundles()));
        Self { ca, profile, identity, events: Arc::default() }
    }

    /// A client in namespace `web`, who knows the services and policies in `yaml`.
    pub(crate) fn client(&self, yaml: &str) -> ConnectorBuilder<Ready> {
        let settings = MeshSettings::new(self.ca.trust_domain().clone());
        let resources = Resources::parse("test.yaml", yaml).unwrap();
        let inventory = Inventory::from_resources(&settings, &resources);
        Connector::builder(self.profile.clone())
            .svid(Arc::<SvidHandle>::clone(&self.identity))
            .policy(PolicyHandle::new(PolicySet::compile(settings, &resources)))
            .discovery(Arc::new(inventory))
            .client(Workload::new("web", Labels::default()))
            .observer(Arc::<Events>::clone(&self.events))
    }

    /// The profile without TLS 1.3.
    pub(crate) fn tls12(&self) -> TlsProfile {
        let provider = self.profile.provider();
        let mut suites = provider.cipher_suites.clone();
        suites.retain(|suite| matches!(suite, SupportedCipherSuite::Tls12(_)));
        let old = CryptoProvider { cipher_suites: suites, ..(**provider).clone() };
        TlsProfile::new(Arc::new(old)).with_time(Arc::clone(self.profile.time()))
    }

    /// A mesh server that says `hello` to whomever it lets in.
    pub(crate) async fn server(&self, id: &str) -> Server {
        self.server_with(&self.profile, self.ca.svid(id)).await
    }

    pub(crate) async fn server_with(&self, profile: &TlsProfile, svid: X509Svid) -> Server {
        let snapshot = SvidSnapshot::new(Arc::new(svid), Arc::new(self.ca.bundles()), 0);
        let domains = AcceptedDomains::from_iter([self.ca.trust_domain().clone()]);
        let mesh = MeshServer::new(profile, &snapshot, &domains).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, log) = log();
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let outcome = mesh.accept(tcp, AlpnAnswer::None).await;
                let (stream, outcome) = match outcome {
                    Ok((stream, peer)) => (Some(stream), Ok(peer)),
                    Err(error) => (None, Err(error)),
                };
                seen.lock().unwrap().push(outcome);
                // Not every client waits for it.
                if let Some(mut stream) = stream
                    && stream.write_all(b"hello").await.is_ok()
                {
                    stream.shutdown().await.ok();
                }
            }
        });
        Server { address, log }
    }
}

type Log<T> = Arc<Mutex<Vec<T>>>;

fn log<T>() -> (Log<T>, Log<T>) {
    let log = Arc::new(Mutex::new(Vec::new()));
    (Arc::clone(&log), log)
}

/// A mesh server, and how the handshakes at its end went.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    log: Log<Result<VerifiedPeer, HandshakeError>>,
}

impl Server {
    /// The peers of all handshakes so far. Panics if one failed.
    pub(crate) fn peers(&self) -> Vec<VerifiedPeer> {
        self.log
            .lock()
            .unwrap()
            .drain(..)
            .map(Result::unwrap)
            .collect()
    }
}

/// A server that runs `answer` for each connection, and keeps the connection's first bytes.
pub(crate) struct RawServer {
    pub(crate) address: SocketAddr,
    first_bytes: Log<Vec<u8>>,
}

impl RawServer {
    pub(crate) async fn new(answer: impl AsyncAnswer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, first_bytes) = log();
        tokio::spawn(async move {
            loop {
                let (mut tcp, _) = listener.accept().await.unwrap();
                let mut buffer = vec![0; 4096];
                let read = tcp.read(&mut buffer).await.unwrap();
                buffer.truncate(read);
                seen.lock().unwrap().push(buffer);
                answer.answer(tcp).await;
            }
        });
        Self { address, first_bytes }
    }

    /// What each connection sent first.
    pub(crate) fn first_bytes(&self) -> Vec<Vec<u8>> {
        self.first_bytes.lock().unwrap().clone()
    }
}

/// What a raw server does once it has read something.
pub(crate) trait AsyncAnswer: Send + Sync + 'static {
    fn answer(&self, tcp: TcpStream) -> impl Future<Output = ()> + Send;
}

/// Writes these bytes and closes.
pub(crate) struct Says(pub(crate) &'static [u8]);

impl AsyncAnswer for Says {
    async fn answer(&self, mut tcp: TcpStream) {
        tcp.write_all(self.0).await.unwrap();
        tcp.shutdown().await.unwrap();
    }
}

/// Resets the connection.
pub(crate) struct Resets;

impl AsyncAnswer for Resets {
    async fn answer(&self, tcp: TcpStream) {
        tcp.set_zero_linger().unwrap();
    }
}

/// Keeps the connection and says nothing.
pub(crate) struct KeepsSilent;

impl AsyncAnswer for KeepsSilent {
    async fn answer(&self, tcp: TcpStream) {
        tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(tcp);
        });
    }
}

/// A port of the loopback that nobody listens on.
pub(crate) async fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
}

/// An endpoint as a `ServiceEntry` has it: an address, and what else is to be said of it.
pub(crate) type At<'a> = (SocketAddr, &'a str);

/// `serviceAccount: ledger`, so in the mesh.
pub(crate) const AS_LEDGER: &str = "serviceAccount: ledger";

/// Service [`HOST`] in namespace `pay`, at these endpoints.
pub(crate) fn service(endpoints: &[At<'_>]) -> String {
    service_called(HOST, endpoints)
}

pub(crate) fn service_called(host: &str, endpoints: &[At<'_>]) -> String {
    let mut yaml = format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{ name: it, namespace: pay }}\nspec:\n  \
         hosts: ['{host}']\n  location: MESH_INTERNAL\n  resolution: STATIC\n  ports: [{{ number: {PORT}, name: main }}]\n  \
         endpoints:\n"
    );
    for (address, rest) in endpoints {
        let (ip, port) = (address.ip(), address.port());
        writeln!(yaml, "  - {{ address: {ip}, ports: {{ main: {port} }}, {rest} }}").unwrap();
    }
    yaml
}

/// One line for each event: label, attempts, and whether there was a handshake.
#[derive(Default)]
pub(crate) struct Events(Mutex<Vec<String>>);

impl Observer for Events {
    fn connection(&self, event: &Event<'_>) {
        let handshake = if event.handshake.is_some() { "handshake" } else { "no handshake" };
        let line = format!(
            "{}, attempts {}, {handshake}, sni {}, accepted {}{}",
            event.outcome.label(),
            event.attempts,
            event.sni,
            event
                .accepted
                .map_or_else(|| "-".to_owned(), ToString::to_string),
            event
                .server_names
                .map_or_else(String::new, |names| format!(", names {names}"))
        );
        self.0.lock().unwrap().push(line);
    }
}

impl Events {
    /// Forgets what there was.
    pub(crate) fn drain(&self) {
        self.0.lock().unwrap().clear();
    }

    /// The only event since the last call.
    pub(crate) fn one(&self) -> String {
        let mut events = self.0.lock().unwrap();
        assert_eq!(events.len(), 1, "{events:?}");
        events.pop().unwrap()
    }
}

/// All that the other end says.
pub(crate) async fn read_all(outbound: Outbound) -> String {
    let mut text = String::new();
    outbound
        .into_stream()
        .read_to_string(&mut text)
        .await
        .unwrap();
    text
}

pub(crate) fn failed(outcome: Result<Outbound, ConnectError>) -> ConnectError {
    match outcome {
        Ok(outbound) => panic!("connected: {outbound:?}"),
        Err(error) => error,
    }
}

/// An error and its causes in one line.
pub(crate) fn sentence(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", sentence(source)),
        None => error.to_string(),
    }
}

/// What `read` makes of a recorded ClientHello.
pub(crate) fn hello<T>(bytes: &[u8], read: impl FnOnce(ClientHello<'_>) -> T) -> T {
    let mut acceptor = Acceptor::default();
    acceptor.read_tls(&mut &*bytes).unwrap();
    let accepted = acceptor
        .accept()
        .unwrap_or_else(|(error, _)| panic!("{error}"))
        .unwrap();
    read(accepted.client_hello())
}
