//! The decision over a connection, rule by rule.

use meshtls_policy::{
    Action, AuthorizationPolicy, Condition, MeshSettings, Operation, PeerNames, PolicySet, Rule,
    Source, TargetRef, Timestamp, Workload,
};

use super::{ask, ask_in, ip, mesh, object, peer, plaintext, policies, read, show, values, web};

const LEDGER: &str = "spiffe://prod.example/ns/pay/sa/ledger";

const PASSES: &str = "allow_policy_matched foo/p0 0";
const FAILS: &str = "no_allow_policy_matched";

#[test]
fn actions_are_asked_in_their_order() {
    let custom = "{ action: CUSTOM, provider: { name: ext }, rules: [{}] }";
    let (deny, allow, audit) = (
        "{ action: DENY, rules: [{}] }",
        "{ action: ALLOW, rules: [{}] }",
        "{ action: AUDIT, rules: [{}] }",
    );
    let other_port = "{ rules: [{ to: [{ operation: { ports: ['1'] } }] }] }";
    for (name, specs, want) in [
        ("no policy", vec![], "no_allow_policy"),
        ("CUSTOM first", vec![allow, deny, custom], "custom_unavailable foo/p2 0"),
        ("DENY before ALLOW", vec![allow, deny], "deny_policy_matched foo/p1 0"),
        ("one ALLOW of two", vec![other_port, allow], "allow_policy_matched foo/p1 0"),
        ("ALLOW that does not match", vec![other_port], FAILS),
        ("ALLOW without rules", vec!["{}"], FAILS),
        ("AUDIT alone", vec![audit], "no_allow_policy"),
        ("AUDIT without rules", vec!["{ action: AUDIT }"], "no_allow_policy"),
        ("AUDIT beside ALLOW", vec![audit, other_port], FAILS),
        (
            "the second rule",
            vec!["{ rules: [{ to: [{ operation: { ports: ['1'] } }] }, {}] }"],
            "allow_policy_matched foo/p0 1",
        ),
        (
            "CUSTOM that does not match",
            vec![
                "{ action: CUSTOM, provider: { name: ext }, rules: [{ to: [{ operation: { ports: ['1'] } }] }] }",
            ],
            "no_allow_policy",
        ),
    ] {
        assert_eq!(ask(&policies(&specs), &plaintext()), want, "{name}");
    }
    let deny = AuthorizationPolicy::new("foo", "deny").with_action(Action::Deny);
    assert_eq!(ask(&values([deny]), &plaintext()), "no_allow_policy", "DENY without rules");
}

#[test]
fn scope_and_selector_say_which_workloads_a_policy_reaches() {
    let deny = |namespace: &str, selector: &[(&str, &str)]| {
        AuthorizationPolicy::new(namespace, "deny")
            .with_action(Action::Deny)
            .with_selector(selector.iter().copied().collect::<meshtls_policy::Labels>())
            .with_rule(Rule::new())
    };
    let (app, other) = ([("app", "web")], [("app", "db")]);
    for (name, policy, reaches) in [
        ("own namespace", deny("foo", &[]), true),
        ("own namespace, selected", deny("foo", &app), true),
        ("own namespace, not selected", deny("foo", &other), false),
        ("another namespace", deny("bar", &[]), false),
        ("another namespace, selected", deny("bar", &app), false),
        ("root namespace", deny("istio-system", &[]), true),
        ("root namespace, selected", deny("istio-system", &app), true),
        ("root namespace, not selected", deny("istio-system", &other), false),
        (
            "for a gateway",
            deny("foo", &[]).with_target_ref(TargetRef::new(
                "gateway.networking.k8s.io",
                "Gateway",
                "web",
            )),
            false,
        ),
    ] {
        let set = PolicySet::compile(mesh(), &values([policy]));
        assert_eq!(!set.authorize(&web(), &plaintext()).allow(), reaches, "{name}");
        let selected = set.authorization_policies().select(&web());
        assert_eq!(!selected.authorize(&plaintext()).allow(), reaches, "{name}, chosen in advance");
        assert_eq!(!selected.is_empty(), reaches, "{name}");
    }
    // A workload of the root namespace is reached once, by the policies of its namespace.
    let set = PolicySet::compile(mesh(), &values([deny("istio-system", &[])]));
    let gateway = Workload::new("istio-system", [("app", "gateway")]);
    assert!(!set.authorize(&gateway, &plaintext()).allow());
    let explained = set.explain_authorization(&gateway, &plaintext());
    assert_eq!(explained.policies.len(), 1);
}

