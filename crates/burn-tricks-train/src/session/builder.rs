//! The settings of a session, before it is launched.

use crate::data::epoch_clock::EpochClock;
use crate::data::session_loader::SessionLoader;
use crate::metric::split_metric::SplitMetric;
use crate::metric::standard_error::StandardErrorMetric;
use crate::plateau::SharedPlateau;
use crate::session::criterion_hook::CriterionHook;
use crate::session::epoch_end::EpochEnd;
use crate::session::plateau_hook::PlateauHook;
use crate::session::registered_metric::RegisteredMetric;
use crate::session::run_description::Setup;
use crate::session::run_files::RunFiles;
use crate::session::session_error::SessionError;
use crate::trick::Trick;
use crate::trick::trick_metric::TrickMetric;
use crate::trick::tricked::Tricked;
use burn::data::dataloader::DataLoader;
use burn::module::Module;
use burn::train::metric::store::Split;
use burn::train::metric::{Adaptor, Metric, Numeric};
use burn::train::{InferenceStep, Interrupter, LearnerModel, SupervisedTraining, TrainStep};
use burn_tricks_checkpoint::to_json;
use burn_tricks_core::ConfigError;
use burn_tricks_stop::StopCriterion;
use serde::Serialize;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A run of Burn's `Learner` with early stopping, plateaus and the best model, which can be killed and resumed.
///
#[doc = include_str!("session.md")]
#[must_use = "nothing is trained until `launch`"]
pub struct Session<M, H>
where
    Tricked<M, H>: LearnerModel,
{
    pub(crate) training: SupervisedTraining<Tricked<M, H>>,
    /// The number of training samples of an epoch, if an epoch loader tells it.
    pub(crate) samples: Option<usize>,
    /// The run's, which Burn keeps private.
    pub(crate) directory: PathBuf,
    pub(crate) end: EpochEnd,
    /// The metrics that it registered.
    pub(crate) metrics: Vec<RegisteredMetric>,
    /// Two metrics of one name, or a name that cannot be that of a file.
    pub(crate) clash: Option<SessionError>,
    pub(crate) declared: Setup,
    /// The names of changes that are accepted.
    pub(crate) accepted: Vec<String>,
    /// Where checkpoints are written, and how many are kept.
    pub(crate) files: Option<(RunFiles, usize)>,
    pub(crate) keep_best: bool,
    /// How many checkpoints of the best epochs are kept.
    pub(crate) best_checkpoints: usize,
    pub(crate) keep_renderer: bool,
}

/// Without Burn's training, which cannot be printed.
impl<M, H> std::fmt::Debug for Session<M, H>
where
    Tricked<M, H>: LearnerModel,
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("directory", &self.directory)
            .field("keep_best", &self.keep_best)
            .field("best_checkpoints", &self.best_checkpoints)
            .finish_non_exhaustive()
    }
}

impl<M, H> Session<M, H>
where
    Tricked<M, H>: LearnerModel,
{
    /// A session that trains for one epoch, unless [`num_epochs`](Self::num_epochs) says otherwise. Its logs, and its
    /// checkpoints if it is [`resumable`](Self::resumable), are written to `directory`. If `train` is an
    /// [`EpochLoader`](crate::EpochLoader), the session takes its clock, and a resumed run continues with the order of
    /// samples of the next epoch.
    pub fn new(
        directory: impl AsRef<Path>,
        train: impl SessionLoader<<Tricked<M, H> as TrainStep>::Input>,
        valid: Arc<dyn DataLoader<<Tricked<M, H> as InferenceStep>::Input>>,
    ) -> Self {
        let (train, clock) = train.into_parts();
        let samples = clock.as_ref().map(|_| train.num_items());
        let training = SupervisedTraining::new(&directory, train, valid);
        let end = EpochEnd::new(training.interrupter());
        if let Some(clock) = clock {
            end.add_clock(&clock);
        }
        Self {
            training,
            samples,
            directory: directory.as_ref().to_owned(),
            end,
            metrics: Vec::new(),
            clash: None,
            declared: Setup::default(),
            accepted: Vec::new(),
            files: None,
            keep_best: true,
            best_checkpoints: 1,
            keep_renderer: false,
        }
    }

    /// Configures Burn's `SupervisedTraining`: the number of epochs, accumulated gradients, the renderer, loggers,
    /// the devices. The session replaces an early-stopping strategy that is set here and, if the session is
    /// [resumable](Self::resumable), checkpointers and their strategy.
    pub fn configure(
        mut self,
        settings: impl FnOnce(SupervisedTraining<Tricked<M, H>>) -> SupervisedTraining<Tricked<M, H>>,
    ) -> Self {
        self.training = settings(self.training);
        self.end.set_interrupter(self.training.interrupter());
        self
    }

    /// The number of epochs. Burn's default is one.
    pub fn num_epochs(self, epochs: usize) -> Self {
        self.configure(|training| training.num_epochs(epochs))
    }

    /// The interrupter with which the training can be interrupted; its reason is in
    /// [`SessionResult::outcome`](crate::SessionResult::outcome).
    pub fn interrupter(&self) -> Interrupter {
        self.training.interrupter()
    }

    /// Advances `clock` after each epoch, and sets it to the next epoch when the run is resumed. A session of an
    /// [`EpochLoader`](crate::EpochLoader) does this by itself with the loader's clock. Several calls add several clocks,
    /// such as that of another loader.
    pub fn with_clock(self, clock: &EpochClock) -> Self {
        self.end.add_clock(clock);
        self
    }

    /// Declares that the data loaders need no clock: their samples do not depend on the epoch, or a resumed run may
    /// repeat an order of samples.
    pub fn without_clock(self) -> Self {
        self.end.set_clock_not_needed();
        self
    }
}

