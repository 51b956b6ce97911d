//! Each way to get nothing: the code for the caller, the cause for the audit log, once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use meshtls_ca::{
    AuthorityRoots, IssuancePolicy, IssueError, IssueRequest, IssuedSvid, IssuingAuthority,
    SerialSource,
};
use meshtls_identity::{IdMatcher, TrustDomain};
use meshtls_istio_ca::ClientCertificate;
use meshtls_testkit::TestCa;
use rustls_pki_types::UnixTime;

use crate::kit::{Kit, LEDGER, id, issue, issue_for, limits, reason, run};
use crate::wire::{Wire, call, request};

/// An authority whose issuing waits, or fails.
#[derive(Debug)]
struct Broken {
    inner: meshtls_ca::Authority,
    wait: Duration,
}

impl IssuingAuthority for Broken {
    fn trust_domain(&self) -> &TrustDomain {
        self.inner.trust_domain()
    }

    fn issue(
        &self,
        request: &IssueRequest<'_>,
        now: UnixTime,
        serials: &mut dyn SerialSource,
    ) -> Result<IssuedSvid, IssueError> {
        // The server's own certificate has to come from somewhere.
        let issued = IssuingAuthority::issue(&self.inner, request, now, serials)?;
        let leaf = issued.chain.first().unwrap();
        if meshtls_svid::identify(leaf)
            .unwrap()
            .path()
            .contains("istiod")
        {
            return Ok(issued);
        }
        std::thread::sleep(self.wait);
        Err(IssueError::Unavailable("the disk has gone".into()))
    }

    fn roots(&self, now: UnixTime) -> Result<AuthorityRoots, IssueError> {
        IssuingAuthority::roots(&self.inner, now)
    }
}

#[tokio::test]
async fn each_refusal_has_its_code_and_one_line() {
    let kit = Kit::new();
    let running = run(kit.server()).await;
    let good = request(&kit.csr(), 0, None);
    let signed_by_another = kit.csr().replace('A', "B");
    let ledger = || Some(kit.ca.svid(LEDGER));
    let long = i64::try_from(Duration::from_secs(91 * 86_400).as_secs()).unwrap();
    for (name, svid, bearer, message, code, cause) in [
        ("nobody", None, None, good.clone(), 16, "join_token: not shown"),
        (
            "an unknown token",
            None,
            Some("Bearer meshtls-join-00"),
            good.clone(),
            16,
            "join_token_malformed",
        ),
        ("a token of no kind", None, Some("Bearer abc"), good.clone(), 16, "join_token: not shown"),
        ("no CSR", ledger(), None, request("", 0, None), 3, "csr_malformed"),
        ("a CSR that is no PEM", ledger(), None, request("abc", 0, None), 3, "csr_malformed"),
        ("a changed CSR", ledger(), None, request(&signed_by_another, 0, None), 3, "refused=csr_"),
        ("91 days", ledger(), None, request(&kit.csr(), long, None), 3, "ttl_too_long"),
        ("30 seconds", ledger(), None, request(&kit.csr(), 30, None), 3, "ttl_too_short"),
        (
            "for another",
            ledger(),
            None,
            request(&kit.csr(), 0, Some("spiffe://prod.example/ns/a/sa/b")),
            16,
            "foreign_identity",
        ),
        ("for no ID", ledger(), None, request(&kit.csr(), 0, Some("admin")), 16, "no SPIFFE ID"),
        (
            "an expired token that has lines\u{b}",
            None,
            Some("Bearer a.b.c"),
            good.clone(),
            16,
            "not shown",
        ),
    ] {
        let answer = call(&kit, running.address, svid, bearer, &message).await;
        assert_eq!(answer.code, code, "{name}: {answer:?}");
        let texts = ["the caller is not authenticated", "the request is not accepted"];
        assert!(texts.contains(&&*answer.message), "{name}: {answer:?}");
        assert!(answer.elements.is_empty(), "{name}");
        let line = kit.audit.one();
        assert!(line.contains(cause) && line.is_ascii() && !line.contains('\n'), "{name}: {line}");
    }
}

/// Negative and no validity ask for the default.
#[tokio::test]
async fn the_default_life() {
    let kit = Kit::new();
    let running = run(kit.server()).await;
    for seconds in [0, -1, i64::MIN] {
        let message = request(&kit.csr(), seconds, None);
        let answer = call(&kit, running.address, Some(kit.ca.svid(LEDGER)), None, &message).await;
        assert_eq!(answer.code, 0, "{seconds}: {answer:?}");
        assert!(!kit.audit.one().contains(" ttl="));
    }
}