#[test]
fn the_first_by_precedence_is_named() {
    let deny = |namespace: &str, name: &str, second: i64| {
        AuthorizationPolicy::new(namespace, name)
            .with_action(Action::Deny)
            .with_rule(Rule::new())
            .with_created(Timestamp::from_unix_seconds(second))
    };
    let root = deny("istio-system", "z", 9);
    let (old, young) = (deny("foo", "b", 1), deny("foo", "a", 2));
    let (ask, connection) =
        (|policies| ask(&values(policies), &plaintext()), "deny_policy_matched");
    assert_eq!(ask(vec![young.clone(), old.clone()]), format!("{connection} foo/b 0"));
    assert_eq!(ask(vec![young, old, root]), format!("{connection} istio-system/z 0"));
}

#[test]
fn identities_are_matched_as_in_istio() {
    let td = "spiffe://prod.example";
    for (source, uri, passes) in [
        // AZ-10: principals.
        ("principals: ['prod.example/ns/pay/sa/ledger']", LEDGER, true),
        ("principals: ['prod.example/ns/pay/sa/ledge']", LEDGER, false),
        ("principals: ['prod.example/ns/pay/sa/Ledger']", LEDGER, false),
        ("principals: ['*']", LEDGER, true),
        ("principals: ['*/sa/ledger']", LEDGER, true),
        ("principals: ['*spiffe://prod.example/ns/pay/sa/ledger']", LEDGER, false),
        ("principals: ['prod.example/ns/pay/*']", LEDGER, true),
        ("principals: ['prod.example/ns/pay*']", "spiffe://prod.example/ns/pay-evil/sa/x", true),
        ("principals: ['prod.example/ns/*/sa/ledger']", LEDGER, false),
        ("principals: ['*/ns/*']", "spiffe://a/ns/*", true),
        ("principals: ['spiffe://prod.example/ns/pay/sa/ledger']", LEDGER, false),
        ("principals: ['a', 'prod.example/ns/pay/sa/ledger']", LEDGER, true),
        ("notPrincipals: ['a', 'prod.example/ns/pay/sa/ledger']", LEDGER, false),
        ("notPrincipals: ['a', 'b']", LEDGER, true),
        // AZ-11: namespaces.
        ("namespaces: [pay]", LEDGER, true),
        ("namespaces: [pa]", LEDGER, false),
        ("namespaces: [pay]", "spiffe://elsewhere/ns/pay/sa/x", true),
        ("namespaces: ['p*']", LEDGER, true),
        ("namespaces: ['*']", LEDGER, true),
        ("namespaces: ['p*y']", LEDGER, true),
        ("namespaces: ['p*ledger']", "spiffe://prod.example/ns/pay/sa/ledger/x", true),
        ("namespaces: ['p*ledger']", LEDGER, false),
        ("namespaces: ['a*b*c']", "spiffe://t/ns/a/b/b/c/sa/x", true),
        ("namespaces: ['a*b*c']", "spiffe://t/ns/a/c/b/sa/x", false),
        ("namespaces: [pay]", "spiffe://prod.example/ns/pay", false),
        ("notNamespaces: [pay]", LEDGER, false),
        // AZ-12: service accounts.
        ("serviceAccounts: ['pay/ledger']", LEDGER, true),
        ("serviceAccounts: ['pay/ledger']", "spiffe://elsewhere/ns/pay/sa/ledger", true),
        ("serviceAccounts: [ledger]", LEDGER, false),
        ("serviceAccounts: [ledger]", "spiffe://prod.example/ns/foo/sa/ledger", true),
        ("serviceAccounts: ['pay/ledge']", LEDGER, false),
        ("serviceAccounts: ['pay/ledger']", "spiffe://prod.example/ns/pay/sa/ledger-evil", false),
        ("serviceAccounts: ['pay/ledger']", "spiffe://prod.example/ns/pay/sa/ledger/pod/x", true),
        ("serviceAccounts: ['pay/ledger']", "spiffe://prod.example/ns/pay/sa/ledger/", false),
        ("serviceAccounts: ['pay/ledger']", "spiffe://prod.example/ns/pay/k/v/sa/ledger", true),
        ("serviceAccounts: ['pay/ledger']", "spiffe://prod.example/ns/pay//sa/ledger", false),
        ("serviceAccounts: ['pay/ledger']", "spiffe:///ns/pay/sa/ledger", false),
        ("serviceAccounts: ['pay/ledger']", "prod.example/ns/pay/sa/ledger", false),
        ("serviceAccounts: ['x/y']", "spiffe://t/ns/ns/x/sa/y", true),
        ("serviceAccounts: ['x/y']", "spiffe://t/ns/x/sa/sa/y", true),
        ("notServiceAccounts: ['pay/ledger']", LEDGER, false),
        // AZ-13: trust domains.
        ("trustDomains: [prod.example]", LEDGER, true),
        ("trustDomains: [prod.exampl]", LEDGER, false),
        ("trustDomains: [prod.example]", "spiffe://prod.example.evil/ns/a/sa/b", false),
        ("trustDomains: ['prod.*']", LEDGER, true),
        ("trustDomains: ['*.example']", LEDGER, true),
        ("trustDomains: ['*pay']", LEDGER, false),
        ("trustDomains: ['*']", LEDGER, true),
        ("trustDomains: ['*']", "https://prod.example/", false),
        ("trustDomains: [prod.example]", td, false),
        ("trustDomains: ['*']", td, true),
        ("notTrustDomains: ['*.example']", LEDGER, false),
        // All lists of a source hold, or none.
        ("principals: ['*'], namespaces: [pay]", LEDGER, true),
        ("principals: ['*'], namespaces: [other]", LEDGER, false),
        ("namespaces: [pay], notPrincipals: ['*/sa/ledger']", LEDGER, false),
    ] {
        let spec = format!("{{ rules: [{{ from: [{{ source: {{ {source} }} }}] }}] }}");
        let want = if passes { PASSES } else { FAILS };
        assert_eq!(ask(&policies(&[&spec]), &peer(uri)), want, "{source} of {uri}");
    }
}

