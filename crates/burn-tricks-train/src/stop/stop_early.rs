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
//! use burn_tricks_train::{SampleLossMetric, StopHandle, SupervisedTrainingExt as _};
//!
//! # fn stopped<M: LearnerModel>(training: SupervisedTraining<M>) -> Result<(), burn_tricks_core::ConfigError>
//! # where <M as InferenceStep>::Output: Adaptor<LossInput> {
//! let stop = EarlyStoppingConfig::new(Goal::Minimize).with_patience(5).init()?;
//! let handle = StopHandle::new(stop);
//! let training = training.stop_early(SampleLossMetric::new(), &handle);
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
//! Burn's result is `interrupted` with a reason that names the metric ([`MissingMetric`](crate::MissingMetric)).
//!
//! # Cost
//!
//! Nothing.
//!
//! # Differences
//!
//! Burn's `MetricEarlyStoppingStrategy` never stops, with a warning in the log, when its metric was not registered, and
//! Burn's result is the last model.

use crate::metric::standard_error::StandardErrorMetric;
use crate::metric::watched_metric::WatchedMetric;
use crate::stop::stop_handle::StopHandle;
use burn::train::metric::store::{EventStoreClient, Split};
use burn::train::metric::{Adaptor, Metric, Numeric};
use burn::train::{
    EarlyStoppingStrategy, InferenceStep, Interrupter, LearnerModel, SupervisedTraining,
};
use burn_tricks_stop::StopCriterion;

/// Early stopping for [`SupervisedTraining`].
pub trait SupervisedTrainingExt<M: LearnerModel>: Sized {
    /// Registers `metric` for the validation split, and stops the training when the criterion of `handle`
    /// says so of the epoch's mean of it. The handle tells afterwards, or meanwhile, what was seen. A limit
    /// of time counts from here. For a criterion that needs the standard error of the metric, `NoiseAware`, that
    /// is registered too.
    ///
    /// The criterion is an `EarlyStopping` or another one, [`Any`](burn_tricks_stop::Any) of several
    /// say. Checkpointing is left as it is. On resuming from a checkpoint, give the saved state to the
    /// criterion with `StopCriterion::with_state`; a [`Session`](crate::Session) does it by itself.
    fn stop_early<Me, C>(self, metric: Me, handle: &StopHandle<C>) -> Self
    where
        Me: Metric + Numeric + 'static,
        C: StopCriterion + Send + 'static,
        <M as InferenceStep>::Output: Adaptor<Me::Input>;
}

impl<M: LearnerModel> SupervisedTrainingExt<M> for SupervisedTraining<M> {
    fn stop_early<Me, C>(self, metric: Me, handle: &StopHandle<C>) -> Self
    where
        Me: Metric + Numeric + 'static,
        C: StopCriterion + Send + 'static,
        <M as InferenceStep>::Output: Adaptor<Me::Input>,
    {
        handle.start();
        let strategy = Stops {
            metric: WatchedMetric::new(&metric, Split::Valid),
            handle: handle.clone(),
            interrupter: self.interrupter(),
        };
        let noise = handle.needs_standard_error();
        let noise = noise.then(|| StandardErrorMetric::new(metric.clone()));
        let training = self.metric_valid_numeric(metric);
        let training = match noise {
            Some(noise) => training.metric_valid_numeric(noise),
            None => training,
        };
        training.early_stopping(strategy)
    }
}

/// A handle whose missing metric is to be seen in Burn's result.
struct Stops<C> {
    metric: WatchedMetric,
    handle: StopHandle<C>,
    interrupter: Interrupter,
}

impl<C> Clone for Stops<C> {
    fn clone(&self) -> Self {
        Self {
            metric: self.metric.clone(),
            handle: self.handle.clone(),
            interrupter: self.interrupter.clone(),
        }
    }
}

impl<C: StopCriterion + Send> EarlyStoppingStrategy for Stops<C> {
    fn should_stop(&mut self, epoch: usize, store: &EventStoreClient) -> bool {
        let value = |with_error| self.metric.observation(epoch, store, with_error);
        match self.handle.observe(epoch, value) {
            Ok(decision) => decision.should_stop(),
            Err(missing) => {
                self.interrupter.stop(Some(&missing.to_string()));
                true
            }
        }
    }
}
