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
//! strategy, and, when [`resumable`](Session::resumable) or told to [`keep_best`](Session::keep_best), its
//! checkpointers and their strategy. [`launch`](Session::launch) closes Burn's dashboard when the training is
//! over, so that what is printed then is seen; [`keep_renderer`](Session::keep_renderer) leaves it open.
//!
//! # Resuming
//!
//! After each epoch a resumable session writes Burn's checkpoint (model, optimizer, schedule) and beside it
//! one file with the state of the tricks and of what watches the epochs, all of one moment.
//! [`launch`](Session::launch) goes on after the newest complete set in its directory, if there is one: the
//! program to resume a run is the program that started it. A run that had stopped stays stopped: train on
//! from its best model, in another directory. One that ran to its last epoch goes on if it is given more.
//!
//! A set is complete when its four files have the checksums they were written with. Sets that are not are
//! reported, and what is left of those after the one that is gone on with is deleted; if no set is complete and
//! more than the first epoch would be lost, nothing is touched and `launch` is an error. One process at a time
//! may use a directory, and Burn's `checkpoint(epoch)` is the session's to call.
//!
//! | for the same weights as without an interruption | else |
//! | --- | --- |
//! | an [`EpochLoader`](crate::epoch_loader) for training, and its clock [`with_clock`](Session::with_clock) | another order of samples, another dropout |
//! | Burn's file metric logger (the default) | the in-memory one has no value after it, and the run ends with [`MissingMetric`](crate::MissingMetric) |
//! | `BURN_DEVICE`, or our optimizers, with several backends compiled in | Burn's optimizers reload on the default device |
//!
//! The epoch that was interrupted is trained again, and the one before it if its files were still being written.
//! Nothing tells a changed program from the one that
//! started the run, unless a state does not fit: another batch size, seed or rate is gone on with.
//!
//! # Cost
//!
//! Of a resumable session: the state is copied to the host after each epoch, and its file is written
//! before the next one. The other files are written meanwhile, each from a copy in memory. Resuming reads
//! every set. Of one that keeps the best model: a copy of model and optimizer state in host memory at each
//! improvement, of which the model's stays.

use crate::best_in_memory::{BestInMemory, NotKept, SaveTheBest};
use crate::epoch_end::{EpochEnd, Witness};
use crate::finished::{Best, Ended, Finished};
use crate::plateau::Watching;
use crate::retention::Retention;
use crate::run_files::{RunFiles, RunState};
use crate::trick::load_part;
use crate::tricked::lock;
use crate::{EpochClock, SessionError, SharedPlateau, StopHandle, Trick, Tricked};
use burn::lr_scheduler::LrScheduler;
use burn::module::Module;
use burn::train::checkpoint::{CheckpointerError, CheckpointingAction, CheckpointingStrategy};
use burn::train::metric::store::EventStoreClient;
use burn::train::metric::{Adaptor, Metric, MetricName, Numeric};
use burn::train::{InferenceStep, Interrupter, Learner, LearnerModel, SupervisedTraining};
use burn_tricks_stop::StopCriterion;
use std::path::Path;

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
            metrics: Vec::new(),
            keep: Keep::Nothing,
            keep_renderer: false,
        }
    }
}

/// What is kept of the epochs.
enum Keep {
    Nothing,
    Best,
    Files(RunFiles, usize),
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
    /// The metrics that it registered.
    metrics: Vec<MetricName>,
    keep: Keep,
    keep_renderer: bool,
}

