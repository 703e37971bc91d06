//! Collects the parts of a checkpoint, and writes it.

use crate::checkpoint_error::CheckpointError;
use crate::checkpoint_folder::CheckpointFolder;
use crate::json::to_json;
use crate::part::{Entry, PartKind, Record};
use crate::part_error::PartError;
use burn::lr_scheduler::LrScheduler;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use serde::Serialize;

/// The checkpoint of a step, part by part. Made by [`Checkpoints::step`](crate::Checkpoints::step); written by
/// [`save`](Self::save).
///
/// Every part has a name of its own, by which it is loaded from [`Saved`](crate::Saved).
#[derive(Debug)]
#[must_use = "nothing is written until `save`"]
pub struct StepCheckpoint<'a> {
    pub(crate) folder: &'a mut CheckpointFolder,
    pub(crate) step: usize,
    pub(crate) entries: Vec<Entry>,
    pub(crate) parts: Vec<Vec<u8>>,
    /// The first error.
    pub(crate) failed: Option<CheckpointError>,
}

impl StepCheckpoint<'_> {
    /// Adds a model, with its weights and running statistics. Waits for the device.
    pub fn module<M: Module>(self, name: &str, module: &M) -> Self {
        // Burn keeps what the last batch did to running statistics apart until somebody asks.
        let _ = module.valid();
        self.record(name, module.clone().into_record())
    }

    /// Adds an optimizer, with its moments and counters. Waits for the device.
    pub fn optimizer(self, name: &str, optimizer: &ModuleOptimizer) -> Self {
        self.record(name, optimizer.to_record())
    }

    /// Adds a schedule, with its position.
    pub fn schedule(self, name: &str, schedule: &impl LrScheduler) -> Self {
        self.record(name, schedule.to_record())
    }

    /// Adds a schedule with groups of parameters, with the position of each group. Loaded by
    /// [`Saved::grouped_schedule`](crate::Saved::grouped_schedule).
    pub fn grouped_schedule(self, name: &str, schedule: &ModuleLrScheduler) -> Self {
        self.record(name, schedule.to_record())
    }

    /// Adds one of Burn's records, for example of an average of weights (`ema.to_record()`).
    pub fn record<R: Record>(self, name: &str, record: R) -> Self {
        let bytes = record.encode().map(|bytes| bytes.to_vec());
        self.part(name, R::KIND, bytes.map_err(PartError::from))
    }

    /// Adds a serialisable value: the state of a criterion (`stop.state()`), a number, a struct of your own. The
    /// value is written as JSON, to the last bit of every number. JSON has no NaN and no infinity: if the value holds
    /// one, [`save`](Self::save) returns [`CheckpointError::Unwritable`].
    pub fn state<T: Serialize + ?Sized>(self, name: &str, state: &T) -> Self {
        let bytes = to_json(state).map(String::into_bytes);
        self.part(name, PartKind::State, bytes)
    }

    /// Adds bytes, which are written as they are: the state of a transform of the gradients (`clip.state()`), for
    /// example. [`state`](Self::state) would write each byte as a decimal number.
    pub fn bytes(self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.part(name, PartKind::Bytes, Ok(bytes.into()))
    }

    fn part(mut self, name: &str, kind: PartKind, bytes: Result<Vec<u8>, PartError>) -> Self {
        let taken = self.entries.iter().any(|entry| entry.name == name);
        let name = name.to_owned();
        match bytes {
            _ if taken => {
                self.failed
                    .get_or_insert(CheckpointError::SameName { name });
            }
            Ok(part) => {
                let bytes = part.len() as u64;
                self.entries.push(Entry { name, kind, bytes });
                self.parts.push(part);
            }
            Err(error) => {
                let error = Box::new(error);
                let unwritable = CheckpointError::Unwritable { name, error };
                self.failed.get_or_insert(unwritable);
            }
        }
        self
    }

    /// Writes the file, and then deletes the checkpoints that are not to be kept. One that cannot be deleted is no error,
    /// since this one is saved; the next `save` tries again.
    ///
    /// # Errors
    ///
    /// If two parts have one name, a part cannot be written, the folder has a complete checkpoint of this step or a
    /// later one, another process saves there, or the disk fails. This checkpoint is not saved then, and the earlier ones
    /// are still there.
    pub fn save(self) -> Result<(), CheckpointError> {
        let Self {
            folder,
            step,
            entries,
            parts,
            failed,
        } = self;
        match failed {
            Some(error) => Err(error),
            None => folder.write(step, &entries, &parts),
        }
    }
}
