//! A running `httpbin` with one mesh-wide policy, and a client of its mesh.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use interop::{Httpbin, program, run_bounded};
use meshtls_ca::{AuthorityOptions, KeyType, RandomSerials, store::CaDir};
use meshtls_rustls::{TlsProfile, rustls::pki_types::UnixTime};
use meshtls_svid::X509Svid;
use meshtls_testkit::TestCa;
use serde_json::Value;
use tempfile::TempDir;

/// How long any program here may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// Who the client is.
pub(crate) const CLIENT: &str = "spiffe://cluster.local/ns/bar/sa/curl";

const SERVER: &str = "spiffe://cluster.local/ns/foo/sa/httpbin";
/// The workload port of every listener.
const PORT: u16 = 8000;

/// Where httpbin has its identity from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Identity {
    CaDir,
    PemFiles,
}

/// A running httpbin, and the folder with the files of both ends.
pub(crate) struct Service {
    httpbin: Httpbin,
    folder: TempDir,
}

impl Service {
    /// Starts it with a mesh-wide policy of `mode`, or without any.
    pub(crate) fn start(identity: Identity, mode: Option<&str>) -> Self {
        let folder = TempDir::new().unwrap();
        let file = |name: &str| folder.path().join(name);
        let mut command = Httpbin::command();
        command.args(["--namespace", "foo", "--service-account", "httpbin"]);
        for protocol in ["auto", "http", "tcp"] {
            command.args(["--listen", &format!("127.0.0.1:0,port={PORT},protocol={protocol}")]);
        }
        if let Some(mode) = mode {
            write_policy(&file(POLICIES), mode);
            command.arg("--policies").arg(file(POLICIES));
        }
        let httpbin = match identity {
            Identity::CaDir => {
                command.arg("--ca-dir").arg(file("ca"));
                let httpbin = Httpbin::start(command);
                write_svid(folder.path(), "client", &issued_from(&file("ca")));
                httpbin
            }
            Identity::PemFiles => {
                let ca = TestCa::at("cluster.local", UnixTime::now()).with_intermediate();
                write_svid(folder.path(), "server", &ca.svid(SERVER));
                write_svid(folder.path(), "client", &ca.svid(CLIENT));
                fs::write(file("roots.pem"), ca.bundle().to_pem()).unwrap();
                command.arg("--cert").arg(file("server.pem"));
                command.arg("--key").arg(file("server.key"));
                command.arg("--roots").arg(file("roots.pem"));
                Httpbin::start(command)
            }
        };
        Self { httpbin, folder }
    }

    /// Its ports by what they are declared to speak. All have the same workload port.
    pub(crate) fn ports(&self) -> [(&'static str, SocketAddr); 3] {
        let &[auto, http, tcp] = self.httpbin.listeners() else { panic!("{:?}", self.httpbin) };
        [("auto", auto), ("http", http), ("tcp", tcp)]
    }

    /// The port that may carry anything.
    pub(crate) fn auto(&self) -> SocketAddr {
        let [(_, auto), ..] = self.ports();
        auto
    }

    /// The folder of the files `client.pem`, `client.key` and, with [`Identity::PemFiles`], `roots.pem`.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file of its policies.
    pub(crate) fn policies(&self) -> PathBuf {
        self.folder().join(POLICIES)
    }

    /// Changes the mesh-wide mode, and waits until the running process has taken it up.
    pub(crate) fn change_mode(&self, mode: &str) {
        write_policy(&self.policies(), mode);
        let deadline = Instant::now() + LIMIT;
        let url = format!("http://{}/explain?port={PORT}", self.httpbin.admin());
        loop {
            let explained = self.curl(&[], &url).json();
            if explained["mode"] == mode {
                return;
            }
            assert!(Instant::now() < deadline, "{mode} is not taken up: {explained}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asks with the real curl, in [`folder`](Self::folder).
    pub(crate) fn curl(&self, options: &[&str], url: &str) -> Answer {
        let mut command = Command::new(program("curl"));
        command
            .current_dir(self.folder())
            .args(["--disable", "--silent", "--show-error", "--noproxy", "*", "--max-time", "30"])
            .args(["--write-out", "\n%{http_code}"])
            .args(options)
            .arg(url);
        let output = run_bounded(command, LIMIT);
        let stdout = String::from_utf8_lossy(&output.stdout);
        let (body, status) = stdout.rsplit_once('\n').unwrap_or_default();
        Answer {
            exit: output.status.code().unwrap(),
            status: status.to_owned(),
            body: body.to_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// What curl ended with.
#[derive(Debug)]
pub(crate) struct Answer {
    exit: i32,
    status: String,
    body: String,
    pub(crate) stderr: String,
}

impl Answer {
    /// curl's exit code and the HTTP status, `000` if there was none.
    pub(crate) fn code(&self) -> (i32, &str) {
        (self.exit, &self.status)
    }

    /// The body; all that is known where it is no JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| Value::String(format!("{self:?}")))
    }
}

/// Writes NAME.pem and NAME.key.
pub(crate) fn write_svid(folder: &Path, name: &str, svid: &X509Svid) {
    fs::write(folder.join(format!("{name}.pem")), svid.chain_pem()).unwrap();
    let key = folder.join(format!("{name}.key"));
    fs::write(&key, svid.key_pem().as_bytes()).unwrap();
    #[cfg(unix)]
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

fn write_policy(file: &Path, mode: &str) {
    let text = format!(
        "apiVersion: security.istio.io/v1\n\
         kind: PeerAuthentication\n\
         metadata: {{ name: default, namespace: istio-system }}\n\
         spec: {{ mtls: {{ mode: {mode} }} }}\n"
    );
    fs::write(file, text).unwrap();
}

/// An X509-SVID of the client, from the authority that httpbin made in `folder`.
fn issued_from(folder: &Path) -> X509Svid {
    let domain = "cluster.local".parse().unwrap();
    let algorithms = TlsProfile::ring()
        .provider()
        .signature_verification_algorithms
        .all;
    let (now, mut serials) = (UnixTime::now(), RandomSerials);
    let options = AuthorityOptions::default();
    CaDir::open_or_create(folder, &domain, &options, algorithms, now, &mut serials)
        .unwrap()
        .issue_svid(&CLIENT.parse().unwrap(), KeyType::P256, None, now, &mut serials)
        .unwrap()
}

const POLICIES: &str = "policies.yaml";
