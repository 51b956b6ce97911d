//! The fleet: one folder, one /24 of loopback, and the processes in it, which end with it.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Legacy, MeshClient};
use crate::{CAPTURE_HOSTS, MATRIX_HOSTS, PORT, STRICT_HOSTS, Sabotage};

/// Where everything of one run lives. Dropping it removes its folder.
pub(crate) struct Fleet {
    folder: PathBuf,
    programs: PathBuf,
    network: [u8; 3],
    legacy: Legacy,
    sabotage: Option<Sabotage>,
}

impl Fleet {
    /// Builds the programs, makes the folder and finds a free /24 of loopback.
    pub(crate) fn found(sabotage: Option<Sabotage>) -> Result<Self, Box<dyn Error>> {
        let programs = build_programs()?;
        let folder = std::env::temp_dir().join(format!("meshtls-migration-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, programs, network: free_network()?, legacy: Legacy::find()?, sabotage })
    }

    pub(crate) fn legacy(&self) -> &Legacy {
        &self.legacy
    }

    /// The address of host number `host` in the fleet's network.
    pub(crate) fn host(&self, host: u8) -> Ipv4Addr {
        let [a, b, c] = self.network;
        Ipv4Addr::new(a, b, c, host)
    }

    /// An area of its own for one act: policies, services, and nothing shared but the CA.
    pub(crate) fn area(&self, name: &str) -> Result<Area<'_>, Box<dyn Error>> {
        let folder = self.folder.join(name);
        fs::create_dir_all(folder.join("policies"))?;
        fs::create_dir_all(folder.join("no-policies"))?;
        Ok(Area { fleet: self, folder })
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            println!("could not remove {}: {error}", self.folder.display());
        }
    }
}

/// The files of one act.
pub(crate) struct Area<'a> {
    fleet: &'a Fleet,
    folder: PathBuf,
}

impl Area<'_> {
    /// Puts `text` in place of all policies, in one rename.
    pub(crate) fn set_policies(&self, text: &str) -> Result<(), Box<dyn Error>> {
        println!("\n  policies:{}", if text.is_empty() { " none" } else { "" });
        for line in text.lines() {
            println!("    {line}");
        }
        let new = self.folder.join("policies.new");
        fs::write(&new, text)?;
        fs::rename(&new, self.policies().join("all.yaml"))?;
        Ok(())
    }

    /// Writes what clients know of the services.
    pub(crate) fn set_services(&self, services: &[Service<'_>]) -> Result<(), Box<dyn Error>> {
        let documents: Vec<String> = services
            .iter()
            .map(|service| service.document(self.fleet.sabotage))
            .collect();
        fs::write(self.services(), documents.join("---\n"))?;
        Ok(())
    }

    /// A mesh client in `namespace`.
    pub(crate) fn client(&self, namespace: &'static str) -> MeshClient {
        let ca = if self.fleet.sabotage == Some(Sabotage::WrongCa) { "another-ca" } else { "ca" };
        MeshClient {
            program: self
                .fleet
                .programs
                .join(format!("meshcurl{}", std::env::consts::EXE_SUFFIX)),
            namespace,
            trust_domain: TRUST_DOMAIN,
            ca_dir: self.fleet.folder.join(ca),
            policies: self.policies(),
            services: self.services(),
        }
    }

    /// Starts an `httpbin` and waits until it listens. `ignores` is the server that `--break strict-ignored` keeps without policies.
    pub(crate) fn server(&self, who: &Workload<'_>) -> Result<Server, Box<dyn Error>> {
        let deaf =
            who.ignores_under_sabotage && self.fleet.sabotage == Some(Sabotage::StrictIgnored);
        let mut command = Command::new(
            self.fleet
                .programs
                .join(format!("httpbin{}", std::env::consts::EXE_SUFFIX)),
        );
        command
            .args(["--namespace", who.namespace, "--service-account", who.service_account])
            .args(["--trust-domain", TRUST_DOMAIN, "--admin", &format!("{}:0", who.host)])
            .arg("--ca-dir")
            .arg(self.fleet.folder.join("ca"))
            .arg("--policies")
            .arg(if deaf { self.folder.join("no-policies") } else { self.policies() });
        for label in who.labels {
            command.args(["--label", label]);
        }
        for port in who.ports {
            command.args(["--listen", &format!("{}:{port}", who.host)]);
        }
        Server::start(command, who.ports.len())
    }

    fn policies(&self) -> PathBuf {
        self.folder.join("policies")
    }

    fn services(&self) -> PathBuf {
        self.folder.join("services.yaml")
    }
}

/// A server of the story.
pub(crate) struct Workload<'a> {
    pub(crate) host: Ipv4Addr,
    pub(crate) namespace: &'a str,
    pub(crate) service_account: &'a str,
    pub(crate) labels: &'a [&'a str],
    pub(crate) ports: &'a [u16],
    /// Whether `--break strict-ignored` strikes this one.
    pub(crate) ignores_under_sabotage: bool,
}

/// A service as clients know it: one host name, one endpoint.
pub(crate) struct Service<'a> {
    pub(crate) name: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) service_account: &'a str,
    pub(crate) labels: &'a [(&'a str, &'a str)],
    pub(crate) endpoint: Ipv4Addr,
    /// Service port and the endpoint's port.
    pub(crate) ports: &'a [(u16, u16)],
}

