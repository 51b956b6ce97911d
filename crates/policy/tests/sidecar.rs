//! `Sidecar`: what is read and refused, which one is for a workload, and when its ingress TLS takes effect.
#![expect(clippy::panic, reason = "a text that is read by mistake must fail the test")]

use std::sync::Arc;

use meshtls_policy::{
    IngressEffect, IngressListener, IngressProtocol, MeshSettings, MtlsMode, PeerAuthentication,
    PolicySet, Resources, ServerTls, ServerTlsMode, Sidecar, SidecarLossReason, Timestamp,
    Workload,
};

/// A `Sidecar` whose `spec` is the text given (flow style).
fn sidecar(spec: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {{name: web, namespace: foo}}\nspec: {spec}\n"
    )
}

fn read(name: &str, spec: &str) -> Resources {
    match Resources::parse("s.yaml", &sidecar(spec)) {
        Ok(read) => read,
        Err(error) => panic!("{name}: {error}"),
    }
}

/// The scenario of Istio's task on ingress TLS, as operators write it.
const SCENARIO: &str = include_str!("stories/ingress.yaml");

#[test]
fn the_scenario_of_ingress_tls() {
    let resources = Resources::parse("httpbin.yaml", SCENARIO).unwrap();
    let read = resources.sidecars().first().unwrap();
    let want = Sidecar::new("test", "ingress-sidecar")
        .with_workload_selector([("app", "httpbin"), ("version", "v1")]);
    assert_eq!(read.workload_selector, want.workload_selector);
    let policies = PolicySet::compile(MeshSettings::default(), &resources);
    let httpbin = Workload::new("test", [("app", "httpbin"), ("version", "v1")]);

    let external = policies.ingress_tls(&httpbin, 9080).unwrap();
    assert_eq!(external.effect(), IngressEffect::Applies);
    assert_eq!(external.protocol(), Some(IngressProtocol::Http));
    assert_eq!(external.sidecar().to_string(), "test/ingress-sidecar");
    assert_eq!(external.listener().name, "external");
    let tls = external.tls().unwrap();
    let files = ServerTls::mutual(
        "/etc/istio/tls-certs/tls.crt",
        "/etc/istio/tls-certs/tls.key",
        "/etc/istio/tls-ca-certs/ca.crt",
    );
    assert_eq!(*tls, files);

    assert!(policies.ingress_tls(&httpbin, 9081).is_none());
    assert_eq!(policies.resolve(&httpbin, 9081).mode(), MtlsMode::Strict);

    let text = policies.explain_ingress(&httpbin, 9080).to_string();
    assert_eq!(
        text,
        "MUTUAL TLS on port 9080 of a workload in namespace test, labels app=httpbin,version=v1\n\
         because of Sidecar test/ingress-sidecar: the port is DISABLE for the mesh, so that its tls takes effect; plaintext is refused\n\
         its defaultEndpoint 0.0.0.0:80 is not dialled here\n"
    );
}

