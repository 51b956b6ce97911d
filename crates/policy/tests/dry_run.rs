//! Policies on trial: what acts, what would act, and how it is told.

use meshtls_policy::{
    LossReason, MeshSettings, MtlsMode, PeerAuthentication, PolicySet, Resources, Timestamp,
    Winner, Workload,
};

use MtlsMode::{Disable, Permissive, Strict};

fn compile(policies: impl IntoIterator<Item = PeerAuthentication>) -> PolicySet {
    PolicySet::compile(MeshSettings::default(), &policies.into_iter().collect())
}

fn httpbin() -> Workload {
    Workload::new("foo", [("app", "httpbin")])
}

fn mesh(mode: MtlsMode) -> PeerAuthentication {
    PeerAuthentication::new("istio-system", "default").with_mode(mode)
}

/// A policy of namespace foo, created in this second.
fn foo(name: &str, second: i64) -> PeerAuthentication {
    PeerAuthentication::new("foo", name).with_created(Timestamp::from_unix_seconds(second))
}

#[test]
fn what_acts_and_what_would_act() {
    let trial = |policy: PeerAuthentication| policy.with_dry_run(true);
    let selected = |policy: PeerAuthentication| policy.with_selector([("app", "httpbin")]);
    for (case, policies, acts, would_act) in [
        ("nothing on trial", vec![mesh(Strict)], (Strict, "default"), None),
        ("the mesh", vec![trial(mesh(Strict))], (Permissive, "-"), Some((Strict, "default"))),
        (
            "the mesh, with a namespace that says otherwise",
            vec![trial(mesh(Strict)), foo("ns", 1).with_mode(Disable)],
            (Disable, "ns"),
            Some((Disable, "ns")),
        ),
        (
            "a namespace",
            vec![mesh(Permissive), trial(foo("ns", 1).with_mode(Strict))],
            (Permissive, "default"),
            Some((Strict, "ns")),
        ),
        (
            "younger than the policy that acts: it would lose",
            vec![foo("old", 1).with_mode(Permissive), trial(foo("new", 2).with_mode(Strict))],
            (Permissive, "old"),
            None,
        ),
        (
            "older than the policy that acts: it would win",
            vec![foo("new", 2).with_mode(Permissive), trial(foo("old", 1).with_mode(Strict))],
            (Permissive, "new"),
            Some((Strict, "old")),
        ),
        (
            "two on trial: the older one of them",
            vec![
                trial(selected(foo("b", 2)).with_mode(Disable)),
                trial(selected(foo("a", 1)).with_mode(Strict)),
            ],
            (Permissive, "-"),
            Some((Strict, "a")),
        ),
        (
            "a policy on trial that hides an entry for the port",
            vec![
                selected(foo("ports", 2)).with_port(80, Disable),
                trial(selected(foo("all", 1)).with_mode(Strict)),
            ],
            (Disable, "ports"),
            Some((Strict, "all")),
        ),
        (
            "an entry for the port",
            vec![mesh(Strict), trial(selected(foo("ports", 1)).with_port(80, Permissive))],
            (Strict, "default"),
            Some((Permissive, "ports")),
        ),
        (
            "UNSET counts as a policy, and changes nothing",
            vec![mesh(Strict), trial(selected(foo("unset", 1)))],
            (Strict, "default"),
            Some((Strict, "default")),
        ),
        (
            "another workload's",
            vec![trial(
                foo("other", 1)
                    .with_selector([("app", "other")])
                    .with_mode(Strict),
            )],
            (Permissive, "-"),
            None,
        ),
        (
            "another namespace's",
            vec![trial(PeerAuthentication::new("bar", "ns").with_mode(Strict))],
            (Permissive, "-"),
            None,
        ),
        (
            "a selector in the root namespace",
            vec![trial(selected(PeerAuthentication::new("istio-system", "w")).with_mode(Strict))],
            (Permissive, "-"),
            None,
        ),
    ] {
        let set = compile(policies);
        let by = |winner: Winner| {
            winner
                .policy()
                .map_or_else(|| "-".to_owned(), |policy| policy.name().to_owned())
        };
        let resolved = set.resolve(&httpbin(), 80);
        assert_eq!((resolved.mode(), &*by(resolved.winner())), acts, "{case}");
        let shadow = set
            .shadow(&httpbin(), 80)
            .map(|shadow| (shadow.mode(), by(shadow.winner())));
        let would_act = would_act.map(|(mode, name)| (mode, name.to_owned()));
        assert_eq!(shadow, would_act, "{case}");
    }
}

#[test]
fn clients_do_not_see_policies_on_trial() {
    let set = compile([foo("ns", 1).with_mode(Disable).with_dry_run(true)]);
    assert_eq!(set.namespace_mode("foo"), Permissive);
}

