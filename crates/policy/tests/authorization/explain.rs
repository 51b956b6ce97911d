//! What an explanation says: each policy with its reason, and the notes about what surprises people.

use meshtls_policy::{
    Action, AuthorizationPolicy, AuthorizationTrap as Trap, MeshSettings, PeerNames, PolicyOutcome,
    PolicySet, Resources, Rule, Source, TargetRef,
};

use super::{ip, mesh, object, peer, plaintext, policies, read, values, web};

const LEDGER: &str = "spiffe://prod.example/ns/pay/sa/ledger";

#[test]
fn the_text_names_the_deciding_policy_and_why_the_others_do_not_count() {
    let here =
        |name: &str, spec: &str| object(&format!("{{ namespace: foo, name: {name} }}"), spec);
    let resources = read(&[
        here(
            "no-get",
            "{ action: DENY, rules: [{ to: [{ operation: { methods: [GET], ports: ['9090'] } }] }, { from: [{ source: { namespaces: [evil] } }, { source: { ipBlocks: ['1.1.1.1'] } }] }] }",
        ),
        here(
            "ledger",
            "{ rules: [{ to: [{ operation: { paths: [/] } }] }, { from: [{ source: { principals: ['prod.example/ns/pay/sa/ledger'] } }] }] }",
        ),
        here("nobody", "{}"),
        here("db", "{ selector: { matchLabels: { app: db } } }"),
        here("tier", "{ selector: { matchLabels: { tier: front } } }"),
        here("gateway", "{ targetRefs: [{ kind: Service, name: web }] }"),
        here("log", "{ action: AUDIT, rules: [{}] }"),
        object(
            "{ namespace: foo, name: trial, annotations: { istio.io/dry-run: 'true' } }",
            "{ action: DENY, rules: [{ when: [{ key: connection.sni, notValues: [web.foo] }] }] }",
        ),
        object("{ namespace: bar, name: one }", "{}"),
        object("{ namespace: bar, name: two }", "{}"),
    ]);
    let set = PolicySet::compile(mesh(), &resources);
    let explained = set.explain_authorization(&web(), &peer(LEDGER));
    let want = "\
allowed: an ALLOW policy matches (foo/ledger, rule 1)
for spiffe://prod.example/ns/pay/sa/ledger at 10.1.2.3, port 8080 of 10.9.9.9 to a workload in namespace foo, labels app=web

in force:
  DENY   foo/no-get  does not match
    rule 0: to[0].operation.methods is not known on a connection
    rule 0: to[0].operation.ports wants one of 9090; there is 8080
    rule 1: from[0].source.namespaces wants one of evil; there is spiffe://prod.example/ns/pay/sa/ledger
    rule 1: from[1].source.ipBlocks wants one of 1.1.1.1; there is 10.1.2.3
  ALLOW  foo/ledger  matches by rule 1  <- decides
  ALLOW  foo/nobody  has no rules, so it matches nothing
  AUDIT  foo/log  matches by rule 0

on trial:
  DENY   foo/trial  matches by rule 0
  with those in force too: refused: a DENY policy matches (foo/trial, rule 0)

without effect here:
  foo/db: selects app=db, the workload has app=web
  foo/gateway: for gateways or services (targetRefs), not for workloads
  foo/tier: selects tier=front, the workload has no label tier
  2 policies of other namespaces

note:
  foo/ledger rule 0, to[0].operation.paths: not known on a connection (/), so the whole rule allows nothing
  foo/no-get rule 0, to[0].operation.methods: not known on a connection (GET), so left out: the rule matches more
";
    assert_eq!(explained.to_string(), want);
    assert_eq!(explained.policies.len(), 10, "every policy is in the data");
}

#[test]
fn the_text_says_what_a_peer_lacks() {
    let spec = "{ rules: [{ from: [{ source: { principals: ['*'], namespaces: [a] } }], when: [{ key: connection.sni, values: [a] }, { key: remote.ip, notValues: ['10.0.0.0/8'] }, { key: destination.ip, values: ['1.1.1.1'] }] }] }";
    let set = PolicySet::compile(mesh(), &policies(&[spec]));
    let remote = plaintext().with_remote(ip("10.7.7.7"));
    let text = set.explain_authorization(&web(), &remote).to_string();
    for line in [
        "refused: no ALLOW policy matches\nfor a plaintext peer at 10.1.2.3 (first sent by 10.7.7.7), port 8080 of 10.9.9.9 to",
        "    rule 0: from[0].source.principals wants one of *; there is no identity\n",
        "    rule 0: when[0].values wants one of a; there is no server name\n",
        "    rule 0: when[1].notValues wants none of 10.0.0.0/8; there is 10.7.7.7\n",
        "    rule 0: when[2].values wants one of 1.1.1.1; there is 10.9.9.9\n",
    ] {
        assert!(text.contains(line), "{line}\nis not in\n{text}");
    }
    // What the peer chose cannot break the text.
    let sni = format!("a\n{}", "x".repeat(100));
    let loud = plaintext()
        .with_peer(PeerNames::none())
        .with_sni(sni.as_str());
    let text = set.explain_authorization(&web(), &loud).to_string();
    assert!(
        text.contains(
            "for a peer without certificate at 10.1.2.3, port 8080 of 10.9.9.9 as a\u{fffd}xx"
        ),
        "{text}"
    );
    assert!(!text.contains(&"x".repeat(64)), "{text}");
}

