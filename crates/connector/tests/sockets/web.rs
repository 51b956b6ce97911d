//! Servers that know nothing of SPIFFE, and the rules for them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use meshtls_rustls::rustls::crypto::CryptoProvider;
use meshtls_rustls::rustls::server::Acceptor;
use meshtls_svid::KeyedChain;
use meshtls_testkit::RawServer as RawTls;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio_rustls::LazyConfigAcceptor;

use crate::world::{HOST, World};

/// What a server saw of a client, and how the handshake ended at its end.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Seen {
    pub(crate) sni: Option<String>,
    pub(crate) alpn: Vec<String>,
    /// How many certificates the client presented, if the handshake succeeded.
    pub(crate) certificates: Option<usize>,
}

/// A TLS server that says `hello` to whomever it lets in.
pub(crate) struct WebServer {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// Whether a server demands a certificate of its clients.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Demands {
    Nothing,
    Certificate,
}

impl WebServer {
    pub(crate) async fn new(
        provider: &Arc<CryptoProvider>,
        own: &KeyedChain,
        demands: Demands,
    ) -> Self {
        let tls = RawTls::new(Arc::clone(provider), own.chain(), own.private_key());
        let tls = tls.with_alpn(&[b"h2"]);
        let config = match demands {
            Demands::Nothing => tls.config(),
            Demands::Certificate => tls.asking_for_certificate().config(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let Ok(start) = LazyConfigAcceptor::new(Acceptor::default(), tcp).await else {
                    log.lock().unwrap().push(Seen::default());
                    continue;
                };
                let hello = start.client_hello();
                let seen = Seen {
                    sni: hello.server_name().map(str::to_owned),
                    alpn: hello
                        .alpn()
                        .into_iter()
                        .flatten()
                        .map(|name| String::from_utf8_lossy(name).into_owned())
                        .collect(),
                    certificates: None,
                };
                log.lock().unwrap().push(seen);
                let stream = start.into_stream(Arc::clone(&config)).await;
                if let Ok(stream) = &stream
                    && let Some(seen) = log.lock().unwrap().last_mut()
                {
                    let presented = stream.get_ref().1.peer_certificates();
                    seen.certificates = Some(presented.map_or(0, <[_]>::len));
                }
                if let Ok(mut stream) = stream
                    && stream.write_all(b"hello").await.is_ok()
                {
                    stream.shutdown().await.ok();
                }
            }
        });
        Self { address, seen }
    }

    /// What was seen since the last call.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

impl World {
    /// A server with a certificate of this world's authority for these names.
    pub(crate) async fn web(&self, names: &[&str]) -> WebServer {
        let own = self.ca.web_certificate(names);
        WebServer::new(self.profile.provider(), &own, Demands::Nothing).await
    }
}

/// A folder of one test, which goes with the value.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("meshtls-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file, and gives its path.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// A `DestinationRule` for [`HOST`] with this `tls` block.
pub(crate) fn rule(tls: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\n\
         metadata: {{ name: it, namespace: pay }}\n\
         spec: {{ host: {HOST}, trafficPolicy: {{ tls: {{ {tls} }} }} }}\n"
    )
}
