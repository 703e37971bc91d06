//! What a session is told before it is launched.

use crate::data::epoch_clock::EpochClock;
use crate::data::session_loader::SessionLoader;
use crate::metric::standard_error::StandardErrorMetric;
use crate::metric::watched_metric::WatchedMetric;
use crate::plateau::SharedPlateau;
use crate::session::criterion_hook::CriterionHook;
use crate::session::epoch_end::{Clock, EpochEnd};
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
use burn_tricks_stop::StopCriterion;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A training, and what happens between its epochs. See the [module documentation](crate::session).
#[allow(missing_debug_implementations)] // Burn's training has none
#[must_use = "nothing is trained until `launch`"]
pub struct Session<M, H>
where
    Tricked<M, H>: LearnerModel,
{
    pub(crate) training: SupervisedTraining<Tricked<M, H>>,
    /// The run's, which Burn keeps private.
    directory: PathBuf,
    pub(crate) end: EpochEnd,
    /// The metrics that it registered.
    pub(crate) metrics: Vec<RegisteredMetric>,
    /// Two metrics of one name.
    pub(crate) clash: Option<SessionError>,
    pub(crate) declared: Setup,
    /// The names of changes that are accepted.
    pub(crate) accepted: BTreeSet<String>,
    /// Where checkpoints are written, and how many are kept.
    pub(crate) files: Option<(RunFiles, usize)>,
    pub(crate) keep_best: bool,
    /// How many checkpoints of the best epochs are kept.
    pub(crate) best_checkpoints: usize,
    pub(crate) keep_renderer: bool,
}