impl Service<'_> {
    /// A `ServiceEntry`. Without a service account the endpoint counts as one that speaks no mTLS.
    fn document(&self, sabotage: Option<Sabotage>) -> String {
        let Self { name, namespace, service_account, endpoint, .. } = self;
        let declared: String = self
            .ports
            .iter()
            .map(|(service, _)| {
                format!("  - {{ number: {service}, name: http-{service}, protocol: HTTP }}\n")
            })
            .collect();
        let real: Vec<String> = self
            .ports
            .iter()
            .map(|(service, real)| format!("http-{service}: {real}"))
            .collect();
        let labels: Vec<String> = self
            .labels
            .iter()
            .map(|(key, value)| format!("{key}: {value}"))
            .collect();
        let account = match sabotage {
            Some(Sabotage::PlaintextFallback) => String::new(),
            _ => format!("    serviceAccount: {service_account}\n"),
        };
        format!(
            "apiVersion: networking.istio.io/v1\n\
             kind: ServiceEntry\n\
             metadata: {{ name: {name}, namespace: {namespace} }}\n\
             spec:\n  \
             hosts: [{name}.{namespace}.svc.cluster.local]\n  \
             location: MESH_INTERNAL\n  \
             resolution: STATIC\n  \
             ports:\n{declared}  \
             endpoints:\n  \
             - address: {endpoint}\n    \
             ports: {{ {} }}\n    \
             labels: {{ {} }}\n{account}",
            real.join(", "),
            labels.join(", ")
        )
    }
}

/// A running `httpbin`. Dropping it ends the process, by its pid.
pub(crate) struct Server {
    child: Child,
    admin: SocketAddr,
}

impl Server {
    fn start(mut command: Command, listeners: usize) -> Result<Self, Box<dyn Error>> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = child
            .stdout
            .take()
            .map(lines_of)
            .ok_or("the server has no standard output")?;
        let mut server = Self { child, admin: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let deadline = Instant::now() + READY;
        let (mut ready, mut admin) = (0, None);
        while ready < listeners || admin.is_none() {
            let line = lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
                .map_err(|_gone_or_late| "httpbin did not become ready")?;
            match line.strip_prefix("admin on ") {
                Some(address) => admin = Some(address.trim().parse()?),
                None if line.starts_with("listening on ") => ready += 1,
                None => {}
            }
        }
        server.admin = admin.unwrap_or(server.admin);
        Ok(server)
    }

    /// Waits until the server has taken up `mode` for `port`; says so when it does not, and goes on: the cells will show it.
    pub(crate) fn await_mode(&self, port: u16, mode: &str) -> Result<(), Box<dyn Error>> {
        let deadline = Instant::now() + RELOADED;
        loop {
            let seen = self.explain(port)?;
            if seen == mode {
                return Ok(());
            }
            if Instant::now() > deadline {
                println!("  a server still says {seen} for port {port} where {mode} was due");
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The effective mode of `port`, from the admin page.
    fn explain(&self, port: u16) -> Result<String, Box<dyn Error>> {
        let mut stream = TcpStream::connect_timeout(&self.admin, READY)?;
        stream.set_read_timeout(Some(READY))?;
        write!(
            stream,
            "GET /explain?port={port} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer
            .split_once("\r\n\r\n")
            .ok_or("the admin page gave no body")?;
        let explanation: serde_json::Value = serde_json::from_str(body)?;
        let mode = explanation.get("mode").and_then(serde_json::Value::as_str);
        Ok(mode.ok_or("the explanation names no mode")?.to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait().map(drop)) {
            println!("could not end process {}: {error}", self.child.id());
        }
    }
}

/// Reads the lines of a child without end, so that its pipe never fills.
fn lines_of(output: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Nobody listens once the server is ready; reading goes on all the same.
            drop(sender.send(line));
        }
    });
    receiver
}

/// Builds `httpbin` and `meshcurl` beside this program and gives their folder.
fn build_programs() -> Result<PathBuf, Box<dyn Error>> {
    let own = std::env::current_exe()?;
    let folder = own
        .parent()
        .ok_or("this program lies in no folder")?
        .to_owned();
    if let Some(cargo) = std::env::var_os("CARGO") {
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "httpbin", "--package", "meshcurl"]);
        // What `cargo run` says of this package would make build scripts that look at it run again, and everything above them.
        for (name, _) in std::env::vars_os() {
            if ["CARGO_PKG_", "CARGO_MANIFEST_"]
                .iter()
                .any(|of| name.to_string_lossy().starts_with(of))
            {
                build.env_remove(name);
            }
        }
        if folder.ends_with("release") {
            build.arg("--release");
        }
        if !build
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()?
            .success()
        {
            return Err("httpbin and meshcurl do not build".into());
        }
    }
    for program in ["httpbin", "meshcurl"] {
        let path = folder.join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
        if !Path::new(&path).is_file() {
            return Err(format!(
                "{} is missing: run `cargo build -p httpbin -p meshcurl`",
                path.display()
            )
            .into());
        }
    }
    Ok(folder)
}

/// The first 127.0.N.0/24 in which every host of the story can listen.
fn free_network() -> Result<[u8; 3], Box<dyn Error>> {
    let hosts = || {
        CAPTURE_HOSTS
            .into_iter()
            .chain(MATRIX_HOSTS)
            .chain(STRICT_HOSTS)
    };
    (1..=250)
        .map(|third| [127, 0, third])
        .find(|[a, b, c]| {
            hosts().all(|d| TcpListener::bind((Ipv4Addr::new(*a, *b, *c, d), PORT)).is_ok())
        })
        .ok_or_else(|| format!("no loopback network has port {PORT} free").into())
}

const TRUST_DOMAIN: &str = "cluster.local";
const READY: Duration = Duration::from_secs(10);
const RELOADED: Duration = Duration::from_secs(5);