impl<M, H> Session<M, H>
where
    M: Module,
    H: Trick<M> + 'static,
    Tricked<M, H>: LearnerModel,
{
    /// Registers `metric` for the validation split, and stops the training when the criterion `stop` decides so from
    /// the metric's mean over an epoch. Several calls add several criteria. The first of them that looks at its
    /// metric determines the best epoch; [`SessionResult::criteria`](crate::SessionResult::criteria) has the results
    /// of all.
    ///
    /// If the criterion needs the standard error of the metric, as `NoiseAware` does, a [`StandardErrorMetric`] is
    /// registered too. If the standard error is unknown, as in an epoch of one batch, [`launch`](Self::launch)
    /// returns an error.
    pub fn stop_early<Me, C>(self, metric: Me, stop: C) -> Self
    where
        Me: Metric + Numeric + 'static,
        C: StopCriterion + Clone + Debug + Send + 'static,
        <Tricked<M, H> as InferenceStep>::Output: Adaptor<Me::Input>,
    {
        let of_epochs = SplitMetric::new(&metric, Split::Valid);
        let noise = (stop.needs_standard_error()).then(|| StandardErrorMetric::new(metric.clone()));
        self.end.add(CriterionHook::new(of_epochs, stop));
        let session = self.metric_valid_numeric(metric);
        match noise {
            Some(noise) => session.metric_valid_numeric(noise),
            None => session,
        }
    }

    /// As [`stop_early`](Self::stop_early), with the mean of the metric over the training split. Each batch is
    /// measured with the weights before its step, and with dropout on.
    pub fn stop_early_on_train<Me, C>(self, metric: Me, stop: C) -> Self
    where
        Me: Metric + Numeric + 'static,
        C: StopCriterion + Clone + Debug + Send + 'static,
        <Tricked<M, H> as TrainStep>::Output: Adaptor<Me::Input>,
    {
        let of_epochs = SplitMetric::new(&metric, Split::Train);
        let noise = (stop.needs_standard_error()).then(|| StandardErrorMetric::new(metric.clone()));
        self.end.add(CriterionHook::new(of_epochs, stop));
        let session = self.metric_train_numeric(metric);
        match noise {
            Some(noise) => session.metric_train_numeric(noise),
            None => session,
        }
    }

    /// Registers `metric` for the validation split, and passes the metric's mean over each epoch to the plateau. The
    /// schedule of the `Learner` must be `plateau`, a clone of it, or a wrapper around either; otherwise
    /// [`launch`](Self::launch) returns an error.
    pub fn reduce_on_plateau<Me, S>(self, metric: Me, plateau: &SharedPlateau<S>) -> Self
    where
        Me: Metric + Numeric + 'static,
        <Tricked<M, H> as InferenceStep>::Output: Adaptor<Me::Input>,
    {
        self.end.add(PlateauHook {
            metric: SplitMetric::new(&metric, Split::Valid),
            observed: plateau.observed(),
        });
        self.metric_valid_numeric(metric)
    }

    /// Registers a numeric metric for training, unless a metric of this name is registered already: see
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

    /// Registers a numeric metric for validation, unless a metric of this name is registered already: see
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

    /// Registers the metrics of tricks. No two of them may have the same name.
    pub(crate) fn trick_metrics(mut self, metrics: Vec<TrickMetric>) -> Self {
        let mut of_tricks: Vec<RegisteredMetric> = Vec::new();
        for metric in metrics {
            let registered = RegisteredMetric::new(Split::Train, &metric);
            if let Some(other) = of_tricks
                .iter()
                .find(|other| other.names_the_same(&registered))
            {
                let error = other.clashes_with(&registered);
                self.clash.get_or_insert(error);
            }
            of_tricks.push(registered);
            self = self.metric_train_numeric(metric);
        }
        self
    }

    /// Notes a metric, and returns whether to register it: none of its name was noted before.
    fn is_new<Me: Metric>(&mut self, split: Split, metric: &Me) -> bool {
        let metric = RegisteredMetric::new(split, metric);
        if let Some(error) = metric.cannot_be_logged() {
            self.clash.get_or_insert(error);
            return false;
        }
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

    /// Records with each checkpoint a part of the configuration that the session cannot see, such as the
    /// configuration of the optimizer, which Burn keeps private. If a program would resume the run with another value
    /// of this part, or without it, `launch` returns an error. A second declaration of a name replaces the first.
    ///
    /// # Errors
    ///
    /// If `part` cannot be written as JSON, for example because a field is infinite or NaN: the error names the field.
    /// If the session itself records something under `name`, [`launch`](Self::launch) returns an error.
    pub fn declare(mut self, name: &str, part: &impl Serialize) -> Result<Self, SessionError> {
        let part = to_json(part).map_err(|error| SessionError::DeclaredNotJson {
            name: name.to_owned(),
            error: Box::new(error),
        })?;
        self.declared.set(name, part);
        Ok(self)
    }

    /// Resumes a run although these parts of its configuration have changed. Use the names in the error
    /// [`SessionError::Changed`]. A criterion whose saved state does not fit begins anew. If the criterion that
    /// stopped the run has changed, the new criterion judges the next epoch, so a run with more patience continues.
    /// A run that a trick stopped continues if a trick has changed, and so does one that ended because a `RollBackTrick` could
    /// not go back any more.
    /// Of an optimizer's state, the part that fits is used. Later checkpoints record the new configuration.
    ///
    /// The settings of a trick may change, but not the list of tricks: if the saved state of one of them does not
    /// fit, `launch` returns [`SessionError::State`], whatever is named here.
    pub fn accept_changes<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.accepted.extend(names.into_iter().map(Into::into));
        self
    }

    /// Does not keep the model of the best epoch on the device. A resumable session keeps that model in its files in
    /// any case.
    pub fn without_best(mut self) -> Self {
        self.keep_best = false;
        self
    }

    /// Keeps Burn's renderer open and returns it in [`SessionResult::renderer`](crate::SessionResult::renderer), for
    /// example for an evaluation. Otherwise [`launch`](Self::launch) closes it. While the dashboard is open, it hides
    /// printed output.
    pub fn keep_renderer(mut self) -> Self {
        self.keep_renderer = true;
        self
    }

    /// Writes a checkpoint to the folder `checkpoint` of the session's directory after each epoch, and resumes from
    /// the newest complete one. The last `keep` checkpoints are kept, and that of the best epoch, or of [several best
    /// epochs](Self::keep_best_checkpoints).
    ///
    /// # Errors
    ///
    /// If `keep` is less than 2, since there might then be no complete checkpoint at times, or if the directory
    /// cannot be created.
    pub fn resumable(mut self, keep: usize) -> Result<Self, SessionError> {
        if keep < 2 {
            return Err(ConfigError::new("keep", "be at least 2", keep).into());
        }
        self.files = Some((RunFiles::new(&self.directory)?, keep));
        Ok(self)
    }

    /// Keeps the checkpoints of the `count` best epochs of a [resumable](Self::resumable) session. The first
    /// criterion that looks at a metric ranks the epochs.
    /// [`SessionResult::best_epochs`](crate::SessionResult::best_epochs) lists them, and
    /// [`SessionResult::model_of`](crate::SessionResult::model_of) loads their models. Default: 1.
    ///
    /// # Errors
    ///
    /// If `count` is 0.
    pub fn keep_best_checkpoints(mut self, count: usize) -> Result<Self, SessionError> {
        self.best_checkpoints = ConfigError::at_least_one("keep_best_checkpoints", count)?;
        Ok(self)
    }
}
