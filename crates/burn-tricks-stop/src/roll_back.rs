//! Roll-back.

use crate::best_weights::BestWeights;
use crate::criterion::StopCriterion;
use crate::decision::{Decision, StopReason};
use burn::module::Module;
use burn_tricks_core::{Config, ConfigError};
use serde::{Deserialize, Serialize};

/// Configuration of [`RollBack`]: when the training diverges, it continues from the best weights with a smaller
/// learning rate.
///
/// If a criterion sees at a check that the metric diverged or is not finite ([`Decision::divergence`]), the decision has
/// no other reason to stop ([`Decision::stop`]), and no limit ends the run ([`Decision::limit`]):
///
/// ```text
/// done < times and a best model is kept:
///     done ← done + 1
///     model, and what was kept with it ← those of the best check
///     learning rate ← factor^done · the rate of the recipe      (the caller's closure)
///     patience counts anew, and what counts as an improvement stays as it was
/// otherwise: the decision stands
/// ```
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::{GradientsParams, SgdConfig};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_stop::{BestWeights, EarlyStoppingConfig, Goal, RollBackConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let inputs = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, 1.0], [2.0, 2.0]], &device);
/// let error = |model: &Linear| (model.forward(inputs.clone()) - 1.0).square().mean();
///
/// let mut model = LinearConfig::new(2, 1).init(&device);
/// let mut optim = SgdConfig::new().init();
/// let mut rate = 1.0; // much too large
/// let mut stop = EarlyStoppingConfig::new(Goal::Minimize).with_divergence_limit(Some(1e4)).init()?;
/// let mut best = BestWeights::new();
/// let mut back = RollBackConfig::new(8).init()?;
/// for _ in 0..60 {
///     let loss = error(&model);
///     let decision = stop.observe(loss.clone().into_scalar::<f64>());
///     best.keep_with(&decision, || (model.clone(), optim.clone()));
///     let restart = back.after_check(&decision, &best, &model, &mut stop, |scale| rate = scale);
///     if let Some(restart) = restart {
///         (model, optim) = (restart.model, restart.extra);
///         continue;
///     }
///     let grads = GradientsParams::from_grads(loss.backward(), &model);
///     model = optim.step(rate, model, grads);
/// }
/// assert!(rate < 0.5 && stop.observe(0.0).best < Some(0.1));
/// # Ok(())
/// # }
/// ```
///
/// This example rolls back at most twice, to a tenth of the learning rate each time, and restores only the weights.
/// The optimizer must then start afresh: its moments are those of the diverged run, and may be NaN.
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::AdamConfig;
/// use burn::tensor::Device;
/// use burn_tricks_stop::{BestWeights, EarlyStoppingConfig, Goal, RollBackConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let mut model = LinearConfig::new(2, 1).init(&Device::flex().autodiff());
/// let mut optim = AdamConfig::new().init();
/// let mut scale = 1.0;
/// let mut stop = EarlyStoppingConfig::new(Goal::Minimize).init()?;
/// let mut best = BestWeights::new();
/// let mut back = RollBackConfig::new(2).with_lr_factor(0.1).init()?;
/// for loss in [0.4, f64::NAN] {
///     let decision = stop.observe(loss);
///     best.keep(&decision, || model.clone());
///     if let Some(restart) = back.after_check(&decision, &best, &model, &mut stop, |by| scale = by) {
///         model = restart.model;
///         optim = AdamConfig::new().init();
///     } else if decision.should_stop() {
///         break;
///     }
/// }
/// assert_eq!(scale, 0.1);
/// # let _ = optim;
/// # Ok(())
/// # }
/// ```
///
/// Gradient transforms do not go back by themselves. A transform whose state follows the weights must go back with
/// them, or it keeps what it learned from the diverged run: for example the estimate of a `Prodigy`, which may be NaN
/// from then on, or the history of an `AutoClip`. Keep `GradientTransform::roll_back_state` of `burn-tricks-grad` with
/// the optimizer, and load it after the roll-back. It may wait for the device, at each check that is the best so far.
/// (A clone of the transform would not do: clones of a `Prodigy`, and counts of skipped steps, share one state.) In the
/// `Learner` the `RollBackTrick` of `burn-tricks-train` does the same.
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::{GradientsParams, SgdConfig};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_grad::{AutoClipConfig, GradientTransform as _, StepGuard};
/// use burn_tricks_stop::{BestWeights, EarlyStoppingConfig, Goal, RollBackConfig};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let device = Device::flex().autodiff();
/// # let inputs = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, 1.0], [2.0, 2.0]], &device);
/// # let error = |model: &Linear| (model.forward(inputs.clone()) - 1.0).square().mean();
/// # let mut model = LinearConfig::new(2, 1).init(&device);
/// # let mut optim = SgdConfig::new().init();
/// # let mut rate = 1.0;
/// # let mut stop = EarlyStoppingConfig::new(Goal::Minimize).with_divergence_limit(Some(1e4)).init()?;
/// let mut transform = StepGuard::new().then(AutoClipConfig::new().with_percentile(100.0).init()?);
/// let mut best = BestWeights::new();
/// let mut back = RollBackConfig::new(8).init()?;
/// # let mut went_back = 0;
/// for _ in 0..60 {
///     let loss = error(&model);
///     let decision = stop.observe(loss.clone().into_scalar::<f64>());
///     best.keep_with(&decision, || {
///         (model.clone(), (optim.clone(), transform.roll_back_state()))
///     });
///     let restart = back.after_check(&decision, &best, &model, &mut stop, |scale| rate = scale);
///     if let Some(restart) = restart {
///         let (kept_optim, kept_state) = restart.extra;
///         (model, optim) = (restart.model, kept_optim);
///         if let Some(state) = kept_state {
///             transform.load_roll_back_state(&state)?;
///         }
/// #       assert_eq!(transform.roll_back_state(), best.extra().and_then(|(_, state)| state.clone()));
/// #       went_back += 1;
///         continue;
///     }
///     let grads = GradientsParams::from_grads(loss.backward(), &model);
///     let grads = transform.apply(&model, grads);
///     model = optim.step(rate, model, grads);
/// }
/// # assert!(went_back > 0 && stop.observe(0.0).best < Some(0.1), "{went_back}");
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Call it after the best weights are kept, and before the loop obeys the decision to stop. The criterion must be able
/// to see a divergence: [`EarlyStopping`](crate::EarlyStopping) with a divergence limit, or with
/// [`NonFiniteMetric::Stop`](crate::NonFiniteMetric::Stop), its default, also within [`Any`](crate::Any) and
/// [`All`](crate::All).
///
/// The closure gets the scale of the whole run, not of this restart: the learning rate is the schedule's value times
/// the scale. Schedules, gradient transforms, averages of weights and random generators continue from where they are, unless
/// they are kept with the model as extra state: see the last example and [`BestWeights::keep_with`]. An average that
/// may become NaN or infinite must be kept in this way, since it never recovers.
///
/// # Cost
///
/// One number; the kept model is the cost of [`BestWeights`]. A run that does not diverge is the same, bit for bit,
/// with and without a roll-back.
///
/// # Differences
///
/// Keras's users asked for a roll-back (keras #8332); Keras has `TerminateOnNaN`, which ends the run. Schedules "on
/// plateau" reduce the learning rate and continue to train the diverged weights.
///
/// # Suggested values
///
/// The factor 0.5 is our choice. Two or three roll-backs suffice where the learning rate is about right: if such a run still
/// diverges at an eighth of it, the learning rate is not the cause. Where it may be far too high, as in the first example,
/// allow more.
///
/// # References
///
/// - keras #8332, <https://github.com/keras-team/keras/issues/8332>
#[derive(Config, Debug, PartialEq)]
pub struct RollBackConfig {
    /// How many times a run may roll back in all. With 0 it never does.
    pub times: usize,
    /// What the learning rate is multiplied by each time, in (0, 1]. Default: 0.5.
    #[config(default = 0.5)]
    pub lr_factor: f64,
}

