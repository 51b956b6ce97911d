//! SIMPLE and MUTUAL: what is sent, whom it accepts, and that none of it ends in plaintext.

use std::sync::{Arc, Mutex};

use meshtls_connector::{
    ConnectError, Connector, ConnectorBuilder, Credential, CredentialError, CredentialResolver,
    Destination, OriginationMode, OriginationUnavailable, Outbound, Protocol, Ready, refusal_of,
};
use meshtls_identity::IdMatcher;
use meshtls_policy::OutboundRefusal;
use meshtls_rustls::WithCauses;
use meshtls_svid::ServerAuthorities;
use meshtls_testkit::{Revocations, TestCa};
use tokio::io::AsyncReadExt as _;

use crate::web::{Demands, Folder, Seen, WebServer, rule};
use crate::world::{
    AS_LEDGER, HOST, LEDGER, PORT, RawServer, Says, World, each_provider, failed, read_all, service,
};

/// Without a service account, so that nothing but the rule says which names count.
const UNNAMED: &str = "labels: { app: ledger }";

/// A client who trusts this world's authority where a rule names none.
fn client(world: &World, server: &WebServer, tls: &str) -> ConnectorBuilder<Ready> {
    let yaml = format!("{}{}", service(&[(server.address, UNNAMED)]), rule(tls));
    world
        .client(&yaml)
        .system_roots(world.ca.bundle().anchors().to_vec())
}

async fn connect(client: ConnectorBuilder<Ready>) -> Result<Outbound, ConnectError> {
    client.build().connect(HOST, PORT).await
}

fn story(error: &ConnectError) -> String {
    WithCauses(error).to_string()
}

#[tokio::test]
async fn simple_sends_the_host_and_checks_it() {
    each_provider(async |world| {
        let server = world.web(&[HOST]).await;
        let outbound = connect(client(&world, &server, "mode: SIMPLE"))
            .await
            .unwrap();
        let Outbound::Originated(originated) = &outbound else { panic!("{outbound:?}") };
        assert_eq!(originated.mode, OriginationMode::Simple);
        assert_eq!(originated.peer.presented().to_string(), HOST);
        assert!(originated.peer.is_verified());
        assert!(outbound.peer().is_none(), "nobody proved a SPIFFE ID");
        assert_eq!(outbound.endpoint(), server.address);
        assert_eq!(read_all(outbound).await, "hello");
        let seen = Seen { sni: Some(HOST.to_owned()), alpn: Vec::new(), certificates: Some(0) };
        assert_eq!(server.seen(), [seen]);
        let event = world.events.one();
        assert_eq!(
            event,
            format!("simple, attempts 1, handshake, sni {HOST}, accepted -, names {HOST}")
        );
    })
    .await;
}

