//! One of Burn's files of a set of checkpoint files, as the checkpointer through which Burn writes, loads and deletes
//! it.

use crate::session::epoch_end::EndObserver;
use crate::session::run_files::RunFiles;
use crate::session::session_error::SessionError;
use burn::train::checkpoint::{Checkpoint, Checkpointer, CheckpointerError};
use burn_tricks_checkpoint::file;

/// Writes and deletes one of Burn's files of a set.
pub(crate) struct RecordFile {
    files: RunFiles,
    name: &'static str,
    _observer: Option<EndObserver>,
}

impl RecordFile {
    pub(crate) fn new(files: RunFiles, name: &'static str) -> Self {
        Self {
            files,
            name,
            _observer: None,
        }
    }

    /// With one who notes what became of the last file, which is written while the training ends.
    pub(crate) fn with_observer(mut self, observer: &EndObserver) -> Self {
        self._observer = Some(observer.clone());
        self
    }
}

impl<R: Checkpoint> Checkpointer<R> for RecordFile {
    fn save(&self, epoch: usize, record: R) -> Result<(), CheckpointerError> {
        let bytes = record
            .checkpoint_into_bytes()
            .map_err(CheckpointerError::Record)?;
        let sum = crc32fast::hash(&bytes).to_le_bytes();
        let record = self.files.record(self.name, epoch);
        let checksum = self.files.checksum(self.name, epoch);
        self.files
            .put(&record, &[&bytes])
            .and_then(|()| self.files.put(&checksum, &[&sum]))
            .map_err(CheckpointerError::IOError)
    }

    /// With the model goes the state. Not before: until Burn has written its files of the epoch before,
    /// this may be the only complete set, and it is if one of them could not be written.
    fn delete(&self, epoch: usize) -> Result<(), CheckpointerError> {
        if self.files.has_failed() {
            return Ok(());
        }
        let mut files = vec![
            self.files.record(self.name, epoch),
            self.files.checksum(self.name, epoch),
        ];
        if self.name == "model" {
            files.push(self.files.state_file(epoch));
        }
        files
            .iter()
            .try_for_each(|path| file::remove(path))
            .map_err(CheckpointerError::IOError)
    }

    fn restore(&self, epoch: usize) -> Result<R, CheckpointerError> {
        self.files
            .load(self.name, epoch)
            .map_err(|error| match error {
                SessionError::Io(error) => CheckpointerError::IOError(error),
                error => CheckpointerError::Unknown(error.to_string()),
            })
    }
}
