//! A fleet whose identities come from `ca-server`: processes that know nothing but its address, its root and a join token. It talks
//! through renewals and a rotation of the root, and while the authority is away.

#![cfg(feature = "run")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests end the test by a panic")]
#![expect(clippy::disallowed_methods, reason = "a wait for another process is bounded")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use interop::{Httpbin, built, printed, program, run_bounded};
use meshtls_ca::{AuthorityOptions, RandomSerials, store::SharedAuthority};
use meshtls_rustls::TlsProfile;
use meshtls_rustls::rustls::pki_types::UnixTime;
use serde_json::Value;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(90);

/// A folder with the authority, the tokens and the policies; and, while it runs, the server.
struct Fleet {
    folder: TempDir,
    /// How long certificates live, in seconds.
    ttl: u64,
    /// Where the server listens, from its first start on.
    port: u16,
    server: Option<Child>,
}

impl Fleet {
    fn new(ttl: u64) -> Self {
        // What has to be built is built before the first second counts.
        for name in ["ca-server", "httpbin", "meshcurl"] {
            assert!(built(name).is_file());
        }
        let mut fleet = Self { folder: TempDir::new().unwrap(), ttl, port: 0, server: None };
        fs::write(fleet.file("strict.yaml"), STRICT).unwrap();
        fleet.start_ca();
        fleet
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ca_server(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(built("ca-server"));
        command.args(arguments).arg("--ca-dir").arg(self.file("ca"));
        command
    }

    /// Starts the authority, where it was if it has been there before.
    fn start_ca(&mut self) {
        let (listen, ttl) = (format!("127.0.0.1:{}", self.port), self.ttl.to_string());
        let mut command = self.ca_server(&["--listen", &listen, "--ttl", &ttl]);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = child.stdout.take().unwrap();
        self.server = Some(child);
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).unwrap();
        self.port = line.trim().rsplit(':').next().unwrap().parse().unwrap();
    }

    fn stop_ca(&mut self) {
        let mut child = self.server.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// What a process needs to become `id`, once.
    fn join(&self, id: &str) -> Vec<String> {
        let output = run_bounded(self.ca_server(&["join-token", "--id", id]), LIMIT);
        assert!(output.status.success(), "{}", printed(&output));
        let token = self.file(&id.replace(['/', ':'], "_"));
        fs::write(&token, output.stdout).unwrap();
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let flags =
            ["--ca".to_owned(), format!("127.0.0.1:{}", self.port), "--ca-roots".to_owned()];
        let files = [text(self.file("ca/root-cert.pem")), "--ca-token".to_owned(), text(token)];
        flags.into_iter().chain(files).collect()
    }

    /// An httpbin of `namespace` under STRICT.
    fn httpbin(&self, namespace: &str) -> Httpbin {
        let mut command = Httpbin::command();
        command.args(["--namespace", namespace, "--service-account", "httpbin"]);
        command.args(["--listen", "127.0.0.1:0,port=8000", "--policies"]);
        command.arg(self.file("strict.yaml"));
        command.args(self.join(&format!("spiffe://cluster.local/ns/{namespace}/sa/httpbin")));
        let httpbin = Httpbin::start(command);
        wait_for("a first identity", || state(&httpbin) == "fresh");
        httpbin
    }

    /// A call by a process of the mesh, whose identity comes from `flags`.
    fn call(&self, namespace: &str, httpbin: &Httpbin, flags: &[String]) -> Output {
        let services = self.file(&format!("{namespace}.yaml"));
        let port = httpbin.listeners().first().unwrap().port().to_string();
        fs::write(
            &services,
            SERVICE
                .replace("NAMESPACE", namespace)
                .replace("PORT", &port),
        )
        .unwrap();
        let mut command = Command::new(built("meshcurl"));
        command.args(["--namespace", "legacy", "--service-account", "curl", "--max-time", "20"]);
        command.args(flags).arg("--services").arg(services);
        command.arg(format!("http://httpbin.{namespace}.svc.cluster.local:8000/peer"));
        run_bounded(command, LIMIT)
    }

    /// A caller with an identity in files: it does without the server, and brings the newest root along.
    fn files(&self) -> Vec<String> {
        let profile = TlsProfile::ring();
        let algorithms = profile.provider().signature_verification_algorithms.all;
        let (domain, options) = ("cluster.local".parse().unwrap(), AuthorityOptions::default());
        let (ca, now) = (self.file("ca"), UnixTime::now());
        let authority = SharedAuthority::open_or_create(
            &ca,
            &domain,
            &options,
            algorithms,
            now,
            &mut RandomSerials,
        )
        .unwrap()
        .rotation(now)
        .unwrap()
        .to_authority();
        let id = "spiffe://cluster.local/ns/legacy/sa/curl".parse().unwrap();
        let ttl = Some(Duration::from_secs(300));
        let svid = authority
            .issue_svid(&id, Default::default(), ttl, now, &mut RandomSerials)
            .unwrap();
        let write = |name: &str, text: &[u8]| {
            fs::write(self.file(name), text).unwrap();
            self.file(name).to_str().unwrap().to_owned()
        };
        let [chain, key] = [
            write("curl.pem", svid.chain_pem().as_bytes()),
            write("curl.key", svid.key_pem().as_bytes()),
        ];
        let roots = write("curl.roots", authority.trust_bundle().to_pem().as_bytes());
        ["--cert".into(), chain, "--key".into(), key, "--roots".into(), roots].into()
    }

    /// Takes a step of a rotation, as soon as nobody would be cut off by it.
    fn rotate(&self, step: &str) {
        wait_for(step, || {
            let output = run_bounded(self.ca_server(&["rotate", step]), LIMIT);
            let waits = String::from_utf8_lossy(&output.stderr).contains("live");
            assert!(output.status.success() || waits, "{step}: {}", printed(&output));
            output.status.success()
        });
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            drop(server.kill());
            drop(server.wait());
        }
    }
}

