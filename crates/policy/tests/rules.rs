//! The rules of `PeerAuthentication` stated a second time, one function for each of PA-1 to PA-9, DRY-1 and DRY-2 in
//! `docs/spec-coverage.md`, and held against the crate on random policies. Only the resource types are shared.

use std::collections::BTreeMap;
use std::sync::Arc;

use meshtls_policy::{
    MeshSettings, MtlsMode, PeerAuthentication, PolicySet, Resolved, ResourceName, Resources,
    Timestamp, Workload,
};
use proptest::prelude::*;

const ROOT: &str = "root";

/// PA-1: creation time, then name, then namespace, in byte order. An absent time is the oldest.
fn pa_1_order(policies: &[PeerAuthentication]) -> Vec<&PeerAuthentication> {
    let mut ordered: Vec<&PeerAuthentication> = policies.iter().collect();
    ordered.sort_by_key(|policy| {
        let name = policy.name();
        (
            policy.metadata.created,
            name.name().as_bytes().to_vec(),
            name.namespace().as_bytes().to_vec(),
        )
    });
    ordered
}

/// PA-2: only the workload's own namespace and the root namespace are looked at.
fn pa_2_two_namespaces<'a>(
    ordered: &[&'a PeerAuthentication],
    workload: &Workload,
) -> Vec<&'a PeerAuthentication> {
    let looked_at = |policy: &PeerAuthentication| {
        [ROOT, &workload.namespace].contains(&policy.name().namespace())
    };
    ordered
        .iter()
        .copied()
        .filter(|policy| looked_at(policy))
        .collect()
}

/// PA-3: per namespace, the first policy without selector; in the root namespace it is the mesh's, elsewhere the
/// namespace's.
fn pa_3_first_without_selector<'a>(
    seen: &[&'a PeerAuthentication],
    namespace: &str,
) -> Option<&'a PeerAuthentication> {
    let mut here = seen
        .iter()
        .copied()
        .filter(|policy| policy.name().namespace() == namespace);
    here.find(|policy| policy.selector.is_empty())
}

/// PA-4: policies with labels count only outside the root namespace.
fn pa_4_with_labels<'a>(seen: &[&'a PeerAuthentication]) -> Vec<&'a PeerAuthentication> {
    seen.iter()
        .copied()
        .filter(|policy| !policy.selector.is_empty())
        .filter(|policy| policy.name().namespace() != ROOT)
        .collect()
}

/// PA-5: every key is there with exactly this value.
fn pa_5_matches(policy: &PeerAuthentication, workload: &Workload) -> bool {
    let have: BTreeMap<&str, &str> = workload.labels.iter().collect();
    let mut wanted = policy.selector.iter();
    wanted.all(|(key, value)| have.get(key) == Some(&value))
}

/// PA-6: the oldest that matches wins whole.
fn pa_6_oldest<'a>(
    candidates: &[&'a PeerAuthentication],
    workload: &Workload,
) -> Option<&'a PeerAuthentication> {
    candidates
        .iter()
        .copied()
        .find(|policy| pa_5_matches(policy, workload))
}

/// PA-7: PERMISSIVE, then mesh, namespace and workload, each if it sets a mode.
fn pa_7_merge(levels: [Option<&PeerAuthentication>; 3]) -> MtlsMode {
    let mut mode = MtlsMode::Permissive;
    for policy in levels.into_iter().flatten() {
        if let Some(set) = policy.mode {
            mode = set;
        }
    }
    mode
}

/// PA-8: port modes, of the winning workload policy only; UNSET is the merged mode.
fn pa_8_ports(
    workload_policy: Option<&PeerAuthentication>,
    merged: MtlsMode,
) -> BTreeMap<u16, MtlsMode> {
    let mut ports = BTreeMap::new();
    if let Some(policy) = workload_policy {
        for (port, mode) in &policy.ports {
            ports.insert(*port, mode.unwrap_or(merged));
        }
    }
    ports
}

