//! policyctl: policies explained, linted, compared and formatted, from files, without a cluster.
//!
//! ```text
//! cargo run -p policyctl -- explain --policies policies/ --namespace foo --label app=httpbin --port 8000
//! cargo run -p policyctl -- compare --after strict.yaml --services services.yaml
//! ```
//!
//! `docs/policyctl.md` shows each command with what it prints. Each command reads files, decides through `meshtls-policy` and
//! gives an [`Answer`]; only this file writes and exits.

mod answer;
mod compare;
mod explain;
mod fmt;
mod input;
mod lint;
mod mesh;
mod remark;
mod render;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::answer::{Answer, Failure};
use crate::input::Files;

/// Policies explained, linted, compared and formatted: from files, without a cluster.
///
/// A PATH is a file, or a directory whose files *.yaml, *.yml and *.json are read.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES, subcommand_required = true, arg_required_else_help = true)]
struct Arguments {
    /// As text for people, or as one JSON document for programs.
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    Text,
    Json,
}

#[derive(Subcommand)]
enum Command {
    Explain(explain::Explain),
    Lint(lint::Lint),
    Compare(compare::Compare),
    Fmt(fmt::Fmt),
}

impl Command {
    fn run(&self, files: &mut Files) -> Result<Answer, Failure> {
        match self {
            Self::Explain(explain) => explain.run(files),
            Self::Lint(lint) => lint.run(files),
            Self::Compare(compare) => compare.run(files),
            Self::Fmt(fmt) => fmt.run(files),
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut files = Files::default();
    let outcome = arguments.command.run(&mut files);
    let (answer, code) = match outcome {
        Ok(answer) => {
            let code = if answer.good { GOOD } else { FOUND };
            (answer, code)
        }
        Err(failure) => (failure.into_answer(), UNUSABLE),
    };
    let stdout = match arguments.output {
        Output::Text => &answer.text,
        Output::Json => &answer.json,
    };
    // The streams drop the colours unless they are terminals that take them, and always under NO_COLOR. The answer goes last,
    // where a reader looks first.
    let stderr = render::remarks(&answer.remarks, &files);
    let written =
        write(anstream::stderr(), &stderr).and_then(|()| write(anstream::stdout(), stdout));
    match written {
        Ok(()) => ExitCode::from(code),
        // Who reads no further, like `head`, knows enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(code),
        Err(_unwritable) => ExitCode::from(UNUSABLE),
    }
}

fn write(mut stream: impl Write, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}

const GOOD: u8 = 0;
const FOUND: u8 = 1;
/// What clap exits with, too.
const UNUSABLE: u8 = 2;

const EXIT_CODES: &str = "\
Exit codes:
  0  good
  1  lint: findings at or above --deny; compare: not safe; fmt --check: another form
  2  usage, or input that cannot be read or is refused";