#[test]
fn every_name_of_a_certificate_counts() {
    let principal = |value: &str| {
        policies(&[&format!(
            "{{ rules: [{{ from: [{{ source: {{ principals: ['{value}'] }} }}] }}] }}"
        )])
    };
    let texts = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    let uris = texts(&["https://a.example", LEDGER]);
    let dns = texts(&["a.example"]);
    let ledger = "prod.example/ns/pay/sa/ledger";
    for (name, names, value, want) in [
        ("no name", PeerNames::none(), "*", FAILS),
        ("an empty subject", PeerNames::none().with_subject(""), "*", FAILS),
        ("a subject", PeerNames::none().with_subject("CN=a"), "*", PASSES),
        ("a subject is no principal", PeerNames::none().with_subject("CN=a"), "CN=a", FAILS),
        ("a DNS name", PeerNames::none().with_dns(&dns), "*", PASSES),
        ("a DNS name is no principal", PeerNames::none().with_dns(&dns), "a.example", FAILS),
        ("the second URI", PeerNames::none().with_uris(&uris), ledger, PASSES),
        ("the URI beside others", PeerNames::uri(LEDGER).with_dns(&dns), ledger, PASSES),
    ] {
        assert_eq!(ask(&principal(value), &plaintext().with_peer(names)), want, "{name}");
    }
    let id = LEDGER.parse().unwrap();
    assert_eq!(ask(&principal(ledger), &plaintext().with_peer(PeerNames::workload(&id))), PASSES);
}

