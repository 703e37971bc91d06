//! Early stopping in Burn's `Learner`, of a model without tricks.
//!
//! A [`Session`](crate::Session) does it too, and keeps the best model, resumes, and takes models with
//! tricks. The metric and the stopping are registered by one call, so that neither can be forgotten.
//!
//! # Example
//!
//! ```
//! use burn::train::metric::{Adaptor, LossInput};
//! use burn::train::{InferenceStep, LearnerModel, SupervisedTraining};
//! use burn_tricks_stop::{EarlyStoppingConfig, Goal};
//! use burn_tricks_train::{SampleLossMetric, SupervisedTrainingExt as _};
//!
//! # fn stopped<M: LearnerModel>(training: SupervisedTraining<M>) -> Result<(), burn_tricks_core::ConfigError>
//! # where <M as InferenceStep>::Output: Adaptor<LossInput> {
//! let stop = EarlyStoppingConfig::new(Goal::Minimize).with_patience(5).init()?;
//! let (training, handle) = training.stop_early(SampleLossMetric::new(), stop);
//! // let result = training.launch(learner);
//! if let Some(epoch) = handle.best_epoch() {
//!     println!("epoch {epoch} was the best");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Where it stands
//!
//! Burn asks, after each epoch's validation, first what to checkpoint and then whether to stop. Both
//! questions are answered from one observation per epoch.
//!
//! # Cost
//!
//! Nothing.
//!
//! # Differences
//!
//! Burn's `MetricEarlyStoppingStrategy` goes on, with a warning in the log, when its metric was not registered, and
//! Burn's result is the last model.

use crate::StopHandle;
use burn::train::metric::{Adaptor, Metric, Numeric};
use burn::train::{InferenceStep, LearnerModel, SupervisedTraining};
use burn_tricks_stop::StopCriterion;
use std::fmt::Display;

/// Early stopping for [`SupervisedTraining`].
pub trait SupervisedTrainingExt<M: LearnerModel>: Sized {
    /// Registers `metric` for the validation split, and stops the training when `stop` says so of
    /// the epoch's mean of it. The handle tells afterwards, or meanwhile, what was seen. A limit of time
    /// counts from here.
    ///
    /// `stop` is an `EarlyStopping` or another criterion, [`Any`](burn_tricks_stop::Any) of several
    /// say. Checkpointing is left as it is. On resuming from a checkpoint, give the saved state to
    /// `stop` with `StopCriterion::with_state`; a [`Session`](crate::Session) does it by itself.
    fn stop_early<Me, C>(self, metric: Me, stop: C) -> (Self, StopHandle<C>)
    where
        Me: Metric + Numeric + 'static,
        C: StopCriterion + Clone + Send + 'static,
        <M as InferenceStep>::Output: Adaptor<Me::Input>;
}

impl<M: LearnerModel> SupervisedTrainingExt<M> for SupervisedTraining<M> {
    fn stop_early<Me, C>(self, metric: Me, mut stop: C) -> (Self, StopHandle<C>)
    where
        Me: Metric + Numeric + 'static,
        C: StopCriterion + Clone + Send + 'static,
        <M as InferenceStep>::Output: Adaptor<Me::Input>,
    {
        stop.start();
        let handle = StopHandle::new(&metric, stop);
        let training = self
            .metric_valid_numeric(metric)
            .early_stopping(handle.clone());
        (training, handle)
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
