//! Policies on trial: an annotation says that a policy is only to be watched.

use crate::Metadata;
use crate::field::{Object, shorten};
use crate::parse_error::ParseError;
use crate::violation::Violation;

/// Whether an object is on trial.
pub(crate) fn is_on(metadata: &Metadata, annotation: &str) -> bool {
    metadata.annotations.get(annotation) == Some(ON)
}

/// Refuses an annotation that says neither yes nor no: whoever writes one does not want to learn from an outage that it was
/// read as no.
pub(crate) fn check(object: &Object<'_>, annotation: &str) -> Result<(), ParseError> {
    let metadata = object.require("metadata")?.open_object()?;
    let Some(annotations) = metadata.get("annotations") else { return Ok(()) };
    let Some(field) = annotations.open_object()?.get(annotation) else { return Ok(()) };
    let found = field.text()?;
    if [ON, OFF].contains(&found) {
        return Ok(());
    }
    Err(field.invalid(Violation::BadDryRun { found: shorten(found) }))
}

/// The one value that puts a policy on trial.
pub(crate) const ON: &str = "true";
/// As good as no annotation.
const OFF: &str = "false";
