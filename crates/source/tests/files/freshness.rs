//! How old policies may get, what then, and what is known of them meanwhile.

use std::fs;
use std::time::Duration;

use meshtls_policy::{MeshSettings, MtlsMode, PolicySet, Resources};
use meshtls_source::{PolicyFiles, WhenStale};

use crate::policies::{Watched, policy, strict_foo};

const MINUTE: Duration = Duration::from_secs(60);

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_source_that_reads_well_is_never_stale() {
    let directory = strict_foo();
    let watched =
        Watched::with(directory.path(), |files| files.stale_after(MINUTE, WhenStale::NotReady));
    for _ in 0..100 {
        pass(7).await;
        let status = watched.health.status();
        assert!(status.age < Duration::from_secs(2), "{status}");
        assert_eq!((status.stale, status.is_ready()), (None, true));
    }
    assert_eq!(watched.reports.take(), "");
}

#[tokio::test(start_paused = true)]
async fn off_by_default() {
    let directory = strict_foo();
    let watched = Watched::new(directory.path());
    fs::remove_file(directory.path().join("foo.yaml")).unwrap();
    pass(3600).await;
    let status = watched.health.status();
    assert!(status.age > 59 * MINUTE);
    assert_eq!((status.stale, status.is_ready()), (None, true));
    assert_eq!(watched.reports.take(), "kept: emptied");
}

#[tokio::test(start_paused = true)]
async fn what_happens_when_they_are_stale_and_how_it_ends() {
    for (then, ready) in [(WhenStale::Keep, true), (WhenStale::NotReady, false)] {
        for ending in ["the same", "another"] {
            let name = format!("{then:?}, ended by {ending}");
            let directory = strict_foo();
            let file = directory.path().join("foo.yaml");
            let watched = Watched::with(directory.path(), |files| files.stale_after(MINUTE, then));
            pass(10).await;
            fs::write(&file, "kind: [").unwrap();
            pass(55).await;
            assert_eq!(watched.reports.take(), "kept: parse", "{name}");
            assert_eq!(watched.health.status().stale, None, "{name}");
            assert!(watched.health.is_ready(), "{name}");

            pass(10).await;
            assert_eq!(watched.reports.take(), format!("stale 60 s: {then:?}"), "{name}");
            let status = watched.health.status();
            assert_eq!((status.stale, status.is_ready()), (Some(then), ready), "{name}");
            assert_eq!(watched.health.is_ready(), ready, "{name}");
            assert_eq!(watched.mode("foo"), MtlsMode::Strict, "{name}");
            pass(100).await;
            assert_eq!(watched.reports.take(), "", "{name}: said once");
            fs::write(&file, "kind: {").unwrap();
            assert_eq!(watched.reports.after_some_looks().await, "kept: parse", "{name}");
            assert_eq!(watched.health.is_ready(), ready, "{name}: bad in another way");

            let (mode, want) = if ending == "the same" {
                ("STRICT", "recovered")
            } else {
                ("DISABLE", "version 2")
            };
            fs::write(&file, policy("foo", mode)).unwrap();
            assert_eq!(watched.reports.after_some_looks().await, want, "{name}");
            let status = watched.health.status();
            assert_eq!((status.stale, status.is_ready()), (None, true), "{name}");
            assert!(status.last_error.is_none() && status.age < Duration::from_secs(2), "{name}");

            fs::remove_file(&file).unwrap();
            pass(70).await;
            let again = format!("kept: emptied, stale 60 s: {then:?}");
            assert_eq!(watched.reports.take(), again, "{name}: and again");
        }
    }
}

/// The mode of a namespace without policies shows whether the set is tightened.
#[tokio::test(start_paused = true)]
async fn strict_tightens_every_port_until_a_good_look() {
    let directory = strict_foo();
    let file = directory.path().join("foo.yaml");
    fs::write(&file, policy("foo", "DISABLE")).unwrap();
    let watched =
        Watched::with(directory.path(), |files| files.stale_after(MINUTE, WhenStale::Strict));
    let modes = || [watched.mode("foo"), watched.mode("bar")];
    let as_written = [MtlsMode::Disable, MtlsMode::Permissive];
    pass(10).await;
    fs::remove_dir_all(directory.path()).unwrap();
    pass(55).await;
    assert_eq!((modes(), watched.reports.take().as_str()), (as_written, "kept: unreadable"));

    pass(10).await;
    assert_eq!(watched.reports.take(), "stale 60 s: Strict");
    assert_eq!(modes(), [MtlsMode::Strict; 2]);
    let status = watched.health.status();
    assert_eq!((status.version, status.stale), (2, Some(WhenStale::Strict)));
    assert_eq!((watched.handle.version(), status.is_ready()), (2, true));

    fs::create_dir(directory.path()).unwrap();
    fs::write(&file, "kind: [").unwrap();
    assert_eq!(watched.reports.after_some_looks().await, "kept: parse");
    assert_eq!(modes(), [MtlsMode::Strict; 2], "bad in another way");

    fs::write(&file, policy("foo", "DISABLE")).unwrap();
    assert_eq!(watched.reports.after_some_looks().await, "recovered, version 3", "the same again");
    assert_eq!(modes(), as_written);
    assert_eq!(watched.health.status().version, 3);

    fs::write(&file, "").unwrap();
    pass(70).await;
    assert_eq!(watched.reports.take(), "kept: emptied, stale 60 s: Strict");
    assert_eq!(modes(), [MtlsMode::Strict; 2], "again");
    fs::write(&file, policy("bar", "DISABLE")).unwrap();
    assert_eq!(watched.reports.after_some_looks().await, "version 5", "others, taken as they are");
    assert_eq!(modes(), [MtlsMode::Permissive, MtlsMode::Disable]);
}

