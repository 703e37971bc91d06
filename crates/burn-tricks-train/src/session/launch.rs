//! Launches a session, from its newest complete checkpoint if there is one.

use crate::lock::lock;
use crate::session::builder::Session;
use crate::session::checkpoint_fault::CheckpointFault;
use crate::session::checkpoint_retention::Retention;
use crate::session::epoch_end::{EndObserver, EpochEnd};
use crate::session::launch_error::LaunchError;
use crate::session::learner_view::{rates, unshared};
use crate::session::record_file::RecordFile;
use crate::session::records_on_trial::check_records;
use crate::session::registered_metric::{logged_twice, remove_logs};
use crate::session::run_description::{Setup, TRICK};
use crate::session::run_files::{RunFiles, RunState};
use crate::session::session_error::SessionError;
use crate::session::session_result::{Best, Outcome, SessionResult};
use crate::session::validated::{BestInMemory, OtherRecord, Validated};
use crate::trick::Trick;
use crate::trick::shared::taken_steps;
use crate::trick::tricked::Tricked;
use burn::module::Module;
use burn::train::checkpoint::{CheckpointerError, CheckpointingAction, CheckpointingStrategy};
use burn::train::metric::store::EventStoreClient;
use burn::train::{Interrupter, Learner, LearnerModel};
use burn_tricks_checkpoint::Change;
use burn_tricks_checkpoint::{Lock, LockError};
use std::path::Path;
use std::sync::{Arc, Mutex};

