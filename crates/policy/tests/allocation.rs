//! Lookups on the connection path allocate nothing, however many policies there are.

use std::net::IpAddr;
use std::sync::Arc;

use allocation_counter::measure;
use meshtls_policy::{
    Action, AuthorizationPolicy, AuthorizationReason, Condition, Connection, Labels, MeshSettings,
    MtlsMode, Operation, PeerAuthentication, PeerNames, PolicyHandle, PolicySet, Resources, Rule,
    Source, Workload,
};

use MtlsMode::{Disable, Permissive, Strict};

/// Two policies in each of 1,000 namespaces, in every second of them one on trial, and one for the mesh.
fn many() -> Resources {
    let policies = (0..1_000).flat_map(|number| {
        let namespace = format!("ns-{number}");
        [
            PeerAuthentication::new(&namespace, "default").with_mode(Strict),
            PeerAuthentication::new(&namespace, "web")
                .with_selector([("app", "web"), ("label-3", "3")])
                .with_port(9090, Disable),
            PeerAuthentication::new(&namespace, "trial")
                .with_selector([("app", "batch")])
                .with_mode(Permissive)
                .with_dry_run(number % 2 == 0),
        ]
    });
    let mesh = PeerAuthentication::new("istio-system", "default").with_mode(Permissive);
    policies.chain([mesh]).collect()
}

/// Ten labels.
fn workload(namespace: &str, app: &str) -> Workload {
    let mut labels: Labels = (1..10)
        .map(|number| (format!("label-{number}"), number.to_string()))
        .collect();
    labels.insert("app", app);
    Workload::new(namespace, labels)
}

#[test]
fn a_lookup_allocates_nothing() {
    let handle = PolicyHandle::new(PolicySet::compile(MeshSettings::default(), &many()));
    let web = workload("ns-6", "web");
    let batch = workload("ns-6", "batch");
    let stranger = workload("elsewhere", "web");
    let view = handle.load().for_workload(&web);
    let tried = handle.load().for_workload(&batch);

    let mut modes = Vec::with_capacity(16);
    let counted = measure(|| {
        let set = handle.load();
        for (workload, port) in [(&web, 9090), (&web, 8080), (&batch, 80), (&stranger, 9090)] {
            modes.push(Some(set.resolve(workload, port).mode()));
        }
        for workload in [&batch, &web] {
            modes.push(set.shadow(workload, 80).map(|shadow| shadow.mode()));
        }
        modes.push(Some(view.mode(9090)));
        modes.push(Some(view.resolve(8080).mode()));
        for view in [&view, &tried] {
            modes.push(view.shadow(80).map(|shadow| shadow.mode()));
        }
        let winner = set.resolve(&web, 9090).winner();
        modes.push(winner.policy().map(|_named| Disable));
    });
    assert_eq!(
        modes,
        [
            Some(Disable),
            Some(Strict),
            Some(Strict),
            Some(Permissive),
            Some(Permissive),
            None,
            Some(Disable),
            Some(Strict),
            None,
            Some(Permissive),
            Some(Disable)
        ]
    );
    assert_eq!(counted.count_total, 0, "{counted:?}");
}

/// Eight policies in each of 500 namespaces and two for the mesh, with every kind of condition.
fn many_authorizations() -> Resources {
    let source = || {
        Source::default()
            .with_principals(["cluster.local/ns/a/sa/b", "*/sa/c"])
            .with_not_namespaces(["evil*"])
            .with_trust_domains(["*.example"])
            .with_ip_blocks(["10.0.0.0/8"])
    };
    let rule = || {
        Rule::new()
            .with_from(Source::default().with_service_accounts(["a/x", "y"]))
            .with_from(source())
            .with_to(Operation::default().with_ports(["1", "8080"]))
            .with_when(Condition::new("connection.sni").with_values(["*.example", "a"]))
    };
    let policies = (0..500).flat_map(|number| {
        let namespace = format!("ns-{number}");
        [Action::Custom, Action::Deny, Action::Audit, Action::Allow]
            .into_iter()
            .flat_map(move |action| {
                let name = |kind| format!("{action}-{kind}");
                let miss = Rule::new().with_to(Operation::default().with_ports(["9"]));
                let other = AuthorizationPolicy::new(&namespace, name("other")).with_rule(miss);
                let selecting = AuthorizationPolicy::new(&namespace, name("web"))
                    .with_selector([("app", "web")])
                    .with_rule(if action == Action::Allow { rule() } else { Rule::new() })
                    .with_dry_run(action != Action::Allow);
                [other.with_action(action), selecting.with_action(action)]
            })
    });
    let root = ["a", "b"].map(|name| {
        AuthorizationPolicy::new("istio-system", name)
            .with_action(Action::Deny)
            .with_selector([("label-3", "3")])
            .with_rule(Rule::new().with_from(Source::default().with_namespaces(["e*v*l"])))
    });
    Resources::default().with_authorization_policies(policies.chain(root))
}

#[test]
fn an_authorization_allocates_nothing() {
    let settings = MeshSettings::new("prod.example".parse().unwrap());
    let set = Arc::new(PolicySet::compile(settings, &many_authorizations()));
    let web = workload("ns-6", "web");
    let view = set.for_workload(&web);
    let selected = set.authorization_policies().select(&web);
    let address = IpAddr::from([10, 1, 2, 3]);
    let plaintext = Connection::new(address, address, 8080).with_sni("API.example");
    let peer = plaintext.with_peer(PeerNames::uri("spiffe://prod.example/ns/a/sa/b"));

    let mut answers = Vec::with_capacity(8);
    let counted = measure(|| {
        for connection in [&peer, &plaintext] {
            for answer in [
                set.authorize(&web, connection),
                selected.authorize(connection),
                view.authorize(connection),
            ] {
                let shadow = answer.shadow().map(|shadow| shadow.reason());
                answers.push((answer.allow(), answer.policy().is_some(), answer.rule(), shadow));
            }
        }
    });
    let shadow = Some(AuthorizationReason::CustomUnavailable);
    let (passes, refused) = ((true, true, Some(0), shadow), (false, false, None, shadow));
    assert_eq!(answers, [passes, passes, passes, refused, refused, refused]);
    assert_eq!(counted.count_total, 0, "{counted:?}");
}