impl RollBackConfig {
    /// The roll-back of a run that has not diverged yet.
    ///
    /// # Errors
    ///
    /// If `lr_factor` does not lie in (0, 1].
    pub fn init(&self) -> Result<RollBack, ConfigError> {
        ConfigError::factor("lr_factor", self.lr_factor)?;
        Ok(RollBack {
            config: self.clone(),
            state: RollBackState::default(),
        })
    }
}

/// The part of [`RollBack`] that a resumed run needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollBackState {
    done: usize,
}

/// The model and the state from which training continues after a roll-back.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Restart<M, S = ()> {
    /// The model with the best weights, to train on: its devices, gradient requirements, training flags,
    /// gradient-checkpointing strategy and parameter ids are those of the model that diverged.
    pub model: M,
    /// The extra state that was kept with the model, such as the optimizer.
    pub extra: S,
    /// The check whose weights these are.
    pub check: usize,
    /// Which restart this is, from 1.
    pub time: usize,
    /// The factor for the learning rate of the recipe, as passed to the closure.
    pub lr_scale: f64,
    /// The divergence that caused the restart.
    pub reason: StopReason,
}

/// Goes back to the best weights. Made by [`RollBackConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct RollBack {
    config: RollBackConfig,
    state: RollBackState,
}

