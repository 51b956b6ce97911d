//! Text to policies: what is read, what is refused and where, and that printing gives it back.

use meshtls_policy::{
    Action, AuthorizationPolicy, Condition, Operation, Resources, Rule, Source, TargetRef,
};

use super::{object, read};

const META: &str = "{ namespace: foo, name: a }";

fn parse(spec: &str) -> Result<Resources, meshtls_policy::ParseError> {
    Resources::parse("p.yaml", &object(META, spec))
}

#[test]
fn every_field_is_read_printed_and_read_back() {
    let text = "
apiVersion: security.istio.io/v1beta1
kind: AuthorizationPolicy
metadata:
  { namespace: foo, name: a, creationTimestamp: '2024-03-01T00:00:01Z', annotations: { istio.io/dry-run: 'true' } }
spec:
  selector: { matchLabels: { app: web } }
  action: DENY
  rules:
  - from:
    - source: { principals: [a], notPrincipals: [b], namespaces: ['c*'], notNamespaces: ['*d*'], requestPrincipals: [e], notRequestPrincipals: [f] }
    - source: { serviceAccounts: [g, h/i], notServiceAccounts: [j], trustDomains: [k, '*'], notTrustDomains: ['l*'] }
    - source: { ipBlocks: ['10.0.0.0/8', '::1'], notIpBlocks: ['10.1.2.3'], remoteIpBlocks: ['0.0.0.0/0'], notRemoteIpBlocks: ['::/0'] }
    to:
    - operation: { hosts: [m], notHosts: [nn], ports: ['0', '65535'], notPorts: ['1'], methods: [GET], notMethods: [PUT], paths: ['/a/{*}/{**}'], notPaths: ['/b*'] }
    when:
    - { key: source.ip, values: ['10.1.2.3'], notValues: ['10.1.2.4'] }
    - { key: 'request.headers[x-token]', values: ['*'] }
  - {}
";
    let read = Resources::parse("p.yaml", text).unwrap();
    let want = AuthorizationPolicy::new("foo", "a")
        .with_created("2024-03-01T00:00:01Z".parse().unwrap())
        .with_dry_run(true)
        .with_selector([("app", "web")])
        .with_action(Action::Deny)
        .with_rule(
            Rule::new()
                .with_from(
                    Source::default()
                        .with_principals(["a"])
                        .with_not_principals(["b"])
                        .with_namespaces(["c*"])
                        .with_not_namespaces(["*d*"])
                        .with_request_principals(["e"])
                        .with_not_request_principals(["f"]),
                )
                .with_from(
                    Source::default()
                        .with_service_accounts(["g", "h/i"])
                        .with_not_service_accounts(["j"])
                        .with_trust_domains(["k", "*"])
                        .with_not_trust_domains(["l*"]),
                )
                .with_from(
                    Source::default()
                        .with_ip_blocks(["10.0.0.0/8", "::1"])
                        .with_not_ip_blocks(["10.1.2.3"])
                        .with_remote_ip_blocks(["0.0.0.0/0"])
                        .with_not_remote_ip_blocks(["::/0"]),
                )
                .with_to(
                    Operation::default()
                        .with_hosts(["m"])
                        .with_not_hosts(["nn"])
                        .with_ports(["0", "65535"])
                        .with_not_ports(["1"])
                        .with_methods(["GET"])
                        .with_not_methods(["PUT"])
                        .with_paths(["/a/{*}/{**}"])
                        .with_not_paths(["/b*"]),
                )
                .with_when(
                    Condition::new("source.ip")
                        .with_values(["10.1.2.3"])
                        .with_not_values(["10.1.2.4"]),
                )
                .with_when(Condition::new("request.headers[x-token]").with_values(["*"])),
        )
        .with_rule(Rule::new());
    assert_eq!(read.authorization_policies(), std::slice::from_ref(&want));
    assert_eq!(read.warnings(), []);
    assert!(want.is_dry_run());
    back_and_forth(&want);

    let custom = AuthorizationPolicy::new("foo", "b")
        .with_action(Action::Custom)
        .with_provider("ext")
        .with_rule(Rule::new());
    back_and_forth(&custom);
    let target = TargetRef::new("gateway.networking.k8s.io", "Gateway", "g");
    back_and_forth(&AuthorizationPolicy::new("foo", "c").with_target_ref(target));
}