#[test]
fn sidecars_are_refused_with_reason_and_place() {
    for (name, spec, reason, field) in [
        ("nothing said", "{workloadSelector: {labels: {a: b}}}", "sidecar_empty", "spec"),
        ("empty lists", "{ingress: [], egress: []}", "sidecar_empty", "spec"),
        ("unknown field", "{ingres: []}", "unknown_field", "spec.ingres"),
        (
            "matchLabels is of the other group",
            "{workloadSelector: {matchLabels: {a: b}}, ingress: []}",
            "unknown_field",
            "spec.workloadSelector.matchLabels",
        ),
        (
            "star in a selector",
            "{workloadSelector: {labels: {a: 'b*'}}, ingress: []}",
            "selector_wildcard",
            "spec.workloadSelector.labels.a",
        ),
        ("no port", "{ingress: [{bind: 1.2.3.4}]}", "missing_field", "spec.ingress[0]"),
        ("no number", "{ingress: [{port: {name: a}}]}", "missing_field", "spec.ingress[0].port"),
        (
            "port 0",
            "{ingress: [{port: {number: 0}}]}",
            "port_out_of_range",
            "spec.ingress[0].port.number",
        ),
        (
            "targetPort",
            "{ingress: [{port: {number: 1, targetPort: 2}}]}",
            "target_port_without_effect",
            "spec.ingress[0].port.targetPort",
        ),
        (
            "name of a port",
            "{ingress: [{port: {number: 1, name: a_b}}]}",
            "bad_port_name",
            "spec.ingress[0].port.name",
        ),
        (
            "protocol",
            "{ingress: [{port: {number: 1, protocol: HTPS}}]}",
            "unknown_protocol",
            "spec.ingress[0].port.protocol",
        ),
        (
            "bind to a name",
            "{ingress: [{port: {number: 1}, bind: localhost}]}",
            "bad_bind",
            "spec.ingress[0].bind",
        ),
        (
            "capture mode",
            "{ingress: [{port: {number: 1}, captureMode: iptables}]}",
            "unknown_enum_value",
            "spec.ingress[0].captureMode",
        ),
        (
            "one port twice",
            "{ingress: [{port: {number: 1}}, {port: {number: 1}}]}",
            "duplicate_port",
            "spec.ingress[1].port.number",
        ),
        (
            "an endpoint elsewhere",
            "{ingress: [{port: {number: 1}, defaultEndpoint: '10.0.0.1:80'}]}",
            "bad_default_endpoint",
            "spec.ingress[0].defaultEndpoint",
        ),
        (
            "an endpoint without port",
            "{ingress: [{port: {number: 1}, defaultEndpoint: 127.0.0.1}]}",
            "bad_default_endpoint",
            "spec.ingress[0].defaultEndpoint",
        ),
        (
            "a relative socket",
            "{ingress: [{port: {number: 1}, defaultEndpoint: 'unix://run/x'}]}",
            "bad_default_endpoint",
            "spec.ingress[0].defaultEndpoint",
        ),
        (
            "a pool without anything",
            "{inboundConnectionPool: {}}",
            "connection_pool_empty",
            "spec.inboundConnectionPool",
        ),
        (
            "a pool of nothing Istio knows",
            "{inboundConnectionPool: {tcp: {maxConnection: 1}}}",
            "unknown_field",
            "spec.inboundConnectionPool.tcp.maxConnection",
        ),
        (
            "a negative count",
            "{inboundConnectionPool: {tcp: {maxConnections: -1}}}",
            "wrong_type",
            "spec.inboundConnectionPool.tcp.maxConnections",
        ),
        (
            "a count too large",
            "{inboundConnectionPool: {http: {maxRetries: 2147483648}}}",
            "wrong_type",
            "spec.inboundConnectionPool.http.maxRetries",
        ),
        (
            "a duration of nothing",
            "{inboundConnectionPool: {tcp: {connectTimeout: 0s}}}",
            "bad_duration",
            "spec.inboundConnectionPool.tcp.connectTimeout",
        ),
        (
            "half a millisecond",
            "{inboundConnectionPool: {http: {idleTimeout: 1500us}}}",
            "bad_duration",
            "spec.inboundConnectionPool.http.idleTimeout",
        ),
        (
            "two ways to HTTP/2",
            "{inboundConnectionPool: {http: {h2UpgradePolicy: UPGRADE, useClientProtocol: true}}}",
            "upgrade_and_client_protocol",
            "spec.inboundConnectionPool.http.useClientProtocol",
        ),
        (
            "keepalive without timeout",
            "{inboundConnectionPool: {http: {http2KeepAlive: {interval: 1s}}}}",
            "missing_field",
            "spec.inboundConnectionPool.http.http2KeepAlive",
        ),
        ("no hosts", "{egress: [{}]}", "missing_field", "spec.egress[0]"),
        ("empty hosts", "{egress: [{hosts: []}]}", "hosts_empty", "spec.egress[0].hosts"),
        (
            "a host without namespace",
            "{egress: [{hosts: [a.b]}]}",
            "bad_egress_host",
            "spec.egress[0].hosts[0]",
        ),
        (
            "a short host",
            "{egress: [{hosts: [./web]}]}",
            "bad_egress_host",
            "spec.egress[0].hosts[0]",
        ),
        (
            "a partial wildcard",
            "{egress: [{hosts: ['./*b.com']}]}",
            "bad_egress_host",
            "spec.egress[0].hosts[0]",
        ),
        (
            "a namespace that is none",
            "{egress: [{hosts: ['a_b/*']}]}",
            "bad_egress_host",
            "spec.egress[0].hosts[0]",
        ),
        (
            "the catch-all is not the last",
            "{egress: [{hosts: ['*/*']}, {port: {number: 1}, hosts: ['*/*']}]}",
            "egress_without_port_not_last",
            "spec.egress[0]",
        ),
        (
            "one egress port twice",
            "{egress: [{port: {number: 1}, hosts: ['*/*']}, {port: {number: 1}, hosts: ['*/*']}]}",
            "duplicate_port",
            "spec.egress[1].port.number",
        ),
        (
            "one socket twice",
            "{egress: [{port: {}, bind: 'unix:///x', hosts: ['*/*']}, {port: {}, bind: 'unix:///x', hosts: ['*/*']}]}",
            "duplicate_port",
            "spec.egress[1].bind",
        ),
        (
            "port 0 without socket",
            "{egress: [{port: {number: 0}, bind: 1.2.3.4, hosts: ['*/*']}]}",
            "socket_needs_bind",
            "spec.egress[0].bind",
        ),
        (
            "a socket that is captured",
            "{egress: [{port: {}, bind: 'unix://@x', captureMode: IPTABLES, hosts: ['*/*']}]}",
            "socket_capture_mode",
            "spec.egress[0].bind",
        ),
        (
            "a mode for the whole mesh only",
            "{outboundTrafficPolicy: {mode: ALLOW_ANY_DYNAMIC_DNS}}",
            "unknown_enum_value",
            "spec.outboundTrafficPolicy.mode",
        ),
        (
            "a proxy for nothing",
            "{outboundTrafficPolicy: {egressProxy: {host: a.b, port: {number: 1}}}}",
            "egress_proxy_needs_allow_any",
            "spec.outboundTrafficPolicy.egressProxy",
        ),
        (
            "a proxy with a star",
            "{outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: '*.b', port: {number: 1}}}}",
            "bad_host",
            "spec.outboundTrafficPolicy.egressProxy.host",
        ),
        (
            "a proxy without port",
            "{outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: a.b}}}",
            "missing_field",
            "spec.outboundTrafficPolicy.egressProxy",
        ),
        (
            "a subset with a dot",
            "{outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: a.b, subset: a.b, port: {number: 1}}}}",
            "bad_subset_name",
            "spec.outboundTrafficPolicy.egressProxy.subset",
        ),
    ] {
        refused(name, spec, reason, field);
    }
}