impl<M, H> Session<M, H>
where
    M: Module,
    H: Trick<M> + 'static,
    Tricked<M, H>: LearnerModel,
{
    /// Registers `metric` for the validation split, and stops the training when `stop` says so of the
    /// epoch's mean of it. The handle tells afterwards, or meanwhile, what was seen.
    pub fn stop_early<Me, C>(self, metric: Me, stop: C) -> (Self, StopHandle<C>)
    where
        Me: Metric + Numeric + 'static,
        C: StopCriterion + Clone + Send + 'static,
        <Tricked<M, H> as InferenceStep>::Output: Adaptor<Me::Input>,
    {
        let handle = StopHandle::new(&metric, stop);
        self.end.add(handle.clone());
        (self.registered(metric), handle)
    }

    /// Registers `metric` for the validation split, and tells the plateau the epoch's mean of it. The
    /// `Learner` is to be given a clone of `plateau` as its schedule.
    pub fn reduce_on_plateau<Me, S>(self, metric: Me, plateau: &SharedPlateau<S>) -> Self
    where
        Me: Metric + Numeric + 'static,
        S: LrScheduler + Clone + 'static,
        <Tricked<M, H> as InferenceStep>::Output: Adaptor<Me::Input>,
    {
        self.end.add(Watching {
            metric: metric.name(),
            plateau: plateau.clone(),
        });
        self.registered(metric)
    }

    /// Registers a metric for validation, once: Burn would log one of two of a name twice.
    fn registered<Me>(mut self, metric: Me) -> Self
    where
        Me: Metric + Numeric + 'static,
        <Tricked<M, H> as InferenceStep>::Output: Adaptor<Me::Input>,
    {
        if !self.metrics.contains(&metric.name()) {
            self.metrics.push(metric.name());
            self.training = self.training.metric_valid_numeric(metric);
        }
        self
    }

    /// Moves `clock` on after each epoch.
    pub fn with_clock(self, clock: &EpochClock) -> Self {
        self.end.set_clock(clock.clone());
        self
    }

    /// Keeps the model of the best epoch in host memory, for [`Finished::best_model`]. Which is the best, a
    /// criterion of [`stop_early`](Self::stop_early) says that looks at a metric. A resumable session has it
    /// in its files anyway.
    pub fn keep_best(mut self) -> Self {
        if let Keep::Nothing = self.keep {
            self.keep = Keep::Best;
        }
        self
    }

    /// Leaves Burn's renderer to [`Finished::renderer`], for an evaluation say. Else [`launch`](Self::launch)
    /// closes it. While the dashboard is open, it hides what is printed.
    pub fn keep_renderer(mut self) -> Self {
        self.keep_renderer = true;
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
        self.keep = Keep::Files(RunFiles::new(directory.as_ref())?, keep);
        Ok(self)
    }

    /// Trains, from the newest complete checkpoint if the session is resumable and there is one.
    ///
    /// # Errors
    ///
    /// If the checkpoints cannot be read, their state is not one of this session, these tricks and this model
    /// or is of another version, or none is complete and there are several. The run has not begun then. An
    /// error that ends the run, of a data loader or of writing a checkpoint say, is in [`Finished::ended`].
    pub fn launch(self, learner: Learner<Tricked<M, H>>) -> Result<Finished<M, H>, SessionError> {
        let Self {
            mut training,
            interrupter,
            end,
            keep,
            keep_renderer,
            metrics: _,
        } = self;
        let tricks = learner.model().shared_tricks();
        let witness = Witness(end.clone());
        let mut resumed_after = None;
        let mut incomplete = Vec::new();
        let at_the_end = EndOfEpoch {
            end: end.clone(),
            tricks: Box::new({
                let tricks = tricks.clone();
                move || lock(&tricks).state()
            }),
        };
        let best = match keep {
            Keep::Nothing => Best::NotKept,
            Keep::Best => {
                let best = BestInMemory::default();
                training = training
                    .with_custom_checkpointers(best.clone(), NotKept, NotKept)
                    .with_checkpointing_strategy(SaveTheBest {
                        end: at_the_end,
                        best: best.clone(),
                    });
                Best::InMemory(best)
            }
            Keep::Files(files, keep) => {
                let found = files.find()?;
                if let Some(state) = &found.newest {
                    let epoch = state.epoch;
                    let unfit = |error| SessionError::State { epoch, error };
                    // Burn would panic where it loads a model that does not fit.
                    let unread = |reason| SessionError::Unread { epoch, reason };
                    let record = files.model(epoch)?.map_err(unread)?;
                    let fits = learner.model().valid().try_load_record(record);
                    fits.map_err(|error| unfit(error.into()))?;
                    load_part(&mut *lock(&tricks), state.tricks.clone()).map_err(unfit)?;
                    end.load_states(state.hooks.clone()).map_err(unfit)?;
                    resumed_after = Some(epoch);
                    learner.model().resume_with_next_record();
                    training = training.checkpoint(epoch);
                }
                files.clean(&found)?;
                incomplete = found.incomplete;
                training = training
                    .with_custom_checkpointers(
                        files.checkpointer("model").with_witness(&witness),
                        files.checkpointer("optim").with_witness(&witness),
                        files.checkpointer("scheduler").with_witness(&witness),
                    )
                    .with_checkpointing_strategy(EveryEpoch {
                        end: at_the_end,
                        interrupter,
                        files: files.clone(),
                        sets: Retention::new(keep, found.complete, end.best_epoch()),
                    });
                Best::InFiles(files)
            }
        };
        end.start_after(resumed_after.unwrap_or(0));
        if let (Some(epoch), Some(_)) = (resumed_after, end.stopped()) {
            training = training.num_epochs(epoch); // it had stopped
        }
        let learning = training.early_stopping(witness).launch(learner);
        Ok(Finished {
            ended: Ended::of(&end),
            model: learning.model,
            renderer: keep_renderer.then_some(learning.renderer),
            last_epoch: end.last_epoch(),
            best_epoch: end.best_epoch(),
            watched: end.watched(),
            resumed_after,
            incomplete,
            best,
        })
    }
}

/// The end of an epoch, and the state of the run there.
pub(crate) struct EndOfEpoch {
    end: EpochEnd,
    tricks: Box<dyn Fn() -> Option<Vec<u8>> + Send>,
}

impl EndOfEpoch {
    /// What there is to save besides Burn's records. What stops the run is part of it.
    pub(crate) fn state(&self, epoch: usize, store: &EventStoreClient) -> RunState {
        self.end.end_of_epoch(epoch, store);
        RunState {
            epoch,
            tricks: (self.tricks)(),
            hooks: self.end.states(),
        }
    }

    pub(crate) fn best_epoch(&self) -> Option<usize> {
        self.end.best_epoch()
    }
}

/// Saves after every epoch, and deletes what is not to be kept.
struct EveryEpoch {
    end: EndOfEpoch,
    interrupter: Interrupter,
    files: RunFiles,
    sets: Retention,
}

impl CheckpointingStrategy for EveryEpoch {
    fn checkpointing(
        &mut self,
        epoch: usize,
        store: &EventStoreClient,
    ) -> Vec<CheckpointingAction> {
        // Before the model is saved.
        let state = self.end.state(epoch, store);
        if let Err(error) = self.files.write(&state) {
            self.interrupter.fail(CheckpointerError::IOError(error));
            return Vec::new();
        }
        // First save: Burn takes the next action when it has written the files of the epoch before.
        let mut actions = vec![CheckpointingAction::Save];
        let outdated = self.sets.outdated_by(epoch, self.end.best_epoch());
        actions.extend(outdated.into_iter().map(CheckpointingAction::Delete));
        actions
    }
}
