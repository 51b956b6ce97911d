//! httpbin: a real HTTP service whose ports accept what the mesh's policies say.
//!
//! ```text
//! cargo run -p httpbin -- --namespace foo --service-account httpbin --ca-dir /tmp/mesh-ca \
//!     --listen 127.0.0.1:8000 --admin 127.0.0.1:8001 --policies policies/
//! curl http://127.0.0.1:8000/peer        # who am I to the service, and which policy let me in?
//! curl http://127.0.0.1:8001/explain?port=8000
//! ```
//!
//! It prints one line per listener when it is ready, then `admin on ADDRESS`, and ends on SIGINT or SIGTERM.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]
#![expect(clippy::disallowed_methods, reason = "a program reads the clock")]

mod admin;
mod listen;
mod routes;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use flags::WorkloadFlags;
use meshtls::axum::serve;
use meshtls::rustls::WithCauses;
use meshtls::source::Report;

use crate::listen::Listen;

/// A real HTTP service on the mesh acceptor.
#[derive(Parser)]
struct Arguments {
    /// Where to listen: `ADDR[,port=N][,protocol=http|tcp|auto][,server-first]`. Repeatable.
    ///
    /// `port` is the workload port that policies see (default: ADDR's own). `protocol` is what the port speaks
    /// (default: auto). `server-first` is for protocols in which the server speaks first.
    #[arg(long, value_name = "LISTEN", required = true)]
    listen: Vec<Listen>,
    /// Where to serve the admin routes /explain?port=N, /policies, /certs, /identity and /ready, in plaintext: keep it on loopback.
    #[arg(long, value_name = "ADDR")]
    admin: Option<SocketAddr>,
    #[command(flatten)]
    workload: WorkloadFlags,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("httpbin: {}", WithCauses(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    // What happens to policies and identity while it runs, and what of them has no effect.
    let tell = |report: &Report<'_>| eprintln!("httpbin: {report}");
    let workload = Arc::new(
        arguments
            .workload
            .builder()?
            .reporter(Arc::new(tell))
            .start()?,
    );
    let mut servers = Vec::new();
    for listen in &arguments.listen {
        let listener = listen.bind(&workload).await?;
        let address = listener.local_addr()?;
        println!("listening on {address} ({})", listen.describe(address.port()));
        servers.push(tokio::spawn(serve(listener, routes::router()).run()));
    }
    if let Some(address) = arguments.admin {
        let listener = tokio::net::TcpListener::bind(address).await?;
        println!("admin on {}", listener.local_addr()?);
        let router = admin::router(Arc::clone(&workload));
        servers.push(tokio::spawn(async move { drop(axum::serve(listener, router).await) }));
    }
    ended().await?;
    for server in servers {
        server.abort();
    }
    Ok(())
}

/// Waits for SIGINT, and on Unix for SIGTERM.
async fn ended() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminated =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminated.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
