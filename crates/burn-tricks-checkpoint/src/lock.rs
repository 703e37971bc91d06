//! One process at a time in a folder.
//!
//! The operating system holds the lock, and gives it up when the process ends, in whatever way: what a killed
//! process leaves behind is a file with a number in it, and no lock.
//!
//! ```
//! use burn_tricks_checkpoint::lock::Lock;
//!
//! # fn main() -> std::io::Result<()> {
//! # let folder = tempfile::tempdir()?;
//! let path = folder.path().join("lock");
//! let lock = Lock::take(&path)?.expect("nobody has it");
//! let holder = Lock::take(&path)?.unwrap_err();
//! assert_eq!(holder.process, Some(std::process::id()));
//! drop(lock);
//! assert!(Lock::take(&path)?.is_ok());
//! # Ok(())
//! # }
//! ```

use crate::file;
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read as _, Result, Seek as _, Write as _};
use std::path::Path;

/// A locked file. It is unlocked when this is dropped, and stays where it is.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Who has locked a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// The process's id, if it can be read.
    pub process: Option<u32>,
}

impl Lock {
    /// Locks the file at `path`, which is made if it is not there, and writes this process's id into it; or says
    /// who has locked it: another process, or this one. On a file system without locks, nobody is kept out.
    ///
    /// # Errors
    ///
    /// If the file cannot be made, locked or written.
    pub fn take(path: &Path) -> Result<std::result::Result<Self, Holder>> {
        Self::try_take(path).map_err(|error| file::named(path, &error))
    }

    fn try_take(path: &Path) -> Result<std::result::Result<Self, Holder>> {
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
                return Ok(Err(Holder { process }));
            }
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => (),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Ok(Self { _file: file }))
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
        let held = Lock::take(&path).unwrap().unwrap();
        let process = Some(std::process::id());
        assert_eq!(Lock::take(&path).unwrap().unwrap_err(), Holder { process });
        drop(held);
        drop(Lock::take(&path).unwrap().unwrap());
        let nowhere = folder.path().join("none").join("lock");
        let error = Lock::take(&nowhere).unwrap_err().to_string();
        assert!(error.starts_with(&nowhere.display().to_string()), "{error}");
    }
}
