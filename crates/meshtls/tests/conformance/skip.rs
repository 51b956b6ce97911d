//! The committed list of vectors that need what is not built yet.

use std::error::Error;

use crate::case::Case;

/// The lines of `skip.txt`: `kind which reason`, where `which` is an id, `*` for the whole kind, `kind=NAME` for validation of one
/// resource, or `field=NAME` for cases in which this list is not empty.
pub(crate) struct SkipList(Vec<Entry>);

/// One line.
pub(crate) struct Entry {
    kind: String,
    which: Which,
}

enum Which {
    Id(String),
    Kind,
    Resource(String),
    Field(String),
}

impl SkipList {
    pub(crate) fn parse(text: &str) -> Result<Self, Box<dyn Error>> {
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(Entry::parse).collect::<Result<_, _>>().map(Self)
    }

    /// The line that lists `case`, one that names its id before one that does not.
    pub(crate) fn why(&self, case: &Case<'_>) -> Option<&Entry> {
        let listed = |entry: &&Entry| entry.lists(case);
        self.0
            .iter()
            .filter(listed)
            .find(|entry| entry.names_an_id())
            .or_else(|| self.0.iter().find(listed))
    }
}

impl Entry {
    fn parse(line: &str) -> Result<Self, Box<dyn Error>> {
        let mut words = line.splitn(3, ' ');
        let (Some(kind), Some(which), Some(_reason)) = (words.next(), words.next(), words.next())
        else {
            return Err(format!("skip.txt: `{line}`: write KIND ID REASON").into());
        };
        let which = match which.split_once('=') {
            None if which == "*" => Which::Kind,
            None => Which::Id(which.to_owned()),
            Some(("kind", resource)) => Which::Resource(resource.to_owned()),
            Some(("field", field)) => Which::Field(field.to_owned()),
            Some(_) => {
                return Err(format!(
                    "skip.txt: `{which}` is neither an id, *, kind=NAME nor field=NAME"
                )
                .into());
            }
        };
        Ok(Self { kind: kind.to_owned(), which })
    }

    pub(crate) fn names_an_id(&self) -> bool {
        matches!(self.which, Which::Id(_))
    }

    fn lists(&self, case: &Case<'_>) -> bool {
        self.kind == case.kind
            && match &self.which {
                Which::Id(id) => id == case.id(),
                Which::Kind => true,
                Which::Resource(resource) => case.field("kind") == resource.as_str(),
                Which::Field(field) => case
                    .field(field)
                    .as_array()
                    .is_some_and(|list| !list.is_empty()),
            }
    }
}
