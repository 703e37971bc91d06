//! Early stopping and the best weights, in Burn's `Learner`.
//!
//! The logic is that of [`EarlyStopping`]; here it is told the epoch's mean of a validation metric.
//! The metric and the stopping are registered by one call, so that neither can be forgotten.
//!
//! # Example
//!
//! See the [crate documentation](crate) for a whole program.
//!
//! # Where it stands
//!
//! Burn asks, after each epoch's validation, first what to checkpoint and then whether to stop. Both
//! questions are answered from one observation per epoch.
//!
//! # Cost
//!
//! [`stop_early`](SupervisedTrainingExt::stop_early): nothing. With the best weights kept, a copy of the
//! model in host memory, made at each improvement; Burn's checkpointing reads the optimizer's state
//! too.
//!
//! # Differences
//!
//! Burn's `MetricEarlyStoppingStrategy` goes on without a word when its metric was not registered, and
//! Burn's result is the last model.

use crate::StopHandle;
use crate::tricked::lock;
use burn::module::Module;
use burn::store::{ModuleRecord, RecordError};
use burn::train::checkpoint::{
    Checkpoint, Checkpointer, CheckpointerError, CheckpointingAction, CheckpointingStrategy,
};
use burn::train::metric::store::EventStoreClient;
use burn::train::metric::{Adaptor, Metric, Numeric};
use burn::train::{InferenceStep, LearnerModel, SupervisedTraining};
use burn_tricks_stop::{EarlyStopping, StopCriterion};
use std::fmt::Display;
use std::sync::{Arc, Mutex};

/// Methods for [`SupervisedTraining`].
pub trait SupervisedTrainingExt<M: LearnerModel>: Sized {
    /// Registers `metric` for the validation split, and stops the training when `stop` says so of
    /// the epoch's mean of it. The handle tells afterwards, or meanwhile, what was seen.
    ///
    /// `stop` is an `EarlyStopping` or another criterion, [`Any`](burn_tricks_stop::Any) of several
    /// say. Checkpointing is left as it is. On resuming from a checkpoint, give the saved state to
    /// `stop` with `StopCriterion::with_state`; a [`Session`](crate::Session) does it by itself.
    fn stop_early<Me, C>(self, metric: Me, stop: C) -> (Self, StopHandle<C>)
    where
        Me: Metric + Numeric + 'static,
        C: StopCriterion + Clone + Send + 'static,
        <M as InferenceStep>::Output: Adaptor<Me::Input>;

    /// As [`stop_early`](Self::stop_early), and keeps the weights of the best epoch, running
    /// statistics included, in memory.
    ///
    /// This takes the place of the training's checkpointers and of its checkpointing strategy: no
    /// file is written, and the run cannot be resumed. For both, write checkpoints and load that of
    /// the epoch that [`stop_early`](Self::stop_early)'s handle names.
    ///
    /// Call it after whatever else sets checkpointers or their strategy. Set later, they would take its
    /// place, and [`restore`](BestWeightsHandle::restore) is then an error.
    fn stop_early_with_best_weights<Me>(
        self,
        metric: Me,
        stop: EarlyStopping,
    ) -> (Self, BestWeightsHandle)
    where
        Me: Metric + Numeric + 'static,
        <M as InferenceStep>::Output: Adaptor<Me::Input>;
}

impl<M: LearnerModel> SupervisedTrainingExt<M> for SupervisedTraining<M> {
    fn stop_early<Me, C>(self, metric: Me, stop: C) -> (Self, StopHandle<C>)
    where
        Me: Metric + Numeric + 'static,
        C: StopCriterion + Clone + Send + 'static,
        <M as InferenceStep>::Output: Adaptor<Me::Input>,
    {
        let handle = StopHandle::new(&metric, stop);
        let training = self
            .metric_valid_numeric(metric)
            .early_stopping(handle.clone());
        (training, handle)
    }

    fn stop_early_with_best_weights<Me>(
        self,
        metric: Me,
        stop: EarlyStopping,
    ) -> (Self, BestWeightsHandle)
    where
        Me: Metric + Numeric + 'static,
        <M as InferenceStep>::Output: Adaptor<Me::Input>,
    {
        let (training, stop) = self.stop_early(metric, stop);
        let best = Arc::new(Mutex::new(None));
        let training = training
            .with_checkpointing_strategy(SaveTheBest(stop.clone()))
            .with_custom_checkpointers(InMemory(best.clone()), NotKept, NotKept);
        (training, BestWeightsHandle { stop, best })
    }
}

