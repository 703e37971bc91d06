//! The checkpoints of a run.

use crate::checkpoint_error::CheckpointError;
use crate::checkpoint_folder::CheckpointFolder;
use crate::saved::Saved;
use crate::step_checkpoint::StepCheckpoint;
use std::path::Path;

/// The checkpoints of a run, one file for each step that was saved. See the [crate documentation](crate).
#[derive(Debug)]
pub struct Checkpoints(CheckpointFolder);

impl Checkpoints {
    /// Opens the checkpoints in `folder`, which is created if it does not exist. The newest `keep` complete
    /// checkpoints are kept; to find those that are damaged, the first save of a process reads the ones that it keeps.
    /// With `keep` = 1, a run cannot be resumed if its only file is damaged, for example by the disk.
    ///
    /// # Errors
    ///
    /// If `keep` is 0, or if the folder cannot be made.
    pub fn open(folder: impl AsRef<Path>, keep: usize) -> Result<Self, CheckpointError> {
        CheckpointFolder::open(folder.as_ref(), keep).map(Self)
    }

    /// The newest complete checkpoint, if there is one. Damaged ones are passed over
    /// ([`Saved::damaged`]) and stay where they are until their step or a later one is saved.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or is of another version, or if there are checkpoints and all of them are damaged,
    /// since a run that began anew would overwrite them.
    pub fn newest(&self) -> Result<Option<Saved>, CheckpointError> {
        self.0.newest()
    }

    /// Begins the checkpoint of `step`: add its parts, then [save](StepCheckpoint::save) it. Steps are epochs or optimizer
    /// steps, as you like, and must increase.
    pub fn step(&mut self, step: usize) -> StepCheckpoint<'_> {
        StepCheckpoint {
            folder: &mut self.0,
            step,
            entries: Vec::new(),
            parts: Vec::new(),
            failed: None,
        }
    }
}
