//! Findings about `PeerAuthentication` beside the examples of `docs/lint.md`: each row a small set and all that is found.

use meshtls_policy::{
    Inventory, MeshSettings, MtlsMode, PeerAuthentication, Resources, ServiceEntry, ServicePort,
    Timestamp, WorkloadEntry, WorkloadSpec, lint,
};
use std::net::Ipv4Addr;

use crate::{brief, lint_values};
use MtlsMode::{Disable, Permissive, Strict};

fn policy(name: &str, age: i64) -> PeerAuthentication {
    PeerAuthentication::new("foo", name).with_created(Timestamp::from_unix_seconds(age))
}

fn web(name: &str, age: i64) -> PeerAuthentication {
    policy(name, age).with_selector([("app", "web")])
}

fn web_v1(name: &str, age: i64) -> PeerAuthentication {
    policy(name, age).with_selector([("app", "web"), ("version", "v1")])
}

fn mesh(mode: MtlsMode) -> PeerAuthentication {
    PeerAuthentication::new("istio-system", "default").with_mode(mode)
}

fn trial(policy: PeerAuthentication) -> PeerAuthentication {
    let mut policy = policy;
    policy
        .metadata
        .annotations
        .insert("meshtls.dev/dry-run", "true");
    policy
}

#[test]
fn rivals() {
    for (name, policies, want) in [
        (
            "two of the same age: the name decides",
            vec![policy("b", 1).with_mode(Strict), policy("a", 1).with_mode(Disable)],
            vec!["MT001 foo/b spec"],
        ),
        (
            "an UNSET survivor hides too",
            vec![policy("a", 1), policy("b", 2).with_mode(Strict)],
            vec!["MT001 foo/b spec"],
        ),
        (
            "same mode: a duplicate",
            vec![policy("a", 1).with_mode(Strict), policy("b", 2).with_mode(Strict)],
            vec!["MT003 foo/b spec"],
        ),
        (
            "the same selector, another mode",
            vec![web("a", 1).with_mode(Strict), web("b", 2).with_mode(Disable)],
            vec!["MT002 foo/b spec.selector"],
        ),
        (
            "three: both later ones lose",
            vec![
                web("a", 1).with_mode(Strict),
                web("b", 2).with_mode(Disable),
                web("c", 3).with_mode(Permissive),
            ],
            vec!["MT002 foo/b spec.selector", "MT002 foo/c spec.selector"],
        ),
        (
            "a wider and younger one does not take from a narrower one",
            vec![web("wide", 2).with_mode(Strict), web_v1("narrow", 1).with_mode(Disable)],
            vec![],
        ),
        (
            "disjoint selectors",
            vec![
                web("a", 1).with_mode(Strict),
                policy("b", 2)
                    .with_selector([("app", "db")])
                    .with_mode(Disable),
            ],
            vec![],
        ),
        (
            "overlapping selectors, no inventory",
            vec![
                web("a", 1).with_mode(Strict),
                policy("b", 2)
                    .with_selector([("version", "v1")])
                    .with_mode(Disable),
            ],
            vec![],
        ),
        (
            "other namespaces do not matter",
            vec![
                web("a", 1).with_mode(Strict),
                PeerAuthentication::new("bar", "b")
                    .with_selector([("app", "web")])
                    .with_mode(Disable),
            ],
            vec![],
        ),
        (
            "a policy on trial takes nothing",
            vec![trial(web("a", 1).with_mode(Strict)), web("b", 2).with_mode(Disable)],
            vec![],
        ),
        (
            "no two ways of one mode",
            vec![
                web("a", 1).with_mode(Strict),
                web("b", 2).with_mode(Strict).with_port(80, Disable),
            ],
            vec!["MT010 foo/b spec.portLevelMtls.80"],
        ),
        (
            "entries that agree are not lost",
            vec![
                web("a", 1).with_mode(Strict).with_port(80, Disable),
                web("b", 2).with_port(80, Disable),
            ],
            vec!["MT002 foo/b spec.selector"],
        ),
        ("an UNSET policy that hides none", vec![web("a", 1)], vec!["MT011 foo/a spec"]),
        (
            "an UNSET policy with a port is no nothing",
            vec![web("a", 1).with_port(80, Strict)],
            vec![],
        ),
        (
            "an UNSET policy hides a wider younger one",
            vec![web_v1("a", 1), web("b", 2).with_mode(Strict)],
            vec![],
        ),
        (
            "an UNSET policy may hide an overlapping younger one",
            vec![
                web("a", 1),
                policy("b", 2)
                    .with_selector([("version", "v1")])
                    .with_mode(Strict),
            ],
            vec![],
        ),
        (
            "an UNSET policy hides no older one",
            vec![
                policy("b", 1)
                    .with_selector([("version", "v1")])
                    .with_mode(Strict),
                web("a", 2),
            ],
            vec!["MT011 foo/a spec"],
        ),
        (
            "an UNSET policy does not hide what excludes it",
            vec![
                web("a", 1),
                policy("b", 2)
                    .with_selector([("app", "db")])
                    .with_mode(Strict),
            ],
            vec!["MT011 foo/a spec"],
        ),
    ] {
        assert_eq!(brief(&lint_values(policies)), want, "{name}");
    }
}

