//! curl.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use meshtls_rustls::rustls::pki_types::UnixTime;
use meshtls_testkit::TestCa;
use serde_json::Value;

use crate::service::{CLIENT, Identity, Service, write_svid};

/// The options with which curl is a member of the mesh, and asks nothing of the server.
const MEMBER: [&str; 5] = ["--insecure", "--cert", "./client.pem", "--key", "./client.key"];

#[test]
fn plaintext_under_permissive() {
    let service = Service::start(Identity::CaDir, Some("PERMISSIVE"));
    for (port, address) in service.ports() {
        let answer = service.curl(&[], &format!("http://{address}/status/200"));
        assert_eq!(answer.code(), (0, "200"), "{port}: {answer:?}");
        let peer = service.curl(&[], &format!("http://{address}/peer")).json();
        assert_eq!(peer["connection"], "plaintext", "{port}: {peer}");
        assert_eq!(peer["spiffe_id"], Value::Null, "{port}: {peer}");
        assert_eq!(peer["mode"], "PERMISSIVE", "{port}: {peer}");
        assert_eq!(peer["policy"], "mesh policy istio-system/default", "{port}: {peer}");
    }
}

#[test]
fn a_port_without_policies_is_permissive() {
    let service = Service::start(Identity::CaDir, None);
    let answer = service.curl(&[], &format!("http://{}/ip", service.auto()));
    assert_eq!(answer.code(), (0, "200"), "{answer:?}");
}

#[test]
fn plaintext_under_strict() {
    let service = Service::start(Identity::CaDir, Some("STRICT"));
    for (port, address) in service.ports() {
        let answer = service.curl(&[], &format!("http://{address}/ip"));
        assert_eq!(answer.code(), (56, "000"), "{port}: {answer:?}");
        assert!(answer.stderr.contains("Connection reset by peer"), "{port}: {answer:?}");
    }
}

#[test]
fn mtls_under_strict() {
    let tls12 = ["--tls-max", "1.2"];
    for identity in [Identity::CaDir, Identity::PemFiles] {
        let service = Service::start(identity, Some("STRICT"));
        for (port, address) in service.ports() {
            for options in [&[][..], &["--http1.1"], &["--no-alpn"], &tls12] {
                let case = format!("{identity:?}, {port}, {options:?}");
                let url = format!("https://{address}/peer");
                let answer = service.curl(&[&MEMBER, options].concat(), &url);
                assert_eq!(answer.code(), (0, "200"), "{case}: {answer:?}");
                let peer = answer.json();
                assert_eq!(peer["connection"], "mesh", "{case}: {peer}");
                assert_eq!(peer["spiffe_id"], CLIENT, "{case}: {peer}");
                assert_eq!(peer["mode"], "STRICT", "{case}: {peer}");
            }
        }
    }
}

/// A client of TLS 1.3 has finished its handshake when the refusal comes (exit code 56), one of TLS 1.2 has not (35).
#[test]
fn refused_certificates_under_strict() {
    let service = Service::start(Identity::CaDir, Some("STRICT"));
    let stranger = TestCa::at("cluster.local", UnixTime::now()).svid(CLIENT);
    write_svid(service.folder(), "stranger", &stranger);
    let stranger = ["--insecure", "--cert", "./stranger.pem", "--key", "./stranger.key"];
    for (port, address) in service.ports() {
        for (name, options, version, exit, alert) in [
            ("nobody", &["--insecure"][..], "1.3", 56, "alert certificate required"),
            ("nobody", &["--insecure"], "1.2", 35, "alert handshake failure"),
            ("of another authority", &stranger, "1.3", 56, "alert unknown ca"),
            ("of another authority", &stranger, "1.2", 35, "alert unknown ca"),
        ] {
            let options = [options, &["--tls-max", version]].concat();
            let answer = service.curl(&options, &format!("https://{address}/ip"));
            let case = format!("{name}, {port}, TLS {version}");
            assert_eq!(answer.code(), (exit, "000"), "{case}: {answer:?}");
            assert!(answer.stderr.contains(alert), "{case}: {answer:?}");
        }
    }
}

/// curl can check the chain, but the certificate names no host: members of the mesh are known by their SPIFFE IDs.
#[test]
fn without_insecure_curl_misses_a_host_name() {
    let service = Service::start(Identity::PemFiles, Some("STRICT"));
    let [_insecure, certificate @ ..] = MEMBER;
    let curl = |options: &[&str]| {
        let options = [&certificate, options].concat();
        service.curl(&options, &format!("https://{}/ip", service.auto()))
    };
    let unnamed = curl(&["--cacert", "./roots.pem"]);
    assert_eq!(unnamed.code(), (60, "000"), "{unnamed:?}");
    assert!(!unnamed.stderr.contains("issuer"), "{unnamed:?}");
    let untrusted = curl(&[]);
    assert_eq!(untrusted.code(), (60, "000"), "{untrusted:?}");
    assert!(untrusted.stderr.contains("unable to get local issuer"), "{untrusted:?}");
}

/// curl offers `h2` and `http/1.1`, which are no names of the mesh. So its TLS is the application's where the port may carry
/// anything, and the HTTP server there answers what is no TLS; on a port declared `http` it is nobody's.
#[test]
fn mtls_under_permissive_without_a_mesh_alpn() {
    for identity in [Identity::CaDir, Identity::PemFiles] {
        let service = Service::start(identity, Some("PERMISSIVE"));
        for (port, address) in service.ports() {
            let why =
                if port == "http" { "Connection reset by peer" } else { "wrong version number" };
            for options in [&[][..], &["--no-alpn"], &["--tls-max", "1.2"]] {
                let case = format!("{identity:?}, {port}, {options:?}");
                let url = format!("https://{address}/peer");
                let answer = service.curl(&[&MEMBER, options].concat(), &url);
                assert_eq!(answer.code(), (35, "000"), "{case}: {answer:?}");
                assert!(answer.stderr.contains(why), "{case}: {answer:?}");
            }
        }
    }
}

#[test]
fn a_changed_policy_counts_without_a_restart() {
    let service = Service::start(Identity::CaDir, Some("PERMISSIVE"));
    for (mode, want) in [
        ("STRICT", [(56, "000"), (0, "200")]),
        ("PERMISSIVE", [(0, "200"), (35, "000")]),
        ("DISABLE", [(0, "200"), (35, "000")]),
        ("STRICT", [(56, "000"), (0, "200")]),
    ] {
        service.change_mode(mode);
        let plaintext = service.curl(&[], &format!("http://{}/ip", service.auto()));
        let mtls = service.curl(&MEMBER, &format!("https://{}/ip", service.auto()));
        assert_eq!([plaintext.code(), mtls.code()], want, "{mode}: {plaintext:?} {mtls:?}");
    }
}

/// The file is looked at every second.
#[test]
fn a_broken_policy_changes_nothing() {
    let service = Service::start(Identity::CaDir, Some("STRICT"));
    let broken = fs::read_to_string(service.policies())
        .unwrap()
        .replace("STRICT", "permissive");
    fs::write(service.policies(), broken).unwrap();
    let written = Instant::now();
    while written.elapsed() < Duration::from_secs(3) {
        let answer = service.curl(&[], &format!("http://{}/ip", service.auto()));
        assert_eq!(answer.code(), (56, "000"), "{answer:?}");
        thread::sleep(Duration::from_millis(200));
    }
    // It was looked at, and not given up: the next good one counts.
    service.change_mode("PERMISSIVE");
}
