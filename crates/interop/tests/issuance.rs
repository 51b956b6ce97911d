//! OpenSSL, GnuTLS and curl accept what our authority issues, for every key type, with and without intermediate, and obey its lists.

#![cfg(feature = "run")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use interop::{printed, program, run_bounded};
use meshtls_ca::{
    Authority, AuthorityOptions, IntermediateTerms, KeyPair, KeyType, NameLimit, RandomSerials,
    Revocation, RevocationReason, Serial, SerialError, SerialSource, csr, revocation_list_pem,
};
use meshtls_rustls::rustls::crypto::aws_lc_rs;
use meshtls_rustls::rustls::pki_types::UnixTime;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(30);
const ID: &str = "spiffe://prod.example/ns/pay/sa/ledger";

#[test]
fn openssl_verifies_strictly() {
    for issued in all() {
        for purpose in ["sslserver", "sslclient"] {
            let verify = format!("verify -x509_strict -purpose {purpose} -CAfile root.pem");
            let above = issued.above("-untrusted");
            let output = issued.run("openssl", &format!("{verify} {above} leaf.pem"));
            assert_eq!(output, "leaf.pem: OK\n", "{}", issued.name);
        }
        let output = issued.run("openssl", "verify -x509_strict -CAfile root.pem root.pem");
        assert_eq!(output, "root.pem: OK\n", "{}", issued.name);
    }
}

#[test]
fn openssl_shows_the_profile() {
    for issued in all() {
        let text = issued.run("openssl", "x509 -in leaf.pem -noout -text");
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert!(lines.contains(&"Version: 3 (0x2)"), "{text}");
        assert!(lines.contains(&"Subject:"), "the subject is empty: {text}");
        for (extension, value) in [
            ("X509v3 Subject Alternative Name: critical", format!("URI:{ID}")),
            ("X509v3 Key Usage: critical", "Digital Signature, Key Encipherment".to_owned()),
            (
                "X509v3 Extended Key Usage:",
                "TLS Web Server Authentication, TLS Web Client Authentication".to_owned(),
            ),
            ("X509v3 Basic Constraints: critical", "CA:FALSE".to_owned()),
        ] {
            let at = lines.iter().position(|line| *line == extension);
            let at = at.unwrap_or_else(|| panic!("{}: no {extension}: {text}", issued.name));
            assert_eq!(lines.get(at + 1), Some(&&*value), "{}", issued.name);
        }
        let extensions = lines
            .iter()
            .filter(|line| line.starts_with("X509v3"))
            .count();
        // "X509v3 extensions:", the four above, and two key identifiers.
        assert_eq!(extensions, 7, "{text}");

        let text = issued.run("openssl", "x509 -in root.pem -noout -text");
        assert!(text.contains("Certificate Sign, CRL Sign"), "{text}");
        assert!(text.contains("CA:TRUE"), "{text}");
    }
}

#[test]
fn openssl_reads_the_keys() {
    for issued in all() {
        let own = issued.run("openssl", "pkey -in key.pem -pubout");
        let certified = issued.run("openssl", "x509 -in leaf.pem -noout -pubkey");
        assert_eq!(own, certified, "{}", issued.name);
    }
}

#[test]
fn certtool_verifies() {
    for issued in all() {
        let verify = "--verify --load-ca-certificate root.pem --infile chain.pem";
        let output = issued.run("certtool", verify);
        assert!(output.contains("The certificate is trusted."), "{}: {output}", issued.name);
    }
}

#[test]
fn openssl_shows_what_an_intermediate_may_do() {
    for issued in all() {
        let above = issued.above("-in");
        if above.is_empty() {
            continue;
        }
        let text = issued.run("openssl", &format!("x509 {above} -noout -text"));
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert!(lines.contains(&"CA:TRUE, pathlen:0"), "{}: {text}", issued.name);
        let limited = lines.windows(3).any(|lines| {
            lines == ["X509v3 Name Constraints: critical", "Permitted:", "URI:prod.example"]
        });
        assert_eq!(limited, issued.name.ends_with(LIMITED), "{}: {text}", issued.name);
    }
}