#[test]
fn ports_and_scopes() {
    for (name, policies, want) in [
        (
            "an entry as the mesh",
            vec![mesh(Strict), web("a", 1).with_port(80, Strict)],
            vec!["MT007 foo/a spec.portLevelMtls.80"],
        ),
        (
            "an entry as the default",
            vec![web("a", 1).with_mode(Strict).with_port(80, Permissive)],
            vec![],
        ),
        (
            "an UNSET entry",
            vec![web("a", 1).with_mode(Strict).with_port(80, None)],
            vec!["MT007 foo/a spec.portLevelMtls.80"],
        ),
        (
            "entries without selector",
            vec![policy("a", 1).with_mode(Strict).with_port(80, Disable)],
            vec!["MT009 foo/a spec.portLevelMtls"],
        ),
        (
            "entries without selector, for the mesh",
            vec![mesh(Strict).with_port(80, Disable)],
            vec!["MT009 istio-system/default spec.portLevelMtls"],
        ),
        (
            "STRICT in a DISABLE mesh",
            vec![mesh(Disable), web("a", 1).with_mode(Strict)],
            vec!["MT014 foo/a spec.mtls.mode"],
        ),
        (
            "a STRICT port in a DISABLE namespace",
            vec![policy("d", 1).with_mode(Disable), web("a", 1).with_port(80, Strict)],
            vec!["MT014 foo/a spec.portLevelMtls.80"],
        ),
        (
            "PERMISSIVE in a DISABLE namespace takes plaintext",
            vec![policy("d", 1).with_mode(Disable), web("a", 1).with_mode(Permissive)],
            vec![],
        ),
        (
            "the namespace takes the mesh's DISABLE back",
            vec![
                mesh(Disable),
                policy("d", 1).with_mode(Permissive),
                web("a", 1).with_mode(Strict),
            ],
            vec![],
        ),
        (
            "a trial as the mode that holds",
            vec![mesh(Strict), trial(policy("t", 1).with_mode(Strict))],
            vec!["MT015 foo/t metadata.annotations.meshtls.dev/dry-run"],
        ),
        (
            "a trial of another mode",
            vec![mesh(Permissive), trial(policy("t", 1).with_mode(Strict))],
            vec![],
        ),
        (
            "a trial behind an older policy",
            vec![web("a", 1).with_mode(Permissive), trial(web_v1("t", 2).with_mode(Strict))],
            vec!["MT015 foo/t metadata.annotations.meshtls.dev/dry-run"],
        ),
        (
            "a trial before a younger policy",
            vec![web("a", 2).with_mode(Permissive), trial(web_v1("t", 1).with_mode(Strict))],
            vec![],
        ),
        ("a trial of one port", vec![trial(web("t", 1).with_port(80, Strict))], vec![]),
        (
            "a trial of one port as it is",
            vec![trial(web("t", 1).with_port(80, Permissive))],
            vec![
                "MT007 foo/t spec.portLevelMtls.80",
                "MT015 foo/t metadata.annotations.meshtls.dev/dry-run",
            ],
        ),
        (
            "a trial that takes a port entry away",
            vec![web("a", 2).with_port(80, Strict), trial(web("t", 1).with_mode(Permissive))],
            vec![],
        ),
    ] {
        assert_eq!(brief(&lint_values(policies)), want, "{name}");
    }
}

