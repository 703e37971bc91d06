//! A criterion and the model of its best check in one.

use crate::best_weights::BestWeights;
use crate::criterion::{Observation, StopCriterion};
use crate::decision::Decision;
use burn::module::Module;
use burn::tensor::Device;

/// A criterion and the model of its best check in one.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burn_tricks_stop::{EarlyStoppingConfig, Goal, StopWithBest};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let model = LinearConfig::new(2, 2).init(&Device::flex().autodiff());
/// let mut stop = StopWithBest::new(EarlyStoppingConfig::new(Goal::Minimize).init()?);
/// for loss in [0.5, 0.4, 0.45, 0.5, 0.6, 0.7] {
///     // ... train for an epoch, validate ...
///     if stop.observe(loss, &model).should_stop() {
///         break; // after 0.6: the third in a row without improvement
///     }
/// }
/// assert_eq!((stop.best(), stop.best_check()), (Some(0.4), Some(2)));
/// let model = stop.best_model().expect("at least one check was finite");
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
///
/// # Resuming
///
/// A run that is resumed restores the state of the criterion, and the model of the best check with
/// [`with_kept`](StopWithBest::with_kept). Without the model, [`best`](StopWithBest::best) is the loss of a model that is
/// lost: [`best_model`](StopWithBest::best_model) stays none until a later check is better. With a
/// [`TimeLimit`](crate::TimeLimit), call [`start`](StopWithBest::start) before the first epoch of each run.
///
/// ```
/// # use burn::module::Module;
/// # use burn::nn::LinearConfig;
/// # use burn::tensor::Device;
/// use burn_tricks_stop::{EarlyStoppingConfig, Goal, StopWithBest};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// # let model = LinearConfig::new(2, 2).init(&Device::flex().autodiff());
/// let criterion = EarlyStoppingConfig::new(Goal::Minimize).init()?;
/// let mut stop = StopWithBest::new(criterion.clone());
/// stop.observe(0.4, &model);
/// // To save: the state of the criterion, the best check, and the best model as any model is saved.
/// let state = stop.criterion().state().clone();
/// let best = stop.best_check().zip(stop.best_model());
///
/// let mut stop = StopWithBest::new(criterion.with_state(state));
/// if let Some((check, model)) = best {
///     stop = stop.with_kept(&model, check);
/// }
/// stop.observe(0.6, &model);
/// assert_eq!((stop.best(), stop.best_check()), (Some(0.4), Some(1)));
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Call `observe` after validation. If the optimizer is to be restored as well, or if the run may [roll
/// back](crate::RollBack), use a criterion and [`BestWeights`] instead.
///
/// # Cost
///
/// The cost of [`BestWeights`].
#[derive(Debug)]
pub struct StopWithBest<C, M> {
    criterion: C,
    best: BestWeights<M>,
}

impl<C: StopCriterion, M: Module> StopWithBest<C, M> {
    /// Wraps `criterion`, before its first check.
    pub fn new(criterion: C) -> Self {
        Self {
            criterion,
            best: BestWeights::new(),
        }
    }

    /// Wraps `criterion`, before its first check. The best model is kept on `device`: see [`BestWeights::on`].
    pub fn on(criterion: C, device: &Device) -> Self {
        Self {
            criterion,
            best: BestWeights::on(device),
        }
    }

    /// Restores the model of the best check of an earlier run, whose number [`best_check`](Self::best_check) gave. The
    /// criterion must have its state of that run.
    #[must_use]
    pub fn with_kept(mut self, model: &M, check: usize) -> Self {
        self.best = self.best.with_kept(model, check, ());
        self
    }

    /// Called when a run starts or resumes: see [`StopCriterion::start`]. A [`TimeLimit`](crate::TimeLimit) starts its clock
    /// here. Without a call it starts at the first check, and the epoch before is not counted.
    pub fn start(&mut self) {
        self.criterion.start();
    }

    /// Takes the metric of the next check, and keeps `model` if it is the best so far.
    pub fn observe(&mut self, observation: impl Into<Observation>, model: &M) -> Decision {
        let decision = self.criterion.observe(observation);
        if decision.is_best {
            self.best.hold(model, decision.check, ());
        }
        decision
    }

    /// The best value so far; none before the first value that counts.
    pub fn best(&self) -> Option<f64> {
        self.criterion.best()
    }

    /// The check of the best value.
    pub fn best_check(&self) -> Option<usize> {
        self.best.check()
    }

    /// The best model for prediction; none before the first check that counts. To train on it, call `train()`
    /// on it, or see [`best_weights`](Self::best_weights).
    pub fn best_model(&self) -> Option<M> {
        self.best.model()
    }

    /// The criterion, whose state is saved with a checkpoint.
    pub fn criterion(&self) -> &C {
        &self.criterion
    }

    /// The [`BestWeights`] that hold the model of the best check.
    pub fn best_weights(&self) -> &BestWeights<M> {
        &self.best
    }
}
