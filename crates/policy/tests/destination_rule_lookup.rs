//! Which `DestinationRule` a client goes by, what it says, and what comes of it: one named case for each rule (DR-1 to DR-18), and
//! the reports of users.

use std::net::IpAddr;

use meshtls_policy::{
    ClientCredential, ClientTls, ClientTlsMode, DestinationRule, Endpoint, EndpointTls, Labels,
    LoadBalancer, Location, MeshSettings, MtlsMode, Outbound, OutboundChoice, OutboundReason,
    OutboundRefusal, OutboundTls, PeerAuthentication, PeerName, PolicySet, Registry, Resources,
    Roots, ServerNames, ServiceView, Sni, Subset, Timestamp, TrafficPolicy, Workload,
};

const HOST: &str = "api.shop.svc.cluster.local";

fn mode(mode: ClientTlsMode) -> ClientTls {
    ClientTls::new(mode)
}

/// A rule that is told from others by the server name it sets.
fn rule(namespace: &str, name: &str, host: &str) -> DestinationRule {
    let tls = mode(ClientTlsMode::IstioMutual).with_sni(format!("{namespace}/{name}"));
    DestinationRule::new(namespace, name, host).with_tls(tls)
}

fn service() -> ServiceView {
    let mut service = ServiceView::new(HOST, "shop", 80);
    service.names = vec![PeerName::from("spiffe://cluster.local/ns/shop/sa/api")];
    service.registry = Registry::Kubernetes;
    service
}

fn endpoint(tls: EndpointTls) -> Endpoint {
    let address = IpAddr::from([10, 0, 0, 1]);
    let mut endpoint = Endpoint::new(address, 8080, Workload::new("shop", [("app", "api")]));
    endpoint.tls = tls;
    endpoint
}

fn set(rules: impl IntoIterator<Item = DestinationRule>) -> PolicySet {
    with_settings(MeshSettings::default(), rules)
}

fn with_settings(
    settings: MeshSettings,
    rules: impl IntoIterator<Item = DestinationRule>,
) -> PolicySet {
    PolicySet::compile(settings, &Resources::default().with_destination_rules(rules))
}

fn client(namespace: &str) -> Workload {
    Workload::new(namespace, Labels::default())
}

fn ask(set: &PolicySet, client: &Workload, service: &ServiceView, subset: &str) -> Outbound {
    set.outbound(client, service, subset, &endpoint(EndpointTls::Istio), OutboundChoice::Auto)
}

/// Who won: the merged rules, by name.
fn won(set: &PolicySet, client: &Workload, service: &ServiceView) -> String {
    let rules = ask(set, client, service, "").rules;
    rules
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("+")
}

#[test]
fn the_search_goes_by_namespace_and_not_by_host() {
    let own = || rule("web", "own", "*");
    let theirs = || rule("shop", "theirs", HOST);
    let mesh = || rule("istio-system", "mesh", "*.local");
    for (name, rules, from, want) in [
        ("nobody", vec![], "web", ""),
        ("the client's", vec![own(), theirs(), mesh()], "web", "web/own"),
        ("the service's", vec![theirs(), mesh()], "web", "shop/theirs"),
        ("the mesh's", vec![own(), mesh()], "other", "istio-system/mesh"),
        ("no third namespace", vec![own()], "other", ""),
        ("a client beside the service", vec![own(), theirs(), mesh()], "shop", "shop/theirs"),
        (
            "a client in the root namespace: exported rules come last",
            vec![theirs(), mesh()],
            "istio-system",
            "shop/theirs",
        ),
        (
            "and private ones first",
            vec![theirs(), mesh().with_export_to(["."])],
            "istio-system",
            "istio-system/mesh",
        ),
        (
            "private by its name",
            vec![theirs(), mesh().with_export_to(["istio-system"])],
            "istio-system",
            "istio-system/mesh",
        ),
        (
            "private twice over counts as exported",
            vec![theirs(), mesh().with_export_to([".", "istio-system"])],
            "istio-system",
            "shop/theirs",
        ),
        (
            "private and exported is not seen at home",
            vec![mesh().with_export_to([".", "web"])],
            "istio-system",
            "",
        ),
    ] {
        assert_eq!(won(&set(rules), &client(from), &service()), want, "{name}");
    }
}

