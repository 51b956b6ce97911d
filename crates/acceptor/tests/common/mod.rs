//! What the tests share: a server's side with a recording observer, and a TLS client that does what it is told.

#![allow(dead_code, reason = "each test file uses its part of it")]
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of a test end it by a panic"
)]

pub(crate) mod client;
pub(crate) mod refused;

use std::{
    io,
    mem::{Discriminant, discriminant},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use meshtls_acceptor::{
    Acceptor, AcceptorBuilder, DetectionTimeout, Event, Observer, Outcome, PortProtocol, Ready,
    Refusal, ShadowOutcome,
};
use meshtls_policy::{
    Labels, MeshSettings, MtlsMode, PeerAuthentication, PolicyHandle, PolicySet, Resources,
    Workload,
};
use meshtls_rustls::TlsProfile;
use meshtls_svid::{SvidHandle, SvidSource, TrustBundles};
use meshtls_testkit::{ManualClock, TestCa, test_time};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::timeout,
};

/// The workload port of every acceptor here.
pub(crate) const PORT: u16 = 8080;
pub(crate) const CLIENT: &str = "spiffe://cluster.local/ns/foo/sa/client";
pub(crate) const SERVER: &str = "spiffe://cluster.local/ns/foo/sa/server";

/// Every TLS test runs once with each.
pub(crate) fn profiles() -> [(&'static str, TlsProfile); 2] {
    let at_test_time =
        |profile: TlsProfile| profile.with_time(Arc::new(ManualClock::new(test_time())));
    [
        ("ring", at_test_time(TlsProfile::ring())),
        ("aws-lc-rs", at_test_time(TlsProfile::aws_lc_rs())),
    ]
}

/// The profile of tests that are not about TLS.
pub(crate) fn profile() -> TlsProfile {
    let [(_, ring), _] = profiles();
    ring
}

pub(crate) fn ca() -> TestCa {
    TestCa::new("cluster.local")
}

/// One mesh policy with `mode`.
pub(crate) fn policy_set(mode: MtlsMode) -> PolicySet {
    let policy = PeerAuthentication::new("istio-system", "default").with_mode(mode);
    PolicySet::compile(
        MeshSettings::default(),
        &Resources::default().with_peer_authentications([policy]),
    )
}

pub(crate) fn workload() -> Workload {
    Workload::new("foo", Labels::default())
}

pub(crate) fn identity(ca: &TestCa, bundles: TrustBundles) -> Arc<SvidHandle> {
    Arc::new(SvidHandle::new(ca.svid(SERVER), bundles))
}

/// With a detection timeout of 50 milliseconds.
pub(crate) fn soon(builder: AcceptorBuilder<Ready>) -> AcceptorBuilder<Ready> {
    builder.detection_timeout(DetectionTimeout::After(Duration::from_millis(50)))
}

/// An acceptor and what its observer heard.
pub(crate) struct Server {
    pub(crate) acceptor: Acceptor,
    pub(crate) heard: Arc<Recorder>,
    pub(crate) policies: PolicyHandle,
}

impl Server {
    /// For tests that are not about TLS: with the defaults, and trust in `ca`.
    pub(crate) fn new(ca: &TestCa, mode: MtlsMode, protocol: PortProtocol) -> Self {
        Self::new_with_profile(&profile(), ca, mode, protocol)
    }

    /// With the defaults, and trust in `ca`.
    pub(crate) fn new_with_profile(
        profile: &TlsProfile,
        ca: &TestCa,
        mode: MtlsMode,
        protocol: PortProtocol,
    ) -> Self {
        Self::with(profile, identity(ca, ca.bundles()), mode, protocol, |builder| builder)
    }

    pub(crate) fn with(
        profile: &TlsProfile,
        identity: Arc<dyn SvidSource>,
        mode: MtlsMode,
        protocol: PortProtocol,
        tune: impl FnOnce(AcceptorBuilder<Ready>) -> AcceptorBuilder<Ready>,
    ) -> Self {
        let heard = Arc::new(Recorder::default());
        let policies = PolicyHandle::new(policy_set(mode));
        let builder = Acceptor::builder(profile.clone())
            .svid(identity)
            .policy(policies.clone(), workload(), PORT)
            .protocol(protocol)
            .observer(Arc::<Recorder>::clone(&heard));
        Self { acceptor: tune(builder).build().unwrap(), heard, policies }
    }
}

/// The policies of a YAML text.
pub(crate) fn policies(text: &str) -> PolicySet {
    let resources = Resources::parse("test", text).unwrap();
    PolicySet::compile(MeshSettings::default(), &resources)
}

/// An `AuthorizationPolicy` of namespace `foo`, on one line.
pub(crate) fn authorization(name: &str, spec: &str) -> String {
    let head = "apiVersion: security.istio.io/v1, kind: AuthorizationPolicy";
    format!("---\n{{ {head}, metadata: {{ name: {name}, namespace: foo }}, spec: {{ {spec} }} }}\n")
}

/// The same on trial.
pub(crate) fn on_trial(name: &str, spec: &str) -> String {
    let trial = "{ annotations: { istio.io/dry-run: \"true\" }, name";
    authorization(name, spec).replacen("{ name", trial, 1)
}

/// A `PeerAuthentication` for the mesh.
pub(crate) fn mode(mode: MtlsMode) -> String {
    let head = "apiVersion: security.istio.io/v1, kind: PeerAuthentication";
    format!(
        "---\n{{ {head}, metadata: {{ name: default, namespace: istio-system }}, spec: {{ mtls: {{ mode: {mode} }} }} }}\n"
    )
}

/// A `Sidecar` of namespace `foo` that ends TLS on the port under DISABLE.
pub(crate) const INGRESS_TLS: &str = "---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: ingress, namespace: foo }
spec:
  ingress:
  - port: { number: 8080, protocol: HTTPS, name: external }
    defaultEndpoint: 127.0.0.1:80
    tls: { mode: SIMPLE, serverCertificate: /tls.crt, privateKey: /tls.key }
";

/// What an observer was told of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) label: &'static str,
    pub(crate) accepted: bool,
    /// The variant of the refusal.
    pub(crate) refused: Option<Discriminant<Refusal>>,
    pub(crate) peer_addr: Option<SocketAddr>,
    pub(crate) port: u16,
    pub(crate) mode: MtlsMode,
    pub(crate) winner: String,
    /// What the authorization policies said.
    pub(crate) ruling: Option<String>,
    pub(crate) detection: Duration,
    pub(crate) handshake: Option<Duration>,
    /// The error and its causes.
    pub(crate) why: String,
    pub(crate) shadow: Option<(ShadowOutcome, String)>,
}

