//! The rules stated a second time, without a look at the code: patterns as Istio writes its regular expressions, policies as plain
//! loops, aliases by cutting text. Random policies and connections must get the same answer from both.

use std::net::IpAddr;

use meshtls_policy::{
    Action, AuthorizationPolicy, Condition, Connection, Operation, PeerNames, PolicySet, Rule,
    Source, Timestamp, Workload,
};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::{mesh, show, values};

/// A piece of a regular expression.
#[derive(Clone)]
enum Piece {
    Text(String),
    /// `.*`
    Any,
    /// `.+`
    Some,
    /// `[^/]*`
    NoSlash,
}

use Piece::{Any, NoSlash, Some as AtLeastOne, Text};

/// Whether the pieces match the whole text.
fn full(pieces: &[Piece], text: &[u8]) -> bool {
    let Some((first, rest)) = pieces.split_first() else { return text.is_empty() };
    let lengths: Vec<usize> = match first {
        Text(want) => {
            return text
                .strip_prefix(want.as_bytes())
                .is_some_and(|text| full(rest, text));
        }
        Any => (0..=text.len()).collect(),
        AtLeastOne => (1..=text.len()).collect(),
        NoSlash => {
            let end = text
                .iter()
                .position(|&byte| byte == b'/')
                .unwrap_or(text.len());
            (0..=end).collect()
        }
    };
    lengths
        .into_iter()
        .any(|length| full(rest, &text[length..]))
}

fn text(text: &str) -> Piece {
    Text(text.to_owned())
}

/// The expressions for a value, one of which must match.
fn expressions(key: &str, value: &str, namespace: &str) -> Vec<Vec<Piece>> {
    let spiffe = || text("spiffe://");
    match key {
        "source.principal" if value == "*" => vec![vec![AtLeastOne]],
        "source.principal" => vec![if let Some(end) = value.strip_prefix('*') {
            vec![spiffe(), Any, text(end)]
        } else if let Some(start) = value.strip_suffix('*') {
            vec![spiffe(), text(start), Any]
        } else {
            vec![spiffe(), text(value)]
        }],
        "source.namespace" => {
            let mut pieces = vec![Any, text("/ns/")];
            for (nth, literal) in value.split('*').enumerate() {
                if nth > 0 {
                    pieces.push(Any);
                }
                pieces.push(text(literal));
            }
            pieces.extend([text("/"), Any]);
            vec![pieces]
        }
        "source.serviceAccount" => {
            let (namespace, account) = value.split_once('/').unwrap_or((namespace, value));
            let mut all = Vec::new();
            for between in [vec![], vec![AtLeastOne, text("/")]] {
                for after in [vec![], vec![text("/"), AtLeastOne]] {
                    let mut pieces = vec![spiffe(), AtLeastOne, text(&format!("/ns/{namespace}/"))];
                    pieces.extend(between.clone());
                    pieces.push(text(&format!("sa/{account}")));
                    pieces.extend(after);
                    all.push(pieces);
                }
            }
            all
        }
        "source.trustDomain" if value == "*" => vec![vec![spiffe(), Any]],
        "source.trustDomain" => vec![match value.split_once('*') {
            Some((start, end)) => vec![spiffe(), text(start), NoSlash, text(end), text("/"), Any],
            None => vec![spiffe(), text(value), text("/"), Any],
        }],
        _ => panic!("{key}"),
    }
}

const DOMAINS: [&str; 2] = ["prod.example", "old.example"];