#[test]
fn hosts_fit_exactly_or_by_the_longest_star() {
    for (name, hosts, service_host, want) in [
        ("exact", vec!["*", "*.local", HOST], HOST, HOST),
        ("longest", vec!["*", "*.svc.cluster.local", "*.local"], HOST, "*.svc.cluster.local"),
        ("all", vec!["*", "other"], HOST, "*"),
        (
            "within a label",
            vec!["*i.shop.svc.cluster.local", "*.shop.svc.cluster.local"],
            HOST,
            "*i.shop.svc.cluster.local",
        ),
        ("a star is more than nothing before a dot", vec!["*.example.com"], "example.com", ""),
        (
            "in capitals, with the root's dot",
            vec!["API.Example.com."],
            "api.example.com",
            "API.Example.com.",
        ),
        (
            "a short name is of the rule's namespace",
            vec!["api"],
            "api.shop.svc.cluster.local",
            "api",
        ),
        ("and of no other", vec!["api"], "api.web.svc.cluster.local", ""),
        (
            "a service with a star, exactly",
            vec!["*.example.com", "*.com"],
            "*.example.com",
            "*.example.com",
        ),
        ("a service with a star, wider", vec!["*.com"], "*.example.com", "*.com"),
        ("not narrower", vec!["*.a.example.com", "a.example.com"], "*.example.com", ""),
    ] {
        let rules = hosts
            .iter()
            .enumerate()
            .map(|(nth, host)| rule("shop", &format!("r{nth}"), host));
        let view = ServiceView::new(service_host, "shop", 80);
        let won = won(&set(rules), &client("web"), &view);
        let want = hosts
            .iter()
            .position(|host| *host == want)
            .map(|nth| format!("shop/r{nth}"));
        assert_eq!(won, want.unwrap_or_default(), "{name}");
    }
}

#[test]
fn visibility_is_tested_on_the_best_host_only() {
    let hidden = rule("shop", "exact", HOST).with_export_to(["other"]);
    let wide = rule("shop", "wide", "*");
    let mesh = rule("istio-system", "mesh", "*");
    let set = set([hidden, wide, mesh]);
    assert_eq!(won(&set, &client("web"), &service()), "istio-system/mesh");
    assert_eq!(won(&set, &client("other"), &service()), "shop/exact");
    assert_eq!(won(&set, &client("shop"), &service()), "shop/wide", "not for clients beside it");
}

#[test]
fn the_default_of_export_to() {
    let with = |default: &[&str]| {
        let default = default.iter().copied();
        let settings = MeshSettings::default().with_default_destination_rule_export_to(default);
        won(&with_settings(settings, [rule("shop", "a", "api")]), &client("web"), &service())
    };
    for (name, default, want) in [
        ("everybody", &["*"][..], "shop/a"),
        ("private", &["."], ""),
        ("both is private", &["*", "."], ""),
        ("a namespace has no effect", &["other"], "shop/a"),
        ("nothing", &[], "shop/a"),
    ] {
        assert_eq!(with(default), want, "{name}");
    }
}

