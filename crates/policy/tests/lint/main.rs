//! Every finding, from texts and values as an operator may have them.
#![expect(clippy::unwrap_used, reason = "a failure to read a test text must fail the test")]

mod authorization_policy;
mod destination_rule;
mod documentation;
mod findings;
mod peer_authentication;
mod reports;
mod scale;
mod scenarios;
mod services;
mod sidecar;

use meshtls_policy::{
    Finding, Inventory, MeshSettings, ParseOptions, PeerAuthentication, Resources, lint,
};

/// The findings about a text; its services and workloads, if it has some, are the inventory.
fn lint_text(settings: &MeshSettings, text: &str) -> Vec<Finding> {
    let options = ParseOptions::default().with_field_places();
    let resources = Resources::parse_with("policies.yaml", text, &options).unwrap();
    let known = !resources.service_entries().is_empty() || !resources.workload_entries().is_empty();
    let inventory = known.then(|| Inventory::from_resources(settings, &resources));
    lint(settings, &resources, inventory.as_ref())
}

/// The findings about values, without inventory.
fn lint_values(policies: impl IntoIterator<Item = PeerAuthentication>) -> Vec<Finding> {
    lint(&MeshSettings::default(), &policies.into_iter().collect(), None)
}

/// `MT001 foo/web spec`, for each finding.
fn brief(findings: &[Finding]) -> Vec<String> {
    findings
        .iter()
        .map(|finding| format!("{} {} {}", finding.code, finding.object, finding.field))
        .collect()
}
