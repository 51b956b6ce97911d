//! Why a text was refused, and where.

use std::fmt;

use crate::{ResourceName, Violation, Warning};

/// A text was refused whole: at this place, for this reason.
///
/// Nothing of a refused text is used, so that a half-read set of policies never takes effect.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ParseError(Box<Inner>);

#[derive(Clone, Debug, Eq, PartialEq)]
struct Inner {
    source_name: String,
    place: Option<Place>,
    field: String,
    fault: ParseFault,
    warnings: Vec<Warning>,
}

/// A place in a text; both count from 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

impl Place {
    /// The place of a byte.
    pub(crate) fn of_offset(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let lines = before.matches('\n').count();
        let column = before.chars().rev().take_while(|&c| c != '\n').count();
        let one_based = |count: usize| u64::try_from(count).unwrap_or(u64::MAX).saturating_add(1);
        Self { line: one_based(lines), column: one_based(column) }
    }
}

impl ParseError {
    pub(crate) fn new(fault: ParseFault) -> Self {
        Self(Box::new(Inner {
            source_name: String::new(),
            place: None,
            field: String::new(),
            fault,
            warnings: Vec::new(),
        }))
    }

    pub(crate) fn at(mut self, place: Option<Place>) -> Self {
        self.0.place = place;
        self
    }

    pub(crate) fn in_field(mut self, field: impl Into<String>) -> Self {
        self.0.field = field.into();
        self
    }

    pub(crate) fn in_source(mut self, source_name: &str, warnings: Vec<Warning>) -> Self {
        source_name.clone_into(&mut self.0.source_name);
        self.0.warnings = warnings;
        self
    }

    /// The name that the caller gave the text, such as a path.
    pub fn source_name(&self) -> &str {
        &self.0.source_name
    }

    /// The line, from 1; `None` where the whole text is at fault.
    pub fn line(&self) -> Option<u64> {
        self.0.place.map(|place| place.line)
    }

    /// The column in characters, from 1.
    pub fn column(&self) -> Option<u64> {
        self.0.place.map(|place| place.column)
    }

    /// The path of the field within its object, such as `spec.mtls.mode`; empty where no field is concerned.
    pub fn field(&self) -> &str {
        &self.0.field
    }

    /// What is wrong.
    pub fn fault(&self) -> &ParseFault {
        &self.0.fault
    }

    /// A short name of the fault that stays stable, for metrics and tests.
    pub fn reason(&self) -> &'static str {
        self.0.fault.reason()
    }

    /// What was only worth a warning, up to the place where reading stopped.
    pub fn warnings(&self) -> &[Warning] {
        &self.0.warnings
    }
}

impl std::error::Error for ParseError {}

/// Such as ``policies.yaml:7:9: spec.mtls.mode: unknown value `strict`, did you mean `STRICT`?``
impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.source_name)?;
        if let Some(Place { line, column }) = self.0.place {
            write!(f, ":{line}:{column}")?;
        }
        if !self.0.source_name.is_empty() || self.0.place.is_some() {
            f.write_str(": ")?;
        }
        if !self.0.field.is_empty() {
            write!(f, "{}: ", self.0.field)?;
        }
        write!(f, "{}", self.0.fault)
    }
}