#[test]
fn rules_for_one_host_are_merged() {
    let at = |seconds| Timestamp::from_unix_seconds(seconds);
    let bare =
        |name: &str, seconds| DestinationRule::new("shop", name, "api").with_created(at(seconds));
    let subset = |name: &str, sni: &str| {
        let tls = mode(ClientTlsMode::IstioMutual).with_sni(sni);
        Subset::new(name, Labels::default()).with_traffic_policy(TrafficPolicy::new(tls))
    };
    let set = set([
        rule("shop", "late", "api")
            .with_created(at(3))
            .with_subset(subset("v2", "late")),
        bare("first", 1).with_subset(subset("v1", "first")),
        rule("shop", "second", HOST)
            .with_created(at(2))
            .with_subset(subset("v1", "second")),
    ]);
    let sni = |name: &str| match ask(&set, &client("web"), &service(), name).tls {
        OutboundTls::IstioMutual { sni, .. } => sni,
        other => unreachable!("{other:?}"),
    };
    assert_eq!(won(&set, &client("web"), &service()), "shop/first+shop/second+shop/late");
    assert_eq!(sni(""), "shop/second", "the first top-level policy there is");
    assert_eq!(sni("v1"), "first", "the first subset of a name");
    assert_eq!(sni("v2"), "late", "subsets are added");
    let missing = ask(&set, &client("web"), &service(), "v3");
    let refusal = OutboundRefusal::UnknownSubset { subset: "v3".to_owned() };
    assert_eq!(
        (missing.tls, missing.reason),
        (OutboundTls::Refuse(refusal), OutboundReason::UnknownSubset)
    );
}

#[test]
fn rules_with_another_export_to_stand_beside_each_other() {
    let at = |seconds| Timestamp::from_unix_seconds(seconds);
    let a = rule("shop", "a", "api")
        .with_created(at(1))
        .with_export_to(["web"]);
    let b = rule("shop", "b", "api").with_created(at(2));
    let both = set([a.clone(), b]);
    assert_eq!(won(&both, &client("web"), &service()), "shop/b", "the last one the client sees");
    assert_eq!(won(&both, &client("other"), &service()), "shop/b");

    // Istio merges a wider one into a narrower one, and then does not let it stand by itself.
    let wider = rule("shop", "wider", "api")
        .with_created(at(2))
        .with_export_to(["web", "other"]);
    let merged = set([a, wider]);
    assert_eq!(won(&merged, &client("web"), &service()), "shop/a+shop/wider");
    assert_eq!(won(&merged, &client("other"), &service()), "");
}

#[test]
fn a_selector_is_for_clients_of_its_namespace() {
    let selective = rule("web", "v1", HOST).with_workload_selector([("app", "v1")]);
    let all = rule("web", "all", HOST);
    let mesh = rule("istio-system", "mesh", "*");
    let v1 = Workload::new("web", [("app", "v1"), ("x", "y")]);
    let other = Workload::new("web", [("app", "v2")]);
    let set_of = |rules: &[&DestinationRule]| set(rules.iter().map(|rule| (*rule).clone()));
    for (name, rules, who, want) in [
        ("selected", &[&all, &selective, &mesh][..], &v1, "web/v1"),
        ("not selected", &[&all, &selective, &mesh], &other, "web/all"),
        ("the search ends all the same", &[&selective, &mesh], &other, ""),
    ] {
        assert_eq!(won(&set_of(rules), who, &service()), want, "{name}");
    }
    let elsewhere = rule("shop", "v1", HOST).with_workload_selector([("app", "v1")]);
    assert_eq!(won(&set_of(&[&elsewhere, &mesh]), &v1, &service()), "istio-system/mesh");
    let everybody = rule("web", "empty", HOST).with_workload_selector(Labels::default());
    assert_eq!(won(&set_of(&[&everybody, &all]), &other, &service()), "web/empty");
}

