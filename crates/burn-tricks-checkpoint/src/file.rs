//! Writes files completely or not at all. Every error names its file.
//!
//! ```
//! use burn_tricks_checkpoint::file;
//!
//! # fn main() -> std::io::Result<()> {
//! # let folder = tempfile::tempdir()?;
//! let path = folder.path().join("numbers");
//! assert_eq!(file::read(&path)?, None);
//! file::write(&path, &[b"one, ", b"two"])?; // if the process is killed in here, the file is complete or does not exist
//! assert_eq!(file::read(&path)?.unwrap(), b"one, two");
//! file::remove(&path)?;
//! file::remove(&path)?; // no error if there is no file
//! # Ok(())
//! # }
//! ```

use std::io::{Error, ErrorKind, Result, Write as _};
use std::path::{Path, PathBuf};

/// What files are called while they are written.
const UNFINISHED: &str = ".unfinished-";

/// Writes `parts`, one after the other, to `path`: under another name first, synchronised with the disk and
/// then renamed, which replaces a file that is there. The folder must exist.
///
/// # Errors
///
/// If the file cannot be written or renamed, for example on a full disk. A file that was at `path` before is
/// unchanged then. After the renaming only a failure of the disk is an error: the file at `path` is the new one, but its
/// name may not be on the disk yet. A folder that cannot be synchronised, since it may not be read or its file system has
/// no such operation, is none.
pub fn write(path: &Path, parts: &[&[u8]]) -> Result<()> {
    try_write(path, parts).map_err(|error| named(path, &error))
}

fn try_write(path: &Path, parts: &[&[u8]]) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    #[cfg(unix)] // as other files, less what the process's mask takes away
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    #[cfg(unix)] // the new name, too
    unless_impossible(std::fs::File::open(folder).and_then(|folder| folder.sync_all()))?;
    Ok(())
}

/// The result of synchronising a folder, which is fine where that is not possible at all.
#[cfg(unix)]
fn unless_impossible(result: Result<()>) -> Result<()> {
    use ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    match result {
        Err(error) if matches!(error.kind(), PermissionDenied | InvalidInput | Unsupported) => {
            Ok(())
        }
        result => result,
    }
}

/// The whole content of a file; `None` if there is no such file.
///
/// # Errors
///
/// If the file exists and cannot be read.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    unless_missing(path, std::fs::read(path).map(Some))
}

/// Removes a file, if there is one.
///
/// # Errors
///
/// If the file exists and cannot be removed.
pub fn remove(path: &Path) -> Result<()> {
    unless_missing(path, std::fs::remove_file(path))
}

/// Removes the unfinished files that [`write()`] left in `folder` when its process was killed. Do not call this while
/// another process writes there.
///
/// # Errors
///
/// If the folder cannot be read, or a file in it cannot be removed.
pub fn remove_unfinished(folder: &Path) -> Result<()> {
    for path in contents(folder)? {
        let name = path.file_name().unwrap_or_default();
        if name.to_string_lossy().starts_with(UNFINISHED) {
            remove(&path)?;
        }
    }
    Ok(())
}

/// The paths in a folder.
pub(crate) fn contents(folder: &Path) -> Result<Vec<PathBuf>> {
    let paths = std::fs::read_dir(folder).and_then(|entries| {
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        paths.collect()
    });
    paths.map_err(|error| named(folder, &error))
}

fn unless_missing<T: Default>(path: &Path, result: Result<T>) -> Result<T> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(T::default()),
        result => result.map_err(|error| named(path, &error)),
    }
}

/// An error with the name of its file.
pub(crate) fn named(path: &Path, error: &Error) -> Error {
    Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_synchronised_is_no_error_and_a_failing_disk_is_one() {
        let after = |code| unless_impossible(Err(Error::from_raw_os_error(code)));
        for (code, name) in [
            (1, "EPERM"),
            (13, "EACCES"),
            (22, "EINVAL"),
            (95, "ENOTSUP"),
        ] {
            assert!(after(code).is_ok(), "{name}");
        }
        for (code, name) in [(5, "EIO"), (28, "ENOSPC"), (122, "EDQUOT")] {
            assert!(after(code).is_err(), "{name}");
        }
        assert!(unless_impossible(Ok(())).is_ok());
    }

    #[test]
    fn a_file_is_written_where_its_folder_may_not_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(folder.path(), mode(0o300)).unwrap();
        let path = folder.path().join("file"); // root may read the folder all the same
        let written = write(&path, &[b"new"]);
        let content = read(&path);
        std::fs::set_permissions(folder.path(), mode(0o700)).unwrap();
        written.unwrap();
        assert_eq!(content.unwrap().unwrap(), b"new");
    }
}