/// Below a limited authority OpenSSL takes its own domain and no other.
#[test]
fn openssl_obeys_the_name_limit() {
    let now = UnixTime::now();
    let root = Authority::self_signed(
        "prod.example".parse().unwrap(),
        &AuthorityOptions::default(),
        now,
        &mut RandomSerials,
    )
    .unwrap();
    let key = Arc::new(KeyPair::generate(KeyType::P256).unwrap());
    let terms = IntermediateTerms::new(Duration::from_secs(86_400))
        .with_name_limit(NameLimit::OwnTrustDomain);
    let limited = root
        .intermediate_with(Arc::<KeyPair>::clone(&key), &terms, now, &mut RandomSerials)
        .unwrap();
    let issued = issue("limited".to_owned(), &limited, KeyType::P256, now);
    let file = |name: &str, text: &str| fs::write(issued.folder.path().join(name), text).unwrap();
    file("ca-key.pem", &key.to_pem());
    for (id, fits) in [
        ("spiffe://prod.example/other", true),
        ("spiffe://other.example/ledger", false),
        ("spiffe://a.prod.example/ledger", false),
    ] {
        file("san.cnf", &format!("subjectAltName=critical,URI:{id}\n"));
        issued.run("openssl", "req -new -key key.pem -subj / -out foreign.csr");
        issued.run(
            "openssl",
            "x509 -req -in foreign.csr -CA above.pem -CAkey ca-key.pem -days 1 -set_serial 77 \
             -extfile san.cnf -out foreign.pem",
        );
        let verify =
            issued.command("openssl", "verify -CAfile root.pem -untrusted above.pem foreign.pem");
        let output = run_bounded(verify, LIMIT);
        assert_eq!(output.status.success(), fits, "{id}: {}", printed(&output));
        let violation = printed(&output).contains("permitted subtree violation");
        assert_eq!(violation, !fits, "{id}: {}", printed(&output));
    }
}

#[test]
fn openssl_obeys_revocation_lists() {
    for key_type in KEY_TYPES {
        let now = UnixTime::now();
        let options = AuthorityOptions::default().with_key_type(key_type);
        let domain = "prod.example".parse().unwrap();
        let root = Authority::self_signed(domain, &options, now, &mut Fixed(1)).unwrap();
        let key = Arc::new(KeyPair::generate(key_type).unwrap());
        let below = root
            .intermediate(key, Duration::from_secs(86_400), now, &mut Fixed(2))
            .unwrap();
        let issued = issue_with(format!("{key_type:?}"), &below, key_type, now, &mut Fixed(3));
        let list = |authority: &Authority, revoked: Option<u8>| {
            let revoked: Vec<_> = revoked
                .and_then(|byte| Serial::new([byte; 16]))
                .map(|serial| Revocation::new(serial, now, RevocationReason::KeyCompromise))
                .into_iter()
                .collect();
            let life = Duration::from_secs(3600);
            revocation_list_pem(&authority.revocation_list(&revoked, 7, life, now).unwrap())
        };
        for (name, of_root, of_below, want) in [
            ("nobody", None, None, None),
            ("others", Some(9), Some(9), None),
            ("the leaf", None, Some(3), Some("error 23 at 0 depth lookup: certificate revoked")),
            ("the issuer", Some(2), None, Some("error 23 at 1 depth lookup: certificate revoked")),
        ] {
            let lists = list(&root, of_root) + &list(&below, of_below);
            fs::write(issued.folder.path().join("lists.pem"), lists).unwrap();
            let verify = issued.command(
                "openssl",
                "verify -x509_strict -crl_check_all -CRLfile lists.pem -CAfile root.pem \
                 -untrusted above.pem leaf.pem",
            );
            let output = run_bounded(verify, LIMIT);
            let name = format!("{key_type:?}: {name}: {}", printed(&output));
            assert_eq!(output.status.success(), want.is_none(), "{name}");
            assert!(want.is_none_or(|want| printed(&output).contains(want)), "{name}");
        }
        let text = issued.run("openssl", "crl -in lists.pem -noout -text");
        for line in ["Version 2 (0x1)", "X509v3 CRL Number:", "X509v3 Authority Key Identifier:"] {
            assert!(text.contains(line), "{text}");
        }
    }
}

#[test]
fn curl_and_gnutls_shake_hands_with_openssl() {
    for issued in all() {
        let server = issued.server();
        let port = server.port;
        // `-k`: no SPIFFE ID is a host name. The server verifies curl's chain.
        let curl = format!(
            "--silent --show-error -k --cert chain.pem --key key.pem --output /dev/null \
             --write-out %{{http_code}} https://127.0.0.1:{port}/"
        );
        assert_eq!(issued.run("curl", &curl), "200", "{}", issued.name);

        let gnutls = format!(
            "--insecure --x509cafile root.pem --x509certfile chain.pem --x509keyfile key.pem \
             --port {port} 127.0.0.1"
        );
        let output = issued.run("gnutls-cli", &gnutls);
        assert!(output.contains("- Handshake was completed"), "{}: {output}", issued.name);
        // The host name is all that GnuTLS has against it.
        assert!(
            output.contains(
                "The certificate is NOT trusted. The name in the certificate does not match the expected."
            ),
            "{}: {output}",
            issued.name
        );
    }
}

/// An X509-SVID in a folder: `leaf.pem`, `above.pem` (what follows it), `chain.pem` (both), `key.pem`, `root.pem`.
struct Issued {
    name: String,
    folder: TempDir,
}

const KEY_TYPES: [KeyType; 4] = [KeyType::P256, KeyType::P384, KeyType::Ed25519, KeyType::Rsa2048];