/// Istio's `TestSetDestinationRuleWithWorkloadSelector`: a rule that is exported wider is merged into those with a selector, and
/// stands beside them.
#[test]
fn rules_with_and_without_selector_are_merged_by_export_to() {
    let at = |seconds| Timestamp::from_unix_seconds(seconds);
    let one = rule("test", "r1", "httpbin.org")
        .with_created(at(1))
        .with_workload_selector([("app", "app1")]);
    let two = rule("test", "r2", "httpbin.org")
        .with_created(at(2))
        .with_workload_selector([("app", "app2")]);
    let three = rule("test", "r3", "httpbin.org")
        .with_created(at(2))
        .with_workload_selector([("app", "app2")]);
    let all = rule("test", "r4", "httpbin.org")
        .with_created(at(0))
        .with_export_to([".", "test2"]);
    let set_of =
        |all: &DestinationRule| set([one.clone(), two.clone(), three.clone(), all.clone()]);
    let view = ServiceView::new("httpbin.org", "test", 80);
    let asks = |set: &PolicySet| {
        [("test", "app1"), ("test", "app2"), ("test", "app3"), ("test2", "app1")]
            .map(|(namespace, app)| won(set, &Workload::new(namespace, [("app", app)]), &view))
    };
    assert_eq!(
        asks(&set_of(&all)),
        ["test/r1+test/r4", "test/r2+test/r3+test/r4", "test/r4", "test/r4"]
    );
    // With the scope of a selector it is merged, and does not stand by itself.
    let private = all.clone().with_export_to(["."]);
    assert_eq!(asks(&set_of(&private)), ["test/r1+test/r4", "test/r2+test/r3+test/r4", "", ""]);
    let open = all.with_export_to([""; 0]);
    assert_eq!(asks(&set_of(&open)), ["test/r1", "test/r2+test/r3", "test/r4", "test/r4"]);
}

#[test]
fn ports_and_subsets() {
    let (plain, simple, mesh) =
        (ClientTlsMode::Disable, ClientTlsMode::Simple, ClientTlsMode::IstioMutual);
    let top = |tls| TrafficPolicy::new(mode(tls));
    let v1 = |policy: Option<TrafficPolicy>| {
        let mut subset = Subset::new("v1", Labels::default());
        subset.traffic_policy = policy;
        subset
    };
    for (name, policy, subset, want) in [
        ("the top", top(simple), None, "SIMPLE"),
        ("an entry for the port", top(simple).with_port(80, mode(plain)), None, "DISABLE"),
        ("an entry for another port", top(simple).with_port(81, mode(plain)), None, "SIMPLE"),
        (
            "the first entry of two",
            top(simple)
                .with_port(80, mode(plain))
                .with_port(80, mode(mesh)),
            None,
            "DISABLE",
        ),
        ("a subset without a policy", top(simple), Some(None), "SIMPLE"),
        ("a subset with a policy", top(simple), Some(Some(top(plain))), "DISABLE"),
        (
            "a subset whose policy says nothing of TLS",
            top(simple),
            Some(Some(TrafficPolicy::default())),
            "SIMPLE",
        ),
        (
            "a subset over a port",
            top(simple).with_port(80, mode(plain)),
            Some(Some(TrafficPolicy::default())),
            "DISABLE",
        ),
        (
            "a port of a subset",
            top(simple),
            Some(Some(top(mesh).with_port(80, mode(plain)))),
            "DISABLE",
        ),
    ] {
        let mut rule = DestinationRule::new("shop", "r", "api").with_traffic_policy(policy);
        let asked = if subset.is_some() { "v1" } else { "" };
        rule.subsets.extend(subset.map(v1));
        let answer = ask(&set([rule]), &client("web"), &service(), asked);
        assert_eq!(answer.tls.mode(), want, "{name}");
        assert!(!answer.is_auto(), "{name}");
    }
}

