//! Something to say about a place in a file: an error, a warning or a finding.

use std::error::Error;

use meshtls_policy::{Finding, Origin, ParseError, Severity, Skipped, SkippedSetting, Warning};
use meshtls_source::PolicyError;
use serde::Serialize;

/// Something to say about a place in a file, or about the command line.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Remark {
    pub(crate) severity: Severity,
    /// A short name that stays stable.
    pub(crate) code: String,
    #[serde(flatten)]
    pub(crate) place: Place,
    /// Kind and name of the object, if it concerns one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) object: String,
    /// The field of the object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) field: String,
    pub(crate) message: String,
    /// What to write instead.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) instead: String,
}

/// Where something stands; lines and columns count from 1.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Place {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) column: Option<u64>,
}

impl Place {
    pub(crate) fn new(file: impl Into<String>, at: Option<(u64, u64)>) -> Self {
        Self {
            file: file.into(),
            line: at.map(|(line, _)| line),
            column: at.map(|(_, column)| column),
        }
    }

    /// Where a field of an object stands.
    pub(crate) fn of(origin: &Origin, field: &str) -> Self {
        Self::new(origin.source_name(), origin.place_of(field))
    }
}

/// Such as `policies.yaml:7:9`.
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        [self.line, self.column]
            .into_iter()
            .flatten()
            .try_for_each(|number| write!(f, ":{number}"))
    }
}

impl Remark {
    pub(crate) fn error(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    pub(crate) fn warning(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    fn new(severity: Severity, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity,
            code: code.into(),
            place: Place::default(),
            object: String::new(),
            field: String::new(),
            message: message.into(),
            instead: String::new(),
        }
    }

    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// The same, as the reason why nothing is done.
    pub(crate) fn into_error(mut self) -> Self {
        self.severity = Severity::Error;
        self
    }

    pub(crate) fn instead(mut self, instead: impl Into<String>) -> Self {
        self.instead = instead.into();
        self
    }
}

impl From<&ParseError> for Remark {
    fn from(error: &ParseError) -> Self {
        let place = Place {
            file: error.source_name().to_owned(),
            line: error.line(),
            column: error.column(),
        };
        let remark = Self::error(error.reason(), error.fault().to_string()).at(place);
        Self { field: error.field().to_owned(), ..remark }
    }
}

impl From<&PolicyError> for Remark {
    fn from(error: &PolicyError) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        Self::error(error.reason(), message)
    }
}

impl From<&Warning> for Remark {
    fn from(warning: &Warning) -> Self {
        let place =
            Place { file: warning.source_name.clone(), line: warning.line, column: warning.column };
        let remark = Self::warning(warning.reason(), warning.caution.to_string()).at(place);
        Self { object: warning.object.to_string(), field: warning.field.clone(), ..remark }
    }
}

/// An object that looks like a slip of the pen is a warning: a policy may be missing.
impl From<&Skipped> for Remark {
    fn from(skipped: &Skipped) -> Self {
        let severity = if skipped.nearest.is_some() { Severity::Warning } else { Severity::Note };
        let nearest = skipped
            .nearest
            .map(|kind| format!(", did you mean `{kind}`?"));
        let message = format!(
            "{} of {} is not read here{}",
            skipped.kind,
            skipped.api_version,
            nearest.unwrap_or_default()
        );
        let place = Place { file: skipped.source_name.clone(), line: skipped.line, column: None };
        let name = [skipped.namespace.as_deref(), skipped.name.as_deref()];
        let name: Vec<&str> = name.into_iter().flatten().collect();
        let remark = Self::new(severity, "skipped_kind", message).at(place);
        Self { object: name.join("/"), ..remark }
    }
}

impl From<&SkippedSetting> for Remark {
    fn from(skipped: &SkippedSetting) -> Self {
        let nearest = skipped
            .nearest
            .map(|name| format!(", did you mean `{name}`?"));
        let message = format!("no setting that Istio has{}", nearest.unwrap_or_default());
        let place = Place { file: skipped.source_name.clone(), line: skipped.line, column: None };
        let remark = Self::warning("unknown_setting", message).at(place);
        Self { field: skipped.field.clone(), ..remark }
    }
}

impl From<&Finding> for Remark {
    fn from(finding: &Finding) -> Self {
        Self {
            severity: finding.severity,
            code: finding.code.to_string(),
            place: Place {
                file: finding.source_name.clone(),
                line: finding.line,
                column: finding.column,
            },
            object: format!("{} {}", finding.kind, finding.object),
            field: finding.field.clone(),
            message: finding.message.clone(),
            instead: finding.instead.clone(),
        }
    }
}
