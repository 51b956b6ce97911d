//! Why policies could not be loaded.

use std::path::PathBuf;

use crate::ReadError;

/// Why a file or directory of policies was refused as a whole. Nothing of it is in force.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A file could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A document is not read as resources. The error names file, line and field.
    #[error(transparent)]
    Parse(#[from] meshtls_policy::ParseError),
    /// Two files hold an object of the same name.
    #[error("{} repeats an object of another file", path.display())]
    Duplicate {
        /// The later file.
        path: PathBuf,
        /// Which object.
        source: meshtls_policy::DuplicateObject,
    },
    /// The services of one file and the workloads of others multiply beyond the bound that each file alone is held to.
    #[error("{} does not go with the files before it", path.display())]
    InventoryTooLarge {
        /// The later file.
        path: PathBuf,
        /// At which service.
        source: meshtls_policy::InventoryTooLarge,
    },
    /// A file that held objects is still there and holds none: no text, white space, comments, `---` or empty lists
    /// alone. A file that is being written or generated wrongly looks like that, so this never replaces policies.
    ///
    /// To give up the policies of a file, delete it from its directory. To give up all, leave a file with a comment that
    /// never held policies: a directory without any policy file counts as emptied too.
    #[error("{} has become empty", path.display())]
    Emptied {
        /// The file, or the directory in which no policy file is left.
        path: PathBuf,
    },
    /// The content was another one at each of several looks in a row: somebody writes it without pause. What may be half written is never taken, so the policies in force get old.
    #[error("{} never stays the same: it changed during each of {looks} looks", path.display())]
    Unsettled {
        /// The file or directory.
        path: PathBuf,
        /// How often it was looked at.
        looks: u32,
    },
}

impl PolicyError {
    /// A short stable label, for metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Read(error) => error.reason(),
            Self::Parse(_) => "parse",
            Self::Duplicate { .. } => "duplicate",
            Self::InventoryTooLarge { .. } => "inventory_too_large",
            Self::Emptied { .. } => "emptied",
            Self::Unsettled { .. } => "unsettled",
        }
    }
}
