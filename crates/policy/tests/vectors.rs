//! The vectors of the repository that concern this crate, through its public API.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a malformed vector file must fail the test"
)]

use meshtls_policy::{
    AcceptedNames, Address, Endpoint, EndpointTls, Labels, Location, MeshSettings, Outbound,
    OutboundChoice, OutboundTls, PeerAuthentication, PeerName, PolicySet, Resolution, Resources,
    ServiceView, Workload,
};
use serde_json::{Value, json};

const VECTORS: &str = include_str!("../../meshtls/tests/vectors/istio.json");

/// The `client_tls` cases without a `DestinationRule`: all that this crate decides so far.
const CLIENT_TLS_CASES: usize = 12;

fn cases(list: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(VECTORS).unwrap();
    file[list].as_array().unwrap().clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn port(value: &Value) -> u16 {
    value.as_u64().unwrap().try_into().unwrap()
}

fn labels(value: &Value) -> Labels {
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), text(value).to_owned()))
        .collect()
}

fn workload(value: &Value) -> Workload {
    Workload::new(text(&value["namespace"]), labels(&value["labels"]))
}

/// A policy of a resolution vector. It goes past validation on purpose: such vectors say what unsound objects mean.
fn policy(value: &Value) -> PeerAuthentication {
    let mode = |holder: &Value| match &holder["mode"] {
        Value::Null => None,
        mode if mode == "UNSET" => None,
        mode => Some(text(mode).parse().unwrap()),
    };
    let mut policy = PeerAuthentication::new(text(&value["namespace"]), text(&value["name"]))
        .with_selector(labels(&value["selector"]["matchLabels"]));
    policy.metadata.created = value["creationTimestamp"]
        .as_str()
        .map(|time| time.parse().unwrap());
    policy.mode = mode(&value["mtls"]);
    for (port, setting) in value["portLevelMtls"].as_object().into_iter().flatten() {
        policy = policy.with_port(port.parse().unwrap(), mode(setting));
    }
    policy
}

fn policies(value: &Value) -> Resources {
    value.as_array().unwrap().iter().map(policy).collect()
}

#[test]
fn peer_authentication() {
    let cases = cases("peer_authentication");
    assert_eq!(cases.len(), 64);
    for case in cases {
        let settings = MeshSettings::default().with_root_namespace(text(&case["root_namespace"]));
        let set = PolicySet::compile(settings, &policies(&case["policies"]));
        let workload = workload(&case["workload"]);
        let any_port = set.resolve(&workload, 0);
        let chosen =
            |policy: Option<&PeerAuthentication>| policy.map(|policy| policy.name().to_string());
        let mut port_modes = serde_json::Map::new();
        for port in case["ports"].as_array().unwrap().iter().map(port) {
            let explained = set.explain(&workload, port);
            let mode = set.resolve(&workload, port).mode();
            assert_eq!(explained.mode, mode, "{}: explain", case["id"]);
            port_modes.insert(port.to_string(), json!(mode.to_string()));
        }
        let got = json!({
            "default_mode": any_port.default_mode().to_string(),
            "port_modes": port_modes,
            "selected": {
                "mesh": chosen(any_port.mesh()),
                "namespace": chosen(any_port.namespace()),
                "workload": chosen(any_port.workload()),
            },
        });
        assert_eq!(got, case["expected"], "{}: {}", case["id"], case["why"]);
    }
}

#[test]
fn validation() {
    let cases: Vec<Value> = cases("validation")
        .into_iter()
        .filter(|case| case["kind"] == "PeerAuthentication")
        .collect();
    assert_eq!(cases.len(), 12);
    for case in cases {
        let object = json!({
            "apiVersion": "security.istio.io/v1",
            "kind": case["kind"],
            "metadata": { "name": "policy", "namespace": "foo" },
            "spec": case["spec"],
        });
        let outcome = Resources::parse("vector", &object.to_string());
        let warnings = outcome
            .as_ref()
            .map_or_else(|error| error.warnings(), |resources| resources.warnings());
        let warning = warnings.first().map(|warning| warning.reason());
        let refusal = outcome.as_ref().err().map(|error| error.reason());
        let got = json!({
            "accept": outcome.is_ok(),
            "warning": warning.is_some(),
            "reason": refusal.or(warning),
        });
        assert_eq!(got, case["expected"], "{}: {}", case["id"], case["why"]);
    }
}

#[test]
fn client_tls() {
    let cases: Vec<Value> = cases("client_tls")
        .into_iter()
        .filter(|case| case["destinationRules"].as_array().unwrap().is_empty())
        .collect();
    assert_eq!(cases.len(), CLIENT_TLS_CASES);
    for case in cases {
        let set =
            PolicySet::compile(settings(&case["mesh"]), &policies(&case["peerAuthentications"]));
        let endpoint = endpoint(&case["endpoint"]);
        let decision = set.outbound(&service(&case, &endpoint), &endpoint, OutboundChoice::Auto);
        assert_eq!(outcome(&decision), case["expected"], "{}: {}", case["id"], case["why"]);
    }
}

fn settings(mesh: &Value) -> MeshSettings {
    let aliases = mesh["trustDomainAliases"].as_array().unwrap();
    MeshSettings::new(text(&mesh["trustDomain"]).parse().unwrap())
        .with_root_namespace(text(&mesh["rootNamespace"]))
        .with_enable_auto_mtls(mesh["enableAutoMtls"].as_bool().unwrap())
        .with_trust_domain_aliases(aliases.iter().map(|alias| text(alias).parse().unwrap()))
}

fn endpoint(endpoint: &Value) -> Endpoint {
    Endpoint::new(Address::Host("endpoint".to_owned()), port(&endpoint["port"]), workload(endpoint))
}

fn service(case: &Value, endpoint: &Endpoint) -> ServiceView {
    let service = &case["service"];
    let mut view = ServiceView::new(
        text(&service["hostname"]),
        text(&service["namespace"]),
        port(&service["port"]),
    );
    view.location = if service["meshExternal"] == true {
        Location::MeshExternal
    } else {
        Location::MeshInternal
    };
    view.names = service["serviceAccounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| PeerName::from(text(name)))
        .collect();
    view.endpoints = vec![endpoint.clone()];
    if service["resolution"] == "Passthrough" {
        view.resolution = Resolution::Passthrough;
        view.endpoints = case["all_endpoint_tls_modes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|mode| {
                let labels = Labels::from([(EndpointTls::LABEL, text(mode))]);
                let workload = Workload::new(endpoint.workload.namespace.clone(), labels);
                Endpoint::new(endpoint.address.clone(), endpoint.port, workload)
            })
            .collect();
    }
    view
}

fn outcome(decision: &Outbound) -> Value {
    let (mode, sni, accepted) = match &decision.tls {
        OutboundTls::Disable => ("DISABLE", None, Vec::new()),
        OutboundTls::IstioMutual { sni, accepted } => {
            let names = match accepted {
                AcceptedNames::Anybody => Vec::new(),
                AcceptedNames::OneOf(names) => names.iter().map(ToString::to_string).collect(),
            };
            ("ISTIO_MUTUAL", Some(sni), names)
        }
    };
    json!({
        "mode": mode,
        "auto": decision.is_auto(),
        "sni": sni,
        "sni_from_authority": false,
        "accepted_sans": accepted,
        "san_from_authority": false,
        "destination_rule": null,
    })
}
