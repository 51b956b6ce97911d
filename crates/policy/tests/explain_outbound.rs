//! Why a client uses the TLS it uses: whole texts, and each outcome, loss and note provoked.
#![expect(clippy::unwrap_used, reason = "a failure to read a test text must fail the test")]

use std::net::IpAddr;

use meshtls_policy::{
    Endpoint, EndpointTls, Labels, Location, MeshSettings, OutboundChoice, OutboundExplanation,
    OutboundNote, PeerName, PolicySet, Registry, Resources, ServiceView, Workload,
};

const HOST: &str = "api.shop.svc.cluster.local";

/// Documents in a short form: `namespace/name: spec`, each line one `DestinationRule`, or with `!` one `PeerAuthentication`.
fn set(lines: &str) -> PolicySet {
    let documents: Vec<String> = lines
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| {
            let (name, spec) = line.split_once(": ").unwrap();
            let (kind, group, name) = match name.strip_prefix('!') {
                Some(name) => ("PeerAuthentication", "security", name),
                None => ("DestinationRule", "networking", name),
            };
            let (namespace, name) = name.split_once('/').unwrap();
            format!("apiVersion: {group}.istio.io/v1\nkind: {kind}\nmetadata: {{namespace: {namespace}, name: {name}}}\nspec: {spec}\n")
        })
        .collect();
    let resources = Resources::parse("rules.yaml", &documents.join("---\n")).unwrap();
    PolicySet::compile(MeshSettings::default(), &resources)
}

fn service() -> ServiceView {
    let mut service = ServiceView::new(HOST, "shop", 80);
    service.registry = Registry::Kubernetes;
    service.names = vec![PeerName::from("spiffe://cluster.local/ns/shop/sa/api")];
    service
}

fn endpoint(tls: EndpointTls) -> Endpoint {
    let workload = Workload::new("shop", [("app", "api")]);
    let mut endpoint = Endpoint::new(IpAddr::from([10, 0, 0, 1]), 8080, workload);
    endpoint.tls = tls;
    endpoint
}

fn explain(set: &PolicySet, subset: &str) -> OutboundExplanation {
    let client = Workload::new("web", [("app", "web")]);
    set.explain_outbound(
        &client,
        &service(),
        subset,
        &endpoint(EndpointTls::Istio),
        OutboundChoice::Auto,
    )
}

