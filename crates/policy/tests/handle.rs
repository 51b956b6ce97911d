//! Replacing policies while others read them.

use std::thread;

use meshtls_policy::{
    MeshSettings, MtlsMode, PeerAuthentication, PolicyHandle, PolicySet, Workload,
};

fn strict(name: &str) -> PolicySet {
    let policy = PeerAuthentication::new("foo", name).with_mode(MtlsMode::Strict);
    PolicySet::compile(MeshSettings::default(), &[policy].into_iter().collect())
}

#[test]
fn a_new_set_counts_for_the_next_reader() {
    let handle =
        PolicyHandle::new(PolicySet::compile(MeshSettings::default(), &[].into_iter().collect()));
    let workload = Workload::new("foo", [("app", "web")]);
    let before = handle.load();
    assert_eq!(handle.version(), 1);
    let clone = handle.clone();
    assert_eq!(clone.replace(strict("a")), 2);
    assert_eq!((handle.version(), clone.version()), (2, 2), "clones share the policies");
    assert_eq!(handle.load().resolve(&workload, 80).mode(), MtlsMode::Strict);
    assert_eq!(
        before.resolve(&workload, 80).mode(),
        MtlsMode::Permissive,
        "a reader keeps its set"
    );
}

#[test]
fn every_replacement_is_counted_and_a_version_belongs_to_one_set() {
    let handle = PolicyHandle::new(strict("v1"));
    thread::scope(|scope| {
        scope.spawn(|| {
            for version in 2..500_u64 {
                assert_eq!(handle.replace(strict(&format!("v{version}"))), version);
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                let workload = Workload::new("foo", [("app", "web")]);
                for _ in 0..500 {
                    let snapshot = handle.snapshot();
                    let winner = snapshot.set().resolve(&workload, 80).winner();
                    let name = winner.policy().unwrap().name().to_owned();
                    assert_eq!(name, format!("v{}", snapshot.version()));
                }
            });
        }
    });
    assert_eq!(handle.version(), 499);
}
