//! Policies that change much faster than anybody could want.

use std::fs;
use std::path::Path;
use std::time::Duration;

use meshtls_policy::MtlsMode;
use meshtls_source::PolicyError;

use crate::policies::{Watched, policy, strict_foo};

/// Puts `text` at `file` in one step.
fn swap(file: &Path, text: &str) {
    let new = file.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, file).unwrap();
}

/// A good policy that is another text for each `number`.
fn numbered(number: u32) -> String {
    format!("# {number}\n{}", policy("foo", "PERMISSIVE"))
}

#[tokio::test(start_paused = true)]
async fn a_thousand_changes_in_a_second_are_loaded_once() {
    let directory = strict_foo();
    let file = directory.path().join("foo.yaml");
    let watched = Watched::with(directory.path(), |files| files.poll_every(Duration::ZERO));
    for number in 0..1000 {
        swap(&file, &numbered(number));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    swap(&file, &policy("foo", "DISABLE"));
    // A second has 16 pairs of looks, 60 ms each. None finds a content that lasts, which is said once.
    let reports = watched.reports.after_some_looks().await;
    assert_eq!(reports, "kept: unsettled, version 2");
    assert_eq!(watched.mode("foo"), MtlsMode::Disable, "the last content wins");
    assert!(watched.health.last_error().is_none());
}

#[tokio::test(start_paused = true)]
async fn two_good_sets_that_take_turns_are_loaded_as_often_as_looked_at() {
    let directory = strict_foo();
    let file = directory.path().join("foo.yaml");
    let watched = Watched::new(directory.path());
    for number in 0..5000 {
        swap(&file, &numbered(number % 2));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    swap(&file, &policy("foo", "DISABLE"));
    watched.reports.after_some_looks().await;
    let version = watched.handle.version();
    assert!((2..=7).contains(&version), "five seconds, a look in each, and the last: {version}");
    assert_eq!(watched.mode("foo"), MtlsMode::Disable, "the last content wins");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_stays_still_is_an_error_that_can_be_seen() {
    let directory = strict_foo();
    let file = directory.path().join("foo.yaml");
    let watched = Watched::new(directory.path());
    let restless = |from: u32, to: u32| {
        let file = &file;
        async move {
            for number in from..to {
                swap(file, &numbered(number));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    restless(0, 500).await;
    assert_eq!(watched.reports.take(), "", "nine looks may be bad luck");
    restless(500, 3000).await;
    assert_eq!(watched.reports.take(), "kept: unsettled", "reported once");
    assert_eq!(watched.mode("foo"), MtlsMode::Strict);
    let error = watched.health.last_error().unwrap();
    assert!(
        matches!(&*error, PolicyError::Unsettled { path, looks: 10 } if path == directory.path()),
        "{error}"
    );
    let text = error.to_string();
    assert!(text.ends_with("never stays the same: it changed during each of 10 looks"), "{text}");

    swap(&file, &policy("foo", "STRICT"));
    assert_eq!(watched.reports.after_some_looks().await, "recovered");
    assert!(watched.health.last_error().is_none());
    assert_eq!(watched.handle.version(), 1);
}

/// In real time, and written in place, so that looks find files half written.
#[test]
fn a_burst_in_place_ends_with_the_last_content() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let directory = strict_foo();
    let file = directory.path().join("foo.yaml");
    runtime.block_on(async {
        let watched = Watched::with(directory.path(), |files| files.poll_every(Duration::ZERO));
        let writer = std::thread::spawn({
            let file = file.clone();
            move || {
                (0..1000).for_each(|number| fs::write(&file, numbered(number)).unwrap());
                fs::write(&file, policy("foo", "DISABLE")).unwrap();
            }
        });
        let last = async {
            while watched.mode("foo") != MtlsMode::Disable {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), last)
            .await
            .unwrap();
        writer.join().unwrap();
        assert!(watched.handle.version() <= 20, "{}", watched.handle.version());
    });
}
