//! `validation`: what an operator may write, as the YAML reader sees it.

use std::error::Error;

use meshtls::policy::Resources;
use serde_json::json;

use crate::case::{Case, same, text};

pub(crate) fn check(case: &Case<'_>) -> Result<(), Box<dyn Error>> {
    let kind = text(case.field("kind"))?;
    let document = json!({
        "apiVersion": api_version(kind),
        "kind": kind,
        "metadata": { "name": "case", "namespace": "default" },
        "spec": case.field("spec"),
    });
    let outcome = Resources::parse(case.id(), &document.to_string());
    if outcome
        .as_ref()
        .is_ok_and(|resources| !resources.skipped().is_empty())
    {
        return Err(format!("{kind} is not read").into());
    }
    let warnings = outcome
        .as_ref()
        .map_or_else(|error| error.warnings(), Resources::warnings);
    let warning = warnings.first().map(|warning| warning.reason());
    let refusal = outcome.as_ref().err().map(|error| error.reason());
    let seen = json!({
        "accept": outcome.is_ok(),
        "warning": warning.is_some(),
        "reason": refusal.or(warning),
    });
    same(&seen, case.expected())
}

fn api_version(kind: &str) -> &'static str {
    match kind {
        "PeerAuthentication" | "AuthorizationPolicy" => "security.istio.io/v1",
        _ => "networking.istio.io/v1",
    }
}
