//! `meshcurl` against TLS servers of OpenSSL, by rules with mode SIMPLE and MUTUAL.

#![cfg(feature = "run")]
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use interop::{built, printed, program, run_bounded};
use meshtls_rustls::rustls::pki_types::UnixTime;
use meshtls_svid::KeyedChain;
use meshtls_testkit::{Revocations, TestCa};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(60);
const HOST: &str = "api.example.com";

/// A world with an authority for servers and clients outside the mesh, and the files of both.
struct World {
    folder: TempDir,
    ca: TestCa,
}

impl World {
    fn new() -> Self {
        // Without an intermediate: for a server name of its own, s_server presents the leaf alone.
        let (folder, ca) = (TempDir::new().unwrap(), TestCa::at("web.example", UnixTime::now()));
        let world = Self { folder, ca };
        world.write("roots.pem", world.ca.bundle().to_pem());
        world.write_own("client", &world.ca.web_certificate(&["client.example.com"]));
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    fn write_own(&self, name: &str, own: &KeyedChain) {
        self.write(&format!("{name}.pem"), own.chain_pem());
        self.write(&format!("{name}.key"), &*own.key_pem());
    }

    /// Calls [`HOST`] at `server` with this `tls` block; `FOLDER` in it is where the files are.
    fn curl(&self, server: SocketAddr, tls: &str, flags: &[&str]) -> Output {
        let tls = tls.replace("FOLDER", self.folder.path().to_str().unwrap());
        let rule = format!(
            "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n\
             metadata: {{ name: api, namespace: default }}\n\
             spec: {{ host: {HOST}, trafficPolicy: {{ tls: {{ {tls} }} }} }}\n"
        );
        let entry = format!(
            "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{ name: api, namespace: default }}\n\
             spec:\n  hosts: [{HOST}]\n  location: MESH_EXTERNAL\n  resolution: STATIC\n  \
             ports: [{{ number: 443, name: https }}]\n  \
             endpoints: [{{ address: {}, ports: {{ https: {} }} }}]\n",
            server.ip(),
            server.port()
        );
        let mut command = Command::new(built("meshcurl"));
        command
            .arg("--ca-dir")
            .arg(self.path("mesh"))
            .arg("--policies")
            .arg(self.write("rule.yaml", rule))
            .arg("--services")
            .arg(self.write("services.yaml", entry))
            .args(flags)
            .arg(format!("http://{HOST}:443/"));
        run_bounded(command, LIMIT)
    }
}

/// `openssl s_server`, which answers with a page about the connection. Dropping it ends the process, by its pid.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// With this certificate for the right server name, and an alert for any other.
    fn start(world: &World, certificate: &str, flags: &[&str]) -> Self {
        let file = |name: &str| world.path(name).display().to_string();
        let (own, key) = (file(&format!("{certificate}.pem")), file(&format!("{certificate}.key")));
        let mut child = Command::new(program("openssl"))
            .args(["s_server", "-accept", "127.0.0.1:0", "-www"])
            .args(["-cert", &own, "-key", &key])
            .args(["-servername", HOST, "-servername_fatal", "-cert2", &own, "-key2", &key])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut output = output;
            let mut line = String::new();
            while output.read_line(&mut line).is_ok_and(|read| read > 0) {
                if let Some(address) = line.trim().strip_prefix("ACCEPT ") {
                    drop(sender.send(address.parse::<SocketAddr>()));
                }
                line.clear();
            }
            drop(output.read_to_end(&mut Vec::new()));
        });
        let address = receiver.recv_timeout(LIMIT);
        let mut server = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        server.address = address.unwrap().unwrap();
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn ended(output: &Output, code: i32, words: &str) {
    let text = printed(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(words), "`{words}` is not in: {text}");
}