/// Alias expansion, as Istio's `ReplaceTrustDomainAliases` and `ExpandTrustDomainAliases` do it.
fn aliases(key: &str, value: &str) -> Vec<String> {
    let parts: Vec<&str> = value.split('/').collect();
    let first = parts[0];
    let starts =
        |domain: &str| first.ends_with('*') && domain.starts_with(first.trim_end_matches('*'));
    let ends =
        |domain: &str| first.starts_with('*') && domain.ends_with(first.trim_start_matches('*'));
    let known = DOMAINS
        .iter()
        .any(|domain| *domain == first || starts(domain) || ends(domain));
    match key {
        "source.trustDomain" if DOMAINS.contains(&value) => DOMAINS.map(str::to_owned).to_vec(),
        "source.principal"
            if parts.len() == 5 && first != "*" && (known || first == "cluster.local") =>
        {
            DOMAINS
                .iter()
                .map(
                    |domain| {
                        if ends(domain) {
                            value.to_owned()
                        } else {
                            value.replacen(first, domain, 1)
                        }
                    },
                )
                .collect()
        }
        _ => vec![value.to_owned()],
    }
}

fn bits(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("4{:032b}", u32::from(address)),
        IpAddr::V6(address) => format!("6{:0128b}", u128::from(address)),
    }
}

/// Whether a value fits; `None` if no connection can be asked.
fn fits(key: &str, value: &str, namespace: &str, connection: &Connection<'_>) -> Option<bool> {
    let in_block = |address: IpAddr| {
        let (base, length) = value.split_once('/').unwrap_or((value, "128"));
        let base = bits(base.parse().unwrap());
        let length: usize = length.parse().unwrap();
        let address = bits(address);
        base.len() == address.len()
            && base
                .bytes()
                .zip(address.bytes())
                .take(length + 1)
                .all(|(a, b)| a == b)
    };
    Some(match key {
        "source.ip" => in_block(connection.source),
        "remote.ip" => in_block(connection.remote),
        "destination.ip" => in_block(connection.destination),
        "destination.port" => value.parse() == Ok(connection.port),
        "connection.sni" => {
            let name = connection.sni.unwrap_or_default().to_lowercase();
            let pieces = match value {
                "*" => vec![AtLeastOne],
                _ => vec![text(value)],
            };
            full(&pieces, name.as_bytes())
        }
        _ if key.starts_with("request.") || key.starts_with("experimental.") => return None,
        _ => aliases(key, value).iter().any(|value| {
            let names: Vec<&str> = connection
                .peer
                .iter()
                .flat_map(|names| names.iter())
                .collect();
            expressions(key, value, namespace)
                .iter()
                .any(|pieces| names.iter().any(|name| full(pieces, name.as_bytes())))
        }),
    })
}

/// `(key, values, not)` of every list.
type Lists = Vec<(String, Vec<String>, bool)>;

fn of_source(source: &Source) -> Lists {
    let list = |key: &str, values: &Vec<String>, not| (key.to_owned(), values.clone(), not);
    vec![
        list("source.principal", &source.principals, false),
        list("source.principal", &source.not_principals, true),
        list("request.auth.principal", &source.request_principals, false),
        list("request.auth.principal", &source.not_request_principals, true),
        list("source.namespace", &source.namespaces, false),
        list("source.namespace", &source.not_namespaces, true),
        list("source.serviceAccount", &source.service_accounts, false),
        list("source.serviceAccount", &source.not_service_accounts, true),
        list("source.ip", &source.ip_blocks, false),
        list("source.ip", &source.not_ip_blocks, true),
        list("remote.ip", &source.remote_ip_blocks, false),
        list("remote.ip", &source.not_remote_ip_blocks, true),
        list("source.trustDomain", &source.trust_domains, false),
        list("source.trustDomain", &source.not_trust_domains, true),
    ]
}

fn of_operation(operation: &Operation) -> Lists {
    let list = |key: &str, values: &Vec<String>, not| (key.to_owned(), values.clone(), not);
    vec![
        list("destination.port", &operation.ports, false),
        list("destination.port", &operation.not_ports, true),
        list("request.method", &operation.methods, false),
        list("request.method", &operation.not_methods, true),
    ]
}

