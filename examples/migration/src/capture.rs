//! Act one, scenario S1: the same request from inside and from outside the mesh, and what the wire between shows.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::client::Method;
use crate::fleet::{Fleet, Service, Workload};
use crate::verdict::Verdict;
use crate::{CAPTURE_HOSTS, PORT, at};

pub(crate) fn act(fleet: &Fleet, verdict: &mut Verdict) -> Result<(), Box<dyn Error>> {
    println!("\n== S1: what the wire shows ==");
    let [server_host, wire_host] = CAPTURE_HOSTS.map(|host| fleet.host(host));
    let area = fleet.area("capture")?;
    area.set_policies(
        "apiVersion: security.istio.io/v1beta1\n\
         kind: PeerAuthentication\n\
         metadata: { name: default, namespace: test-istio-mtls }\n\
         spec: { mtls: { mode: PERMISSIVE } }\n",
    )?;
    let _server = area.server(&Workload {
        host: server_host,
        namespace: "test-istio-mtls",
        service_account: "default",
        labels: &["app=webserver"],
        ports: &[PORT],
        ignores_under_sabotage: false,
    })?;
    let wire = Wire::tap((wire_host, PORT).into(), (server_host, PORT).into())?;
    area.set_services(&[Service {
        name: "webserver",
        namespace: "test-istio-mtls",
        service_account: "default",
        labels: &[("app", "webserver")],
        endpoint: wire_host,
        ports: &[(80, PORT)],
    }])?;
    let mesh = area.client("test-istio-mtls");

    println!("\n  HEAD from a client in the mesh, captured:");
    let status =
        mesh.request(Method::Head, "http://webserver.test-istio-mtls.svc.cluster.local/")?;
    verdict.expect("S1: HEAD from the mesh", &status.outcome(), &"200".to_owned());
    let status = mesh.request(
        Method::Head,
        &format!("http://webserver.test-istio-mtls.svc.cluster.local{SECOND_PATH}"),
    )?;
    verdict.expect("S1: second HEAD from the mesh", &status.outcome(), &"200".to_owned());
    let captured = wire.take();
    show(&captured);
    let record = captured.starts_with(&[0x16, 0x03]);
    verdict.hold(
        "S1: the capture from the mesh starts with a TLS record",
        record,
        first_bytes(&captured),
    );
    for text in ["HTTP/", SECOND_PATH] {
        verdict.hold(
            &format!("S1: the capture from the mesh does not show {text}"),
            !contains(&captured, text) && !captured.is_empty(),
            "it does, or is empty",
        );
    }

    println!("\n  HEAD from a client outside the mesh, captured:");
    let url = format!("http://{}", at(wire_host, PORT));
    let status = fleet.legacy().request(Method::Head, &format!("{url}/"))?;
    verdict.expect("S1: HEAD from outside", &status.outcome(), &"200".to_owned());
    let status = fleet
        .legacy()
        .request(Method::Head, &format!("{url}{SECOND_PATH}"))?;
    verdict.expect("S1: second HEAD from outside", &status.outcome(), &"200".to_owned());
    let captured = wire.take();
    show(&captured);
    for text in ["HEAD / HTTP/1.1", SECOND_PATH] {
        let shown = contains(&captured, text);
        verdict.hold(&format!("S1: the capture from outside shows {text}"), shown, "it does not");
    }
    Ok(())
}

/// A second path, long enough that ciphertext does not contain it by chance.
const SECOND_PATH: &str = "/status/200?readable-on-the-wire";

/// A relay between client and server that keeps what passes, in both directions. Dropping it ends it.
struct Wire {
    kept: Arc<Mutex<Vec<u8>>>,
    ended: Arc<AtomicBool>,
    address: SocketAddr,
}

impl Wire {
    fn tap(listen: SocketAddr, server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(listen)?;
        let wire = Self { kept: Arc::default(), ended: Arc::default(), address: listen };
        let (kept, ended) = (Arc::clone(&wire.kept), Arc::clone(&wire.ended));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::Acquire) {
                    return;
                }
                if let Err(error) = relay(client, server, &kept) {
                    println!("  the relay lost a connection: {error}");
                }
            }
        });
        Ok(wire)
    }

    /// What passed since the last call.
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        // Wakes the accept loop, which then sees that it has ended.
        drop(TcpStream::connect(self.address));
    }
}

/// Copies both directions until both have ended, one connection at a time.
fn relay(client: TcpStream, server: SocketAddr, kept: &Arc<Mutex<Vec<u8>>>) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    let answers = {
        let (from, to, kept) = (server.try_clone()?, client.try_clone()?, Arc::clone(kept));
        thread::spawn(move || copy(from, to, &kept))
    };
    copy(client, server, kept)?;
    answers
        .join()
        .map_err(|_panicked| io::Error::other("the relay's thread ended early"))?
}

fn copy(mut from: TcpStream, mut to: TcpStream, kept: &Mutex<Vec<u8>>) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let read = from.read(&mut buffer)?;
        let bytes = buffer.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            // The other end may be gone already, and then has nothing to be told.
            to.shutdown(Shutdown::Write).ok();
            return Ok(());
        }
        kept.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        to.write_all(bytes)?;
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

fn first_bytes(bytes: &[u8]) -> String {
    format!("{:02x?}", bytes.get(..bytes.len().min(5)).unwrap_or_default())
}

/// Prints the beginning as `tcpdump -X` would: offset, hexadecimal, text.
fn show(bytes: &[u8]) {
    for (row, chunk) in bytes.chunks(16).take(8).enumerate() {
        let hexadecimal: Vec<String> = chunk
            .chunks(2)
            .map(|pair| pair.iter().map(|byte| format!("{byte:02x}")).collect())
            .collect();
        let text: String = chunk
            .iter()
            .map(
                |byte| {
                    if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' }
                },
            )
            .collect();
        println!("    0x{:04x}:  {:<39}  {text}", row * 16, hexadecimal.join(" "));
    }
    println!("    ... {} bytes in all", bytes.len());
}
