//! What the operator is told of policies that were taken.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use meshtls_policy::MeshSettings;
use meshtls_source::{PolicyFiles, Report};
use tempfile::tempdir;

const SKIPPED: &str = "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: { name: deny, namespace: foo }\n";
const ODD: &str = "---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\n\
    metadata: { name: default, namespace: foo }\nspec: { selector: {} }\n";

#[tokio::test(start_paused = true)]
async fn skipped_objects_and_warnings_are_reported_at_first_and_after_each_change() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("foo.yaml");
    fs::write(&file, format!("{SKIPPED}{ODD}")).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let _watch = PolicyFiles::open(&file, MeshSettings::default())
        .unwrap()
        .reporter(Arc::new(move |report: &Report<'_>| {
            log.lock().unwrap().push(report.to_string());
        }))
        .watch();
    let at = file.display();
    let skipped = format!(
        "policies: an object has no effect: {at}:1: RequestAuthentication foo/deny is not read here"
    );
    let warning = format!(
        "policies: probably not meant: {at}:8:9: foo/default: spec.selector: a selector without labels selects the \
         whole namespace, as if it were not there"
    );
    let some_looks = || tokio::time::sleep(Duration::from_secs(5));
    let take = || std::mem::take(&mut *seen.lock().unwrap());
    some_looks().await;
    assert_eq!(take(), [skipped.clone(), warning], "told of the first load, once");

    fs::write(&file, SKIPPED).unwrap();
    some_looks().await;
    assert_eq!(take(), ["policies replaced (version 2)".to_owned(), skipped]);

    fs::write(&file, "kind: [").unwrap();
    some_looks().await;
    let [kept] = take().try_into().unwrap();
    assert!(kept.starts_with("policies kept"), "nothing of what was refused is told: {kept}");
}
