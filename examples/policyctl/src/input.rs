//! Files: read by the rules of `meshtls-source`, kept to quote from.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use meshtls_policy::{ExtendError, ParseOptions, Resources};
use meshtls_source::read_resource_files;

use crate::answer::Failure;
use crate::remark::{Place, Remark};

/// The texts read so far, by path.
#[derive(Default)]
pub(crate) struct Files(HashMap<String, String>);

impl Files {
    /// A line, counted from 1.
    pub(crate) fn line(&self, file: &str, line: u64) -> Option<&str> {
        let nth = usize::try_from(line.checked_sub(1)?).ok()?;
        self.0.get(file)?.lines().nth(nth)
    }

    pub(crate) fn text(&self, file: &str) -> &str {
        self.0.get(file).map_or("", String::as_str)
    }

    /// Reads the resources at all paths as one collection. A file that is reached twice is read once.
    pub(crate) fn resources<'p>(
        &mut self,
        paths: impl IntoIterator<Item = &'p PathBuf>,
        options: &ParseOptions,
    ) -> Result<Resources, Failure> {
        let mut all = Resources::default();
        let mut seen = HashSet::new();
        for path in paths {
            for file in self.read(path)? {
                // A path that has just been read and cannot be resolved is taken as it is.
                if seen
                    .insert(std::fs::canonicalize(&file).unwrap_or_else(|_| PathBuf::from(&file)))
                {
                    let more = self.parse(&file, options)?;
                    extend(&mut all, more)?;
                }
            }
        }
        Ok(all)
    }

    /// Reads the file, or the files of the directory, and gives their names.
    pub(crate) fn read(&mut self, path: &Path) -> Result<Vec<String>, Failure> {
        let found = read_resource_files(path).map_err(|error| Remark::from(&error))?;
        if found.is_empty() {
            let message = format!("{} holds no file *.yaml, *.yml or *.json", path.display());
            return Err(Remark::error("no_files", message).into());
        }
        let mut names = Vec::new();
        for (path, bytes) in found {
            let name = path.display().to_string();
            let text = match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => return Err(not_utf8(&name, error.as_bytes())),
            };
            self.0.insert(name.clone(), text);
            names.push(name);
        }
        Ok(names)
    }

    /// Reads the resources of a file that has been read.
    pub(crate) fn parse(&self, file: &str, options: &ParseOptions) -> Result<Resources, Failure> {
        let text = self.text(file);
        // A tab alone is blank, and no YAML.
        let text = if text.trim_ascii().is_empty() { "" } else { text };
        Resources::parse_with(file, text, options).map_err(|error| Remark::from(&error).into())
    }
}

/// The library says where the text breaks off.
fn not_utf8(name: &str, bytes: &[u8]) -> Failure {
    match Resources::parse_bytes(name, bytes) {
        Err(error) => Remark::from(&error).into(),
        Ok(_) => Remark::error("not_utf8", format!("{name} is not UTF-8")).into(),
    }
}

/// Adds the objects of another file. Of an object that is there already, both places are named.
fn extend(all: &mut Resources, more: Resources) -> Result<(), Failure> {
    let later = more.clone();
    all.extend(more).map_err(|error| {
        let ExtendError::Duplicate(duplicate) = &error else {
            return Remark::error("inventory_too_large", error.to_string()).into();
        };
        let place = |resources: &Resources| {
            let origin = resources.origin(duplicate.kind, &duplicate.name);
            origin.map_or_else(Place::default, |origin| Place::of(origin, "metadata.name"))
        };
        let message = format!("{duplicate}; the first is at {}", place(all));
        Remark::error("duplicate_object", message)
            .at(place(&later))
            .into()
    })
}

/// What was odd while reading, and what was left out.
pub(crate) fn remarks(resources: &Resources) -> Vec<Remark> {
    let warnings = resources.warnings().iter().map(Remark::from);
    warnings
        .chain(resources.skipped().iter().map(Remark::from))
        .collect()
}
