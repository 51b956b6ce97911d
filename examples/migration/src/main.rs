//! The migration: a fleet moves from plaintext to STRICT mutual TLS, over real sockets and child processes.
//!
//! ```text
//! cargo run -p migration                            # exits 0: every cell is as it should be
//! cargo run -p migration -- --break wrong-ca        # exits 1: a sabotaged fleet does not pass
//! ```
//!
//! Three acts: what a wire shows (S1), the migration matrix (S5), STRICT with its exceptions and secure naming (S3).
//! Servers are `httpbin` processes, mesh clients `meshcurl` processes, the legacy client is the real `curl` where it is installed.
//! Each workload has a loopback address of its own. The last line says pass or fail.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that tells a story on the terminal"
)]
#![expect(clippy::disallowed_methods, reason = "a program reads its environment and the clock")]

mod capture;
mod client;
mod fleet;
mod legacy;
mod matrix;
mod strict;
mod verdict;

use std::error::Error;
use std::net::Ipv4Addr;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::fleet::Fleet;
use crate::verdict::Verdict;

/// Moves a fleet from plaintext to STRICT mutual TLS, over real sockets and child processes.
#[derive(Parser)]
struct Arguments {
    /// Sabotage the fleet in one way; the run must then fail.
    #[arg(long = "break", value_enum, value_name = "HOW")]
    sabotage: Option<Sabotage>,
    #[command(subcommand)]
    command: Option<Command>,
}

/// One way to sabotage the fleet, so that everybody can see the checks fail.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sabotage {
    /// A server does not get the STRICT policies, as one that ignores them would behave.
    StrictIgnored,
    /// Mesh clients are told that no server speaks mTLS, so that they send plaintext.
    PlaintextFallback,
    /// Mesh clients get their identity from a certificate authority of their own.
    WrongCa,
}

#[derive(Subcommand)]
enum Command {
    /// The client outside the mesh that stands in where `curl` is not installed.
    #[command(hide = true)]
    LegacyClient {
        /// Send HEAD instead of GET.
        #[arg(long)]
        head: bool,
        /// An `http://ADDRESS:PORT/PATH` URL.
        url: String,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Command::LegacyClient { head, url }) = arguments.command {
        return legacy::run(&url, head);
    }
    match story(arguments.sabotage) {
        Ok(verdict) => verdict.conclude(),
        Err(error) => {
            eprintln!("migration: {error}");
            println!("FAIL: the story could not be told to its end");
            ExitCode::FAILURE
        }
    }
}

fn story(sabotage: Option<Sabotage>) -> Result<Verdict, Box<dyn Error>> {
    let mut verdict = Verdict::default();
    let fleet = Fleet::found(sabotage)?;
    println!("legacy client: {}", fleet.legacy().describe());
    capture::act(&fleet, &mut verdict)?;
    matrix::act(&fleet, &mut verdict)?;
    strict::act(&fleet, &mut verdict)?;
    Ok(verdict)
}

/// The addresses of the three acts within the fleet's /24, so that no two workloads ever share one.
const CAPTURE_HOSTS: [u8; 2] = [10, 11];
const MATRIX_HOSTS: [u8; 2] = [20, 21];
const STRICT_HOSTS: [u8; 4] = [30, 31, 32, 33];

/// The workload port of every server in the story.
const PORT: u16 = 8000;

/// A socket address as text, `ADDRESS:PORT`.
fn at(host: Ipv4Addr, port: u16) -> String {
    format!("{host}:{port}")
}
