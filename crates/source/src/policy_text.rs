//! The text of a file, or of a directory of files, with policies in it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use meshtls_policy::Resources;

use crate::read::{Content, read_file};
use crate::{PolicyError, ReadError};

/// Reads the resources in the file or directory at `path`, once.
///
/// Of a directory, the files `*.yaml`, `*.yml` and `*.json` are read, in byte order of their names; hidden ones (those
/// whose name begins with a dot) and directories below are not.
///
/// # Errors
///
/// Every variant of [`PolicyError`] but [`PolicyError::Emptied`]. One bad file refuses the whole.
pub fn load_resources(path: impl AsRef<Path>) -> Result<Resources, PolicyError> {
    PolicyText::read(path.as_ref())?.parse()
}

/// What is read at a path, before it is understood.
#[derive(Debug, Hash)]
pub(crate) struct PolicyText {
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl PolicyText {
    pub(crate) fn read(path: &Path) -> Result<Self, ReadError> {
        let paths = if path.is_dir() { policy_files(path)? } else { vec![path.to_owned()] };
        let files = paths
            .into_iter()
            .map(|path| {
                read_file(&path).map(|mut content: Content| (path, std::mem::take(&mut *content)))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { files })
    }

    pub(crate) fn parse(&self) -> Result<Resources, PolicyError> {
        let mut all = Resources::default();
        for (path, content) in &self.files {
            let more = Resources::parse_bytes(&path.display().to_string(), content)?;
            all.extend(more)
                .map_err(|source| PolicyError::Duplicate { path: path.clone(), source })?;
        }
        Ok(all)
    }

    /// The files with more in them than white space.
    pub(crate) fn filled(&self) -> BTreeSet<PathBuf> {
        let filled = self.files.iter().filter(|(_, content)| !is_blank(content));
        filled.map(|(path, _)| path.clone()).collect()
    }

    /// The file of `filled` whose text is gone; `directory` if the last file is gone.
    pub(crate) fn emptied(&self, filled: &BTreeSet<PathBuf>, directory: &Path) -> Option<PathBuf> {
        if self.files.is_empty() && !filled.is_empty() {
            return Some(directory.to_owned());
        }
        let emptied = self
            .files
            .iter()
            .find(|(path, content)| is_blank(content) && filled.contains(path));
        emptied.map(|(path, _)| path.clone())
    }
}

fn is_blank(content: &[u8]) -> bool {
    content.trim_ascii().is_empty()
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

fn is_policy_extension(extension: &OsStr) -> bool {
    ["yaml", "yml", "json"]
        .iter()
        .any(|known| extension == *known)
}
