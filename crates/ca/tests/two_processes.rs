//! Several processes start on one empty directory at once, and end with one root.
//!
//! This test starts itself: with a directory as argument it is one of the children, which opens or makes the
//! authority there and prints the root.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use std::{env, fs, io};

use meshtls_ca::store::CaDir;
use meshtls_ca::{AuthorityOptions, RandomSerials};
use rustls_pki_types::UnixTime;

fn main() {
    match env::args_os().nth(1).filter(|argument| argument == CHILD) {
        Some(_) => child(Path::new(&env::args_os().nth(2).unwrap())),
        None => parent(),
    }
}

fn parent() {
    for _ in 0..5 {
        let directory = tempfile::tempdir().unwrap();
        let children: Vec<Child> = (0..6).map(|_| start(directory.path())).collect();
        let outputs: Vec<Output> = children
            .into_iter()
            .map(|child| child.wait_with_output().unwrap())
            .collect();
        let root = fs::read(directory.path().join("root-cert.pem")).unwrap();
        for output in outputs {
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{error}");
            assert_eq!(output.stdout, root, "every process has the root of the directory");
        }
    }
}

fn start(directory: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .arg(CHILD)
        .arg(directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn child(directory: &Path) {
    let authority = CaDir::open_or_create(
        directory,
        &"prod.example".parse().unwrap(),
        &AuthorityOptions::default(),
        webpki::ALL_VERIFICATION_ALGS,
        UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000)),
        &mut RandomSerials,
    )
    .unwrap();
    io::stdout()
        .write_all(authority.trust_bundle().to_pem().as_bytes())
        .unwrap();
}

const CHILD: &str = "as-child";
