//! A process that creates, rotates and issues is killed two hundred times, at moments it did not choose. After each
//! time the directory opens, in a state that somebody had decided on.
//!
//! This test starts itself: with a directory as argument it is the child, which is killed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "what a child did, and what is asserted")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use meshtls_ca::store::SharedAuthority;
use meshtls_ca::{
    AuthorityOptions, IssueRequest, IssuingAuthority as _, KeyPair, KeyType, Phase, RandomSerials,
    Readiness, Signer as _,
};
use meshtls_identity::{AcceptedDomains, SpiffeId};
use meshtls_svid::{TrustBundle, TrustBundles, Usage, Validation, validate};
use rustls_pki_types::UnixTime;

fn main() {
    match env::args_os().nth(1).filter(|argument| argument == CHILD) {
        Some(_) => child(Path::new(&env::args_os().nth(2).unwrap())),
        None => parent(),
    }
}

fn parent() {
    let (mut generations, mut phases, mut entries) = (0, vec![], 0);
    // How late a child is killed at most. It grows as long as children die before they have done anything.
    let (mut span, mut unborn) = (25_000, 0);
    let mut directory = tempfile::tempdir().unwrap();
    for round in 0..KILLS {
        // A new one now and then, so that some die while they create.
        if round % 10 == 0 {
            directory = tempfile::tempdir().unwrap();
            (generations, entries) = (0, 0);
        }
        let (begun, recorded) = run_and_kill(directory.path(), 500 + round * 7919 % span);
        unborn += u64::from(!directory.path().join("ca-cert.pem").exists());
        if recorded == 0 {
            span = (span * 5 / 4).min(500_000);
        }
        let shared = open(directory.path());
        let rotation = shared.rotation(now()).unwrap();

        assert!(rotation.generation() >= generations, "round {round}: a step was undone");
        generations = rotation.generation();
        phases.push(rotation.phase());
        let roots = rotation.roots().certificates;
        let mut legal = vec![rotation.signing().certificate().clone()];
        if let (Phase::Prepared | Phase::Activated, Some(other)) =
            (rotation.phase(), rotation.other())
        {
            legal.push(other.certificate().clone());
        }
        assert_eq!(roots, legal, "round {round}");
        assert!(generations >= begun, "round {round}: a step that was taken is gone");

        let count = shared.ledger(now()).unwrap().entries().count();
        assert!(count >= entries + recorded, "round {round}: {recorded} were handed out");
        entries = count + 1;
        let issued = issue(&shared).unwrap();
        let bundle = TrustBundle::new("prod.example".parse().unwrap(), issued.roots).unwrap();
        let bundles = TrustBundles::new([bundle]);
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        let rules =
            Validation::new(&bundles, &AcceptedDomains::Any, algorithms, Usage::Server, now());
        validate(&issued.chain, &rules).unwrap();
        assert_eq!(
            fs::read_to_string(directory.path().join("root-cert.pem")).unwrap(),
            TrustBundle::new("prod.example".parse().unwrap(), roots)
                .unwrap()
                .to_pem(),
            "round {round}: the copy is healed"
        );
    }
    println!("killed {unborn} times before there was a root");
    assert!(unborn > 0, "no child died before it had made a root");
    for phase in [Phase::Steady, Phase::Prepared, Phase::Activated, Phase::Retired] {
        let seen = phases.iter().filter(|seen| **seen == phase).count();
        println!("killed {seen} times in the phase {phase}");
        assert!(seen > 0, "no child died in the phase {phase}");
    }
}

/// Gives the last generation and the number of X509-SVIDs that the child knew to be done.
fn run_and_kill(directory: &Path, microseconds: u64) -> (u64, usize) {
    let mut child = Command::new(env::current_exe().unwrap())
        .arg(CHILD)
        .arg(directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // From before its first file to some steps later, in step with nothing in the child.
    thread::sleep(Duration::from_micros(microseconds));
    child.kill().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut generation, mut issued) = (0, 0);
    for line in lines.map_while(Result::ok) {
        match line.split_once(' ') {
            Some(("generation", number)) => generation = number.parse().unwrap_or(generation),
            _ if line == "issued" => issued += 1,
            _ => {}
        }
    }
    let status = child.wait().unwrap();
    assert!(!status.success(), "it ends only by being killed");
    assert_eq!(status.code(), None, "it was killed, and did not fail");
    (generation, issued)
}

/// Rotates and issues until it is killed.
fn child(directory: &Path) {
    let shared = open(directory);
    let say = |rotation: meshtls_ca::Rotation| println!("generation {}", rotation.generation());
    loop {
        for _ in 0..2 {
            issue(&shared).unwrap();
            println!("issued");
        }
        let rotation = shared.rotation(now()).unwrap();
        say(match rotation.phase() {
            Phase::Steady => {
                shared.prepare(&AuthorityOptions::default(), now(), &mut RandomSerials)
            }
            Phase::Prepared => shared.activate(now(), Readiness::Override),
            Phase::Activated => shared.retire(now(), Readiness::Override),
            _ => shared.forget(now()),
        }
        .unwrap());
    }
}

fn open(directory: &Path) -> SharedAuthority {
    SharedAuthority::open_or_create(
        directory,
        &"prod.example".parse().unwrap(),
        &AuthorityOptions::default(),
        webpki::ALL_VERIFICATION_ALGS,
        now(),
        &mut RandomSerials,
    )
    .unwrap()
}

fn issue(shared: &SharedAuthority) -> Result<meshtls_ca::IssuedSvid, meshtls_ca::IssueError> {
    let key = KeyPair::generate(KeyType::P256).unwrap();
    let id: SpiffeId = "spiffe://prod.example/ns/pay/sa/ledger".parse().unwrap();
    shared.issue(&IssueRequest::new(key.public_key(), &id), now(), &mut RandomSerials)
}

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000))
}

const CHILD: &str = "as-child";
const KILLS: u64 = 200;
