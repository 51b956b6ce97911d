//! Policies from files and directories.

use std::fs;
#[cfg(unix)]
use std::os::unix::fs::symlink;
use std::path::Path;
#[cfg(unix)]
use std::path::PathBuf;
#[cfg(unix)]
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use meshtls_policy::{Labels, MeshSettings, MtlsMode, PolicyHandle, Workload};
use meshtls_source::{
    PolicyError, PolicyFiles, PolicyHealth, ReadError, Watch, load_resources, read_resource_files,
};
use tempfile::{TempDir, tempdir};

use crate::reports::Reports;

pub(crate) fn policy(namespace: &str, mode: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n\
         metadata: {{ name: default, namespace: {namespace} }}\nspec: {{ mtls: {{ mode: {mode} }} }}\n"
    )
}

/// A watched file or directory.
pub(crate) struct Watched {
    pub(crate) handle: PolicyHandle,
    pub(crate) health: PolicyHealth,
    pub(crate) reports: Arc<Reports>,
    _watch: Watch,
}

impl Watched {
    pub(crate) fn new(path: &Path) -> Self {
        Self::with(path, |files| files)
    }

    pub(crate) fn with(path: &Path, settings: impl FnOnce(PolicyFiles) -> PolicyFiles) -> Self {
        let reports = Reports::new();
        let files = PolicyFiles::open(path, MeshSettings::default())
            .unwrap()
            .reporter(Arc::<Reports>::clone(&reports));
        assert_eq!(files.path(), path);
        let files = settings(files);
        Self { handle: files.handle(), health: files.health(), reports, _watch: files.watch() }
    }

    pub(crate) fn mode(&self, namespace: &str) -> MtlsMode {
        self.handle
            .load()
            .resolve(&Workload::new(namespace, Labels::default()), 80)
            .mode()
    }
}

/// A directory with a STRICT policy for `foo` in `foo.yaml`.
pub(crate) fn strict_foo() -> TempDir {
    let directory = tempdir().unwrap();
    fs::write(directory.path().join("foo.yaml"), policy("foo", "STRICT")).unwrap();
    directory
}

#[tokio::test(start_paused = true)]
async fn a_changed_file_is_loaded_again() {
    let directory = strict_foo();
    let file = directory.path().join("foo.yaml");
    let watched = Watched::new(&file);
    assert_eq!(watched.mode("foo"), MtlsMode::Strict);
    assert_eq!(watched.reports.after_some_looks().await, "");

    fs::write(&file, policy("foo", "DISABLE")).unwrap();
    assert_eq!(watched.reports.after_some_looks().await, "version 2");
    assert_eq!(watched.mode("foo"), MtlsMode::Disable);
}