#[test]
fn ingress_tls_is_refused_with_reason_and_place() {
    const FILES: &str = "serverCertificate: c, privateKey: k";
    for (name, protocol, tls, reason, field) in [
        ("mesh certificates", "HTTPS", "mode: ISTIO_MUTUAL", "ingress_tls_mode", ".mode"),
        ("pass by SNI", "TLS", "mode: AUTO_PASSTHROUGH", "ingress_tls_mode", ".mode"),
        ("no such mode", "TLS", "mode: simple", "unknown_enum_value", ".mode"),
        (
            "HTTP",
            "HTTP",
            "mode: SIMPLE, serverCertificate: c, privateKey: k",
            "ingress_tls_needs_tls_protocol",
            "",
        ),
        (
            "no protocol",
            "''",
            "mode: SIMPLE, serverCertificate: c, privateKey: k",
            "ingress_tls_needs_tls_protocol",
            "",
        ),
        (
            "no certificate",
            "HTTPS",
            "mode: SIMPLE, privateKey: k",
            "server_certificate_required",
            "",
        ),
        (
            "an empty certificate",
            "HTTPS",
            "mode: SIMPLE, privateKey: k, serverCertificate: ''",
            "server_certificate_required",
            "",
        ),
        ("no key", "HTTPS", "mode: SIMPLE, serverCertificate: c", "private_key_required", ""),
        (
            "no authorities",
            "HTTPS",
            "mode: MUTUAL, serverCertificate: c, privateKey: k",
            "ca_certificates_required",
            "",
        ),
        (
            "no authorities for those who show one",
            "TLS",
            "mode: OPTIONAL_MUTUAL, serverCertificate: c, privateKey: k",
            "ca_certificates_required",
            "",
        ),
        (
            "revocation of nothing",
            "TLS",
            "mode: SIMPLE, serverCertificate: c, privateKey: k, caCrl: r",
            "ingress_tls_crl_with_simple",
            "",
        ),
        (
            "names",
            "TLS",
            "mode: SIMPLE, subjectAltNames: [a]",
            "ingress_tls_field",
            ".subjectAltNames",
        ),
        (
            "a redirect",
            "TLS",
            "mode: SIMPLE, httpsRedirect: true",
            "ingress_tls_field",
            ".httpsRedirect",
        ),
        (
            "a secret",
            "TLS",
            "mode: SIMPLE, credentialName: s",
            "ingress_tls_field",
            ".credentialName",
        ),
        (
            "secrets",
            "TLS",
            "mode: SIMPLE, credentialNames: [s]",
            "ingress_tls_field",
            ".credentialNames",
        ),
        (
            "certificates",
            "TLS",
            "mode: SIMPLE, tlsCertificates: [{}]",
            "ingress_tls_field",
            ".tlsCertificates",
        ),
        (
            "a version",
            "TLS",
            "mode: SIMPLE, minProtocolVersion: TLSV1_4",
            "unknown_enum_value",
            ".minProtocolVersion",
        ),
        ("no such field", "TLS", "mod: SIMPLE", "unknown_field", ".mod"),
    ] {
        let spec = format!(
            "{{ingress: [{{port: {{number: 9080, protocol: {protocol}}}, tls: {{{tls}}}}}]}}"
        );
        refused(name, &spec, reason, &format!("spec.ingress[0].tls{field}"));
    }
    for (name, tls) in [
        (
            "empty fields are none",
            "mode: SIMPLE, subjectAltNames: [], credentialName: '', httpsRedirect: false",
        ),
        ("revocation", "mode: MUTUAL, caCertificates: a, caCrl: r"),
        ("versions", "mode: SIMPLE, minProtocolVersion: TLSV1_3, maxProtocolVersion: TLS_AUTO"),
        ("what is kept", "mode: SIMPLE, cipherSuites: [X], verifyCertificateHash: [h]"),
    ] {
        let spec = format!(
            "{{ingress: [{{port: {{number: 1, protocol: https}}, tls: {{{FILES}, {tls}}}}}]}}"
        );
        assert_eq!(read(name, &spec).warnings(), [], "{name}");
    }
}

