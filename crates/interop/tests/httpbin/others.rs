//! wget, `openssl s_client` with a mesh ALPN, and gnutls-cli.

use std::{
    net::SocketAddr,
    process::{Command, Output},
};

use interop::{printed, program, run_bounded, run_bounded_with};
use serde_json::Value;

use crate::service::{CLIENT, Identity, LIMIT, Service};

/// What the clients that speak bare TLS send.
const REQUEST: &[u8] = b"GET /peer HTTP/1.1\r\nHost: httpbin\r\nConnection: close\r\n\r\n";

/// Of each version: the option for `s_client`, and the alert for a client without a certificate.
const VERSIONS: [(&str, &str); 2] =
    [("-tls1_3", "alert number 116"), ("-tls1_2", "alert number 40")];

#[test]
fn wget_spider() {
    let service = Service::start(Identity::CaDir, Some("PERMISSIVE"));
    for (port, address) in service.ports() {
        let output = wget(address);
        let headers = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{port}: {}", printed(&output));
        assert!(headers.contains("HTTP/1.1 200 OK"), "{port}: {}", printed(&output));
    }
    service.change_mode("STRICT");
    for (port, address) in service.ports() {
        let output = wget(address);
        // Its code for a failure of the network.
        assert_eq!(output.status.code(), Some(4), "{port}: {}", printed(&output));
    }
}

#[test]
fn openssl_with_a_mesh_alpn_under_permissive() {
    for identity in [Identity::CaDir, Identity::PemFiles] {
        let service = Service::start(identity, Some("PERMISSIVE"));
        for (port, address) in service.ports() {
            for alpn in ["istio", "istio-peer-exchange,istio", "istio-http/1.1,istio,http/1.1"] {
                for (version, _) in VERSIONS {
                    let case = format!("{identity:?}, {port}, {alpn}, {version}");
                    // OpenSSL sends the certificates between its own and a root as well, if it knows them.
                    let member =
                        ["-cert", "client.pem", "-key", "client.key", "-CAfile", "client.pem"];
                    let output = s_client(
                        &service,
                        address,
                        &[&["-alpn", alpn, version][..], &member].concat(),
                    );
                    let peer = json(&output);
                    assert_eq!(peer["connection"], "mesh", "{case}: {peer}");
                    assert_eq!(peer["spiffe_id"], CLIENT, "{case}: {peer}");
                    assert_eq!(peer["mode"], "PERMISSIVE", "{case}: {peer}");
                }
            }
        }
    }
}

#[test]
fn openssl_with_a_mesh_alpn_without_a_certificate() {
    for mode in ["PERMISSIVE", "STRICT"] {
        let service = Service::start(Identity::CaDir, Some(mode));
        for (port, address) in service.ports() {
            for (version, alert) in VERSIONS {
                let output = s_client(&service, address, &["-alpn", "istio", version]);
                let text = printed(&output);
                let refused = !output.status.success() && text.contains(alert);
                assert!(refused && !text.contains("HTTP/"), "{mode}, {port}, {version}: {text}");
            }
        }
    }
}

#[test]
fn gnutls_under_strict() {
    let service = Service::start(Identity::CaDir, Some("STRICT"));
    let member = ["--x509certfile=client.pem", "--x509keyfile=client.key"];
    for (port, address) in service.ports() {
        for (version, alert) in
            [("VERS-TLS1.3", "Certificate is required"), ("VERS-TLS1.2", "Handshake failed")]
        {
            let case = format!("{port}, {version}");
            let peer = json(&gnutls_cli(&service, address, version, &member));
            assert_eq!(peer["connection"], "mesh", "{case}: {peer}");
            assert_eq!(peer["spiffe_id"], CLIENT, "{case}: {peer}");

            let output = gnutls_cli(&service, address, version, &[]);
            let text = printed(&output);
            let refused = !output.status.success() && text.contains(alert);
            assert!(refused && !text.contains("HTTP/"), "{case}: {text}");
        }
    }
}

fn wget(server: SocketAddr) -> Output {
    let mut command = Command::new(program("wget"));
    command
        .args(["--no-config", "--no-proxy", "-S", "--spider", "--tries", "1", "--timeout", "30"])
        .arg(format!("http://{server}/"));
    run_bounded(command, LIMIT)
}

fn s_client(service: &Service, server: SocketAddr, options: &[&str]) -> Output {
    let mut command = Command::new(program("openssl"));
    command
        .current_dir(service.folder())
        .args(["s_client", "-quiet", "-connect", &server.to_string()])
        .args(options);
    run_bounded_with(command, REQUEST, LIMIT)
}

fn gnutls_cli(service: &Service, server: SocketAddr, version: &str, options: &[&str]) -> Output {
    let mut command = Command::new(program("gnutls-cli"));
    command
        .current_dir(service.folder())
        .args(["--insecure", "--disable-sni"])
        .args(["--priority", &format!("NORMAL:-VERS-ALL:+{version}")])
        .args(options)
        .args(["--port", &server.port().to_string(), &server.ip().to_string()]);
    run_bounded_with(command, REQUEST, LIMIT)
}

/// The first JSON object in what a client printed.
fn json(output: &Output) -> Value {
    let stdout = String::from_utf8_lossy(&output.stdout);
    stdout
        .find("{\"")
        .and_then(|begin| stdout.get(begin..))
        .and_then(|text| {
            serde_json::Deserializer::from_str(text)
                .into_iter()
                .next()?
                .ok()
        })
        .unwrap_or_else(|| panic!("no JSON: {}", printed(output)))
}