/// A port entry without `tls` inherits none, and the endpoint's view inherits it nevertheless.
#[test]
fn an_entry_without_tls_clears_it_for_the_service_and_not_for_endpoints() {
    let top = |tls| TrafficPolicy::new(mode(tls)).with_port(80, None);
    let no_mtls = PeerAuthentication::new("shop", "off")
        .with_selector([("app", "api")])
        .with_mode(MtlsMode::Disable);
    let istio = EndpointTls::Istio;
    for (name, policy, tls, peer, want, reason) in [
        (
            "DISABLE still counts",
            top(ClientTlsMode::Disable),
            istio,
            false,
            "DISABLE",
            "endpoint_view_plaintext",
        ),
        (
            "so does SIMPLE, as plaintext",
            top(ClientTlsMode::Simple),
            istio,
            false,
            "DISABLE",
            "endpoint_view_plaintext",
        ),
        (
            "ISTIO_MUTUAL counts",
            top(ClientTlsMode::IstioMutual),
            istio,
            false,
            "ISTIO_MUTUAL",
            "endpoint_view_istio_mutual",
        ),
        (
            "whatever the endpoint's port takes",
            top(ClientTlsMode::IstioMutual),
            istio,
            true,
            "ISTIO_MUTUAL",
            "endpoint_view_istio_mutual",
        ),
        (
            "but in the mesh it has to be",
            top(ClientTlsMode::IstioMutual),
            EndpointTls::Disabled,
            false,
            "DISABLE",
            "endpoint_not_in_mesh",
        ),
    ] {
        let rule = DestinationRule::new("shop", "r", "api").with_traffic_policy(policy.clone());
        let subset = Subset::new("v1", Labels::default()).with_traffic_policy(policy);
        let in_subset = DestinationRule::new("shop", "r", "api").with_subset(subset);
        let peers = peer.then(|| no_mtls.clone());
        for (rule, asked) in [(rule, ""), (in_subset, "v1")] {
            let resources = Resources::default()
                .with_destination_rules([rule])
                .with_peer_authentications(peers.clone());
            let set = PolicySet::compile(MeshSettings::default(), &resources);
            let answer = set.outbound(
                &client("web"),
                &service(),
                asked,
                &endpoint(tls),
                OutboundChoice::Auto,
            );
            let seen = serde_json::to_value(&answer.reason).unwrap();
            assert_eq!(
                (answer.tls.mode(), seen["reason"].as_str()),
                (want, Some(reason)),
                "{name}, subset `{asked}`"
            );
            assert!(answer.is_auto(), "{name}");
        }
    }
}

#[test]
fn passthrough_makes_a_service_headless() {
    let balanced = || TrafficPolicy::default().with_load_balancer(LoadBalancer::passthrough());
    let rule = |policy| DestinationRule::new("shop", "r", "api").with_traffic_policy(policy);
    let mut by_port = TrafficPolicy::default().with_port(80, None);
    by_port.ports[0].load_balancer = Some(LoadBalancer::passthrough());
    let subset = Subset::new("v1", Labels::default()).with_traffic_policy(balanced());
    let (istio, off) = (EndpointTls::Istio, EndpointTls::Disabled);
    let top = rule(balanced());
    let of_subset = DestinationRule::new("shop", "r", "api").with_subset(subset);
    let inherited = top
        .clone()
        .with_subset(Subset::new("v1", Labels::default()));
    for (name, rule, asked, known, at, want) in [
        ("all in the mesh", &top, "", &[istio][..], istio, OutboundReason::AllEndpointsInMesh),
        ("one is not", &top, "", &[istio, off], istio, OutboundReason::SomeEndpointDisabled),
        ("none is known", &top, "", &[], istio, OutboundReason::NoEndpoints),
        (
            "for a port only: nobody is looked at",
            &rule(by_port),
            "",
            &[off],
            off,
            OutboundReason::EndpointsNotLookedAt,
        ),
        ("for the subset", &of_subset, "v1", &[off], istio, OutboundReason::SomeEndpointDisabled),
        ("for another subset", &of_subset, "", &[off], istio, OutboundReason::EndpointInMesh),
        (
            "for all, in a subset",
            &inherited,
            "v1",
            &[off],
            off,
            OutboundReason::EndpointsNotLookedAt,
        ),
    ] {
        let mut view = service();
        view.endpoints = known.iter().map(|tls| endpoint(*tls)).collect();
        let set = set([rule.clone()]);
        let answer =
            set.outbound(&client("web"), &view, asked, &endpoint(at), OutboundChoice::Auto);
        assert_eq!(answer.reason, want, "{name}");
    }
}

