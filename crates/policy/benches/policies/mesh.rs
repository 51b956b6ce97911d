//! A mesh of any size: its policies and its workloads.

use meshtls_policy::{
    Labels, MeshSettings, MtlsMode, PeerAuthentication, PolicySet, Resources, Workload,
};

/// So many policies, in a namespace for each ten of them and in 1,000 at most: a policy for the namespace, and others for
/// workloads of it, of which each second one asks for two labels and each fifth one has an entry for a port.
pub(crate) fn resources(policies: usize) -> Resources {
    let namespaces = namespaces(policies);
    (0..policies)
        .map(|number| {
            let namespace = format!("namespace-{}", number % namespaces);
            let nth = number / namespaces;
            if nth == 0 {
                return PeerAuthentication::new(namespace, "default").with_mode(MtlsMode::Strict);
            }
            let mut selector = Labels::from([("app", format!("app-{nth}"))]);
            if nth.is_multiple_of(2) {
                selector.insert("version", "v1");
            }
            let policy = PeerAuthentication::new(namespace, format!("policy-{nth}"))
                .with_selector(selector)
                .with_mode(MtlsMode::Permissive);
            if nth.is_multiple_of(5) { policy.with_port(8080, MtlsMode::Disable) } else { policy }
        })
        .collect()
}

fn namespaces(policies: usize) -> usize {
    (policies / 10).clamp(1, 1_000)
}

/// Compiles with the default settings.
pub(crate) fn compile(resources: &Resources) -> PolicySet {
    PolicySet::compile(MeshSettings::default(), resources)
}

/// The workload of this number: ten labels, as pods of a Helm chart have them.
pub(crate) fn workload(policies: usize, number: usize) -> Workload {
    let namespaces = namespaces(policies);
    let app = format!("app-{}", 1 + number * 7 % (policies / namespaces).max(2));
    let labels = Labels::from([
        ("app", app.as_str()),
        ("app.kubernetes.io/component", "backend"),
        ("app.kubernetes.io/instance", "shop-prod"),
        ("app.kubernetes.io/managed-by", "Helm"),
        ("app.kubernetes.io/name", app.as_str()),
        ("app.kubernetes.io/version", "1.42.0"),
        ("pod-template-hash", "7d4b9c6f5d"),
        ("service.istio.io/canonical-name", app.as_str()),
        ("topology.kubernetes.io/region", "eu-central-1"),
        ("version", "v1"),
    ]);
    Workload::new(format!("namespace-{}", number * 13 % namespaces), labels)
}

/// A thousand of them, of all namespaces.
pub(crate) fn workloads(policies: usize) -> Vec<Workload> {
    (0..1_000)
        .map(|number| workload(policies, number))
        .collect()
}
