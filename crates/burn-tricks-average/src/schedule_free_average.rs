//! The averaged weights of schedule-free learning.

use crate::average::Average;
use crate::average_record::AverageKind;
use crate::average_rule::{AverageRule, Update};
use burn::module::Module;
use burn_tricks_core::{Buffers, Config, ConfigError};

/// Configuration of [`ScheduleFreeAverage`], the weights with which schedule-free learning evaluates the model. It
/// must have the same numbers as the optimizer, whose β must not change during the run.
///
/// The optimizer, `ScheduleFree` of `burn-tricks-optim`, trains `y = β x + (1 − β) z`, where `z` are its own
/// weights and `x` is their average. This average computes `x` from `y`, the weights of the model (Defazio et
/// al., 2024).
///
/// ```text
/// c ← tʳ ηₘᵖ / Σ tʳ ηₘᵖ                      ηₘ the largest rate so far
/// x ← x + c / (1 − β + c β) (y − x)
/// ```
///
/// This average is for Burn's `Learner`, which does not give access to its optimizer at a validation. In a hand-written
/// loop you need no average: `ScheduleFreeConfig::evaluation_model` makes the model with the weights `x` from the
/// optimizer's state.
///
/// The second line follows from `x ← (1 − c) x + c z`, with `z = (y − β x) / (1 − β)` for the new `x`
/// substituted.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burn_tricks_average::ScheduleFreeAverageConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let model = LinearConfig::new(2, 2).init(&Device::flex().autodiff());
/// let mut average = ScheduleFreeAverageConfig::new().init(&model)?;
/// for lr in [0.5, 1.0, 1.0] {
///     // ... model = optim.step(lr, model, grads), with a schedule-free optimizer ...
///     average.update_at(&model, lr);
/// }
/// let to_validate_with = average.model();
/// # let _ = to_validate_with;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Call [`update_at`](crate::Average::update_at) after every step of the optimizer, with the learning rate of
/// that step. In Burn's `Learner` the average is a trick, and gets the rate by itself.
/// [Recalibrate](crate::RecalibrationConfig) batch norms afterwards. [`update`](crate::Average::update) takes every
/// rate as 1, which is right if the rate is constant.
///
/// # Cost
///
/// The cost of an [`Ema`](crate::EmaConfig): one copy of the weights, in `f32` for half precision, and one pass per
/// step.
///
/// # Differences
///
/// - The authors' optimizer switches the parameters of the model between `x` and `y`. Here `x` and `y` exist
///   side by side.
/// - The average counts the steps of all parameters together, the optimizer those of each parameter. If a parameter has
///   no gradient in some steps, average and optimizer weight its steps differently. So they do for a group of
///   parameters whose learning rate is not always the same multiple of the one that the average gets, as with a
///   separate warm-up.
///
/// # Suggested values
///
/// The values of the optimizer: β = 0.9, r = 0, p = 2.
///
/// # References
///
/// - Defazio et al., *The road less scheduled*, 2024, <https://arxiv.org/abs/2405.15682>
/// - `schedulefree` 1.4.1
#[derive(Config, Debug, PartialEq)]
pub struct ScheduleFreeAverageConfig {
    /// β in `[0, 1)`, the share of this average in the weights at which the optimizer takes gradients. Default:
    /// 0.9.
    #[config(default = 0.9)]
    pub beta: f64,
    /// r ≥ 0: a step is weighted by the power r of its number. Default: 0.
    #[config(default = 0.0)]
    pub step_power: f64,
    /// p ≥ 0: a step is weighted by the power p of the largest learning rate so far. Default: 2.
    #[config(default = 2.0)]
    pub rate_power: f64,
    /// What happens to running statistics. Default: they are averaged.
    #[config(default = "Buffers::Average")]
    pub buffers: Buffers,
}

impl ScheduleFreeAverageConfig {
    /// The average before the first step, which holds the weights of `model`.
    ///
    /// # Errors
    ///
    /// If β lies outside `[0, 1)`, or a power is negative or not finite.
    pub fn init<M: Module>(&self, model: &M) -> Result<ScheduleFreeAverage<M>, ConfigError> {
        Average::init(self.clone(), model)
    }
}

impl AverageRule for ScheduleFreeAverageConfig {
    fn kind(&self) -> AverageKind {
        AverageKind::SCHEDULE_FREE
    }

    /// The largest learning rate so far, and the sum of the weights.
    fn memory(&self) -> usize {
        2
    }

    fn keep(&self, update: &Update, memory: &mut [f64]) -> f64 {
        memory[0] = memory[0].max(update.lr);
        let step = update.number as f64 + 1.0;
        let weight = step.powf(self.step_power) * memory[0].powf(self.rate_power);
        memory[1] += weight;
        if memory[1] <= 0.0 {
            return 1.0; // no rate so far
        }
        let share = weight / memory[1];
        let left = 1.0 - self.beta;
        // 1 − c / (1 − β + c β)
        left * (1.0 - share) / (left + share * self.beta)
    }

    fn buffers(&self) -> Buffers {
        self.buffers
    }

    fn check(&self) -> Result<(), ConfigError> {
        ConfigError::decay_rate("beta", self.beta)?;
        ConfigError::non_negative("step_power", self.step_power)?;
        ConfigError::non_negative("rate_power", self.rate_power)?;
        Ok(())
    }
}

/// The weights that schedule-free learning evaluates. Made by [`ScheduleFreeAverageConfig::init`].
pub type ScheduleFreeAverage<M> = Average<M, ScheduleFreeAverageConfig>;