/// The metric to stop on had no value at the end of an epoch. Burn's `InMemoryMetricLogger` has none
/// in a resumed run, its default file logger has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingMetric {
    /// The metric.
    pub metric: String,
    /// The epoch, from 1.
    pub epoch: usize,
}

impl Display for MissingMetric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the metric `{}` has no value for the validation of epoch {}: does the metric logger know \
             the epochs before a resumed one?",
            self.metric, self.epoch
        )
    }
}

impl std::error::Error for MissingMetric {}

/// The best weights could not be given back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestoreError {
    /// There was a best check, and its weights were not kept: the checkpointers or their strategy were
    /// set again after
    /// [`stop_early_with_best_weights`](SupervisedTrainingExt::stop_early_with_best_weights).
    NotKept {
        /// The best check, from 1.
        check: usize,
    },
    /// The weights do not fit the model.
    Record(RecordError),
}

impl Display for RestoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotKept { check } => write!(
                f,
                "the weights of the best check, {check}, were not kept: were checkpointers or their \
                 strategy set after `stop_early_with_best_weights`?"
            ),
            Self::Record(error) => write!(f, "the best weights do not fit the model: {error}"),
        }
    }
}

impl std::error::Error for RestoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotKept { .. } => None,
            Self::Record(error) => Some(error),
        }
    }
}

/// Gives back the best weights of a training.
#[derive(Debug, Clone)]
pub struct BestWeightsHandle {
    stop: StopHandle,
    best: Arc<Mutex<Option<Kept>>>,
}

/// A model, and the epoch after which it was saved.
#[derive(Debug)]
struct Kept {
    epoch: usize,
    record: ModuleRecord,
}

impl BestWeightsHandle {
    /// What early stopping saw.
    pub fn stop(&self) -> &StopHandle {
        &self.stop
    }

    /// `model`, usually the training's result, with the best weights and running statistics in it, on
    /// its device. It predicts, whatever the mode of `model`, and `.train()` makes it train. Clones of
    /// `model` stay as they are. Without a best epoch, the weights are those of `model`.
    ///
    /// # Errors
    ///
    /// If `model` is of another architecture than the model that was trained, or if the best weights
    /// were not kept, because checkpointers or their strategy were set after
    /// [`stop_early_with_best_weights`](SupervisedTrainingExt::stop_early_with_best_weights).
    pub fn restore<M: Module>(&self, model: M) -> Result<M, RestoreError> {
        // Clones of a batch norm share their running statistics, and a record is loaded in place: the
        // model that `valid` gives has statistics of its own.
        let model = model.valid();
        let (best_epoch, best_check) = self.stop.best();
        let Some(check) = best_check else {
            return Ok(model);
        };
        let record = match &*lock(&self.best) {
            // Another strategy saves other epochs.
            Some(kept) if Some(kept.epoch) == best_epoch => kept.record.clone(),
            _ => return Err(RestoreError::NotKept { check }),
        };
        model.try_load_record(record).map_err(RestoreError::Record)
    }
}

/// Asks for a checkpoint of every epoch that improves.
struct SaveTheBest(StopHandle);

impl CheckpointingStrategy for SaveTheBest {
    fn checkpointing(
        &mut self,
        epoch: usize,
        store: &EventStoreClient,
    ) -> Vec<CheckpointingAction> {
        match self.0.observe(epoch, store) {
            Ok(verdict) if verdict.improved => vec![CheckpointingAction::Save],
            _ => Vec::new(),
        }
    }
}

/// Keeps the last model that it was given.
struct InMemory(Arc<Mutex<Option<Kept>>>);

impl Checkpointer<ModuleRecord> for InMemory {
    fn save(&self, epoch: usize, record: ModuleRecord) -> Result<(), CheckpointerError> {
        *lock(&self.0) = Some(Kept { epoch, record });
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
struct NotKept;

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
        "cannot resume from epoch {epoch}: `stop_early_with_best_weights` keeps weights in memory and \
         writes no checkpoint"
    ))
}
