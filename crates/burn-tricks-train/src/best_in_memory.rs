//! The model of the best epoch, kept in memory, of a training that writes no checkpoints.

use crate::run_files::RunState;
use crate::session::EndOfEpoch;
use crate::tricked::lock;
use burn::store::ModuleRecord;
use burn::train::checkpoint::{
    Checkpoint, Checkpointer, CheckpointerError, CheckpointingAction, CheckpointingStrategy,
};
use burn::train::metric::store::EventStoreClient;
use std::sync::{Arc, Mutex};

/// A record of the best model, and the state of the run at its epoch. Burn makes the record, on a thread
/// of its own, after it was asked to.
#[derive(Debug, Clone, Default)]
pub(crate) struct BestInMemory(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    record: Option<(usize, ModuleRecord)>,
    state: Option<RunState>,
}

impl BestInMemory {
    /// What was kept of `epoch`, the best.
    pub(crate) fn of(&self, epoch: usize) -> Option<(ModuleRecord, RunState)> {
        let kept = lock(&self.0);
        let (at, record) = kept.record.as_ref()?;
        let state = kept.state.as_ref()?;
        (*at == epoch && state.epoch == epoch).then(|| (record.clone(), state.clone()))
    }
}

impl Checkpointer<ModuleRecord> for BestInMemory {
    fn save(&self, epoch: usize, record: ModuleRecord) -> Result<(), CheckpointerError> {
        lock(&self.0).record = Some((epoch, record));
        Ok(())
    }

    fn delete(&self, _epoch: usize) -> Result<(), CheckpointerError> {
        Ok(())
    }

    fn restore(&self, epoch: usize) -> Result<ModuleRecord, CheckpointerError> {
        Err(cannot_resume(epoch))
    }
}

/// For the optimizer and the schedule, of which nothing is kept.
pub(crate) struct NotKept;

impl<R: Checkpoint> Checkpointer<R> for NotKept {
    fn save(&self, _epoch: usize, _record: R) -> Result<(), CheckpointerError> {
        Ok(())
    }

    fn delete(&self, _epoch: usize) -> Result<(), CheckpointerError> {
        Ok(())
    }

    fn restore(&self, epoch: usize) -> Result<R, CheckpointerError> {
        Err(cannot_resume(epoch))
    }
}

fn cannot_resume(epoch: usize) -> CheckpointerError {
    CheckpointerError::Unknown(format!(
        "cannot resume from epoch {epoch}: `keep_best` keeps models in memory and writes no checkpoint"
    ))
}

/// Asks for the model of every epoch that is the best so far.
pub(crate) struct SaveTheBest {
    pub(crate) end: EndOfEpoch,
    pub(crate) best: BestInMemory,
}

impl CheckpointingStrategy for SaveTheBest {
    fn checkpointing(
        &mut self,
        epoch: usize,
        store: &EventStoreClient,
    ) -> Vec<CheckpointingAction> {
        let state = self.end.state(epoch, store);
        if self.end.best_epoch() != Some(epoch) {
            return Vec::new();
        }
        lock(&self.best.0).state = Some(state);
        vec![CheckpointingAction::Save]
    }
}