/// Two kinds of workloads: `web-1` (app=web, version=v1) and `api-1` (app=api, version=v1), both serving 8000 at 80.
fn inventory() -> Resources {
    let entry = |app: &str, last: u8| {
        let spec = WorkloadSpec::new(std::net::IpAddr::from(Ipv4Addr::new(10, 0, 0, last)))
            .with_labels([("app", app), ("version", "v1")])
            .with_service_account(app);
        WorkloadEntry::new("foo", format!("{app}-1"), spec)
    };
    let mut service = ServiceEntry::new("foo", "all", "all.foo.svc.cluster.local")
        .with_port(ServicePort::new("http", 8000).with_target_port(80));
    service.workload_selector = Some([("version", "v1")].into());
    Resources::default()
        .with_workload_entries([entry("web", 1), entry("api", 2)])
        .with_service_entries([service])
}

#[test]
fn with_an_inventory() {
    let version = |name: &str, age| policy(name, age).with_selector([("version", "v1")]);
    let api = |name: &str, age| policy(name, age).with_selector([("app", "api")]);
    for (name, policies, want) in [
        (
            "each workload is taken by an older policy",
            vec![
                web("a", 1).with_mode(Strict),
                api("b", 2).with_mode(Strict),
                version("c", 3).with_mode(Disable),
            ],
            vec!["MT002 foo/c spec.selector"],
        ),
        (
            "one workload is left",
            vec![web("a", 1).with_mode(Strict), version("c", 3).with_mode(Disable)],
            vec![],
        ),
        (
            "ports lost at one workload of two",
            vec![
                web("a", 1).with_mode(Strict).with_port(80, Disable),
                version("c", 3).with_mode(Strict).with_port(80, Permissive),
            ],
            vec!["MT010 foo/c spec.portLevelMtls.80"],
        ),
        (
            "another age, and nothing is lost",
            vec![
                web("a", 3).with_mode(Strict).with_port(80, Disable),
                version("c", 4).with_mode(Strict).with_port(80, Disable),
            ],
            vec![],
        ),
        (
            "the Service's port",
            vec![web("a", 1).with_port(8000, Strict)],
            vec!["MT006 foo/a spec.portLevelMtls.8000"],
        ),
        (
            "a port of nobody",
            vec![web("a", 1).with_port(81, Strict)],
            vec!["MT005 foo/a spec.portLevelMtls.81"],
        ),
        ("the container's port", vec![web("a", 1).with_port(80, Strict)], vec![]),
        (
            "a selector of nobody",
            vec![
                policy("a", 1)
                    .with_selector([("app", "db")])
                    .with_mode(Strict),
            ],
            vec!["MT008 foo/a spec.selector.matchLabels"],
        ),
        (
            "a selector of another namespace's workloads",
            vec![
                PeerAuthentication::new("bar", "a")
                    .with_selector([("app", "web")])
                    .with_mode(Strict),
            ],
            vec!["MT008 bar/a spec.selector.matchLabels"],
        ),
    ] {
        let settings = MeshSettings::default();
        let resources = inventory().with_peer_authentications(policies);
        let inventory = Inventory::from_resources(&settings, &resources);
        assert_eq!(brief(&lint(&settings, &resources, Some(&inventory))), want, "{name}");
    }
}
