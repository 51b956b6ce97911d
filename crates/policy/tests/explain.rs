//! Explanations: the questions that users of Istio had to ask, and how the answers read.

use meshtls_policy::{
    LossReason, MeshSettings, MtlsMode, Note, PeerAuthentication, PolicySet, Resources, Timestamp,
    Winner, Workload,
};

fn compile(policies: impl IntoIterator<Item = PeerAuthentication>) -> PolicySet {
    PolicySet::compile(MeshSettings::default(), &policies.into_iter().collect())
}

fn httpbin() -> Workload {
    Workload::new("foo", [("app", "httpbin"), ("version", "v1")])
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

#[test]
fn every_part_of_the_text() {
    let set = compile([
        PeerAuthentication::new("istio-system", "default")
            .with_mode(MtlsMode::Strict)
            .with_port(7, MtlsMode::Disable),
        PeerAuthentication::new("istio-system", "second").with_mode(MtlsMode::Disable),
        PeerAuthentication::new("istio-system", "root-selector")
            .with_selector([("app", "httpbin")]),
        PeerAuthentication::new("foo", "default"),
        PeerAuthentication::new("foo", "httpbin")
            .with_selector([("app", "httpbin")])
            .with_mode(MtlsMode::Permissive)
            .with_port(8000, MtlsMode::Disable)
            .with_port(9000, None)
            .with_created(at(1)),
        PeerAuthentication::new("foo", "httpbin-more")
            .with_selector([("version", "v1")])
            .with_port(80, MtlsMode::Strict)
            .with_created(at(2)),
        PeerAuthentication::new("foo", "other").with_selector([("app", "other")]),
        PeerAuthentication::new("foo", "tier").with_selector([("tier", "web")]),
        PeerAuthentication::new("bar", "default"),
        PeerAuthentication::new("baz", "default"),
    ]);
    let want = "\
PERMISSIVE on port 80 of a workload in namespace foo, labels app=httpbin,version=v1
because of workload policy foo/httpbin

  default    Istio                 PERMISSIVE
  mesh       istio-system/default  STRICT
  namespace  foo/default           UNSET, so still STRICT
  workload   foo/httpbin           PERMISSIVE  <- decides
  port 80    no entry

without effect here:
  foo/httpbin-more: foo/httpbin is older; policies are not merged (port 80 for nothing)
  foo/other: selects app=other, the workload has app=httpbin
  foo/tier: selects tier=web, the workload has no label tier
  istio-system/root-selector: a selector in the root namespace has no effect for PeerAuthentication
  istio-system/second: istio-system/default is of the same second and before it by name; policies are not merged
  2 policies of other namespaces

note:
  istio-system/default has no selector, so its portLevelMtls (port 7) has no effect
  foo/httpbin has entries for other ports only (ports 8000, 9000); they are workload (container) ports, not service ports
";
    assert_eq!(set.explain(&httpbin(), 80).to_string(), want);
    let port = set.explain(&httpbin(), 8000).to_string();
    assert!(port.contains("  port 8000  foo/httpbin           DISABLE  <- decides\n"), "{port}");
    let unset = set.explain(&httpbin(), 9000).to_string();
    assert!(
        unset.contains("  port 9000  foo/httpbin           UNSET, so still PERMISSIVE\n"),
        "{unset}"
    );
}

#[test]
fn no_policy_at_all() {
    let want = "\
PERMISSIVE on port 80 of a workload in namespace foo, no labels
because of default, no policy sets a mode

  default    Istio      PERMISSIVE  <- decides
  mesh       no policy
  namespace  no policy
  workload   no policy
  port 80    no entry
";
    let workload = Workload::new("foo", meshtls_policy::Labels::default());
    assert_eq!(compile([]).explain(&workload, 80).to_string(), want);
}

#[test]
fn data_is_json() {
    let set = compile([
        PeerAuthentication::new("foo", "a")
            .with_selector([("app", "httpbin")])
            .with_mode(MtlsMode::Strict),
        PeerAuthentication::new("foo", "b").with_selector([("app", "web")]),
    ]);
    let got = serde_json::to_value(set.explain(&httpbin(), 80)).unwrap();
    let want = serde_json::json!({
        "workload": { "namespace": "foo", "labels": { "app": "httpbin", "version": "v1" } },
        "port": 80,
        "mode": "STRICT",
        "winner": { "level": "workload", "policy": "foo/a" },
        "levels": [
            { "level": "default", "policy": null, "sets": "PERMISSIVE", "mode": "PERMISSIVE", "decides": false },
            { "level": "mesh", "policy": null, "sets": null, "mode": "PERMISSIVE", "decides": false },
            { "level": "namespace", "policy": null, "sets": null, "mode": "PERMISSIVE", "decides": false },
            { "level": "workload", "policy": "foo/a", "sets": "STRICT", "mode": "STRICT", "decides": true },
            { "level": "port", "policy": null, "sets": null, "mode": "STRICT", "decides": false },
        ],
        "shadow": null,
        "losers": [{
            "policy": "foo/b", "mode": null, "ports": [],
            "reason": { "reason": "selector_mismatch", "key": "app", "wanted": "web", "found": "httpbin" },
        }],
        "notes": [],
    });
    assert_eq!(got, want);
}

#[test]
fn winners_read_well() {
    let mesh = PeerAuthentication::new("istio-system", "default").with_mode(MtlsMode::Strict);
    let namespace = PeerAuthentication::new("foo", "ns").with_mode(MtlsMode::Disable);
    let workload = PeerAuthentication::new("foo", "w")
        .with_selector([("app", "httpbin")])
        .with_mode(MtlsMode::Strict)
        .with_port(80, MtlsMode::Permissive);
    let set = compile([mesh, namespace, workload]);
    let other = Workload::new("foo", [("app", "other")]);
    let far = Workload::new("bar", [("app", "other")]);
    for (workload, port, want) in [
        (&far, 80, "mesh policy istio-system/default"),
        (&other, 80, "namespace policy foo/ns"),
        (&httpbin(), 81, "workload policy foo/w"),
        (&httpbin(), 80, "port entry of workload policy foo/w"),
    ] {
        let winner = set.resolve(workload, port).winner();
        assert_eq!(winner.to_string(), want);
        assert_eq!(winner.policy().unwrap().to_string(), want.rsplit(' ').next().unwrap());
    }
    assert_eq!(compile([]).resolve(&far, 80).winner(), Winner::Default);
    assert_eq!(Winner::Default.policy(), None);
}

/// istio/istio#49098: the port entry named the Service's port (8000), the container listens on 80.
#[test]
fn port_entry_for_the_service_port() {
    let policy = PeerAuthentication::new("foo", "httpbin")
        .with_selector([("app", "httpbin")])
        .with_port(8000, MtlsMode::Strict);
    let set = compile([policy.clone()]);
    assert_eq!(set.resolve(&httpbin(), 80).mode(), MtlsMode::Permissive);
    let explained = set.explain(&httpbin(), 80);
    let note = Note::NoEntryForPort { policy: policy.name().clone(), ports: vec![8000] };
    assert_eq!(explained.notes, [note]);
    assert!(
        explained
            .to_string()
            .contains("workload (container) ports, not service ports")
    );
}

/// istio/istio#27994: port exceptions on a mesh-wide policy without selector were ignored silently.
#[test]
fn port_exceptions_without_selector() {
    let text = "
apiVersion: security.istio.io/v1beta1
kind: PeerAuthentication
metadata:
  name: default
  namespace: istio-system
spec:
  mtls:
    mode: STRICT
  portLevelMtls:
    8080:
      mode: DISABLE
";
    let error = Resources::parse("mesh.yaml", text).unwrap_err();
    assert_eq!(error.reason(), "port_level_needs_selector");
    assert_eq!(
        error.to_string(),
        "mesh.yaml:11:5: spec.portLevelMtls: portLevelMtls needs a selector with labels: without one it would have no effect"
    );
    let as_value = PeerAuthentication::new("istio-system", "default")
        .with_mode(MtlsMode::Strict)
        .with_port(8080, MtlsMode::Disable);
    let explained = compile([as_value.clone()]).explain(&httpbin(), 8080);
    assert_eq!(explained.mode, MtlsMode::Strict);
    let note = Note::PortsWithoutSelector { policy: as_value.name().clone(), ports: vec![8080] };
    assert_eq!(explained.notes, [note]);
}

/// istio/istio#48036: two policies for one workload, each with another port; only one counted.
#[test]
fn two_policies_for_one_workload() {
    let first = PeerAuthentication::new("foo", "port-8000")
        .with_selector([("app", "httpbin")])
        .with_port(8000, MtlsMode::Permissive)
        .with_created(at(1));
    let second = PeerAuthentication::new("foo", "port-9000")
        .with_selector([("app", "httpbin")])
        .with_port(9000, MtlsMode::Permissive)
        .with_created(at(2));
    let mesh = PeerAuthentication::new("istio-system", "default").with_mode(MtlsMode::Strict);
    let explained = compile([mesh, first.clone(), second.clone()]).explain(&httpbin(), 9000);
    assert_eq!(explained.mode, MtlsMode::Strict);
    let [loser] = explained.losers.as_slice() else { unreachable!("one policy lost: {explained}") };
    assert_eq!((&loser.policy, loser.ports.as_slice()), (second.name(), [9000].as_slice()));
    assert_eq!(
        loser.reason,
        LossReason::OlderPolicyWon { winner: first.name().clone(), same_age: false }
    );
}

#[test]
fn strict_workload_in_a_disabled_namespace() {
    let set = compile([
        PeerAuthentication::new("foo", "default").with_mode(MtlsMode::Disable),
        PeerAuthentication::new("foo", "w")
            .with_selector([("app", "httpbin")])
            .with_mode(MtlsMode::Strict),
    ]);
    let explained = set.explain(&httpbin(), 80);
    assert_eq!(explained.notes, [Note::ClientsSendPlaintext]);
    assert!(
        explained
            .to_string()
            .contains("they will send plaintext and be refused")
    );
}

#[test]
fn workload_in_the_root_namespace() {
    let set = compile([
        PeerAuthentication::new("istio-system", "default").with_mode(MtlsMode::Strict),
        PeerAuthentication::new("istio-system", "w")
            .with_selector([("app", "httpbin")])
            .with_mode(MtlsMode::Disable),
        PeerAuthentication::new("foo", "default"),
    ]);
    let workload = Workload::new("istio-system", [("app", "httpbin")]);
    let explained = set.explain(&workload, 80);
    assert_eq!(explained.mode, MtlsMode::Strict);
    assert_eq!(explained.notes, [Note::RootNamespaceWorkload]);
    let text = explained.to_string();
    assert!(
        text.contains("  istio-system/w: a selector in the root namespace has no effect"),
        "{text}"
    );
    assert!(text.contains("  foo/default: of another namespace\n"), "{text}");
    assert!(text.contains("only the mesh policy applies to it"), "{text}");
}

/// istio/ztunnel#792: STRICT but for one PERMISSIVE port. That port, and no other, takes plaintext, and clients of the mesh go on
/// with mTLS on all of them.
#[test]
fn ztunnel_issue_792_the_exception_is_for_its_port_alone() {
    let policy = PeerAuthentication::new("default", "strict-and-permissive-mtls")
        .with_selector([("app", "httpbin")])
        .with_mode(MtlsMode::Strict)
        .with_port(8080, MtlsMode::Permissive);
    let set = PolicySet::compile(
        MeshSettings::default(),
        &Resources::default().with_peer_authentications([policy]),
    );
    let httpbin = Workload::new("default", [("app", "httpbin")]);
    for (port, mode, winner) in [
        (
            8080,
            MtlsMode::Permissive,
            "port entry of workload policy default/strict-and-permissive-mtls",
        ),
        (9090, MtlsMode::Strict, "workload policy default/strict-and-permissive-mtls"),
    ] {
        let explanation = set.explain(&httpbin, port);
        assert_eq!(explanation.mode, mode, "{port}");
        assert_eq!(explanation.winner.to_string(), winner, "{port}");
    }
}
