//! A member of the mesh is never known again by a session: OpenSSL gets none to keep, and one from elsewhere counts for nothing.

#![cfg(feature = "run")]
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use interop::{printed, program, run_bounded};
use meshtls_acceptor::{Acceptor, Event, Listener, Observer};
use meshtls_policy::{MeshSettings, PolicyHandle, PolicySet, Resources, Workload};
use meshtls_rustls::{
    TlsProfile,
    rustls::{
        RootCertStore, ServerConfig, ServerConnection, StreamOwned, crypto::CryptoProvider,
        pki_types::UnixTime, server::WebPkiClientVerifier,
    },
};
use meshtls_svid::{SvidHandle, X509Svid};
use meshtls_testkit::TestCa;
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt, runtime::Runtime};

const LIMIT: Duration = Duration::from_secs(30);
const CLIENT: &str = "spiffe://cluster.local/ns/foo/sa/curl";
const SERVER: &str = "spiffe://cluster.local/ns/foo/sa/httpbin";
const STRICT: &str = "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system }
spec: { mtls: { mode: STRICT } }
";
/// What the servers here say to whom they let in, before they close.
const WELCOME: &str = "you are in the mesh";

/// Of each version: the option for `s_client`, its name, and the alert for a client without a certificate.
const VERSIONS: [(&str, &str, &str); 2] =
    [("-tls1_3", "TLSv1.3", "alert number 116"), ("-tls1_2", "TLSv1.2", "alert number 40")];

#[test]
fn an_accepted_client_gets_no_session_ring() {
    no_session(TlsProfile::ring());
}

#[test]
fn an_accepted_client_gets_no_session_aws_lc_rs() {
    no_session(TlsProfile::aws_lc_rs());
}

#[test]
fn a_session_is_no_certificate_ring() {
    session_is_no_certificate(TlsProfile::ring());
}

#[test]
fn a_session_is_no_certificate_aws_lc_rs() {
    session_is_no_certificate(TlsProfile::aws_lc_rs());
}

fn no_session(profile: TlsProfile) {
    let mesh = Mesh::new();
    let server = MeshServer::start(&mesh, profile);
    for (option, version, alert) in VERSIONS {
        let kept = mesh.file("session");
        let accepted = mesh.s_client(server.address, &[option], Some(Session::Keep(&kept)), true);
        assert_welcome(&accepted, &format!("New, {version}"));
        assert_eq!(server.outcome(), "mesh", "{version}");
        let session = fs::read_to_string(&kept).unwrap_or_default();
        assert_eq!(session, "", "{version}: a session came");

        let anonymous = mesh.s_client(server.address, &[option], None, false);
        assert_refused(&anonymous, alert);
        assert_eq!(server.outcome(), "no_certificate", "{version}");
    }
}

/// The session comes from a stock rustls server with the very identity of ours. There, it opens the door by itself: that is
/// what ours must not do, and shows that the client of this test keeps and presents sessions.
fn session_is_no_certificate(profile: TlsProfile) {
    let mesh = Mesh::new();
    let stock = stock_server(&mesh, profile.provider());
    let server = MeshServer::start(&mesh, profile);
    for (option, version, alert) in VERSIONS {
        let session = mesh.file(&format!("session-{version}"));
        let first = mesh.s_client(stock, &[option], Some(Session::Keep(&session)), true);
        assert_welcome(&first, &format!("New, {version}"));
        let resumed = mesh.s_client(stock, &[option], Some(Session::Present(&session)), false);
        assert_welcome(&resumed, &format!("Reused, {version}"));

        let refused =
            mesh.s_client(server.address, &[option], Some(Session::Present(&session)), false);
        assert_refused(&refused, alert);
        assert_eq!(server.outcome(), "no_certificate", "{version}");
    }
}

fn assert_welcome(output: &Output, how: &str) {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let welcome = output.status.success() && stdout.contains(WELCOME) && stdout.contains(how);
    assert!(welcome, "wanted `{how}` and a welcome: {}", printed(output));
}

fn assert_refused(output: &Output, alert: &str) {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let refused = !output.status.success() && !stdout.contains(WELCOME) && stderr.contains(alert);
    assert!(refused, "wanted `{alert}`: {}", printed(output));
}