#[test]
fn the_annotation_of_authorization_policies_is_refused_elsewhere() {
    for (kind, group, spec) in [
        ("PeerAuthentication", "security", "{ mtls: { mode: STRICT } }"),
        ("DestinationRule", "networking", "{ host: a }"),
        ("Sidecar", "networking", "{ ingress: [{ port: { number: 80 } }] }"),
        ("ServiceEntry", "networking", "{ hosts: [a.example] }"),
        ("WorkloadEntry", "networking", "{ address: 10.0.0.1 }"),
    ] {
        let with = |annotation: &str| {
            let text = format!(
                "apiVersion: {group}.istio.io/v1\nkind: {kind}\nmetadata:\n  name: a\n  namespace: foo\n  annotations:\n    \
                 {annotation}: \"true\"\nspec: {spec}\n"
            );
            Resources::parse("dry.yaml", &text).map_err(|error| error.reason())
        };
        assert_eq!(with("istio.io/dry-run").err(), Some("dry_run_unsupported"), "{kind}");
        assert_eq!(with("istio.io/rev").err(), None, "{kind}");
    }
    let policy = serde_json::json!({
        "apiVersion": "security.istio.io/v1",
        "kind": "PeerAuthentication",
        "metadata": { "name": "a", "namespace": "foo", "annotations": { "istio.io/dry-run": "true" } },
    });
    assert!(serde_json::from_value::<PeerAuthentication>(policy).is_err());
}

#[test]
fn the_annotation_is_true_or_false() {
    let text = |annotation: &str| {
        format!(
            "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata:\n  name: default\n  namespace: foo\n  \
             annotations:\n    meshtls.dev/dry-run: {annotation}\nspec:\n  mtls:\n    mode: STRICT\n"
        )
    };
    for (annotation, dry_run) in [("\"true\"", true), ("'true'", true), ("\"false\"", false)] {
        let read = Resources::parse("dry.yaml", &text(annotation)).unwrap();
        let [policy] = read.peer_authentications() else { unreachable!("one policy") };
        assert_eq!(policy.is_dry_run(), dry_run, "{annotation}");
    }
    for (annotation, reason) in [
        ("\"True\"", "bad_dry_run"),
        ("\"yes\"", "bad_dry_run"),
        ("\"\"", "bad_dry_run"),
        ("\" true\"", "bad_dry_run"),
        ("true", "wrong_type"),
        ("1", "wrong_type"),
    ] {
        let error = Resources::parse("dry.yaml", &text(annotation)).unwrap_err();
        assert_eq!(error.reason(), reason, "{annotation}");
    }
    assert_eq!(
        Resources::parse("dry.yaml", &text("\"yes\""))
            .unwrap_err()
            .to_string(),
        r#"dry.yaml:7:26: metadata.annotations["meshtls.dev/dry-run"]: `yes` says neither "true" (on trial) nor "false" (in force)"#
    );
}

#[test]
fn a_value_is_put_on_trial_and_taken_off_it() {
    let policy = foo("ns", 1);
    let trial = policy.clone().with_dry_run(true);
    assert!(trial.is_dry_run() && !policy.is_dry_run());
    assert_eq!(trial.with_dry_run(false), policy);
}

#[test]
fn an_explanation_shows_what_would_be() {
    let set = compile([
        mesh(Permissive),
        foo("ns", 1).with_mode(Strict).with_dry_run(true),
        foo("younger", 2).with_mode(Disable).with_dry_run(true),
        foo("other", 1)
            .with_selector([("app", "other")])
            .with_dry_run(true),
    ]);
    let explained = set.explain(&httpbin(), 80);
    assert_eq!(explained.mode, Permissive);
    let shadow = explained.shadow.as_ref().unwrap();
    assert_eq!(shadow.mode, Strict);
    assert_eq!(shadow.winner, set.shadow(&httpbin(), 80).unwrap().winner());
    assert!(
        shadow
            .levels
            .iter()
            .any(|level| level.decides && level.mode == Strict)
    );
    let reasons: Vec<&LossReason> = explained.losers.iter().map(|loser| &loser.reason).collect();
    assert!(
        matches!(
            reasons.as_slice(),
            [
                LossReason::DryRun,
                LossReason::SelectorMismatch { .. },
                LossReason::OlderPolicyWon { .. }
            ]
        ),
        "{reasons:?}"
    );
    let want = "\
PERMISSIVE on port 80 of a workload in namespace foo, labels app=httpbin
because of mesh policy istio-system/default

  default    Istio                 PERMISSIVE
  mesh       istio-system/default  PERMISSIVE  <- decides
  namespace  no policy
  workload   no policy
  port 80    no entry

without dry-run:
  would be STRICT, because of namespace policy foo/ns

without effect here:
  foo/ns: on trial (dry-run): it is watched and does not act
  foo/other: selects app=other, the workload has app=httpbin
  foo/younger: foo/ns is older; policies are not merged
";
    assert_eq!(explained.to_string(), want);

    let same = compile([mesh(Strict), foo("ns", 1).with_mode(Strict).with_dry_run(true)]);
    let text = same.explain(&httpbin(), 80).to_string();
    assert!(text.contains("  would stay STRICT, because of namespace policy foo/ns\n"), "{text}");
}