/// PA-9: the port's entry if there is one, else the merged mode.
fn pa_9_lookup(ports: &BTreeMap<u16, MtlsMode>, merged: MtlsMode, port: u16) -> MtlsMode {
    if let Some(mode) = ports.get(&port) { *mode } else { merged }
}

/// All rules: the mode, and the policies chosen for mesh, namespace and workload.
fn answer<'a>(
    policies: &'a [PeerAuthentication],
    workload: &Workload,
    port: u16,
) -> (MtlsMode, [Option<&'a PeerAuthentication>; 3]) {
    let ordered = pa_1_order(policies);
    let seen = pa_2_two_namespaces(&ordered, workload);
    let mesh = pa_3_first_without_selector(&seen, ROOT);
    let namespace = if workload.namespace == ROOT {
        None
    } else {
        pa_3_first_without_selector(&seen, &workload.namespace)
    };
    let selected = pa_6_oldest(&pa_4_with_labels(&seen), workload);
    let levels = [mesh, namespace, selected];
    let merged = pa_7_merge(levels);
    (pa_9_lookup(&pa_8_ports(selected, merged), merged, port), levels)
}

/// DRY-1: policies on trial are left out of what acts.
fn dry_1_left_out(policies: &[PeerAuthentication]) -> Vec<PeerAuthentication> {
    policies
        .iter()
        .filter(|policy| !on_trial(policy))
        .cloned()
        .collect()
}

/// DRY-2: the shadow is what would act if the annotation were removed from every policy.
fn dry_2_without_annotation(policies: &[PeerAuthentication]) -> Vec<PeerAuthentication> {
    policies
        .iter()
        .cloned()
        .map(|policy| policy.with_dry_run(false))
        .collect()
}

fn on_trial(policy: &PeerAuthentication) -> bool {
    policy.metadata.annotations.get("meshtls.dev/dry-run") == Some("true")
}

/// What is shown of an answer.
fn shown<'a>(resolved: &Resolved<'a>) -> (MtlsMode, [Option<&'a ResourceName>; 3]) {
    let levels = [resolved.mesh(), resolved.namespace(), resolved.workload()];
    (resolved.mode(), levels.map(|level| level.map(PeerAuthentication::name)))
}

/// The mode of a whole namespace, as clients see it (PA-11).
fn namespace_answer(policies: &[PeerAuthentication], namespace: &str) -> MtlsMode {
    let ordered = pa_1_order(policies);
    let mesh = pa_3_first_without_selector(&ordered, ROOT);
    pa_7_merge([mesh, pa_3_first_without_selector(&ordered, namespace), None])
}

fn any_mode() -> impl Strategy<Value = Option<MtlsMode>> {
    prop_oneof![
        Just(None),
        Just(Some(MtlsMode::Disable)),
        Just(Some(MtlsMode::Permissive)),
        Just(Some(MtlsMode::Strict))
    ]
}

fn any_labels() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    prop::collection::vec(
        (
            prop::sample::select(vec!["app", "tier", "zone"]),
            prop::sample::select(vec!["", "a", "b"]),
        ),
        0..4,
    )
}

fn any_namespace() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![ROOT, "foo", "bar"])
}

fn any_policy() -> impl Strategy<Value = PeerAuthentication> {
    let ports = prop::collection::btree_map(1_u16..4, any_mode(), 0..3);
    let created = prop::option::of((0_i64..3).prop_map(Timestamp::from_unix_seconds));
    let dry_run = prop::bool::weighted(0.3);
    (any_namespace(), 0..1000_u32, created, any_labels(), any_mode(), ports, dry_run).prop_map(
        |(namespace, name, created, labels, mode, ports, dry_run)| {
            let mut policy =
                PeerAuthentication::new(namespace, format!("p{name}")).with_dry_run(dry_run);
            policy.metadata.created = created;
            policy.selector = labels.into_iter().collect();
            policy.mode = mode;
            policy.ports = ports;
            policy
        },
    )
}