#[tokio::test(start_paused = true)]
async fn what_was_put_in_force_by_hand_is_tightened_and_put_back_too() {
    let empty = || PolicySet::compile(MeshSettings::default(), &Resources::default());
    for by_hand_again in [false, true] {
        let directory = strict_foo();
        let file = directory.path().join("foo.yaml");
        let watched =
            Watched::with(directory.path(), |files| files.stale_after(MINUTE, WhenStale::Strict));
        watched.handle.replace(empty());
        assert_eq!(watched.mode("foo"), MtlsMode::Permissive);
        fs::write(&file, "").unwrap();
        pass(70).await;
        assert_eq!(watched.reports.take(), "kept: emptied, stale 60 s: Strict");
        assert_eq!(watched.mode("foo"), MtlsMode::Strict);
        if by_hand_again {
            watched.handle.replace(empty());
        }
        fs::write(&file, policy("foo", "STRICT")).unwrap();
        let want = if by_hand_again { "recovered" } else { "recovered, version 4" };
        assert_eq!(watched.reports.after_some_looks().await, want);
        assert_eq!(watched.mode("foo"), MtlsMode::Permissive);
        assert_eq!(watched.handle.version(), 4);
    }
}

#[tokio::test(start_paused = true)]
async fn a_bound_below_the_pace_counts_as_two_looks_and_a_second() {
    let directory = strict_foo();
    let watched = Watched::with(directory.path(), |files| {
        files
            .stale_after(Duration::ZERO, WhenStale::Keep)
            .poll_every(MINUTE)
    });
    pass(86_400).await;
    assert_eq!(watched.reports.take(), "");
    fs::remove_file(directory.path().join("foo.yaml")).unwrap();
    pass(180).await;
    assert_eq!(watched.reports.take(), "kept: emptied, stale 121 s: Keep");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_watches_gets_old() {
    let directory = strict_foo();
    let files = PolicyFiles::open(directory.path(), MeshSettings::default())
        .unwrap()
        .stale_after(MINUTE, WhenStale::NotReady);
    let health = files.health();
    let watch = files.watch();
    pass(600).await;
    assert!(health.is_ready());
    drop(watch);
    pass(61).await;
    assert!(!health.is_ready());
}

#[tokio::test(start_paused = true)]
async fn the_status_says_what_is_in_force() {
    let directory = strict_foo();
    let at = |name| directory.path().join(name);
    fs::write(at("bar.json"), "").unwrap();
    let two = policy("a", "STRICT") + "---\n" + &policy("b", "STRICT");
    fs::write(at("two.yaml"), two).unwrap();
    let watched =
        Watched::with(directory.path(), |files| files.stale_after(MINUTE, WhenStale::Keep));
    tokio::time::sleep(Duration::from_millis(100_300)).await;
    let status = watched.health.status();
    let shown = directory.path().display();
    assert_eq!(status.path, directory.path());
    assert_eq!((status.version, status.objects), (1, 3));
    assert_eq!(status.files, [at("foo.yaml"), at("two.yaml")]);
    assert_eq!(status.loaded.as_secs(), 100);
    assert_eq!(status.to_string(), format!("version 1 of {shown} (objects: 3, files: 2), 0 s old"));

    fs::write(at("two.yaml"), policy("b", "DISABLE")).unwrap();
    pass(5).await;
    let status = watched.health.status();
    assert_eq!((status.version, status.objects), (2, 2));
    assert!(status.loaded < Duration::from_secs(5));

    fs::write(at("two.yaml"), policy("foo", "DISABLE")).unwrap();
    pass(70).await;
    let status = watched.health.status();
    assert_eq!((status.version, status.objects), (2, 2), "what is in force");
    let text = status.to_string();
    assert!(
        text.contains(" s old, which is too old: they stay in force; the new ones are refused: ")
            && text.contains("two.yaml repeats an object of another file: a second PeerAuthentication foo/default"),
        "{text}"
    );
    assert!(format!("{:?}", watched.health).contains("Duplicate"), "{:?}", watched.health);
}
