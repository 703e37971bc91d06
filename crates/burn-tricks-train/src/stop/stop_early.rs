//! Early stopping in Burn's `Learner`, of a model without tricks.

use crate::metric::split_metric::SplitMetric;
use crate::metric::standard_error::StandardErrorMetric;
use crate::stop::stop_handle::StopHandle;
use burn::train::metric::store::{EventStoreClient, Split};
use burn::train::metric::{Adaptor, Metric, Numeric};
use burn::train::{
    EarlyStoppingStrategy, InferenceStep, Interrupter, LearnerModel, SupervisedTraining,
};
use burn_tricks_stop::StopCriterion;

/// Early stopping in Burn's `Learner`, of a model without tricks: a method of [`SupervisedTraining`].
///
/// One call registers both the metric and the early stopping, so neither can be forgotten. A metric that is also
/// registered with `metrics` is logged twice. A [`Session`](crate::Session) stops early too; it also keeps the best
/// model, resumes, takes models with tricks, and returns an error if the training failed.
///
/// # Example
///
/// ```
/// use burn::train::metric::{Adaptor, LossInput};
/// use burn::train::{InferenceStep, LearnerModel, SupervisedTraining};
/// use burn_tricks_stop::{EarlyStoppingConfig, Goal};
/// use burn_tricks_train::{SampleLossMetric, StopHandle, SupervisedTrainingExt as _};
///
/// # fn stopped<M: LearnerModel>(training: SupervisedTraining<M>) -> Result<(), burn_tricks_core::ConfigError>
/// # where <M as InferenceStep>::Output: Adaptor<LossInput> {
/// let stop = EarlyStoppingConfig::new(Goal::Minimize).with_patience(5).init()?;
/// let handle = StopHandle::new(stop);
/// let training = training.stop_early(SampleLossMetric::new(), &handle);
/// // let result = training.launch(learner); // then `result.error` and `result.interrupted` say how it ended
/// if let Some(epoch) = handle.best_epoch() {
///     println!("epoch {epoch} was the best");
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// After each epoch's validation, Burn asks first what to checkpoint and then whether to stop. The criterion observes
/// each epoch once for both questions. If the metric has no value, the training ends, and Burn's result is
/// `interrupted` with a reason that names the metric ([`MissingMetric`](crate::MissingMetric)). Call `stop_early` after
/// Burn's `with_interrupter`: if the interrupter is replaced later, Burn's result is neither `interrupted` nor an error, and
/// only [`StopHandle::decision`] tells, which is an error then.
///
/// # Cost
///
/// No cost in a step.
///
/// # Differences
///
/// If its metric was not registered, Burn's `MetricEarlyStoppingStrategy` only warns in the log and never stops.
/// Burn's result has the last model, as here.
pub trait SupervisedTrainingExt<M: LearnerModel>: Sized {
    /// Registers `metric` for the validation split, and stops the training when the criterion of `handle` decides so
    /// from the metric's mean over an epoch. The handle tells during and after the training what the criterion saw. A
    /// limit of time counts from this call. If the criterion needs the standard error of the metric, as `NoiseAware`
    /// does, the standard error is registered too.
    ///
    /// The criterion is an `EarlyStopping` or any other, such as [`Any`](burn_tricks_stop::Any) of several.
    /// Checkpointing is left as it is. When you resume from a checkpoint, give the saved state to the criterion with
    /// `StopCriterion::with_state`; a [`Session`](crate::Session) does this by itself.
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
            metric: SplitMetric::new(&metric, Split::Valid),
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
    metric: SplitMetric,
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
        let value = |needs| self.metric.observation(epoch, store, needs);
        match self.handle.observe(epoch, value) {
            Ok(decision) => decision.should_stop(),
            Err(missing) => {
                self.interrupter.stop(Some(&missing.to_string()));
                true
            }
        }
    }
}
