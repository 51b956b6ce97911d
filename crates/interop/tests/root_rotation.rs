//! What OpenSSL says of a root that was renewed with its key (Istio's way), and of chains in the middle of a rotation.
//! Run by `cargo test -p interop --features run --test root_rotation`.

#![cfg(feature = "run")]
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{fs, path::Path, process::Command, time::Duration};

use meshtls_ca::{
    Authority, AuthorityOptions, IssueRequest, IssuedSvid, IssuingAuthority as _, KeyPair, KeyType,
    RandomSerials, Readiness, RotatingAuthority, Signer as _,
};
use meshtls_rustls::rustls::pki_types::{CertificateDer, UnixTime};

const START: u64 = 1_800_000_000;
const HOUR: u64 = 3600;

#[test]
fn openssl_verifies_old_and_new_leaves_by_both_certificates_of_a_root() {
    for key_type in [KeyType::P256, KeyType::P384, KeyType::Ed25519, KeyType::Rsa2048] {
        let authority = RotatingAuthority::new(root(key_type, 100));
        let before = issue(&authority, key_type, 90);
        let life = Duration::from_secs(100 * HOUR);
        let rotation = authority.renew(life, at(91), &mut RandomSerials).unwrap();
        let after = issue(&authority, key_type, 92);
        let roots = rotation.roots().certificates;
        let (new, old) = roots.split_at(1);
        for (name, trusted, leaf, hour, want) in [
            ("old root, old leaf", old, &before, 93, true),
            ("old root, new leaf", old, &after, 93, true),
            ("new root, old leaf", new, &before, 93, true),
            ("new root, new leaf", new, &after, 93, true),
            ("both, old leaf", &roots, &before, 93, true),
            ("both, new leaf", &roots, &after, 93, true),
            ("both, the old one expired", &roots, &after, 101, true),
            ("the old root expired", old, &after, 101, false),
        ] {
            assert_eq!(verifies(trusted, leaf, hour), want, "{key_type:?}: {name}");
        }
    }
}

#[test]
fn openssl_verifies_what_is_issued_in_each_phase_by_the_roots_it_came_with() {
    let authority = RotatingAuthority::new(root(KeyType::P256, 1000));
    let steady = issue(&authority, KeyType::P256, 0);
    authority.prepare(root(KeyType::P256, 1000), at(0)).unwrap();
    let prepared = issue(&authority, KeyType::P256, 0);
    authority.activate(at(0), Readiness::Override).unwrap();
    let activated = issue(&authority, KeyType::P256, 0);
    authority.retire(at(0), Readiness::Override).unwrap();
    let retired = issue(&authority, KeyType::P256, 0);
    let phases = [&steady, &prepared, &activated, &retired];
    // Row: by whose roots; column: whose chain. Neighbours accept each other, as the rule asks for.
    for (verifier, row) in phases.iter().zip([
        [true, true, false, false],
        [true, true, true, true],
        [true, true, true, true],
        [false, false, true, true],
    ]) {
        let seen = phases.map(|peer| verifies(&verifier.roots, peer, 1));
        assert_eq!(seen, row);
    }
}

fn verifies(roots: &[CertificateDer<'_>], svid: &IssuedSvid, hour: u64) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let trusted = folder.path().join("roots.pem");
    let pems = roots.iter().enumerate();
    let pems: Vec<_> = pems
        .map(|(place, root)| pem(folder.path(), &format!("root-{place}"), root))
        .collect();
    fs::write(&trusted, pems.concat()).unwrap();
    pem(folder.path(), "leaf", svid.chain.first().unwrap());
    let output = Command::new("openssl")
        .args(["verify", "-x509_strict", "-purpose", "sslserver", "-no-CApath", "-no-CAstore"])
        .args(["-attime", &at(hour).as_secs().to_string(), "-CAfile"])
        .arg(&trusted)
        .arg(folder.path().join("leaf.pem"))
        .output()
        .expect("openssl is installed");
    output.status.success()
}

/// Has OpenSSL write a certificate as PEM.
fn pem(folder: &Path, name: &str, der: &CertificateDer<'_>) -> String {
    let (from, to) = (folder.join(format!("{name}.der")), folder.join(format!("{name}.pem")));
    fs::write(&from, der).unwrap();
    let mut openssl = Command::new("openssl");
    openssl
        .args(["x509", "-inform", "der", "-in"])
        .arg(from)
        .arg("-out")
        .arg(&to);
    assert!(openssl.status().expect("openssl is installed").success());
    fs::read_to_string(to).unwrap()
}

fn root(key_type: KeyType, hours: u64) -> Authority {
    let options = AuthorityOptions::default()
        .with_key_type(key_type)
        .with_lifetime(Duration::from_secs(hours * HOUR));
    let domain = "prod.example".parse().unwrap();
    Authority::self_signed(domain, &options, at(0), &mut RandomSerials).unwrap()
}

fn issue(authority: &RotatingAuthority, key_type: KeyType, hour: u64) -> IssuedSvid {
    let key = KeyPair::generate(key_type).unwrap();
    let id = "spiffe://prod.example/ns/pay/sa/ledger".parse().unwrap();
    authority
        .issue(&IssueRequest::new(key.public_key(), &id), at(hour), &mut RandomSerials)
        .unwrap()
}

fn at(hour: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(START + hour * HOUR))
}
