//! Findings about `Sidecar` beside the examples of `docs/lint.md`: each row a small set and all that is found.

use meshtls_policy::{
    IngressListener, MeshSettings, MtlsMode, PeerAuthentication, Resources, ServerTls, Sidecar,
    Timestamp, lint,
};

use crate::brief;

fn sidecar(name: &str, age: i64) -> Sidecar {
    Sidecar::new("foo", name).with_created(Timestamp::from_unix_seconds(age))
}

fn web(name: &str, age: i64) -> Sidecar {
    sidecar(name, age).with_workload_selector([("app", "web")])
}

fn all(name: &str, age: i64) -> Sidecar {
    sidecar(name, age).with_workload_selector([("", ""); 0])
}

fn root(name: &str, age: i64) -> Sidecar {
    Sidecar::new("istio-system", name).with_created(Timestamp::from_unix_seconds(age))
}

#[test]
fn which_are_for_nobody() {
    for (name, sidecars, want) in [
        (
            "the oldest without selector",
            vec![sidecar("a", 1), sidecar("b", 2)],
            vec!["MT304 foo/b spec.workloadSelector"],
        ),
        (
            "the same selector",
            vec![web("a", 2), web("b", 1)],
            vec!["MT304 foo/a spec.workloadSelector"],
        ),
        ("a selector and none", vec![sidecar("a", 1), web("b", 2)], vec![]),
        (
            "a selector without labels goes before none",
            vec![sidecar("a", 1), all("b", 2)],
            vec!["MT304 foo/a spec.workloadSelector"],
        ),
        (
            "a selector without labels takes from younger ones",
            vec![all("a", 1), web("b", 2)],
            vec!["MT304 foo/b spec.workloadSelector"],
        ),
        (
            "a selector without labels takes not from older ones",
            vec![all("a", 2), web("b", 1)],
            vec![],
        ),
        ("other namespaces", vec![sidecar("a", 1), Sidecar::new("bar", "b")], vec![]),
        ("the mesh and a namespace", vec![root("a", 1), sidecar("b", 2)], vec![]),
        (
            "two for the mesh",
            vec![root("a", 1), root("b", 2)],
            vec!["MT304 istio-system/b spec.workloadSelector"],
        ),
        (
            "for the mesh, beside one for all of the root namespace",
            vec![root("a", 1), root("b", 2).with_workload_selector([("", ""); 0])],
            vec![],
        ),
    ] {
        let resources = Resources::default().with_sidecars(sidecars);
        assert_eq!(brief(&lint(&MeshSettings::default(), &resources, None)), want, "{name}");
    }
}

#[test]
fn ports() {
    let policy = |selector: &[(&'static str, &'static str)]| {
        PeerAuthentication::new("foo", "p")
            .with_selector(selector.iter().copied().collect::<meshtls_policy::Labels>())
    };
    let disable = |selector| policy(selector).with_port(9080, MtlsMode::Disable);
    let https = || IngressListener::new(9080, "HTTPS");
    let tls = || https().with_tls(ServerTls::simple("a", "b"));
    for (name, listener, policy, want) in [
        ("the port is DISABLE", tls(), disable(&[("app", "web")]), vec![]),
        (
            "another port is DISABLE",
            tls(),
            policy(&[("app", "web")]).with_port(9081, MtlsMode::Disable),
            vec!["MT301 foo/s spec.ingress[0].tls"],
        ),
        (
            "the port of some of the workloads is DISABLE",
            tls(),
            disable(&[("app", "web"), ("version", "v1")]),
            vec![],
        ),
        (
            "the port of workloads with another label may be",
            tls(),
            disable(&[("version", "v1")]),
            vec![],
        ),
        (
            "the port of other workloads is DISABLE",
            tls(),
            disable(&[("app", "db")]),
            vec!["MT301 foo/s spec.ingress[0].tls"],
        ),
        (
            "the workload is DISABLE",
            tls(),
            policy(&[("app", "web")]).with_mode(MtlsMode::Disable),
            vec![],
        ),
        (
            "HTTPS in a mode that takes plaintext",
            https(),
            disable(&[("app", "web")]),
            vec!["MT303 foo/s spec.ingress[0].port.protocol"],
        ),
        (
            "HTTPS under STRICT",
            https(),
            policy(&[("app", "web")]).with_mode(MtlsMode::Strict),
            vec![],
        ),
        (
            "TCP in a mode that takes plaintext",
            IngressListener::new(9080, "TCP"),
            disable(&[("app", "web")]),
            vec![],
        ),
    ] {
        let resources = Resources::default()
            .with_sidecars([web("s", 1).with_ingress(listener)])
            .with_peer_authentications([policy]);
        assert_eq!(brief(&lint(&MeshSettings::default(), &resources, None)), want, "{name}");
    }
}