#[test]
fn a_whole_text() {
    let set = set("
        web/wide: {host: '*.local', trafficPolicy: {tls: {mode: DISABLE}}}
        web/wider: {host: '*'}
        web/v2: {host: '*.local', workloadSelector: {matchLabels: {app: v2}}}
        shop/exact: {host: api, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}
        shop/private: {host: api, exportTo: [.]}
        istio-system/mesh: {host: '*.cluster.local'}
        other/far: {host: '*'}
        shop/db: {host: db}
        !istio-system/strict: {mtls: {mode: STRICT}}");
    assert_eq!(
        explain(&set, "").to_string(),
        "\
DISABLE to api.shop.svc.cluster.local:80 at 10.0.0.1:8080, for a client in namespace web, labels app=web
because: DestinationRule web/wide

search for a DestinationRule:
  client namespace web: web/wide for *.local  <- won
  service namespace shop: not reached
  root namespace istio-system: not reached

what it says of TLS:
  web/wide: DISABLE  <- decides

without effect here:
  web/v2 for *.local: for clients with app=v2, this one has app=web
  shop/exact for api.shop.svc.cluster.local: the search ended before, at the client namespace
  istio-system/mesh for *.cluster.local: the search ended before, at the client namespace
  shop/private for api.shop.svc.cluster.local: not exported to the client
  web/wider for *: *.local fits better
  1 rule of namespaces not looked at

note:
  shop/exact is for api.shop.svc.cluster.local, which fits better than *.local: between namespaces that does not matter
  istio-system/mesh is for *.cluster.local, which fits better than *.local: between namespaces that does not matter
  plaintext to a port that is STRICT, by mesh policy istio-system/strict: it will be refused
"
    );
}

#[test]
fn without_any_rule() {
    assert_eq!(
        explain(&set(""), "").to_string(),
        "\
ISTIO_MUTUAL to api.shop.svc.cluster.local:80 at 10.0.0.1:8080, for a client in namespace web, labels app=web
because: the endpoint is in the mesh
accepted server: spiffe://cluster.local/ns/shop/sa/api

search for a DestinationRule:
  client namespace web: no rule for the host
  service namespace shop: no rule for the host
  root namespace istio-system: no rule for the host
"
    );
}

#[test]
fn what_the_parts_of_a_rule_say() {
    let port_in_subset = "shop/r: {host: api, trafficPolicy: {tls: {mode: SIMPLE}, portLevelSettings: [{port: {number: 80}, tls: {mode: DISABLE}}]}, \
        subsets: [{name: v1, trafficPolicy: {loadBalancer: {simple: RANDOM}, portLevelSettings: [{port: {number: 80}, connectionPool: {tcp: {}}}]}}]}";
    for (name, rules, subset, want) in [
        (
            "a port over the top",
            port_in_subset,
            "",
            &["shop/r: SIMPLE, overridden", "shop/r (port 80): DISABLE  <- decides"][..],
        ),
        (
            "a subset that clears it for the service; endpoints see what is left",
            port_in_subset,
            "v1",
            &[
                "shop/r: SIMPLE, overridden",
                "shop/r (port 80): DISABLE  <- for endpoints only",
                "shop/r (subset v1): no tls",
                "shop/r (subset v1, port 80): no tls, and none from above",
            ],
        ),
        (
            "of two merged rules",
            "shop/a: {host: api, subsets: [{name: v1, trafficPolicy: {tls: {mode: SIMPLE}}}]}
             shop/b: {host: api, trafficPolicy: {tls: {mode: DISABLE}}}",
            "v1",
            &["shop/b: DISABLE, overridden", "shop/a (subset v1): SIMPLE  <- decides"],
        ),
    ] {
        let told = explain(&set(rules), subset);
        let parts: Vec<String> = told.parts.iter().map(ToString::to_string).collect();
        assert_eq!(parts, want, "{name}");
    }
}

#[test]
fn each_loss_can_be_had() {
    for (name, rules, want) in [
        ("elsewhere", "other/a: {host: '*'}", "other_namespace"),
        ("private", "shop/a: {host: api, exportTo: [.]}", "not_exported"),
        ("to others", "shop/a: {host: api, exportTo: [other]}", "not_exported"),
        ("at home, but to others", "web/a: {host: '*', exportTo: [shop]}", "not_exported"),
        ("before", "web/w: {host: '*'}\nshop/a: {host: api}", "earlier_step"),
        ("better", "shop/a: {host: '*'}\nshop/w: {host: api}", "less_specific"),
        (
            "for others",
            "web/a: {host: '*', workloadSelector: {matchLabels: {app: x}}}",
            "selector_mismatch",
        ),
        ("beside", "shop/a: {host: api, exportTo: [web]}\nshop/w: {host: api}", "other_rule_won"),
        (
            "merged away",
            "web/A: {host: '*', workloadSelector: {matchLabels: {app: x}}}\nweb/a: {host: '*', exportTo: [.]}",
            "merged_away",
        ),
        (
            "merged into a narrower one",
            "shop/A: {host: api, exportTo: [other]}\nshop/a: {host: api, exportTo: [other, web]}",
            "merged_away",
        ),
    ] {
        let told = serde_json::to_value(explain(&set(rules), "")).unwrap();
        let losers = told["losers"].as_array().unwrap();
        let loser = losers
            .iter()
            .find(|loser| loser["rule"].as_str().unwrap().ends_with("/a"));
        assert_eq!(loser.map(|loser| &loser["reason"]), Some(&want.into()), "{name}: {told}");
    }
}

#[test]
fn each_outcome_of_a_step_can_be_had() {
    for (name, rules, want) in [
        ("nothing", "", ["no_rule", "no_rule", "no_rule"]),
        ("won", "shop/a: {host: api}", ["no_rule", "won", "not_reached"]),
        (
            "hidden",
            "shop/a: {host: api, exportTo: [other]}\nistio-system/b: {host: '*'}",
            ["no_rule", "not_exported", "won"],
        ),
        (
            "for others",
            "web/a: {host: '*', workloadSelector: {matchLabels: {app: x}}}\nshop/b: {host: api}",
            ["not_selected", "not_reached", "not_reached"],
        ),
    ] {
        let told = serde_json::to_value(explain(&set(rules), "")).unwrap();
        let steps = told["steps"].as_array().unwrap();
        let seen: Vec<_> = steps
            .iter()
            .map(|step| step["outcome"].as_str().unwrap())
            .collect();
        assert_eq!(seen, want, "{name}");
    }
}

/// One note: how it is provoked, and how its text begins.
#[test]
fn each_note_can_be_had() {
    let tls = |tls: &str| format!("shop/r: {{host: api, trafficPolicy: {{tls: {tls}}}}}");
    let strict = "!istio-system/p: {mtls: {mode: STRICT}}";
    let istio = EndpointTls::Istio;
    for (name, rules, endpoint_tls, text) in [
        (
            "an entry without tls",
            "shop/r: {host: api, trafficPolicy: {tls: {mode: DISABLE}, portLevelSettings: [{port: {number: 80}, connectionPool: {tcp: {}}}]}}".to_owned(),
            istio,
            "an entry for port 80 has no tls, so the tls of shop/r is not inherited",
        ),
        ("any name", tls("{mode: SIMPLE, sni: x}"), istio, "sni x without subjectAltNames"),
        ("nothing verified", tls("{mode: SIMPLE, insecureSkipVerify: true}"), istio, "insecureSkipVerify"),
        ("not in the mesh", tls("{mode: ISTIO_MUTUAL}"), EndpointTls::Disabled, "mesh mTLS to an endpoint that is not in the mesh"),
        (
            "mTLS into DISABLE",
            format!("{}\n!shop/p: {{selector: {{matchLabels: {{app: api}}}}, mtls: {{mode: DISABLE}}}}", tls("{mode: ISTIO_MUTUAL}")),
            istio,
            "mesh mTLS to a port that is DISABLE, by workload policy shop/p",
        ),
        ("plaintext into STRICT", format!("{}\n{strict}", tls("{mode: DISABLE}")), istio, "plaintext to a port that is STRICT"),
        (
            "DISABLE hides STRICT",
            "!shop/ns: {mtls: {mode: DISABLE}}\n!shop/w: {selector: {matchLabels: {app: api}}, mtls: {mode: STRICT}}".to_owned(),
            istio,
            "the namespace as a whole is DISABLE, and clients look at nothing else",
        ),
        ("SIMPLE into STRICT", format!("{}\n{strict}", tls("{mode: SIMPLE}")), istio, "SIMPLE shows no certificate of the mesh"),
        ("a secret for everybody", tls("{mode: SIMPLE, credentialName: s}"), istio, "credentialName s in a rule without workloadSelector"),
        (
            "rules for others",
            "web/r: {host: '*', workloadSelector: {matchLabels: {app: x}}}".to_owned(),
            istio,
            "web/r would be for other clients",
        ),
        ("a better host later", "web/r: {host: '*'}\nshop/s: {host: api}".to_owned(), istio, "shop/s is for api.shop.svc.cluster.local, which fits better than *"),
    ] {
        let client = Workload::new("web", Labels::default());
        let told = set(&rules).explain_outbound(&client, &service(), "", &endpoint(endpoint_tls), OutboundChoice::Auto);
        let [note] = told.notes.as_slice() else { unreachable!("{name}: one note, not {:?}", told.notes) };
        assert!(note.to_string().starts_with(text), "{name}: {note}");
    }
}

#[test]
fn notes_on_names_and_subsets() {
    let client = Workload::new("web", Labels::default());
    let ask = |rules: &str, view: &ServiceView, subset: &str| {
        let told = set(rules).explain_outbound(
            &client,
            view,
            subset,
            &endpoint(EndpointTls::Istio),
            OutboundChoice::Auto,
        );
        (told.notes.clone(), told.to_string())
    };
    let mut nobody = service();
    nobody.names.clear();
    assert_eq!(ask("", &nobody, "").0, [OutboundNote::AnybodyInTheMesh]);

    let mut entry = service();
    entry.registry = Registry::External;
    entry.location = Location::MeshExternal;
    let simple = "shop/r: {host: api, trafficPolicy: {tls: {mode: SIMPLE}}}";
    let (notes, text) = ask(simple, &entry, "");
    assert!(matches!(notes.as_slice(), [OutboundNote::OnlyMeshNames { .. }]), "{notes:?}");
    assert!(text.contains("accepted is only spiffe://cluster.local/ns/shop/sa/api, which no server outside the mesh has"));

    let (notes, text) =
        ask("shop/r: {host: api, subsets: [{name: v1}, {name: v2}]}", &service(), "v3");
    assert_eq!(
        notes,
        [OutboundNote::KnownSubsets { subsets: vec!["v1".to_owned(), "v2".to_owned()] }]
    );
    assert!(text.starts_with("REFUSE to api.shop.svc.cluster.local:80, subset v3 at"), "{text}");
    assert!(text.ends_with("the subsets are v1, v2\n"), "{text}");
    assert!(
        ask("", &service(), "v3")
            .1
            .ends_with("there are no subsets\n")
    );
}

/// A secret is no surprise in a rule with a selector, nor is a config map, nor names that an entry gives.
#[test]
fn no_note_where_nothing_is_odd() {
    for rules in [
        "web/r: {host: '*', workloadSelector: {matchLabels: {app: web}}, trafficPolicy: {tls: {mode: SIMPLE, credentialName: s}}}",
        "shop/r: {host: api, trafficPolicy: {tls: {mode: SIMPLE, credentialName: 'configmap://shop/a'}}}",
        "shop/r: {host: api, trafficPolicy: {tls: {mode: SIMPLE, sni: x, subjectAltNames: [x]}}}",
        "shop/r: {host: api, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}",
        "shop/r: {host: api, trafficPolicy: {loadBalancer: {simple: RANDOM}}}",
    ] {
        assert_eq!(explain(&set(rules), "").notes, [], "{rules}");
    }
}

#[test]
fn a_choice_of_the_caller_has_no_search() {
    let client = Workload::new("web", Labels::default());
    let set = set(
        "shop/r: {host: api, trafficPolicy: {tls: {mode: SIMPLE}}}\n!istio-system/p: {mtls: {mode: STRICT}}",
    );
    let told = set.explain_outbound(
        &client,
        &service(),
        "",
        &endpoint(EndpointTls::Istio),
        OutboundChoice::Disable,
    );
    assert!(told.steps.is_empty() && told.parts.is_empty() && told.losers.is_empty());
    assert!(
        matches!(told.notes.as_slice(), [OutboundNote::PlaintextIntoStrict { .. }]),
        "{:?}",
        told.notes
    );
}

#[test]
fn as_data() {
    let told = serde_json::to_value(explain(
        &set("shop/r: {host: api, trafficPolicy: {tls: {mode: SIMPLE, sni: x}}}"),
        "",
    ))
    .unwrap();
    assert_eq!(told["choice"], "auto");
    assert_eq!(told["outbound"]["tls"]["mode"], "SIMPLE");
    assert_eq!(told["outbound"]["tls"]["sni"], serde_json::json!({ "fixed": "x" }));
    assert_eq!(told["outbound"]["reason"]["reason"], "rule_simple");
    assert_eq!(told["outbound"]["reason"]["rule"], "shop/r");
    assert_eq!(told["parts"][0]["effect"], "decides");
    assert_eq!(told["server"]["mode"], "PERMISSIVE");
    let refused = serde_json::to_value(explain(&set(""), "v1").outbound).unwrap();
    assert_eq!(
        refused["tls"],
        serde_json::json!({ "mode": "REFUSE", "refusal": "unknown_subset", "subset": "v1" })
    );
}
