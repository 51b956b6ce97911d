//! The programs of this repository, built here.

use std::{
    collections::BTreeMap,
    env,
    path::PathBuf,
    process::Command,
    sync::{Mutex, PoisonError},
};

/// Where the program of package `name` is. It is built once per process, with the profile and into the folder of the running test.
///
/// # Panics
///
/// If it cannot be built.
#[must_use]
pub fn built(name: &'static str) -> PathBuf {
    static BUILT: Mutex<BTreeMap<&str, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    built.entry(name).or_insert_with(|| build(name)).clone()
}

fn build(name: &str) -> PathBuf {
    let test = env::current_exe()
        .unwrap_or_else(|error| panic!("where this test is, is unknown: {error}"));
    // target/PROFILE/deps/TEST
    let Some((folder, target)) = test
        .ancestors()
        .nth(2)
        .and_then(|folder| Some((folder, folder.parent()?)))
    else {
        panic!("{} is no place for a test", test.display());
    };
    let mut build = Command::new(env!("CARGO"));
    build
        .args(["build", "--quiet", "--package", name])
        .args(if folder.ends_with("release") { &["--release"][..] } else { &[] })
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    match build.status() {
        Ok(status) if status.success() => {}
        other => panic!("{name} is not built: {other:?}"),
    }
    let program = folder.join(format!("{name}{}", env::consts::EXE_SUFFIX));
    assert!(program.is_file(), "{} is not there after its build", program.display());
    program
}