fn back_and_forth(policy: &AuthorizationPolicy) {
    let printed = serde_json::to_string(policy).unwrap();
    let read: AuthorizationPolicy = serde_json::from_str(&printed).unwrap();
    assert_eq!(&read, policy, "{printed}");
    let read = Resources::parse("p.json", &printed).unwrap();
    assert_eq!(read.authorization_policies(), std::slice::from_ref(policy), "{printed}");
}

#[test]
fn policies_are_accepted_as_istio_does() {
    for spec in [
        "{}",
        "{ action: ALLOW }",
        "{ action: AUDIT }",
        "{ action: ALLOW, rules: [] }",
        "{ rules: [{}] }",
        "{ rules: [{ when: [] }] }",
        "{ targetRef: { kind: Service, name: a } }",
        "{ targetRefs: [{ kind: Service, group: core, name: a, namespace: '' }] }",
        "{ targetRefs: [{ kind: ServiceEntry, group: networking.istio.io, name: a }] }",
        "{ targetRefs: [{ kind: GatewayClass, group: gateway.networking.k8s.io, name: a }] }",
        "{ selector: { matchLabels: { a: b } }, targetRefs: [] }",
        "{ rules: [{ from: [{ source: { principals: ['a*b', '*a*', '**'] } }] }] }",
        "{ rules: [{ from: [{ source: { namespaces: ['a*b*c'] } }] }] }",
        "{ rules: [{ to: [{ operation: { ports: ['080'], paths: ['', '/'] } }] }] }",
        "{ rules: [{ when: [{ key: source.trustDomain, values: ['a/b*'] }] }] }",
        "{ action: CUSTOM, provider: { name: a }, rules: [{ from: [{ source: { ipBlocks: ['::1'] } }], when: [{ key: 'request.headers[a]', values: [b] }] }] }",
    ] {
        // An empty path is refused like every empty value.
        let spec = spec.replace("'', '/'", "'/'");
        parse(&spec).unwrap();
    }
    let old = read(&[object(META, "{ targetRef: { kind: Service, name: a } }")]);
    let [policy] = old.authorization_policies() else { panic!("one policy") };
    assert_eq!(policy.target_refs, [TargetRef::new("", "Service", "a")]);
}

