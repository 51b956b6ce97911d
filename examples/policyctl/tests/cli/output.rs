//! Help, colours and streams.

use std::process::{Command, Stdio};

use crate::{DATA, policyctl, run};

#[test]
fn each_command_shows_worked_commands_and_the_exit_codes_are_told() {
    policyctl("--help")
        .shows(0, &["explain", "lint", "compare", "fmt", "Exit codes:", "  1  lint:"]);
    for command in ["explain", "lint", "compare", "fmt"] {
        let help = policyctl(&format!("{command} --help"));
        help.shows(0, &["Examples:", &format!("    policyctl {command} "), "--output <FORMAT>"]);
    }
}

#[test]
fn colours_are_for_terminals_and_never_with_no_color() {
    let explain = "explain --policies s3-strict.yaml --namespace foo --port 80";
    let broken = "lint --policies bad/mode.yaml";
    for (name, environment, coloured) in [
        ("no terminal", &[][..], false),
        ("asked for", &[("CLICOLOR_FORCE", "1")][..], true),
        ("asked for and forbidden", &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")][..], false),
    ] {
        let (out, err) =
            (run(explain, environment, DATA.as_ref()), run(broken, environment, DATA.as_ref()));
        assert_eq!(out.stdout.contains('\u{1b}'), coloured, "{name}: {out:?}");
        assert_eq!(err.stderr.contains('\u{1b}'), coloured, "{name}: {err:?}");
    }
    let json = run(&format!("{explain} --output json"), &[("CLICOLOR_FORCE", "1")], DATA.as_ref());
    assert!(!json.stdout.contains('\u{1b}'), "{json:?}");
}

#[test]
fn a_reader_that_stops_reading_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_policyctl"))
        .args(["lint", "--policies", "lint", "--deny", "errors"])
        .current_dir(DATA)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}