impl RollBack {
    /// What to continue training from after this decision: `model`, which diverged, with the weights and running
    /// statistics that `best` holds, and the extra state that was kept with them. `apply` is called with the new
    /// scale of the learning rate, and `stop`, the criterion of the decision, starts counting patience anew.
    ///
    /// Returns none and does nothing if the training did not diverge, the decision has another reason to stop or a limit is
    /// reached, the run has rolled back as often as it may, or `best` holds no model.
    ///
    /// # Panics
    ///
    /// If the kept model has another architecture than `model`.
    pub fn after_check<M: Module, S: Clone>(
        &mut self,
        decision: &Decision,
        best: &BestWeights<M, S>,
        model: &M,
        stop: &mut impl StopCriterion,
        apply: impl FnOnce(f64),
    ) -> Option<Restart<M, S>> {
        let restart = self.restart(decision, best, model)?;
        stop.reset_waiting();
        apply(restart.lr_scale);
        Some(restart)
    }

    /// As [`after_check`](Self::after_check), but the caller must reset the criterion's patience and apply
    /// [`Restart::lr_scale`] to the learning rate.
    ///
    /// # Panics
    ///
    /// As [`after_check`](Self::after_check).
    pub fn restart<M: Module, S: Clone>(
        &mut self,
        decision: &Decision,
        best: &BestWeights<M, S>,
        model: &M,
    ) -> Option<Restart<M, S>> {
        let reason = decision.divergence?;
        let stop = decision.limit.or(decision.stop);
        let over = stop.is_some_and(|stop| !stop.is_divergence());
        if over || self.state.done >= self.config.times {
            return None;
        }
        let check = best.check()?;
        let extra = best.extra()?.clone();
        let model = (best.restore_into(model)).unwrap_or_else(|mismatch| panic!("{mismatch}"))?;
        self.state.done += 1;
        let lr_scale = self.lr_scale();
        Some(Restart {
            model,
            extra,
            check,
            time: self.state.done,
            lr_scale,
            reason,
        })
    }

    /// The factor for the learning rate of the recipe: 1 before the first restart. A resumed run has to apply it
    /// again.
    pub fn lr_scale(&self) -> f64 {
        // As many products as restarts: `powi` would take an `i32`.
        (0..self.state.done).fold(1.0, |scale, _| scale * self.config.lr_factor)
    }

    /// How many times the run went back.
    pub fn done(&self) -> usize {
        self.state.done
    }

    /// What to save with a checkpoint. The best model is not in it, see
    /// [`BestWeights::with_kept`].
    pub fn state(&self) -> &RollBackState {
        &self.state
    }

    /// The roll-back with a saved state, from which it continues.
    #[must_use]
    pub fn with_state(mut self, state: RollBackState) -> Self {
        self.state = state;
        self
    }
}