#[test]
fn what_each_mode_asks_of_the_server() {
    let names = |tls: ClientTls, registry, service_names: &[&str]| {
        let mut view = service();
        view.registry = registry;
        view.names = service_names
            .iter()
            .map(|name| PeerName::from(*name))
            .collect();
        let answer = ask(
            &set([DestinationRule::new("shop", "r", "api").with_tls(tls)]),
            &client("web"),
            &view,
            "",
        );
        match answer.tls {
            OutboundTls::Simple(origination) => (origination.sni, origination.names.to_string()),
            other => unreachable!("{other:?}"),
        }
    };
    let simple = || mode(ClientTlsMode::Simple);
    let (entry, cluster) = (Registry::External, Registry::Kubernetes);
    let fixed = |sni: &str| Sni::Fixed(sni.to_owned());
    for (name, tls, registry, service_names, want) in [
        ("nothing said", simple(), cluster, &["a"][..], (Sni::Authority, "the host asked for")),
        (
            "an sni",
            simple().with_sni("x"),
            cluster,
            &["a"],
            (fixed("x"), "any name, if its issuer is trusted"),
        ),
        ("names", simple().with_subject_alt_names(["n"]), cluster, &["a"], (Sni::Authority, "n")),
        (
            "both",
            simple().with_sni("x").with_subject_alt_names(["n"]),
            entry,
            &["a"],
            (fixed("x"), "n"),
        ),
        ("names of the entry", simple(), entry, &["a"], (Sni::Authority, "a")),
        (
            "names of the entry, with an sni",
            simple().with_sni("x"),
            entry,
            &["a"],
            (fixed("x"), "a"),
        ),
        ("an entry without names", simple(), entry, &[], (Sni::Authority, "the host asked for")),
        (
            "nothing verified",
            simple().with_insecure_skip_verify(true),
            entry,
            &["a"],
            (Sni::Authority, "anybody, nothing is verified"),
        ),
    ] {
        assert_eq!(names(tls, registry, service_names), (want.0, want.1.to_owned()), "{name}");
    }
}

#[test]
fn where_certificates_are() {
    let answer = |tls: ClientTls| {
        ask(
            &set([DestinationRule::new("shop", "r", "api").with_tls(tls)]),
            &client("web"),
            &service(),
            "",
        )
        .tls
    };
    let roots = |tls: ClientTls| match answer(tls) {
        OutboundTls::Simple(origination) => (origination.roots, origination.crl),
        other => unreachable!("{other:?}"),
    };
    let simple = || mode(ClientTlsMode::Simple);
    assert_eq!(roots(simple()), (Roots::System, None));
    assert_eq!(roots(simple().with_ca_certificates("system")), (Roots::System, None));
    let file = simple()
        .with_ca_certificates("/ca.pem")
        .with_ca_crl("/crl.pem");
    assert_eq!(roots(file), (Roots::File("/ca.pem".to_owned()), Some("/crl.pem".to_owned())));
    assert_eq!(
        roots(simple().with_credential_name("s")),
        (Roots::Credential("s".to_owned()), None)
    );

    let mutual = || mode(ClientTlsMode::Mutual);
    let own = |tls: ClientTls| match answer(tls) {
        OutboundTls::Mutual { credential, .. } => Ok(credential),
        OutboundTls::Refuse(refusal) => Err(refusal),
        other => unreachable!("{other:?}"),
    };
    let files =
        ClientCredential::Files { certificate: "c".to_owned(), private_key: "k".to_owned() };
    assert_eq!(own(mutual().with_client_certificate("c", "k")), Ok(files));
    assert_eq!(
        own(mutual().with_credential_name("s")),
        Ok(ClientCredential::Credential("s".to_owned()))
    );
    // Such a rule is never read; as a value it must not end in plaintext, as it does in Istio.
    for tls in [
        mutual(),
        mutual().with_client_certificate("c", ""),
        mutual().with_client_certificate("", "k"),
    ] {
        assert_eq!(own(tls), Err(OutboundRefusal::MissingClientCertificate));
    }
}

