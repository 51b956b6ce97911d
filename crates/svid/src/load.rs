//! Reading PEM files, with the path in every error.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::bundle::BundleError;
use crate::keyed_chain::KeyedChainError;
use crate::revocation_lists::RevocationListError;
use crate::svid::SvidError;

/// Reads a regular file of at most 1 MiB, into memory that is overwritten when dropped.
///
/// # Errors
///
/// [`LoadError::Read`], [`LoadError::NotAFile`], [`LoadError::TooLarge`].
pub fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, LoadError> {
    let unreadable = |source| LoadError::Read { path: path.to_owned(), source };
    // Asked before opening, because opening a FIFO waits for its writer.
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(LoadError::NotAFile { path: path.to_owned() });
    }
    let too_large = || LoadError::TooLarge { path: path.to_owned(), max: MAX_FILE_BYTES };
    let length = usize::try_from(metadata.len()).map_err(|_larger_than_memory| too_large())?;
    if length > MAX_FILE_BYTES {
        return Err(too_large());
    }
    // The file may grow while it is read. Room for all of it, so that growing leaves no copies behind.
    let mut bytes =
        Zeroizing::new(Vec::with_capacity(MAX_FILE_BYTES.min(length.saturating_add(1))));
    let limit = u64::try_from(MAX_FILE_BYTES)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let file = File::open(path).map_err(unreadable)?;
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() > MAX_FILE_BYTES { Err(too_large()) } else { Ok(bytes) }
}

/// Tells whether others than its owner may read a key file. Whether that matters is the caller's to say.
///
/// Only Unix file modes are looked at (group and other, any permission bit); elsewhere the answer is
/// [`KeyFileExposure::Unknown`]. Kubernetes mounts keys as 0644 or 0640 unless told otherwise.
///
/// # Errors
///
/// [`LoadError::Read`] if the file's metadata cannot be read.
pub fn key_file_exposure(path: &Path) -> Result<KeyFileExposure, LoadError> {
    let metadata =
        fs::metadata(path).map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
    Ok(exposure(&metadata))
}

/// Who may read a key file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "callers decide each case")]
pub enum KeyFileExposure {
    /// Only its owner.
    OwnerOnly,
    /// Its group or everybody has some permission.
    Others {
        /// The file's permission bits, such as `0o644`.
        mode: u32,
    },
    /// This platform has no Unix file modes.
    Unknown,
}

#[cfg(unix)]
fn exposure(metadata: &fs::Metadata) -> KeyFileExposure {
    use std::os::unix::fs::PermissionsExt as _;

    match metadata.permissions().mode() & 0o777 {
        mode if mode & 0o077 == 0 => KeyFileExposure::OwnerOnly,
        mode => KeyFileExposure::Others { mode },
    }
}

#[cfg(not(unix))]
fn exposure(_: &fs::Metadata) -> KeyFileExposure {
    KeyFileExposure::Unknown
}

/// Why a file did not give what was wanted of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A directory, FIFO, socket or device.
    #[error("`{}` is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file is larger than 1 MiB (our bound).
    #[error("`{}` is larger than {max} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// How large it may be.
        max: usize,
    },
    /// The file does not hold its part of an X509-SVID.
    #[error("`{}` is not usable", path.display())]
    Svid {
        /// The file: of the chain, or of the key if the key is at fault.
        path: PathBuf,
        /// What is wrong with it.
        source: SvidError,
    },
    /// The file does not hold a trust bundle.
    #[error("`{}` is not usable", path.display())]
    Bundle {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: BundleError,
    },
    /// The file does not hold certificate revocation lists.
    #[error("`{}` is not usable", path.display())]
    RevocationLists {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: RevocationListError,
    },
    /// The file does not hold its part of a chain with its key.
    #[error("`{}` is not usable", path.display())]
    KeyedChain {
        /// The file: of the chain, or of the key if the key is at fault.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyedChainError,
    },
}

/// The most a PEM file may hold: 1 MiB (our bound).
const MAX_FILE_BYTES: usize = 1 << 20;
