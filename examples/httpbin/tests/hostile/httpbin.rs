//! The program under attack, and the honest clients that it must serve.

use std::fs::{self, Permissions};
use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use meshtls::identity::{IdMatcher, SpiffeId};
use meshtls::rustls::rustls::pki_types::UnixTime;
use meshtls::rustls::{MeshClient, TlsProfile};
use meshtls::svid::{SvidHandle, X509Svid};
use meshtls_testkit::TestCa;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

/// How long an honest client may have to wait for all of its answer, on a machine that is busy with other things too.
pub(crate) const AT_ONCE: Duration = Duration::from_secs(5);
/// What Istio's HTTP clients offer by ALPN.
pub(crate) const MESH_HTTP: &[&[u8]] = &[b"istio-http/1.1", b"istio", b"http/1.1"];

const CLIENT: &str = "spiffe://cluster.local/ns/bar/sa/curl";
const SERVER: &str = "spiffe://cluster.local/ns/foo/sa/httpbin";
const READY: Duration = Duration::from_secs(60);
/// Longer than its deadlines for a detection, a handshake and a request.
pub(crate) const CALM: Duration = Duration::from_secs(30);

/// The tests take turns: one alone needs most of the descriptors that a process may have.
static TURN: Mutex<()> = Mutex::const_new(());

/// A running httpbin, PERMISSIVE on its only port. Dropping it ends the process, by its pid.
pub(crate) struct Httpbin {
    child: Child,
    address: SocketAddr,
    client: MeshClient,
    client_svid: SvidHandle,
    descriptors: Option<usize>,
    _folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Httpbin {
    /// Starts it with the limit of descriptors that this process has, or another one.
    pub(crate) async fn start(limit: Option<u32>) -> Self {
        let turn = TURN.lock().await;
        let ca = TestCa::at("cluster.local", UnixTime::now());
        let folder = TempDir::new().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            path
        };
        let svid = ca.svid(SERVER);
        let mut command = match limit {
            None => Command::new(PROGRAM),
            Some(limit) => {
                let mut command = Command::new("sh");
                command.args(["-c", r#"ulimit -n "$0" && exec "$@""#, &limit.to_string(), PROGRAM]);
                command
            }
        };
        command
            .args(["--namespace", "foo", "--service-account", "httpbin"])
            .args(["--listen", "127.0.0.1:0"])
            .arg("--cert")
            .arg(file("cert.pem", &svid.chain_pem()))
            .arg("--key")
            .arg(file("key.pem", &svid.key_pem()))
            .arg("--roots")
            .arg(file("roots.pem", &ca.bundle().to_pem()));
        let client_svid = SvidHandle::new(ca.svid(CLIENT), ca.bundles());
        let mut httpbin = Self {
            child: command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap(),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            client: MeshClient::new(&TlsProfile::ring(), &client_svid.load()).unwrap(),
            client_svid,
            descriptors: None,
            _folder: folder,
            _turn: turn,
        };
        httpbin.address = httpbin.ready().await;
        httpbin.descriptors = httpbin.open_descriptors();
        httpbin
    }

    /// Its address, from the line that it prints when it is ready.
    async fn ready(&mut self) -> SocketAddr {
        let mut output = BufReader::new(self.child.stdout.take().unwrap());
        let reading = spawn_blocking(move || {
            let mut line = String::new();
            output.read_line(&mut line).map(|_| line)
        });
        let line = timeout(READY, reading)
            .await
            .expect("httpbin to be ready")
            .unwrap()
            .unwrap();
        let rest = line
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("httpbin said `{line}`"));
        rest.split(' ').next().unwrap().parse().unwrap()
    }

    /// A new connection to it.
    pub(crate) fn connect(&self) -> impl Future<Output = io::Result<TcpStream>> + Send + use<> {
        TcpStream::connect(self.address)
    }

    /// The identity of the honest member of its mesh.
    pub(crate) fn client_svid(&self) -> Arc<X509Svid> {
        Arc::clone(self.client_svid.load().svid())
    }

    /// One honest client that speaks plaintext, then one that is a member of the mesh, each to the end of its answer.
    pub(crate) async fn serves_honest_clients(&mut self, when: &str) {
        assert_eq!(self.child.try_wait().unwrap(), None, "httpbin ended while {when}");
        let late = |_| panic!("no answer within {AT_ONCE:?} while {when}");
        let answer = timeout(AT_ONCE, self.plaintext())
            .await
            .unwrap_or_else(late)
            .unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.contains(r#""spiffe_id":null"#),
            "{answer}"
        );
        let answer = timeout(AT_ONCE, self.mesh())
            .await
            .unwrap_or_else(late)
            .unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(CLIENT), "{answer}");
    }

    async fn plaintext(&self) -> io::Result<String> {
        peer(self.connect().await?).await
    }

    async fn mesh(&self) -> io::Result<String> {
        let server: SpiffeId = SERVER.parse().unwrap();
        let connection = self.connect().await?;
        let accepted = IdMatcher::Exact(server);
        let (stream, _) = self
            .client
            .connect(connection, None, &accepted, MESH_HTTP)
            .await
            .unwrap();
        peer(stream).await
    }

    /// Nothing is left of the connections that have ended.
    pub(crate) async fn gives_its_descriptors_back(&mut self) {
        let deadline = Instant::now() + CALM;
        while self.open_descriptors() > self.descriptors {
            assert!(
                Instant::now() < deadline,
                "{:?} descriptors, then {:?}",
                self.descriptors,
                self.open_descriptors()
            );
            sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(self.child.try_wait().unwrap(), None, "httpbin ended");
    }

    /// How many descriptors it has open; `None` where the system does not show it.
    pub(crate) fn open_descriptors(&self) -> Option<usize> {
        let open = fs::read_dir(format!("/proc/{}/fd", self.child.id())).ok()?;
        Some(open.count())
    }
}

impl Drop for Httpbin {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has noticed.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Asks who it is taken for, and reads to the end of the connection.
async fn peer(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<String> {
    stream
        .write_all(b"GET /peer HTTP/1.1\r\nHost: httpbin\r\nConnection: close\r\n\r\n")
        .await?;
    stream.flush().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_httpbin");