#[test]
fn each_trap_has_its_note() {
    let with = |source: Source| {
        AuthorizationPolicy::new("foo", "p").with_rule(Rule::new().with_from(source))
    };
    let principals = |value: &str| with(Source::default().with_principals([value]));
    let value = |value: &str| value.to_owned();
    let (corp, default) =
        (MeshSettings::new("corp.example".parse().unwrap()), MeshSettings::default());
    let strings = |values: &[&str]| {
        values
            .iter()
            .map(|&value| value.to_owned())
            .collect::<Vec<_>>()
    };
    for (name, settings, policy, want) in [
        (
            "a pointer",
            mesh(),
            principals("cluster.local/ns/a/sa/b"),
            vec![Trap::ClusterLocalMeansTheMesh {
                value: value("cluster.local/ns/a/sa/b"),
                means: strings(&["prod.example/ns/a/sa/b", "old.example/ns/a/sa/b"]),
            }],
        ),
        ("its own name", default.clone(), principals("cluster.local/ns/a/sa/b"), vec![]),
        (
            "no pointer",
            corp.clone(),
            principals("cluster.local/ns/*"),
            vec![Trap::NotExpanded { value: value("cluster.local/ns/*") }],
        ),
        ("no pointer needed", default.clone(), principals("cluster.local/ns/*"), vec![]),
        (
            "no aliases",
            mesh(),
            principals("prod.example/ns/*"),
            vec![Trap::NotExpanded { value: value("prod.example/ns/*") }],
        ),
        (
            "an alias alone",
            mesh(),
            principals("old.example*"),
            vec![Trap::NotExpanded { value: value("old.example*") }],
        ),
        ("no aliases needed", corp.clone(), principals("corp.example/ns/*"), vec![]),
        ("another mesh", mesh(), principals("x.example/ns/*"), vec![]),
        ("any mesh", mesh(), principals("*/ns/a/sa/b"), vec![]),
        (
            "a name",
            corp,
            with(Source::default().with_trust_domains(["cluster.local"])),
            vec![Trap::ClusterLocalIsAName],
        ),
        (
            "the name",
            default,
            with(Source::default().with_trust_domains(["cluster.local"])),
            vec![],
        ),
        (
            "a scheme",
            mesh(),
            principals("spiffe://a/ns/b/sa/c"),
            vec![Trap::Scheme { value: value("spiffe://a/ns/b/sa/c") }],
        ),
        (
            "a star",
            mesh(),
            principals("a/ns/*/sa/c"),
            vec![Trap::LiteralStar { value: value("a/ns/*/sa/c") }],
        ),
        ("two stars", mesh(), principals("*a*"), vec![Trap::LiteralStar { value: value("*a*") }]),
        ("stars in namespaces", mesh(), with(Source::default().with_namespaces(["a*b*c"])), vec![]),
        (
            "not",
            mesh(),
            with(Source::default().with_not_principals(["x"])),
            vec![Trap::PlaintextSatisfiesNot],
        ),
        (
            "not, of namespaces",
            mesh(),
            with(Source::default().with_not_namespaces(["x"])),
            vec![Trap::PlaintextSatisfiesNot],
        ),
        (
            "not, beside an identity",
            mesh(),
            with(
                Source::default()
                    .with_not_principals(["x"])
                    .with_namespaces(["a"]),
            ),
            vec![],
        ),
        (
            "not, under DENY",
            mesh(),
            with(Source::default().with_not_principals(["*"])).with_action(Action::Deny),
            vec![],
        ),
        (
            "HTTP under ALLOW",
            mesh(),
            with(Source::default().with_request_principals(["x", "y"])),
            vec![Trap::NeverMatches { values: strings(&["x", "y"]) }],
        ),
        (
            "HTTP under DENY",
            mesh(),
            with(Source::default().with_request_principals(["x"])).with_action(Action::Deny),
            vec![Trap::Widened { values: strings(&["x"]) }],
        ),
        (
            "CUSTOM",
            mesh(),
            AuthorizationPolicy::new("foo", "p")
                .with_action(Action::Custom)
                .with_provider("ext")
                .with_rule(Rule::new()),
            vec![Trap::NoAuthorizer { provider: Some(value("ext")) }],
        ),
    ] {
        let traps: Vec<Trap> = policy
            .traps(&settings)
            .into_iter()
            .map(|note| note.trap)
            .collect();
        assert_eq!(traps, want, "{name}");
        let set = PolicySet::compile(settings, &values([policy]));
        let explained = set.explain_authorization(&web(), &plaintext());
        assert_eq!(explained.notes.len(), want.len(), "{name}");
        for note in &explained.notes {
            assert!(explained.to_string().contains(&format!("  {note}\n")), "{name}");
            assert!(note.to_string().starts_with("foo/p rule 0"), "{note}");
        }
    }
}

