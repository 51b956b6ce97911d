//! Files that are read within bounds, and written whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::StoreError;

/// Who may read a new file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Readers {
    Owner,
    All,
}

/// Makes the directory, readable by its owner only, unless it is there.
pub(super) fn create_directory(path: &Path) -> Result<(), StoreError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(failed("create", path))
}

/// Refuses a directory in which others could have put an authority of theirs.
pub(super) fn check_directory(path: &Path) -> Result<(), StoreError> {
    let metadata = fs::metadata(path).map_err(failed("look at", path))?;
    check_writers(&metadata, path)
}

/// Waits for the lock. It is free again when what is returned is dropped, or the process ends.
pub(super) fn lock(path: &Path) -> Result<File, StoreError> {
    let file = open_new(OpenOptions::new().create(true), path, Readers::Owner)?;
    file.lock().map_err(failed("lock", path))?;
    Ok(file)
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    read_and_hold(path).map(|(bytes, _held)| bytes)
}

/// Reads a key, which nobody but its owner may be able to reach.
pub(super) fn read_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    read_key_and_hold(path).map(|(bytes, _held)| bytes)
}

pub(super) fn read_and_hold(path: &Path) -> Result<(Vec<u8>, Held), StoreError> {
    let (file, metadata) = open(path)?;
    check_writers(&metadata, path)?;
    let bytes = read_whole(&file, &metadata, path)?;
    Ok((bytes, Held::new(path, file, &metadata)))
}

pub(super) fn read_key_and_hold(path: &Path) -> Result<(Zeroizing<Vec<u8>>, Held), StoreError> {
    let (file, metadata) = open(path)?;
    check_mode(&metadata, path)?;
    let bytes = read_whole(&file, &metadata, path).map(Zeroizing::new)?;
    Ok((bytes, Held::new(path, file, &metadata)))
}

/// A file that was read and is kept open, so that no other file can get its inode number: a name that shows the same
/// number still names this file, however fast the clock of the file system is. Time and length of the last change
/// show what was written in place, by others than us.
#[derive(Debug)]
pub(super) struct Held {
    path: PathBuf,
    _open: File,
    identity: Option<Identity>,
}

impl Held {
    fn new(path: &Path, file: File, metadata: &Metadata) -> Self {
        Self { path: path.to_owned(), _open: file, identity: Identity::of(metadata) }
    }

    pub(super) fn is_of(&self, path: &Path) -> bool {
        self.path == path
    }

    /// Whether the name still names this file, unchanged. Never on platforms without inode numbers.
    pub(super) fn is_still_there(&self) -> Result<bool, StoreError> {
        let metadata = fs::metadata(&self.path).map_err(failed("look at", &self.path))?;
        Ok(self.identity.is_some() && Identity::of(&metadata) == self.identity)
    }
}

/// What tells one file, in one state, from every other that exists at the same time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl Identity {
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }

    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Option<Self> {
        None
    }
}

/// Whether a file is there with exactly this in it.
pub(super) fn holds(path: &Path, contents: &[u8]) -> bool {
    read(path).is_ok_and(|found| Zeroizing::new(found).as_slice() == contents)
}

/// Whether a file of this length is read.
pub(super) fn is_readable_length(length: usize) -> bool {
    u64::try_from(length).is_ok_and(|length| length <= MAX_BYTES)
}

pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    fs::remove_file(path).map_err(failed("remove", path))?;
    sync_directory(path)
}

/// A file that lines are appended to, by whoever holds the lock.
#[derive(Debug)]
pub(super) struct Appended {
    path: PathBuf,
    file: File,
}

impl Appended {
    /// Opens it. `None` if it is not there.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("look at", path)(error)),
            Ok(found) if !found.is_file() => {
                return Err(StoreError::NotAFile { path: path.to_owned() });
            }
            Ok(_) => {}
        }
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .open(path)
            .map_err(failed("open", path))?;
        let metadata = file.metadata().map_err(failed("look at", path))?;
        check_owner(&metadata, path)?;
        check_writers(&metadata, path)?;
        Ok(Some(Self { path: path.to_owned(), file }))
    }

    /// Whether the name still names this file, which may have grown.
    #[cfg(unix)]
    pub(super) fn is_still_there(&self) -> Result<bool, StoreError> {
        use std::os::unix::fs::MetadataExt as _;
        let held = self
            .file
            .metadata()
            .map_err(failed("look at", &self.path))?;
        match fs::metadata(&self.path) {
            Ok(found) => Ok((found.dev(), found.ino()) == (held.dev(), held.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed("look at", &self.path)(error)),
        }
    }

    #[cfg(not(unix))]
    pub(super) fn is_still_there(&self) -> Result<bool, StoreError> {
        Ok(false)
    }

    pub(super) fn length(&self) -> Result<u64, StoreError> {
        let metadata = self
            .file
            .metadata()
            .map_err(failed("look at", &self.path))?;
        Ok(metadata.len())
    }

    /// Everything from `offset` on.
    pub(super) fn read_from(&mut self, offset: u64) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        self.file
            .seek(io::SeekFrom::Start(offset))
            .and_then(|_at| self.file.read_to_end(&mut bytes))
            .map_err(failed("read", &self.path))?;
        Ok(bytes)
    }

    /// Appends in one write, and waits until it is on the disk.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file
            .write_all(bytes)
            .and_then(|()| self.file.sync_data())
            .map_err(failed("write", &self.path))
    }

    /// Cuts off what is behind `length`.
    pub(super) fn cut(&self, length: u64) -> Result<(), StoreError> {
        self.file
            .set_len(length)
            .and_then(|()| self.file.sync_data())
            .map_err(failed("write", &self.path))
    }
}

