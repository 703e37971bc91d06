//! A decay by a constant factor at each of several milestones.

use crate::curve::steps_along_its_curve;
use burn::optim::LearningRate;
use burn_tricks_core::{Config, ConfigError};

/// Configuration of [`MultiStep`]: a decay by a constant factor at each of several milestones.
///
/// ```text
/// η(t) = η₀ · γⁿ,  n = the number of milestones ≤ t
/// ```
///
/// # Example
///
/// ```
/// use burn::lr_scheduler::LrScheduler;
/// use burn_tricks_schedule::MultiStepConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let mut schedule = MultiStepConfig::new(1.0, vec![2, 3]).with_gamma(0.5).init()?;
/// let rates: Vec<f64> = (0..5).map(|_| schedule.step()).collect();
/// assert_eq!(rates, [1.0, 1.0, 0.5, 0.25, 0.25]);
/// # Ok(())
/// # }
/// ```
///
/// Milestones at a half and at three quarters of the run:
///
/// ```
/// use burn_tricks_schedule::{MultiStepConfig, Run};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let run = Run::init(200, 391)?;
/// let milestones = vec![run.fraction(0.5)?, run.fraction(0.75)?];
/// let schedule = MultiStepConfig::new(0.1, milestones).init()?;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// It gives the `lr` of `ModuleOptimizer::step`. Inside [`PerEpoch`](crate::PerEpoch) the milestones
/// are epochs.
///
/// # Cost
///
/// A binary search per step. Its state is the number of steps taken.
///
/// # Differences
///
/// - PyTorch's `MultiStepLR` accepts milestones in any order, and applies a milestone that is given twice two
///   times; here they must increase.
/// - optax's `piecewise_constant_schedule` has a separate factor for each boundary.
///
/// # Suggested values
///
/// γ = 0.1 at 50 % and 75 % of the run (ResNet on CIFAR-10, He et al.).
///
/// # References
///
/// - He, Zhang, Ren, Sun, *Deep residual learning*, 2015, <https://arxiv.org/abs/1512.03385>
/// - PyTorch, `MultiStepLR`
#[derive(Config, Debug, PartialEq)]
pub struct MultiStepConfig {
    /// η₀ > 0, the learning rate of the first step.
    pub initial_lr: f64,
    /// The optimizer steps, counted from 0, from which on the learning rate is multiplied by γ: increasing, the first
    /// at least 1. Without milestones the rate is constant.
    pub milestones: Vec<usize>,
    /// γ in `(0, 1]`, the factor at each milestone. Default: 0.1.
    #[config(default = 0.1)]
    pub gamma: f64,
}

impl MultiStepConfig {
    /// The schedule, before its first step.
    ///
    /// # Errors
    ///
    /// If η₀ is not finite and positive, γ not in `(0, 1]`, or the milestones do not increase from 1 on.
    pub fn init(&self) -> Result<MultiStep, ConfigError> {
        ConfigError::positive("initial_lr", self.initial_lr)?;
        ConfigError::factor("gamma", self.gamma)?;
        let increasing = self.milestones.is_sorted_by(|a, b| a < b);
        if !increasing || self.milestones.first() == Some(&0) {
            let requirement = "increase, from at least 1 on";
            return Err(ConfigError::new(
                "milestones",
                requirement,
                &self.milestones,
            ));
        }
        Ok(MultiStep {
            config: self.clone(),
            steps: 0,
        })
    }
}

/// A piecewise constant, falling schedule. Made by [`MultiStepConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct MultiStep {
    config: MultiStepConfig,
    /// Steps taken.
    steps: u64,
}

impl MultiStep {
    /// The learning rate of step `step`, counted from 0. The schedule does not advance.
    pub fn at(&self, step: u64) -> LearningRate {
        let milestones = &self.config.milestones;
        let passed = milestones.partition_point(|&milestone| milestone as u64 <= step);
        self.config.initial_lr * self.config.gamma.powf(passed as f64)
    }
}

steps_along_its_curve!(MultiStep);
