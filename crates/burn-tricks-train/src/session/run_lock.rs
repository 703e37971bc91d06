//! One process at a time in the directory of a run.
//!
//! The operating system holds the lock, and gives it up when the process ends, in whatever way: what a killed
//! process leaves behind is a file with a number in it, and no lock.

use crate::session::session_error::SessionError;
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::path::Path;

/// Held while a session trains.
#[derive(Debug)]
pub(crate) struct RunLock {
    _file: File,
}

impl RunLock {
    /// Locks `path`, and writes this process's id there.
    ///
    /// # Errors
    ///
    /// If somebody holds the lock, or the file cannot be written.
    pub(crate) fn take(path: &Path) -> Result<Self, SessionError> {
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
                return Err(SessionError::InUse {
                    lock: path.to_owned(),
                    process: holder.trim().parse().ok(),
                });
            }
            // A file system without locks: as if there were one process.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => (),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_a_stale_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        std::fs::write(&path, "4294967295\n").unwrap(); // of a process that is gone
        let held = RunLock::take(&path).unwrap();
        let error = RunLock::take(&path).unwrap_err();
        let this = std::process::id();
        assert!(matches!(&error, SessionError::InUse { process: Some(id), .. } if *id == this));
        assert!(
            error.to_string().contains(&format!("process {this}")),
            "{error}"
        );
        drop(held);
        drop(RunLock::take(&path).unwrap());
    }
}