#[test]
fn policies_are_refused_with_reason_and_place() {
    let many = |what: &str, count: usize| vec![what; count].join(", ");
    let long = "a".repeat(321);
    for (spec, field, reason) in [
        // AZV-1
        (
            "{ selector: { matchLabels: { a: b } }, targetRefs: [{ kind: Service, name: a }] }",
            "spec.targetRefs",
            "selector_and_target_refs",
        ),
        (
            "{ selector: {}, targetRef: { kind: Service, name: a } }",
            "spec.targetRef",
            "selector_and_target_refs",
        ),
        (
            "{ targetRef: { kind: Service, name: a }, targetRefs: [{ kind: Service, name: a }] }",
            "spec.targetRefs",
            "selector_and_target_refs",
        ),
        // AZV-2
        (
            "{ targetRefs: [{ kind: Service, name: '' }] }",
            "spec.targetRefs[0].name",
            "target_without_name",
        ),
        ("{ targetRefs: [{ kind: Service }] }", "spec.targetRefs[0]", "missing_field"),
        (
            "{ targetRefs: [{ kind: Service, name: a, namespace: b }] }",
            "spec.targetRefs[0].namespace",
            "target_namespace",
        ),
        (
            "{ targetRefs: [{ kind: Deployment, group: apps, name: a }] }",
            "spec.targetRefs[0].kind",
            "target_kind",
        ),
        ("{ targetRef: { kind: Gateway, name: a } }", "spec.targetRef.kind", "target_kind"),
        // AZV-3
        ("{ action: DENY }", "spec", "deny_without_rules"),
        ("{ action: DENY, rules: [] }", "spec.rules", "deny_without_rules"),
        ("{ action: CUSTOM, provider: { name: a } }", "spec", "custom_without_rules"),
        ("{ action: CUSTOM, rules: [] }", "spec.rules", "custom_without_rules"),
        // AZV-4
        ("{ action: CUSTOM, rules: [{}] }", "spec.action", "custom_without_provider"),
        ("{ action: CUSTOM, provider: {}, rules: [{}] }", "spec.action", "custom_without_provider"),
        (
            "{ action: CUSTOM, provider: { name: '' }, rules: [{}] }",
            "spec.action",
            "custom_without_provider",
        ),
        (
            "{ action: DENY, provider: { name: a }, rules: [{}] }",
            "spec.provider",
            "provider_without_custom",
        ),
        // AZV-5
        (
            "{ action: CUSTOM, provider: { name: a }, rules: [{}, { from: [{ source: { principals: [a] } }] }] }",
            "spec.rules[1]",
            "custom_unsupported",
        ),
        (
            "{ action: CUSTOM, provider: { name: a }, rules: [{ from: [{ source: { notNamespaces: [a] } }] }] }",
            "spec.rules[0]",
            "custom_unsupported",
        ),
        (
            "{ action: CUSTOM, provider: { name: a }, rules: [{ from: [{ source: { serviceAccounts: [a] } }] }] }",
            "spec.rules[0]",
            "custom_unsupported",
        ),
        (
            "{ action: CUSTOM, provider: { name: a }, rules: [{ from: [{ source: { trustDomains: [a] } }] }] }",
            "spec.rules[0]",
            "custom_unsupported",
        ),
        (
            "{ action: CUSTOM, provider: { name: a }, rules: [{ from: [{ source: { requestPrincipals: [a] } }] }] }",
            "spec.rules[0]",
            "custom_unsupported",
        ),
        (
            "{ action: CUSTOM, provider: { name: a }, rules: [{ when: [{ key: source.principal, values: [a] }] }] }",
            "spec.rules[0]",
            "custom_unsupported",
        ),
        (
            "{ action: CUSTOM, provider: { name: a }, rules: [{ when: [{ key: 'request.auth.claims[a]', values: [a] }] }] }",
            "spec.rules[0]",
            "custom_unsupported",
        ),
        // AZV-6
        ("{ rules: [{ from: [] }] }", "spec.rules[0].from", "empty_from"),
        ("{ rules: [{ to: [] }] }", "spec.rules[0].to", "empty_to"),
        ("{ rules: [{ from: [{}] }] }", "spec.rules[0].from[0]", "missing_field"),
        ("{ rules: [{ to: [{}] }] }", "spec.rules[0].to[0]", "missing_field"),
        ("{ rules: [null] }", "spec.rules[0]", "wrong_type"),
        // AZV-7
        ("{ rules: [{ from: [{ source: {} }] }] }", "spec.rules[0].from[0].source", "empty_source"),
        (
            "{ rules: [{ from: [{ source: { principals: [] } }] }] }",
            "spec.rules[0].from[0].source",
            "empty_source",
        ),
        (
            "{ rules: [{ to: [{ operation: {} }] }] }",
            "spec.rules[0].to[0].operation",
            "empty_operation",
        ),
        (
            "{ rules: [{ to: [{ operation: { ports: [] } }] }] }",
            "spec.rules[0].to[0].operation",
            "empty_operation",
        ),
        // AZV-8
        (
            "{ rules: [{ from: [{ source: { serviceAccounts: [a], principals: [b] } }] }] }",
            "spec.rules[0].from[0].source",
            "service_accounts_combined",
        ),
        (
            "{ rules: [{ from: [{ source: { notServiceAccounts: [a], notNamespaces: [b] } }] }] }",
            "spec.rules[0].from[0].source",
            "service_accounts_combined",
        ),
        // AZV-10
        (
            "{ rules: [{ from: [{ source: { principals: [a, ''] } }] }] }",
            "spec.rules[0].from[0].source.principals[1]",
            "empty_value",
        ),
        (
            "{ rules: [{ to: [{ operation: { methods: [''] } }] }] }",
            "spec.rules[0].to[0].operation.methods[0]",
            "empty_value",
        ),
        (
            "{ rules: [{ when: [{ key: connection.sni, values: [''] }] }] }",
            "spec.rules[0].when[0].values[0]",
            "empty_value",
        ),
        // AZV-11
        (
            "{ rules: [{ from: [{ source: { serviceAccounts: ['a*'] } }] }] }",
            "spec.rules[0].from[0].source.serviceAccounts[0]",
            "bad_account",
        ),
        (
            "{ rules: [{ from: [{ source: { serviceAccounts: ['a/b/c'] } }] }] }",
            "spec.rules[0].from[0].source.serviceAccounts[0]",
            "bad_account",
        ),
        (
            "{ rules: [{ from: [{ source: { serviceAccounts: ['/b'] } }] }] }",
            "spec.rules[0].from[0].source.serviceAccounts[0]",
            "bad_account",
        ),
        (
            "{ rules: [{ from: [{ source: { notServiceAccounts: ['a/'] } }] }] }",
            "spec.rules[0].from[0].source.notServiceAccounts[0]",
            "bad_account",
        ),
        (
            &format!("{{ rules: [{{ from: [{{ source: {{ serviceAccounts: [{long}] }} }}] }}] }}"),
            "spec.rules[0].from[0].source.serviceAccounts[0]",
            "bad_account",
        ),
        (
            "{ rules: [{ when: [{ key: source.serviceAccount, notValues: ['*'] }] }] }",
            "spec.rules[0].when[0].notValues[0]",
            "bad_account",
        ),
        // AZV-12
        (
            "{ rules: [{ from: [{ source: { trustDomains: [a/b] } }] }] }",
            "spec.rules[0].from[0].source.trustDomains[0]",
            "trust_domain_with_slash",
        ),
        (
            "{ rules: [{ from: [{ source: { trustDomains: ['a*b'] } }] }] }",
            "spec.rules[0].from[0].source.trustDomains[0]",
            "misplaced_star",
        ),
        (
            "{ rules: [{ from: [{ source: { notTrustDomains: ['*a*'] } }] }] }",
            "spec.rules[0].from[0].source.notTrustDomains[0]",
            "misplaced_star",
        ),
        (
            "{ rules: [{ when: [{ key: source.trustDomain, values: ['a*b'] }] }] }",
            "spec.rules[0].when[0].values[0]",
            "misplaced_star",
        ),
        // AZV-13
        (
            "{ rules: [{ from: [{ source: { ipBlocks: ['10.1.2'] } }] }] }",
            "spec.rules[0].from[0].source.ipBlocks[0]",
            "bad_ip_block",
        ),
        (
            "{ rules: [{ from: [{ source: { notRemoteIpBlocks: ['10.0.0.0/33'] } }] }] }",
            "spec.rules[0].from[0].source.notRemoteIpBlocks[0]",
            "bad_ip_block",
        ),
        (
            "{ rules: [{ when: [{ key: destination.ip, values: [localhost] }] }] }",
            "spec.rules[0].when[0].values[0]",
            "bad_ip_block",
        ),
        // AZV-14
        (
            "{ rules: [{ to: [{ operation: { ports: ['65536'] } }] }] }",
            "spec.rules[0].to[0].operation.ports[0]",
            "bad_port",
        ),
        (
            "{ rules: [{ to: [{ operation: { notPorts: ['+80'] } }] }] }",
            "spec.rules[0].to[0].operation.notPorts[0]",
            "bad_port",
        ),
        (
            "{ rules: [{ to: [{ operation: { ports: [http] } }] }] }",
            "spec.rules[0].to[0].operation.ports[0]",
            "bad_port",
        ),
        (
            "{ rules: [{ when: [{ key: destination.port, values: ['-1'] }] }] }",
            "spec.rules[0].when[0].values[0]",
            "bad_port",
        ),
        (
            "{ rules: [{ to: [{ operation: { ports: [80] } }] }] }",
            "spec.rules[0].to[0].operation.ports[0]",
            "wrong_type",
        ),
        // AZV-15
        (
            "{ rules: [{ to: [{ operation: { paths: ['/a/{x}'] } }] }] }",
            "spec.rules[0].to[0].operation.paths[0]",
            "bad_path",
        ),
        (
            "{ rules: [{ to: [{ operation: { paths: ['/{**}/{*}'] } }] }] }",
            "spec.rules[0].to[0].operation.paths[0]",
            "bad_path",
        ),
        (
            "{ rules: [{ to: [{ operation: { notPaths: ['/{*}/a*'] } }] }] }",
            "spec.rules[0].to[0].operation.notPaths[0]",
            "bad_path",
        ),
        (
            "{ rules: [{ to: [{ operation: { notPaths: ['/{*}//a'] } }] }] }",
            "spec.rules[0].to[0].operation.notPaths[0]",
            "bad_path",
        ),
        // AZV-16
        ("{ rules: [{ when: [{ values: [a] }] }] }", "spec.rules[0].when[0]", "missing_field"),
        (
            "{ rules: [{ when: [{ key: '', values: [a] }] }] }",
            "spec.rules[0].when[0].key",
            "empty_key",
        ),
        (
            "{ rules: [{ when: [{ key: source.princpal, values: [a] }] }] }",
            "spec.rules[0].when[0].key",
            "unknown_key",
        ),
        (
            "{ rules: [{ when: [{ key: destination.namespace, values: [a] }] }] }",
            "spec.rules[0].when[0].key",
            "retired_key",
        ),
        (
            "{ rules: [{ when: [{ key: 'destination.labels[a]', values: [a] }] }] }",
            "spec.rules[0].when[0].key",
            "retired_key",
        ),
        (
            "{ rules: [{ when: [{ key: destination.user, values: [a] }] }] }",
            "spec.rules[0].when[0].key",
            "retired_key",
        ),
        (
            "{ rules: [{ when: [{ key: request.headers, values: [a] }] }] }",
            "spec.rules[0].when[0].key",
            "bad_key",
        ),
        (
            "{ rules: [{ when: [{ key: 'request.headers[]', values: [a] }] }] }",
            "spec.rules[0].when[0].key",
            "bad_key",
        ),
        (
            "{ rules: [{ when: [{ key: 'request.auth.claims[a', values: [a] }] }] }",
            "spec.rules[0].when[0].key",
            "bad_key",
        ),
        // AZV-17
        (
            "{ rules: [{ when: [{ key: source.ip }] }] }",
            "spec.rules[0].when[0]",
            "condition_without_values",
        ),
        (
            "{ rules: [{ when: [{ key: source.ip, values: [], notValues: [] }] }] }",
            "spec.rules[0].when[0]",
            "condition_without_values",
        ),
        // AZV-9
        (&format!("{{ rules: [{}] }}", many("{}", 513)), "spec.rules", "too_many"),
        (
            &format!(
                "{{ rules: [{{ from: [{}] }}] }}",
                many("{ source: { namespaces: [a] } }", 513)
            ),
            "spec.rules[0].from",
            "too_many",
        ),
        (
            &format!("{{ targetRefs: [{}] }}", many("{ kind: Service, name: a }", 17)),
            "spec.targetRefs",
            "too_many",
        ),
        (
            &format!(
                "{{ rules: [{{ from: [{{ source: {{ serviceAccounts: [{}] }} }}] }}] }}",
                many("a", 17)
            ),
            "spec.rules[0].from[0].source.serviceAccounts",
            "too_many",
        ),
        (
            &format!(
                "{{ rules: [{{ when: [{{ key: source.serviceAccount, values: [{}] }}] }}] }}",
                many("a", 17)
            ),
            "spec.rules[0].when[0].values",
            "too_many",
        ),
        // AZV-18 and what all kinds share
        ("{ action: deny, rules: [{}] }", "spec.action", "unknown_enum_value"),
        (
            "{ selector: { matchLabels: { app: '*' } } }",
            "spec.selector.matchLabels.app",
            "selector_wildcard",
        ),
        ("{ actions: DENY }", "spec.actions", "unknown_field"),
        ("{ rules: [{ form: [] }] }", "spec.rules[0].form", "unknown_field"),
        (
            "{ rules: [{ from: [{ source: { principal: [a] } }] }] }",
            "spec.rules[0].from[0].source.principal",
            "unknown_field",
        ),
        (
            "{ rules: [{ to: [{ operation: { port: ['80'] } }] }] }",
            "spec.rules[0].to[0].operation.port",
            "unknown_field",
        ),
        (
            "{ rules: [{ from: [{ principals: [a] }] }] }",
            "spec.rules[0].from[0].principals",
            "unknown_field",
        ),
    ] {
        let refused = parse(spec).expect_err(spec);
        assert_eq!((refused.field(), refused.reason()), (field, reason), "{spec}: {refused}");
        assert_eq!(refused.line(), Some(4), "{spec}");
        assert!(!refused.fault().to_string().is_empty());
    }
    // As many as are allowed.
    parse(&format!("{{ rules: [{}] }}", many("{}", 512))).unwrap();
    let accounts = many("a", 16);
    parse(&format!(
        "{{ rules: [{{ from: [{{ source: {{ serviceAccounts: [{accounts}] }} }}] }}] }}"
    ))
    .unwrap();
}

