//! Lookups on the connection path allocate nothing, however many policies there are.

use allocation_counter::measure;
use meshtls_policy::{
    Labels, MeshSettings, MtlsMode, PeerAuthentication, PolicyHandle, PolicySet, Resources,
    Workload,
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
