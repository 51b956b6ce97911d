//! A workload from its builder: over real sockets, and every way in which it does not start.

#![cfg(any(feature = "ring", feature = "aws-lc-rs"))]
#![expect(clippy::unwrap_used, reason = "a step that fails must fail the test")]

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use meshtls::acceptor::{Inbound, PortProtocol};
use meshtls::connector::{Destination, Outbound};
use meshtls::identity::IdMatcher;
use meshtls::policy::{MeshSettings, MtlsMode, PeerAuthentication, PolicySet, Resources};
use meshtls::rustls::TlsProfile;
use meshtls::source::{Federation, Report, WhenStale};
use meshtls::svid::{SvidHandle, TrustBundles};
use meshtls::{
    IdentityFrom, ListenError, PoliciesFrom, ServiceAccountId, StartError, TrustDomain, Workload,
    WorkloadBuilder,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A folder of its own for one test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("meshtls-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn workload(&self, id: &str) -> WorkloadBuilder {
        Workload::builder(account(id), IdentityFrom::ca_dir(self.0.join("ca")))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn account(id: &str) -> ServiceAccountId {
    id.parse().unwrap()
}

#[cfg(feature = "ring")]
fn profile() -> TlsProfile {
    TlsProfile::ring()
}

#[cfg(not(feature = "ring"))]
fn profile() -> TlsProfile {
    TlsProfile::aws_lc_rs()
}

fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

const SERVER: &str = "cluster.local/ns/foo/sa/httpbin";
const CLIENT: &str = "cluster.local/ns/bar/sa/curl";
const LIMIT: Duration = Duration::from_secs(10);

/// What a client knows of the server.
fn service(address: SocketAddr) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\n\
         kind: ServiceEntry\n\
         metadata: {{ name: httpbin, namespace: foo }}\n\
         spec:\n  \
         hosts: [httpbin.foo.svc.cluster.local]\n  \
         location: MESH_INTERNAL\n  \
         resolution: STATIC\n  \
         ports: [{{ number: 8000, name: tcp, protocol: TCP }}]\n  \
         endpoints: [{{ address: {}, ports: {{ tcp: {} }}, serviceAccount: httpbin }}]\n",
        address.ip(),
        address.port()
    )
}

const STRICT: &str = "apiVersion: security.istio.io/v1\n\
                      kind: PeerAuthentication\n\
                      metadata: { name: default, namespace: istio-system }\n\
                      spec: { mtls: { mode: STRICT } }\n";

#[tokio::test]
async fn two_workloads_of_one_ca_directory_know_each_other() {
    let folder = Folder::new("two-workloads");
    let server = folder
        .workload(SERVER)
        .policies(PoliciesFrom::text("strict", STRICT))
        .start()
        .unwrap();
    let mut listener = server
        .listen(loopback())
        .protocol(PortProtocol::Tcp)
        .bind()
        .await
        .unwrap();
    let services = PoliciesFrom::text("services", service(listener.local_addr().unwrap()));
    let client = folder.workload(CLIENT).services(services).start().unwrap();

    let connector = client.connector();
    let (outbound, inbound) = timeout(LIMIT, async {
        tokio::join!(connector.connect("httpbin.foo.svc.cluster.local", 8000), listener.accept())
    })
    .await
    .unwrap();
    let (Ok(Outbound::Mesh(mut outbound)), Some(Inbound::Mesh(mut inbound))) = (outbound, inbound)
    else {
        panic!("mTLS on both sides was due");
    };
    assert_eq!(outbound.peer.id(), server.id().spiffe_id());
    assert_eq!(inbound.peer.id(), client.id().spiffe_id());
    assert_eq!(inbound.connection.winner().to_string(), "mesh policy istio-system/default");

    outbound.stream.write_all(b"ping").await.unwrap();
    let mut read = [0; 4];
    inbound.stream.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"ping");
}

#[tokio::test]
async fn pem_files_are_an_identity_too_and_must_be_the_workloads_own() {
    let folder = Folder::new("pem-files");
    let issued = folder.workload(SERVER).start().unwrap().identity().unwrap();
    let certificate = folder.file("cert.pem", &issued.svid().chain_pem());
    let key = folder.file("key.pem", &issued.svid().key_pem());
    let bundle = issued.bundles().bundles().next().unwrap().to_pem();
    let roots = folder.file("roots.pem", &bundle);
    let identity = IdentityFrom::pem_files(certificate, key, roots);

    let workload = Workload::builder(account(SERVER), identity.clone())
        .start()
        .unwrap();
    assert_eq!(workload.identity().unwrap().svid().serial(), issued.svid().serial());

    let other = Workload::builder(account(CLIENT), identity).start();
    assert!(matches!(other, Err(StartError::OtherIdentity { .. })), "{other:?}");
}