#[test]
fn plaintext_satisfies_every_not_and_nothing_else() {
    for (positive, negative) in [
        ("principals: ['*']", "notPrincipals: ['*']"),
        ("namespaces: ['*']", "notNamespaces: ['*']"),
        ("serviceAccounts: [x]", "notServiceAccounts: [x]"),
        ("trustDomains: ['*']", "notTrustDomains: ['*']"),
    ] {
        for (source, want) in [(positive, FAILS), (negative, PASSES)] {
            let spec = format!("{{ rules: [{{ from: [{{ source: {{ {source} }} }}] }}] }}");
            for connection in [plaintext(), plaintext().with_peer(PeerNames::none())] {
                assert_eq!(ask(&policies(&[&spec]), &connection), want, "{source}");
            }
        }
    }
    for key in
        ["source.principal", "source.namespace", "source.serviceAccount", "source.trustDomain"]
    {
        for (list, want) in [("values", FAILS), ("notValues", PASSES)] {
            let spec = format!("{{ rules: [{{ when: [{{ key: {key}, {list}: [x] }}] }}] }}");
            assert_eq!(ask(&policies(&[&spec]), &plaintext()), want, "{key} {list}");
        }
    }
}

#[test]
fn addresses_ports_and_server_names_are_matched() {
    let connection = peer(LEDGER)
        .with_remote(ip("2001:db8::7"))
        .with_sni("API.example");
    for (rule, passes) in [
        // AZ-15: addresses.
        ("from: [{ source: { ipBlocks: ['10.1.0.0/16'] } }]", true),
        ("from: [{ source: { ipBlocks: ['10.1.9.9/16'] } }]", true),
        ("from: [{ source: { ipBlocks: ['10.1.2.4', '10.1.2.3'] } }]", true),
        ("from: [{ source: { ipBlocks: ['10.2.0.0/16'] } }]", false),
        ("from: [{ source: { ipBlocks: ['::/0'] } }]", false),
        ("from: [{ source: { notIpBlocks: ['10.1.2.3'] } }]", false),
        ("from: [{ source: { remoteIpBlocks: ['2001:db8::/32'] } }]", true),
        ("from: [{ source: { remoteIpBlocks: ['0.0.0.0/0'] } }]", false),
        ("from: [{ source: { notRemoteIpBlocks: ['2001:db8::/32'] } }]", false),
        ("when: [{ key: source.ip, values: ['10.1.2.3'] }]", true),
        ("when: [{ key: remote.ip, values: ['10.1.2.3'] }]", false),
        ("when: [{ key: remote.ip, values: ['2001:db8::7'] }]", true),
        ("when: [{ key: destination.ip, values: ['10.9.9.0/24'] }]", true),
        ("when: [{ key: destination.ip, notValues: ['10.9.9.0/24'] }]", false),
        // AZ-16: ports.
        ("to: [{ operation: { ports: ['8080'] } }]", true),
        ("to: [{ operation: { ports: ['80', '08080'] } }]", true),
        ("to: [{ operation: { ports: ['0'] } }]", false),
        ("to: [{ operation: { notPorts: ['8080'] } }]", false),
        ("to: [{ operation: { ports: ['8080'], notPorts: ['80'] } }]", true),
        ("when: [{ key: destination.port, values: ['8080'] }]", true),
        ("when: [{ key: destination.port, notValues: ['80'] }]", true),
        // AZ-18: the server name, which Envoy keeps in lower case.
        ("when: [{ key: connection.sni, values: [api.example] }]", true),
        ("when: [{ key: connection.sni, values: [API.example] }]", false),
        ("when: [{ key: connection.sni, values: ['*.example'] }]", true),
        ("when: [{ key: connection.sni, values: ['api*'] }]", true),
        ("when: [{ key: connection.sni, values: ['*'] }]", true),
        ("when: [{ key: connection.sni, values: ['a*e'] }]", false),
        ("when: [{ key: connection.sni, notValues: ['*'] }]", false),
        // AZ-7: from, to and when must all hold; of from and to, one of each.
        (
            "from: [{ source: { ipBlocks: ['10.1.2.3'] } }], to: [{ operation: { ports: ['80'] } }]",
            false,
        ),
        ("from: [{ source: { ipBlocks: ['1.1.1.1'] } }, { source: { namespaces: [pay] } }]", true),
        ("to: [{ operation: { ports: ['80'] } }, { operation: { ports: ['8080'] } }]", true),
        (
            "when: [{ key: destination.port, values: ['8080'] }, { key: source.ip, values: ['1.1.1.1'] }]",
            false,
        ),
        ("when: [{ key: destination.port, values: ['8080'], notValues: ['8080'] }]", false),
    ] {
        let want = if passes { PASSES } else { FAILS };
        assert_eq!(
            ask(&policies(&[&format!("{{ rules: [{{ {rule} }}] }}")]), &connection),
            want,
            "{rule}"
        );
    }
    let no_name = policies(&["{ rules: [{ when: [{ key: connection.sni, notValues: ['*'] }] }] }"]);
    assert_eq!(ask(&no_name, &plaintext()), PASSES, "no server name");
    let mapped = plaintext().with_remote(ip("::ffff:10.1.2.3"));
    let remote = policies(&["{ rules: [{ when: [{ key: remote.ip, values: ['10.0.0.0/8'] }] }] }"]);
    assert_eq!(ask(&remote, &mapped), PASSES, "an IPv4 address that a socket shows as IPv6");
}

