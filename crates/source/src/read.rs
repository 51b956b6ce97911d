//! Reads small regular files, bounded, and tells one content from another.

use std::fs::File;
use std::hash::{BuildHasher, Hash, RandomState};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The operating system refused.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A pipe, a device or a directory where a file should be.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// What is there.
        path: PathBuf,
    },
    /// The file is larger than any good one.
    #[error("{} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound, in bytes.
        limit: u64,
    },
}

impl ReadError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    /// A short stable label, for metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Io { .. } => "unreadable",
            Self::NotAFile { .. } => "not_a_file",
            Self::TooLarge { .. } => "too_large",
        }
    }
}

/// The content of a file. It is wiped when dropped, since it may hold a key.
pub(crate) type Content = Zeroizing<Vec<u8>>;

/// Reads the regular file at `path` (symbolic links are followed), of at most [`MAX_FILE`] bytes.
pub(crate) fn read_file(path: &Path) -> Result<Content, ReadError> {
    let io = |source| ReadError::io(path, source);
    // Asked before the file is opened: opening a pipe waits for its writer.
    let length = match std::fs::metadata(path).map_err(io)? {
        found if !found.is_file() => return Err(ReadError::NotAFile { path: path.to_owned() }),
        found => found.len(),
    };
    let too_large = || ReadError::TooLarge { path: path.to_owned(), limit: MAX_FILE };
    if length > MAX_FILE {
        return Err(too_large());
    }
    // With room for all of it at once, a key leaves no copies behind in outgrown buffers.
    let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1));
    File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut content))
        .map_err(io)?;
    if u64::try_from(content.len()).is_ok_and(|read| read <= MAX_FILE) {
        Ok(content)
    } else {
        Err(too_large())
    }
}

/// Tells contents apart by a keyed 64-bit hash. The key is random per source, so nobody can aim at a collision.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fingerprints(RandomState);

/// What was read, reduced to what is needed to see that it changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Fingerprint(u64);

impl Fingerprint {
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

impl Fingerprints {
    pub(crate) fn look<T: Hash>(&self, found: Result<T, ReadError>) -> Looked<T> {
        let fingerprint = match &found {
            Ok(content) => self.0.hash_one(content),
            Err(error) => self.0.hash_one(error.to_string()),
        };
        Looked { found, fingerprint: Fingerprint(fingerprint) }
    }
}

/// One look at files. Two looks are equal when they saw the same.
#[derive(Debug)]
pub(crate) struct Looked<T> {
    pub(crate) found: Result<T, ReadError>,
    pub(crate) fingerprint: Fingerprint,
}

impl<T> PartialEq for Looked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

/// No policy, key or bundle file of a mesh is larger: 1 MiB.
const MAX_FILE: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{MAX_FILE, ReadError, read_file};

    #[test]
    fn what_is_no_small_regular_file_is_refused() {
        let directory = std::env::temp_dir();
        assert!(matches!(read_file(&directory), Err(ReadError::NotAFile { .. })));
        assert!(matches!(read_file(Path::new("/no/such/file")), Err(ReadError::Io { .. })));
        #[cfg(unix)]
        assert!(matches!(read_file(Path::new("/dev/zero")), Err(ReadError::NotAFile { .. })));

        let large = directory.join(format!("meshtls-read-{}", std::process::id()));
        let file = std::fs::File::create(&large).unwrap();
        for (length, fits) in [(MAX_FILE, true), (MAX_FILE + 1, false)] {
            file.set_len(length).unwrap();
            match read_file(&large) {
                Ok(content) => assert!(fits && content.len() == 1 << 20),
                Err(error) => {
                    assert!(!fits && matches!(error, ReadError::TooLarge { .. }), "{error}")
                }
            }
        }
        std::fs::remove_file(&large).unwrap();
    }
}
