//! Who gets a certificate, and what it is.

use std::sync::Arc;
use std::time::Duration;

use meshtls_ca::IssuancePolicy;
use meshtls_identity::AcceptedDomains;
use meshtls_istio_ca::{CaTrust, ClientCertificate, IstioCaClient, ServerCertificate};
use meshtls_rustls::rustls::pki_types::ServerName;
use meshtls_svid::{SvidHandle, Usage, Validation, validate};
use meshtls_testkit::{TestCa, test_time};

use crate::kit::{HOUR, ISTIOD, Kit, LEDGER, id, issue, issue_for, reason, run, run_with, write};

#[tokio::test]
async fn a_join_token_gives_one_identity_once() {
    let kit = Kit::new();
    let running = run(kit.server()).await;
    let token = kit.join_token(LEDGER);
    let client = kit.with_token(running.address, &format!("{token}\n"));
    let (issued, svid) = issue_for(&client, Some(HOUR)).await.unwrap();
    assert_eq!(svid.id().as_str(), LEDGER);
    assert_eq!(issued.roots, kit.ca.bundle().anchors());
    assert_eq!(svid.chain().len(), 2, "the intermediate comes along");
    assert_eq!(svid.not_after().as_secs(), test_time().as_secs() + 3600);
    let algorithms = kit.profile.provider().signature_verification_algorithms;
    let (bundles, any) = (kit.ca.bundles(), AcceptedDomains::Any);
    let rules = Validation::new(&bundles, &any, algorithms.all, Usage::Server, test_time());
    assert_eq!(validate(svid.chain(), &rules).unwrap().id().as_str(), LEDGER);
    let line = kit.audit.one();
    assert!(
        line.contains("by=join_token") && line.contains(&format!(" issued={LEDGER}")),
        "{line}"
    );
    assert!(
        line.contains(" ttl=3600 ") && line.contains(" name=\"") && !line.contains(&token),
        "{line}"
    );

    assert_eq!(reason(issue(&client).await), "ca_unauthenticated");
    let line = kit.audit.one();
    assert!(line.contains("join_token_used") && line.contains("refused=unauthenticated"), "{line}");
}

#[tokio::test]
async fn a_client_certificate_keeps_its_id_and_is_asked_first() {
    let kit = Kit::new();
    let running = run(kit.server()).await;
    let token = kit.join_token("spiffe://prod.example/ns/pay/sa/other");
    let client = kit.with_token(running.address, &token);
    client.show(Arc::new(SvidHandle::new(kit.ca.svid(LEDGER), kit.ca.bundles())));
    for _ in 0..3 {
        let (_, svid) = issue(&client).await.unwrap();
        assert_eq!(svid.id().as_str(), LEDGER);
        assert!(kit.audit.one().contains("by=client_certificate"));
    }
    // The token was not even sent.
    let (_, svid) = issue(&kit.with_token(running.address, &token))
        .await
        .unwrap();
    assert_eq!(svid.id().as_str(), "spiffe://prod.example/ns/pay/sa/other");
}

/// It is not taken for no certificate: in TLS 1.3 the client hears of it only when it reads.
#[tokio::test]
async fn a_rejected_certificate_gets_no_answer() {
    let kit = Kit::new();
    let running = run(kit.server()).await;
    let stranger = TestCa::new("prod.example").svid(LEDGER);
    assert_eq!(reason(issue(&kit.with_svid(running.address, stranger)).await), "ca_unavailable");
    assert!(kit.audit.take().is_empty(), "it was no request");
}

#[tokio::test]
async fn the_token_is_read_at_every_request() {
    let kit = Kit::new();
    let running = run(kit.server()).await;
    let client = kit.with_token(running.address, "");
    assert_eq!(reason(issue(&client).await), "ca_token");
    for name in ["one", "two"] {
        let id = format!("spiffe://prod.example/vm/{name}");
        write(&kit.path("token"), &kit.join_token(&id));
        assert_eq!(issue(&client).await.unwrap().1.id().as_str(), id);
    }
    std::fs::remove_file(kit.path("token")).unwrap();
    assert_eq!(reason(issue(&client).await), "ca_token");
}

