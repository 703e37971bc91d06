//! One writer at a time in a folder.
//!
//! The operating system holds the lock, and gives it up when the process ends, in whatever way: what a killed
//! process leaves behind is a file with a number in it, and no lock.

use crate::{CheckpointError, file};
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::path::Path;

/// Held by whoever saves in a folder.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Locks `folder`, and writes down this process's id.
    ///
    /// # Errors
    ///
    /// If somebody holds the lock, or its file cannot be written.
    pub(crate) fn take(folder: &Path) -> Result<Self, CheckpointError> {
        let path = folder.join("lock");
        let named = |error| file::named(&path, &error);
        let mut options = File::options();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false) // it may be another one's
            .open(&path)
            .map_err(named)?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Where a lock forbids others to read, too, nobody knows who it is.
                file.read_to_string(&mut holder).unwrap_or_default();
                return Err(CheckpointError::InUse {
                    folder: folder.to_owned(),
                    process: holder.trim().parse().ok(),
                });
            }
            // A file system without locks: as if there were one process.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => (),
            Err(TryLockError::Error(error)) => return Err(named(error).into()),
        }
        let written = file.set_len(0).and_then(|()| file.rewind());
        let written = written.and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(named)?;
        Ok(Self { _file: file })
    }
}
