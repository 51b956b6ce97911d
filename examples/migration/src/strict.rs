//! Act three, scenario S3: the mesh STRICT, with its exceptions, and a server that is not who it should be.

use std::error::Error;

use crate::client::Method;
use crate::fleet::{Fleet, Service, Workload};
use crate::verdict::Verdict;
use crate::{PORT, STRICT_HOSTS, at};

pub(crate) fn act(fleet: &Fleet, verdict: &mut Verdict) -> Result<(), Box<dyn Error>> {
    println!("\n== S3: STRICT, its exceptions, and secure naming ==");
    let area = fleet.area("strict")?;
    area.set_policies(POLICIES)?;
    let hosts = STRICT_HOSTS.map(|host| fleet.host(host));
    let mut servers = Vec::new();
    for (server, host) in SERVERS.iter().zip(hosts) {
        servers.push(area.server(&Workload {
            host,
            namespace: server.namespace,
            service_account: server.runs_as,
            labels: &[&format!("app={}", server.name)],
            ports: &[PORT, OPEN_PORT],
            ignores_under_sabotage: server.name == "ledger",
        })?);
    }
    let labels = SERVERS.map(|server| [("app", server.name)]);
    let services = SERVERS
        .iter()
        .zip(hosts)
        .zip(&labels)
        .map(|((server, endpoint), labels)| Service {
            name: server.name,
            namespace: server.namespace,
            service_account: server.name,
            labels,
            endpoint,
            ports: &[(PORT, PORT), (OPEN_PORT, OPEN_PORT)],
        });
    area.set_services(&services.collect::<Vec<_>>())?;
    let mesh = area.client("web");

    println!();
    for cell in &CELLS {
        let Some((server, host)) = SERVERS
            .iter()
            .zip(hosts)
            .find(|(server, _)| server.name == cell.server)
        else {
            return Err(format!("no server is called {}", cell.server).into());
        };
        let seen = if cell.mesh {
            let url = format!(
                "http://{}.{}.svc.cluster.local:{}/peer",
                server.name, server.namespace, cell.port
            );
            mesh.request(Method::Get, &url)?
        } else {
            fleet
                .legacy()
                .request(Method::Get, &format!("http://{}/peer", at(host, cell.port)))?
        };
        let name = format!(
            "curl.{} to {}.{}:{}",
            if cell.mesh { "web" } else { "legacy" },
            server.name,
            server.namespace,
            cell.port
        );
        println!("{name}: {seen}    ({})", cell.why);
        verdict.expect(&format!("S3: {name}"), &seen.outcome(), &cell.want.to_owned());
        if let Some(kind) = cell.connection {
            let kind = format!("\"connection\":\"{kind}\"");
            verdict.hold(&format!("S3: {name}, {kind}"), seen.body.contains(&kind), &seen.body);
        }
        if !cell.complaint.is_empty() {
            println!("  {}", seen.complaint);
        }
        for text in cell.complaint {
            verdict.hold(
                &format!("S3: the refusal names {text}"),
                seen.complaint.contains(text),
                &seen.complaint,
            );
        }
    }
    Ok(())
}

struct Server {
    name: &'static str,
    namespace: &'static str,
    /// The service account it really runs as; clients expect one that is called like the service.
    runs_as: &'static str,
}

const SERVERS: [Server; 4] = [
    Server { name: "customers", namespace: "my-namespace", runs_as: "customers" },
    Server { name: "orders", namespace: "my-namespace", runs_as: "orders" },
    Server { name: "ledger", namespace: "pay", runs_as: "ledger" },
    Server { name: "billing", namespace: "pay", runs_as: "intruder" },
];

/// The port that a policy of `customers` opens.
const OPEN_PORT: u16 = 9000;

const POLICIES: &str = "\
apiVersion: security.istio.io/v1beta1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system }
spec: { mtls: { mode: STRICT } }
---
apiVersion: security.istio.io/v1beta1
kind: PeerAuthentication
metadata: { name: default, namespace: my-namespace }
spec: { mtls: { mode: PERMISSIVE } }
---
apiVersion: security.istio.io/v1beta1
kind: PeerAuthentication
metadata: { name: customers, namespace: my-namespace }
spec:
  selector: { matchLabels: { app: customers } }
  mtls: { mode: STRICT }
  portLevelMtls:
    9000: { mode: DISABLE }
";

struct Cell {
    mesh: bool,
    server: &'static str,
    port: u16,
    want: &'static str,
    why: &'static str,
    /// What the server must say of the connection, where there is one.
    connection: Option<&'static str>,
    /// What the client's complaint must name.
    complaint: &'static [&'static str],
}

const RESET: &str = "000 exit 56";

const CELLS: [Cell; 9] = [
    Cell {
        mesh: false,
        server: "ledger",
        port: PORT,
        want: RESET,
        why: "the mesh is STRICT",
        connection: None,
        complaint: &[],
    },
    Cell {
        mesh: true,
        server: "ledger",
        port: PORT,
        want: "200",
        why: "mTLS",
        connection: Some("mesh"),
        complaint: &[],
    },
    Cell {
        mesh: false,
        server: "orders",
        port: PORT,
        want: "200",
        why: "its namespace is PERMISSIVE",
        connection: Some("plaintext"),
        complaint: &[],
    },
    Cell {
        mesh: true,
        server: "orders",
        port: PORT,
        want: "200",
        why: "mTLS all the same",
        connection: Some("mesh"),
        complaint: &[],
    },
    Cell {
        mesh: false,
        server: "customers",
        port: PORT,
        want: RESET,
        why: "a selector makes it STRICT",
        connection: None,
        complaint: &[],
    },
    Cell {
        mesh: true,
        server: "customers",
        port: PORT,
        want: "200",
        why: "mTLS",
        connection: Some("mesh"),
        complaint: &[],
    },
    Cell {
        mesh: false,
        server: "customers",
        port: OPEN_PORT,
        want: "200",
        why: "that port is DISABLE",
        connection: Some("plaintext"),
        complaint: &[],
    },
    Cell {
        mesh: true,
        server: "customers",
        port: OPEN_PORT,
        want: "200",
        why: "the client obeys DISABLE",
        connection: Some("plaintext"),
        complaint: &[],
    },
    Cell {
        mesh: true,
        server: "billing",
        port: PORT,
        want: "000 exit 60",
        why: "secure naming: it runs as another service account",
        connection: None,
        complaint: &[
            "spiffe://cluster.local/ns/pay/sa/intruder",
            "spiffe://cluster.local/ns/pay/sa/billing",
        ],
    },
];