/// Writes a file: another name first, then the right one, both safely on the disk.
pub(super) fn write(path: &Path, contents: &[u8], readers: Readers) -> Result<(), StoreError> {
    remove_unfinished(path)?;
    let unfinished = unfinished(path);
    let written = write_whole(&unfinished, contents, readers);
    if written.is_err() {
        // Half a key helps nobody, and a full disk needs the room. If it cannot be removed, the next one does it.
        match fs::remove_file(&unfinished) {
            Ok(()) | Err(_) => {}
        }
    }
    written?;
    fs::rename(&unfinished, path).map_err(failed("rename to", path))?;
    sync_directory(path)
}

/// Removes what a process left that died while it wrote `path`. The lock is held, so nobody is writing it.
pub(super) fn remove_unfinished(path: &Path) -> Result<(), StoreError> {
    let unfinished = unfinished(path);
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed("remove", &unfinished)(error))
        }
        _ => Ok(()),
    }
}

fn write_whole(path: &Path, contents: &[u8], readers: Readers) -> Result<(), StoreError> {
    let mut file = open_new(OpenOptions::new().create_new(true), path, readers)?;
    file.write_all(contents).map_err(failed("write", path))?;
    file.sync_all().map_err(failed("write", path))
}

/// Refuses what is no regular file before opening it: opening a FIFO waits for its writer.
///
/// The metadata is that of the open file, which nobody can exchange any more.
fn open(path: &Path) -> Result<(File, Metadata), StoreError> {
    let found = fs::metadata(path).map_err(failed("look at", path))?;
    if !found.is_file() {
        return Err(StoreError::NotAFile { path: path.to_owned() });
    }
    let file = File::open(path).map_err(failed("open", path))?;
    let metadata = file.metadata().map_err(failed("look at", path))?;
    check_owner(&metadata, path)?;
    Ok((file, metadata))
}

fn read_whole(file: &File, metadata: &Metadata, path: &Path) -> Result<Vec<u8>, StoreError> {
    let length = usize::try_from(metadata.len().min(MAX_BYTES)).unwrap_or(0);
    // Room for all of it, so that no copy of a key is left behind by growing.
    let mut bytes = Vec::with_capacity(length.saturating_add(1));
    file.take(MAX_BYTES.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed("read", path))?;
    match u64::try_from(bytes.len()) {
        Ok(..=MAX_BYTES) => Ok(bytes),
        _ => Err(StoreError::NotAFile { path: path.to_owned() }),
    }
}

fn open_new(options: &mut OpenOptions, path: &Path, readers: Readers) -> Result<File, StoreError> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(
        options,
        match readers {
            Readers::Owner => 0o600,
            Readers::All => 0o644,
        },
    );
    #[cfg(not(unix))]
    let _no_modes = readers;
    options
        .write(true)
        .open(path)
        .map_err(failed("create", path))
}

#[cfg(unix)]
fn check_mode(metadata: &Metadata, path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(StoreError::KeyExposed { path: path.to_owned(), mode })
    }
}

#[cfg(unix)]
fn check_writers(metadata: &Metadata, path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o022 == 0 {
        Ok(())
    } else {
        Err(StoreError::Writable { path: path.to_owned(), mode })
    }
}

#[cfg(not(unix))]
fn check_writers(_: &Metadata, _: &Path) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(unix)]
fn check_owner(metadata: &Metadata, path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::MetadataExt as _;
    let directory = directory_of(path);
    let directory = fs::metadata(directory).map_err(failed("look at", directory))?;
    same_owner(path, metadata.uid(), directory.uid())
}

/// Whoever owns a file can change it, so it must be who owns the directory, or root.
#[cfg(unix)]
fn same_owner(path: &Path, owner: u32, directory_owner: u32) -> Result<(), StoreError> {
    if owner == directory_owner || owner == 0 {
        Ok(())
    } else {
        Err(StoreError::ForeignOwner { path: path.to_owned(), owner, directory_owner })
    }
}

#[cfg(not(unix))]
fn check_owner(_: &Metadata, _: &Path) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_: &Metadata, _: &Path) -> Result<(), StoreError> {
    Ok(())
}

/// The new name of a file is safe once its directory is.
#[cfg(unix)]
fn sync_directory(file: &Path) -> Result<(), StoreError> {
    let directory = directory_of(file);
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed("write", directory))
}

#[cfg(unix)]
fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> Result<(), StoreError> {
    Ok(())
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".unfinished");
    path.with_file_name(name)
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::Io { doing, path: path.to_owned(), source }
}

const MAX_BYTES: u64 = 1 << 20;

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// Only root can give a file away, so the rule is tried on numbers.
    #[test]
    fn files_belong_to_who_owns_the_directory_or_to_root() {
        let path = Path::new("root-cert.pem");
        assert!(same_owner(path, 1000, 1000).is_ok());
        assert!(same_owner(path, 0, 1000).is_ok());
        let error = same_owner(path, 1001, 1000).unwrap_err();
        assert!(
            matches!(error, StoreError::ForeignOwner { owner: 1001, directory_owner: 1000, .. }),
            "{error:?}"
        );
        assert!(same_owner(path, 1000, 0).is_err(), "a user's file in root's directory");
    }
}