fn refused(name: &str, spec: &str, reason: &str, field: &str) {
    match Resources::parse("s.yaml", &sidecar(spec)) {
        Ok(read) => panic!("{name}: read as {read:?}"),
        Err(error) => {
            assert_eq!((error.reason(), error.field()), (reason, field), "{name}: {error}");
            assert_eq!(error.line(), Some(4), "{name}");
        }
    }
}

#[test]
fn what_is_odd_is_a_warning() {
    for (name, spec, want) in [
        (
            "no labels",
            "{workloadSelector: {}, ingress: [{port: {number: 1}}]}",
            "selector_without_labels",
        ),
        (
            "a forgotten mode",
            "{ingress: [{port: {number: 1, protocol: TLS}, tls: {serverCertificate: c, privateKey: k}}]}",
            "tls_files_without_effect",
        ),
        (
            "an old version",
            "{ingress: [{port: {number: 1, protocol: TLS}, tls: {mode: SIMPLE, serverCertificate: c, privateKey: k, minProtocolVersion: TLSV1_1}}]}",
            "old_tls_without_ciphers",
        ),
        (
            "HTTP settings for TCP",
            "{ingress: [{port: {number: 1, protocol: TCP}, connectionPool: {http: {maxRetries: 1}}}]}",
            "http_pool_without_http",
        ),
        ("one host twice", "{egress: [{hosts: [foo/a.b, ./a.b]}]}", "egress_host_twice"),
        ("a host under a star", "{egress: [{hosts: ['x/*', x/a.b]}]}", "egress_host_twice"),
        ("a star over a host", "{egress: [{hosts: [x/a.b, 'x/*']}]}", "egress_host_twice"),
        ("a host beside all", "{egress: [{hosts: ['*/*', x/a.b]}]}", "egress_host_twice"),
    ] {
        let read = read(name, spec);
        let seen: Vec<_> = read
            .warnings()
            .iter()
            .map(|warning| warning.reason())
            .collect();
        assert_eq!(seen, [want], "{name}");
    }
}

