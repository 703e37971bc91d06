//! The result of a session.

use crate::lock::lock;
use crate::session::checkpoint_fault::CheckpointFault;
use crate::session::epoch_end::EpochEnd;
use crate::session::results::{CriterionResult, PlateauResult};
use crate::session::run_files::RunFiles;
use crate::session::session_error::SessionError;
use crate::session::validated::BestInMemory;
use crate::trick::Trick;
use crate::trick::tricked::Tricked;
use burn::module::Module;
use burn::train::metric::MetricName;
use burn::train::renderer::MetricsRenderer;
use burn_tricks_checkpoint::Change;
use burn_tricks_core::load_record;
use burn_tricks_stop::StopReason;
use std::fmt::{Debug, Display};

/// How a training ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Outcome {
    /// After the last of its epochs.
    LastEpoch,
    /// A criterion stopped it.
    Stopped(StopReason),
    /// The user interrupted it, for example at the dashboard.
    Interrupted {
        /// The reason given.
        reason: Option<String>,
    },
    /// The training failed. Only the partial result in a [`LaunchError`](crate::LaunchError) has this outcome.
    Failed,
}

impl Outcome {
    /// How a training ended, and why it failed if it did.
    pub(crate) fn of(end: &EpochEnd) -> (Self, Option<SessionError>) {
        let (error, interruption) = end.noted();
        // A trick fails if its metric has no value.
        let error = error.map(SessionError::Training);
        let error = error.or_else(|| end.missing().map(SessionError::MissingMetric));
        let error = error.or_else(|| end.trick_failed().map(SessionError::Trick));
        match (error, end.stopped(), interruption) {
            (Some(error), ..) => (Self::Failed, Some(error)),
            (_, Some(reason), _) => (Self::Stopped(reason), None),
            (_, _, Some(interruption)) => {
                let reason = interruption.reason;
                (Self::Interrupted { reason }, None)
            }
            _ => (Self::LastEpoch, None),
        }
    }

    /// Why it was stopped, if a criterion stopped it.
    pub fn stop_reason(&self) -> Option<StopReason> {
        match self {
            Self::Stopped(reason) => Some(*reason),
            _ => None,
        }
    }
}

impl Display for Outcome {
    #[inline]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::LastEpoch => write!(f, "ran to its last epoch"),
            Self::Stopped(reason) => write!(f, "stopped: {reason}"),
            Self::Interrupted { reason: None } => write!(f, "interrupted"),
            Self::Interrupted {
                reason: Some(reason),
            } => write!(f, "interrupted: {reason}"),
            Self::Failed => write!(f, "failed"),
        }
    }
}

/// The result of a training that came to its end or was stopped; in a [`LaunchError`](crate::LaunchError), the
/// partial result of a training that failed.
#[non_exhaustive]
pub struct SessionResult<M, H> {
    /// How it ended.
    pub outcome: Outcome,
    /// The last model with its tricks, for prediction and for saving. It has the weights that were validated;
    /// [`Tricked::model`] has the trained weights.
    pub model: Tricked<M, H>,
    /// Burn's renderer, if [`keep_renderer`](crate::Session::keep_renderer) was called.
    pub renderer: Option<Box<dyn MetricsRenderer>>,
    /// The last epoch that ended.
    pub last_epoch: Option<usize>,
    /// The best epoch by the first criterion of [`stop_early`](crate::Session::stop_early) that looks at its metric.
    /// None if no criterion looks at a metric, or if no epoch counted (see `Decision::is_best`).
    pub best_epoch: Option<usize>,
    /// The value of the best epoch, as that criterion sees it: the smoothed value, if it smooths its metric.
    pub best_value: Option<f64>,
    /// The best epochs, the best first: as many as
    /// [`keep_best_checkpoints`](crate::Session::keep_best_checkpoints) says, one by default. If the criterion smooths its
    /// metric, the first is the best by the smoothed metric, and the others are ranked by the metric itself.
    pub best_epochs: Vec<usize>,
    /// The result of each criterion of [`stop_early`](crate::Session::stop_early), in the order of the calls.
    pub criteria: Vec<CriterionResult>,
    /// The result of each plateau of [`reduce_on_plateau`](crate::Session::reduce_on_plateau), in the order of the
    /// calls.
    pub plateaus: Vec<PlateauResult>,
    /// The epoch after which the run was resumed; none if it began anew.
    pub resumed_after: Option<usize>,
    /// Checkpoints that were passed over because they were not complete, and what was wrong with them.
    pub incomplete: Vec<(usize, CheckpointFault)>,
    /// Differences from the configuration that the checkpoint was written with, which the session was told
    /// to [accept](crate::Session::accept_changes).
    pub accepted: Vec<Change>,
    /// Metrics whose values are in the log twice, because the session registered them, and so did Burn's training in
    /// [`configure`](crate::Session::configure). [`Session::metrics`](crate::Session::metrics) registers each metric
    /// once. Only a resumable session detects such metrics, after the first epoch, from Burn's log in its directory.
    pub logged_twice: Vec<String>,
    pub(crate) best: Best<M>,
    /// The metric that determines the best epoch.
    pub(crate) best_metric: Option<MetricName>,
}

