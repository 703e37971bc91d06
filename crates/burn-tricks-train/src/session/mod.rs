//! A training that can be stopped, reduced, killed and resumed.
//!
//! A [`Session`] is a `SupervisedTraining` of a [`Tricked`] model and what happens between its epochs.
//! Each thing is one line, and registers the metric it looks at.
//!
//! # Example
//!
//! ```
//! # use burn::module::Module;
//! use burn::optim::AdamConfig;
//! # use burn::train::metric::{Adaptor, LossInput};
//! # use burn::train::{InferenceStep, Learner, LearnerModel, SupervisedTraining};
//! # use burn_tricks_stop::EarlyStopping;
//! use burn_tricks_train::{SampleLossMetric, SessionExt as _};
//! # use burn_tricks_train::{EpochLoader, SessionError, Trick, Tricked};
//!
//! # fn best<M, H, I, O>(
//! #     training: SupervisedTraining<Tricked<M, H>>,
//! #     train: &EpochLoader<I, O>,
//! #     patience: EarlyStopping,
//! #     learner: Learner<Tricked<M, H>>,
//! # ) -> Result<M, SessionError>
//! # where
//! #     M: Module,
//! #     H: Trick<M> + 'static,
//! #     Tricked<M, H>: LearnerModel,
//! #     <Tricked<M, H> as InferenceStep>::Output: Adaptor<LossInput>,
//! # {
//! // `training`: Burn's, of a model with tricks; `train`: its epoch loader
//! let (session, stop) = training
//!     .session_with(&train)
//!     .resumable("runs/one", 2)?
//!     .declare("optimizer", &AdamConfig::new())?
//!     .stop_early(SampleLossMetric::new(), patience);
//! let finished = session.launch(learner)?;
//! println!("{finished}"); // stopped: no improvement in 5 checks; epoch 17 was the last, epoch 12 the best
//! let best = finished.best_model()?;
//! # let _ = stop;
//! # Ok(best)
//! # }
//! ```
//!
//! See the [crate documentation](crate) for a whole program.
//!
//! # Order
//!
//! Last: set everything else on the `SupervisedTraining` before, except metrics that the session has too:
//! [`metrics`](Session::metrics) registers each once, where Burn would log one of two of a name twice. A
//! session takes the training's early-stopping strategy, and, when [`resumable`](Session::resumable), its
//! checkpointers and their strategy. [`launch`](Session::launch) closes Burn's dashboard when the training is
//! over, so that what is printed then is seen; [`keep_renderer`](Session::keep_renderer) leaves it open.
//!
//! # What it gives back
//!
//! A training that failed is an error of `launch`, and the [`LaunchError`](crate::LaunchError) holds what was
//! trained until then. A [`SessionResult`](crate::SessionResult) one came to its last epoch, was stopped by a criterion,
//! or was interrupted by somebody.
//!
//! The model of the best epoch, as it was validated, is kept if a criterion of
//! [`stop_early`](Session::stop_early) says which epoch that is: in the checkpoints of a resumable session,
//! else on the device.
//!
//! # Resuming
//!
//! After each epoch a resumable session writes Burn's checkpoint (model, optimizer, schedule), and one more
//! file with the state of the tricks and of what watches the epochs, all of one moment.
//! [`launch`](Session::launch) resumes from the newest complete set in its directory, if there is one: the
//! program to resume a run is the program that started it. A run that had stopped stays stopped: train on
//! from its best model, in another directory. One that ran to its last epoch goes on if it is given more.
//!
//! A set is complete when its four files have the checksums they were written with. Sets that are not are
//! reported, and what is left of those after the one that is resumed from is deleted; if no set is complete and
//! more than the first epoch would be lost, nothing is touched and `launch` is an error. One process at a time
//! trains in a directory: a second one is refused ([`SessionError::InUse`]). Burn's `checkpoint(epoch)` is
//! the session's to call.
//!
//! | for the same weights as without an interruption | else |
//! | --- | --- |
//! | an [`EpochLoader`](crate::data::epoch_loader) for training, and a session made [with it](SessionExt::session_with) | another order of samples, another dropout |
//! | Burn's file metric logger (the default) | the in-memory one has no value after it, and the run ends with [`MissingMetric`](crate::MissingMetric) |
//! | `BURN_DEVICE`, or our optimizers, with several backends compiled in | Burn's optimizers reload on the default device |
//!
//! The epoch that was interrupted is trained again, and the one before it if its files were still being written.
//!
//! # A changed program
//!
//! A checkpoint records the configuration of its run. A program that would resume it with another
//! configuration is refused, with each difference by its name and both values ([`SessionError::Changed`]),
//! unless [`accept_changes`](Session::accept_changes) names it.
//!
//! | recorded | as |
//! | --- | --- |
//! | epoch loaders made with the session's clock: batch size, seed, shuffling, number of samples | `epoch loader 1`, ... |
//! | criteria and plateaus, the metric they watch, their configuration (as their `Debug` shows it) | ``criterion on `Loss` ``, ``plateau on `Loss` `` |
//! | the tricks, in their order, with what [`describe`](crate::Trick::describe) says of each | `trick 1`, ... |
//! | the base rates of the schedule at the steps 1, 2, 4 to 65,536, to 12 digits, for which a clone of it is stepped | `learning rates` |
//! | what the optimizer keeps of each parameter: tells SGD from Adam, not Adam from AdamW | `optimizer state` |
//! | what is [declared](Session::declare): any configuration | its name |
//!
//! The rest cannot be seen, since Burn keeps its optimizer, data loaders, accumulation of gradients and
//! metrics private: declare their configurations. A model that does not take the saved weights, or an optimizer's
//! state whose shapes are not the model's, is always an error.
//!
//! # Cost
//!
//! Of a resumable session: the state is copied to the host after each epoch, and its file is written
//! before the next one. The other files are written meanwhile, each from a copy in memory. Resuming reads
//! every set, and holds model and optimizer state twice while it looks whether they fit. Of any other with a
//! criterion: a copy of the validated model on its device, until a better one comes.