#[test]
fn not_conditions_in_when_are_traps_too() {
    let traps = |rule: &str| {
        let read = policies(&[&format!("{{ rules: [{{ {rule} }}] }}")]);
        let [policy] = read.authorization_policies() else { panic!("one policy") };
        let notes = policy.traps(&mesh());
        notes
            .iter()
            .map(|note| note.field.clone())
            .collect::<Vec<_>>()
    };
    let not = "when: [{ key: source.principal, notValues: [x] }]";
    assert_eq!(traps(not), ["when[0].notValues"]);
    let with_identity = "when: [{ key: source.principal, values: ['*'], notValues: [x] }]";
    assert_eq!(traps(with_identity), [""; 0]);
    assert_eq!(traps(&format!("from: [{{ source: {{ namespaces: [a] }} }}], {not}")), [""; 0]);
    assert_eq!(
        traps(&format!("from: [{{ source: {{ ipBlocks: ['::1'] }} }}], {not}")),
        ["when[0].notValues"]
    );
    let two = "from: [{ source: { notPrincipals: [x] } }, { source: { principals: [z] } }]";
    assert_eq!(traps(two), ["from[0].source.notPrincipals"]);
    assert_eq!(traps("when: [{ key: connection.sni, values: ['a*b'] }]"), ["when[0].values"]);
}

#[test]
fn a_peer_of_another_mesh_that_a_namespace_lets_in_is_noted() {
    let by = |source: &str, uri: &str| {
        let spec = format!("{{ rules: [{{ from: [{{ source: {{ {source} }} }}] }}] }}");
        let set = PolicySet::compile(mesh(), &policies(&[&spec]));
        let explained = set.explain_authorization(&web(), &peer(uri));
        assert!(explained.verdict.allow, "{source}");
        explained
            .notes
            .into_iter()
            .map(|note| note.trap)
            .collect::<Vec<_>>()
    };
    let foreign = "spiffe://elsewhere.example/ns/pay/sa/ledger";
    let any = vec![Trap::AnyTrustDomain { found: "elsewhere.example".to_owned() }];
    assert_eq!(by("namespaces: [pay]", foreign), any);
    assert_eq!(by("serviceAccounts: [pay/ledger]", foreign), any);
    assert_eq!(by("namespaces: [pay]", LEDGER), []);
    assert_eq!(by("namespaces: [pay]", "spiffe://old.example/ns/pay/sa/ledger"), []);
    assert_eq!(by("namespaces: [pay], trustDomains: [elsewhere.example]", foreign), []);
    assert_eq!(by("principals: ['*']", foreign), []);
}

#[test]
fn the_data_is_for_programs() {
    let deny = AuthorizationPolicy::new("foo", "deny")
        .with_action(Action::Deny)
        .with_rule(Rule::new().with_from(Source::default().with_not_principals(["*"])));
    let gateway = AuthorizationPolicy::new("foo", "gateway")
        .with_target_ref(TargetRef::new("", "Service", "web"));
    let resources: Resources = values([deny, gateway]);
    let set = PolicySet::compile(mesh(), &resources);
    let explained = set.explain_authorization(&web(), &peer(LEDGER));
    let [deny, _gateway] = explained.policies.as_slice() else { panic!("two policies") };
    let PolicyOutcome::NoMatch { rules } = &deny.outcome else { panic!("it does not match") };
    assert_eq!(rules.len(), 1);
    let data = serde_json::to_value(&explained).unwrap();
    let want = serde_json::json!({
        "workload": { "namespace": "foo", "labels": { "app": "web" } },
        "connection": {
            "peer": [LEDGER], "source": "10.1.2.3", "remote": "10.1.2.3", "destination": "10.9.9.9", "port": 8080, "sni": null,
        },
        "verdict": { "allow": true, "reason": "no_allow_policy", "policy": null, "rule": null },
        "shadow": null,
        "policies": [
            {
                "policy": "foo/deny", "action": "DENY", "dry_run": false, "decides": false, "outcome": "no_match",
                "rules": [{
                    "rule": 0,
                    "unknown": [],
                    "failed": [{
                        "field": "from[0].source.notPrincipals", "attribute": "source_principal", "sense": "none_of",
                        "values": ["*"], "found": [LEDGER],
                    }],
                }],
            },
            {
                "policy": "foo/gateway", "action": "ALLOW", "dry_run": false, "decides": false, "outcome": "not_selected",
                "reason": { "why": "target_refs" },
            },
        ],
        "notes": [],
    });
    assert_eq!(data, want);
}
