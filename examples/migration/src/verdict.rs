//! What was expected, what was seen, and the last line.

use std::fmt::Display;
use std::process::ExitCode;

/// Counts checks; every check prints one line when it fails and none when it holds.
#[derive(Default)]
pub(crate) struct Verdict {
    passed: usize,
    failed: Vec<String>,
}

impl Verdict {
    /// Notes that `what` was expected to be `want` and turned out to be `seen`.
    pub(crate) fn expect<T: PartialEq + Display>(&mut self, what: &str, seen: &T, want: &T) {
        self.hold(what, seen == want, format_args!("expected {want}, saw {seen}"));
    }

    /// Notes whether `what` holds, with what was seen instead.
    pub(crate) fn hold(&mut self, what: &str, holds: bool, seen: impl Display) {
        if holds {
            self.passed += 1;
        } else {
            println!("  WRONG  {what}: {seen}");
            self.failed.push(what.to_owned());
        }
    }

    /// Prints the last line and gives the exit code that goes with it.
    pub(crate) fn conclude(self) -> ExitCode {
        if self.failed.is_empty() {
            println!("\nPASS: {} checks", self.passed);
            return ExitCode::SUCCESS;
        }
        println!(
            "\nFAIL: {} of {} checks: {}",
            self.failed.len(),
            self.passed + self.failed.len(),
            self.failed.join("; ")
        );
        ExitCode::FAILURE
    }
}
