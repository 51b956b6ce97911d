//! Sets in which a rule that looks at pairs would take minutes.

use std::net::{IpAddr, Ipv4Addr};

use meshtls_policy::{
    AuthorizationPolicy, ClientTls, ClientTlsMode, Code, DestinationRule, Inventory, MeshSettings,
    MtlsMode, Operation, PeerAuthentication, Resources, Rule, ServiceEntry, ServicePort, Sidecar,
    WorkloadEntry, WorkloadSpec, lint,
};

const MANY: u32 = 10_000;

fn name(nth: u32) -> String {
    format!("p-{nth:05}")
}

/// One label that all share, and one of its own; all in one namespace, with a workload for each.
#[test]
fn ten_thousand_policies_and_workloads_in_one_namespace() {
    let labels = |nth| [("app".to_owned(), "web".to_owned()), ("version".to_owned(), name(nth))];
    let policies = (0..MANY).map(|nth| {
        PeerAuthentication::new("foo", name(nth))
            .with_selector(labels(nth))
            .with_mode(MtlsMode::Strict)
            .with_port(80, MtlsMode::Disable)
    });
    let workloads = (0..MANY).map(|nth| {
        let spec = WorkloadSpec::new(IpAddr::from(Ipv4Addr::from(nth)))
            .with_labels(labels(nth))
            .with_service_account("web");
        WorkloadEntry::new("foo", name(nth), spec)
    });
    let resources = Resources::default()
        .with_peer_authentications(policies)
        .with_workload_entries(workloads);
    let settings = MeshSettings::default();
    let inventory = Inventory::from_resources(&settings, &resources);
    assert_eq!(lint(&settings, &resources, Some(&inventory)), []);
}

/// Authorization and client rules, all for the same workloads and hosts.
#[test]
fn ten_thousand_policies_of_the_other_kinds() {
    let settings = MeshSettings::default();
    let ports = || Rule::new().with_to(Operation::default().with_ports(["80"]));
    let allow = |nth| AuthorizationPolicy::new("foo", name(nth)).with_rule(ports());
    let rule = |nth| {
        DestinationRule::new(name(nth), "all", "*.local")
            .with_tls(ClientTls::new(ClientTlsMode::IstioMutual))
    };
    let workloads = (0..MANY).map(|nth| {
        let spec = WorkloadSpec::new(IpAddr::from(Ipv4Addr::from(nth)))
            .with_labels([("app".to_owned(), "web".to_owned()), ("version".to_owned(), name(nth))])
            .with_service_account("web");
        WorkloadEntry::new("foo", name(nth), spec)
    });
    let mut service = ServiceEntry::new("foo", "web", "web.foo.svc.cluster.local")
        .with_port(ServicePort::new("http", 80));
    service.workload_selector = Some([("app", "web")].into());
    let resources = Resources::default()
        .with_authorization_policies((0..MANY).map(allow))
        .with_destination_rules((0..MANY).map(rule))
        .with_sidecars((0..MANY).map(|nth| Sidecar::new(name(nth), "default")))
        .with_service_entries([service])
        .with_workload_entries(workloads);
    let inventory = Inventory::from_resources(&settings, &resources);
    assert_eq!(lint(&settings, &resources, Some(&inventory)), []);
}

/// All with one selector, and all UNSET with selectors that exclude each other.
#[test]
fn ten_thousand_policies_that_are_found() {
    let settings = MeshSettings::default();
    let same: Resources = (0..MANY)
        .map(|nth| PeerAuthentication::new("foo", name(nth)).with_selector([("app", "web")]))
        .collect();
    let findings = lint(&settings, &same, None);
    assert_eq!(findings.len(), 9_999);
    assert!(
        findings
            .iter()
            .all(|finding| finding.code == Code::DuplicatePolicy)
    );
    let unset: Resources = (0..MANY)
        .map(|nth| PeerAuthentication::new("foo", name(nth)).with_selector([("app", name(nth))]))
        .collect();
    let findings = lint(&settings, &unset, None);
    assert_eq!(findings.len(), 10_000);
    assert!(
        findings
            .iter()
            .all(|finding| finding.code == Code::UnsetPolicy)
    );
}