fn identity(httpbin: &Httpbin) -> Value {
    let mut command = Command::new(program("curl"));
    command.args(["--disable", "--silent", "--show-error", "--noproxy", "*", "--max-time", "30"]);
    command.arg(format!("http://{}/identity", httpbin.admin()));
    let output = run_bounded(command, LIMIT);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", printed(&output)))
}

fn state(httpbin: &Httpbin) -> String {
    text(&identity(httpbin), "state").to_owned()
}

fn text<'a>(seen: &'a Value, name: &str) -> &'a str {
    seen.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn generation(httpbin: &Httpbin) -> u64 {
    identity(httpbin)
        .get("generation")
        .and_then(Value::as_u64)
        .unwrap_or(0)
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not come");
        thread::sleep(Duration::from_millis(200));
    }
}

fn assert_answered(output: &Output, when: &str) {
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    assert_eq!(
        text(&seen, "spiffe_id"),
        "spiffe://cluster.local/ns/legacy/sa/curl",
        "{when}: {}",
        printed(output)
    );
}

/// Two httpbins and a curl are three processes with three identities. Each call is a new process that joins anew.
#[test]
fn three_processes_talk_through_renewals_and_a_rotation() {
    let fleet = Fleet::new(8);
    let servers = [("foo", fleet.httpbin("foo")), ("bar", fleet.httpbin("bar"))];
    let everybody_answers = |when: &str| {
        for (namespace, httpbin) in &servers {
            let join = fleet.join("spiffe://cluster.local/ns/legacy/sa/curl");
            assert_answered(
                &fleet.call(namespace, httpbin, &join),
                &format!("{when}, {namespace}"),
            );
        }
    };
    everybody_answers("at first");
    let before = servers.each_ref().map(|(_, httpbin)| generation(httpbin));
    wait_for("a renewal of both", || {
        servers
            .iter()
            .zip(before)
            .all(|((_, httpbin), before)| generation(httpbin) > before)
    });
    everybody_answers("after a renewal");
    for step in ["prepare", "activate", "retire", "forget"] {
        fleet.rotate(step);
        everybody_answers(step);
    }
    let roots = fs::read_to_string(fleet.file("ca/root-cert.pem")).unwrap();
    assert_eq!(roots.matches("BEGIN CERTIFICATE").count(), 1, "the old root has gone");
}

/// Away for longer than half of a life: traffic goes on, and health says so. Longer than a life: handshakes are refused. Both end
/// without a restart.
#[test]
fn the_authority_goes_away_and_comes_back() {
    let mut fleet = Fleet::new(20);
    let httpbin = fleet.httpbin("foo");
    fleet.stop_ca();
    wait_for("trouble", || state(&httpbin) == "degraded");
    assert_answered(&fleet.call("foo", &httpbin, &fleet.files()), "while the authority is away");
    let seen = identity(&httpbin);
    assert!(text(&seen, "error").contains("the CA cannot be reached"), "{seen}");

    let before = generation(&httpbin);
    fleet.start_ca();
    wait_for("recovery", || state(&httpbin) == "fresh" && generation(&httpbin) > before);

    fleet.stop_ca();
    wait_for("the end", || state(&httpbin) == "expired");
    assert_eq!(identity(&httpbin).get("ready"), Some(&Value::Bool(false)));
    let refused = fleet.call("foo", &httpbin, &fleet.files());
    assert!(!refused.status.success(), "{}", printed(&refused));
    // Its certificate has ended, and its token is used up: an operator puts another one into the same file.
    fleet.join("spiffe://cluster.local/ns/foo/sa/httpbin");
    fleet.start_ca();
    wait_for("recovery without a restart", || state(&httpbin) == "fresh");
    assert_answered(
        &fleet.call("foo", &httpbin, &fleet.files()),
        "after the authority was away for long",
    );
}

const STRICT: &str = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n\
    metadata: { name: default, namespace: istio-system }\nspec: { mtls: { mode: STRICT } }\n";
const SERVICE: &str = "\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: httpbin, namespace: NAMESPACE }
spec:
  hosts: [httpbin.NAMESPACE.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 8000, name: http, protocol: HTTP }]
  endpoints:
  - address: 127.0.0.1
    ports: { http: PORT }
    serviceAccount: httpbin
";
