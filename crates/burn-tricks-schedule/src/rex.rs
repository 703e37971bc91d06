//! REX, the reflected exponential schedule.

use crate::curve::steps_along_its_curve;
use burn::optim::LearningRate;
use burn_tricks_core::{Config, ConfigError};

/// Configuration of [`Rex`], the reflected exponential schedule: the learning rate stays high for long and falls fast at
/// the end.
///
/// ```text
/// z = 1 − min(t/T, 1)
/// η(t) = η₁ + (η₀ − η₁) · z / (β + (1 − β) z)
/// ```
///
/// β = 1 is a straight line. The smaller β, the longer the rate stays high.
///
/// # Example
///
/// ```
/// use burn::lr_scheduler::LrScheduler;
/// use burn_tricks_schedule::RexConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let mut schedule = RexConfig::new(0.9, 4).init()?;
/// let rates: Vec<f64> = (0..6).map(|_| schedule.step()).collect();
/// for (rate, expected) in rates.iter().zip([0.9, 0.771, 0.6, 0.36, 0.0, 0.0]) {
///     assert!((rate - expected).abs() < 1e-3);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// It gives the `lr` of `ModuleOptimizer::step`.
///
/// # Cost
///
/// One quotient per step. Its state is the number of steps taken.
///
/// # Differences
///
/// The authors' program and `pytorch_optimizer`'s `REXScheduler` have β = ½, the default here.
///
/// # Suggested values
///
/// β = ½, for short trainings: Chen et al. compare it with seven schedules over budgets of 1 % to 100 %.
///
/// # References
///
/// - Chen, Wolfe, Kyrillidis, *REX: revisiting budgeted training with an improved schedule*, 2022,
///   <https://arxiv.org/abs/2107.04197>
#[derive(Config, Debug, PartialEq)]
pub struct RexConfig {
    /// η₀ > 0, the learning rate of the first step.
    pub initial_lr: f64,
    /// T, the optimizer steps from η₀ to η₁, at least 1.
    pub steps: usize,
    /// η₁ in `[0, η₀]`, the learning rate of step T and of all after it. Default: 0.
    #[config(default = 0.0)]
    pub final_lr: f64,
    /// β in (0, 1]. Default: 0.5.
    #[config(default = 0.5)]
    pub beta: f64,
}

impl RexConfig {
    /// The schedule, before its first step.
    ///
    /// # Errors
    ///
    /// If η₀ is not finite and positive, η₁ not in `[0, η₀]`, β not in (0, 1], or `steps` is 0.
    pub fn init(&self) -> Result<Rex, ConfigError> {
        ConfigError::positive("initial_lr", self.initial_lr)?;
        ConfigError::at_least_one("steps", self.steps)?;
        ConfigError::within("final_lr", self.final_lr, 0.0..=self.initial_lr)?;
        ConfigError::factor("beta", self.beta)?;
        Ok(Rex {
            config: self.clone(),
            steps: 0,
        })
    }
}

/// A decay that is slow at first and fast at the end. Made by [`RexConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct Rex {
    config: RexConfig,
    /// Steps taken.
    steps: u64,
}

impl Rex {
    /// The learning rate of step `step`, counted from 0. The schedule does not advance.
    pub fn at(&self, step: u64) -> LearningRate {
        let RexConfig {
            initial_lr,
            steps,
            final_lr,
            beta,
        } = self.config;
        // Both ends are exact: η₁ + (η₀ − η₁) need not give η₀ back.
        if step == 0 {
            return initial_lr;
        }
        let left = 1.0 - step as f64 / steps as f64;
        if left <= 0.0 {
            return final_lr;
        }
        final_lr + (initial_lr - final_lr) * left / (beta + (1.0 - beta) * left)
    }
}

steps_along_its_curve!(Rex);