#[test]
fn what_a_connection_does_not_show_narrows_allow_and_widens_the_rest() {
    let unseen = [
        "to: [{ operation: { methods: [GET] } }]",
        "to: [{ operation: { notMethods: [GET] } }]",
        "to: [{ operation: { hosts: [a.example] } }]",
        "to: [{ operation: { notHosts: [a.example] } }]",
        "to: [{ operation: { paths: ['/a'] } }]",
        "to: [{ operation: { notPaths: ['/a'] } }]",
        "to: [{ operation: { ports: ['8080'], methods: [GET] } }]",
        "to: [{ operation: { ports: ['1'] } }, { operation: { methods: [GET] } }]",
        "from: [{ source: { requestPrincipals: ['*'] } }]",
        "from: [{ source: { notRequestPrincipals: ['*'] } }]",
        "from: [{ source: { ipBlocks: ['10.1.2.3'] } }, { source: { requestPrincipals: ['*'] } }]",
        "when: [{ key: 'request.headers[x-a]', values: [b] }]",
        "when: [{ key: 'request.headers[x-a]', notValues: [b] }]",
        "when: [{ key: 'request.auth.claims[iss]', values: [b] }]",
        "when: [{ key: request.auth.principal, values: [b] }]",
        "when: [{ key: request.auth.audiences, values: [b] }]",
        "when: [{ key: request.auth.presenter, values: [b] }]",
        "when: [{ key: 'experimental.envoy.filters.a.b[c]', values: [b] }]",
        "when: [{ key: 'experimental.envoy.filters.a.b[c]', notValues: [b] }]",
    ];
    for rule in unseen {
        let spec = |action: &str| format!("{{ {action} rules: [{{ {rule} }}] }}");
        assert_eq!(ask(&policies(&[&spec("")]), &plaintext()), FAILS, "ALLOW {rule}");
        let deny = policies(&[&spec("action: DENY,")]);
        assert_eq!(ask(&deny, &plaintext()), "deny_policy_matched foo/p0 0", "DENY {rule}");
    }
    // What is left of a wider rule still counts.
    let other_port =
        "{ action: DENY, rules: [{ to: [{ operation: { ports: ['1'], methods: [GET] } }] }] }";
    assert_eq!(ask(&policies(&[other_port]), &plaintext()), "no_allow_policy");
    // The other rules of an ALLOW policy stay.
    let second = "{ rules: [{ to: [{ operation: { methods: [GET] } }] }, { to: [{ operation: { ports: ['8080'] } }] }] }";
    assert_eq!(ask(&policies(&[second]), &plaintext()), "allow_policy_matched foo/p0 1");
    let custom = "{ action: CUSTOM, provider: { name: ext }, rules: [{ to: [{ operation: { paths: ['/admin'] } }] }] }";
    assert_eq!(ask(&policies(&[custom]), &plaintext()), "custom_unavailable foo/p0 0");
}