impl<M, H> Session<M, H>
where
    M: Module,
    H: Trick<M> + 'static,
    Tricked<M, H>: LearnerModel,
{
    /// Trains. If the session is resumable and there is a complete checkpoint, the run resumes from the newest one,
    /// and says so on the standard error.
    ///
    /// # Errors
    ///
    /// If the run failed: a data loader or the writing of a checkpoint failed, or the metric of a criterion or plateau had
    /// no value.
    /// [`LaunchError::partial`] holds what was trained until then.
    ///
    /// A run does not begin
    ///
    /// - if a trick or [`keep_best_checkpoints`](Self::keep_best_checkpoints) needs to know the best epoch and no
    ///   criterion determines it;
    /// - if a trick that sees the gradients comes before a `LossScaler`;
    /// - if two metrics of different types have one name, or a name cannot be that of a file;
    /// - if the training set has no samples;
    /// - if the learner's schedule does not contain a plateau that was passed to the session;
    /// - if a resumable session has no clock;
    /// - if another process trains in the same directory;
    /// - if a checkpoint cannot be read, or is of another version or another configuration;
    /// - if there are several checkpoints and none is complete, unless the run was killed before the first one was;
    /// - if a checkpoint newer than the newest complete one was not written by a session.
    pub fn launch(
        mut self,
        learner: Learner<Tricked<M, H>>,
    ) -> Result<SessionResult<M, H>, LaunchError<M, H>> {
        let metrics = learner.model().tricks().metrics();
        self = self.trick_metrics(metrics);
        if let Some(clash) = self.clash.take() {
            return Err(clash.into());
        }
        if self.samples == Some(0) {
            return Err(SessionError::NoSamples.into());
        }
        let order = learner.model().shared_tricks().check_order();
        order.map_err(SessionError::from)?;
        self.check_best(learner.model().tricks().obeys_criterion())?;
        if let Some(metric) = unshared(&self.end, &learner) {
            let metric = metric.to_string();
            return Err(SessionError::PlateauNotScheduled { metric }.into());
        }
        // Until the training is over.
        let held = Arc::new(lock_directory(&self.directory)?);
        let plan = match &self.files {
            Some((files, keep)) => Some(self.plan(files.locked_by(&held), *keep, &learner)?),
            None => None,
        };
        let Self {
            mut training,
            directory,
            end,
            metrics,
            keep_best,
            best_checkpoints,
            keep_renderer,
            ..
        } = self;
        let probe = learner.model().probe();
        probe.note(true);
        let observer = EndObserver(end.clone());
        let (mut resumed_after, mut incomplete, mut accepted) = (None, Vec::new(), Vec::new());
        let twice: Arc<Mutex<Vec<String>>> = Arc::default();
        let (best, validated) = match plan {
            None if keep_best && end.best_metric().is_some() => {
                let best = BestInMemory::default();
                (Best::InMemory(best.clone()), Validated::Best(best))
            }
            None => (Best::NotKept, Validated::Nowhere),
            Some(plan) => {
                let files = plan.files;
                if let Some(epoch) = plan.resumes_after {
                    learner.model().resume_with_next_record();
                    training = training.checkpoint(epoch);
                    eprintln!(
                        "resuming in {} after epoch {epoch}",
                        files.folder().display()
                    );
                }
                resumed_after = plan.resumes_after;
                incomplete = plan.incomplete;
                accepted = plan.accepted;
                let tricks = learner.model().shared_tricks();
                let validated = OtherRecord::default();
                let log = files.directory().to_owned();
                let interrupter = training.interrupter();
                training = training
                    .with_custom_checkpointers(
                        RecordFile::new(files.clone(), "model").with_observer(&observer),
                        RecordFile::new(files.clone(), "optim").with_observer(&observer),
                        RecordFile::new(files.clone(), "scheduler").with_observer(&observer),
                    )
                    .with_checkpointing_strategy(SaveEveryEpoch {
                        end: end.clone(),
                        setup: plan.setup,
                        tricks: Box::new(move || tricks.state()),
                        validated: validated.clone(),
                        interrupter,
                        files: files.clone(),
                        sets: Retention::new(
                            plan.keep,
                            plan.saved,
                            end.best_epochs(best_checkpoints),
                        ),
                        best_checkpoints,
                    });
                end.after_first({
                    let twice = twice.clone();
                    move |epoch, store| *lock(&twice) = logged_twice(&log, epoch, &metrics, store)
                });
                (Best::InFiles(files), Validated::Record(validated))
            }
        };
        end.set_tricks({
            let (tricks, probe) = (learner.model().shared_tricks(), probe.clone());
            move |epoch, store, decision| {
                validated.end_of_epoch(&tricks, &probe, (epoch, store), decision)
            }
        });
        end.start_after(resumed_after.unwrap_or(0));
        match (resumed_after, end.stopped()) {
            (Some(epoch), Some(_)) => training = training.num_epochs(epoch), // it had stopped
            _ => remove_logs(&directory, resumed_after.unwrap_or(0)),
        }
        let learning = training.early_stopping(observer).launch(learner);
        probe.note(false);
        let (outcome, failure) = Outcome::of(&end);
        let finished = SessionResult {
            outcome,
            model: learning.model,
            renderer: keep_renderer.then_some(learning.renderer),
            last_epoch: end.last_epoch(),
            best_epoch: end.best_epoch(),
            best_value: end.best_value(),
            best_epochs: end.best_epochs(best_checkpoints),
            criteria: end.criteria(),
            plateaus: end.plateaus(),
            best_metric: end.best_metric(),
            resumed_after,
            incomplete,
            accepted,
            logged_twice: lock(&twice).clone(),
            best,
        };
        match failure {
            None => Ok(finished),
            Some(cause) => Err(LaunchError {
                cause,
                partial: Some(Box::new(finished)),
            }),
        }
    }

    /// Whether it is known which epoch is the best, if `trick` or a setting needs to know.
    fn check_best(&self, trick: Option<String>) -> Result<(), SessionError> {
        let keeps_best = self.best_checkpoints > 1;
        if keeps_best && self.files.is_none() {
            return Err(SessionError::KeepBestOfNone);
        }
        let keeps = keeps_best.then(|| "keep_best_checkpoints".to_owned());
        match trick.or(keeps) {
            Some(by) if self.end.best_metric().is_none() => Err(SessionError::NoCriterion { by }),
            _ => Ok(()),
        }
    }

    /// Looks at what there is to resume from, and loads what Burn does not.
    fn plan(
        &self,
        files: RunFiles,
        keep: usize,
        learner: &Learner<Tricked<M, H>>,
    ) -> Result<Plan, SessionError> {
        let end = &self.end;
        if !end.knows_clock() {
            return Err(SessionError::NoClock);
        }
        let tricks = learner.model().shared_tricks();
        let mut setup = Setup::default();
        end.describe(&mut setup);
        setup.number(TRICK, tricks.describe());
        let begun = rates(learner);
        setup.set("learning rates", begun.clone());
        self.declared.apart_from(&setup)?;
        setup.extend(&self.declared);

        let found = files.find()?;
        let mut accepted = Vec::new();
        if let Some(state) = &found.newest {
            let epoch = state.epoch;
            let mut changes = state.setup.changes_to(&setup);
            let unfit = |error| SessionError::State { epoch, error };
            let steps = taken_steps(&state.tricks).map_err(unfit)?;
            // A schedule may share what it is told with whoever made it: a `SharedPlateau` does.
            let undo = end.undo();
            let checked = check_records(&files, epoch, steps, learner, &begun);
            undo();
            changes.extend(checked?);
            let named = |name: &str| self.accepted.iter().any(|accepted| accepted == name);
            let refused: Vec<Change>;
            (accepted, refused) = changes.into_iter().partition(|change| named(&change.name));
            if !refused.is_empty() {
                let changes = refused;
                return Err(SessionError::Changed { epoch, changes });
            }
            tricks.load_state(&state.tricks).map_err(unfit)?;
            end.load_states(&state.hooks, named).map_err(unfit)?;
            // Fewer may have been kept than are to be kept now. The model of a set that is harmed may be whole.
            end.keep_ranked(|epoch| {
                found.complete.contains(&epoch) || files.validated(epoch).is_ok()
            });
            end.reconsider(accepted.iter().map(|change| &*change.name));
        }
        files.clean(&found)?;
        Ok(Plan {
            saved: files.saved(&found),
            files,
            keep,
            resumes_after: found.newest.as_ref().map(|state| state.epoch),
            setup,
            incomplete: found.incomplete,
            accepted,
        })
    }
}

