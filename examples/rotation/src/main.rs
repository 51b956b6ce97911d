//! rotation: two processes talk mutual TLS while their certificates and roots change under them.
//!
//! ```text
//! cargo run --release -p rotation
//! ```
//!
//! * Act 1, with overlap: certificates live for two seconds, so both ends get a new one every second, and the root is rotated twice
//!   (prepare, activate, retire, each when it is ready). At least 200 new connections a second, each a full handshake and one
//!   request, and twenty that stay open: none fails, none breaks.
//! * Act 2, without overlap: the server gets another root while the client does not know it. Exactly the connections made in
//!   between fail, as `untrusted_issuer`; those that are open live on.
//!
//! The last line is `PASS` or `FAIL`, and so is the exit code. `--rate` and `--open` change the load.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]

mod child;
mod client;
mod overlap;
mod report;
mod server;
mod sudden;
mod verdict;

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Parser, Subcommand};
use flags::WorkloadFlags;
use meshtls::rustls::WithCauses;
use meshtls::source::UnixTime;

use crate::verdict::Verdict;

/// Certificates and roots change under load, and no connection fails.
#[derive(Parser)]
struct Arguments {
    /// New connections a second in act 1.
    #[arg(long, default_value_t = 250, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Connections that stay open throughout an act.
    #[arg(long, default_value_t = 20)]
    open: u32,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What the two processes are started as.
#[derive(Subcommand)]
enum Role {
    /// Answers each line with `pong`.
    #[command(hide = true)]
    Serve {
        #[command(flatten)]
        workload: WorkloadFlags,
    },
    /// Connects as it is told on standard input.
    #[command(hide = true)]
    Call {
        /// The port of the server, on 127.0.0.1.
        #[arg(long)]
        port: u16,
        #[command(flatten)]
        workload: WorkloadFlags,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.role {
        None => acts(&arguments).await,
        Some(Role::Serve { workload }) => {
            server::serve(workload).await.map(|()| Verdict::default())
        }
        Some(Role::Call { port, workload }) => client::call(*port, workload)
            .await
            .map(|()| Verdict::default()),
    };
    match outcome {
        Ok(verdict) => verdict.exit_code(),
        Err(error) => {
            eprintln!("rotation: {}", WithCauses(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn acts(arguments: &Arguments) -> Result<Verdict, Box<dyn Error>> {
    let mut verdict = Verdict::default();
    overlap::act(arguments.rate, arguments.open, &mut verdict).await?;
    sudden::act(arguments.open, &mut verdict).await?;
    verdict.print();
    Ok(verdict)
}

#[expect(clippy::disallowed_methods, reason = "a program reads the clock")]
fn now() -> Result<UnixTime, Box<dyn Error>> {
    let since: Duration = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(UnixTime::since_unix_epoch(since))
}
