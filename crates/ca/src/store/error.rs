//! What is wrong with a directory.

use std::io;
use std::path::PathBuf;

use crate::{FromPemError, GenerateError, RotationError};

/// Why a directory does not give an authority, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The system refused an operation.
    #[error("cannot {doing} {}: check that this process may, and that the disk is not full", path.display())]
    Io {
        /// What was tried, such as `write`.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something else than a regular file, or more than a megabyte of it.
    #[error("{} is not a regular file of at most 1 MiB: move it away", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Others than its owner have a permission on the key file. Never on platforms without Unix modes.
    #[error("others can reach the key {} (mode {mode:04o}): run `chmod 600 {0}`; if somebody may have read it, replace the authority", path.display())]
    KeyExposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Others than its owner may write to the directory or to a file in it, so they could have put another authority there. Never on
    /// platforms without Unix modes.
    #[error("others can write to {} (mode {mode:04o}): run `chmod go-w {0}`, and look whether the authority is still yours", path.display())]
    Writable {
        /// The directory or file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file belongs to somebody else than its directory, and not to root. Never on platforms without Unix modes.
    #[error("{} belongs to user {owner}, its directory to user {directory_owner}: give both to one user", path.display())]
    ForeignOwner {
        /// The file.
        path: PathBuf,
        /// The user ID of its owner.
        owner: u32,
        /// The user ID of the directory's owner.
        directory_owner: u32,
    },
    /// A file that belongs to another is not there.
    #[error("{} is missing, but {} is there: put it back, or move the directory's files away for a new root", path.display(), beside.display())]
    Missing {
        /// The file that is needed.
        path: PathBuf,
        /// The file that needs it.
        beside: PathBuf,
    },
    /// The files are there, and are no authority.
    #[error("{} cannot be used: repair it, or move the directory's files away for a new root", path.display())]
    Unusable {
        /// The file at fault, as far as one is.
        path: PathBuf,
        /// What is wrong.
        source: FromPemError,
    },
    /// No root could be made.
    #[error("no authority could be made for {}", path.display())]
    NotMade {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: GenerateError,
    },
    /// What was given as the next authority is none.
    #[error("the next authority cannot be used")]
    NextUnusable {
        /// What is wrong.
        source: FromPemError,
    },
    /// A file that is written here does not read back: it was changed by somebody else, or the disk lost a part.
    #[error("{} is damaged at line {line}: restore it; without it, see the runbook on root rotation", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first line that does not fit.
        line: usize,
    },
    /// The authority's files were exchanged while they were in use.
    #[error("{} was exchanged while in use: prepare the new authority as the next one, or restart", path.display())]
    Exchanged {
        /// The file.
        path: PathBuf,
    },
}

/// Why a step of a rotation was not taken in a directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// The rotation does not allow it. Nothing was changed.
    #[error(transparent)]
    Rotation(#[from] RotationError),
    /// The directory does not. Whether the step was taken is told by
    /// [`SharedAuthority::rotation`](super::SharedAuthority::rotation): a disk may fail after it.
    #[error(transparent)]
    Store(#[from] StoreError),
}
