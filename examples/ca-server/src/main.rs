//! ca-server: gives certificates to a fleet, over Istio's API.
//!
//! ```text
//! cargo run -p ca-server -- --listen 127.0.0.1:15012 --ca-dir /tmp/mesh-ca --trust-domain cluster.local
//! cargo run -p ca-server -- join-token --ca-dir /tmp/mesh-ca --id spiffe://cluster.local/ns/pay/sa/ledger --ttl 3600
//! cargo run -p ca-server -- rotate prepare --ca-dir /tmp/mesh-ca
//! ```
//!
//! The directory is made when it is missing, and may be shared by several servers. Clients trust the server by `root-cert.pem` in it,
//! which must reach them by a way of its own, and know it by the ID `spiffe://<trust domain>/ns/istio-system/sa/istiod`; or, with
//! `--cert` and `--key`, by the DNS name in that certificate. It prints `listening on ADDRESS` when it is ready, one line to standard error
//! for each request, and ends on SIGINT or SIGTERM.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]

mod rotate;
mod serve;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use meshtls::istio_ca::JoinTokens;
use meshtls::rustls::{TlsProfile, WithCauses};
use meshtls::source::UnixTime;
use meshtls::{SpiffeId, TrustDomain};

use crate::rotate::RotateArguments;
use crate::serve::ServeArguments;

/// Gives certificates to a fleet, over Istio's API.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Arguments {
    #[command(subcommand)]
    instead: Option<Instead>,
    #[command(flatten)]
    serve: Option<ServeArguments>,
}

#[derive(Subcommand)]
enum Instead {
    /// Makes a token with which one machine gets one identity, once, and prints it.
    JoinToken(JoinTokenArguments),
    /// Takes a step of a rotation of the root.
    Rotate(RotateArguments),
}

#[derive(Args)]
struct JoinTokenArguments {
    /// The directory of the authority.
    #[arg(long, value_name = "DIR")]
    ca_dir: PathBuf,
    /// Where the tokens are. Default: `join-tokens` in the directory of the authority.
    #[arg(long, value_name = "DIR")]
    join_tokens: Option<PathBuf>,
    /// Who shows the token becomes this.
    #[arg(long, value_name = "SPIFFE-ID")]
    id: SpiffeId,
    /// How long the token waits for its use.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    ttl: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match (arguments.instead, arguments.serve) {
        (Some(Instead::JoinToken(arguments)), _) => join_token(&arguments),
        (Some(Instead::Rotate(arguments)), _) => rotate::run(&arguments),
        (None, Some(arguments)) => serve::run(&arguments).await,
        (None, None) => Err("say what to do: see --help".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ca-server: {}", WithCauses(&*error));
            ExitCode::FAILURE
        }
    }
}

fn join_token(arguments: &JoinTokenArguments) -> Result<(), Box<dyn Error>> {
    let directory = tokens_in(&arguments.ca_dir, arguments.join_tokens.as_deref());
    let tokens = join_tokens(directory, arguments.id.trust_domain())?;
    let life = Duration::from_secs(arguments.ttl);
    println!("{}", tokens.make(&arguments.id, life, UnixTime::now())?.expose());
    Ok(())
}

fn tokens_in(ca_dir: &Path, join_tokens: Option<&Path>) -> PathBuf {
    join_tokens.map_or_else(|| ca_dir.join("join-tokens"), Path::to_owned)
}

fn join_tokens(directory: PathBuf, domain: &TrustDomain) -> Result<JoinTokens, Box<dyn Error>> {
    let provider = Arc::clone(TlsProfile::ring().provider());
    Ok(JoinTokens::open(directory, domain.clone(), provider)?)
}
