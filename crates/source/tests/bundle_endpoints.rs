//! Bundle endpoints over loopback sockets: both profiles, and each way in which a fetch fails.

#![expect(clippy::unwrap_used, reason = "helpers of tests end the test by a panic")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use meshtls_identity::TrustDomain;
use meshtls_rustls::rustls::ServerConfig;
use meshtls_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs, ring};
use meshtls_rustls::{TlsProfile, WithCauses};
use meshtls_source::{BundleEndpoint, Federation, FetchError, Report};
use meshtls_svid::{BundleDocument, MAX_DOCUMENT_BYTES, ServerAuthorities, TrustBundle};
use meshtls_testkit::{ManualClock, RawServer, TestCa, test_time};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

const PARTNER: &str = "partner.example";
const SERVER: &str = "spiffe://partner.example/bundle-endpoint";

fn partner() -> TrustDomain {
    PARTNER.parse().unwrap()
}

fn providers() -> [Arc<CryptoProvider>; 2] {
    [Arc::new(ring::default_provider()), Arc::new(aws_lc_rs::default_provider())]
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn profile(provider: Arc<CryptoProvider>) -> TlsProfile {
    TlsProfile::new(provider).with_time(Arc::new(ManualClock::new(test_time())))
}

/// What a server does with a connection.
enum Answers {
    /// TLS, and then these bytes to whatever was asked.
    Tls(Arc<ServerConfig>, Vec<u8>),
    /// These bytes, without TLS.
    Plain(&'static [u8]),
    /// Nothing: the connection stays open.
    Silence,
}

/// A server on a loopback port, until it is dropped. It keeps the head of the last request.
struct Served {
    port: u16,
    last: Arc<Mutex<String>>,
    task: JoinHandle<()>,
}

impl Served {
    async fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let last = Arc::<Mutex<String>>::default();
        let log = Arc::clone(&last);
        let task = tokio::spawn(async move {
            let mut open = Vec::new();
            loop {
                let (mut tcp, _) = listener.accept().await.unwrap();
                match &answers {
                    Answers::Silence => open.push(tcp),
                    Answers::Plain(bytes) => {
                        // A client that is told nonsense may be gone already.
                        tcp.write_all(bytes).await.ok();
                        tcp.shutdown().await.ok();
                        // What it has sent must be read, or the end would be a reset.
                        tokio::io::copy(&mut tcp, &mut tokio::io::sink()).await.ok();
                    }
                    Answers::Tls(config, answer) => {
                        let acceptor = TlsAcceptor::from(Arc::clone(config));
                        // A client that does not trust us is gone.
                        let Ok(mut tls) = acceptor.accept(tcp).await else { continue };
                        let mut head = Vec::new();
                        while !head.ends_with(b"\r\n\r\n") {
                            match tls.read_u8().await {
                                Ok(byte) => head.push(byte),
                                Err(_gone) => break,
                            }
                        }
                        *log.lock().unwrap() = String::from_utf8(head).unwrap();
                        // So is one that has read enough.
                        tls.write_all(answer).await.ok();
                        tls.shutdown().await.ok();
                    }
                }
            }
        });
        Self { port, last, task }
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}/bundle.json?of=partner", self.port)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn ok(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

fn published(ca: &TestCa) -> Vec<u8> {
    ok(&BundleDocument::new(ca.bundle())
        .unwrap()
        .with_sequence(5)
        .to_json())
}

/// The partner's endpoint as the partner's own workload serves it.
fn spiffe_server(ca: &TestCa, answer: Vec<u8>) -> Answers {
    Answers::Tls(RawServer::with_svid(provider(), &ca.svid(SERVER)).config(), answer)
}

/// The same with a certificate for `name`.
fn web_server(ca: &TestCa, name: &str, answer: Vec<u8>) -> Answers {
    let own = ca.web_certificate(&[name]);
    Answers::Tls(RawServer::new(provider(), own.chain(), own.private_key()).config(), answer)
}

fn by_spiffe(url: &str, bootstrap: Option<TrustBundle>) -> BundleEndpoint {
    BundleEndpoint::https_spiffe(partner(), url, SERVER.parse().unwrap(), bootstrap).unwrap()
}

fn by_web(url: &str, authority: &TestCa) -> BundleEndpoint {
    let authorities = ServerAuthorities::new(authority.bundle().anchors()).unwrap();
    BundleEndpoint::https_web(partner(), url, Arc::new(authorities)).unwrap()
}

#[tokio::test]
async fn both_profiles() {
    for provider in providers() {
        let (ca, web) = (TestCa::new(PARTNER), TestCa::new("web.example"));
        let profile = profile(provider);

        let served = Served::start(spiffe_server(&ca, published(&ca))).await;
        let endpoint = by_spiffe(&served.url(), Some(ca.bundle()));
        let document = endpoint.fetch(&profile, &[]).await.unwrap();
        assert_eq!((document.bundle(), document.sequence()), (Some(&ca.bundle()), Some(5)));
        let head = served.last.lock().unwrap().to_lowercase();
        assert!(head.starts_with("get /bundle.json?of=partner http/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("host: 127.0.0.1:{}\r\n", served.port)), "{head}");

        let served = Served::start(web_server(&web, "127.0.0.1", published(&ca))).await;
        let document = by_web(&served.url(), &web)
            .fetch(&profile, &[])
            .await
            .unwrap();
        assert_eq!(document.bundle(), Some(&ca.bundle()));

        let served = Served::start(web_server(&web, "localhost", published(&ca))).await;
        let url = format!("https://localhost:{}/", served.port);
        assert!(by_web(&url, &web).fetch(&profile, &[]).await.is_ok(), "by a DNS name");
    }
}

#[tokio::test]
async fn the_newest_bundle_verifies_the_server_and_the_bootstrap_only_before_there_is_one() {
    let (old, new) = (TestCa::new(PARTNER), TestCa::new(PARTNER));
    let profile = profile(provider());
    let served = Served::start(spiffe_server(&new, published(&new))).await;
    let reason = async |known: &[TrustBundle], bootstrap: Option<TrustBundle>| {
        let fetched = by_spiffe(&served.url(), bootstrap)
            .fetch(&profile, known)
            .await;
        fetched.map_or_else(|error| error.reason(), |_document| "fetched")
    };
    let stranger = TestCa::new("other.example").bundle();
    assert_eq!(reason(&[], Some(new.bundle())).await, "fetched");
    assert_eq!(reason(&[new.bundle()], Some(old.bundle())).await, "fetched", "the newest");
    assert_eq!(reason(&[old.bundle()], Some(new.bundle())).await, "untrusted_issuer");
    assert_eq!(reason(&[stranger.clone(), new.bundle()], None).await, "fetched");
    assert_eq!(reason(&[stranger], None).await, "no_bundle_for_server");
}

#[tokio::test]
async fn each_failure_has_its_reason() {
    let (ca, web) = (TestCa::new(PARTNER), TestCa::new("web.example"));
    let good = || published(&ca);
    let other = TestCa::new("other.example");
    let large = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", MAX_DOCUMENT_BYTES + 1);
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let endless = [
        chunked.clone(),
        [b"10000\r\n", &[b' '; 65_536][..], b"\r\n"]
            .concat()
            .repeat(17),
    ]
    .concat();
    let head = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n").into_bytes();
    let status = |line: &str| format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n").into_bytes();
    let spiffe = |answer: Vec<u8>| spiffe_server(&ca, answer);

    for (name, answers, reason, text) in [
        ("not found", spiffe(status("404 Not Found")), "status", "status 404"),
        ("no content", spiffe(status("204 No Content")), "status", "status 204"),
        ("a failure", spiffe(status("503 Busy")), "status", "status 503"),
        (
            "a redirect",
            spiffe(status("302 Found\r\nlocation: https://evil.example/\u{85}")),
            "redirect",
            "redirects (302) to https://evil.example/",
        ),
        ("a redirect to nowhere", spiffe(status("307 Go")), "redirect", "(307) to nowhere"),
        ("not modified", spiffe(status("304 Not Modified")), "redirect", "(304) to nowhere"),
        ("announced too large", spiffe(large.into_bytes()), "body_too_large", "1048576 bytes"),
        ("too large", spiffe(endless), "body_too_large", "1048576 bytes"),
        (
            "a large head",
            spiffe(head(&format!("x: {}\r\n", "x".repeat(20_000)))),
            "http",
            "too large",
        ),
        ("many fields", spiffe(head(&"x: y\r\n".repeat(65))), "http", "too large"),
        ("half a body", spiffe(good().split_last_chunk::<9>().unwrap().0.to_vec()), "http", ""),
        ("half a chunk", spiffe(chunked), "http", ""),
        ("no HTTP", spiffe(b"220 mail.example ESMTP\r\n\r\n".to_vec()), "http", ""),
        ("nothing", spiffe(vec![]), "http", ""),
        ("HTML", spiffe(ok("<html></html>")), "document_not_json", "line 1, column 1"),
        ("another JSON", spiffe(ok("{\"a\":1}")), "document_without_keys", ""),
        (
            "another domain's",
            spiffe(published(&other)),
            "bundle_other_domain",
            "is of another trust domain: `spiffe://other.example`",
        ),
        (
            "another workload of the domain",
            Answers::Tls(
                RawServer::with_svid(provider(), &ca.svid("spiffe://partner.example/web")).config(),
                good(),
            ),
            "name_mismatch",
            "the peer is `spiffe://partner.example/web`, accepted: spiffe://partner.example/bundle-endpoint",
        ),
        (
            "another domain's workload",
            Answers::Tls(
                RawServer::with_svid(provider(), &other.svid("spiffe://other.example/x")).config(),
                good(),
            ),
            "unknown_trust_domain",
            "known: `partner.example`",
        ),
        (
            "another authority of that name",
            spiffe_server(&TestCa::new(PARTNER), good()),
            "untrusted_issuer",
            "",
        ),
        ("no X509-SVID", web_server(&ca, "127.0.0.1", good()), "uri_san_count", ""),
        (
            "a certificate is demanded",
            Answers::Tls(
                RawServer::with_svid(provider(), &ca.svid(SERVER))
                    .asking_for_certificate()
                    .config(),
                good(),
            ),
            "alert_received",
            "certificate_required",
        ),
        ("no TLS", Answers::Plain(b"HTTP/1.1 200 OK\r\n\r\n"), "tls_protocol", ""),
        ("closed at once", Answers::Plain(b""), "closed_in_handshake", ""),
        ("silence", Answers::Silence, "timeout", "no answer within 500ms"),
    ] {
        let served = Served::start(answers).await;
        let endpoint = by_spiffe(&served.url(), Some(ca.bundle()));
        let endpoint = if reason == "timeout" {
            endpoint.timeout(Duration::from_millis(500))
        } else {
            endpoint
        };
        let error = endpoint.fetch(&profile(provider()), &[]).await.unwrap_err();
        let shown = WithCauses(&error).to_string();
        assert_eq!(error.reason(), reason, "{name}: {shown}");
        assert!(shown.contains(text), "{name}: {shown}");
        assert!(shown.chars().all(|c| !c.is_control()), "{name}: {shown:?}");
    }

    for (name, answers, reason) in [
        ("another name", web_server(&web, "127.0.0.2", good()), "wrong_server_name"),
        ("another authority", web_server(&ca, "127.0.0.1", good()), "untrusted_issuer"),
    ] {
        let served = Served::start(answers).await;
        let error = by_web(&served.url(), &web)
            .fetch(&profile(provider()), &[])
            .await
            .unwrap_err();
        assert!(matches!(error, FetchError::WebServer(_)), "{name}: {error}");
        assert_eq!(error.reason(), reason, "{name}");
    }

    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let gone = format!("https://{gone}/");
    let error = by_web(&gone, &web)
        .fetch(&profile(provider()), &[])
        .await
        .unwrap_err();
    assert_eq!(error.reason(), "connect");
}

#[tokio::test]
async fn a_provider_that_can_do_nothing_is_no_client() {
    let nothing = CryptoProvider { cipher_suites: vec![], ..ring::default_provider() };
    let (profile, ca) = (profile(Arc::new(nothing)), TestCa::new(PARTNER));
    let url = "https://127.0.0.1:1/";
    let error = by_spiffe(url, Some(ca.bundle()))
        .fetch(&profile, &[])
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::SpiffeClient(_)), "{error}");
    let error = by_web(url, &ca).fetch(&profile, &[]).await.unwrap_err();
    assert!(matches!(error, FetchError::WebClient(_)), "{error}");
}

#[tokio::test]
async fn a_federation_takes_what_its_endpoints_serve() {
    let (partner_ca, hub, third) =
        (TestCa::new(PARTNER), TestCa::new("hub.example"), TestCa::new("third.example"));
    // One domain serves itself, the other is served by the workload of a third.
    let next = TestCa::new(PARTNER);
    let own = Served::start(spiffe_server(&partner_ca, published(&next))).await;
    let id = "spiffe://hub.example/bundles";
    let config = RawServer::with_svid(provider(), &hub.svid(id)).config();
    let by_hub = Served::start(Answers::Tls(config, published(&third))).await;

    let reports = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&reports);
    let endpoint = BundleEndpoint::https_spiffe(
        "third.example".parse().unwrap(),
        &by_hub.url(),
        id.parse().unwrap(),
        None,
    );
    let federation = Federation::new(profile(provider()))
        .fixed(hub.bundle())
        .unwrap()
        .endpoint(by_spiffe(&own.url(), Some(partner_ca.bundle())))
        .unwrap()
        .endpoint(endpoint.unwrap())
        .unwrap()
        .reporter(Arc::new(move |report: &Report<'_>| {
            log.lock().unwrap().push(report.to_string());
        }));
    let mut bundles = federation.bundles();
    assert_eq!(*bundles.current(), [hub.bundle(), partner_ca.bundle()], "the bootstrap is in use");
    let health = federation.health();
    let watch = federation.watch();
    let want = [hub.bundle(), next.bundle(), third.bundle()];
    tokio::time::timeout(Duration::from_secs(30), async {
        while *bundles.current() != want {
            bundles.changed().await;
        }
    })
    .await
    .unwrap();
    assert!(watch.is_running());
    for status in health.statuses().iter().skip(1) {
        assert_eq!((status.last_success, status.sequence), (Some(test_time()), Some(5)));
        assert!(status.last_error.is_none());
    }
    let mut seen = reports.lock().unwrap().clone();
    seen.sort();
    assert_eq!(
        seen,
        [
            "bundle of `partner.example` replaced (sequence 5)",
            "bundle of `third.example` replaced (sequence 5)",
        ]
    );

    let twice = Federation::new(profile(provider()))
        .fixed(partner_ca.bundle())
        .unwrap()
        .endpoint(by_spiffe(&own.url(), None));
    assert_eq!(twice.unwrap_err().reason(), "two_sources");
}