/// Keeps other sessions out of the directory of a run, whose logs and checkpoints it would share.
fn lock_directory(directory: &Path) -> Result<Lock, SessionError> {
    std::fs::create_dir_all(directory)?;
    let lock = directory.join("checkpoint.lock");
    Lock::take(&lock).map_err(|error| match error {
        LockError::Held { process } => SessionError::InUse { lock, process },
        LockError::File(error) => error.into(),
    })
}

/// How a resumable session is launched.
struct Plan {
    files: RunFiles,
    keep: usize,
    resumes_after: Option<usize>,
    setup: Setup,
    /// The epochs that have files.
    saved: Vec<usize>,
    incomplete: Vec<(usize, CheckpointFault)>,
    accepted: Vec<Change>,
}

/// Saves after every epoch, and deletes what is not to be kept.
struct SaveEveryEpoch {
    end: EpochEnd,
    setup: Setup,
    tricks: Box<dyn Fn() -> Vec<u8> + Send>,
    validated: OtherRecord,
    interrupter: Interrupter,
    files: RunFiles,
    sets: Retention,
    best_checkpoints: usize,
}

impl CheckpointingStrategy for SaveEveryEpoch {
    fn checkpointing(
        &mut self,
        epoch: usize,
        store: &EventStoreClient,
    ) -> Vec<CheckpointingAction> {
        // Before the model is saved. What stops the run is part of its state.
        self.end.end_of_epoch(epoch, store);
        // The model of this epoch is not what it was to be, or a criterion or a plateau has not observed it.
        if self.end.trick_failed().is_some() || self.end.missing().is_some() {
            return Vec::new();
        }
        let validated = lock(&self.validated).take();
        let states = self.end.states().map_err(std::io::Error::other);
        let written = states.and_then(|hooks| {
            self.files.write(&RunState {
                epoch,
                setup: self.setup.clone(),
                tricks: (self.tricks)(),
                hooks,
                validated,
            })
        });
        if let Err(error) = written {
            self.interrupter.fail(CheckpointerError::IOError(error));
            return Vec::new();
        }
        // First save: Burn takes the next action when it has written the files of the epoch before.
        let mut actions = vec![CheckpointingAction::Save];
        let best = self.end.best_epochs(self.best_checkpoints);
        let outdated = self.sets.outdated_by(epoch, best);
        actions.extend(outdated.into_iter().map(CheckpointingAction::Delete));
        actions
    }
}
