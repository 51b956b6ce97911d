//! Resources of every kind: what parses is printed as YAML and as JSON and read back as the same, compiles, is linted, and
//! explains what it answers.

#![expect(clippy::expect_used, reason = "a property fails by panicking")]

use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use meshtls_policy::{
    Connection, Discovery, Inventory, Labels, MeshSettings, OutboundChoice, PolicySet, Resources,
    Workload, lint,
};

/// Holds for every text that is the `spec` of an object of this kind.
#[allow(dead_code, reason = "the targets use one of the two")]
pub(crate) fn check_spec(version: &str, kind: &str, bytes: &[u8]) {
    let Ok(spec) = std::str::from_utf8(bytes) else { return };
    let text = format!(
        "apiVersion: {version}\nkind: {kind}\nmetadata: {{ name: fuzzed, namespace: foo }}\nspec: {spec}"
    );
    match Resources::parse("fuzzed.yaml", &text) {
        Ok(resources) => check(&resources),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Holds for everything that parses.
pub(crate) fn check(resources: &Resources) {
    check_yaml(resources);
    check_json(resources.authorization_policies());
    check_json(resources.destination_rules());
    check_json(resources.peer_authentications());
    check_json(resources.service_entries());
    check_json(resources.sidecars());
    check_json(resources.workload_entries());
    check_answers(resources);
}

fn check_yaml(resources: &Resources) {
    let yaml = resources.to_yaml();
    // Block style takes more bytes than flow style, and no more values.
    let options = meshtls_policy::ParseOptions::default().with_max_bytes(usize::MAX);
    let again = Resources::parse_with("printed.yaml", &yaml, &options);
    let again = again.unwrap_or_else(|error| {
        assert_eq!(error.to_string(), yaml, "what was printed is not read");
        Resources::default()
    });
    assert_eq!(again.authorization_policies(), resources.authorization_policies(), "{yaml}");
    assert_eq!(again.destination_rules(), resources.destination_rules(), "{yaml}");
    assert_eq!(again.peer_authentications(), resources.peer_authentications(), "{yaml}");
    assert_eq!(again.service_entries(), resources.service_entries(), "{yaml}");
    assert_eq!(again.sidecars(), resources.sidecars(), "{yaml}");
    assert_eq!(again.workload_entries(), resources.workload_entries(), "{yaml}");
    assert_eq!(again.to_yaml(), yaml, "printing settles at once");
}

fn check_json<T>(objects: &[T])
where
    T: serde::Serialize + serde::de::DeserializeOwned + Debug + PartialEq,
{
    for object in objects {
        let json = serde_json::to_string(object).expect("an object has a JSON form");
        let again: T = serde_json::from_str(&json).expect("what was printed is read");
        assert_eq!(again, *object, "{json}");
    }
}

/// The set, the view of a workload and the explanations answer alike.
fn check_answers(resources: &Resources) {
    let settings = MeshSettings::default();
    let set = Arc::new(PolicySet::compile(settings.clone(), resources));
    let inventory = Inventory::from_resources(&settings, resources);
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let selected = resources
        .sidecars()
        .iter()
        .filter_map(|sidecar| sidecar.workload_selector.clone())
        .chain(
            resources
                .authorization_policies()
                .iter()
                .map(|policy| policy.selector.clone()),
        )
        .take(ASKED);
    for labels in selected.chain([Labels::default()]) {
        let workload = Workload::new("foo", labels);
        let view = set.for_workload(&workload);
        for port in [1, 80, 9080] {
            let tls = set.ingress_tls(&workload, port);
            let effect = tls.map(|tls| tls.effect());
            assert_eq!(view.ingress_tls(port).map(|tls| tls.effect()), effect);
            let explained = set.explain_ingress(&workload, port);
            assert_eq!(explained.effect, effect);
            assert!(!explained.to_string().is_empty());

            let connection = Connection::new(address, address, port);
            let allowed = set.authorize(&workload, &connection).allow();
            assert_eq!(view.authorize(&connection).allow(), allowed);
        }
        for service in inventory.services().take(ASKED) {
            assert!(
                inventory
                    .service(&service.namespace, &service.hostname, service.port)
                    .is_some()
                    || resources
                        .service_entries()
                        .iter()
                        .any(|entry| !entry.export_to.is_empty())
            );
            for endpoint in service.endpoints.iter().take(ASKED) {
                let choice = OutboundChoice::default();
                let outbound = set.outbound(&workload, service, "v1", endpoint, choice);
                assert_eq!(outbound, set.outbound(&workload, service, "v1", endpoint, choice));
            }
        }
    }
    for finding in lint(&settings, resources, Some(&inventory)) {
        assert!(!finding.to_string().is_empty());
    }
}

const ASKED: usize = 4;
