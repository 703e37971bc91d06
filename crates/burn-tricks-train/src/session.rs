//! A training that can be stopped, reduced, killed and gone on with.
//!
//! A [`Session`] is a `SupervisedTraining` of a [`Tricked`] model and what happens between its epochs.
//! Each thing is one line, and registers the metric it looks at.
//!
//! # Example
//!
//! See the [crate documentation](crate) for a whole program.
//!
//! # Where it stands
//!
//! Last: set everything else on the `SupervisedTraining` before. It takes the training's early-stopping
//! strategy, and, when [`resumable`](Session::resumable), its checkpointers and their strategy.
//!
//! # Resuming
//!
//! After each epoch a resumable session writes Burn's checkpoint (model, optimizer, schedule) and beside it
//! one file with the state of the tricks and of what watches the epochs, all of one moment.
//! [`launch`](Session::launch) goes on after the newest complete set in its directory, if there is one: the
//! program to resume a run is the program that started it. A run that had ended stays ended.
//!
//! | for the same weights as without an interruption | else |
//! | --- | --- |
//! | an [`EpochLoader`](crate::epoch_loader) for training | another order of samples, another dropout |
//! | Burn's file metric logger (the default) | epochs before the interruption are not in the metrics |
//! | `BURN_DEVICE`, or our optimizers, with several backends compiled in | Burn's optimizers reload on the default device |
//!
//! At most the epoch that was interrupted is trained again.
//!
//! # Cost
//!
//! Of a resumable session: the state is copied to the host after each epoch, and its file is written
//! before the next one. Burn writes its files meanwhile.

use crate::StopHandle;
use crate::epoch_end::EpochEnd;
use crate::plateau::Watching;
use crate::run_files::{RunFiles, RunState};
use crate::trick::load_part;
use crate::tricked::lock;
use crate::{EpochClock, MissingMetric, SessionError, SharedPlateau, Trick, Tricked};
use burn::lr_scheduler::LrScheduler;
use burn::module::Module;
use burn::store::ModuleRecord;
use burn::train::checkpoint::{
    Checkpointer, CheckpointerError, CheckpointingAction, CheckpointingStrategy, FileCheckpointer,
};
use burn::train::metric::store::EventStoreClient;
use burn::train::metric::{Adaptor, Metric, Numeric};
use burn::train::{
    InferenceStep, Interrupter, Learner, LearnerModel, LearningResult, SupervisedTraining,
};
use burn_tricks_stop::{StopCriterion, StopReason};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The state of the tricks, when it is asked for.
type TricksState = Box<dyn Fn() -> Option<Vec<u8>> + Send>;

/// `session` for a training of a tricked model.
pub trait SessionExt<M, H>: Sized
where
    Tricked<M, H>: LearnerModel,
{
    /// This training, and what happens between its epochs.
    fn session(self) -> Session<M, H>;
}

impl<M, H> SessionExt<M, H> for SupervisedTraining<Tricked<M, H>>
where
    Tricked<M, H>: LearnerModel,
{
    fn session(self) -> Session<M, H> {
        let end = EpochEnd::new(self.interrupter());
        Session {
            interrupter: self.interrupter(),
            training: self,
            end,
            files: None,
        }
    }
}

/// A training, and what happens between its epochs. See the [module documentation](self).
#[allow(missing_debug_implementations)] // Burn's training has none
pub struct Session<M, H>
where
    Tricked<M, H>: LearnerModel,
{
    training: SupervisedTraining<Tricked<M, H>>,
    interrupter: Interrupter,
    end: EpochEnd,
    files: Option<(RunFiles, usize)>,
}

