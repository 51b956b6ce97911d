//! The real programs while their wall clock jumps by days, by libfaketime: what `meshtls-source` documents is what happens.

#![cfg(feature = "run")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests end the test by a panic")]
#![expect(clippy::disallowed_methods, reason = "a wait for another process is bounded")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use interop::{Httpbin, built, printed, program, run_bounded};
use meshtls_rustls::rustls::pki_types::UnixTime;
use meshtls_testkit::TestCa;
use serde_json::Value;
use tempfile::TempDir;

/// A folder whose file says by how much the clock of every program here is wrong.
struct FakedTime {
    folder: TempDir,
    library: String,
}

impl FakedTime {
    fn new() -> Self {
        // The wrapper knows where its library is.
        let mut command = Command::new(program("faketime"));
        command.args(["-f", "+0", "printenv", "LD_PRELOAD"]);
        let output = run_bounded(command, LIMIT);
        assert!(output.status.success(), "{}", printed(&output));
        let library = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        let faked = Self { folder: TempDir::new().unwrap(), library };
        faked.jump_to("+0");
        faked
    }

    /// Sets all clocks to `offset` from the right time, such as `-3d`.
    fn jump_to(&self, offset: &str) {
        let new = self.file("offset.new");
        fs::write(&new, format!("{offset}\n")).unwrap();
        fs::rename(new, self.file("offset")).unwrap();
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The wall clock of `command` is faked; the monotonic one, by which it waits, is not.
    fn fake<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", self.file("offset"))
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }

    fn httpbin(&self, identity: &[&Path]) -> Httpbin {
        let strict = self.file("strict.yaml");
        fs::write(&strict, STRICT).unwrap();
        let mut command = Httpbin::command();
        command.args(["--namespace", "foo", "--service-account", "httpbin"]);
        command.args(["--listen", "127.0.0.1:0,port=8000", "--policies"]);
        self.fake(command.arg(strict).args(identity));
        Httpbin::start(command)
    }

    /// What the mesh's own client gets, by the same clock.
    fn call(&self, httpbin: &Httpbin, identity: &[&Path]) -> (Option<i32>, String) {
        let services = self.file("services.yaml");
        let port = httpbin.listeners().first().unwrap().port();
        fs::write(&services, SERVICE.replace("PORT", &port.to_string())).unwrap();
        let mut command = Command::new(built("meshcurl"));
        command.args(["--namespace", "bar", "--service-account", "curl", "--services"]);
        command.arg(services).args(identity);
        command.args([
            "--write-out",
            "%{http_code}",
            "http://httpbin.foo.svc.cluster.local:8000/status/200",
        ]);
        self.fake(&mut command);
        let output = run_bounded(command, LIMIT);
        (output.status.code(), printed(&output))
    }
}

/// What httpbin says of its identity.
fn identity(httpbin: &Httpbin) -> Value {
    let url = format!("http://{}/identity", httpbin.admin());
    let mut command = Command::new(program("curl"));
    command.args([
        "--disable",
        "--silent",
        "--show-error",
        "--noproxy",
        "*",
        "--max-time",
        "30",
        &url,
    ]);
    let output = run_bounded(command, LIMIT);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", printed(&output)))
}

/// Waits until what httpbin says of its identity is as wanted.
fn wait_until(httpbin: &Httpbin, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + LIMIT;
    loop {
        let seen = identity(httpbin);
        if wanted(&seen) {
            return seen;
        }
        assert!(Instant::now() < deadline, "{what}: {seen}");
        thread::sleep(Duration::from_millis(100));
    }
}

fn fresh_in(generation: u64) -> impl Fn(&Value) -> bool {
    move |seen| seen["state"] == "fresh" && seen["generation"] == generation
}

/// With an authority at hand the clock is believed: after each jump the identity is renewed, and the mesh goes on by the new time.
#[test]
fn an_authority_at_hand_follows_the_clock() {
    let faked = FakedTime::new();
    let ca = faked.file("ca");
    let from_ca = [Path::new("--ca-dir"), &ca];
    let httpbin = faked.httpbin(&from_ca);
    wait_until(&httpbin, "at first", fresh_in(0));

    faked.jump_to("+3d");
    wait_until(&httpbin, "three days on", fresh_in(1));
    let (code, said) = faked.call(&httpbin, &from_ca);
    assert_eq!(code, Some(0), "three days on: {said}");

    faked.jump_to("+0");
    wait_until(&httpbin, "and back", fresh_in(2));
    let (code, said) = faked.call(&httpbin, &from_ca);
    assert_eq!(code, Some(0), "and back: {said}");

    // Before the authority was made there is nothing valid to have. The last identity is kept, and the reason can be read.
    faked.jump_to("-5d");
    let seen = wait_until(&httpbin, "before the beginning", |seen| seen["state"] == "degraded");
    assert_eq!(seen["generation"], 2, "{seen}");
    assert!(seen["error"].as_str().unwrap().contains("is valid from"), "{seen}");
    faked.jump_to("+0");
    wait_until(&httpbin, "at the right time again", fresh_in(3));
}

/// Files that nobody renews end by the clock: handshakes are refused, and made again once the clock is right.
#[test]
fn files_end_when_the_clock_says_so() {
    let faked = FakedTime::new();
    let ca = TestCa::at("cluster.local", UnixTime::now());
    let pem = |name: &str, id: &str| {
        let (svid, at) = (ca.svid(id), |kind: &str| faked.file(&format!("{name}.{kind}")));
        fs::write(at("pem"), svid.chain_pem()).unwrap();
        fs::write(at("key"), svid.key_pem()).unwrap();
        fs::write(at("roots"), ca.bundle().to_pem()).unwrap();
        ["--cert".into(), at("pem"), "--key".into(), at("key"), "--roots".into(), at("roots")]
    };
    let server: [PathBuf; 6] = pem("server", "spiffe://cluster.local/ns/foo/sa/httpbin");
    let client: [PathBuf; 6] = pem("client", "spiffe://cluster.local/ns/bar/sa/curl");
    let [server, client] = [&server, &client].map(|paths| paths.each_ref().map(PathBuf::as_path));
    let httpbin = faked.httpbin(&server);
    let (code, said) = faked.call(&httpbin, &client);
    assert_eq!(code, Some(0), "at first: {said}");

    faked.jump_to("+3d");
    let seen = wait_until(&httpbin, "three days on", |seen| seen["state"] == "expired");
    assert_eq!(seen["ready"], false, "{seen}");
    let (code, said) = faked.call(&httpbin, &client);
    assert!(code != Some(0), "an identity that has ended is not used: {said}");

    faked.jump_to("+0");
    wait_until(&httpbin, "and back", fresh_in(0));
    let (code, said) = faked.call(&httpbin, &client);
    assert_eq!(code, Some(0), "and back: {said}");
}

const LIMIT: Duration = Duration::from_secs(60);
const STRICT: &str = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n\
    metadata: { name: default, namespace: istio-system }\nspec: { mtls: { mode: STRICT } }\n";
const SERVICE: &str = "\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: httpbin, namespace: foo }
spec:
  hosts: [httpbin.foo.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 8000, name: http, protocol: HTTP }]
  endpoints:
  - address: 127.0.0.1
    ports: { http: PORT }
    serviceAccount: httpbin
";