pub(crate) mod checkpoint_retention;
pub(crate) mod epoch_end;
pub(crate) mod launch;
pub(crate) mod launch_error;
pub(crate) mod learner_view;
pub(crate) mod record_file;
pub(crate) mod records_on_trial;
pub(crate) mod run_description;
pub(crate) mod run_files;
pub(crate) mod session_error;
pub(crate) mod session_metrics;
pub(crate) mod session_result;

use crate::data::epoch_clock::EpochClock;
use crate::data::epoch_loader::EpochLoader;
use crate::plateau::SharedPlateau;
use crate::plateau::Watching;
use crate::session::epoch_end::{Clock, EpochEnd};
use crate::session::run_description::Setup;
use crate::session::run_files::RunFiles;
use crate::session::session_error::SessionError;
use crate::session::session_metrics::{Registered, SessionMetrics};
use crate::stop::stop_handle::StopHandle;
use crate::trick::Trick;
use crate::trick::tricked::Tricked;
use burn::lr_scheduler::LrScheduler;
use burn::module::Module;
use burn::train::metric::store::Split;
use burn::train::metric::{Adaptor, Metric, Numeric};
use burn::train::{InferenceStep, Interrupter, LearnerModel, SupervisedTraining, TrainStep};
use burn_tricks_stop::StopCriterion;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;

/// `session` for a training of a tricked model.
pub trait SessionExt<M, H>: Sized
where
    Tricked<M, H>: LearnerModel,
{
    /// This training, and what happens between its epochs.
    fn session(self) -> Session<M, H>;

    /// The same, with the clock of the training's epoch loader: a run that is resumed continues with the order
    /// of samples of the epoch that comes next.
    fn session_with<I, O>(self, loader: &EpochLoader<I, O>) -> Session<M, H> {
        self.session().with_clock(loader.clock())
    }
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
            clash: None,
            declared: Setup::default(),
            accepted: BTreeSet::new(),
            files: None,
            keep_best: true,
            keep_renderer: false,
        }
    }
}

/// A training, and what happens between its epochs. See the [module documentation](self).
#[allow(missing_debug_implementations)] // Burn's training has none
#[must_use = "nothing is trained until `launch`"]
pub struct Session<M, H>
where
    Tricked<M, H>: LearnerModel,
{
    pub(crate) training: SupervisedTraining<Tricked<M, H>>,
    pub(crate) interrupter: Interrupter,
    pub(crate) end: EpochEnd,
    /// The metrics that it registered.
    pub(crate) metrics: Vec<Registered>,
    /// Two metrics of one name.
    pub(crate) clash: Option<SessionError>,
    pub(crate) declared: Setup,
    /// The names of changes that are accepted.
    pub(crate) accepted: BTreeSet<String>,
    /// Where checkpoints are written, and how many are kept.
    pub(crate) files: Option<(RunFiles, usize)>,
    pub(crate) keep_best: bool,
    pub(crate) keep_renderer: bool,
}

