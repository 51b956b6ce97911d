//! Policies on trial: an annotation says that a policy is only to be watched.

use crate::Metadata;
use crate::authorization::{Action, AuthorizationPolicy};
use crate::field::{Field, Object, shorten};
use crate::kind::Kind;
use crate::parse_error::ParseError;
use crate::violation::Violation;

/// Whether an object is on trial.
pub(crate) fn is_on(metadata: &Metadata, annotation: &str) -> bool {
    metadata.annotations.get(annotation) == Some(ON)
}

/// Refuses an annotation that says neither yes nor no: whoever writes one does not want to learn from an outage that it was
/// read as no.
pub(crate) fn check(object: &Object<'_>, annotation: &str) -> Result<(), ParseError> {
    let Some(field) = field(object, annotation)? else { return Ok(()) };
    let found = field.text()?;
    if [ON, OFF].contains(&found) {
        return Ok(());
    }
    Err(field.invalid(Violation::BadDryRun { found: shorten(found) }))
}

/// Refuses Istio's annotation on other kinds, as Istio does: whoever writes one there takes for a trial what acts.
pub(crate) fn check_kind(object: &Object<'_>, kind: Kind) -> Result<(), ParseError> {
    match kind {
        Kind::AuthorizationPolicy => Ok(()),
        Kind::PeerAuthentication
        | Kind::DestinationRule
        | Kind::ServiceEntry
        | Kind::Sidecar
        | Kind::WorkloadEntry => refuse(object),
    }
}

/// Refuses it with other actions than ALLOW and DENY, as Istio does.
pub(crate) fn check_action(object: &Object<'_>, action: Action) -> Result<(), ParseError> {
    match action {
        Action::Allow | Action::Deny => Ok(()),
        Action::Audit | Action::Custom => refuse(object),
    }
}

fn refuse(object: &Object<'_>) -> Result<(), ParseError> {
    match field(object, AuthorizationPolicy::DRY_RUN)? {
        Some(field) => Err(field.invalid_key(Violation::DryRunUnsupported)),
        None => Ok(()),
    }
}

fn field<'n>(object: &Object<'n>, annotation: &str) -> Result<Option<Field<'n>>, ParseError> {
    let metadata = object.require("metadata")?.open_object()?;
    let Some(annotations) = metadata.get("annotations") else { return Ok(None) };
    Ok(annotations.open_object()?.get(annotation))
}

/// The one value that puts a policy on trial.
pub(crate) const ON: &str = "true";
/// As good as no annotation.
const OFF: &str = "false";