#[test]
fn names_of_a_rule_replace_those_of_the_service() {
    let settings = MeshSettings::default().with_trust_domain_aliases(["old.td".parse().unwrap()]);
    let accepted = |tls: ClientTls| {
        let set = with_settings(
            settings.clone(),
            [DestinationRule::new("shop", "r", "api").with_tls(tls)],
        );
        match ask(&set, &client("web"), &service(), "").tls {
            OutboundTls::IstioMutual { accepted, sni } => (sni, accepted.to_string()),
            other => unreachable!("{other:?}"),
        }
    };
    let mesh = || mode(ClientTlsMode::IstioMutual);
    let default = "outbound_.80_._.api.shop.svc.cluster.local".to_owned();
    let both = "spiffe://cluster.local/ns/shop/sa/api, spiffe://old.td/ns/shop/sa/api".to_owned();
    assert_eq!(accepted(mesh()), (default.clone(), both));
    let one = "spiffe://cluster.local/ns/x/sa/y";
    let named = mesh().with_subject_alt_names([one]);
    assert_eq!(accepted(named), (default, one.to_owned()), "without aliases");
}

#[test]
fn a_choice_of_the_caller_looks_at_no_rule() {
    let set = set([rule("shop", "r", "api")]);
    for (choice, want) in
        [(OutboundChoice::Disable, "DISABLE"), (OutboundChoice::IstioMutual, "ISTIO_MUTUAL")]
    {
        let answer = set.outbound(
            &client("web"),
            &service(),
            "v1",
            &endpoint(EndpointTls::Disabled),
            choice,
        );
        assert_eq!((answer.tls.mode(), answer.rules.len()), (want, 0));
        if let OutboundTls::IstioMutual { sni, .. } = answer.tls {
            assert_eq!(sni, "outbound_.80_.v1_.api.shop.svc.cluster.local");
        }
    }
}

/// istio/istio#36672: a more specific rule in another namespace does not override the wildcard of the client's.
#[test]
fn report_36672_a_wildcard_of_the_client_beats_an_exact_host() {
    let set = set([rule("web", "wide", "*.local"), rule("shop", "exact", HOST)]);
    assert_eq!(won(&set, &client("web"), &service()), "web/wide");
}

/// istio/istio#31425: a rule DISABLE is plaintext, also to a port that is STRICT, which refuses it.
#[test]
fn report_31425_disable_towards_strict_is_plaintext() {
    let strict = PeerAuthentication::new("istio-system", "strict").with_mode(MtlsMode::Strict);
    let off = DestinationRule::new("shop", "off", "api").with_tls(mode(ClientTlsMode::Disable));
    let resources = Resources::default()
        .with_destination_rules([off])
        .with_peer_authentications([strict]);
    let set = PolicySet::compile(MeshSettings::default(), &resources);
    assert_eq!(ask(&set, &client("web"), &service(), "").tls, OutboundTls::Disable);
}

/// istio/istio#7590: a rule that says nothing of TLS leaves auto mTLS on.
#[test]
fn report_7590_an_unrelated_rule_leaves_auto_mtls_on() {
    let unrelated = DestinationRule::new("shop", "pool", "api")
        .with_subset(Subset::new("v1", Labels::default()));
    let set = set([unrelated]);
    for subset in ["", "v1"] {
        let answer = ask(&set, &client("web"), &service(), subset);
        assert_eq!((answer.tls.mode(), answer.is_auto()), ("ISTIO_MUTUAL", true), "{subset}");
        assert_eq!(answer.rules.len(), 1, "the rule is there all the same");
    }
}

/// A rule counts for services outside the mesh too: that is what SIMPLE is for.
#[test]
fn a_rule_counts_outside_the_mesh() {
    let mut view = ServiceView::new("api.example.com", "web", 443);
    view.location = Location::MeshExternal;
    let simple =
        DestinationRule::new("web", "r", "api.example.com").with_tls(mode(ClientTlsMode::Simple));
    let answer = ask(&set([simple]), &client("web"), &view, "");
    assert!(
        matches!(answer.tls, OutboundTls::Simple(ref o) if o.names == ServerNames::Authority),
        "{answer}"
    );
}