/// What is wrong with a text.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseFault {
    /// The text is longer than the bound.
    #[error("{bytes} bytes are more than the {max} allowed")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// The text is not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// The text holds a NUL character.
    #[error("a NUL character is not allowed")]
    NulByte,
    /// The text is neither YAML nor JSON.
    #[error("{message}")]
    Syntax {
        /// What the parser says; its wording is not stable.
        message: String,
    },
    /// More values than the bound.
    #[error("more than {max} values")]
    TooManyNodes {
        /// The bound.
        max: usize,
    },
    /// Lists and maps nest deeper than the bound.
    #[error("nested deeper than {max} levels")]
    TooDeep {
        /// The bound.
        max: usize,
    },
    /// An anchor (`&name`) or an alias (`*name`).
    #[error("anchors and aliases are not allowed")]
    Alias,
    /// A merge key (`<<`).
    #[error("merge keys are not allowed")]
    MergeKey,
    /// A tag (`!name`, `!!name`).
    #[error("tags are not allowed")]
    Tag,
    /// The same key twice in one object.
    #[error("duplicate key `{key}`")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// A value of another type than the field has.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// What the field takes.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A field that must be there is not.
    #[error("required field `{name}` is missing")]
    MissingField {
        /// The field.
        name: &'static str,
    },
    /// A field that the object does not have.
    #[error("unknown field `{name}`{}", did_you_mean(*nearest))]
    UnknownField {
        /// The field.
        name: String,
        /// The known field that looks most like it.
        nearest: Option<&'static str>,
    },
    /// A known kind under an API group or version that does not have it.
    #[error("`{found}` has no {kind}, `{expected}` has")]
    UnsupportedVersion {
        /// The kind.
        kind: &'static str,
        /// The `apiVersion` in the text.
        found: String,
        /// The `apiVersion` to write.
        expected: &'static str,
    },
    /// A kind that is a slip of the pen, or that its API group does not have.
    #[error("unknown kind `{found}`{}", did_you_mean(*nearest))]
    UnknownKind {
        /// The kind in the text.
        found: String,
        /// The kind that looks most like it.
        nearest: Option<&'static str>,
    },
    /// The object names no namespace, and the options give no default.
    #[error("no namespace: say which one the object is for")]
    NoNamespace,
    /// A name or namespace that Kubernetes would not take.
    #[error("`{found}` is no name: 1 to 253 characters of letters, digits, `-`, `.`, `_`")]
    BadName {
        /// The text.
        found: String,
    },
    /// A time that is not RFC 3339.
    #[error("`{found}` is no time such as `2024-03-01T00:00:01Z`")]
    BadTimestamp {
        /// The text.
        found: String,
    },
    /// Two objects of one kind have the same namespace and name.
    #[error("a second {kind} {name}: only one object can have a name")]
    DuplicateObject {
        /// The kind of both.
        kind: &'static str,
        /// The name of both.
        name: ResourceName,
    },
    /// Hosts times ports times endpoints of the text's `ServiceEntry` objects: an [`Inventory`](crate::Inventory) would
    /// be too large.
    #[error(
        "hosts times ports times endpoints: the services up to {service} take more than {max} bytes"
    )]
    InventoryTooLarge {
        /// The object at which the bound is passed.
        service: ResourceName,
        /// The bound in bytes, as estimated: a million endpoints without labels.
        max: usize,
    },
    /// The object is well formed, and Istio's validation refuses it.
    #[error("{0}")]
    Invalid(Violation),
}

impl ParseFault {
    /// A short name that stays stable, for metrics and tests.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::NotUtf8 => "not_utf8",
            Self::NulByte => "nul_byte",
            Self::Syntax { .. } => "syntax",
            Self::TooManyNodes { .. } => "too_many_nodes",
            Self::TooDeep { .. } => "too_deep",
            Self::Alias => "alias",
            Self::MergeKey => "merge_key",
            Self::Tag => "tag",
            Self::DuplicateKey { .. } => "duplicate_key",
            Self::WrongType { .. } => "wrong_type",
            Self::MissingField { .. } => "missing_field",
            Self::UnknownField { .. } => "unknown_field",
            Self::UnsupportedVersion { .. } => "unsupported_version",
            Self::UnknownKind { .. } => "unknown_kind",
            Self::NoNamespace => "no_namespace",
            Self::BadName { .. } => "bad_name",
            Self::BadTimestamp { .. } => "bad_timestamp",
            Self::DuplicateObject { .. } => "duplicate_object",
            Self::InventoryTooLarge { .. } => "inventory_too_large",
            Self::Invalid(violation) => violation.reason(),
        }
    }
}

/// The end of a sentence about an unknown name.
pub(crate) fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!(", did you mean `{nearest}`?"))
}
