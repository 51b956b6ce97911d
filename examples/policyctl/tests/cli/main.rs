//! The program as its users see it: commands over the files in `tests/data`, with what they print and how they exit.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod compare;
mod docs;
mod errors;
mod explain;
mod fmt;
mod lint;
mod output;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What a command came to.
#[derive(Debug)]
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Both streams hold each of these texts, wherever.
    #[track_caller]
    fn shows(&self, code: i32, texts: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for text in texts {
            let shown = self.stdout.contains(text) || self.stderr.contains(text);
            assert!(shown, "no {text:?} in\n{}\n{}", self.stdout, self.stderr);
        }
    }
}

/// Runs `policyctl` with these arguments, parted by blanks, in `tests/data`.
fn policyctl(arguments: &str) -> Ran {
    run(arguments, &[], DATA.as_ref())
}

fn run(arguments: &str, environment: &[(&str, &str)], directory: &Path) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_policyctl"))
        .args(arguments.split_whitespace())
        .current_dir(directory)
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR")
        .env_remove("CLICOLOR_FORCE")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");
