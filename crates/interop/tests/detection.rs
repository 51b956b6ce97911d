//! What real clients send first is recognised, with the names they were told to send.

#![cfg(feature = "run")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::{
    io::Read,
    net::{TcpListener, TcpStream},
    process::Command,
    sync::mpsc,
    thread,
    time::Duration,
};

use interop::{printed, program, run_bounded};
use meshtls_wire::{Class, ClientHello, Opening, Sniff, sniff};

const HOST: &str = "httpbin.foo.svc.cluster.local";
const ISTIO_SNI: &str = "outbound_.8000_._.httpbin.foo.svc.cluster.local";
const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn openssl() {
    let s_client = |arguments: &str| {
        hello(|port| command("openssl", &format!("s_client -connect 127.0.0.1:{port} {arguments}")))
    };
    check(&s_client("-noservername"), None, &[]);
    check(&s_client(&format!("-servername {HOST}")), Some(HOST), &[]);
    check(&s_client(&format!("-tls1_2 -servername {HOST} -alpn h2")), Some(HOST), &["h2"]);
    check(
        &s_client(&format!("-servername {ISTIO_SNI} -alpn istio-peer-exchange,istio")),
        Some(ISTIO_SNI),
        &["istio-peer-exchange", "istio"],
    );
}

#[test]
fn openssl_in_several_records() {
    let names: Vec<String> = (0..100)
        .map(|number| format!("protocol-{number}-with-a-longer-name"))
        .collect();
    let offer = [&["istio".to_owned()], &*names].concat();
    let list = offer.join(",");
    let hello = hello(|port| {
        let arguments = format!(
            "s_client -connect 127.0.0.1:{port} -max_send_frag 512 -noservername -alpn {list}"
        );
        command("openssl", &arguments)
    });
    check(&hello, None, &offer.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn curl_https() {
    let curl = |arguments: &str| hello(|port| curl(arguments, "https", port));
    check(&curl("--insecure"), Some(HOST), &["h2", "http/1.1"]);
    check(&curl("--insecure --http1.1 --tls-max 1.2"), Some(HOST), &["http/1.1"]);
    check(&curl("--insecure --no-alpn"), Some(HOST), &[]);
}

#[test]
fn curl_plaintext() {
    for (arguments, want) in [
        ("--http1.1", Class::Http1),
        ("--http1.1 --head", Class::Http1),
        ("--http1.1 --request ANY-METHOD", Class::Http1),
        ("--http2", Class::Http1),
        ("--http2-prior-knowledge", Class::Http2),
        ("--http1.0", Class::Other),
        ("--haproxy-protocol --http1.1", Class::Other),
    ] {
        assert_eq!(first_bytes(|port| curl(arguments, "http", port)).class(), want, "{arguments}");
    }
}

#[test]
fn wget() {
    let wget = |scheme: &str, port: u16| {
        let options = "--no-config --no-proxy --inet4-only --tries=1 --no-check-certificate --output-document=-";
        command("wget", &format!("{options} {scheme}://localhost:{port}/"))
    };
    check(&hello(|port| wget("https", port)), Some("localhost"), &[]);
    assert_eq!(first_bytes(|port| wget("http", port)).class(), Class::Http1);
}

#[test]
fn gnutls_cli() {
    let gnutls_cli = |arguments: &str| {
        hello(|port| {
            command("gnutls-cli", &format!("--insecure --port {port} {arguments} 127.0.0.1"))
        })
    };
    check(&gnutls_cli("--disable-sni"), None, &[]);
    check(&gnutls_cli(&format!("--sni-hostname {HOST}")), Some(HOST), &[]);
    check(
        &gnutls_cli(&format!(
            "--sni-hostname {HOST} --alpn istio-http/1.1 --alpn istio --alpn http/1.1"
        )),
        Some(HOST),
        &["istio-http/1.1", "istio", "http/1.1"],
    );
    check(
        &gnutls_cli("--disable-sni --priority NORMAL:-VERS-ALL:+VERS-TLS1.2 --alpn h2"),
        None,
        &["h2"],
    );
}

fn check(hello: &ClientHello, server_name: Option<&str>, alpn: &[&str]) {
    assert_eq!(hello.server_name(), server_name, "{hello:?}");
    assert!(hello.alpn().eq(alpn.iter().map(|name| name.as_bytes())), "{hello:?}, wanted {alpn:?}");
}

/// A program and its arguments, separated by spaces.
fn command(name: &str, arguments: &str) -> Command {
    let mut command = Command::new(program(name));
    command.args(arguments.split(' '));
    command
}

fn curl(arguments: &str, scheme: &str, port: u16) -> Command {
    let target = format!("--resolve {HOST}:{port}:127.0.0.1 {scheme}://{HOST}:{port}/");
    command("curl", &format!("--disable --silent --noproxy * {arguments} {target}"))
}

fn hello(client: impl FnOnce(u16) -> Command) -> ClientHello {
    match first_bytes(client) {
        Opening::ClientHello(hello) => hello,
        other => panic!("{other:?}"),
    }
}

/// Lets a client connect to a listener that reads until it knows what comes, and then hangs up.
fn first_bytes(client: impl FnOnce(u16) -> Command) -> Opening {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, answers) = mpsc::channel();
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        sender.send(read_until_known(stream)).unwrap();
    });
    let output = run_bounded(client(port), LIMIT);
    match answers.recv_timeout(LIMIT) {
        Ok(Sniff::Is(opening)) => opening,
        Ok(other) => panic!("{other:?} from {}", printed(&output)),
        Err(error) => panic!("no answer ({error}) from {}", printed(&output)),
    }
}

/// Reads a little at a time, as a slow network would deliver it.
fn read_until_known(mut stream: TcpStream) -> Sniff {
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let mut prefix = Vec::new();
    let mut some = [0; 61];
    loop {
        let len = stream.read(&mut some).unwrap();
        prefix.extend_from_slice(&some[..len]);
        match sniff(&prefix) {
            Sniff::NeedMore(_) if len > 0 => {}
            answer => return answer,
        }
    }
}
