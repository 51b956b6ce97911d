//! `spiffe_id`: the standard's grammar, and Istio's looser parser beside it.

use std::error::Error;

use meshtls::SpiffeId;
use meshtls::identity::IstioIdentity;
use serde_json::json;

use crate::case::{Case, same, text};

pub(crate) fn check(case: &Case<'_>) -> Result<(), Box<dyn Error>> {
    let input = text(case.field("input"))?;
    let spiffe = match input.parse::<SpiffeId>() {
        Ok(id) => {
            json!({ "valid": true, "trust_domain": id.trust_domain().as_str(), "path": id.path() })
        }
        Err(_) => json!({ "valid": false }),
    };
    let istio = match IstioIdentity::parse(input) {
        Some(id) => json!({
            "valid": true,
            "trust_domain": id.trust_domain,
            "namespace": id.namespace,
            "service_account": id.service_account,
        }),
        None => json!({ "valid": false }),
    };
    same(&json!({ "spiffe": spiffe, "istio": istio }), case.expected())
}
