//! Four processes issue from one directory and rotate its root at the same time: no step is lost or taken twice, no
//! serial number is used twice, and what each of them issues is trusted by the roots it comes with.
//!
//! This test starts itself: with a directory as argument it is one of the four.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "what a child did, and what is asserted")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, str};

use meshtls_ca::store::{SharedAuthority, StepError};
use meshtls_ca::{
    AuthorityOptions, IssueRequest, IssuingAuthority as _, KeyPair, KeyType, Phase, RandomSerials,
    Readiness, RotationError, Signer as _,
};
use meshtls_identity::{AcceptedDomains, SpiffeId};
use meshtls_svid::{TrustBundle, TrustBundles, Usage, Validation, validate};
use rustls_pki_types::UnixTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

fn main() {
    match env::args_os().nth(1).filter(|argument| argument == CHILD) {
        Some(_) => child(Path::new(&env::args_os().nth(2).unwrap())),
        None => parent(),
    }
}

fn parent() {
    let directory = tempfile::tempdir().unwrap();
    let children: Vec<Child> = (0..4).map(|_| start(directory.path())).collect();
    let (mut steps, mut issued) = (BTreeMap::<u64, usize>::new(), vec![]);
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut last = 0;
        for line in str::from_utf8(&output.stdout).unwrap().lines() {
            let (what, text) = line.split_once(' ').unwrap();
            match what {
                "step" => *steps.entry(text.parse().unwrap()).or_default() += 1,
                "issued" => issued.push(text.to_owned()),
                "generation" => {
                    let generation = text.parse().unwrap();
                    assert!(generation >= last, "a process saw {generation} after {last}");
                    last = generation;
                }
                other => panic!("{other}"),
            }
        }
    }
    let shared = open(directory.path());
    let generation = shared.rotation(now()).unwrap().generation();
    let want: BTreeMap<_, _> = (1..=generation).map(|generation| (generation, 1)).collect();
    assert_eq!(steps, want, "each step once");
    println!("{generation} steps, {} issued", issued.len());
    assert!(generation >= 8, "the root was rotated twice at least: {generation}");

    let ledger = shared.ledger(now()).unwrap();
    let mut recorded: Vec<_> = ledger
        .entries()
        .map(|entry| entry.serial.to_string())
        .collect();
    recorded.sort();
    issued.sort();
    assert_eq!(recorded, issued, "what was issued was recorded, each with a number of its own");
    assert!(ledger.entries().all(|entry| entry.generation <= generation));
}

fn child(directory: &Path) {
    let shared = open(directory);
    for _ in 0..ROUNDS {
        for _ in 0..3 {
            issue(&shared);
        }
        let rotation = shared.rotation(now()).unwrap();
        println!("generation {}", rotation.generation());
        let step = match rotation.phase() {
            Phase::Steady => {
                shared.prepare(&AuthorityOptions::default(), now(), &mut RandomSerials)
            }
            Phase::Prepared => shared.activate(now(), Readiness::Override),
            Phase::Activated => shared.retire(now(), Readiness::Override),
            _ => shared.forget(now()),
        };
        match step {
            Ok(next) => println!("step {}", next.generation()),
            // Another process took it.
            Err(StepError::Rotation(RotationError::NotAllowed { .. })) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn issue(shared: &SharedAuthority) {
    let key = KeyPair::generate(KeyType::P256).unwrap();
    let id: SpiffeId = "spiffe://prod.example/ns/pay/sa/ledger".parse().unwrap();
    let request = IssueRequest::new(key.public_key(), &id);
    let issued = shared.issue(&request, now(), &mut RandomSerials).unwrap();
    let bundle = TrustBundle::new("prod.example".parse().unwrap(), issued.roots).unwrap();
    let bundles = TrustBundles::new([bundle]);
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    let rules = Validation::new(&bundles, &AcceptedDomains::Any, algorithms, Usage::Server, now());
    validate(&issued.chain, &rules).unwrap();
    let (_, leaf) = X509Certificate::from_der(issued.chain.first().unwrap()).unwrap();
    println!("issued {:0>32}", format!("{:x}", leaf.tbs_certificate.serial));
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

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000))
}

const CHILD: &str = "as-child";
const ROUNDS: usize = 12;