#[tokio::test]
async fn policies_come_from_nowhere_text_files_and_values() {
    let folder = Folder::new("policies-from");
    let directory = folder.0.join("policies");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("strict.yaml"), STRICT).unwrap();
    let strict = PeerAuthentication::new("istio-system", "default").with_mode(MtlsMode::Strict);
    for (name, from, mode) in [
        ("nowhere", PoliciesFrom::Nowhere, MtlsMode::Permissive),
        ("text", PoliciesFrom::text("strict", STRICT), MtlsMode::Strict),
        ("a directory", PoliciesFrom::path(&directory), MtlsMode::Strict),
        ("a file", PoliciesFrom::path(directory.join("strict.yaml")), MtlsMode::Strict),
        ("a value", Resources::from_iter([strict]).into(), MtlsMode::Strict),
    ] {
        let workload = folder.workload(SERVER).policies(from).start().unwrap();
        assert_eq!(workload.explain(8000).mode, mode, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn stale_policies_do_what_was_asked_for() {
    let bound = Duration::from_secs(60);
    for (when, mode, ready) in [
        (None, MtlsMode::Permissive, true),
        (Some(WhenStale::Keep), MtlsMode::Permissive, true),
        (Some(WhenStale::NotReady), MtlsMode::Permissive, false),
        (Some(WhenStale::Strict), MtlsMode::Strict, true),
    ] {
        let folder = Folder::new("stale");
        let file = folder.file("policies.yaml", &STRICT.replace("STRICT", "PERMISSIVE"));
        let mut from = PoliciesFrom::path(&file);
        if let Some(then) = when {
            from = from.stale_after(bound, then);
        }
        let workload = folder.workload(SERVER).policies(from).start().unwrap();
        fs::write(&file, "kind: [").unwrap();
        tokio::time::sleep(2 * bound).await;
        assert_eq!(workload.explain(8000).mode, mode, "{when:?}");
        let status = workload.policy_status().unwrap();
        assert_eq!((status.stale, status.is_ready()), (when, ready), "{when:?}");
        assert_eq!(status.last_error.unwrap().reason(), "parse", "{when:?}");
        assert!(status.age > bound && status.objects == 1, "{when:?}");
    }
    let folder = Folder::new("never-stale");
    let from = PoliciesFrom::text("strict", STRICT).stale_after(bound, WhenStale::NotReady);
    let workload = folder.workload(SERVER).policies(from).start().unwrap();
    assert!(workload.policy_status().is_none());
}

#[tokio::test]
async fn what_has_no_effect_is_reported() {
    let folder = Folder::new("no-effect");
    let deny = "apiVersion: security.istio.io/v1\n\
                kind: RequestAuthentication\n\
                metadata: { name: deny, namespace: foo }\n\
                spec: { action: DENY }\n";
    let reported = Arc::new(Mutex::new(Vec::new()));
    let reports = Arc::clone(&reported);
    let note = move |report: &Report<'_>| reports.lock().unwrap().push(report.to_string());
    let workload = folder
        .workload(SERVER)
        .policies(PoliciesFrom::text("deny.yaml", deny))
        .reporter(Arc::new(note));
    workload.start().unwrap();
    let reported = reported.lock().unwrap();
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert!(
        reported[0].contains("deny.yaml:1: RequestAuthentication foo/deny is not read here"),
        "{reported:?}"
    );
}

#[tokio::test]
async fn a_policy_that_is_replaced_counts_from_the_next_connection_on() {
    let folder = Folder::new("replaced");
    let server = folder.workload(SERVER).start().unwrap();
    let mut listener = server
        .listen(loopback())
        .workload_port(8080)
        .bind()
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    assert_eq!(server.explain(8080).mode, MtlsMode::Permissive);

    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let inbound = timeout(LIMIT, listener.accept()).await.unwrap();
    assert!(matches!(inbound, Some(Inbound::Plaintext(_))), "{inbound:?}");

    let strict = PeerAuthentication::new("foo", "default").with_mode(MtlsMode::Strict);
    let settings = server.policies().load().settings().clone();
    server
        .policies()
        .replace(PolicySet::compile(settings, &Resources::from_iter([strict])));
    assert_eq!(server.explain(8080).mode, MtlsMode::Strict);
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let refused = timeout(LIMIT, client.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_shut_down_listener_ends() {
    let folder = Folder::new("shutdown");
    let server = folder.workload(SERVER).start().unwrap();
    let mut listener = server.listen(loopback()).bind().await.unwrap();
    listener.shutdown().begin(Duration::from_millis(10));
    assert!(timeout(LIMIT, listener.accept()).await.unwrap().is_none());
}

#[test]
fn without_a_runtime_nothing_starts() {
    let folder = Folder::new("no-runtime");
    let outcome = folder.workload(SERVER).start();
    assert!(matches!(outcome, Err(StartError::NoRuntime)), "{outcome:?}");
}

#[tokio::test]
async fn what_is_bad_refuses_to_start() {
    let folder = Folder::new("refuses");
    let file = folder.file("not-a-directory", "");
    let bad = folder.file("bad.yaml", "kind: PeerAuthentication\n");
    let missing = folder.0.join("missing.pem");

    let outcome = Workload::builder(account(SERVER), IdentityFrom::ca_dir(file)).start();
    assert!(matches!(outcome, Err(StartError::CaDir(_))), "{outcome:?}");
    let identity = IdentityFrom::pem_files(&missing, &missing, &missing);
    let outcome = Workload::builder(account(SERVER), identity).start();
    assert!(matches!(outcome, Err(StartError::Identity(_))), "{outcome:?}");
    let outcome = folder
        .workload(SERVER)
        .policies(PoliciesFrom::path(bad))
        .start();
    assert!(matches!(outcome, Err(StartError::Policies(_))), "{outcome:?}");
    let outcome = folder
        .workload(SERVER)
        .services(PoliciesFrom::text("services", "kind: ["))
        .start();
    assert!(matches!(outcome, Err(StartError::Text(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_listener_that_cannot_open_says_why() {
    let folder = Folder::new("listeners");
    let server = folder.workload(SERVER).start().unwrap();
    let taken = server.listen(loopback()).bind().await.unwrap();
    let outcome = server.listen(taken.local_addr().unwrap()).bind().await;
    assert!(matches!(outcome, Err(ListenError::Bind { .. })), "{outcome:?}");
    let outcome = server.listen(loopback()).workload_port(0).bind().await;
    assert!(matches!(outcome, Err(ListenError::Setting(_))), "{outcome:?}");
}

/// The settings of the mesh reach both sides: who is let in, and how low TLS may go.
#[tokio::test]
async fn mesh_settings_act() {
    let folder = Folder::new("mesh-settings");
    let mesh = MeshSettings::parse(
        "mesh.yaml",
        "{trustDomain: cluster.local, rootNamespace: admin, protocolDetectionTimeout: 200ms, meshMTLS: {minProtocolVersion: TLSV1_3}}",
    )
    .unwrap();
    let server = folder
        .workload(SERVER)
        .mesh_settings(mesh.settings.clone())
        .policies(PoliciesFrom::text("strict", STRICT.replace("istio-system", "admin")))
        .start()
        .unwrap();
    assert_eq!(server.explain(80).mode, MtlsMode::Strict);
    let mut listener = server
        .listen(loopback())
        .protocol(PortProtocol::Tcp)
        .bind()
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();

    // A client of the same mesh is spoken to.
    let services = PoliciesFrom::text("services", service(address));
    let client = folder
        .workload(CLIENT)
        .mesh_settings(mesh.settings)
        .services(services);
    let connector = client.start().unwrap().connector();
    let (outbound, inbound) = timeout(LIMIT, async {
        tokio::join!(connector.connect("httpbin.foo.svc.cluster.local", 8000), listener.accept())
    })
    .await
    .unwrap();
    assert!(matches!(outbound, Ok(Outbound::Mesh(_))), "{outbound:?}");
    assert!(matches!(inbound, Some(Inbound::Mesh(_))), "{inbound:?}");

    // A silent one is given up on after the mesh's time, well before our default of 10 seconds.
    let mut silent = TcpStream::connect(address).await.unwrap();
    let ended = timeout(Duration::from_secs(5), async {
        tokio::select! {
            read = silent.read_u8() => read.is_err(),
            _ = listener.accept() => false,
        }
    });
    assert!(ended.await.unwrap(), "the connection was ended");

    // The mesh's own authority proves nobody of another domain, unless that is a name of the mesh itself.
    let partner = || ["partner.example".parse().unwrap()];
    let accepted = MeshSettings::default().with_accepted_trust_domains(partner());
    let refused = folder
        .workload(SERVER)
        .mesh_settings(accepted.clone())
        .start();
    assert!(matches!(refused, Err(StartError::NoBundleFor { .. })), "{refused:?}");
    let alias = accepted.with_trust_domain_aliases(partner());
    assert!(folder.workload(SERVER).mesh_settings(alias).start().is_ok());

    let elsewhere = MeshSettings::new("other.example".parse().unwrap());
    let refused = folder.workload(SERVER).mesh_settings(elsewhere).start();
    assert!(matches!(refused, Err(StartError::OtherTrustDomain { .. })), "{refused:?}");
}

/// Two domains, each with its own authority, know each other by the bundles they exchange as files; a change of one is followed.
#[tokio::test]
async fn members_of_another_domain_are_known_by_their_own_bundle() {
    let (here, there) = (Folder::new("federated-here"), Folder::new("federated-there"));
    let partner: TrustDomain = "partner.example".parse().unwrap();
    let caller = || {
        let id = account("partner.example/ns/bar/sa/curl");
        Workload::builder(id, IdentityFrom::ca_dir(there.0.join("ca")))
    };
    // Both authorities are made before their roots are exchanged.
    let stranger = caller().start().unwrap();
    drop(here.workload(CLIENT).start().unwrap());
    let file = |folder: &Folder, domain: &TrustDomain| {
        let roots = folder.0.join("ca/root-cert.pem");
        Federation::new(profile())
            .file(domain.clone(), roots)
            .unwrap()
    };
    let own: TrustDomain = "cluster.local".parse().unwrap();
    let settings = MeshSettings::default().with_accepted_trust_domains([partner.clone()]);
    let server = here
        .workload(SERVER)
        .mesh_settings(settings)
        .policies(PoliciesFrom::text("strict", STRICT))
        .federation(file(&there, &partner))
        .start()
        .unwrap();
    assert_eq!(server.federation_status().len(), 1);
    assert!(stranger.federation_status().is_empty());
    let mut listener = server.listen(loopback()).bind().await.unwrap();
    let address = listener.local_addr().unwrap();

    let service = service(address).replace("serviceAccount: httpbin", "serviceAccount: none");
    let known = PoliciesFrom::text("services", service);
    let federated = caller()
        .services(known.clone())
        .federation(file(&here, &own))
        .start()
        .unwrap();
    let alone = caller().services(known).start().unwrap();
    let accepted = IdMatcher::Exact(account(SERVER).spiffe_id().clone());
    let call = |from: &Workload| {
        let destination =
            Destination::new("httpbin.foo.svc.cluster.local", 8000).accept(accepted.clone());
        let connector = from.connector();
        async move { connector.connect_to(&destination).await }
    };
    let (outbound, inbound) =
        timeout(LIMIT, async { tokio::join!(call(&federated), listener.accept()) })
            .await
            .unwrap();
    assert!(matches!(outbound, Ok(Outbound::Mesh(_))), "{outbound:?}");
    let Some(Inbound::Mesh(inbound)) = inbound else { panic!("{inbound:?}") };
    assert_eq!(inbound.peer.id().trust_domain(), &partner);

    let refused = timeout(LIMIT, call(&alone)).await.unwrap().unwrap_err();
    let said = meshtls::rustls::WithCauses(&refused).to_string();
    assert!(said.contains("cluster.local") && said.contains("partner.example"), "{said}");

    let refused = here.workload(SERVER).federation(file(&here, &own)).start();
    assert!(matches!(refused, Err(StartError::FederatedOwnDomain { .. })), "{refused:?}");
    let source = IdentityFrom::Source(Arc::new(SvidHandle::new(
        meshtls_testkit::TestCa::new("cluster.local")
            .svid("spiffe://cluster.local/ns/foo/sa/httpbin"),
        TrustBundles::new([]),
    )));
    let refused = Workload::builder(account(SERVER), source)
        .federation(file(&there, &partner))
        .start();
    assert!(matches!(refused, Err(StartError::FederationOfSource)), "{refused:?}");
}
