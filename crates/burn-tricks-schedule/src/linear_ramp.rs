//! A straight line from one learning rate to another, then constant.

use crate::anneal::Anneal;
use crate::curve::steps_along_its_curve;
use burn::optim::LearningRate;
use burn_tricks_core::{Config, ConfigError};

/// Configuration of [`LinearRamp`]: a straight line from one learning rate to another, then constant.
///
/// ```text
/// η(t) = η₀ + (η₁ − η₀) · min(t/T, 1)
/// ```
///
/// # Example
///
/// ```
/// use burn::lr_scheduler::LrScheduler;
/// use burn_tricks_schedule::LinearRampConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let mut schedule = LinearRampConfig::new(1.0, 0.0, 4).init()?;
/// let rates: Vec<f64> = (0..6).map(|_| schedule.step()).collect();
/// assert_eq!(rates, [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]);
/// # Ok(())
/// # }
/// ```
///
/// A ramp down to a constant learning rate for weight averaging, over ten epochs of 100 steps:
///
/// ```
/// use burn_tricks_schedule::{LinearRampConfig, Run};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let schedule = LinearRampConfig::new(0.1, 0.05, Run::init(30, 100)?.epochs(10)).init()?;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// It gives the `lr` of `ModuleOptimizer::step`. For a rise in front of another schedule see
/// [`Warmup`](crate::Warmup).
///
/// # Cost
///
/// Its state is the number of steps taken.
///
/// # Differences
///
/// - PyTorch's `LinearLR` multiplies the optimizer's learning rate by factors; `SWALR` with
///   `anneal_strategy="linear"` is this schedule, from the optimizer's rate to `swa_lr`.
/// - Burn's linear schedule refuses learning rates above 1.
///
/// # Suggested values
///
/// A ramp from the peak to 0 over the run (BERT; Li et al. for a given budget of steps).
///
/// # References
///
/// - PyTorch, `LinearLR`, `swa_utils.SWALR`; optax, `linear_schedule`
/// - Li, Yumer, Ramanan, *Budgeted training*, 2020, <https://arxiv.org/abs/1905.04753>
#[derive(Config, Debug, PartialEq)]
pub struct LinearRampConfig {
    /// η₀ ≥ 0, the learning rate of the first step.
    pub initial_lr: f64,
    /// η₁ ≥ 0, the learning rate of step T and of all after it. It may be larger than η₀.
    pub final_lr: f64,
    /// T, the optimizer steps from η₀ to η₁, at least 1.
    pub steps: usize,
}

impl LinearRampConfig {
    /// The schedule, before its first step.
    ///
    /// # Errors
    ///
    /// If a learning rate is negative or not finite, or `steps` is 0.
    pub fn init(&self) -> Result<LinearRamp, ConfigError> {
        ConfigError::non_negative("initial_lr", self.initial_lr)?;
        ConfigError::non_negative("final_lr", self.final_lr)?;
        ConfigError::at_least_one("steps", self.steps)?;
        Ok(LinearRamp {
            config: self.clone(),
            steps: 0,
        })
    }
}

/// A straight line, then constant. Made by [`LinearRampConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct LinearRamp {
    config: LinearRampConfig,
    /// Steps taken.
    steps: u64,
}

impl LinearRamp {
    /// The learning rate of step `step`, counted from 0. The schedule does not advance.
    pub fn at(&self, step: u64) -> LearningRate {
        let LinearRampConfig {
            initial_lr,
            final_lr,
            steps,
        } = self.config;
        Anneal::Linear.between(initial_lr, final_lr, step as f64 / steps as f64)
    }
}

steps_along_its_curve!(LinearRamp);