#[test]
fn simple_with_a_dns_name() {
    let world = World::new();
    world.write_own("server", &world.ca.web_certificate(&[HOST]));
    for version in ["-tls1_3", "-tls1_2"] {
        let server = Server::start(&world, "server", &[version]);
        let simple = "mode: SIMPLE, caCertificates: FOLDER/roots.pem";
        ended(&world.curl(server.address, simple, &[]), 0, "Ciphers supported in s_server");
        // A server name of the rule's own is what OpenSSL sees, and does not know.
        let other = format!("{simple}, sni: www.example.com");
        ended(&world.curl(server.address, &other, &[]), 35, "unrecognized_name (112)");
    }
}

#[test]
fn a_wrong_name_and_a_wrong_authority_are_refused() {
    let world = World::new();
    world.write_own("server", &world.ca.web_certificate(&["www.example.com"]));
    let server = Server::start(&world, "server", &[]);
    let simple = "mode: SIMPLE, caCertificates: FOLDER/roots.pem";
    ended(
        &world.curl(server.address, simple, &[]),
        60,
        "presented www.example.com, but accepted is api.example.com",
    );
    let listed = format!("{simple}, subjectAltNames: [www.example.com]");
    ended(&world.curl(server.address, &listed, &[]), 0, "Ciphers supported");

    world.write(
        "roots.pem",
        TestCa::at("other.example", UnixTime::now())
            .bundle()
            .to_pem(),
    );
    ended(&world.curl(server.address, &listed, &[]), 60, "no accepted authority issued");
    // The authorities of this machine did not issue it either, or there are none.
    let output = world.curl(server.address, "mode: SIMPLE", &[]);
    assert!(matches!(output.status.code(), Some(58 | 60)), "{}", printed(&output));

    let skip = "mode: SIMPLE, insecureSkipVerify: true";
    ended(&world.curl(server.address, skip, &[]), 58, "insecureSkipVerify");
    ended(&world.curl(server.address, skip, &["--insecure"]), 0, "Ciphers supported");
}

#[test]
fn mutual_with_a_client_certificate() {
    let world = World::new();
    world.write_own("server", &world.ca.web_certificate(&[HOST]));
    let roots = world.path("roots.pem");
    let verify = ["-Verify", "3", "-verify_return_error", "-CAfile", roots.to_str().unwrap()];
    for (version, alert) in [("-tls1_3", 56), ("-tls1_2", 35)] {
        let server = Server::start(&world, "server", &[&[version], &verify[..]].concat());
        let mutual = "mode: MUTUAL, caCertificates: FOLDER/roots.pem, \
                      clientCertificate: FOLDER/client.pem, privateKey: FOLDER/client.key";
        ended(&world.curl(server.address, mutual, &[]), 0, "Ciphers supported in s_server");
        let simple = "mode: SIMPLE, caCertificates: FOLDER/roots.pem";
        let output = world.curl(server.address, simple, &[]);
        assert_eq!(output.status.code(), Some(alert), "{version}: {}", printed(&output));
    }
}

#[test]
fn a_revoked_server_is_refused() {
    let world = World::new();
    world.write_own("server", &world.ca.web_certificate(&[HOST]));
    let server = Server::start(&world, "server", &[]);
    let simple = "mode: SIMPLE, caCertificates: FOLDER/roots.pem, caCrl: FOLDER/crl.pem";
    for (revocations, code, words) in [
        (Revocations::Nobody, 0, "Ciphers supported"),
        (Revocations::EveryWebCertificate, 60, "is revoked"),
    ] {
        world.write("crl.pem", world.ca.revocation_list_pem(revocations));
        assert!(openssl_reads_the_list(&world.path("crl.pem")));
        ended(&world.curl(server.address, simple, &[]), code, words);
    }
}

fn openssl_reads_the_list(path: &Path) -> bool {
    let mut command = Command::new(program("openssl"));
    command.args(["crl", "-noout", "-in"]).arg(path);
    run_bounded(command, LIMIT).status.success()
}
