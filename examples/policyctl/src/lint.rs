//! `policyctl lint`: what in policies has no effect, or another one than it seems.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use meshtls_policy::{Code, Inventory, Severity};
use serde::Serialize;

use crate::answer::{Answer, Failure};
use crate::input::{self, Files};
use crate::mesh::Mesh;
use crate::remark::Remark;
use crate::render::{self, GOOD, severity_style};

/// Find what has no effect, another effect than it seems, or cannot work
///
/// Give it a whole mesh, or at least whole namespaces with the root namespace: objects are judged together. With services it
/// knows workloads and their ports, too. Each finding has a code, which docs/lint.md explains.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Lint {
    /// The policies: a file or a directory. Repeatable.
    #[arg(long, value_name = "PATH", required = true)]
    policies: Vec<PathBuf>,
    /// Services and workloads (ServiceEntry, WorkloadEntry), unless they are among the policies. Repeatable.
    #[arg(long, value_name = "PATH")]
    services: Vec<PathBuf>,
    /// The mildest findings that make the exit code 1.
    #[arg(long, value_name = "SEVERITY", default_value = "errors")]
    deny: Deny,
    /// A code to leave out, such as MT013. Repeatable.
    #[arg(long, value_name = "CODE")]
    allow: Vec<Code>,
    #[command(flatten)]
    mesh: Mesh,
}

#[derive(Clone, Copy, ValueEnum)]
enum Deny {
    Errors,
    Warnings,
    Notes,
}

impl Deny {
    fn severity(self) -> Severity {
        match self {
            Self::Errors => Severity::Error,
            Self::Warnings => Severity::Warning,
            Self::Notes => Severity::Note,
        }
    }
}

#[derive(Serialize)]
struct Report {
    findings: Vec<Remark>,
    errors: usize,
    warnings: usize,
    notes: usize,
}

impl Lint {
    pub(crate) fn run(&self, files: &mut Files) -> Result<Answer, Failure> {
        let options = self.mesh.parse_options();
        let (settings, mut findings) = self.mesh.settings(files)?;
        let resources = files.resources(self.policies.iter().chain(&self.services), &options)?;
        let inventory = Inventory::from_resources(&settings, &resources);
        // Without workloads nothing can be said about them: not even that a selector selects none.
        let known = (!inventory.members().is_empty()).then_some(&inventory);
        findings.extend(input::remarks(&resources));
        findings.extend(
            meshtls_policy::lint(&settings, &resources, known)
                .iter()
                .filter(|finding| !self.allow.contains(&finding.code))
                .map(Remark::from),
        );
        findings.sort_by(|a, b| {
            (&a.place.file, a.place.line, a.place.column).cmp(&(
                &b.place.file,
                b.place.line,
                b.place.column,
            ))
        });
        let report = Report::new(findings);
        let denied = self.deny.severity();
        let good = report
            .findings
            .iter()
            .all(|finding| finding.severity > denied);
        let answer = Answer::new(report.text(files), &report)?;
        Ok(answer.good_if(good))
    }
}

impl Report {
    fn new(findings: Vec<Remark>) -> Self {
        let count = |severity| {
            findings
                .iter()
                .filter(|finding| finding.severity == severity)
                .count()
        };
        Self {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            notes: count(Severity::Note),
            findings,
        }
    }

    fn text(&self, files: &Files) -> String {
        let counts: Vec<String> = [
            (self.errors, Severity::Error),
            (self.warnings, Severity::Warning),
            (self.notes, Severity::Note),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, severity)| {
            let style = severity_style(severity);
            let plural = if count == 1 { "" } else { "s" };
            format!("{style}{count} {severity}{plural}{style:#}")
        })
        .collect();
        let last = match counts.as_slice() {
            [] => format!("{GOOD}no findings{GOOD:#}"),
            counts => counts.join(", "),
        };
        let findings = render::remarks(&self.findings, files);
        let gap = if findings.is_empty() { "" } else { "\n" };
        format!("{findings}{gap}{last}\n")
    }
}

const EXAMPLES: &str = "\
Examples:
  Everything that is wrong with the policies of a repository:
    policyctl lint --policies policies/

  In CI: exact about workloads and ports, no warning allowed, one code switched off, as JSON:
    policyctl lint --policies policies/ --services services/ --deny warnings --allow MT013 --output json";
