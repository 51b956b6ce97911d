//! What was checked, and how it came out.

use std::process::ExitCode;

/// The checks so far.
#[derive(Default)]
pub(crate) struct Verdict {
    checks: usize,
    failed: usize,
}

impl Verdict {
    /// Notes one check, and prints it.
    pub(crate) fn check(&mut self, holds: bool, what: &str) {
        self.checks = self.checks.saturating_add(1);
        if !holds {
            self.failed = self.failed.saturating_add(1);
        }
        println!("  {}  {what}", if holds { "ok  " } else { "FAIL" });
    }

    pub(crate) fn print(&self) {
        let Self { checks, failed } = self;
        if self.passed() {
            println!("PASS: {checks} checks");
        } else {
            println!("FAIL: {failed} of {checks} checks");
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn passed(&self) -> bool {
        self.failed == 0
    }
}
