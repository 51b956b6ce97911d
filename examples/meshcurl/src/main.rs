//! meshcurl: the mesh client, in the manner of curl.
//!
//! ```text
//! cargo run -p meshcurl -- --namespace foo --service-account curl --ca-dir /tmp/mesh-ca \
//!     --services services.yaml http://httpbin.foo.svc.cluster.local:8000/ip
//! ```
//!
//! The URL says `http`, as it does behind a sidecar: whether the connection is mTLS, or other TLS, is what policies and services say.
//! Exit codes are curl's: 0, or 6 (no such host or subset), 7 (no connection), 28 (too slow), 35 (handshake), 52 (empty reply), 56
//! (receiving failed, also when the server refused our certificate), 58 (our own identity, or what a rule names for TLS), 60 (the
//! server's certificate or secure naming).

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]

mod failure;
mod transfer;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use flags::WorkloadFlags;
use http::{HeaderName, HeaderValue, Uri};
use meshtls::PoliciesFrom;

use crate::failure::Failure;
use crate::transfer::{Answer, transfer};

/// The mesh client, in the manner of curl.
#[derive(Parser)]
#[expect(clippy::struct_excessive_bools, reason = "curl's flags")]
struct Arguments {
    /// An http:// URL. The port defaults to 80.
    url: Uri,
    /// A file or a directory with ServiceEntry and WorkloadEntry documents: who serves which host, where, and as whom.
    #[arg(long, value_name = "PATH")]
    services: Option<PathBuf>,
    /// The subset of the service to call, by its name in a DestinationRule.
    #[arg(long, value_name = "NAME")]
    subset: Option<String>,
    /// Let rules with insecureSkipVerify have their way: any server is taken for the right one.
    #[arg(short = 'k', long)]
    insecure: bool,
    /// Send HEAD instead of GET, and print the headers.
    #[arg(short = 'I', long)]
    head: bool,
    /// Add a header. Repeatable.
    #[arg(short = 'H', long, value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(HeaderName, HeaderValue)>,
    /// Write the body to a file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print this afterwards; `%{http_code}` becomes the status, 000 if there is none, and `\n` a new line.
    #[arg(short = 'w', long, value_name = "FORMAT")]
    write_out: Option<String>,
    /// Give up after so many seconds.
    #[arg(short, long, value_name = "SECONDS", default_value = "30", value_parser = clap::value_parser!(u64).range(1..=3600))]
    max_time: u64,
    /// Say nothing about errors.
    #[arg(short, long)]
    silent: bool,
    /// With --silent, say what went wrong all the same.
    #[arg(short = 'S', long)]
    show_error: bool,
    /// Say first what the connection will be, and why.
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    workload: WorkloadFlags,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let limit = Duration::from_secs(arguments.max_time);
    let outcome = tokio::time::timeout(limit, run(&arguments))
        .await
        .unwrap_or(Err(Failure::TooSlow(limit)));
    let (code, status) = match &outcome {
        Ok(answer) => (0, answer.status.as_u16()),
        Err(failure) => (failure.exit_code(), 0),
    };
    if let Some(format) = &arguments.write_out {
        print!(
            "{}",
            format
                .replace("%{http_code}", &format!("{status:03}"))
                .replace("\\n", "\n")
        );
    }
    if let Err(failure) = &outcome
        && (!arguments.silent || arguments.show_error)
    {
        eprintln!("meshcurl: ({code}) {}", failure.story());
    }
    ExitCode::from(code)
}

async fn run(arguments: &Arguments) -> Result<Answer, Failure> {
    let mut builder = arguments.workload.builder().map_err(Failure::Usage)?;
    if let Some(path) = &arguments.services {
        builder = builder.services(PoliciesFrom::path(path));
    }
    let workload = builder.start()?;
    // From an authority at the other end of a network, it comes a moment later.
    workload
        .identity_ready()
        .await
        .map_err(|unavailable| Failure::Usage(unavailable.into()))?;
    let connector = workload.connector_with(|connector| {
        if arguments.insecure {
            connector.dangerous_allow_insecure_skip_verify()
        } else {
            connector
        }
    });
    let answer = transfer(&connector, arguments).await?;
    match &arguments.output {
        Some(path) => std::fs::write(path, &answer.output).map_err(Failure::Write)?,
        None => std::io::Write::write_all(&mut std::io::stdout(), &answer.output)
            .map_err(Failure::Write)?,
    }
    Ok(answer)
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text
        .split_once(':')
        .ok_or_else(|| format!("`{text}` is no header: write NAME: VALUE"))?;
    match (name.trim().parse(), value.trim().parse()) {
        (Ok(name), Ok(value)) => Ok((name, value)),
        _ => Err(format!("`{text}` is no header: write NAME: VALUE")),
    }
}
