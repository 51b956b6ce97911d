//! Input that is refused: exit code 2, and the place as a compiler shows it.

use crate::{policyctl, run};

#[test]
fn an_error_points_at_its_line() {
    for (name, path, want) in [
        (
            "a value",
            "bad/mode.yaml",
            "error[unknown_enum_value]: spec.mtls.mode: unknown value `strict`, did you mean `STRICT`?; \
             allowed: UNSET, DISABLE, PERMISSIVE, STRICT
 --> bad/mode.yaml:8:11
  |
8 |     mode: strict
  |           ^
",
        ),
        (
            "syntax",
            "bad/syntax.yaml",
            "error[syntax]: mismatched bracket '[' closed by '}'
 --> bad/syntax.yaml:4:15
  |
4 | spec: { mtls: [ }
  |               ^
",
        ),
        (
            "the same object in two files",
            "bad/twice",
            "error[duplicate_object]: a second PeerAuthentication foo/default: only one object can have a name; \
             the first is at bad/twice/a.yaml:3:13
 --> bad/twice/b.yaml:3:13
  |
3 | metadata: { name: default, namespace: foo }
  |             ^
",
        ),
        (
            "a file that is not there",
            "bad/nowhere",
            "error[unreadable]: cannot read bad/nowhere: No such file or directory (os error 2)\n",
        ),
    ] {
        let commands = [
            format!("explain --policies {path} --namespace foo --port 80"),
            format!("lint --policies {path}"),
            format!("compare --after {path} --services migration/services.yaml"),
            format!("fmt {path}"),
        ];
        for command in commands {
            if command == "fmt bad/twice" {
                continue; // Each file by itself is fine.
            }
            let ran = policyctl(&command);
            assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{name}: {command}");
            assert_eq!(ran.stderr, want, "{name}: {command}");
        }
    }
}

#[test]
fn as_json_an_error_is_a_document_too() {
    let ran = policyctl("lint --policies bad/mode.yaml --output json");
    assert_eq!(ran.code, 2);
    let errors = &ran.json()["errors"];
    assert_eq!(errors[0]["code"], "unknown_enum_value");
    assert_eq!(errors[0]["file"], "bad/mode.yaml");
    assert_eq!((&errors[0]["line"], &errors[0]["column"]), (&8.into(), &11.into()));
    assert_eq!(errors[0]["field"], "spec.mtls.mode");
    assert!(ran.stderr.contains("bad/mode.yaml:8:11"), "people are told all the same");
}

#[test]
fn what_is_in_a_file_cannot_steer_the_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bell.yaml");
    let long = "x".repeat(500);
    std::fs::write(
        &file,
        format!("apiVersion: security.istio.io/v1\nkind: \"\\e[31m\"\n# {long}\n"),
    )
    .unwrap();
    let ran = run("lint --policies bell.yaml", &[], directory.path());
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(!ran.stderr.contains('\u{1b}'), "{ran:?}");

    let text = format!("a: [{long}, \u{7}\u{1b}[2J, }}\n");
    std::fs::write(&file, text).unwrap();
    let ran = run("lint --policies bell.yaml", &[("CLICOLOR_FORCE", "1")], directory.path());
    assert!(!ran.stderr.contains("\u{1b}[2J") && !ran.stderr.contains('\u{7}'), "{ran:?}");
    let longest = ran.stderr.lines().map(|line| line.chars().count()).max();
    assert!(longest < Some(200), "a window of the line: {ran:?}");
}

#[test]
fn a_file_that_is_no_text_and_a_directory_without_files() {
    let directory = tempfile::tempdir().unwrap();
    run("lint --policies .", &[], directory.path())
        .shows(2, &["error[no_files]: . holds no file *.yaml, *.yml or *.json"]);
    std::fs::write(directory.path().join("a.yaml"), b"a: b\nc: \xff\n").unwrap();
    run("lint --policies a.yaml", &[], directory.path())
        .shows(2, &["error[not_utf8]: not UTF-8\n --> a.yaml:2:4\n"]);
}

#[test]
fn wrong_usage() {
    for (command, want) in [
        ("", "Usage: policyctl"),
        ("explain", "--policies <PATH>"),
        ("explain --policies s3-strict.yaml --port 80", "--namespace <NS>"),
        ("explain --policies s3-strict.yaml --namespace foo", "error[usage]: which port?"),
        ("explain --policies s3-strict.yaml --namespace foo --port 0", "0 is not in 1..=65535"),
        (
            "explain --policies s3-strict.yaml --namespace foo --label app --port 1",
            "write KEY=VALUE",
        ),
        ("explain --policies s3-strict.yaml --namespace foo --to web", "write HOST:PORT"),
        ("explain --policies s3-strict.yaml --workload web --port 1", "write NAMESPACE/NAME"),
        (
            "explain --policies migration/services.yaml --workload foo/web",
            "no workload foo/web in the inventory; known: bar/curl, bar/httpbin, foo/curl, foo/httpbin, legacy/curl",
        ),
        (
            "explain --policies s3-strict.yaml --namespace foo --port 1 --peer me --source-ip 10.0.0.1",
            "neither `plaintext` nor a SPIFFE ID",
        ),
        (
            "explain --policies s3-strict.yaml --namespace foo --port 1 --peer plaintext",
            "--source-ip <IP>",
        ),
        ("lint --policies lint --deny everything", "[possible values: errors, warnings, notes]"),
        ("lint --policies lint --allow MT0", "no code of a finding"),
        ("compare --after migration/strict.yaml", "error[usage]: no services"),
        ("fmt fmt/kinds.yaml --check --write", "cannot be used with"),
        ("lint --policies lint --trust-domain Prod", "--trust-domain"),
    ] {
        policyctl(command).shows(2, &[want]);
    }
}