/// Values never went through validation. What nobody can tell narrows ALLOW and widens the rest, so that it never lets more in.
#[test]
fn values_that_validation_would_refuse_fail_closed() {
    let rules = [
        ("bad port", Rule::new().with_to(Operation::default().with_ports(["http"]))),
        ("bad block", Rule::new().with_from(Source::default().with_ip_blocks(["10.1.2"]))),
        ("empty value", Rule::new().with_from(Source::default().with_principals([""]))),
        (
            "one good block and one bad",
            Rule::new().with_from(Source::default().with_ip_blocks(["203.0.113.0/24", "10.1.2"])),
        ),
        (
            "one good port and one bad",
            Rule::new().with_to(Operation::default().with_ports(["1", "http"])),
        ),
        ("unknown key", Rule::new().with_when(Condition::new("source.foo").with_values(["a"]))),
        ("not", Rule::new().with_when(Condition::new("source.foo").with_not_values(["a"]))),
    ];
    for (name, rule) in rules {
        let policy = AuthorizationPolicy::new("foo", "p0").with_rule(rule);
        assert_eq!(ask(&values([policy.clone()]), &plaintext()), FAILS, "ALLOW {name}");
        let deny = values([policy.with_action(Action::Deny)]);
        assert_eq!(ask(&deny, &plaintext()), "deny_policy_matched foo/p0 0", "DENY {name}");
    }
    // A condition without values asks for nothing, as in Istio.
    let nothing = Rule::new()
        .with_from(Source::default())
        .with_when(Condition::new("source.ip"));
    let policy = AuthorizationPolicy::new("foo", "p0").with_rule(nothing);
    assert_eq!(ask(&values([policy]), &plaintext()), PASSES);
}

#[test]
fn names_of_the_mesh_stand_for_each_other() {
    let own = |domain: &str| format!("spiffe://{domain}/ns/a/sa/b");
    for (list, value, fits) in [
        ("principals", "prod.example/ns/a/sa/b", ["prod.example", "old.example"].as_slice()),
        ("principals", "old.example/ns/a/sa/b", &["prod.example", "old.example"]),
        ("principals", "cluster.local/ns/a/sa/b", &["prod.example", "old.example"]),
        ("principals", "prod*/ns/a/sa/b", &["prod.example", "old.example"]),
        ("principals", "*ld.example/ns/a/sa/b", &["prod.example", "old.example"]),
        ("principals", "*.example/ns/a/sa/b", &["prod.example", "old.example", "x.example"]),
        (
            "principals",
            "*/ns/a/sa/b",
            &["prod.example", "old.example", "cluster.local", "x.example"],
        ),
        ("principals", "x.example/ns/a/sa/b", &["x.example"]),
        ("principals", "x*/ns/a/sa/b", &[]),
        ("principals", "prod.example/ns/a/sa/*", &["prod.example", "old.example"]),
        ("principals", "prod.example/ns/a/*", &["prod.example"]),
        ("principals", "cluster.local/ns/*", &["cluster.local"]),
        ("trustDomains", "prod.example", &["prod.example", "old.example"]),
        ("trustDomains", "old.example", &["prod.example", "old.example"]),
        ("trustDomains", "cluster.local", &["cluster.local"]),
        ("trustDomains", "prod*", &["prod.example"]),
    ] {
        for domain in ["prod.example", "old.example", "cluster.local", "x.example"] {
            let spec =
                format!("{{ rules: [{{ from: [{{ source: {{ {list}: ['{value}'] }} }}] }}] }}");
            let want = if fits.contains(&domain) { PASSES } else { FAILS };
            assert_eq!(ask(&policies(&[&spec]), &peer(&own(domain))), want, "{value} for {domain}");
            let key = if list == "principals" { "source.principal" } else { "source.trustDomain" };
            let spec =
                format!("{{ rules: [{{ when: [{{ key: {key}, notValues: ['{value}'] }}] }}] }}");
            let want = if fits.contains(&domain) { FAILS } else { PASSES };
            assert_eq!(
                ask(&policies(&[&spec]), &peer(&own(domain))),
                want,
                "not {value} for {domain}"
            );
        }
    }
    // Without aliases the mesh has one name.
    let spec = "{ rules: [{ from: [{ source: { principals: ['cluster.local/ns/a/sa/b'] } }] }] }";
    let settings = MeshSettings::default();
    assert_eq!(ask_in(settings, &policies(&[spec]), &peer(&own("cluster.local"))), PASSES);
}