#[tokio::test(start_paused = true)]
async fn a_touched_file_is_no_change() {
    let directory = strict_foo();
    let file = directory.path().join("foo.yaml");
    let watched = Watched::new(&file);
    fs::remove_file(&file).unwrap();
    fs::write(&file, policy("foo", "STRICT")).unwrap();
    assert_eq!(watched.reports.after_some_looks().await, "");
    assert_eq!(watched.handle.version(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_bad_update_keeps_the_last_good_policies_and_is_reported_once() {
    type Spoil = fn(&Path);
    let cases: &[(&str, &str, Spoil)] = &[
        ("a misspelt field", "parse", |file| {
            fs::write(file, policy("foo", "DISABLE").replace("mode", "moode")).unwrap()
        }),
        ("half written", "parse", |file| {
            let text = policy("foo", "DISABLE");
            fs::write(file, &text[..text.len() - 9]).unwrap();
        }),
        ("not UTF-8", "parse", |file| fs::write(file, b"\xff\xfe\x00k").unwrap()),
        ("empty", "emptied", |file| fs::write(file, "").unwrap()),
        ("white space", "emptied", |file| fs::write(file, " \n\t\r\n").unwrap()),
        ("a byte too large", "too_large", |file| hole(file, (1 << 20) + 1)),
        ("100 MB", "too_large", |file| hole(file, 100_000_000)),
        ("NUL", "parse", |file| fs::write(file, policy("foo", "DISABLE") + "\0").unwrap()),
        ("another kind of object", "parse", |file| {
            fs::write(file, policy("foo", "DISABLE").replace("PeerAuth", "PeerOuth")).unwrap()
        }),
        ("a directory", "emptied", |file| {
            fs::remove_file(file).unwrap();
            fs::create_dir(file).unwrap();
        }),
        ("deleted", "unreadable", |file| fs::remove_file(file).unwrap()),
        #[cfg(unix)]
        ("a device", "not_a_file", |file| {
            fs::remove_file(file).unwrap();
            symlink("/dev/zero", file).unwrap();
        }),
        #[cfg(unix)]
        ("a pipe", "not_a_file", |file| {
            fs::remove_file(file).unwrap();
            assert!(Command::new("mkfifo").arg(file).status().unwrap().success());
        }),
        #[cfg(unix)]
        ("a link to itself", "unreadable", |file| {
            fs::remove_file(file).unwrap();
            symlink(file, file).unwrap();
        }),
        #[cfg(target_os = "linux")]
        ("permission lost", "unreadable", lose_permission),
        #[cfg(unix)]
        ("a link to nowhere", "unreadable", |file| {
            fs::remove_file(file).unwrap();
            symlink("nowhere", file).unwrap();
        }),
    ];
    for (name, want, spoil) in cases {
        let directory = strict_foo();
        let file = directory.path().join("foo.yaml");
        let watched = Watched::new(&file);
        spoil(&file);
        assert_eq!(watched.reports.after_some_looks().await, format!("kept: {want}"), "{name}");
        assert_eq!(watched.mode("foo"), MtlsMode::Strict, "{name}");

        assert!(
            watched
                .health
                .last_error()
                .is_some_and(|error| error.reason() == *want),
            "{name}"
        );

        remove(&file);
        fs::write(&file, policy("foo", "STRICT")).unwrap();
        assert_eq!(watched.reports.after_some_looks().await, "recovered", "{name}");
        assert!(watched.health.last_error().is_none(), "{name}");
        spoil(&file);
        assert_eq!(watched.reports.after_some_looks().await, format!("kept: {want}"), "{name}");

        remove(&file);
        fs::write(&file, policy("foo", "DISABLE")).unwrap();
        assert_eq!(watched.reports.after_some_looks().await, "version 2", "{name}");
        assert!(watched.health.last_error().is_none(), "{name}");
    }
}

/// A file of `length` bytes that takes no room.
fn hole(file: &Path, length: u64) {
    fs::File::create(file).unwrap().set_len(length).unwrap();
}

/// Takes away what makes `file` readable. Root may read whatever the mode says, but for what the kernel itself refuses.
#[cfg(target_os = "linux")]
fn lose_permission(file: &Path) {
    use std::os::unix::fs::PermissionsExt;

    fs::set_permissions(file, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(file).is_ok() {
        fs::remove_file(file).unwrap();
        symlink("/proc/sys/vm/compact_memory", file).unwrap();
    }
    assert_eq!(fs::read(file).unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
}

fn remove(path: &Path) {
    if fs::remove_file(path).is_err() {
        // A directory, or nothing.
        fs::remove_dir(path).ok();
    }
}

#[tokio::test(start_paused = true)]
async fn line_ends_and_a_byte_order_mark_make_no_difference() {
    for (name, text) in [
        ("carriage returns", policy("foo", "DISABLE").replace('\n', "\r\n")),
        ("a byte order mark", format!("\u{feff}{}", policy("foo", "DISABLE"))),
    ] {
        let directory = strict_foo();
        let watched = Watched::new(directory.path());
        fs::write(directory.path().join("foo.yaml"), text).unwrap();
        assert_eq!(watched.reports.after_some_looks().await, "version 2", "{name}");
        assert_eq!(watched.mode("foo"), MtlsMode::Disable, "{name}");
    }
}

#[test]
fn a_directory_that_is_too_large_is_not_read() {
    let directory = tempdir().unwrap();
    for number in 0..65 {
        hole(&directory.path().join(format!("{number}.yaml")), 1 << 20);
    }
    let error = PolicyFiles::open(directory.path(), MeshSettings::default()).unwrap_err();
    let PolicyError::Read(ReadError::TooLarge { path, limit }) = error else { panic!("{error}") };
    assert_eq!((&*path, limit), (directory.path(), 64 << 20));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_being_written_is_not_judged() {
    let directory = strict_foo();
    let file = directory.path().join("foo.yaml");
    let watched = Watched::new(&file);
    tokio::time::sleep(Duration::from_millis(500)).await;
    fs::write(&file, "spec: {").unwrap();
    // It is looked at after 1000 ms, and would be judged after 1050.
    tokio::time::sleep(Duration::from_millis(520)).await;
    fs::write(&file, policy("foo", "DISABLE")).unwrap();
    assert_eq!(watched.reports.after_some_looks().await, "version 2");
}

#[tokio::test(start_paused = true)]
async fn policies_are_given_up_by_a_comment() {
    let directory = strict_foo();
    let at = |name| directory.path().join(name);
    let watched = Watched::new(directory.path());
    // In their own file it may be a mistake; in another one, with their own deleted, it is none.
    for nothing in ["# no policies any more\n", "---\n", "{apiVersion: v1, kind: List}"] {
        fs::write(at("foo.yaml"), nothing).unwrap();
        assert_eq!(watched.reports.after_some_looks().await, "kept: emptied", "{nothing}");
        assert_eq!(watched.mode("foo"), MtlsMode::Strict, "{nothing}");
    }
    fs::remove_file(at("foo.yaml")).unwrap();
    fs::write(at("none.yaml"), "# no policies any more\n").unwrap();
    assert_eq!(watched.reports.after_some_looks().await, "version 2");
    assert_eq!(watched.mode("foo"), MtlsMode::Permissive);
}

/// A file of any kind that is read counts as one, and not as empty.
#[tokio::test(start_paused = true)]
async fn a_file_may_hold_any_kind_that_is_read() {
    let kinds = [
        ("security.istio.io/v1", "AuthorizationPolicy", "{}"),
        ("security.istio.io/v1", "PeerAuthentication", "{}"),
        (
            "networking.istio.io/v1",
            "ServiceEntry",
            "{ hosts: [a.example], ports: [{ number: 80, name: http, protocol: HTTP }] }",
        ),
        ("networking.istio.io/v1", "Sidecar", "{ egress: [{ hosts: ['*/*'] }] }"),
        ("networking.istio.io/v1", "WorkloadEntry", "{ address: 10.0.0.1 }"),
    ];
    for (version, kind, spec) in kinds {
        let directory = strict_foo();
        let file = directory.path().join("foo.yaml");
        let watched = Watched::new(&file);
        let object = format!(
            "apiVersion: {version}\nkind: {kind}\nmetadata: {{ name: a, namespace: foo }}\nspec: {spec}\n"
        );
        fs::write(&file, object).unwrap();
        assert_eq!(watched.reports.after_some_looks().await, "version 2", "{kind}");
        assert_eq!(watched.health.status().objects, 1, "{kind}");
        fs::write(&file, "---\n").unwrap();
        assert_eq!(watched.reports.after_some_looks().await, "kept: emptied", "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_directory_is_one_set() {
    let directory = strict_foo();
    let at = |name| directory.path().join(name);
    fs::write(at("bar.yml"), policy("bar", "STRICT")).unwrap();
    fs::write(at("baz.json"), r#"{"apiVersion":"security.istio.io/v1","kind":"PeerAuthentication","metadata":{"name":"a","namespace":"baz"},"spec":{"mtls":{"mode":"STRICT"}}}"#).unwrap();
    fs::write(at(".hidden.yaml"), policy("hidden", "STRICT")).unwrap();
    fs::write(at("notes.txt"), "not a policy").unwrap();
    fs::write(at("foo.yaml~"), "not a policy").unwrap();
    fs::create_dir(at("more.yaml")).unwrap();
    fs::write(at("more.yaml").join("deep.yaml"), policy("deep", "STRICT")).unwrap();

    let watched = Watched::new(directory.path());
    let strict = |watched: &Watched| {
        let namespaces = ["foo", "bar", "baz", "hidden", "deep"];
        let strict: Vec<_> = namespaces
            .into_iter()
            .filter(|name| watched.mode(name) == MtlsMode::Strict)
            .collect();
        strict.join(" ")
    };
    assert_eq!(strict(&watched), "foo bar baz");

    fs::write(at("notes.txt"), "changed").unwrap();
    assert_eq!(watched.reports.after_some_looks().await, "", "what is not read does not count");

    fs::write(at("bar.yml"), "kind: [").unwrap();
    assert_eq!(watched.reports.after_some_looks().await, "kept: parse");
    assert_eq!(strict(&watched), "foo bar baz", "one bad file refuses the whole");

    fs::write(at("bar.yml"), policy("foo", "DISABLE")).unwrap();
    assert_eq!(watched.reports.after_some_looks().await, "kept: duplicate");

    fs::remove_file(at("bar.yml")).unwrap();
    assert_eq!(watched.reports.after_some_looks().await, "version 2");
    assert_eq!(strict(&watched), "foo baz");

    fs::write(at("bar.yaml"), policy("bar", "STRICT")).unwrap();
    assert_eq!(watched.reports.after_some_looks().await, "version 3", "a new file");
    assert_eq!(strict(&watched), "foo bar baz");

    for name in ["foo.yaml", "bar.yaml", "baz.json"] {
        fs::remove_file(at(name)).unwrap();
    }
    assert_eq!(watched.reports.after_some_looks().await, "kept: emptied", "no file is left");
    assert_eq!(strict(&watched), "foo bar baz");
    fs::remove_dir_all(directory.path()).unwrap();
    assert_eq!(watched.reports.after_some_looks().await, "kept: unreadable", "nor the directory");
    assert_eq!(strict(&watched), "foo bar baz");
}

/// A volume as kubelet writes it: the files are links into `..data`, which is itself a link to a directory named after the
/// time, and is replaced in one step.
#[cfg(unix)]
struct Volume(TempDir);

#[cfg(unix)]
impl Volume {
    /// Writes `files` into a new directory, and points `..data` to it; the links of files that are new or gone are not
    /// touched.
    fn swap(&self, version: &str, files: &[(&str, &str)]) {
        fs::create_dir(self.at(version)).unwrap();
        for (name, mode) in files {
            let namespace = name.trim_end_matches(".yaml");
            fs::write(self.at(version).join(name), policy(namespace, mode)).unwrap();
        }
        symlink(version, self.at("..data_tmp")).unwrap();
        fs::rename(self.at("..data_tmp"), self.at("..data")).unwrap();
    }

    fn link(&self, name: &str) {
        symlink(Path::new("..data").join(name), self.at(name)).unwrap();
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_swapped_link_is_a_change_of_all_files_at_once() {
    let volume = Volume(tempdir().unwrap());
    volume.swap("..2026_1", &[("foo.yaml", "STRICT"), ("bar.yaml", "STRICT")]);
    volume.link("foo.yaml");
    volume.link("bar.yaml");
    let watched = Watched::new(volume.0.path());
    let modes = || ["foo", "bar", "baz"].map(|namespace| watched.mode(namespace));
    assert_eq!(modes(), [MtlsMode::Strict, MtlsMode::Strict, MtlsMode::Permissive]);

    volume.swap("..2026_2", &[("foo.yaml", "DISABLE"), ("bar.yaml", "DISABLE")]);
    fs::remove_dir_all(volume.at("..2026_1")).unwrap();
    assert_eq!(watched.reports.after_some_looks().await, "version 2");
    assert_eq!(modes(), [MtlsMode::Disable, MtlsMode::Disable, MtlsMode::Permissive]);
    assert_eq!(watched.health.status().files, [volume.at("bar.yaml"), volume.at("foo.yaml")]);

    volume.swap("..2026_3", &[("foo.yaml", "DISABLE"), ("bar.yaml", "DISABLE")]);
    assert_eq!(watched.reports.after_some_looks().await, "", "the same again");

    // One is gone and one is new, and kubelet sees to their links last.
    volume.swap("..2026_4", &[("foo.yaml", "STRICT"), ("baz.yaml", "STRICT")]);
    assert_eq!(watched.reports.after_some_looks().await, "kept: unreadable");
    assert_eq!(modes(), [MtlsMode::Disable, MtlsMode::Disable, MtlsMode::Permissive]);
    volume.link("baz.yaml");
    fs::remove_file(volume.at("bar.yaml")).unwrap();
    assert_eq!(watched.reports.after_some_looks().await, "version 3");
    assert_eq!(modes(), [MtlsMode::Strict, MtlsMode::Permissive, MtlsMode::Strict]);

    volume.swap("..2026_5", &[("foo.yaml", "DISABLE"), ("baz.yaml", "off")]);
    assert_eq!(watched.reports.after_some_looks().await, "kept: parse");
    assert_eq!(
        modes(),
        [MtlsMode::Strict, MtlsMode::Permissive, MtlsMode::Strict],
        "nothing of it"
    );
}

/// What two looks see differently is no set.
#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_swap_between_two_looks_is_not_taken_half() {
    let volume = Volume(tempdir().unwrap());
    volume.swap("..0", &[("foo.yaml", "STRICT"), ("bar.yaml", "STRICT")]);
    volume.link("foo.yaml");
    volume.link("bar.yaml");
    let watched = Watched::new(volume.0.path());
    tokio::time::sleep(Duration::from_millis(500)).await;
    // Half of it at 1000 ms, the other half before 1050.
    fs::remove_file(volume.at("foo.yaml")).unwrap();
    fs::write(volume.at("foo.yaml"), policy("foo", "DISABLE")).unwrap();
    tokio::time::sleep(Duration::from_millis(520)).await;
    fs::remove_file(volume.at("bar.yaml")).unwrap();
    fs::write(volume.at("bar.yaml"), policy("bar", "DISABLE")).unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!((watched.mode("foo"), watched.mode("bar")), (MtlsMode::Strict, MtlsMode::Strict));
    assert_eq!(watched.reports.after_some_looks().await, "version 2", "both at once");
    assert_eq!((watched.mode("foo"), watched.mode("bar")), (MtlsMode::Disable, MtlsMode::Disable));
}

#[tokio::test(start_paused = true)]
async fn dropping_the_watch_stops_it() {
    let directory = strict_foo();
    let file = directory.path().join("foo.yaml");
    let Watched { handle, reports, _watch, .. } = Watched::new(&file);
    drop(_watch);
    fs::write(&file, policy("foo", "DISABLE")).unwrap();
    assert_eq!(reports.after_some_looks().await, "");
    assert_eq!(handle.version(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_pace_is_the_callers() {
    let directory = strict_foo();
    let reports = Reports::new();
    let files = PolicyFiles::open(directory.path(), MeshSettings::default())
        .unwrap()
        .reporter(Arc::<Reports>::clone(&reports))
        .poll_every(Duration::from_secs(60));
    let _watch = files.watch();
    fs::write(directory.path().join("foo.yaml"), policy("foo", "DISABLE")).unwrap();
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(reports.take(), "");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(reports.take(), "version 2");
}

#[test]
fn a_bad_first_load_refuses_to_start() {
    let directory = strict_foo();
    let open = |path: &Path| {
        PolicyFiles::open(path, MeshSettings::default())
            .map(|_| ())
            .unwrap_err()
    };
    let nowhere = directory.path().join("nowhere");
    assert!(
        matches!(open(&nowhere), PolicyError::Read(ReadError::Io { path, .. }) if path == nowhere)
    );

    let bad = directory.path().join("bad.yaml");
    fs::write(&bad, policy("foo", "strict")).unwrap();
    let PolicyError::Parse(error) = open(directory.path()) else {
        panic!("a parse error was wanted")
    };
    assert!(error.to_string().contains("bad.yaml"), "{error}");

    fs::write(&bad, policy("foo", "DISABLE")).unwrap();
    let error = open(directory.path());
    assert!(
        matches!(&error, PolicyError::Duplicate { path, .. } if path.ends_with("foo.yaml")),
        "{error:?}"
    );
}

#[test]
fn an_empty_directory_and_an_empty_file_are_empty_sets_at_first() {
    let directory = tempdir().unwrap();
    assert!(
        load_resources(directory.path())
            .unwrap()
            .peer_authentications()
            .is_empty()
    );
    fs::write(directory.path().join("a.yaml"), "").unwrap();
    assert!(PolicyFiles::open(directory.path(), MeshSettings::default()).is_ok());
}

#[test]
fn the_texts_are_those_that_are_loaded_in_the_same_order() {
    let directory = strict_foo();
    for (name, text) in [("b.json", "{}"), ("a.yml", " \t"), (".hidden.yaml", "x"), ("c.txt", "x")]
    {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let files = read_resource_files(directory.path()).unwrap();
    let names: Vec<_> = files
        .iter()
        .map(|(path, _)| path.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(names, ["a.yml", "b.json", "foo.yaml"]);
    assert_eq!(files[0].1, b" \t", "as it is");
    let one = read_resource_files(directory.path().join("c.txt")).unwrap();
    assert_eq!(one[0].1, b"x", "a file that is named is read whatever it is called");
    let nowhere = read_resource_files(directory.path().join("nowhere")).unwrap_err();
    assert!(matches!(nowhere, PolicyError::Read(ReadError::Io { .. })), "{nowhere}");
}