#[tokio::test]
async fn a_delegate_asks_for_those_of_its_list() {
    let kit = Kit::new();
    let node = "spiffe://prod.example/ns/istio-system/sa/ztunnel";
    let policy = IssuancePolicy::default().with_delegate(id(node), IdMatcher::Exact(id(LEDGER)));
    let server = kit
        .server_of(Arc::new(kit.ca.authority().clone()), policy)
        .authenticator(Arc::new(ClientCertificate::default()));
    let running = run(server).await;
    for (name, caller, wanted, code) in [
        ("the delegate for whom it may", node, LEDGER, 0),
        ("the delegate for itself", node, node, 0),
        ("the delegate for itself, by nothing", node, "", 0),
        ("the delegate for another", node, "spiffe://prod.example/ns/pay/sa/other", 16),
        ("the delegate for another domain", node, "spiffe://other.example/ns/pay/sa/ledger", 16),
        ("another for whom the delegate may", "spiffe://prod.example/ns/pay/sa/other", LEDGER, 16),
    ] {
        let message = request(&kit.csr(), 0, Some(wanted));
        let svid = Some(kit.ca.svid(caller));
        let answer = call(&kit, running.address, svid, None, &message).await;
        assert_eq!(answer.code, code, "{name}: {answer:?}");
        let line = kit.audit.one();
        if code == 0 {
            let named = if wanted.is_empty() { node } else { wanted };
            assert!(line.contains(&format!(" issued={named} ")), "{name}: {line}");
        }
    }
}

#[tokio::test]
async fn an_authority_that_fails_and_an_audit_log_that_is_full() {
    let kit = Kit::new();
    let broken = Broken { inner: kit.ca.authority().clone(), wait: Duration::ZERO };
    let server = kit
        .server_of(Arc::new(broken), IssuancePolicy::default())
        .authenticator(Arc::new(ClientCertificate::default()));
    let running = run(server).await;
    let message = request(&kit.csr(), 0, None);
    let svid = || Some(kit.ca.svid(LEDGER));
    let answer = call(&kit, running.address, svid(), None, &message).await;
    assert_eq!((answer.code, &*answer.message), (13, "no certificate can be issued now"));
    assert!(kit.audit.one().contains("the disk has gone"));

    let running = run(kit.server()).await;
    kit.audit.full.store(true, Ordering::SeqCst);
    for svid in [svid(), None] {
        let answer = call(&kit, running.address, svid, None, &message).await;
        assert_eq!((answer.code, answer.elements.len()), (13, 0));
        kit.audit.one();
    }
    kit.audit.full.store(false, Ordering::SeqCst);
    assert_eq!(
        call(&kit, running.address, svid(), None, &message)
            .await
            .code,
        0
    );
}

/// Whoever goes away is written down all the same; whoever waits too long is told so; whoever is one too many too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadlines_and_too_many_requests() {
    let kit = Kit::new();
    let slow = Broken { inner: kit.ca.authority().clone(), wait: Duration::from_millis(700) };
    let server = kit
        .server_of(Arc::new(slow), IssuancePolicy::default())
        .authenticator(Arc::new(ClientCertificate::default()))
        .limits(limits(|limits| {
            limits.requests = 1;
            limits.request = Duration::from_millis(200);
        }));
    let running = run(server).await;
    let message = request(&kit.csr(), 0, None);
    let mut wire = Wire::open(&kit, running.address, Some(kit.ca.svid(LEDGER))).await;
    let late = wire.call(None, &message).await;
    assert_eq!(late.code, 4, "{late:?}");
    let crowded = wire.call(None, &message).await;
    assert_eq!((crowded.code, &*crowded.message), (8, "too many requests"));
    // The first is still at work, and is written down at its end.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let lines = kit.audit.take();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].contains("too many requests at once") && lines[1].contains("the disk has gone"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn too_large_messages_and_unknown_methods() {
    let kit = Kit::new();
    let running = run(kit.server()).await;
    let mut wire = Wire::open(&kit, running.address, Some(kit.ca.svid(LEDGER))).await;
    let large = wire
        .call(None, &request(&"x".repeat(40_000), 0, None))
        .await;
    assert_eq!(large.code, 11, "{large:?}");
    let other = wire
        .call_at("/istio.v1.auth.IstioCertificateService/Other", &[])
        .await;
    assert_eq!(other.code, 12, "{other:?}");
    assert!(kit.audit.take().is_empty(), "neither is a request that was read");
    assert_eq!(wire.call(None, &request(&kit.csr(), 0, None)).await.code, 0);
}

/// Without TLS there is no caller, and no HTTP either.
#[tokio::test]
async fn plaintext_gets_an_alert_and_no_more() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let kit = Kit::new();
    let running = run(kit.server()).await;
    let mut stream = tokio::net::TcpStream::connect(running.address)
        .await
        .unwrap();
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, [21, 3, 3, 0, 2, 2, 50]);
    assert!(kit.audit.take().is_empty());
}

#[tokio::test]
async fn callers_are_told_apart_by_their_domain() {
    let kit = Kit::new();
    let running = run(kit.server()).await;
    let foreign = TestCa::new("other.example").svid("spiffe://other.example/a");
    // In TLS 1.3 the client hears of it only when it reads.
    assert_eq!(reason(issue(&kit.with_svid(running.address, foreign)).await), "ca_unavailable");
    assert!(kit.audit.take().is_empty());
    let client = kit.with_svid(running.address, kit.ca.svid(LEDGER));
    let code = reason(issue_for(&client, Some(Duration::from_secs(91 * 86_400))).await);
    assert_eq!(code, "ca_invalid");
}