/// Root, intermediate and leaf of each key type, with and without intermediate.
fn all() -> Vec<Issued> {
    let mut all = vec![];
    for key_type in KEY_TYPES {
        let now = UnixTime::now();
        let options = AuthorityOptions::default().with_key_type(key_type);
        let domain = "prod.example".parse().unwrap();
        let root = Authority::self_signed(domain, &options, now, &mut RandomSerials).unwrap();
        let key = Arc::new(KeyPair::generate(key_type).unwrap());
        let year = Duration::from_secs(365 * 86_400);
        let below = root
            .intermediate(key, year, now, &mut RandomSerials)
            .unwrap();
        let requested = requested(&root, key_type, now);
        let limited = IntermediateTerms::new(year).with_name_limit(NameLimit::OwnTrustDomain);
        let key = Arc::new(KeyPair::generate(key_type).unwrap());
        let limited = root
            .intermediate_with(key, &limited, now, &mut RandomSerials)
            .unwrap();
        for (place, authority) in [
            ("root", root),
            ("intermediate", below),
            ("intermediate that an offline root signed", requested),
            (LIMITED, limited),
        ] {
            let name = format!("{key_type:?} below {place}");
            all.push(issue(name, &authority, key_type, now));
        }
    }
    all
}

/// An issuing authority's own key, its request, what an offline root makes of it, and the authority loaded from that.
fn requested(root: &Authority, key_type: KeyType, now: UnixTime) -> Authority {
    let key = Arc::new(KeyPair::generate(key_type).unwrap());
    let request = csr::build(key.as_ref()).unwrap();
    let algorithms = aws_lc_rs::default_provider()
        .signature_verification_algorithms
        .all;
    let public_key = csr::check(&request, algorithms).unwrap();
    let terms = IntermediateTerms::new(Duration::from_secs(86_400 * 365));
    let upward = root
        .sign_intermediate(&public_key, &terms, now, &mut RandomSerials)
        .unwrap();
    let (certificate, above) = upward.split_first().unwrap();
    Authority::load(
        root.trust_domain().clone(),
        key,
        certificate.clone(),
        above.to_vec(),
        root.roots().to_vec(),
        algorithms,
        now,
    )
    .unwrap()
}

/// OpenSSL and GnuTLS take what is below it; webpki does not, and is not asked here.
const LIMITED: &str = "intermediate limited to its domain";

fn issue(name: String, authority: &Authority, key_type: KeyType, now: UnixTime) -> Issued {
    issue_with(name, authority, key_type, now, &mut RandomSerials)
}

fn issue_with(
    name: String,
    authority: &Authority,
    key_type: KeyType,
    now: UnixTime,
    serials: &mut dyn SerialSource,
) -> Issued {
    let id = ID.parse().unwrap();
    let svid = authority
        .issue_svid(&id, key_type, None, now, serials)
        .unwrap();
    let chain = svid.chain_pem();
    let end = chain.find(END).expect("a chain is not empty") + END.len();
    let (leaf, above) = chain.split_at(end);
    let folder = TempDir::new().unwrap();
    for (file, text) in [
        ("leaf.pem", leaf),
        ("above.pem", above),
        ("chain.pem", &chain),
        ("key.pem", &svid.key_pem()),
        ("root.pem", &authority.trust_bundle().to_pem()),
    ] {
        fs::write(folder.path().join(file), text).unwrap();
    }
    Issued { name, folder }
}

const END: &str = "-----END CERTIFICATE-----\n";

impl Issued {
    /// The option that takes what follows the leaf, if anything does: OpenSSL does not read empty files.
    fn above(&self, option: &str) -> String {
        match fs::metadata(self.folder.path().join("above.pem"))
            .unwrap()
            .len()
        {
            0 => String::new(),
            _ => format!("{option} above.pem"),
        }
    }

    /// Runs a program in the folder; it must succeed.
    fn run(&self, name: &str, arguments: &str) -> String {
        let output = run_bounded(self.command(name, arguments), LIMIT);
        assert!(output.status.success(), "{}: {name}: {}", self.name, printed(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// OpenSSL as an HTTPS server that demands and verifies a client certificate.
    fn server(&self) -> Server {
        let child = self
            .command(
                "openssl",
                &format!(
                    "s_server -accept 127.0.0.1:0 -www -cert leaf.pem {} -key key.pem \
                     -CAfile root.pem -Verify 5 -verify_return_error",
                    self.above("-cert_chain")
                ),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Server { child, port: 0 };
        let output = server.child.stdout.take().unwrap();
        let accepts = BufReader::new(output)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("ACCEPT 127.0.0.1:")?.trim().parse().ok());
        server.port = accepts.unwrap_or_else(|| panic!("{}: s_server did not start", self.name));
        server
    }

    fn command(&self, name: &str, arguments: &str) -> Command {
        let path: PathBuf = program(name);
        let mut command = Command::new(path);
        command
            .current_dir(self.folder.path())
            .args(arguments.split_whitespace());
        command
    }
}

/// The same serial number again and again, all bytes alike.
struct Fixed(u8);

impl SerialSource for Fixed {
    fn next_serial(&mut self) -> Result<Serial, SerialError> {
        Serial::new([self.0; 16]).ok_or_else(|| SerialError::new("zero"))
    }
}

/// Ends with the test.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
    }
}
