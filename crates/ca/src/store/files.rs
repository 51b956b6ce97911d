//! Files that are read within bounds, and written whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
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
    let (file, metadata) = open(path)?;
    check_writers(&metadata, path)?;
    read_whole(file, &metadata, path)
}

/// Reads a key, which nobody but its owner may be able to reach.
pub(super) fn read_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let (file, metadata) = open(path)?;
    check_mode(&metadata, path)?;
    read_whole(file, &metadata, path).map(Zeroizing::new)
}

/// Writes a new file: another name first, then the right one, both safely on the disk.
pub(super) fn write(path: &Path, contents: &[u8], readers: Readers) -> Result<(), StoreError> {
    let unfinished = unfinished(path);
    // Of a process that died. The lock is held, so nobody is writing it.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed("remove", &unfinished)(error));
        }
        _ => {}
    }
    let mut file = open_new(OpenOptions::new().create_new(true), &unfinished, readers)?;
    file.write_all(contents)
        .map_err(failed("write", &unfinished))?;
    file.sync_all().map_err(failed("write", &unfinished))?;
    fs::rename(&unfinished, path).map_err(failed("rename to", path))?;
    sync_directory(path)
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

fn read_whole(file: File, metadata: &Metadata, path: &Path) -> Result<Vec<u8>, StoreError> {
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