fn any_policies() -> impl Strategy<Value = Vec<PeerAuthentication>> {
    prop::collection::vec(any_policy(), 0..16).prop_map(|policies| {
        // One object per name, as in a cluster.
        let unique: BTreeMap<_, _> = policies
            .into_iter()
            .map(|policy| (policy.name().clone(), policy))
            .collect();
        unique.into_values().collect()
    })
}

fn compile(policies: &[PeerAuthentication]) -> PolicySet {
    let resources: Resources = policies.iter().cloned().collect();
    PolicySet::compile(MeshSettings::default().with_root_namespace(ROOT), &resources)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_statements_agree(
        policies in any_policies().prop_shuffle(),
        namespace in any_namespace(),
        labels in any_labels(),
        port in 0_u16..5,
    ) {
        let set = Arc::new(compile(&policies));
        let workload = Workload::new(namespace, labels.into_iter().collect::<meshtls_policy::Labels>());
        let resolved = set.resolve(&workload, port);
        let acting = dry_1_left_out(&policies);
        let (mode, levels) = answer(&acting, &workload, port);
        prop_assert_eq!(resolved.mode(), mode);
        prop_assert_eq!([resolved.mesh(), resolved.namespace(), resolved.workload()], levels);
        prop_assert_eq!(set.namespace_mode(namespace), namespace_answer(&acting, namespace));

        let shadow = set.shadow(&workload, port);
        let bare = dry_2_without_annotation(&policies);
        let (mode, levels) = answer(&bare, &workload, port);
        let names = levels.map(|level| level.map(PeerAuthentication::name));
        let tried = policies.iter().any(|policy| on_trial(policy) && names.contains(&Some(policy.name())));
        prop_assert_eq!(shadow.as_ref().map(shown), tried.then_some((mode, names)));

        let view = set.for_workload(&workload);
        prop_assert_eq!(view.mode(port), resolved.mode());
        prop_assert_eq!(shown(&view.resolve(port)), shown(&resolved));
        prop_assert_eq!(view.resolve(port).winner(), resolved.winner());
        prop_assert_eq!(view.shadow(port).as_ref().map(shown), shadow.as_ref().map(shown));
    }

    #[test]
    fn every_policy_is_explained_once(policies in any_policies(), namespace in any_namespace(), labels in any_labels()) {
        let workload = Workload::new(namespace, labels.into_iter().collect::<meshtls_policy::Labels>());
        let explained = compile(&policies).explain(&workload, 1);
        let chosen = explained.levels.iter().filter(|level| level.level != meshtls_policy::Level::Port);
        let mut names: Vec<String> = chosen
            .filter_map(|level| level.policy.as_ref())
            .chain(explained.losers.iter().map(|loser| &loser.policy))
            .map(ToString::to_string)
            .collect();
        let mut want: Vec<String> = policies.iter().map(|policy| policy.name().to_string()).collect();
        names.sort();
        want.sort();
        prop_assert_eq!(names, want);
        prop_assert_eq!(explained.levels.iter().filter(|level| level.decides).count(), 1);
        prop_assert_eq!(explained.levels.last().unwrap().mode, explained.mode);
    }

    #[test]
    fn what_is_printed_is_read_back(policy in any_policy()) {
        let json = serde_json::to_string(&policy).unwrap();
        let sound = policy.ports.is_empty() || !policy.selector.is_empty();
        let read: Result<PeerAuthentication, _> = serde_json::from_str(&json);
        prop_assert_eq!(read.is_ok(), sound, "{}", json);
        if sound {
            prop_assert_eq!(&read.unwrap(), &policy);
            let parsed = Resources::parse("printed", &json).unwrap();
            prop_assert_eq!(parsed.peer_authentications(), [policy]);
        }
    }

    #[test]
    fn reading_never_panics(text in "[ -~\n\t\u{0}\u{e9}]{0,200}") {
        if let Err(error) = Resources::parse("noise", &text) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
