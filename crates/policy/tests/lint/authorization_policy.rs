//! Findings about `AuthorizationPolicy` beside the examples of `docs/lint.md`: each row a small set and all that is found.

use meshtls_policy::{
    Action, AuthorizationPolicy, Condition, MeshSettings, MtlsMode, Operation, PeerAuthentication,
    Resources, Rule, Source, lint,
};

use crate::brief;

const CURL: &str = "cluster.local/ns/bar/sa/curl";

fn from(source: Source) -> Rule {
    Rule::new().with_from(source)
}

fn principals(values: &[&str]) -> Rule {
    from(Source::default().with_principals(values.iter().copied()))
}

fn not(values: &[&str]) -> Source {
    Source::default().with_not_principals(values.iter().copied())
}

fn get() -> Operation {
    Operation::default().with_methods(["GET"])
}

fn allow(rules: impl IntoIterator<Item = Rule>) -> AuthorizationPolicy {
    let policy = AuthorizationPolicy::new("foo", "p");
    rules
        .into_iter()
        .fold(policy, AuthorizationPolicy::with_rule)
}

fn deny(rules: impl IntoIterator<Item = Rule>) -> AuthorizationPolicy {
    allow(rules).with_action(Action::Deny)
}

fn found(settings: &MeshSettings, resources: Resources) -> Vec<String> {
    brief(&lint(settings, &resources, None))
}

#[test]
fn what_rules_admit() {
    let source = "spec.rules[0].from[0].source";
    for (name, policy, want) in [
        (
            "notNamespaces",
            allow([from(Source::default().with_not_namespaces(["legacy"]))]),
            vec![format!("MT201 foo/p {source}.notNamespaces")],
        ),
        (
            "notNamespaces beside namespaces",
            allow([from(
                Source::default()
                    .with_not_namespaces(["legacy"])
                    .with_namespaces(["bar"]),
            )]),
            vec![],
        ),
        (
            "a second source asks for a name, the first does not",
            allow([from(not(&[CURL])).with_from(Source::default().with_principals([CURL]))]),
            vec![format!("MT201 foo/p {source}.notPrincipals")],
        ),
        (
            "a further condition asks for a name",
            allow([from(not(&[CURL]))
                .with_when(Condition::new("source.namespace").with_values(["bar"]))]),
            vec![],
        ),
        (
            "a further condition asks for none",
            allow([
                Rule::new().with_when(Condition::new("source.principal").with_not_values([CURL]))
            ]),
            vec!["MT201 foo/p spec.rules[0].when[0].notValues".to_owned()],
        ),
        (
            "it asks for none, each source for a name",
            allow([principals(&[CURL])
                .with_when(Condition::new("source.principal").with_not_values(["*/sa/x"]))]),
            vec![],
        ),
        (
            "an address is no identity",
            allow([from(Source::default().with_not_ip_blocks(["10.0.0.0/8"]))]),
            vec![],
        ),
        ("DENY notPrincipals requires mTLS", deny([from(not(&["*"]))]), vec![]),
        (
            "DENY of a name, which plaintext does not have",
            deny([principals(&[CURL])]),
            vec![format!("MT215 foo/p {source}.principals")],
        ),
        (
            "DENY of a name by a further condition",
            deny([Rule::new().with_when(Condition::new("source.namespace").with_values(["bar"]))]),
            vec!["MT215 foo/p spec.rules[0].when[0].values".to_owned()],
        ),
        (
            "one source asks for a name, plaintext fits the other",
            deny([principals(&[CURL]).with_from(Source::default().with_ip_blocks(["10.0.0.0/8"]))]),
            vec![],
        ),
        (
            "DENY of a name, and another rule refuses plaintext",
            deny([principals(&[CURL]), from(not(&["*"]))]),
            vec![],
        ),
        (
            "that other rule is for one port only",
            deny([
                principals(&[CURL]),
                from(not(&["*"])).with_to(Operation::default().with_ports(["8080"])),
            ]),
            vec![format!("MT215 foo/p {source}.principals")],
        ),
        (
            "an HTTP condition drops the rule first",
            allow([from(not(&[CURL])).with_to(get())]),
            vec!["MT203 foo/p spec.rules[0].to[0].operation.methods".to_owned()],
        ),
        (
            "one rule of two is dropped",
            allow([Rule::new().with_to(get()), principals(&[CURL])]),
            vec!["MT203 foo/p spec.rules[0].to[0].operation.methods".to_owned()],
        ),
        (
            "DENY with a header",
            deny([Rule::new().with_when(Condition::new("request.headers[x]").with_values(["y"]))]),
            vec!["MT202 foo/p spec.rules[0].when[0].values".to_owned()],
        ),
        (
            "AUDIT with a header",
            allow([Rule::new().with_to(get())]).with_action(Action::Audit),
            vec![],
        ),
        ("DENY without rules is none", deny([]), vec![]),
        (
            "a policy for gateways is not looked into",
            allow([]).with_target_ref(meshtls_policy::TargetRef::new("", "Service", "x")),
            vec!["MT213 foo/p spec.targetRefs".to_owned()],
        ),
    ] {
        let resources = Resources::default().with_authorization_policies([policy]);
        assert_eq!(found(&MeshSettings::default(), resources), want, "{name}");
    }
}

