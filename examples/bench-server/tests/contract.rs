//! What the measuring rig relies on: flags, files, routes, and that nothing that does not exist can be switched on.

#![expect(clippy::unwrap_used, reason = "a step that fails must fail the test")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use meshtls::identity::IdMatcher;
use meshtls::rustls::{MeshClient, TlsProfile};
use meshtls::svid::SvidHandle;
use meshtls_testkit::TestCa;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(10);

/// A running bench-server and the files that it was given; both end with it.
struct Server {
    child: Child,
    folder: PathBuf,
    address: SocketAddr,
}

impl Server {
    fn start(ca: &TestCa, mode: &str, provider: &str) -> Self {
        let folder = std::env::temp_dir()
            .join(format!("bench-server-{mode}-{provider}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let svid = ca.svid("spiffe://cluster.local/ns/bench/sa/server");
        fs::write(folder.join("ca.pem"), ca.bundle().to_pem()).unwrap();
        fs::write(folder.join("server.pem"), svid.chain_pem()).unwrap();
        fs::write(folder.join("server.key"), svid.key_pem().as_bytes()).unwrap();
        let mut child = command(&folder)
            .args([
                "--mode",
                mode,
                "--provider",
                provider,
                "--chain-cache",
                "off",
                "--resumption",
                "off",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap()
            .parse()
            .unwrap();
        Self { child, folder, address }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        fs::remove_dir_all(&self.folder).unwrap();
    }
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench-server"));
    command
        .args(["--listen", "127.0.0.1:0", "--certs"])
        .arg(folder);
    command
}

/// Two requests on one connection, then a route that never ends.
async fn use_every_route(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    for _ in 0..2 {
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            .await
            .unwrap();
        let mut answer = vec![0; ok.len()];
        timeout(LIMIT, stream.read_exact(&mut answer))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(answer, ok);
    }
    stream
        .write_all(b"GET /bytes HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    let mut some = vec![0; 1 << 20];
    timeout(LIMIT, stream.read_exact(&mut some))
        .await
        .unwrap()
        .unwrap();
    assert!(some.starts_with(b"HTTP/1.1 200 OK\r\n"));
}

async fn fill_the_sink(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    stream
        .write_all(b"POST /sink HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    timeout(LIMIT, stream.write_all(&vec![0; 1 << 20]))
        .await
        .unwrap()
        .unwrap();
    stream.shutdown().await.unwrap();
}

#[tokio::test]
async fn both_modes_with_both_providers() {
    // The server reads the real clock, so the certificates are of now.
    let now = meshtls::source::UnixTime::now();
    let ca = TestCa::at("cluster.local", now);
    let identity =
        SvidHandle::new(ca.svid("spiffe://cluster.local/ns/bench/sa/client"), ca.bundles());
    let identity = Arc::new(identity);
    let client = MeshClient::new(&TlsProfile::ring(), &identity.load()).unwrap();
    for provider in ["ring", "aws-lc-rs"] {
        for mode in ["strict", "permissive"] {
            let server = Server::start(&ca, mode, provider);
            let alpn: [&[u8]; 1] = [b"istio"];
            let (stream, peer) = client
                .connect(server.connect().await, None, &IdMatcher::Any, &alpn)
                .await
                .unwrap();
            assert_eq!(peer.id().as_str(), "spiffe://cluster.local/ns/bench/sa/server");
            use_every_route(stream).await;
            let (stream, _) = client
                .connect(server.connect().await, None, &IdMatcher::Any, &alpn)
                .await
                .unwrap();
            fill_the_sink(stream).await;

            let mut plaintext = server.connect().await;
            if mode == "permissive" {
                use_every_route(plaintext).await;
            } else {
                plaintext
                    .write_all(b"GET / HTTP/1.1\r\n\r\n")
                    .await
                    .unwrap();
                let refused = timeout(LIMIT, plaintext.read_u8())
                    .await
                    .unwrap()
                    .unwrap_err();
                assert_eq!(
                    refused.kind(),
                    std::io::ErrorKind::ConnectionReset,
                    "{mode}, {provider}"
                );
            }
        }
    }
}

#[test]
fn what_does_not_exist_cannot_be_switched_on() {
    for flag in ["--chain-cache", "--resumption"] {
        let output = command(Path::new(".")).args([flag, "on"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{flag}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(&format!("{flag} on: this version has none")), "{said}");
    }
}
