//! Act two, scenario S5: three clients, two servers, three states of the migration.

use std::error::Error;

use crate::client::{MeshClient, Method};
use crate::fleet::{Fleet, Service, Workload};
use crate::verdict::Verdict;
use crate::{MATRIX_HOSTS, PORT, at};

pub(crate) fn act(fleet: &Fleet, verdict: &mut Verdict) -> Result<(), Box<dyn Error>> {
    println!("\n== S5: from PERMISSIVE to STRICT ==");
    let hosts = MATRIX_HOSTS.map(|host| fleet.host(host));
    let area = fleet.area("matrix")?;
    let mut servers = Vec::new();
    for (namespace, host) in NAMESPACES.into_iter().zip(hosts) {
        servers.push(area.server(&Workload {
            host,
            namespace,
            service_account: "httpbin",
            labels: &["app=httpbin"],
            ports: &[PORT],
            ignores_under_sabotage: namespace == "foo",
        })?);
    }
    let services = NAMESPACES
        .into_iter()
        .zip(hosts)
        .map(|(namespace, endpoint)| Service {
            name: "httpbin",
            namespace,
            service_account: "httpbin",
            labels: &[("app", "httpbin")],
            endpoint,
            ports: &[(8000, PORT)],
        });
    area.set_services(&services.collect::<Vec<_>>())?;
    let clients = NAMESPACES.map(|namespace| area.client(namespace));

    for state in &STATES {
        println!("\n  -- {} --", state.name);
        area.set_policies(state.policies)?;
        for (server, mode) in servers.iter().zip(state.modes) {
            server.await_mode(PORT, mode)?;
        }
        println!();
        for (row, expected) in state.expected.iter().enumerate() {
            for ((namespace, host), want) in NAMESPACES.into_iter().zip(hosts).zip(expected) {
                let cell = match clients.get(row) {
                    Some(client) => mesh_request(client, namespace)?,
                    None => fleet
                        .legacy()
                        .request(Method::Get, &format!("http://{}/ip", at(host, PORT)))?,
                };
                let who = clients.get(row).map_or("legacy", |client| client.namespace);
                let name = format!("curl.{who} to httpbin.{namespace}");
                println!("{name}: {cell}");
                verdict.expect(
                    &format!("S5, {}: {name}", state.name),
                    &cell.outcome(),
                    &(*want).to_owned(),
                );
            }
        }
    }
    Ok(())
}

fn mesh_request(
    client: &MeshClient,
    namespace: &str,
) -> Result<crate::client::Cell, Box<dyn Error>> {
    Ok(client
        .request(Method::Get, &format!("http://httpbin.{namespace}.svc.cluster.local:8000/ip"))?)
}

const NAMESPACES: [&str; 2] = ["foo", "bar"];

struct State {
    name: &'static str,
    policies: &'static str,
    /// The effective mode of foo and bar.
    modes: [&'static str; 2],
    /// Rows curl.foo, curl.bar, curl.legacy; columns httpbin.foo, httpbin.bar.
    expected: [[&'static str; 2]; 3],
}

const STATES: [State; 3] = [
    State {
        name: "start: no policy",
        policies: "",
        modes: ["PERMISSIVE", "PERMISSIVE"],
        expected: [["200", "200"], ["200", "200"], ["200", "200"]],
    },
    State {
        name: "one namespace locked",
        policies: "apiVersion: security.istio.io/v1\n\
                   kind: PeerAuthentication\n\
                   metadata: { name: default, namespace: foo }\n\
                   spec: { mtls: { mode: STRICT } }\n",
        modes: ["STRICT", "PERMISSIVE"],
        expected: [["200", "200"], ["200", "200"], ["000 exit 56", "200"]],
    },
    State {
        name: "mesh locked",
        policies: "apiVersion: security.istio.io/v1\n\
                   kind: PeerAuthentication\n\
                   metadata: { name: default, namespace: istio-system }\n\
                   spec: { mtls: { mode: STRICT } }\n",
        modes: ["STRICT", "STRICT"],
        expected: [["200", "200"], ["200", "200"], ["000 exit 56", "000 exit 56"]],
    },
];