fn rule_matches(policy: &AuthorizationPolicy, rule: &Rule, connection: &Connection<'_>) -> bool {
    let namespace = policy.name().namespace();
    let mut from: Vec<Lists> = rule.from.iter().map(of_source).collect();
    let mut to: Vec<Lists> = rule.to.iter().map(of_operation).collect();
    let when: Lists = rule
        .when
        .iter()
        .flat_map(|condition| {
            let key = || condition.key.clone();
            [(key(), condition.values.clone(), false), (key(), condition.not_values.clone(), true)]
        })
        .collect();
    if from.is_empty() {
        from.push(Vec::new());
    }
    if to.is_empty() {
        to.push(Vec::new());
    }
    let unknown = |(key, values, _): &(String, Vec<String>, bool)| {
        !values.is_empty() && fits(key, &values[0], namespace, connection).is_none()
    };
    if policy.action == Action::Allow && from.iter().chain(&to).flatten().chain(&when).any(unknown)
    {
        return false;
    }
    let holds = |lists: &Lists| {
        lists
            .iter()
            .filter(|list| !unknown(list))
            .all(|(key, values, not)| {
                let any = values
                    .iter()
                    .any(|value| fits(key, value, namespace, connection) == Some(true));
                values.is_empty() || any != *not
            })
    };
    from.iter().any(holds) && to.iter().any(holds) && holds(&when)
}

/// Such as `deny_policy_matched foo/p0 1`.
fn restated(
    policies: &[AuthorizationPolicy],
    workload: &Workload,
    connection: &Connection<'_>,
    with_trials: bool,
) -> String {
    let mut chosen: Vec<&AuthorizationPolicy> = policies
        .iter()
        .filter(|policy| {
            ["istio-system", &*workload.namespace].contains(&policy.name().namespace())
        })
        .filter(|policy| {
            policy
                .selector
                .iter()
                .all(|(key, value)| workload.labels.get(key) == Some(value))
        })
        .filter(|policy| with_trials || !policy.is_dry_run())
        .collect();
    chosen.sort_by_key(|policy| {
        (policy.name().namespace() != "istio-system", policy.metadata.created, policy.name().name())
    });
    for (action, reason) in [
        (Action::Custom, "custom_unavailable"),
        (Action::Deny, "deny_policy_matched"),
        (Action::Allow, "allow_policy_matched"),
    ] {
        for policy in chosen.iter().filter(|policy| policy.action == action) {
            for (nth, rule) in policy.rules.iter().enumerate() {
                if rule_matches(policy, rule, connection) {
                    return format!("{reason} {} {nth}", policy.name());
                }
            }
        }
    }
    if chosen.iter().any(|policy| policy.action == Action::Allow) {
        "no_allow_policy_matched".to_owned()
    } else {
        "no_allow_policy".to_owned()
    }
}

const PRINCIPALS: &[&str] = &[
    "*",
    "*/ns/a/sa/b",
    "*b",
    "prod.example/ns/a/sa/b",
    "old.example/ns/a/*",
    "cluster.local/ns/a/sa/b",
    "*.example/ns/a/sa/b",
    "*d.example/ns/a/sa/b",
    "prod*/ns/a/sa/b",
    "prod.example/ns/*/sa/b",
    "spiffe://prod.example/ns/a/sa/b",
    "x.example/ns/a/sa/*",
    "cluster*/ns/a/sa/b",
    "*/b",
];
const NAMESPACES: &[&str] = &["a", "a*", "*", "*a", "ns", "a*b", "foo"];
const ACCOUNTS: &[&str] = &["b", "a/b", "ns/b", "a/sa", "foo/b", "x/b"];
const TRUST_DOMAINS: &[&str] = &["prod.example", "old*", "*.example", "*", "cluster.local", "*e"];
const BLOCKS: &[&str] = &[
    "10.1.2.3",
    "10.1.0.0/16",
    "10.1.9.9/15",
    "0.0.0.0/0",
    "::/0",
    "2001:db8::/33",
    "2001:db8::1",
    "10.0.0.0/31",
];
const PORTS: &[&str] = &["80", "8080", "0"];
const URIS: &[&str] = &[
    "spiffe://prod.example/ns/a/sa/b",
    "spiffe://old.example/ns/a/sa/b",
    "spiffe://cluster.local/ns/a/sa/b",
    "spiffe://x.example/ns/a/sa/b",
    "spiffe://prod.example/ns/foo/sa/b",
    "spiffe://prod.example/ns/a/b/sa/b",
    "spiffe://prod.example/ns/ns/a/sa/sa/b",
    "spiffe://prod.example/ns/a/sa/b/c",
    "spiffe://prod.example/ns/a//sa/b/",
    "spiffe://prod.example",
    "spiffe://x/ns/*/sa/b",
    "https://a/ns/a/b",
    "spiffe:///ns/a/sa/b",
    "spiffe://x/ns/a//sa/b",
    "spiffe://x/ns/a/sa/b/",
    "CN=a",
    "",
];

