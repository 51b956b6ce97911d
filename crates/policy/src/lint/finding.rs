//! What lint has to say about an object.

use std::fmt;

use serde::Serialize;

use super::code::{Code, Severity};
use crate::resource::Resource;
use crate::{ResourceName, Resources};

/// Something in an object that does not do what it seems to, and what to write instead.
///
/// Its `Display` is two lines, the first like a compiler's:
/// `policies.yaml:7:5: warning MT002: PeerAuthentication foo/web: spec.selector: ...`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What it is about.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// The kind of the object, such as `PeerAuthentication`.
    pub kind: &'static str,
    /// The object.
    pub object: ResourceName,
    /// The path of the field within the object, such as `spec.portLevelMtls.8080`.
    pub field: String,
    /// The name that the caller gave the text; empty for values.
    pub source_name: String,
    /// The line of the field, from 1; of the object unless
    /// [`ParseOptions::with_field_places`](crate::ParseOptions::with_field_places) was asked for.
    pub line: Option<u64>,
    /// The column in characters, from 1.
    pub column: Option<u64>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub instead: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source_name)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, ":{line}:{column}")?;
        }
        let colon = if self.source_name.is_empty() && self.line.is_none() { "" } else { ": " };
        let Self { code, severity, kind, object, field, message, instead, .. } = self;
        write!(
            f,
            "{colon}{severity} {code}: {kind} {object}: {field}: {message}\n    instead: {instead}"
        )
    }
}

/// The findings so far.
#[derive(Debug)]
pub(super) struct Findings<'a> {
    resources: &'a Resources,
    found: Vec<Finding>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(resources: &'a Resources) -> Self {
        Self { resources, found: Vec::new() }
    }

    /// Adds what was found about a field of an object.
    pub(super) fn add<R: Resource>(
        &mut self,
        code: Code,
        object: &R,
        field: impl Into<String>,
        message: impl Into<String>,
        instead: impl Into<String>,
    ) {
        let kind = R::KIND.as_str();
        let name = &object.metadata().name;
        let field = field.into();
        let origin = self.resources.origin(kind, name);
        let place = origin.and_then(|origin| origin.place_of(&field));
        self.found.push(Finding {
            code,
            severity: code.severity(),
            kind,
            object: name.clone(),
            source_name: origin.map_or_else(String::new, |origin| origin.source_name().to_owned()),
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
            field,
            message: message.into(),
            instead: instead.into(),
        });
    }

    /// All findings: by text and place; those about values by kind, name and field.
    pub(super) fn sorted(mut self) -> Vec<Finding> {
        self.found.sort_by(|a, b| {
            let key = |finding: &Finding| (finding.line, finding.column, finding.kind);
            a.source_name
                .cmp(&b.source_name)
                .then_with(|| key(a).cmp(&key(b)))
                .then_with(|| a.object.cmp(&b.object))
                .then_with(|| a.code.cmp(&b.code))
                .then_with(|| a.field.cmp(&b.field))
                .then_with(|| a.message.cmp(&b.message))
        });
        self.found
    }
}

/// The first few of many things, for a message: `a, b and 3 more`.
pub(super) fn some_of<T: fmt::Display>(things: impl IntoIterator<Item = T>) -> String {
    const FEW: usize = 4;
    let mut things = things.into_iter();
    let shown: Vec<String> = things
        .by_ref()
        .take(FEW)
        .map(|thing| thing.to_string())
        .collect();
    match things.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
