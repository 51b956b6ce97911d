//! A thousand swaps a second and eight readers: no answer is ever put together from two sets.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use meshtls_policy::{
    MeshSettings, MtlsMode, PeerAuthentication, PolicyHandle, PolicySet, Resolved, Workload,
};

const READERS: usize = 8;
const SWAPS: u64 = 1_000;
const EACH: Duration = Duration::from_millis(1);

/// The mode that every policy of a version sets.
fn mode_of(version: u64) -> MtlsMode {
    let [disable, permissive, strict] = MtlsMode::ALL;
    match version % 3 {
        0 => disable,
        1 => permissive,
        _ => strict,
    }
}

/// A policy at each level, on trial as well, each of them named and set by the version.
fn set(version: u64) -> PolicySet {
    let policy = |namespace: &str, kind: &str| {
        PeerAuthentication::new(namespace, format!("{kind}-{version}")).with_mode(mode_of(version))
    };
    let web = [("app", "web")];
    let policies = [
        policy("istio-system", "mesh"),
        policy("foo", "namespace"),
        policy("foo", "workload")
            .with_selector(web)
            .with_port(80, mode_of(version)),
        // Before the other one by name, so that it would win.
        policy("foo", "trial").with_selector(web).with_dry_run(true),
    ];
    PolicySet::compile(MeshSettings::default(), &policies.into_iter().collect())
        .with_source(version.to_string())
}

/// Everything in the answer is of `version`.
fn check(resolved: &Resolved<'_>, kind: &str, version: u64) {
    assert_eq!(resolved.mode(), mode_of(version));
    for (level, kind) in [
        (resolved.mesh(), "mesh"),
        (resolved.namespace(), "namespace"),
        (resolved.workload(), kind),
    ] {
        let name = level.map(|policy| policy.name().name().to_owned());
        assert_eq!(name, Some(format!("{kind}-{version}")));
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it is bounded in time")]
fn no_answer_mixes_two_sets() {
    let handle = PolicyHandle::new(set(1));
    let workload = Workload::new("foo", [("app", "web"), ("version", "v1")]);
    let done = AtomicBool::new(false);
    let begun = Instant::now();
    let (swapped, seen) = thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut versions = 0_u64;
                    let mut last = 0;
                    while !done.load(Ordering::Relaxed) {
                        let snapshot = handle.snapshot();
                        let version = snapshot.version();
                        assert!(version >= last, "version {version} after {last}");
                        versions += u64::from(version > last);
                        last = version;
                        let set = snapshot.set();
                        assert_eq!(set.provenance().source, version.to_string());
                        check(&set.resolve(&workload, 80), "workload", version);
                        check(&set.shadow(&workload, 80).unwrap(), "trial", version);
                        let view = set.for_workload(&workload);
                        check(&view.resolve(443), "workload", version);
                        check(&view.shadow(443).unwrap(), "trial", version);
                        assert_eq!(view.mode(80), mode_of(version));
                        let explained = set.explain(&workload, 80);
                        assert_eq!(explained.mode, mode_of(version));
                        assert!(
                            explained
                                .winner
                                .to_string()
                                .ends_with(&format!("-{version}"))
                        );
                    }
                    versions
                })
            })
            .collect();
        let mut swapped = 0;
        for version in 2..=SWAPS {
            assert_eq!(handle.replace(set(version)), version);
            swapped += 1;
            let next = begun + EACH * u32::try_from(version).unwrap();
            thread::sleep(next.saturating_duration_since(Instant::now()));
            // On a machine that cannot keep up, fewer swaps do.
            if begun.elapsed() > Duration::from_secs(3) {
                break;
            }
        }
        done.store(true, Ordering::Relaxed);
        let seen: Vec<u64> = readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .collect();
        (swapped, seen)
    });
    assert!(swapped >= 100, "{swapped} swaps");
    assert!(seen.iter().all(|versions| *versions > 1), "{seen:?} versions seen, {swapped} swaps");
}
