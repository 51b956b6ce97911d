//! bench-server: the acceptor with as little behind it as possible, for measuring it beside other servers.
//!
//! ```text
//! cargo run --release -p bench-server -- --listen 127.0.0.1:8443 --certs DIR --mode permissive
//! ```
//!
//! `DIR` holds `ca.pem`, `server.pem` and `server.key`. One thread. `GET /` answers `ok`, `GET /bytes` never ends,
//! `POST /sink` swallows.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]

mod serve;

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, ValueEnum};
use meshtls::acceptor::{Acceptor, Listener};
use meshtls::policy::{
    Labels, MeshSettings, MtlsMode, PeerAuthentication, PolicyHandle, PolicySet, Resources,
    Workload,
};
use meshtls::rustls::TlsProfile;
use meshtls::svid::{SvidHandle, TrustBundle, TrustBundles, X509Svid};
use tokio::net::TcpListener;

/// The acceptor with as little behind it as possible.
#[derive(Parser)]
struct Arguments {
    /// Where to listen.
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// The folder with ca.pem, server.pem and server.key.
    #[arg(long, value_name = "DIR")]
    certs: PathBuf,
    /// The mode of the port.
    #[arg(long, value_enum, default_value = "strict")]
    mode: Mode,
    /// The crypto provider.
    #[arg(long, value_enum, default_value = "ring")]
    provider: Provider,
    /// Whether verified chains are remembered. This version has no such cache: `on` is refused.
    #[arg(long, value_enum, default_value = "off")]
    chain_cache: Switch,
    /// Whether sessions are resumed. This version never resumes: `on` is refused.
    #[arg(long, value_enum, default_value = "off")]
    resumption: Switch,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    Strict,
    Permissive,
}

#[derive(Clone, Copy, ValueEnum)]
enum Provider {
    Ring,
    AwsLcRs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-server: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    for (flag, value) in
        [("chain-cache", arguments.chain_cache), ("resumption", arguments.resumption)]
    {
        if value == Switch::On {
            return Err(format!("--{flag} on: this version has none; write --{flag} off").into());
        }
    }
    let socket = TcpListener::bind(arguments.listen).await?;
    let address = socket.local_addr()?;
    let acceptor = acceptor(&arguments, address.port())?;
    println!("listening on {address}");
    let mut listener = Listener::spawn(acceptor, socket);
    while let Some(inbound) = listener.accept().await {
        tokio::spawn(async move {
            // A client that is gone is none of the measurement's business.
            serve::serve(inbound.into_stream()).await.ok();
        });
    }
    Ok(())
}

fn acceptor(arguments: &Arguments, port: u16) -> Result<Acceptor, Box<dyn Error>> {
    let profile = match arguments.provider {
        Provider::Ring => TlsProfile::ring(),
        Provider::AwsLcRs => TlsProfile::aws_lc_rs(),
    };
    let mode = match arguments.mode {
        Mode::Strict => MtlsMode::Strict,
        Mode::Permissive => MtlsMode::Permissive,
    };
    let file = |name: &str| arguments.certs.join(name);
    let svid = X509Svid::from_files(&file("server.pem"), &file("server.key"))?;
    let domain = svid.id().trust_domain().clone();
    let bundle = TrustBundle::from_file(domain.clone(), &file("ca.pem"))?;
    let settings = MeshSettings::new(domain);
    let policy = PeerAuthentication::new(&settings.root_namespace, "default").with_mode(mode);
    let policies = PolicyHandle::new(PolicySet::compile(settings, &Resources::from_iter([policy])));
    let source = Arc::new(SvidHandle::new(svid, TrustBundles::new([bundle])));
    let workload = Workload::new("bench", Labels::default());
    Ok(Acceptor::builder(profile)
        .svid(source)
        .policy(policies, workload, port)
        .build()?)
}
