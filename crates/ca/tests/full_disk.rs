//! A disk that is full: a process that may write no further than a limit. What it was doing fails, says so, and leaves
//! the directory as it was.
//!
//! This test starts itself through a shell that sets the limit (`ulimit -f`) and has the signal ignored that would end
//! the process there, so that the write fails instead: in the middle, as on a disk that fills up.

#![cfg_attr(not(unix), expect(unused, reason = "there is no such limit"))]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "what a child did, and what is asserted")]

use std::error::Error as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{env, fs, io};

use meshtls_ca::store::{CaDir, SharedAuthority, StepError, StoreError};
use meshtls_ca::{
    AuthorityOptions, IssueError, IssueRequest, IssuingAuthority as _, KeyPair, KeyType, Phase,
    RandomSerials, Signer as _,
};
use meshtls_identity::SpiffeId;
use rustls_pki_types::UnixTime;

fn main() {
    let mut arguments = env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next(), arguments.next()) {
        (Some(CHILD), Some(what), Some(directory)) => child(&what, Path::new(&directory)),
        #[cfg(unix)]
        _ => parent(),
        #[cfg(not(unix))]
        _ => {}
    }
}

fn parent() {
    nothing_can_be_written();
    no_state_can_be_written();
    no_line_can_be_appended();
}

fn nothing_can_be_written() {
    for what in ["create", "create-plain"] {
        let directory = tempfile::tempdir().unwrap();
        run(what, directory.path(), 0);
        assert_eq!(files(directory.path()), [".lock"], "{what}: nothing half written is left");
        open(directory.path()).unwrap();
    }
}

fn no_state_can_be_written() {
    let directory = tempfile::tempdir().unwrap();
    let shared = open(directory.path()).unwrap();
    let before = (files(directory.path()), shared.rotation(now()).unwrap().roots());
    run("prepare", directory.path(), 1);
    let rotation = shared.rotation(now()).unwrap();
    assert_eq!((files(directory.path()), rotation.roots()), before);

    // The next state is larger than this one; there is room for this one only.
    shared
        .prepare(&AuthorityOptions::default(), now(), &mut RandomSerials)
        .unwrap();
    let before = fs::read(directory.path().join("rotation.pem")).unwrap();
    run("activate", directory.path(), 1);
    assert_eq!(fs::read(directory.path().join("rotation.pem")).unwrap(), before);
    assert_eq!(shared.rotation(now()).unwrap().phase(), Phase::Prepared);
    shared
        .activate(now(), meshtls_ca::Readiness::Required)
        .unwrap();
}

fn no_line_can_be_appended() {
    let directory = tempfile::tempdir().unwrap();
    let shared = open(directory.path()).unwrap();
    let issued: usize = run("issue", directory.path(), 1).trim().parse().unwrap();
    assert!((3..20).contains(&issued), "until a block was full: {issued}");
    let text = fs::read_to_string(directory.path().join("ledger")).unwrap();
    assert!(text.ends_with('\n'), "what did not fit was cut off");
    assert_eq!(text.lines().count(), issued + 1, "a head, and what was issued");
    assert_eq!(shared.ledger(now()).unwrap().entries().count(), issued);
    issue(&shared).unwrap();
    assert_eq!(shared.ledger(now()).unwrap().entries().count(), issued + 1);
}

/// Runs a child that may write files of `blocks` blocks (of 512 or 1024 bytes, as the shell has it).
fn run(what: &str, directory: &Path, blocks: u32) -> String {
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\""))
        .arg("sh")
        .arg(env::current_exe().unwrap())
        .args([CHILD, what])
        .arg(directory)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {} {error}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

fn child(what: &str, directory: &Path) {
    match what {
        "create" => expect_full(&open(directory).unwrap_err()),
        "create-plain" => {
            let domain = "prod.example".parse().unwrap();
            let options = AuthorityOptions::default();
            let algorithms = webpki::ALL_VERIFICATION_ALGS;
            let serials = &mut RandomSerials;
            let opened =
                CaDir::open_or_create(directory, &domain, &options, algorithms, now(), serials);
            expect_full(&opened.unwrap_err());
        }
        "prepare" => {
            let shared = open(directory).unwrap();
            let prepared = shared.prepare(&AuthorityOptions::default(), now(), &mut RandomSerials);
            expect_full_step(&prepared.unwrap_err());
        }
        "activate" => {
            let shared = open(directory).unwrap();
            let activated = shared.activate(now(), meshtls_ca::Readiness::Override);
            expect_full_step(&activated.unwrap_err());
        }
        "issue" => {
            let shared = open(directory).unwrap();
            let mut issued = 0;
            let error = loop {
                match issue(&shared) {
                    Ok(_) if issued < 1000 => issued += 1,
                    Ok(_) => panic!("the limit was not met"),
                    Err(error) => break error,
                }
            };
            assert!(matches!(error, IssueError::Unavailable(_)), "{error:?}");
            let cause = error.source().unwrap();
            expect_full(cause.downcast_ref().unwrap());
            issue(&shared).unwrap_err();
            println!("{issued}");
        }
        other => panic!("{other}"),
    }
}

fn expect_full_step(error: &StepError) {
    let StepError::Store(error) = error else { panic!("{error:?}") };
    expect_full(error);
}

fn expect_full(error: &StoreError) {
    let StoreError::Io { doing: "write", source, .. } = error else { panic!("{error:?}") };
    assert_eq!(source.kind(), io::ErrorKind::FileTooLarge, "{error:?}");
    assert!(error.to_string().contains("the disk is not full"), "{error}");
}

fn open(directory: &Path) -> Result<SharedAuthority, StoreError> {
    SharedAuthority::open_or_create(
        directory,
        &"prod.example".parse().unwrap(),
        &AuthorityOptions::default(),
        webpki::ALL_VERIFICATION_ALGS,
        now(),
        &mut RandomSerials,
    )
}

fn issue(shared: &SharedAuthority) -> Result<meshtls_ca::IssuedSvid, IssueError> {
    let key = KeyPair::generate(KeyType::P256).unwrap();
    let id: SpiffeId = "spiffe://prod.example/ns/pay/sa/ledger".parse().unwrap();
    shared.issue(&IssueRequest::new(key.public_key(), &id), now(), &mut RandomSerials)
}

fn files(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000))
}

const CHILD: &str = "as-child";
