//! Reading the labels of a selector, with the rules that every selector of Istio's shares.

use crate::Labels;
use crate::field::Field;
use crate::parse_error::ParseError;
use crate::violation::Violation;

/// Reads `{<name>: {key: value, ...}}`, as in `selector: {matchLabels: {app: web}}`; absent labels are none.
pub(crate) fn read(field: &Field<'_>, name: &'static [&'static str]) -> Result<Labels, ParseError> {
    let selector = field.object(name)?;
    let labels = name.first().and_then(|name| selector.get(name));
    let Some(labels) = labels else { return Ok(Labels::default()) };
    for entry in labels.open_object()?.fields() {
        let value = entry.field.text()?;
        let length = value.chars().count();
        if entry.key().is_empty() {
            return Err(entry.field.invalid(Violation::SelectorEmptyKey));
        } else if entry.key().contains('*') || value.contains('*') {
            return Err(entry.field.invalid(Violation::SelectorWildcard));
        } else if length > MAX_VALUE {
            return Err(entry
                .field
                .invalid(Violation::SelectorValueTooLong { length }));
        }
    }
    labels.labels()
}

/// The longest label value in Kubernetes, in characters.
const MAX_VALUE: usize = 63;