impl<M, H> Session<M, H>
where
    Tricked<M, H>: LearnerModel,
{
    /// A training of one epoch whose logs, and checkpoints if it is [`resumable`](Self::resumable), are written
    /// to `directory`. An [`EpochLoader`](crate::EpochLoader) for `train` tells the session its clock: a run
    /// that is resumed continues with the order of samples of the epoch that comes next.
    pub fn new(
        directory: impl AsRef<Path>,
        train: impl SessionLoader<<Tricked<M, H> as TrainStep>::Input>,
        valid: Arc<dyn DataLoader<<Tricked<M, H> as InferenceStep>::Input>>,
    ) -> Self {
        let (train, clock) = train.into_parts();
        let training = SupervisedTraining::new(&directory, train, valid);
        let end = EpochEnd::new(training.interrupter());
        if let Some(clock) = clock {
            end.set_clock(Clock::Shared(clock));
        }
        Self {
            training,
            directory: directory.as_ref().to_owned(),
            end,
            metrics: Vec::new(),
            clash: None,
            declared: Setup::default(),
            accepted: BTreeSet::new(),
            files: None,
            keep_best: true,
            best_checkpoints: 1,
            keep_renderer: false,
        }
    }

    /// Sets what Burn's training has for itself: the number of epochs, accumulated gradients, the renderer,
    /// loggers, the devices. An early-stopping strategy that is set here is replaced by the session's, and, if
    /// it is [resumable](Self::resumable), so are checkpointers and their strategy.
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

    /// What interrupts the training: its reason is in [`SessionResult::ended`](crate::SessionResult::ended).
    pub fn interrupter(&self) -> Interrupter {
        self.training.interrupter()
    }

    /// Moves `clock` on after each epoch, and sets it to the epoch that comes next when the run is resumed. A
    /// session of an [`EpochLoader`](crate::EpochLoader) does it by itself.
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
    /// epoch's mean of it. Several calls are several criteria. The first of them that looks at its metric says
    /// which epoch is the best; [`SessionResult::criteria`](crate::SessionResult::criteria) has what each saw.
    ///
    /// For a criterion that needs the standard error of the metric, `NoiseAware`, that is registered too
    /// ([`StandardErrorMetric`]); where it is not known, in an epoch of one batch, [`launch`](Self::launch) is an
    /// error.
    pub fn stop_early<Me, C>(self, metric: Me, stop: C) -> Self
    where
        Me: Metric + Numeric + 'static,
        C: StopCriterion + Clone + Debug + Send + 'static,
        <Tricked<M, H> as InferenceStep>::Output: Adaptor<Me::Input>,
    {
        let watched = WatchedMetric::new(&metric, Split::Valid);
        let noise = (stop.needs_standard_error()).then(|| StandardErrorMetric::new(metric.clone()));
        self.end.add(CriterionHook::new(watched, stop));
        let session = self.metric_valid_numeric(metric);
        match noise {
            Some(noise) => session.metric_valid_numeric(noise),
            None => session,
        }
    }

    /// As [`stop_early`](Self::stop_early), with the mean of the metric over the training split: of the
    /// weights as they were at each batch, before it was learned from, with dropout on.
    pub fn stop_early_on_train<Me, C>(self, metric: Me, stop: C) -> Self
    where
        Me: Metric + Numeric + 'static,
        C: StopCriterion + Clone + Debug + Send + 'static,
        <Tricked<M, H> as TrainStep>::Output: Adaptor<Me::Input>,
    {
        let watched = WatchedMetric::new(&metric, Split::Train);
        let noise = (stop.needs_standard_error()).then(|| StandardErrorMetric::new(metric.clone()));
        self.end.add(CriterionHook::new(watched, stop));
        let session = self.metric_train_numeric(metric);
        match noise {
            Some(noise) => session.metric_train_numeric(noise),
            None => session,
        }
    }

    /// Registers `metric` for the validation split, and tells the plateau the epoch's mean of it. The
    /// `Learner` is to be given `plateau` as its schedule, a clone of it, or a wrapper around one; else
    /// [`launch`](Self::launch) is an error.
    pub fn reduce_on_plateau<Me, S>(self, metric: Me, plateau: &SharedPlateau<S>) -> Self
    where
        Me: Metric + Numeric + 'static,
        <Tricked<M, H> as InferenceStep>::Output: Adaptor<Me::Input>,
    {
        self.end.add(PlateauHook {
            metric: WatchedMetric::new(&metric, Split::Valid),
            observed: plateau.observed(),
        });
        self.metric_valid_numeric(metric)
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

    /// Registers the metrics that tricks bring, no two of which may have one name.
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

    /// Notes a metric; whether none of its name was noted before.
    fn is_new<Me: Metric>(&mut self, split: Split, metric: &Me) -> bool {
        let metric = RegisteredMetric::new(split, metric);
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
    /// [`SessionError::Changed`] names them. A criterion whose saved state does not fit begins anew; one that had
    /// stopped the run and has changed since judges the next epoch, so that a run goes on that is given more
    /// patience. Of an optimizer's state, what fits is used. Later checkpoints record the configuration that there is now.
    ///
    /// The settings of a trick may change, but not which tricks there are: the saved state of all of them must
    /// fit, or `launch` is an error ([`SessionError::State`]), whatever is named here.
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

    /// Writes checkpoints to the folder `checkpoint` of the session's directory after each epoch, and resumes
    /// from them. The last `keep` are kept, and that of the best epoch, or of
    /// [several](Self::keep_best_checkpoints).
    ///
    /// # Errors
    ///
    /// If `keep` is less than 2, with which there might be no complete checkpoint at times, or if the
    /// directory cannot be made.
    pub fn resumable(mut self, keep: usize) -> Result<Self, SessionError> {
        if keep < 2 {
            return Err(SessionError::Keep { got: keep });
        }
        self.files = Some((RunFiles::new(&self.directory)?, keep));
        Ok(self)
    }

    /// Keeps the checkpoints of the `count` best epochs of a [resumable](Self::resumable) session, as its first
    /// criterion that looks at a metric ranks them: [`SessionResult::best_epochs`](crate::SessionResult::best_epochs)
    /// and [`SessionResult::model_of`](crate::SessionResult::model_of) give them back. Default: 1.
    ///
    /// # Errors
    ///
    /// If `count` is 0.
    pub fn keep_best_checkpoints(mut self, count: usize) -> Result<Self, SessionError> {
        if count == 0 {
            return Err(SessionError::KeepBest { got: count });
        }
        self.best_checkpoints = count;
        Ok(self)
    }
}