fn some(of: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop_oneof![6 => Just(Vec::new()), 3 => subsequence(of, 1), 1 => subsequence(of, 2)]
}

fn source() -> impl Strategy<Value = Source> {
    let identity = (some(PRINCIPALS), some(PRINCIPALS), some(NAMESPACES), some(NAMESPACES));
    let further = (some(ACCOUNTS), some(ACCOUNTS), some(TRUST_DOMAINS), some(TRUST_DOMAINS));
    let rest = (
        some(BLOCKS),
        some(BLOCKS),
        some(BLOCKS),
        prop_oneof![9 => Just(vec![]), 1 => Just(vec!["x"])],
    );
    (identity, further, rest).prop_map(|(identity, further, rest)| {
        Source::default()
            .with_principals(identity.0)
            .with_not_principals(identity.1)
            .with_namespaces(identity.2)
            .with_not_namespaces(identity.3)
            .with_service_accounts(further.0)
            .with_not_service_accounts(further.1)
            .with_trust_domains(further.2)
            .with_not_trust_domains(further.3)
            .with_ip_blocks(rest.0)
            .with_not_ip_blocks(rest.1)
            .with_remote_ip_blocks(rest.2)
            .with_request_principals(rest.3)
    })
}

fn operation() -> impl Strategy<Value = Operation> {
    let methods = prop_oneof![9 => Just(vec![]), 1 => Just(vec!["GET"])];
    (some(PORTS), some(PORTS), methods).prop_map(|(ports, not_ports, methods)| {
        Operation::default()
            .with_ports(ports)
            .with_not_ports(not_ports)
            .with_not_methods(methods)
    })
}