impl<M, H> Debug for SessionResult<M, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionResult")
            .field("outcome", &self.outcome)
            .field("last_epoch", &self.last_epoch)
            .field("best_epoch", &self.best_epoch)
            .field("best_value", &self.best_value)
            .field("best_epochs", &self.best_epochs)
            .field("criteria", &self.criteria)
            .field("plateaus", &self.plateaus)
            .field("resumed_after", &self.resumed_after)
            .field("incomplete", &self.incomplete)
            .field("accepted", &self.accepted)
            .field("logged_twice", &self.logged_twice)
            .finish_non_exhaustive()
    }
}

/// Where the best model is.
pub(crate) enum Best<M> {
    NotKept,
    InMemory(BestInMemory<M>),
    InFiles(RunFiles),
}

impl<M: Module, H: Trick<M>> SessionResult<M, H> {
    /// The last model as it was validated, for prediction: the average, if there is one.
    pub fn last_model(&self) -> M {
        self.model.clone().into_validated()
    }

    /// The model of the best epoch as it was validated, for prediction.
    ///
    /// # Errors
    ///
    /// If the best epoch is not known ([`SessionError::BestUnknown`]; then [`last_model`](Self::last_model) still
    /// works), if the session kept no models, or if the checkpoint of the epoch cannot be read.
    pub fn best_model(&self) -> Result<M, SessionError> {
        let epoch = self.best_epoch.ok_or_else(|| SessionError::BestUnknown {
            metric: self.best_metric.as_ref().map(|name| name.to_string()),
        })?;
        self.model_of(epoch)
    }

    /// The model of an epoch as it was validated, for prediction or for averaging with others. The checkpoint of the
    /// epoch must be kept: it is one of the last epochs or of [`best_epochs`](Self::best_epochs).
    ///
    /// # Errors
    ///
    /// If the session kept no model of the epoch, or its checkpoint cannot be read.
    pub fn model_of(&self, epoch: usize) -> Result<M, SessionError> {
        let (path, record) = match &self.best {
            Best::NotKept => return Err(SessionError::NotKept { epoch }),
            Best::InMemory(best) => {
                return match &*lock(best) {
                    // With running statistics of its own.
                    Some((at, model)) if *at == epoch => Ok(model.valid()),
                    _ => Err(SessionError::NotKept { epoch }),
                };
            }
            Best::InFiles(files) => files.validated(epoch)?,
        };
        // The model of `valid` has running statistics of its own: a record is loaded in place.
        let model = load_record(self.model.model().valid(), record);
        model.map_err(|error| {
            let fault = CheckpointFault::Record { path, error };
            SessionError::Unread { epoch, fault }
        })
    }
}

/// How and when it ended, and which epoch was the best, in a line.
impl<M, H> Display for SessionResult<M, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.outcome)?;
        if let Some(last) = self.last_epoch {
            write!(f, "; epoch {last} was the last")?;
        }
        if let Some(best) = self.best_epoch {
            write!(f, ", epoch {best} the best")?;
        }
        for metric in &self.logged_twice {
            write!(f, "; `{metric}` was registered twice")?;
        }
        Ok(())
    }
}