#[test]
fn what_is_read_is_printed_and_read_back() {
    for spec in [
        "{workloadSelector: {labels: {a: b}}, ingress: [{port: {number: 9080, protocol: HTTPS, name: external}, \
          defaultEndpoint: 'unix:///run/x', bind: '::1', captureMode: NONE, connectionPool: {tcp: {idleTimeout: 0s, \
          connectTimeout: 1h5m, tcpKeepalive: {probes: 3, time: 1s}}}, tls: {mode: OPTIONAL_MUTUAL, serverCertificate: c, \
          privateKey: k, caCertificates: a, caCrl: r, minProtocolVersion: TLSV1_2, maxProtocolVersion: TLSV1_3, \
          insecureSkipVerify: false, cipherSuites: [A, B]}}]}",
        "{workloadSelector: {labels: {}}, ingress: [{port: {number: 1}}]}",
        "{egress: [{port: {number: 1}, bind: 10.0.0.1, hosts: ['~/*', '*/*.example.com', './a.b.c']}, {hosts: ['~ns/*']}], \
          outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: a.b, subset: v1, port: {number: 1}}}, \
          inboundConnectionPool: {http: {maxRetries: 3, h2UpgradePolicy: UPGRADE, http2KeepAlive: {interval: 1s, timeout: 100ms}}}}",
        "{outboundTrafficPolicy: {}}",
    ] {
        let read = read(spec, spec);
        let sidecar = read.sidecars().first().unwrap();
        let json = serde_json::to_string(sidecar).unwrap();
        let again = Resources::parse("printed.json", &json).unwrap();
        assert_eq!(again.sidecars(), read.sidecars(), "{json}");
        assert_eq!(serde_json::from_str::<Sidecar>(&json).unwrap(), *sidecar);
    }
    let error = serde_json::from_str::<Sidecar>(
        "{\"apiVersion\":\"networking.istio.io/v1\",\"kind\":\"Sidecar\",\"metadata\":{\"name\":\"a\",\"namespace\":\"b\"},\"spec\":{}}",
    );
    assert!(error.unwrap_err().to_string().contains("a Sidecar needs"));
}

/// Port 1 with a TLS block, so that it shows which one is for a workload.
fn ending(namespace: &str, name: &str) -> Sidecar {
    let tls = ServerTls::simple("c", "k");
    Sidecar::new(namespace, name).with_ingress(IngressListener::new(1, "TLS").with_tls(tls))
}

fn compile(settings: MeshSettings, sidecars: &[Sidecar]) -> PolicySet {
    let disable = PeerAuthentication::new("istio-system", "default").with_mode(MtlsMode::Disable);
    let resources = Resources::from_iter([disable]).with_sidecars(sidecars.iter().cloned());
    PolicySet::compile(settings, &resources)
}

