//! Replacing policies while others read them, are told of it, or take it back.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use meshtls_policy::{
    MeshSettings, MtlsMode, NothingStaged, PeerAuthentication, PolicyHandle, PolicySet, Resources,
    Rollout, Schedule, Standing, Workload,
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

fn mode(handle: &PolicyHandle) -> MtlsMode {
    let workload = Workload::new("foo", [("app", "web")]);
    handle.load().resolve(&workload, 80).mode()
}

fn permissive() -> PolicySet {
    PolicySet::compile(MeshSettings::default(), &Resources::default())
}

#[expect(clippy::disallowed_methods, reason = "there is no other way to make an Instant")]
fn now() -> Instant {
    Instant::now()
}

/// A live connection with what its keeper remembers of it.
struct Live {
    mtls: bool,
    last_activity: Instant,
    /// From when it was first found to be refused.
    schedule: Option<Schedule>,
}

impl Live {
    /// What its keeper does with it: asks the policies in force, then the schedule.
    fn is_closed(&mut self, handle: &PolicyHandle, now: Instant) -> bool {
        let snapshot = handle.snapshot();
        let workload = Workload::new("foo", [("app", "web")]);
        let refused =
            !self.mtls && snapshot.set().resolve(&workload, 80).mode() == MtlsMode::Strict;
        if !refused {
            self.schedule = None;
        } else if self.schedule.is_none() {
            self.schedule = snapshot.schedule();
        }
        self.schedule
            .is_some_and(|schedule| schedule.judge(self.last_activity, now) == Standing::Close)
    }
}

#[test]
fn a_tightening_reaches_new_idle_and_all_connections_in_turn() {
    let zero = now();
    let at = |seconds| zero + Duration::from_secs(seconds);
    let handle = PolicyHandle::new(permissive());
    let live = |mtls, last| Live { mtls, last_activity: at(last), schedule: None };
    let (mut idle, mut busy, mut mtls) = (live(false, 0), live(false, 0), live(true, 0));
    let rollout = Rollout::new(Duration::from_secs(10), Duration::from_secs(60));

    assert_eq!(handle.stage(strict("tight"), rollout, at(0)), 2);
    assert_eq!(mode(&handle), MtlsMode::Strict, "new connections at once");
    assert!(handle.snapshot().is_staged());
    let mut closed = Vec::new();
    for second in 0..=60 {
        busy.last_activity = at(second);
        // Another set, for another reason, does not stop the clock.
        if second == 30 {
            handle.replace(strict("again"));
        }
        for (name, live) in [("idle", &mut idle), ("busy", &mut busy), ("mtls", &mut mtls)] {
            if live.is_closed(&handle, at(second)) && closed.iter().all(|(known, _)| *known != name)
            {
                closed.push((name, second));
            }
        }
    }
    assert_eq!(closed, [("idle", 10), ("busy", 60)]);
}

#[test]
fn a_tightening_is_taken_back() {
    let zero = now();
    let handle = PolicyHandle::new(permissive());
    let before = handle.load();
    let mut live = Live { mtls: false, last_activity: zero, schedule: None };
    let rollout = Rollout::new(Duration::from_secs(10), Duration::from_secs(60));
    handle.stage(strict("tight"), rollout, zero);
    assert!(!live.is_closed(&handle, zero + Duration::from_secs(9)));

    assert_eq!(handle.take_back(), Ok(3), "a version of its own");
    assert!(Arc::ptr_eq(&handle.load(), &before));
    assert!(!live.is_closed(&handle, zero + Duration::from_secs(3_600)));
    let nothing: NothingStaged = handle.take_back().unwrap_err();
    assert!(nothing.to_string().contains("nothing to take back"));

    // After a plain replacement there is nothing to take back, and nobody is closed.
    handle.replace(strict("plain"));
    assert!(handle.take_back().is_err());
    assert_eq!(handle.snapshot().schedule(), None);
    assert!(!live.is_closed(&handle, zero + Duration::from_secs(3_600)));
    assert_eq!(handle.version(), 4);
}

#[test]
fn of_two_stages_the_last_is_taken_back() {
    let zero = now();
    let handle = PolicyHandle::new(permissive());
    let first = Rollout::new(Duration::from_secs(1), Duration::from_secs(2));
    let second = Rollout::new(Duration::from_secs(3), Duration::from_secs(4));
    handle.stage(strict("a"), first, zero);
    handle.stage(strict("b"), second, zero);
    assert_eq!(handle.snapshot().schedule(), Some(Schedule::new(second, zero)));
    handle.take_back().unwrap();
    assert_eq!(handle.snapshot().schedule(), Some(Schedule::new(first, zero)));
    assert!(handle.take_back().is_err());
}

#[test]
fn a_set_knows_where_it_came_from() {
    let text = "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: foo }
spec: { selector: {} }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: other, namespace: foo }
";
    let resources = Resources::parse("policies.yaml", text).unwrap();
    let set = PolicySet::compile(MeshSettings::default(), &resources).with_source("policies/");
    let handle = PolicyHandle::new(set);
    let snapshot = handle.snapshot();
    let provenance = snapshot.set().provenance();
    assert_eq!(provenance.source, "policies/");
    assert_eq!(provenance.to_string(), "policies/: 1 PeerAuthentication, 1 skipped, 1 warnings");
    assert_eq!(permissive().provenance().to_string(), "no named source: no objects");
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn changes_are_told_and_coalesced() {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let handle = PolicyHandle::new(permissive());
    let mut changes = handle.changes();
    {
        let mut next = pin!(changes.next());
        assert!(next.as_mut().poll(&mut context).is_pending(), "nothing has changed");
        handle.replace(strict("a"));
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        handle.replace(strict("b"));
        let Poll::Ready(snapshot) = next.poll(&mut context) else { panic!("it was woken") };
        assert_eq!(snapshot.version(), 3, "two changes are told as one");
    }
    // What comes between two questions is not lost, nor what a dropped future did not tell.
    drop(changes.next());
    handle.stage(permissive(), Rollout::AT_ONCE, now());
    let Poll::Ready(snapshot) = pin!(changes.next()).poll(&mut context) else {
        panic!("there was a change")
    };
    assert_eq!(snapshot.version(), 4);
    handle.take_back().unwrap();
    assert!(pin!(changes.next()).poll(&mut context).is_ready(), "taking back is a change");
    assert!(pin!(changes.next()).poll(&mut context).is_pending());
}

#[test]
fn every_waiter_is_told_from_another_thread() {
    let handle = PolicyHandle::new(permissive());
    thread::scope(|scope| {
        for _ in 0..4 {
            let mut changes = handle.changes();
            scope.spawn(move || {
                let mut version = 1;
                while version < 100 {
                    let next = block_on(changes.next()).version();
                    assert!(next > version, "{next} after {version}");
                    version = next;
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..99 {
                handle.replace(permissive());
                thread::yield_now();
            }
        });
    });
}

/// Runs a future on this thread.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park(),
        }
    }
}