impl<M, H> Session<M, H>
where
    Tricked<M, H>: LearnerModel,
{
    /// Moves `clock` on after each epoch, and sets it to the epoch that comes next when the run is resumed.
    /// [`session_with`](SessionExt::session_with) does it by itself.
    pub fn with_clock(self, clock: &EpochClock) -> Self {
        self.end.set_clock(Clock::Shared(clock.clone()));
        self
    }

    /// Says that the data loaders need no clock: that what they give does not depend on the epoch, or that a
    /// resumed run may see an order of samples that it has seen before.
    pub fn without_clock(self) -> Self {
        self.end.set_clock(Clock::NotNeeded);
        self
    }
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
        C: StopCriterion + Clone + Debug + Send + 'static,
        <Tricked<M, H> as InferenceStep>::Output: Adaptor<Me::Input>,
    {
        let handle = StopHandle::new(&metric, stop);
        self.end.add(handle.clone());
        (self.metric_valid_numeric(metric), handle)
    }

    /// Registers `metric` for the validation split, and tells the plateau the epoch's mean of it. The
    /// `Learner` is to be given a clone of `plateau` as its schedule, or a wrapper around one; else
    /// [`launch`](Self::launch) is an error.
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
        self.metric_valid_numeric(metric)
    }

    /// Registers a tuple of numeric metrics for training and validation, each name once: one that
    /// [`stop_early`](Self::stop_early) or [`reduce_on_plateau`](Self::reduce_on_plateau) has registered is
    /// not registered again. Two metrics of one name that are not of one type, Burn's `LossMetric` and
    /// [`SampleLossMetric`](crate::SampleLossMetric) say, are an error of [`launch`](Self::launch). What is
    /// registered with the `SupervisedTraining` itself cannot be seen here, and would be logged twice.
    pub fn metrics<Ms: SessionMetrics<M, H>>(self, metrics: Ms) -> Self {
        metrics.register(self)
    }

    /// Registers a numeric metric for training, unless one of its name is registered: see
    /// [`metrics`](Self::metrics).
    pub fn metric_train_numeric<Me>(mut self, metric: Me) -> Self
    where
        Me: Metric + Numeric + 'static,
        <Tricked<M, H> as TrainStep>::Output: Adaptor<Me::Input>,
    {
        if self.is_new(Split::Train, &metric) {
            self.training = self.training.metric_train_numeric(metric);
        }
        self
    }

    /// Registers a numeric metric for validation, unless one of its name is registered: see
    /// [`metrics`](Self::metrics).
    pub fn metric_valid_numeric<Me>(mut self, metric: Me) -> Self
    where
        Me: Metric + Numeric + 'static,
        <Tricked<M, H> as InferenceStep>::Output: Adaptor<Me::Input>,
    {
        if self.is_new(Split::Valid, &metric) {
            self.training = self.training.metric_valid_numeric(metric);
        }
        self
    }

    /// Notes a metric; whether none of its name was noted before.
    fn is_new<Me: Metric>(&mut self, split: Split, metric: &Me) -> bool {
        let metric = Registered::new(split, metric);
        let same_name = (self.metrics.iter()).find(|other| other.names_the_same(&metric));
        let Some(registered) = same_name else {
            self.metrics.push(metric);
            return true;
        };
        if registered.metric != metric.metric {
            let error = registered.clashes_with(&metric);
            self.clash.get_or_insert(error);
        }
        false
    }

    /// Records with each checkpoint a part of the configuration that a session cannot see: that of the
    /// optimizer, say, which Burn keeps private. A program that would resume the run with another value of
    /// it, or without it, is refused. A second declaration of a name replaces the first.
    ///
    /// # Errors
    ///
    /// If `part` cannot be written as JSON. (JSON has no infinity and no NaN: they are recorded as `null`.)
    /// A `name` that the session gives to something that it records itself is an error of
    /// [`launch`](Self::launch).
    pub fn declare(mut self, name: &str, part: &impl Serialize) -> Result<Self, SessionError> {
        let part = serde_json::to_string(part).map_err(|error| SessionError::Declared {
            name: name.to_owned(),
            reason: error.to_string(),
        })?;
        self.declared.set(name, part);
        Ok(self)
    }

    /// Resumes a run although these parts of its configuration have changed, named as
    /// [`SessionError::Changed`] names them. A criterion whose saved state does not fit begins anew; of an
    /// optimizer's state, what fits is used. Later checkpoints record the configuration that there is now.
    ///
    /// The settings of a trick may change, but not which tricks there are: the saved state of all of them must
    /// fit, or `launch` is an error ([`SessionError::State`]), whatever is named here. The best model of an epoch
    /// before the change could not be given back otherwise.
    pub fn accept_changes<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.accepted.extend(names.into_iter().map(Into::into));
        self
    }

    /// Does not keep the model of the best epoch on the device. A resumable session has it in its files
    /// anyway.
    pub fn without_best(mut self) -> Self {
        self.keep_best = false;
        self
    }

    /// Leaves Burn's renderer to [`SessionResult::renderer`](crate::SessionResult::renderer), for an evaluation say.
    /// Else [`launch`](Self::launch) closes it. While the dashboard is open, it hides what is printed.
    pub fn keep_renderer(mut self) -> Self {
        self.keep_renderer = true;
        self
    }

    /// Writes checkpoints to `directory/checkpoint` after each epoch, and resumes from them. The last
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
}
