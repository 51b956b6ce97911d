//! `policyctl fmt`: nothing is lost.

use std::fs;

use crate::{policyctl, run};

#[test]
fn objects_keep_their_order_and_their_meaning() {
    let ran = policyctl("fmt fmt/kinds.yaml");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let kinds: Vec<&str> = ran
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("kind: "))
        .collect();
    let want = "ServiceEntry PeerAuthentication Sidecar DestinationRule WorkloadEntry PeerAuthentication AuthorizationPolicy";
    assert_eq!(kinds.join(" "), want);
    // Formatting what is formatted changes nothing, and the program takes it for canonical.
    let directory = tempfile::tempdir().unwrap();
    let again = directory.path().join("again.yaml");
    fs::write(&again, &ran.stdout).unwrap();
    assert_eq!(run("fmt again.yaml", &[], directory.path()).stdout, ran.stdout);
    run("fmt again.yaml --check", &[], directory.path()).shows(0, &[]);
    let explain = |file: &str| {
        policyctl(&format!("explain --policies {file} --namespace foo --label app=web --port 9080"))
    };
    assert_eq!(
        explain("fmt/kinds.yaml")
            .stdout
            .lines()
            .take(9)
            .collect::<Vec<_>>(),
        explain(again.to_str().unwrap())
            .stdout
            .lines()
            .take(9)
            .collect::<Vec<_>>()
    );
}

#[test]
fn check_points_at_the_first_difference() {
    let ran = policyctl("fmt fmt/canonical-but-one.yaml --check");
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert_eq!(
        ran.stderr,
        "error[form]: fmt/canonical-but-one.yaml is not in canonical form; the first difference is here
 --> fmt/canonical-but-one.yaml:8:3
  |
8 |   mtls: {mode: STRICT}
  |   ^
  = instead: `  mtls:`
"
    );
    let json = policyctl("fmt fmt/canonical-but-one.yaml --check --output json").json();
    assert_eq!(json["files"][0]["canonical"], false);
}

#[test]
fn a_file_in_canonical_form_may_have_comments() {
    policyctl("fmt fmt/commented.yaml --check").shows(0, &[]);
    policyctl("fmt fmt/commented.yaml")
        .shows(0, &["warning[comment]: 3 comments are not printed; this is the first\n --> fmt/commented.yaml:1:1"]);
}

#[test]
fn write_refuses_to_lose_comments_and_fields_unless_told_to() {
    let directory = tempfile::tempdir().unwrap();
    let write = |arguments: &str| run(&format!("fmt . --write {arguments}"), &[], directory.path());
    let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
    let flow = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n\
        metadata: { name: default, namespace: foo, uid: abc } # why\nspec: { mtls: { mode: STRICT } }\nstatus: {}\n";
    let plain = flow
        .replace(" # why", "")
        .replace(", uid: abc", "")
        .replace("status: {}\n", "")
        .replace("foo", "bar");
    fs::write(directory.path().join("a.yaml"), &plain).unwrap();
    fs::write(directory.path().join("b.yaml"), flow).unwrap();

    write("").shows(
        2,
        &[
            "error[comment]: a comment is not printed",
            "--> ./b.yaml:3:55",
            "error[unprinted_field]: PeerAuthentication foo/default: not printed: ",
            "metadata.uid",
            "status",
        ],
    );
    write("--discard-comments").shows(2, &["error[unprinted_field]"]);
    write("--discard-fields").shows(2, &["error[comment]"]);
    assert_eq!((read("a.yaml"), read("b.yaml")), (plain, flow.to_owned()), "all or none");

    let ran = write("--discard-comments --discard-fields");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "./a.yaml\n./b.yaml\n"));
    assert_eq!(read("a.yaml"), read("b.yaml").replace("foo", "bar"));
    assert!(read("b.yaml").contains("  mtls:\n    mode: STRICT\n"), "{}", read("b.yaml"));
    let names = fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(names, 2, "nothing is left behind");
    let again = write("");
    assert_eq!((again.code, again.stdout.as_str()), (0, ""), "nothing to do");
}

#[test]
fn a_json_file_is_not_made_yaml() {
    let directory = tempfile::tempdir().unwrap();
    let json = r#"{"apiVersion":"security.istio.io/v1","kind":"PeerAuthentication","metadata":{"name":"default","namespace":"foo"},"spec":{}}"#;
    fs::write(directory.path().join("a.json"), json).unwrap();
    run("fmt a.json", &[], directory.path()).shows(0, &["kind: PeerAuthentication\n"]);
    run("fmt a.json --write", &[], directory.path())
        .shows(2, &["error[json_file]: a.json is JSON by its name"]);
}

#[test]
fn objects_that_are_not_read_are_not_dropped() {
    for mode in ["", "--check", "--write"] {
        let ran = policyctl(&format!("fmt lint/selector-and-skipped.yaml {mode}"));
        ran.shows(
            2,
            &[
                "error[skipped_kind]: foo/web: Deployment of apps/v1 is not read here",
                "--> lint/selector-and-skipped.yaml:8",
            ],
        );
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn a_default_namespace_is_written_out() {
    policyctl("fmt fmt/no-namespace.yaml").shows(2, &["error[no_namespace]"]);
    policyctl("fmt fmt/no-namespace.yaml --default-namespace foo")
        .shows(0, &["  namespace: foo\n"]);
}

#[test]
fn a_file_without_objects_has_no_form() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.yaml"), "# to come\n---\n").unwrap();
    run("fmt a.yaml --check", &[], directory.path()).shows(0, &[]);
    run("fmt a.yaml --write", &[], directory.path()).shows(0, &[]);
    assert_eq!(fs::read_to_string(directory.path().join("a.yaml")).unwrap(), "# to come\n---\n");
}
