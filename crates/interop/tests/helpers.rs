//! The helpers fail loudly.

#![cfg(feature = "run")]
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{panic::catch_unwind, process::Command, time::Duration};

use interop::{program, run_bounded, run_bounded_with};

const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn a_missing_program_is_named_with_its_package() {
    assert_eq!(
        failure(|| drop(program("no-such-program"))),
        "no-such-program is missing: apt-get install no-such-program"
    );
}

#[test]
fn a_program_is_found() {
    assert!(program("sh").is_absolute());
}

#[test]
fn output_and_status_are_kept() {
    let output = run_bounded(shell("echo out; echo err >&2; cat; exit 3"), LIMIT);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!((&*output.stdout, &*output.stderr), (&b"out\n"[..], &b"err\n"[..]));
}

#[test]
fn input_is_passed_and_stays_open() {
    let output = run_bounded_with(shell("read line; echo \"$line\"; exit 4"), b"in\n", LIMIT);
    assert_eq!((output.status.code(), &*output.stdout), (Some(4), &b"in\n"[..]));
    let message = failure(|| {
        drop(run_bounded_with(shell("exec cat"), b"in\n", Duration::from_millis(300)));
    });
    assert!(message.contains("did not end within 300ms"), "{message}");
}

#[test]
fn more_output_than_a_pipe_holds() {
    let output = run_bounded(shell("head -c 1000000 /dev/zero"), LIMIT);
    assert_eq!(output.stdout.len(), 1_000_000);
}

#[test]
fn a_program_that_does_not_end_is_killed() {
    let message = failure(|| {
        drop(run_bounded(shell("echo begun; exec sleep 600"), Duration::from_millis(300)))
    });
    assert!(message.contains("did not end within 300ms"), "{message}");
    assert!(message.contains("begun"), "{message}");
}

#[test]
fn a_program_that_does_not_start() {
    let message = failure(|| drop(run_bounded(Command::new("/no/such/program"), LIMIT)));
    assert!(message.contains("does not start"), "{message}");
}

fn shell(script: &str) -> Command {
    let mut command = Command::new(program("sh"));
    command.args(["-c", script]);
    command
}

/// The message with which `test` fails.
fn failure(test: impl FnOnce() + std::panic::UnwindSafe) -> String {
    *catch_unwind(test).unwrap_err().downcast().unwrap()
}
