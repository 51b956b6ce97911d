//! A server with an authority in memory, an audit log that is read, and clients.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use meshtls_ca::{AuditError, AuditEvent, AuditLog, IssuancePolicy, IssuingAuthority, KeyType};
use meshtls_identity::SpiffeId;
use meshtls_istio_ca::{
    CaTrust, ClientCertificate, IstioCaClient, IstioCaServer, JoinTokens, Limits, ServerCertificate,
};
use meshtls_rustls::TlsProfile;
use meshtls_source::{Issued, Issuer as _, IssuerError, SvidRequest};
use meshtls_svid::{SvidHandle, X509Svid};
use meshtls_testkit::{ManualClock, TestCa, test_time};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const LEDGER: &str = "spiffe://prod.example/ns/pay/sa/ledger";
pub(crate) const ISTIOD: &str = "spiffe://prod.example/ns/istio-system/sa/istiod";

pub(crate) fn id(text: &str) -> SpiffeId {
    text.parse().unwrap()
}

/// Keeps the lines; refuses them when told to.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    lines: Mutex<Vec<String>>,
    pub(crate) full: std::sync::atomic::AtomicBool,
}

impl AuditLog for Lines {
    fn record(&self, event: &AuditEvent<'_>) -> Result<(), AuditError> {
        self.lines.lock().unwrap().push(event.to_string());
        if self.full.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(AuditError::new("the disk is full"));
        }
        Ok(())
    }
}

impl Lines {
    /// The lines since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().unwrap())
    }

    /// The only line since the last time.
    pub(crate) fn one(&self) -> String {
        let lines = self.take();
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.into_iter().next().unwrap()
    }
}

pub(crate) struct Kit {
    pub(crate) ca: TestCa,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) profile: TlsProfile,
    pub(crate) directory: tempfile::TempDir,
    pub(crate) audit: Arc<Lines>,
    pub(crate) tokens: Arc<JoinTokens>,
}

impl Kit {
    pub(crate) fn new() -> Self {
        let ca = TestCa::new("prod.example").with_intermediate();
        let clock = Arc::new(ManualClock::new(test_time()));
        let profile = TlsProfile::ring().with_time(Arc::<ManualClock>::clone(&clock));
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("roots.pem"), ca.bundle().to_pem()).unwrap();
        let tokens = JoinTokens::open(
            directory.path().join("join"),
            ca.trust_domain().clone(),
            Arc::clone(profile.provider()),
        );
        Self {
            ca,
            clock,
            profile,
            directory,
            audit: Arc::default(),
            tokens: Arc::new(tokens.unwrap()),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A server that knows callers by certificate and by join token.
    pub(crate) fn server(&self) -> IstioCaServer {
        self.server_of(Arc::new(self.ca.authority().clone()), IssuancePolicy::default())
            .authenticator(Arc::new(ClientCertificate::default()))
            .authenticator(Arc::new(Arc::clone(&self.tokens)))
    }

    pub(crate) fn server_of(
        &self,
        authority: Arc<dyn IssuingAuthority>,
        policy: IssuancePolicy,
    ) -> IstioCaServer {
        IstioCaServer::new(
            authority,
            policy,
            Arc::<Lines>::clone(&self.audit),
            self.profile.clone(),
        )
    }

    pub(crate) fn client(&self, address: SocketAddr) -> IstioCaClient {
        let trust = CaTrust::spiffe_id(self.path("roots.pem"), id(ISTIOD));
        IstioCaClient::new(address.to_string(), trust, self.profile.clone())
    }

    /// A client with a token of this text.
    pub(crate) fn with_token(&self, address: SocketAddr, token: &str) -> IstioCaClient {
        let path = self.path("token");
        std::fs::write(&path, token).unwrap();
        self.client(address).token_file(path)
    }

    /// A client that shows an X509-SVID.
    pub(crate) fn with_svid(&self, address: SocketAddr, svid: X509Svid) -> IstioCaClient {
        let client = self.client(address);
        client.show(Arc::new(SvidHandle::new(svid, self.ca.bundles())));
        client
    }

    pub(crate) fn join_token(&self, id: &str) -> String {
        let token = self.tokens.make(&self::id(id), HOUR, test_time()).unwrap();
        token.expose().to_owned()
    }
}

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// A server that runs until it is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    _end: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) async fn run(server: IstioCaServer) -> Running {
    run_with(server, ServerCertificate::issued(id(ISTIOD))).await
}

pub(crate) async fn run_with(server: IstioCaServer, certificate: ServerCertificate) -> Running {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (end, ended) = oneshot::channel();
    let task = tokio::spawn(async move {
        let ended = async { drop(ended.await) };
        server.serve(listener, certificate, ended).await.unwrap();
    });
    Running { address, _end: end, task }
}

pub(crate) async fn issue(client: &IstioCaClient) -> Result<(Issued, X509Svid), IssuerError> {
    issue_for(client, None).await
}

pub(crate) async fn issue_for(
    client: &IstioCaClient,
    ttl: Option<Duration>,
) -> Result<(Issued, X509Svid), IssuerError> {
    // Whom the request names does not count.
    let request =
        SvidRequest::new(id("spiffe://prod.example/ns/kube/sa/admin"), KeyType::P256, ttl);
    let issued = tokio::time::timeout(Duration::from_secs(30), client.issue(&request)).await;
    let issued = issued.expect("a client has deadlines of its own")?;
    let key = request.into_key().unwrap();
    let svid = X509Svid::new(issued.chain.clone(), key.clone_key()).unwrap();
    Ok((issued, svid))
}

pub(crate) fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

pub(crate) fn reason(outcome: Result<(Issued, X509Svid), IssuerError>) -> &'static str {
    match outcome {
        Ok((_, svid)) => panic!("issued for {}", svid.id()),
        Err(error) => error.reason(),
    }
}

pub(crate) fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}