/// An authority, a server and a client of it, and a folder for what OpenSSL reads and writes.
struct Mesh {
    ca: TestCa,
    folder: TempDir,
}

enum Session<'a> {
    Keep(&'a Path),
    Present(&'a Path),
}

impl Mesh {
    fn new() -> Self {
        let ca = TestCa::at("cluster.local", UnixTime::now());
        let mesh = Self { ca, folder: TempDir::new().unwrap() };
        let client = mesh.ca.svid(CLIENT);
        fs::write(mesh.file("client.pem"), client.chain_pem()).unwrap();
        fs::write(mesh.file("client.key"), client.key_pem().as_bytes()).unwrap();
        fs::write(mesh.file("roots.pem"), mesh.ca.bundle().to_pem()).unwrap();
        mesh
    }

    fn server_svid(&self) -> X509Svid {
        self.ca.svid(SERVER)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Connects until the server closes, and judges the server's chain.
    fn s_client(
        &self,
        server: SocketAddr,
        options: &[&str],
        session: Option<Session<'_>>,
        with_certificate: bool,
    ) -> Output {
        let mut command = Command::new(program("openssl"));
        command
            .args(["s_client", "-ign_eof", "-connect", &server.to_string()])
            .args(["-verify_return_error", "-CAfile"])
            .arg(self.file("roots.pem"))
            .args(options);
        match session {
            Some(Session::Keep(file)) => command.arg("-sess_out").arg(file),
            Some(Session::Present(file)) => command.arg("-sess_in").arg(file),
            None => &mut command,
        };
        if with_certificate {
            command.arg("-cert").arg(self.file("client.pem"));
            command.arg("-key").arg(self.file("client.key"));
        }
        run_bounded(command, LIMIT)
    }
}

/// The acceptor under STRICT on a port of loopback. Dropping it ends it.
struct MeshServer {
    address: SocketAddr,
    outcomes: mpsc::Receiver<String>,
    _runtime: Runtime,
}

impl MeshServer {
    fn start(mesh: &Mesh, profile: TlsProfile) -> Self {
        let (sender, outcomes) = mpsc::channel();
        let strict = Resources::parse("strict.yaml", STRICT).unwrap();
        let policies = PolicyHandle::new(PolicySet::compile(MeshSettings::default(), &strict));
        let acceptor = Acceptor::builder(profile)
            .svid(Arc::new(SvidHandle::new(mesh.server_svid(), mesh.ca.bundles())))
            .policy(policies, Workload::new("foo", [("app", "httpbin")]), 8000)
            .observer(Arc::new(Outcomes(sender)))
            .build()
            .unwrap();
        let runtime = Runtime::new().unwrap();
        let socket = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = socket.local_addr().unwrap();
        runtime.spawn(async move {
            let mut listener = Listener::spawn(acceptor, socket);
            while let Some(inbound) = listener.accept().await {
                let mut stream = inbound.into_stream();
                stream.write_all(WELCOME.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        });
        Self { address, outcomes, _runtime: runtime }
    }

    /// How the next connection ended up.
    fn outcome(&self) -> String {
        self.outcomes.recv_timeout(LIMIT).unwrap()
    }
}

struct Outcomes(mpsc::Sender<String>);

impl Observer for Outcomes {
    fn connection(&self, event: &Event<'_>) {
        self.0.send(event.outcome.label().to_owned()).unwrap();
    }
}

/// rustls as it comes, except that it demands a certificate of the mesh.
fn stock_server(mesh: &Mesh, provider: &Arc<CryptoProvider>) -> SocketAddr {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(mesh.ca.bundle().anchors().iter().cloned());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(provider));
    let svid = mesh.server_svid();
    let config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(svid.chain().to_vec(), svid.private_key().clone_key())
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            welcome(Arc::clone(&config), stream.unwrap());
        }
    });
    address
}

fn welcome(config: Arc<ServerConfig>, stream: TcpStream) {
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    stream.write_all(WELCOME.as_bytes()).unwrap();
    stream.conn.send_close_notify();
    stream.flush().unwrap();
    // Until the client has read it and closed: a socket that is dropped earlier may reset.
    drop(stream.read_to_end(&mut Vec::new()));
}
