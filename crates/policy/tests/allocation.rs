//! Lookups on the connection path allocate nothing, however many policies there are.

use allocation_counter::measure;
use meshtls_policy::{
    MeshSettings, MtlsMode, PeerAuthentication, PolicyHandle, PolicySet, Workload,
};

#[test]
fn a_lookup_allocates_nothing() {
    let policies = (0..1_000).flat_map(|number| {
        let namespace = format!("ns-{number}");
        [
            PeerAuthentication::new(&namespace, "default").with_mode(MtlsMode::Strict),
            PeerAuthentication::new(&namespace, "web")
                .with_selector([("app", "web")])
                .with_port(9090, MtlsMode::Disable),
        ]
    });
    let mesh = PeerAuthentication::new("istio-system", "default").with_mode(MtlsMode::Permissive);
    let set = PolicySet::compile(MeshSettings::default(), &policies.chain([mesh]).collect());
    let handle = PolicyHandle::new(set);
    let web = Workload::new("ns-7", [("app", "web"), ("version", "v1")]);
    let stranger = Workload::new("elsewhere", [("app", "web")]);

    // The handle prepares each thread once, at its first read.
    drop(handle.load());
    let mut modes = Vec::with_capacity(4);
    let counted = measure(|| {
        let set = handle.load();
        for (workload, port) in [(&web, 9090), (&web, 8080), (&stranger, 9090)] {
            modes.push(set.resolve(workload, port).mode());
        }
        modes.push(
            set.resolve(&web, 9090)
                .winner()
                .policy()
                .map_or(MtlsMode::Permissive, |_named| MtlsMode::Disable),
        );
    });
    assert_eq!(
        modes,
        [MtlsMode::Disable, MtlsMode::Strict, MtlsMode::Permissive, MtlsMode::Disable]
    );
    assert_eq!(counted.count_total, 0, "{counted:?}");
}
