//! Early stopping in Burn's `Learner`, of a model without tricks.
//!
//! A [`Session`](crate::Session) does it too, and keeps the best model, resumes, takes models with tricks, and
//! makes a training that failed an error. The metric and the stopping are registered by one call, so that
//! neither can be forgotten; a metric that is registered with `metrics` as well is logged twice.
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
//! // let result = training.launch(learner); // see `result.error` and `result.interrupted`
//! if let Some(epoch) = handle.best_epoch() {
//!     println!("epoch {epoch} was the best");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Order
//!
//! Burn asks, after each epoch's validation, first what to checkpoint and then whether to stop. Both
//! questions are answered from one observation per epoch. If the metric has no value, the training ends, and
//! Burn's result is `interrupted` with a reason that names the metric ([`MissingMetric`]).
//!
//! # Cost
//!
//! Nothing.
//!
//! # Differences
//!
//! Burn's `MetricEarlyStoppingStrategy` goes on, with a warning in the log, when its metric was not registered, and
//! Burn's result is the last model.

use crate::stop::stop_handle::StopHandle;
use burn::train::metric::store::EventStoreClient;
use burn::train::metric::{Adaptor, Metric, Numeric};
use burn::train::{
    EarlyStoppingStrategy, InferenceStep, Interrupter, LearnerModel, SupervisedTraining,
};
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
        let strategy = Stops {
            handle: handle.clone(),
            interrupter: self.interrupter(),
        };
        let training = self.metric_valid_numeric(metric).early_stopping(strategy);
        (training, handle)
    }
}

/// A handle whose missing metric is to be seen in Burn's result.
#[derive(Clone)]
struct Stops<C> {
    handle: StopHandle<C>,
    interrupter: Interrupter,
}

impl<C: StopCriterion + Send> EarlyStoppingStrategy for Stops<C> {
    fn should_stop(&mut self, epoch: usize, store: &EventStoreClient) -> bool {
        let stop = self.handle.should_stop(epoch, store);
        if let Err(missing) = self.handle.decision() {
            self.interrupter.stop(Some(&missing.to_string()));
        }
        stop
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