#[test]
fn a_misspelt_name_is_answered_with_the_nearest() {
    for (spec, want) in [
        ("{ rules: [{ from: [{ source: { principal: [a] } }] }] }", "did you mean `principals`?"),
        ("{ rules: [{ from: [{ source: { ipBlock: [a] } }] }] }", "did you mean `ipBlocks`?"),
        (
            "{ rules: [{ when: [{ key: source.princpal, values: [a] }] }] }",
            "did you mean `source.principal`?",
        ),
        ("{ action: Deny, rules: [{}] }", "did you mean `DENY`?"),
    ] {
        let refused = parse(spec).expect_err(spec).to_string();
        assert!(refused.contains(want), "{refused}");
    }
}

/// `yes` or `1` would be no to us and yes to somebody, and a trial that acts is an outage.
#[test]
fn a_trial_is_true_or_false() {
    let with = |value: &str| {
        let meta =
            format!("{{ namespace: foo, name: a, annotations: {{ istio.io/dry-run: {value} }} }}");
        Resources::parse("p.yaml", &object(&meta, "{}"))
    };
    for (value, dry_run) in [("'true'", true), ("'false'", false)] {
        let read = with(value).unwrap();
        let [policy] = read.authorization_policies() else { panic!("one policy") };
        assert_eq!(policy.is_dry_run(), dry_run, "{value}");
    }
    for value in ["'yes'", "'True'", "'1'", "''", "'t'"] {
        let refused = with(value).expect_err(value);
        assert_eq!(refused.reason(), "bad_dry_run", "{value}");
        assert_eq!(refused.field(), "metadata.annotations[\"istio.io/dry-run\"]");
    }
    assert!(!AuthorizationPolicy::new("foo", "a").is_dry_run());
}

