//! What the tests against foreign programs share; the tests are in `tests/`, behind the feature `run`.
//!
//! A program that is missing, or that does not end in time, fails the test that asked for it.

#![expect(clippy::panic, reason = "everything here fails the test that calls it")]

mod build;
mod httpbin;

use std::{
    env,
    io::{Read, Write},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    thread::{self, JoinHandle},
    time::Duration,
};

pub use build::built;
pub use httpbin::Httpbin;

/// Where the program `name` is on `PATH`.
///
/// # Panics
///
/// If it is not there; the message names the Debian package that holds it.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name} is missing: apt-get install {}", debian_package(name)))
}

/// Runs `command` to its end, with nothing on its standard input, and gives what it printed.
///
/// # Panics
///
/// If it cannot be started, or has not ended after `limit`: then it is killed, and the message holds
/// what it printed until then. (Processes that it started itself are not killed.)
#[must_use]
pub fn run_bounded(mut command: Command, limit: Duration) -> Output {
    command.stdin(Stdio::null());
    finish(command, &[], limit)
}

/// As [`run_bounded`], with `input` on its standard input, which stays open until the program ends: a TLS client that sees
/// the end of its input may hang up before the answer comes.
///
/// # Panics
///
/// As [`run_bounded`].
#[must_use]
pub fn run_bounded_with(mut command: Command, input: &[u8], limit: Duration) -> Output {
    command.stdin(Stdio::piped());
    finish(command, input, limit)
}

fn finish(mut command: Command, input: &[u8], limit: Duration) -> Output {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let mut stdin = child.stdin.take();
    if let Some(stdin) = &mut stdin {
        // A program that ended at once does not read it, and what it printed says why.
        drop(stdin.write_all(input));
    }
    let ended = ends_within(&mut child, limit);
    drop(stdin);
    if !ended && let Err(error) = child.kill() {
        panic!("{command:?} cannot be killed: {error}");
    }
    let status = child
        .wait()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let output = Output { status, stdout: collected(stdout), stderr: collected(stderr) };
    assert!(ended, "{command:?} did not end within {limit:?}: {}", printed(&output));
    output
}

/// The status of a program that ended and what it printed, as text for a message.
#[must_use]
pub fn printed(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\nstdout: {}\nstderr: {}", output.status, text(&output.stdout), text(&output.stderr))
}

/// Whether `child` ends within `limit`, looked at every 10 ms.
fn ends_within(child: &mut Child, limit: Duration) -> bool {
    let pause = Duration::from_millis(10);
    let mut waited = Duration::ZERO;
    loop {
        match child.try_wait() {
            Ok(Some(_)) => return true,
            Ok(None) if waited >= limit => return false,
            Ok(None) => thread::sleep(pause),
            Err(error) => panic!("process {}: {error}", child.id()),
        }
        waited = waited.saturating_add(pause);
    }
}

/// Reads a pipe to its end while the program runs, so that it never blocks on a full one.
fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe
            && let Err(error) = pipe.read_to_end(&mut bytes)
        {
            panic!("a program's output: {error}");
        }
        bytes
    })
}

fn collected(reader: JoinHandle<Vec<u8>>) -> Vec<u8> {
    reader
        .join()
        .unwrap_or_else(|_| panic!("a program's output was not read"))
}

fn debian_package(program: &str) -> &str {
    match program {
        "gnutls-cli" | "certtool" => "gnutls-bin",
        same => same,
    }
}