#[test]
fn which_sidecar_is_for_a_workload() {
    let at = Timestamp::from_unix_seconds;
    let web = [("app", "web")];
    let root = "istio-system";
    let nothing: [(&str, &str); 0] = [];
    for (name, sidecars, want) in [
        ("none", vec![], None),
        ("its namespace's", vec![ending("foo", "a")], Some("foo/a")),
        ("another namespace's", vec![ending("bar", "a")], None),
        (
            "older first",
            vec![ending("foo", "a").with_created(at(2)), ending("foo", "b").with_created(at(1))],
            Some("foo/b"),
        ),
        ("then by name", vec![ending("foo", "b"), ending("foo", "a")], Some("foo/a")),
        (
            "a selector before age",
            vec![
                ending("foo", "a").with_created(at(1)),
                ending("foo", "b")
                    .with_created(at(2))
                    .with_workload_selector(web),
            ],
            Some("foo/b"),
        ),
        (
            "an empty selector is one",
            vec![
                ending("foo", "a").with_created(at(1)),
                ending("foo", "b")
                    .with_created(at(2))
                    .with_workload_selector(nothing),
            ],
            Some("foo/b"),
        ),
        (
            "a selector that does not fit",
            vec![ending("foo", "a"), ending("foo", "b").with_workload_selector([("app", "x")])],
            Some("foo/a"),
        ),
        ("the root namespace's", vec![ending(root, "a")], Some("istio-system/a")),
        ("its own before the root's", vec![ending(root, "a"), ending("foo", "b")], Some("foo/b")),
        (
            "the root's if no selector fits",
            vec![ending(root, "a"), ending("foo", "b").with_workload_selector([("app", "x")])],
            Some("istio-system/a"),
        ),
        ("a selector in the root", vec![ending(root, "a").with_workload_selector(web)], None),
    ] {
        for reversed in [false, true] {
            let mut sidecars = sidecars.clone();
            if reversed {
                sidecars.reverse();
            }
            let set = compile(MeshSettings::default(), &sidecars);
            let workload = Workload::new("foo", web);
            let got = set
                .ingress_tls(&workload, 1)
                .map(|tls| tls.sidecar().to_string());
            assert_eq!(got.as_deref(), want, "{name}");
            let view = Arc::new(set.clone()).for_workload(&workload);
            let seen = view.ingress_tls(1).map(|tls| tls.sidecar().to_string());
            assert_eq!(seen.as_deref(), want, "{name}");
            let explained = set.explain_ingress(&workload, 1);
            assert_eq!(explained.sidecar.map(|name| name.to_string()).as_deref(), want, "{name}");
            let known = explained.losers.len() + usize::from(want.is_some());
            assert_eq!(known, sidecars.len(), "{name}: each is accounted for");
        }
    }
    let selective = ending(root, "a").with_workload_selector(web);
    let set = compile(MeshSettings::default(), &[selective]);
    assert!(set.ingress_tls(&Workload::new(root, web), 1).is_some(), "in the root itself");
}

#[test]
fn the_winner_counts_alone() {
    let winner = Sidecar::new("foo", "a").with_ingress(IngressListener::new(2, "HTTP"));
    let set = compile(MeshSettings::default(), &[winner, ending("foo", "b")]);
    let workload = Workload::new("foo", [("app", "web")]);
    assert!(set.ingress_tls(&workload, 1).is_none(), "nothing is merged");
    let text = set.explain_ingress(&workload, 1).to_string();
    assert!(text.contains("Sidecar foo/a does not describe the port"), "{text}");
    let text = set.explain_ingress(&workload, 2).to_string();
    assert!(text.contains("Sidecar foo/a has no tls for the port"), "{text}");
}