impl<M, H> Session<M, H>
where
    M: Module,
    H: Trick<M> + 'static,
    Tricked<M, H>: LearnerModel,
{
    /// Registers `metric` for the validation split, and stops the training when `stop` says so of the
    /// epoch's mean of it. The handle tells afterwards, or meanwhile, what was seen.
    pub fn stop_early<Me, C>(mut self, metric: Me, stop: C) -> (Self, StopHandle<C>)
    where
        Me: Metric + Numeric + 'static,
        C: StopCriterion + Clone + Send + 'static,
        <Tricked<M, H> as InferenceStep>::Output: Adaptor<Me::Input>,
    {
        let handle = StopHandle::new(&metric, stop);
        self.end.add(handle.clone());
        self.training = self.training.metric_valid_numeric(metric);
        (self, handle)
    }

    /// Registers `metric` for the validation split, and tells the plateau the epoch's mean of it. The
    /// `Learner` is to be given a clone of `plateau` as its schedule.
    pub fn reduce_on_plateau<Me, S>(mut self, metric: Me, plateau: &SharedPlateau<S>) -> Self
    where
        Me: Metric + Numeric + 'static,
        S: LrScheduler + Clone + 'static,
        <Tricked<M, H> as InferenceStep>::Output: Adaptor<Me::Input>,
    {
        self.end.add(Watching {
            metric: metric.name(),
            plateau: plateau.clone(),
        });
        self.training = self.training.metric_valid_numeric(metric);
        self
    }

    /// Moves `clock` on after each epoch.
    pub fn with_clock(self, clock: &EpochClock) -> Self {
        self.end.set_clock(clock.clone());
        self
    }

    /// Writes checkpoints to `directory/checkpoint` after each epoch, and goes on from them. The last
    /// `keep` are kept, and that of the best epoch.
    ///
    /// # Errors
    ///
    /// If `keep` is less than 2, with which there might be no complete checkpoint at times, or if the
    /// directory cannot be made.
    pub fn resumable(
        mut self,
        directory: impl AsRef<Path>,
        keep: usize,
    ) -> Result<Self, SessionError> {
        if keep < 2 {
            return Err(SessionError::Keep { got: keep });
        }
        self.files = Some((RunFiles::new(directory.as_ref())?, keep));
        Ok(self)
    }

    /// Trains, from the newest complete checkpoint if the session is resumable and there is one.
    ///
    /// # Errors
    ///
    /// If the checkpoints cannot be read, or their state is not one of this session and these tricks.
    pub fn launch(self, learner: Learner<Tricked<M, H>>) -> Result<Finished<M, H>, SessionError> {
        let Self {
            mut training,
            interrupter,
            end,
            files,
        } = self;
        let mut resumed_after = None;
        let mut incomplete = Vec::new();
        if let Some((files, keep)) = files.clone() {
            let found = files.find()?;
            incomplete = found.incomplete;
            let tricks = learner.model().shared_tricks();
            if let Some(RunState {
                epoch,
                tricks: state,
                hooks,
            }) = found.newest
            {
                let unfit = |error| SessionError::State { epoch, error };
                load_tricks::<M, H>(&tricks, state).map_err(unfit)?;
                end.load_states(hooks).map_err(unfit)?;
                resumed_after = Some(epoch);
                training = training.checkpoint(epoch);
            }
            let strategy = EveryEpoch {
                end: end.clone(),
                tricks: Box::new(move || lock(&tricks).state()),
                interrupter,
                keep,
                saved: found.complete,
                files: files.clone(),
            };
            let file = |name| FileCheckpointer::new(files.folder(), name);
            let model = ModelAndState {
                model: file("model"),
                files: files.clone(),
            };
            training = training
                .with_custom_checkpointers(model, file("optim"), file("scheduler"))
                .with_checkpointing_strategy(strategy);
        }
        end.resume_after(resumed_after.unwrap_or(0));
        if let (Some(epoch), Some(_)) = (resumed_after, end.stopped()) {
            training = training.num_epochs(epoch); // it had ended
        }
        let learning = training.early_stopping(end.clone()).launch(learner);
        Ok(Finished {
            learning,
            stopped: end.stopped(),
            last_epoch: end.last_epoch(),
            best_epoch: end.best_epoch(),
            missing_metric: end.missing(),
            resumed_after,
            incomplete,
            files: files.map(|(files, _)| files),
        })
    }
}

fn load_tricks<M: Module, H: Trick<M>>(
    tricks: &Arc<Mutex<H>>,
    state: Option<Vec<u8>>,
) -> Result<(), crate::StateError> {
    load_part(&mut *lock(tricks), state)
}

/// A training that is over.
#[allow(missing_debug_implementations)] // Burn's result has none
#[non_exhaustive]
pub struct Finished<M, H> {
    /// Burn's result. Its model is the last one, tricks around it, to predict with.
    pub learning: LearningResult<Tricked<M, H>>,
    /// Why it was stopped; none if it ran to its last epoch or was interrupted.
    pub stopped: Option<StopReason>,
    /// The last epoch that ended.
    pub last_epoch: Option<usize>,
    /// The best epoch, if a criterion watched a metric.
    pub best_epoch: Option<usize>,
    /// The metric that had no value, which ended the training.
    pub missing_metric: Option<MissingMetric>,
    /// The epoch after which it went on; none if it began.
    pub resumed_after: Option<usize>,
    /// Checkpoints that were passed over because they are not complete, and what is wrong with them.
    pub incomplete: Vec<(usize, String)>,
    files: Option<RunFiles>,
}