#[test]
fn strict_workloads_have_no_plaintext_peers() {
    for (mode, want) in [(MtlsMode::Strict, 0), (MtlsMode::Permissive, 1)] {
        let resources = Resources::default()
            .with_authorization_policies([allow([from(not(&[CURL]))])])
            .with_peer_authentications([
                PeerAuthentication::new("istio-system", "default").with_mode(mode)
            ]);
        assert_eq!(found(&MeshSettings::default(), resources).len(), want, "{mode}");
    }
}

#[test]
fn an_exception_from_strict_lets_plaintext_in_again() {
    let strict =
        |namespace: &str| PeerAuthentication::new(namespace, "default").with_mode(MtlsMode::Strict);
    let open = |namespace: &str| {
        PeerAuthentication::new(namespace, "open").with_mode(MtlsMode::Permissive)
    };
    let web = [("app", "web")];
    let rule = || from(not(&[CURL]));
    let to = |port: &str| rule().with_to(Operation::default().with_ports([port]));
    let root = AuthorizationPolicy::new("istio-system", "p").with_rule(rule());
    let port = |port: u16| {
        PeerAuthentication::new("foo", "port")
            .with_selector(web)
            .with_port(port, MtlsMode::Permissive)
    };
    for (name, policy, modes, want) in [
        ("none", allow([rule()]), vec![strict("foo")], false),
        ("a workload", allow([rule()]), vec![strict("foo"), open("foo").with_selector(web)], true),
        ("a port", allow([rule()]), vec![strict("foo"), port(80)], true),
        ("the rule's port", allow([to("80")]), vec![strict("foo"), port(80)], true),
        ("another port than the rule's", allow([to("81")]), vec![strict("foo"), port(80)], false),
        (
            "of the workloads it is for",
            allow([rule()]).with_selector([("tier", "front")]),
            vec![strict("foo"), port(80)],
            true,
        ),
        (
            "of others",
            allow([rule()]).with_selector([("app", "db")]),
            vec![strict("foo"), port(80)],
            false,
        ),
        ("of another namespace", allow([rule()]), vec![strict("foo"), open("bar")], false),
        ("a namespace of the mesh", root.clone(), vec![strict("istio-system"), open("bar")], true),
        ("none in the mesh", root, vec![strict("istio-system"), strict("bar")], false),
        ("on trial", allow([rule()]), vec![strict("foo"), port(80).with_dry_run(true)], false),
        // The policy called `default` comes before the one called `open`.
        ("without effect", allow([rule()]), vec![strict("foo"), open("foo")], false),
    ] {
        let resources = Resources::default()
            .with_authorization_policies([policy])
            .with_peer_authentications(modes);
        let found = found(&MeshSettings::default(), resources);
        assert_eq!(found.iter().any(|line| line.starts_with("MT201")), want, "{name}: {found:?}");
    }
}

