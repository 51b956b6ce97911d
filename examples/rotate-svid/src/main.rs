//! rotate-svid: two workloads whose X509-SVIDs live for two seconds talk to each other while the root is rotated.
//!
//! Expect a line for each call with the generation of the identity that made it, a line for each step of the rotation, and
//! `every call was answered` at the end, after about seven seconds. It exits with an error if a call fails.

#![expect(clippy::print_stdout, reason = "a program talks to its user")]
#![expect(clippy::disallowed_methods, reason = "a program reads the clock")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use meshtls::acceptor::Inbound;
use meshtls::ca::{Authority, AuthorityOptions, RandomSerials, Readiness, RotatingAuthority, Step};
use meshtls::rustls::TlsProfile;
use meshtls::source::{AuthorityIssuer, UnixTime};
use meshtls::{IdentityFrom, PoliciesFrom, Workload, WorkloadBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

/// Identities renew themselves, and a root is rotated, while two workloads talk.
#[derive(Parser)]
struct Arguments {}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    Arguments::parse();
    let authority = Arc::new(RotatingAuthority::new(root()?));
    let server = workload("server", &authority)?.start()?;
    server.identity_ready().await?;
    let mut listener = server.listen(([127, 0, 0, 1], 0).into()).bind().await?;
    let port = listener.local_addr()?.port().to_string();
    let services = PoliciesFrom::text("server.yaml", SERVICE.replace("PORT", &port));
    tokio::spawn(async move {
        while let Some(inbound) = listener.accept().await {
            if let Inbound::Mesh(mut mesh) = inbound {
                let id = mesh.peer.id().as_str();
                drop(mesh.stream.write_all(id.as_bytes()).await);
                drop(mesh.stream.shutdown().await);
            }
        }
    });

    let client = workload("client", &authority)?.services(services).start()?;
    client.identity_ready().await?;
    let connector = client.connector();
    for n in 0..30 {
        let identity = client.identity()?;
        let mut stream = connector.connect("server.mesh", 80).await?.into_stream();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        println!("generation {}: the server sees {answer}", identity.generation());
        // Prepare, then each further step as soon as nobody would be cut off by it.
        if n == 5 {
            authority.prepare(root()?, now()?)?;
            println!("a new root is distributed");
        } else if authority.ready(Step::Activate, now()?).is_ok() {
            authority.activate(now()?, Readiness::Required)?;
            println!("the new root signs");
        } else if authority.ready(Step::Retire, now()?).is_ok() {
            authority.retire(now()?, Readiness::Required)?;
            println!("the old root is trusted no more");
        }
        sleep(Duration::from_millis(250)).await;
    }
    println!("every call was answered");
    Ok(())
}

fn workload(
    name: &str,
    authority: &Arc<RotatingAuthority>,
) -> Result<WorkloadBuilder, Box<dyn Error>> {
    let authority = Arc::<RotatingAuthority>::clone(authority);
    let issuer = AuthorityIssuer::new(authority, Box::new(RandomSerials), TlsProfile::ring());
    let id = format!("prod.example/ns/default/sa/{name}").parse()?;
    Ok(Workload::builder(id, IdentityFrom::Issuer(Arc::new(issuer)))
        .svid_ttl(Duration::from_secs(2)))
}

fn root() -> Result<Authority, Box<dyn Error>> {
    let (domain, options) = ("prod.example".parse()?, AuthorityOptions::default());
    Ok(Authority::self_signed(domain, &options, now()?, &mut RandomSerials)?)
}

fn now() -> Result<UnixTime, Box<dyn Error>> {
    Ok(UnixTime::since_unix_epoch(SystemTime::now().duration_since(UNIX_EPOCH)?))
}

const SERVICE: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: server, namespace: default }
spec: { hosts: [server.mesh], location: MESH_INTERNAL, resolution: STATIC, ports: [{ number: 80, name: tcp, protocol: TCP }],
        endpoints: [{ address: 127.0.0.1, ports: { tcp: PORT }, serviceAccount: server }] }
";