impl<M: Module, H: Trick<M>> Finished<M, H> {
    /// The last model as it was validated: the average, if there is one. To predict with.
    pub fn into_model(self) -> M {
        self.learning.model.into_validated()
    }

    /// The best epoch's model as it was validated, from its checkpoint; without a best epoch the last.
    /// To predict with. The tricks are then in the state of that epoch.
    ///
    /// # Errors
    ///
    /// If the session was not resumable, so that there is no checkpoint, or it cannot be read.
    pub fn into_best_model(self) -> Result<M, SessionError> {
        let Some(epoch) = self.best_epoch else {
            return Ok(self.into_model());
        };
        let files = self.files.ok_or(SessionError::NotResumable)?;
        let unread = |reason: String| SessionError::Unread { epoch, reason };
        let state = files.read(epoch).map_err(unread)?;
        let record =
            ModuleRecord::load(files.model(epoch)).map_err(|error| SessionError::Unread {
                epoch,
                reason: error.to_string(),
            })?;
        let model = self.learning.model.valid().try_load_record(record);
        let model = model.map_err(|error| SessionError::Unread {
            epoch,
            reason: error.to_string(),
        })?;
        load_tricks::<M, H>(&model.shared_tricks(), state.tricks)
            .map_err(|error| SessionError::State { epoch, error })?;
        Ok(model.into_validated())
    }
}

/// Saves after every epoch, and deletes what is not to be kept.
struct EveryEpoch {
    end: EpochEnd,
    tricks: TricksState,
    interrupter: Interrupter,
    files: RunFiles,
    keep: usize,
    /// The epochs whose files there are, oldest first.
    saved: Vec<usize>,
}

impl EveryEpoch {
    /// The epochs to delete: not of the last ones, and not the best.
    fn outdated(&mut self) -> Vec<usize> {
        let best = self.end.best_epoch();
        let old = self.saved.len().saturating_sub(self.keep);
        let outdated: Vec<usize> = (self.saved[..old].iter().copied())
            .filter(|epoch| Some(*epoch) != best)
            .collect();
        self.saved.retain(|epoch| !outdated.contains(epoch));
        outdated
    }
}

impl CheckpointingStrategy for EveryEpoch {
    fn checkpointing(
        &mut self,
        epoch: usize,
        store: &EventStoreClient,
    ) -> Vec<CheckpointingAction> {
        // Before the model is saved: what stops the run is part of its state.
        self.end.end_of_epoch(epoch, store);
        let written = self.files.write(&RunState {
            epoch,
            tricks: (self.tricks)(),
            hooks: self.end.states(),
        });
        if let Err(error) = written {
            self.interrupter.fail(CheckpointerError::IOError(error));
            return Vec::new();
        }
        self.saved.retain(|saved| *saved != epoch);
        self.saved.push(epoch);
        // First save: Burn takes the next action when it has written the files of the epoch before.
        let mut actions = vec![CheckpointingAction::Save];
        let outdated = self.outdated();
        actions.extend(outdated.into_iter().map(CheckpointingAction::Delete));
        actions
    }
}

/// The files of the model, with which the state of an outdated epoch is deleted. Not before: until Burn has
/// written its files of the epoch before, this may be the only complete set.
struct ModelAndState {
    model: FileCheckpointer,
    files: RunFiles,
}

impl Checkpointer<ModuleRecord> for ModelAndState {
    fn save(&self, epoch: usize, record: ModuleRecord) -> Result<(), CheckpointerError> {
        self.model.save(epoch, record)
    }

    fn delete(&self, epoch: usize) -> Result<(), CheckpointerError> {
        let state = self.files.delete_state(epoch);
        state.map_err(CheckpointerError::IOError)?;
        Checkpointer::<ModuleRecord>::delete(&self.model, epoch)
    }

    fn restore(&self, epoch: usize) -> Result<ModuleRecord, CheckpointerError> {
        self.model.restore(epoch)
    }
}