fn condition() -> impl Strategy<Value = Condition> {
    let keys: &[(&str, &'static [&'static str])] = &[
        ("source.principal", PRINCIPALS),
        ("source.namespace", NAMESPACES),
        ("source.serviceAccount", ACCOUNTS),
        ("source.trustDomain", TRUST_DOMAINS),
        ("source.ip", BLOCKS),
        ("remote.ip", BLOCKS),
        ("destination.ip", BLOCKS),
        ("destination.port", PORTS),
        ("connection.sni", &["*", "a.example", "A.example"]),
        ("request.headers[a]", &["x"]),
        ("experimental.envoy.filters.a[b]", &["x"]),
    ];
    select(keys.to_vec()).prop_flat_map(|(key, of)| {
        let values = |most: usize| subsequence(of, 0..=most.min(of.len()));
        (values(2), values(1)).prop_map(move |(values, not_values)| {
            Condition::new(key)
                .with_values(values)
                .with_not_values(not_values)
        })
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    let lists = |most| 0..=most;
    (
        proptest::collection::vec(source(), lists(2)),
        proptest::collection::vec(operation(), lists(2)),
        proptest::collection::vec(condition(), lists(2)),
    )
        .prop_map(|(from, to, when)| {
            let rule = from.into_iter().fold(Rule::new(), Rule::with_from);
            let rule = to.into_iter().fold(rule, Rule::with_to);
            when.into_iter().fold(rule, Rule::with_when)
        })
}

fn policy() -> impl Strategy<Value = AuthorizationPolicy> {
    let place = (select(vec!["foo", "foo", "bar", "istio-system"]), 0..3_i64, any::<bool>());
    let rest = (
        select(vec![None, Some("web"), Some("db")]),
        prop_oneof![4 => Just(Action::Allow), 3 => Just(Action::Deny), 1 => Just(Action::Audit), 1 => Just(Action::Custom)],
        prop_oneof![3 => Just(false), 1 => Just(true)],
        proptest::collection::vec(rule(), 0..3),
    );
    (place, rest).prop_map(|((namespace, created, flag), (app, action, dry_run, rules))| {
        let mut policy = AuthorizationPolicy::new(namespace, if flag { "y" } else { "x" })
            .with_created(Timestamp::from_unix_seconds(created))
            .with_action(action);
        if let Some(app) = app {
            policy = policy.with_selector([("app", app)]);
        }
        if dry_run {
            policy = policy.with_dry_run(true);
        }
        rules
            .into_iter()
            .fold(policy, AuthorizationPolicy::with_rule)
    })
}

fn address() -> impl Strategy<Value = IpAddr> {
    let known = ["10.1.2.3", "10.0.0.1", "10.0.0.2", "11.0.0.0", "2001:db8::1", "2001:db8:8000::1"];
    select(known.to_vec()).prop_map(|address| address.parse().unwrap())
}

/// Random rules seldom put a value beside a name that it almost fits, so here is every pair.
#[test]
fn every_value_fits_the_same_names_in_both_statements() {
    for (key, of) in [
        ("source.principal", PRINCIPALS),
        ("source.namespace", NAMESPACES),
        ("source.serviceAccount", ACCOUNTS),
        ("source.trustDomain", TRUST_DOMAINS),
    ] {
        for &value in of {
            let condition = Condition::new(key).with_values([value]);
            let policy =
                AuthorizationPolicy::new("foo", "p").with_rule(Rule::new().with_when(condition));
            let set = PolicySet::compile(mesh(), &values([policy]));
            for uri in URIS {
                let connection = super::peer(uri);
                let allowed = set.authorize(&super::web(), &connection).allow();
                let want = fits(key, value, "foo", &connection) == Some(true);
                assert_eq!(allowed, want, "{key} {value} for {uri}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn both_statements_of_the_rules_give_the_same_answer(
        mut policies in proptest::collection::vec(policy(), 0..5),
        (uri, source, remote, destination) in (select(URIS.to_vec()), address(), address(), address()),
        (port, sni, plaintext) in (select(vec![80_u16, 8080, 0]), select(vec![None, Some("a.example"), Some("A.EXAMPLE")]), any::<bool>()),
        app in select(vec!["web", "db"]),
    ) {
        // Names are unique, as Kubernetes keeps them.
        for (nth, policy) in policies.iter_mut().enumerate() {
            let name = format!("{}{nth}", policy.name().name());
            policy.metadata.name = meshtls_policy::ResourceName::new(policy.name().namespace(), name);
        }
        let workload = Workload::new("foo", [("app", app)]);
        let mut connection = Connection::new(source, destination, port).with_remote(remote).with_sni(sni);
        if !plaintext {
            connection = connection.with_peer(PeerNames::uri(uri));
        }
        let set = PolicySet::compile(mesh(), &values(policies.clone()));
        let answer = set.authorize(&workload, &connection);
        prop_assert_eq!(show(&answer.verdict()), restated(&policies, &workload, &connection, false));
        if let Some(shadow) = answer.shadow() {
            prop_assert_eq!(show(&shadow), restated(&policies, &workload, &connection, true));
        }
        let selected = set.authorization_policies().select(&workload);
        prop_assert_eq!(selected.authorize(&connection), answer);
        let explained = set.explain_authorization(&workload, &connection);
        prop_assert_eq!(explained.policies.len(), policies.len());
        prop_assert_eq!(explained.verdict.reason, answer.reason());
        prop_assert!(!explained.to_string().is_empty());
    }
}
