//! The text of a file, or of a directory of files, with policies in it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use meshtls_policy::{ExtendError, Resources};

use crate::read::{Content, read_file};
use crate::{PolicyError, ReadError};

/// Reads the resources in the file or directory at `path`, once.
///
/// Of a directory, the files `*.yaml`, `*.yml` and `*.json` are read, in byte order of their names; hidden ones (those
/// whose name begins with a dot) and directories below are not. A file is of at most 1 MiB, all together of at most 64 MiB.
///
/// # Errors
///
/// Every variant of [`PolicyError`] but [`PolicyError::Emptied`]. One bad file refuses the whole.
pub fn load_resources(path: impl AsRef<Path>) -> Result<Resources, PolicyError> {
    Ok(PolicyText::read_still(path.as_ref())?.parse()?.resources)
}

/// Gives the files that [`load_resources`] would read, in its order, with their bytes: for tools that also need the text.
///
/// Unlike there, files that are all white space are given as they are.
///
/// # Errors
///
/// [`PolicyError::Read`] and [`PolicyError::Unsettled`].
pub fn read_resource_files(path: impl AsRef<Path>) -> Result<Vec<(PathBuf, Vec<u8>)>, PolicyError> {
    Ok(PolicyText::read_still(path.as_ref())?.files)
}

/// What is read at a path, before it is understood.
#[derive(Debug, Eq, Hash, PartialEq)]
pub(crate) struct PolicyText {
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl PolicyText {
    pub(crate) fn read(path: &Path) -> Result<Self, ReadError> {
        let paths = if path.is_dir() { policy_files(path)? } else { vec![path.to_owned()] };
        let mut room = MAX_FILES;
        let mut files = Vec::new();
        for file in paths {
            let mut content: Content = read_file(&file)?;
            room = u64::try_from(content.len())
                .ok()
                .and_then(|length| room.checked_sub(length))
                .ok_or_else(|| too_large(path))?;
            files.push((file, std::mem::take(&mut *content)));
        }
        Ok(Self { files })
    }

    /// Reads until two readings in a row are the same, so that a swap of all files in between is not seen half.
    pub(crate) fn read_still(path: &Path) -> Result<Self, PolicyError> {
        let mut last = Self::read(path)?;
        for _ in 0..UNSETTLED {
            let again = Self::read(path)?;
            if again == last {
                return Ok(again);
            }
            last = again;
        }
        Err(PolicyError::Unsettled { path: path.to_owned(), looks: UNSETTLED })
    }

    pub(crate) fn parse(&self) -> Result<Parsed, PolicyError> {
        let mut parsed = Parsed { files: self.files.len(), ..Parsed::default() };
        for (path, content) in &self.files {
            let blank = content.trim_ascii().is_empty();
            // A tab alone is blank too, and no YAML.
            let content = if blank { &[] } else { content.as_slice() };
            let more = Resources::parse_bytes(&path.display().to_string(), content)?;
            if !more.is_empty() {
                parsed.filled.insert(path.clone());
            } else if more.skipped().is_empty() {
                parsed.empty.insert(path.clone());
            }
            parsed.resources.extend(more).map_err(|error| match error {
                ExtendError::Duplicate(source) => {
                    PolicyError::Duplicate { path: path.clone(), source }
                }
                ExtendError::InventoryTooLarge(source) => {
                    PolicyError::InventoryTooLarge { path: path.clone(), source }
                }
            })?;
        }
        parsed.objects = parsed.resources.len();
        Ok(parsed)
    }
}

/// What is read at a path, understood.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    pub(crate) resources: Resources,
    /// The files with an object of a kind that is read.
    pub(crate) filled: BTreeSet<PathBuf>,
    /// How many objects there are of kinds that are read.
    pub(crate) objects: usize,
    /// The files without any object.
    empty: BTreeSet<PathBuf>,
    /// How many files there are.
    files: usize,
}

impl Parsed {
    /// The file of `filled` that is still there and holds nothing more; `directory` if no file is left.
    pub(crate) fn emptied(&self, filled: &BTreeSet<PathBuf>, directory: &Path) -> Option<PathBuf> {
        if self.files == 0 && !filled.is_empty() {
            return Some(directory.to_owned());
        }
        self.empty.intersection(filled).next().cloned()
    }
}

fn policy_files(directory: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let io = |source| ReadError::io(directory, source);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(is_policy_extension) && !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn too_large(directory: &Path) -> ReadError {
    ReadError::TooLarge { path: directory.to_owned(), limit: MAX_FILES }
}

fn is_policy_extension(extension: &OsStr) -> bool {
    ["yaml", "yml", "json"]
        .iter()
        .any(|known| extension == *known)
}

/// How many looks in a row may find a content that does not last before that is an error.
pub(crate) const UNSETTLED: u32 = 10;

/// All policy files of a directory together are of at most 64 MiB.
const MAX_FILES: u64 = 64 << 20;