#[test]
fn a_block_applies_under_disable_only() {
    let workload = Workload::new("foo", [("app", "web")]);
    for mode in [MtlsMode::Disable, MtlsMode::Permissive, MtlsMode::Strict] {
        for on in [true, false] {
            let policy = PeerAuthentication::new("foo", "default").with_mode(mode);
            let resources = Resources::from_iter([policy]).with_sidecars([ending("foo", "a")]);
            let settings = MeshSettings::default().with_sidecar_ingress_tls(on);
            let set = PolicySet::compile(settings, &resources);
            let tls = set.ingress_tls(&workload, 1).unwrap();
            let (effect, said) = match (on, mode) {
                (false, _) => (IngressEffect::TurnedOff, "turn ingress TLS off"),
                (true, MtlsMode::Disable) => (IngressEffect::Applies, "takes effect"),
                (true, mode) => {
                    (IngressEffect::MeshMtls { mode }, "is ignored, because the port is")
                }
            };
            assert_eq!(tls.effect(), effect, "{mode} {on}");
            assert_eq!(tls.tls().is_some(), effect == IngressEffect::Applies, "{mode} {on}");
            // Ignored for the mesh, the port still counts as decrypted; turned off, it is what it says.
            assert_eq!(tls.protocol(), on.then_some(IngressProtocol::Tcp), "{mode} {on}");
            let explained = set.explain_ingress(&workload, 1);
            assert_eq!((explained.effect, explained.mode), (Some(effect), mode));
            assert_eq!(explained.tls, Some(ServerTlsMode::Simple));
            assert!(explained.to_string().contains(said), "{explained}");
        }
    }
}

#[test]
fn each_loser_says_why() {
    let at = Timestamp::from_unix_seconds;
    let web = [("app", "web")];
    let winner = ending("foo", "winner")
        .with_workload_selector(web)
        .with_created(at(1));
    let set = compile(
        MeshSettings::default(),
        &[
            winner,
            ending("foo", "younger")
                .with_workload_selector(web)
                .with_created(at(2)),
            ending("foo", "zzz")
                .with_workload_selector(web)
                .with_created(at(1)),
            ending("foo", "whole"),
            ending("foo", "misfit").with_workload_selector([("app", "db")]),
            ending("foo", "stranger").with_workload_selector([("tier", "x")]),
            ending("istio-system", "mesh"),
            ending("istio-system", "picky").with_workload_selector(web),
            ending("bar", "other"),
        ],
    );
    let explained = set.explain_ingress(&Workload::new("foo", web), 1);
    let text = explained.to_string();
    let (_, losers) = text.split_once("without effect here:\n").unwrap();
    assert_eq!(
        losers,
        "  foo/misfit: selects app=db, the workload has app=web
  foo/stranger: selects tier=x, the workload has no label tier
  foo/whole: foo/winner has a selector and goes first
  foo/younger: foo/winner is older; Sidecars are not merged
  foo/zzz: foo/winner is of the same second and before it by name; Sidecars are not merged
  istio-system/mesh: the default of the root namespace gives way to foo/winner
  istio-system/picky: in the root namespace one with a selector is for workloads of that namespace only
  bar/other: of another namespace
"
    );
    let json = serde_json::to_value(&explained).unwrap();
    assert_eq!(json["effect"], serde_json::json!({ "effect": "applies" }));
    assert_eq!(json["losers"][0]["reason"]["reason"], "selector_mismatch");
    assert_eq!(explained.losers.last().unwrap().reason, SidecarLossReason::OtherNamespace);
}

#[test]
fn a_lookup_allocates_nothing() {
    let sidecars: Vec<Sidecar> = (0..1_000)
        .map(|number| {
            ending("foo", &format!("s{number}"))
                .with_workload_selector([("app", number.to_string().as_str())])
        })
        .collect();
    let set = compile(MeshSettings::default(), &sidecars);
    let workload = Workload::new("foo", [("app", "777")]);
    let mut seen = None;
    let counted = allocation_counter::measure(|| {
        seen = set.ingress_tls(&workload, 1).map(|tls| tls.effect());
    });
    assert_eq!(seen, Some(IngressEffect::Applies));
    assert_eq!(counted.count_total, 0, "{counted:?}");
}
