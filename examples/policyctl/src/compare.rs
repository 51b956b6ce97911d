//! `policyctl compare`: what a change of policies would do to the connections of a fleet.

use std::path::PathBuf;

use clap::Args;
use meshtls_policy::{Comparison, Inventory, Observations, ParseOptions, Proposal, compare};
use serde::Serialize;

use crate::answer::{Answer, Failure};
use crate::input::{self, Files};
use crate::mesh::Mesh;
use crate::remark::Remark;
use crate::render;

/// Say which connections a change of policies would break: is it safe to go STRICT?
///
/// Takes every workload of the services for a caller of every port of the services, works out what becomes of each connection
/// before and after, and proposes exceptions for those that break, each tried out. The exit code is 1 unless it is safe.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Compare {
    /// The policies in force. Repeatable. Default: none, so that every port is PERMISSIVE.
    #[arg(long, value_name = "PATH")]
    before: Vec<PathBuf>,
    /// The policies proposed, all of them. Repeatable.
    #[arg(long, value_name = "PATH", required = true)]
    after: Vec<PathBuf>,
    /// Services and workloads (ServiceEntry, WorkloadEntry): the fleet. Repeatable. Default: those among the policies proposed.
    #[arg(long, value_name = "PATH")]
    services: Vec<PathBuf>,
    /// Connections that were seen, as docs/policyctl.md says.
    #[arg(long, value_name = "FILE")]
    observations: Option<PathBuf>,
    #[command(flatten)]
    mesh: Mesh,
}

#[derive(Serialize)]
struct Report<'a> {
    safe: bool,
    #[serde(flatten)]
    comparison: &'a Comparison,
}

impl Compare {
    pub(crate) fn run(&self, files: &mut Files) -> Result<Answer, Failure> {
        let options = self.mesh.parse_options();
        let (settings, mut remarks) = self.mesh.settings(files)?;
        let before = files.resources(&self.before, &options)?;
        let after = files.resources(&self.after, &options)?;
        let named = files.resources(&self.services, &options)?;
        let fleet = if self.services.is_empty() { &after } else { &named };
        let inventory = Inventory::from_resources(&settings, fleet);
        if inventory.members().is_empty() {
            return Err(Failure::usage(
                "no services: without workloads there is nothing to judge, and that is not safe. Give --services",
            ));
        }
        let observations = self.observations(files, &options)?;
        let comparison = compare(
            Proposal::new(&settings, &before),
            Proposal::new(&settings, &after),
            &inventory,
            &observations,
        );
        let safe = comparison.is_safe();
        let text = render::paint(&comparison.to_string());
        for resources in [&before, &after, &named] {
            remarks.extend(input::remarks(resources));
        }
        let answer = Answer::new(text, &Report { safe, comparison: &comparison })?;
        Ok(answer.with_remarks(remarks).good_if(safe))
    }

    fn observations(
        &self,
        files: &mut Files,
        options: &ParseOptions,
    ) -> Result<Observations, Failure> {
        let Some(path) = &self.observations else { return Ok(Observations::default()) };
        let mut all = Vec::new();
        for file in files.read(path)? {
            let read = Observations::parse_with(&file, files.text(&file), options)
                .map_err(|error| Remark::from(&error))?;
            all.extend(read.iter().cloned());
        }
        Ok(all.into_iter().collect())
    }
}

const EXAMPLES: &str = "\
Examples:
  Is it safe to make a mesh STRICT that has no policies yet?
    policyctl compare --after strict.yaml --services services.yaml

  Two states of a repository of policies, with what servers logged of their callers:
    policyctl compare --before main/policies/ --after branch/policies/ --services services/ \\
        --observations seen.yaml";