/// For ztunnel and istio-agent: the CA has a DNS name, under roots of its own.
#[tokio::test]
async fn a_ca_with_a_dns_name() {
    let kit = Kit::new();
    let web = TestCa::new("web.example");
    let own = web.web_certificate(&["istiod.istio-system.svc"]);
    write(&kit.path("chain.pem"), &own.chain_pem());
    write(&kit.path("key.pem"), &own.key_pem());
    write(&kit.path("web.pem"), &web.bundle().to_pem());
    let files = ServerCertificate::files(kit.path("chain.pem"), kit.path("key.pem"));
    let running = run_with(kit.server(), files).await;
    let client = |name: &str| {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let trust = CaTrust::host(kit.path("web.pem"), name);
        IstioCaClient::new(running.address.to_string(), trust, kit.profile.clone())
    };
    write(&kit.path("token"), &kit.join_token(LEDGER));
    let good = client("istiod.istio-system.svc").token_file(kit.path("token"));
    let (_, svid) = issue(&good).await.unwrap();
    // From now on by the certificate.
    good.show(Arc::new(SvidHandle::new(svid, kit.ca.bundles())));
    assert_eq!(issue(&good).await.unwrap().1.id().as_str(), LEDGER);

    assert_eq!(reason(issue(&client("istiod.other.svc")).await), "ca_tls");

    // Another certificate in the files is shown at the next connection.
    let renewed = web.web_certificate(&["istiod.other.svc"]);
    write(&kit.path("chain.pem"), &renewed.chain_pem());
    write(&kit.path("key.pem"), &renewed.key_pem());
    assert_eq!(reason(issue(&good).await), "ca_tls");
    assert_eq!(reason(issue(&client("istiod.other.svc")).await), "ca_unauthenticated");
}

#[tokio::test]
async fn the_wrong_ca_is_not_asked() {
    let kit = Kit::new();
    let running = run(kit.server()).await;
    let token = kit.join_token(LEDGER);
    write(&kit.path("token"), &token);
    let other = CaTrust::spiffe_id(kit.path("roots.pem"), id(LEDGER));
    let by_other_id = IstioCaClient::new(running.address.to_string(), other, kit.profile.clone());
    write(&kit.path("other.pem"), &TestCa::new("prod.example").bundle().to_pem());
    let other = CaTrust::spiffe_id(kit.path("other.pem"), id(ISTIOD));
    let by_other_root = IstioCaClient::new(running.address.to_string(), other, kit.profile.clone());
    for client in [by_other_id, by_other_root] {
        let client = client.token_file(kit.path("token"));
        assert_eq!(reason(issue(&client).await), "ca_tls");
    }
    let missing = CaTrust::spiffe_id(kit.path("missing.pem"), id(ISTIOD));
    let missing = IstioCaClient::new(running.address.to_string(), missing, kit.profile.clone());
    assert_eq!(reason(issue(&missing).await), "ca_roots");
    assert!(kit.audit.take().is_empty());
    // And so the token is as good as new.
    assert!(
        issue(&kit.with_token(running.address, &token))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_source_of_svids_can_be_shown() {
    let kit = Kit::new();
    let own = Arc::new(SvidHandle::new(kit.ca.svid(ISTIOD), kit.ca.bundles()));
    let authority = Arc::new(kit.ca.authority().clone());
    let server = kit
        .server_of(authority, IssuancePolicy::default())
        .authenticator(Arc::new(ClientCertificate::default()));
    let source = ServerCertificate::source(Arc::<SvidHandle>::clone(&own));
    let running = run_with(server, source).await;
    let client = kit
        .with_svid(running.address, kit.ca.svid(LEDGER))
        .attempt_deadline(Duration::from_secs(5));
    assert_eq!(issue(&client).await.unwrap().1.id().as_str(), LEDGER);
    own.replace(kit.ca.svid(LEDGER), kit.ca.bundles());
    assert_eq!(reason(issue(&client).await), "ca_tls", "the server is somebody else now");
}
