//! `ca-server` against programs that know nothing of it: openssl makes the request and judges the answer, curl speaks HTTP/2.

#![cfg(feature = "run")]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, SystemTime};

use interop::{built, printed, program, run_bounded};
use meshtls_rustls::rustls::pki_types::UnixTime;
use meshtls_testkit::TestCa;

const LIMIT: Duration = Duration::from_secs(60);
const LEDGER: &str = "spiffe://prod.example/ns/pay/sa/ledger";

/// A running `ca-server`. Dropping it ends the process, by its pid.
struct CaServer {
    child: Child,
    port: u16,
}

impl CaServer {
    fn start(directory: &Path) -> Self {
        let mut command = Command::new(built("ca-server"));
        command
            .args(["--listen", "127.0.0.1:0", "--trust-domain", "prod.example", "--ca-dir"])
            .arg(directory.join("ca"))
            .arg("--cert")
            .arg(directory.join("server.pem"))
            .arg("--key")
            .arg(directory.join("server.key"));
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = child.stdout.take().unwrap();
        let mut server = Self { child, port: 0 };
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                drop(sender.send(line));
            }
        });
        let line = lines.recv_timeout(LIMIT).unwrap();
        server.port = line.rsplit(':').next().unwrap().parse().unwrap();
        server
    }
}

impl Drop for CaServer {
    fn drop(&mut self) {
        // It may have ended by itself; its test has noticed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn run(command: Command) -> String {
    let output = run_bounded(command, LIMIT);
    assert!(output.status.success(), "{}", printed(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn length_delimited(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut len = bytes.len();
    while len >= 0x80 {
        field.push(u8::try_from(len & 0x7f).unwrap() | 0x80);
        len >>= 7;
    }
    field.push(u8::try_from(len).unwrap());
    field.extend(bytes);
    field
}

#[test]
fn curl_joins_with_a_request_of_openssl() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    #[expect(clippy::disallowed_methods, reason = "the other programs live in real time")]
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let web = TestCa::at("web.example", UnixTime::since_unix_epoch(now));
    let own = web.web_certificate(&["localhost"]);
    fs::write(path("server.pem"), own.chain_pem()).unwrap();
    fs::write(path("server.key"), own.key_pem().as_bytes()).unwrap();
    fs::write(path("web.pem"), web.bundle().to_pem()).unwrap();
    let server = CaServer::start(directory.path());

    let mut join = Command::new(built("ca-server"));
    join.args(["join-token", "--id", LEDGER, "--ca-dir"])
        .arg(path("ca"));
    let token = run(join);

    let mut openssl = Command::new(program("openssl"));
    openssl
        .args(["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-subj", "/O=anything", "-addext", "subjectAltName=URI:spiffe://prod.example/admin"])
        .arg("-keyout")
        .arg(path("key.pem"));
    let csr = run(openssl);

    // `csr` is field 1, `validity_duration` field 3: 3600 s.
    let mut message = length_delimited(1, csr.as_bytes());
    message.extend([3 << 3, 0x90, 0x1c]);
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend(message);
    fs::write(path("frame"), frame).unwrap();

    let call = |token: &str| {
        let mut curl = Command::new(program("curl"));
        curl.args(["--silent", "--show-error", "--http2", "--max-time", "30", "--cacert"])
            .arg(path("web.pem"))
            .args(["--header", "content-type: application/grpc", "--header", "te: trailers"])
            .args(["--header", &format!("authorization: Bearer {}", token.trim())])
            .arg("--data-binary")
            .arg(format!("@{}", path("frame").display()))
            .arg("--dump-header")
            .arg(path("headers"))
            .arg("--output")
            .arg(path("answer"))
            .arg(format!(
                "https://localhost:{}/istio.v1.auth.IstioCertificateService/CreateCertificate",
                server.port
            ));
        fs::write(path("answer"), "").unwrap();
        run(curl);
        (fs::read_to_string(path("headers")).unwrap(), fs::read(path("answer")).unwrap())
    };
    let (headers, answer) = call(&token);
    assert!(headers.starts_with("HTTP/2 200") && headers.contains("grpc-status: 0"), "{headers}");
    let text = String::from_utf8_lossy(&answer);
    let begin = text.find("-----BEGIN CERTIFICATE-----").unwrap();
    let end = text.find("-----END CERTIFICATE-----").unwrap();
    fs::write(path("leaf.pem"), format!("{}-----END CERTIFICATE-----\n", &text[begin..end]))
        .unwrap();

    let mut verify = Command::new(program("openssl"));
    verify
        .args(["verify", "-x509_strict", "-CAfile"])
        .arg(path("ca").join("root-cert.pem"))
        .arg(path("leaf.pem"));
    assert!(run(verify).contains("leaf.pem: OK"));
    let mut show = Command::new(program("openssl"));
    show.args(["x509", "-noout", "-ext", "subjectAltName", "-in"])
        .arg(path("leaf.pem"));
    let names = run(show);
    assert!(names.contains(&format!("URI:{LEDGER}")) && !names.contains("admin"), "{names}");
    let public = |kind: &str, file: &Path| {
        let mut openssl = Command::new(program("openssl"));
        match kind {
            "x509" => openssl.args(["x509", "-noout", "-pubkey", "-in"]),
            _ => openssl.args(["pkey", "-pubout", "-in"]),
        };
        openssl.arg(file);
        run(openssl)
    };
    assert_eq!(public("x509", &path("leaf.pem")), public("pkey", &path("key.pem")));

    let (headers, answer) = call(&token);
    assert!(headers.contains("grpc-status: 16") && answer.is_empty(), "{headers}");
    assert!(!headers.contains("used"), "a refusal tells no more than its code: {headers}");
}