#[test]
fn names() {
    let prod = || MeshSettings::new("prod.example".parse().unwrap());
    let alias = |name: &str| prod().with_trust_domain_aliases([name.parse().unwrap()]);
    let principal = "spec.rules[0].from[0].source.principals[0]";
    for (name, settings, value, want) in [
        ("own", prod(), "prod.example/ns/bar/sa/curl", None),
        ("an alias", alias("old.example"), "old.example/ns/bar/sa/curl", None),
        ("foreign", prod(), "old.example/ns/bar/sa/curl", Some("MT207")),
        (
            "foreign, and accepted",
            prod().with_accepted_trust_domains(["old.example".parse().unwrap()]),
            "old.example/ns/bar/sa/curl",
            None,
        ),
        ("foreign, with a star behind", prod(), "old.example/ns/bar/sa/*", Some("MT207")),
        ("a star before", prod(), "*/ns/bar/sa/curl", None),
        ("a star before part of a domain", prod(), "*.example/ns/bar/sa/curl", None),
        ("the pointer", prod(), "cluster.local/ns/bar/sa/curl", Some("MT206")),
        (
            "the pointer that is an alias",
            alias("cluster.local"),
            "cluster.local/ns/bar/sa/curl",
            None,
        ),
        ("a pattern of the own domain", prod(), "prod.example/ns/bar/*", None),
        (
            "a pattern where there is an alias",
            alias("old.example"),
            "prod.example/ns/bar/*",
            Some("MT208"),
        ),
        ("a pattern of the pointer", prod(), "cluster.local/ns/bar/*", Some("MT208")),
        ("a pattern of five parts", alias("old.example"), "prod.example/ns/bar/sa/c*", None),
        ("two stars", prod(), "*/sa/c*", Some("MT205")),
        ("one star", prod(), "*", None),
        ("the scheme", prod(), "spiffe://prod.example/ns/bar/sa/curl", Some("MT204")),
        ("another scheme is part of the name", prod(), "https://x", None),
    ] {
        let resources =
            Resources::default().with_authorization_policies([allow([principals(&[value])])]);
        let want: Vec<String> = want
            .iter()
            .map(|code| format!("{code} foo/p {principal}"))
            .collect();
        assert_eq!(found(&settings, resources), want, "{name}");
    }
}

#[test]
fn trust_domains_and_server_names() {
    for (name, rule, want) in [
        (
            "a foreign trust domain",
            from(Source::default().with_trust_domains(["old.example"])),
            vec!["MT207 foo/p spec.rules[0].from[0].source.trustDomains[0]"],
        ),
        ("the own one", from(Source::default().with_trust_domains(["cluster.local"])), vec![]),
        ("a pattern", from(Source::default().with_trust_domains(["*.example"])), vec![]),
        (
            "a server name with a star inside",
            principals(&[CURL])
                .with_when(Condition::new("connection.sni").with_values(["a.*.example"])),
            vec!["MT205 foo/p spec.rules[0].when[0].values[0]"],
        ),
        (
            "a server name with a star before",
            principals(&[CURL])
                .with_when(Condition::new("connection.sni").with_values(["*.example"])),
            vec![],
        ),
        (
            "every star of a namespace counts",
            from(Source::default().with_namespaces(["a*b*"])),
            vec![],
        ),
    ] {
        let resources = Resources::default().with_authorization_policies([allow([rule])]);
        assert_eq!(found(&MeshSettings::default(), resources), want, "{name}");
    }
}

#[test]
fn a_trial_that_is_neither_true_nor_false() {
    for (value, want) in [("true", 0), ("false", 0), ("True", 1), ("", 1)] {
        let mut policy = allow([Rule::new()]);
        policy
            .metadata
            .annotations
            .insert(AuthorizationPolicy::DRY_RUN, value);
        let resources = Resources::default().with_authorization_policies([policy]);
        let found = found(&MeshSettings::default(), resources);
        assert_eq!(found.len(), want, "{value}");
        assert!(found.iter().all(|found| found.starts_with("MT214")), "{value}");
    }
}