#[test]
fn a_policy_on_trial_counts_in_the_shadow_only() {
    let shadow = |objects: &[(&str, &str, &str)]| {
        let objects: Vec<String> = objects
            .iter()
            .map(|(name, dry_run, spec)| {
                object(&format!("{{ namespace: foo, name: {name}, annotations: {{ istio.io/dry-run: '{dry_run}' }} }}"), spec)
            })
            .collect();
        let resources = read(&objects);
        let set = PolicySet::compile(mesh(), &resources);
        let answer = set.authorize(&web(), &plaintext());
        let in_advance = set.authorization_policies().select(&web());
        assert_eq!(in_advance.authorize(&plaintext()), answer);
        // The shadow is the answer of the same policies without the annotation.
        let in_force = values(resources.authorization_policies().iter().map(|policy| {
            let mut policy = policy.clone();
            policy.metadata.annotations = meshtls_policy::Labels::default();
            policy
        }));
        let set = PolicySet::compile(mesh(), &in_force);
        let want = set.authorize(&web(), &plaintext());
        if let Some(shadow) = answer.shadow() {
            assert_eq!(show(&shadow), show(&want.verdict()));
        }
        (show(&answer.verdict()), answer.shadow().map(|shadow| show(&shadow)))
    };
    let (deny, allow, nobody) = ("{ action: DENY, rules: [{}] }", "{ rules: [{}] }", "{}");
    let text = |text: &str| Some(text.to_owned());
    for (name, objects, want, want_shadow) in [
        ("none on trial", vec![("a", "false", allow)], "allow_policy_matched foo/a 0", None),
        ("DENY", vec![("a", "true", deny)], "no_allow_policy", text("deny_policy_matched foo/a 0")),
        (
            "ALLOW that matches nothing",
            vec![("a", "true", nobody)],
            "no_allow_policy",
            text("no_allow_policy_matched"),
        ),
        (
            "beside one in force",
            vec![("a", "false", nobody), ("b", "true", allow)],
            "no_allow_policy_matched",
            text("allow_policy_matched foo/b 0"),
        ),
        (
            "two together",
            vec![("a", "true", deny), ("b", "true", allow)],
            "no_allow_policy",
            text("deny_policy_matched foo/a 0"),
        ),
        (
            "of no consequence",
            vec![("a", "false", allow), ("b", "true", nobody)],
            "allow_policy_matched foo/a 0",
            text("allow_policy_matched foo/a 0"),
        ),
    ] {
        assert_eq!(shadow(&objects), (want.to_owned(), want_shadow), "{name}");
    }
    let elsewhere = AuthorizationPolicy::new("bar", "a").with_dry_run(true);
    let set = PolicySet::compile(mesh(), &values([elsewhere]));
    assert_eq!(set.authorize(&web(), &plaintext()).shadow(), None, "not for the workload");
}