/// One row, one rule: who is accepted.
#[tokio::test]
async fn names_are_checked_as_the_rule_says() {
    const ID: &str = "spiffe://prod.example/ns/pay/sa/ledger";
    each_provider(async |world| {
        for (tls, presented, sni, good) in [
            ("", &[HOST][..], HOST, true),
            ("", &["*.pay.svc.cluster.local"], HOST, true),
            ("", &["other.example.com"], HOST, false),
            ("", &[], HOST, false),
            (", subjectAltNames: [api.example.com]", &["api.example.com"], HOST, true),
            (", subjectAltNames: [api.example.com]", &[HOST], HOST, false),
            (", subjectAltNames: [a.example, b.example]", &["x.example", "b.example"], HOST, true),
            (", subjectAltNames: ['spiffe://prod.example/ns/pay/sa/ledger']", &[ID], HOST, true),
            (
                ", sni: api.example.com, subjectAltNames: [b.example]",
                &["b.example"],
                "api.example.com",
                true,
            ),
            (
                ", sni: api.example.com, subjectAltNames: [b.example]",
                &["api.example.com"],
                "api.example.com",
                false,
            ),
            // With a server name and no list only the chain is checked.
            (", sni: api.example.com", &["whoever.example"], "api.example.com", true),
        ] {
            let server = world.web(presented).await;
            let mode = format!("mode: SIMPLE{tls}");
            let outcome = connect(client(&world, &server, &mode)).await;
            match (outcome, good) {
                (Ok(outbound), true) => assert_eq!(read_all(outbound).await, "hello", "{tls}"),
                (Err(ConnectError::WrongServerName { .. }), false) => {}
                (outcome, _) => panic!("{tls} {presented:?}: {outcome:?}"),
            }
            assert_eq!(server.seen()[0].sni.as_deref(), Some(sni), "{tls}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_service_entrys_own_names_count_before_the_host() {
    each_provider(async |world| {
        for (presented, good) in [("named.example", true), (HOST, false)] {
            let server = world.web(&[presented]).await;
            let entry = service(&[(server.address, UNNAMED)])
                .replace("  location", "  subjectAltNames: [named.example]\n  location");
            let client = world
                .client(&format!("{entry}{}", rule("mode: SIMPLE")))
                .system_roots(world.ca.bundle().anchors().to_vec());
            assert_eq!(connect(client).await.is_ok(), good, "{presented}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_wrong_name_is_told_with_both_lists() {
    each_provider(async |world| {
        let server = world.web(&["other.example", "more.example"]).await;
        let error = failed(connect(client(&world, &server, "mode: SIMPLE, sni: x.example, subjectAltNames: [api.example.com, b.example]")).await);
        assert_eq!(error.reason(), "wrong_server_name");
        assert_eq!(
            error.to_string(),
            format!(
                "{} presented other.example, more.example, but accepted is any of api.example.com, b.example",
                server.address
            )
        );
        assert!(world.events.one().starts_with("wrong_server_name, attempts 1, handshake"));
    })
    .await;
}

#[tokio::test]
async fn mutual_shows_the_certificate_of_its_files() {
    each_provider(async |world| {
        let folder = Folder::new(&format!("mutual-{:p}", &world));
        let own = world.ca.web_certificate(&["client.example.com"]);
        let certificate = folder.write("cert.pem", own.chain_pem());
        let key = folder.write("key.pem", &*own.key_pem());
        let roots = folder.write("roots.pem", world.ca.bundle().to_pem());
        let web = world.ca.web_certificate(&[HOST]);
        let server = WebServer::new(world.profile.provider(), &web, Demands::Certificate).await;
        let tls = format!(
            "mode: MUTUAL, clientCertificate: {certificate}, privateKey: {key}, caCertificates: {roots}"
        );
        let outbound = connect(client(&world, &server, &tls).system_roots(vec![])).await.unwrap();
        let Outbound::Originated(originated) = &outbound else { panic!("{outbound:?}") };
        assert_eq!(originated.mode, OriginationMode::Mutual);
        assert_eq!(read_all(outbound).await, "hello");
        assert_eq!(server.seen()[0].certificates, Some(1));
        assert!(world.events.one().starts_with("mutual, "));
    })
    .await;
}

/// With TLS 1.3 it shows on the first read, as in the mesh.
#[tokio::test]
async fn a_server_that_wants_a_certificate_refuses_simple() {
    each_provider(async |world| {
        let web = world.ca.web_certificate(&[HOST]);
        let server = WebServer::new(world.profile.provider(), &web, Demands::Certificate).await;
        let outbound = connect(client(&world, &server, "mode: SIMPLE"))
            .await
            .unwrap();
        let mut text = String::new();
        let error = outbound
            .into_stream()
            .read_to_string(&mut text)
            .await
            .unwrap_err();
        assert_eq!(refusal_of(&error).unwrap().alert.code(), 116);
    })
    .await;
}

#[tokio::test]
async fn only_http2_offers_a_protocol() {
    each_provider(async |world| {
        let server = world.web(&[HOST]).await;
        let client = client(&world, &server, "mode: SIMPLE").build();
        for (protocol, alpn) in
            [(Protocol::Http1, &[][..]), (Protocol::Http2, &["h2"]), (Protocol::Tcp, &[])]
        {
            let to = Destination::new(HOST, PORT).protocol(protocol);
            read_all(client.connect_to(&to).await.unwrap()).await;
            assert_eq!(server.seen()[0].alpn, alpn, "{protocol:?}");
        }
    })
    .await;
}

/// What was to be TLS stays TLS: the application's bytes are not sent to a server that speaks none.
#[tokio::test]
async fn a_plaintext_server_gets_no_plaintext() {
    each_provider(async |world| {
        let folder = Folder::new(&format!("plain-{:p}", &world));
        let own = world.ca.web_certificate(&[]);
        let certificate = folder.write("cert.pem", own.chain_pem());
        let key = folder.write("key.pem", &*own.key_pem());
        for tls in [
            "mode: SIMPLE".to_owned(),
            format!("mode: MUTUAL, clientCertificate: {certificate}, privateKey: {key}"),
        ] {
            let server = RawServer::new(Says(b"HTTP/1.1 400 Bad Request\r\n\r\n")).await;
            let yaml = format!("{}{}", service(&[(server.address, AS_LEDGER)]), rule(&tls));
            let client = world
                .client(&yaml)
                .system_roots(world.ca.bundle().anchors().to_vec());
            let error = failed(connect(client).await);
            assert!(matches!(error, ConnectError::OriginationHandshake { .. }), "{error:?}");
            assert_eq!(error.reason(), "tls_protocol");
            let sent = server.first_bytes();
            assert_eq!(sent.len(), 1, "one connection");
            assert_eq!(sent[0][..2], [22, 3], "a TLS handshake record");
        }
    })
    .await;
}

#[tokio::test]
async fn an_unknown_authority_is_rejected_even_if_no_name_is_checked() {
    each_provider(async |world| {
        let stranger = TestCa::new("prod.example").web_certificate(&[HOST]);
        let server = WebServer::new(world.profile.provider(), &stranger, Demands::Nothing).await;
        for tls in ["mode: SIMPLE", "mode: SIMPLE, sni: x.example"] {
            let error = failed(connect(client(&world, &server, tls)).await);
            assert_eq!(error.reason(), "untrusted_issuer", "{tls}");
        }
    })
    .await;
}

#[tokio::test]
async fn insecure_skip_verify_needs_a_word_in_the_program() {
    each_provider(async |world| {
        let stranger = TestCa::new("other.example").web_certificate(&["whoever.example"]);
        let server = WebServer::new(world.profile.provider(), &stranger, Demands::Nothing).await;
        let skip = || client(&world, &server, "mode: SIMPLE, insecureSkipVerify: true");
        let error = failed(connect(skip()).await);
        assert!(matches!(
            error,
            ConnectError::Origination { source: OriginationUnavailable::InsecureSkipVerify, .. }
        ));
        assert_eq!(error.reason(), "insecure_skip_verify");
        assert!(server.seen().is_empty(), "nothing is sent");
        let allowed = skip().dangerous_allow_insecure_skip_verify();
        // No authorities are needed then.
        let outbound = connect(allowed.system_roots(vec![])).await.unwrap();
        let Outbound::Originated(originated) = &outbound else { panic!("{outbound:?}") };
        assert!(!originated.peer.is_verified());
        assert_eq!(read_all(outbound).await, "hello");
        world.events.drain();
    })
    .await;
}

/// Whatever cannot be used is named, and nothing is sent.
#[tokio::test]
async fn what_cannot_be_begun() {
    each_provider(async |world| {
        let folder = Folder::new(&format!("faults-{:p}", &world));
        let own = world.ca.web_certificate(&["client.example.com"]);
        let other = world.ca.web_certificate(&["client.example.com"]);
        let certificate = folder.write("cert.pem", own.chain_pem());
        let key = folder.write("key.pem", &*own.key_pem());
        let other_key = folder.write("other-key.pem", &*other.key_pem());
        let roots = folder.write("roots.pem", world.ca.bundle().to_pem());
        let empty = folder.write("empty.pem", "");
        let nowhere = format!("{empty}.gone");
        let server = world.web(&[HOST]).await;
        for (tls, reason, words) in [
            ("mode: SIMPLE".to_owned(), "no_system_roots", "no trusted authorities".to_owned()),
            (
                format!("mode: SIMPLE, caCertificates: {nowhere}"),
                "origination_file",
                format!("cannot read `{nowhere}`"),
            ),
            (
                format!("mode: SIMPLE, caCertificates: {empty}"),
                "origination_file",
                format!("`{empty}` is not usable: not a bundle in PEM: the text is empty"),
            ),
            (
                format!("mode: SIMPLE, caCertificates: {roots}, caCrl: {roots}"),
                "origination_file",
                format!("`{roots}` is not usable: no certificate revocation lists in PEM"),
            ),
            (
                format!("mode: MUTUAL, caCertificates: {roots}, clientCertificate: {certificate}, privateKey: {nowhere}"),
                "origination_file",
                format!("cannot read `{nowhere}`"),
            ),
            (
                format!("mode: MUTUAL, caCertificates: {roots}, clientCertificate: {certificate}, privateKey: {certificate}"),
                "origination_file",
                format!("`{certificate}` is not usable: the key cannot be read from PEM"),
            ),
            (
                format!("mode: MUTUAL, caCertificates: {roots}, clientCertificate: {key}, privateKey: {key}"),
                "origination_file",
                format!("`{key}` is not usable: the chain cannot be read from PEM"),
            ),
            (
                format!("mode: MUTUAL, caCertificates: {roots}, clientCertificate: {certificate}, privateKey: {other_key}"),
                "client_certificate",
                format!("the client certificate of `{certificate}` cannot be used: the private key does not belong"),
            ),
            (
                "mode: SIMPLE, credentialName: payments".to_owned(),
                "no_credential_resolver",
                "credential `payments` is not available outside Kubernetes".to_owned(),
            ),
            (
                "mode: MUTUAL, credentialName: payments".to_owned(),
                "no_credential_resolver",
                "credential `payments` is not available outside Kubernetes".to_owned(),
            ),
        ] {
            let error = failed(connect(client(&world, &server, &tls).system_roots(vec![])).await);
            assert_eq!(error.reason(), reason, "{tls}");
            assert!(story(&error).contains(&words), "{tls}: {}", story(&error));
            assert!(world.events.one().starts_with(&format!("{reason}, attempts 0, no handshake")));
        }
        assert!(server.seen().is_empty());
    })
    .await;
}

#[tokio::test]
async fn replaced_files_count_from_the_next_connection_on() {
    each_provider(async |world| {
        let folder = Folder::new(&format!("rotation-{:p}", &world));
        let roots = folder.write("roots.pem", world.ca.bundle().to_pem());
        let crl = folder.write("crl.pem", crl(&world, Revocations::Nobody));
        let server = world.web(&[HOST]).await;
        let tls = format!("mode: SIMPLE, caCertificates: {roots}, caCrl: {crl}");
        let client = client(&world, &server, &tls).build();
        let outcome = async || {
            let outcome = client.connect(HOST, PORT).await;
            outcome.err().map(|error| error.reason())
        };
        assert_eq!(outcome().await, None);
        assert_eq!(outcome().await, None);
        folder.write("crl.pem", self::crl(&world, Revocations::EveryWebCertificate));
        assert_eq!(outcome().await, Some("revoked"));
        folder.write("crl.pem", self::crl(&world, Revocations::Nobody));
        assert_eq!(outcome().await, None);
        folder.write("roots.pem", TestCa::new("prod.example").bundle().to_pem());
        assert_eq!(outcome().await, Some("untrusted_issuer"));
        folder.write("roots.pem", "");
        assert_eq!(outcome().await, Some("origination_file"));
        folder.write("roots.pem", world.ca.bundle().to_pem());
        assert_eq!(outcome().await, None);
        world.events.drain();
    })
    .await;
}

/// The system's authorities know revocation lists as well.
#[tokio::test]
async fn lists_beside_the_systems_authorities() {
    each_provider(async |world| {
        let folder = Folder::new(&format!("lists-{:p}", &world));
        let crl = folder.write("crl.pem", crl(&world, Revocations::EveryWebCertificate));
        let server = world.web(&[HOST]).await;
        let tls = format!("mode: SIMPLE, caCrl: {crl}");
        assert_eq!(failed(connect(client(&world, &server, &tls)).await).reason(), "revoked");
        assert!(
            connect(client(&world, &server, "mode: SIMPLE"))
                .await
                .is_ok()
        );
        world.events.drain();
    })
    .await;
}

fn crl(world: &World, revocations: Revocations) -> String {
    world.ca.revocation_list_pem(revocations)
}

/// Credentials in memory.
#[derive(Debug, Default)]
struct Vault(Mutex<Option<Credential>>);

impl CredentialResolver for Vault {
    fn credential(&self, name: &str) -> Result<Credential, CredentialError> {
        let held = self.0.lock().unwrap().clone();
        held.filter(|_| name == "payments")
            .ok_or_else(|| CredentialError::new("there is no such secret"))
    }
}

#[tokio::test]
async fn credentials_come_from_the_resolver() {
    each_provider(async |world| {
        let authorities =
            |ca: &TestCa| Arc::new(ServerAuthorities::new(ca.bundle().anchors()).unwrap());
        let own = Arc::new(world.ca.web_certificate(&["client.example.com"]));
        let web = world.ca.web_certificate(&[HOST]);
        let server = WebServer::new(world.profile.provider(), &web, Demands::Certificate).await;
        let vault = Arc::new(Vault::default());
        let connector = |tls: &str| -> Connector {
            client(&world, &server, tls)
                .credentials(Arc::<Vault>::clone(&vault))
                .build()
        };
        let mutual = connector("mode: MUTUAL, credentialName: payments");
        let reason = async |connector: &Connector| {
            let outcome = connector.connect(HOST, PORT).await;
            outcome.err().map(|error| (error.reason(), story(&error)))
        };
        for (held, want) in [
            (None, Some(("credential_unavailable", "there is no such secret"))),
            (
                Some(Credential::new().with_certificate(Arc::clone(&own))),
                Some(("credential_incomplete", "credential `payments` has no authorities")),
            ),
            (
                Some(Credential::new().with_authorities(authorities(&world.ca))),
                Some(("credential_incomplete", "credential `payments` has no certificate")),
            ),
            (
                Some(
                    Credential::new()
                        .with_certificate(Arc::clone(&own))
                        .with_authorities(authorities(&world.ca)),
                ),
                None,
            ),
            (
                Some(
                    Credential::new()
                        .with_certificate(Arc::clone(&own))
                        .with_authorities(authorities(&TestCa::new("prod.example"))),
                ),
                Some(("untrusted_issuer", "no accepted authority")),
            ),
        ] {
            *vault.0.lock().unwrap() = held;
            let outcome = reason(&mutual).await;
            assert_eq!(outcome.as_ref().map(|(reason, _)| *reason), want.map(|(reason, _)| reason));
            if let (Some((_, story)), Some((_, words))) = (outcome, want) {
                assert!(story.contains(words), "{story}");
            }
        }
        let other = connector("mode: SIMPLE, credentialName: others");
        assert_eq!(reason(&other).await.unwrap().0, "credential_unavailable");
        world.events.drain();
    })
    .await;
}

/// What the caller asks of identities is for the mesh; a server outside of it has none.
#[tokio::test]
async fn the_callers_identities_are_for_the_mesh() {
    each_provider(async |world| {
        let server = world.web(&[HOST]).await;
        let to = Destination::new(HOST, PORT).accept(IdMatcher::Exact(LEDGER.parse().unwrap()));
        let outcome = client(&world, &server, "mode: SIMPLE")
            .build()
            .connect_to(&to)
            .await;
        assert!(outcome.unwrap().peer().is_none());
        world.events.drain();
    })
    .await;
}

#[tokio::test]
async fn a_subset_has_its_own_endpoints_and_its_own_tls() {
    each_provider(async |world| {
        let one = world.web(&["one.example"]).await;
        let two = world.web(&["two.example"]).await;
        let endpoints = service(&[
            (one.address, "labels: { version: v1 }"),
            (two.address, "labels: { version: v2 }"),
        ]);
        let rule = rule("mode: DISABLE").replace(
            "trafficPolicy",
            "subsets: [\
             { name: one, labels: { version: v1 }, trafficPolicy: { tls: { mode: SIMPLE, sni: one.example } } }, \
             { name: two, labels: { version: v2 }, trafficPolicy: { tls: { mode: SIMPLE, sni: two.example } } }, \
             { name: none, labels: { version: v3 } }], trafficPolicy",
        );
        let client = world
            .client(&format!("{endpoints}{rule}"))
            .system_roots(world.ca.bundle().anchors().to_vec())
            .build();
        for (subset, address) in [("one", one.address), ("two", two.address), ("one", one.address)] {
            let to = Destination::new(HOST, PORT).subset(subset);
            assert_eq!(client.connect_to(&to).await.unwrap().endpoint(), address, "{subset}");
        }
        assert_eq!(one.seen()[0].sni.as_deref(), Some("one.example"));
        assert_eq!(two.seen()[0].sni.as_deref(), Some("two.example"));

        let plain = client.connect(HOST, PORT).await.unwrap();
        assert!(matches!(plain, Outbound::Plaintext(_)));

        let empty = Destination::new(HOST, PORT).subset("none");
        assert_eq!(failed(client.connect_to(&empty).await).reason(), "no_endpoints");
        world.events.drain();
        for host in [HOST, "nobody.example"] {
            let error =
                failed(client.connect_to(&Destination::new(host, PORT).subset("v9")).await);
            assert!(matches!(
                &error,
                ConnectError::Refused { source: OutboundRefusal::UnknownSubset { subset }, .. }
                    if subset == "v9"
            ));
            assert_eq!(error.reason(), "unknown_subset");
            assert!(world.events.one().starts_with("unknown_subset, attempts 0, no handshake"));
        }
    })
    .await;
}

#[tokio::test]
async fn a_host_that_no_certificate_can_name() {
    each_provider(async |world| {
        let server = world.web(&["*.pay.example"]).await;
        let yaml = crate::world::service_called("*.pay.example", &[(server.address, UNNAMED)])
            + &rule("mode: SIMPLE").replace(HOST, "'*.pay.example'");
        let client = world
            .client(&yaml)
            .system_roots(world.ca.bundle().anchors().to_vec())
            .build();
        let error = failed(client.connect("no name.pay.example", PORT).await);
        assert_eq!(error.reason(), "no_server_name");
        assert!(client.connect("one.pay.example", PORT).await.is_ok());
        assert!(client.connect("one.pay.example.", PORT).await.is_ok());
        let sent: Vec<_> = server.seen().into_iter().map(|seen| seen.sni).collect();
        assert_eq!(sent, [Some("one.pay.example".to_owned()), Some("one.pay.example".to_owned())]);
        world.events.drain();
    })
    .await;
}
