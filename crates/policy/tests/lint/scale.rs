//! Sets in which a rule that looks at pairs would take minutes.

use std::net::{IpAddr, Ipv4Addr};

use meshtls_policy::{
    Code, Inventory, MeshSettings, MtlsMode, PeerAuthentication, Resources, WorkloadEntry,
    WorkloadSpec, lint,
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