#[test]
fn only_allow_and_deny_can_be_tried() {
    let meta = "{ namespace: foo, name: a, annotations: { istio.io/dry-run: 'true' } }";
    for (spec, tried) in [
        ("{}", true),
        ("{ action: ALLOW, rules: [{}] }", true),
        ("{ action: DENY, rules: [{}] }", true),
        ("{ action: AUDIT, rules: [{}] }", false),
        ("{ action: CUSTOM, provider: { name: ext }, rules: [{}] }", false),
    ] {
        let reason =
            Resources::parse("p.yaml", &object(meta, spec)).map_err(|error| error.reason());
        let want = if tried { None } else { Some("dry_run_unsupported") };
        assert_eq!(reason.err(), want, "{spec}");
    }
}

#[test]
fn what_is_odd_is_accepted_with_a_warning() {
    for (spec, want) in [
        ("{ selector: {} }", Some(("spec.selector", "selector_without_labels"))),
        // AZV-19: a DENY rule that looks at HTTP only.
        (
            "{ action: DENY, rules: [{ to: [{ operation: { methods: [GET] } }] }] }",
            Some(("spec.rules[0]", "deny_http_only")),
        ),
        (
            "{ action: DENY, rules: [{}, { from: [{ source: { requestPrincipals: [a] } }] }] }",
            Some(("spec.rules[1]", "deny_http_only")),
        ),
        (
            "{ action: DENY, rules: [{ from: [{ source: { principals: [a] } }], to: [{ operation: { paths: [/] } }] }] }",
            Some(("spec.rules[0]", "deny_http_only")),
        ),
        (
            "{ action: DENY, rules: [{ to: [{ operation: { methods: [GET], ports: ['80'] } }] }] }",
            None,
        ),
        (
            "{ action: DENY, rules: [{ from: [{ source: { requestPrincipals: [a], principals: [b] } }] }] }",
            None,
        ),
        (
            "{ action: DENY, rules: [{ from: [{ source: { requestPrincipals: [a] } }], to: [{ operation: { ports: ['80'] } }] }] }",
            None,
        ),
        ("{ action: DENY, rules: [{}] }", None),
        ("{ rules: [{ to: [{ operation: { methods: [GET] } }] }] }", None),
    ] {
        let read = parse(spec).unwrap();
        let seen: Vec<_> = read
            .warnings()
            .iter()
            .map(|warning| (warning.field.as_str(), warning.reason()))
            .collect();
        assert_eq!(seen, Vec::from_iter(want), "{spec}");
    }
}

#[test]
fn lists_and_versions_are_those_of_the_kind() {
    let list = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicyList\nitems:\n- { apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: { namespace: a, name: b } }\n";
    assert_eq!(
        Resources::parse("p.yaml", list)
            .unwrap()
            .authorization_policies()
            .len(),
        1
    );
    let twice = [object(META, "{}"), object(META, "{}")].join("---\n");
    assert_eq!(Resources::parse("p.yaml", &twice).unwrap_err().reason(), "duplicate_object");
    let group = object(META, "{}").replace("security.istio.io/v1", "security.istio.io/v2");
    assert_eq!(Resources::parse("p.yaml", &group).unwrap_err().reason(), "unsupported_version");
    let resources = read(&[object(META, "{}")]);
    let mut joined = resources.clone();
    assert!(joined.extend(resources).is_err(), "the same name twice");
}