#[derive(Default)]
pub(crate) struct Recorder {
    heard: Mutex<Vec<Heard>>,
    accept_failed: Mutex<Vec<String>>,
    more: Notify,
}

impl Recorder {
    pub(crate) fn all(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// The only event there was.
    pub(crate) fn only(&self) -> Heard {
        let all = self.all();
        assert_eq!(all.len(), 1, "exactly one event: {all:#?}");
        all[0].clone()
    }

    pub(crate) fn labels(&self) -> Vec<&'static str> {
        self.all().iter().map(|heard| heard.label).collect()
    }

    pub(crate) fn accept_failures(&self) -> Vec<String> {
        self.accept_failed.lock().unwrap().clone()
    }

    /// Waits for `n` events.
    pub(crate) async fn wait_for(&self, n: usize) -> Vec<Heard> {
        let wait = async {
            loop {
                let more = self.more.notified();
                let all = self.all();
                if all.len() >= n {
                    return all;
                }
                more.await;
            }
        };
        timeout(Duration::from_secs(60), wait)
            .await
            .unwrap_or_else(|_| panic!("{n} events, not {:#?}", self.all()))
    }
}

impl Observer for Recorder {
    fn connection(&self, event: &Event<'_>) {
        let (refused, why) = match &event.outcome {
            Outcome::Accepted(_) => (None, String::new()),
            Outcome::Refused(refusal) => (Some(discriminant(*refusal)), causes(refusal)),
        };
        self.heard.lock().unwrap().push(Heard {
            label: event.outcome.label(),
            accepted: refused.is_none(),
            refused,
            peer_addr: event.peer_addr,
            port: event.port,
            mode: event.mode,
            winner: event.winner.to_string(),
            ruling: event.authorization.map(ToString::to_string),
            detection: event.detection,
            handshake: event.handshake,
            why,
            shadow: event
                .shadow
                .map(|shadow| (shadow.outcome, shadow.to_string())),
        });
        self.more.notify_one();
    }

    fn accept_failed(&self, error: &io::Error) {
        self.accept_failed.lock().unwrap().push(error.to_string());
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", causes(source)),
        None => error.to_string(),
    }
}

/// Both ends of a TCP connection over the loopback interface.
pub(crate) async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (client, server) =
        tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    (client.unwrap(), server.unwrap().0)
}
