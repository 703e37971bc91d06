//! A lock, so that only one process at a time works in a folder.

use crate::file;
use std::fmt::Display;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// A lock on a file, so that only one process at a time works in its folder. Dropping this value unlocks the file,
/// which is not removed.
///
/// The operating system holds the lock, and releases it when the process ends, however it ends. A killed process
/// leaves only a file with its process id, which is not locked.
///
/// ```
/// use burn_tricks_checkpoint::Lock;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("lock");
/// let lock = Lock::take(&path)?;
/// let refused = Lock::take(&path).unwrap_err();
/// assert!(refused.to_string().contains(&std::process::id().to_string()));
/// drop(lock);
/// assert!(Lock::take(&path).is_ok());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

/// Why a file that is locked protects its folder no longer.
const REPLACED: &str = "the lock file was removed or replaced: another run may have the folder";

/// Why a file is not locked.
pub enum LockError {
    /// Another process has locked the file, or this process has.
    Held {
        /// The process's id, if it can be read.
        process: Option<u32>,
    },
    /// The file cannot be created, locked or written. The error's text names it.
    File(io::Error),
}

impl Display for LockError {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Held { process: Some(id) } => write!(f, "the file is locked by process {id}"),
            Self::Held { process: None } => write!(f, "the file is locked by another process"),
            Self::File(error) => error.fmt(f),
        }
    }
}

/// As it is displayed, so that `unwrap` and `main` print the sentence.
impl std::fmt::Debug for LockError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Display::fmt(self, f)
    }
}

impl std::error::Error for LockError {}

impl From<io::Error> for LockError {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl Lock {
    /// Locks the file at `path`, which is created if it does not exist, and writes this process's id into it. On a
    /// file system without locks, other processes are not kept out. On NFS whose lock service does not run, locking is an
    /// error.
    ///
    /// # Errors
    ///
    /// If the file is locked already, or cannot be made, locked or written.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        Self::try_take(path).map_err(|error| match error {
            LockError::File(error) => file::named(path, &error).into(),
            held => held,
        })
    }

    fn try_take(path: &Path) -> Result<Self, LockError> {
        let mut options = File::options();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false) // it may be another one's
            .open(path)?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Where a lock forbids others to read, too, nobody knows who it is.
                file.read_to_string(&mut holder).unwrap_or_default();
                let process = holder.trim().parse().ok();
                return Err(LockError::Held { process });
            }
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => (),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        let path = path.to_owned();
        Ok(Self { file, path })
    }

    /// Checks that the locked file is still at its path. If its folder was removed or moved meanwhile, another process may
    /// have locked a new file there. A tool that cleans or synchronises the folder may remove or replace the file too, which
    /// cannot be told from that. Call this before each write to the folder. On other systems than Unix nothing is
    /// checked.
    ///
    /// # Errors
    ///
    /// If there is no file or another one at the path. The error's text names it.
    pub fn check(&self) -> io::Result<()> {
        let error = match self.is_in_place() {
            Ok(true) => return Ok(()),
            Ok(false) => io::Error::other(REPLACED),
            Err(error) => error,
        };
        Err(file::named(&self.path, &error))
    }

    #[cfg(unix)]
    fn is_in_place(&self) -> io::Result<bool> {
        use std::os::unix::fs::MetadataExt as _;
        let there = match std::fs::metadata(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            there => there?,
        };
        let locked = self.file.metadata()?;
        Ok((there.dev(), there.ino()) == (locked.dev(), locked.ino()))
    }

    #[cfg(not(unix))]
    fn is_in_place(&self) -> io::Result<bool> {
        Ok(true)
    }
}

/// A process that is being started holds a copy of the file for a moment, and with it a lock that is not undone.
impl Drop for Lock {
    fn drop(&mut self) {
        // The system undoes it with the last copy if this fails.
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_that_is_gone_left_is_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        std::fs::write(&path, "4294967295\n").unwrap();
        let held = Lock::take(&path).unwrap();
        let by_us = format!("locked by process {}", std::process::id());
        let refused = Lock::take(&path).unwrap_err().to_string();
        assert!(refused.contains(&by_us), "{refused}");
        drop(held);
        drop(Lock::take(&path).unwrap());
        let nowhere = folder.path().join("none").join("lock");
        let error = Lock::take(&nowhere).unwrap_err().to_string();
        assert!(error.starts_with(&nowhere.display().to_string()), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_was_removed_or_replaced_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = Lock::take(&path).unwrap();
        held.check().unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(held.check().is_err());
        let next = Lock::take(&path).unwrap();
        let error = held.check().unwrap_err().to_string();
        assert!(error.starts_with(&path.display().to_string()), "{error}");
        next.check().unwrap();
    }
}
