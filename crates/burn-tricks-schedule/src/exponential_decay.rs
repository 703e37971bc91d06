//! Exponential learning-rate decay.

use crate::curve::steps_along_its_curve;
use burn::optim::LearningRate;
use burn_tricks_core::{Config, ConfigError};
use serde::{Deserialize, Serialize};

/// What t counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum LrDecayUnit {
    /// Optimizer steps: the learning rate falls at each.
    Steps,
    /// Whole epochs: the learning rate falls from one epoch to the next and is constant in between.
    Epochs {
        /// Optimizer steps in one epoch, at least 1.
        steps: usize,
    },
    /// Epochs and their fractions: the learning rate falls at each step, by γ over a whole epoch.
    SmoothEpochs {
        /// Optimizer steps in one epoch, at least 1.
        steps: usize,
    },
}

/// Configuration of [`ExponentialDecay`]: exponential decay of the learning rate.
///
/// The learning rate is multiplied by γ after every unit of time. It is computed in closed form, so rounding
/// errors do not accumulate and the first value is exactly η₀:
///
/// ```text
/// η(t) = max(η₀ · γᵗ, floor)
/// ```
///
/// A Burn `LrScheduler` is called once per optimizer step and does not know of epochs: for a decay per epoch,
/// give the number of steps in an epoch. Without that number t counts steps, and the default γ = 0.98, which is
/// meant for epochs, reduces the learning rate to a thousandth in 342 steps.
///
/// # Example
///
/// ```
/// use burn::lr_scheduler::LrScheduler;
/// use burn_tricks_schedule::ExponentialDecayConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let steps_per_epoch = 2;
/// let mut schedule = ExponentialDecayConfig::new(0.1)
///     .with_gamma(0.98)
///     .with_steps_per_epoch(steps_per_epoch)
///     .init()?;
/// let rates: Vec<f64> = (0..5).map(|_| schedule.step()).collect();
/// assert_eq!(rates[..2], [0.1, 0.1]); // the first epoch
/// assert_eq!(rates[2], 0.1 * 0.98); // the second
/// # Ok(())
/// # }
/// ```
///
/// A smooth decay by half every 1000 steps, never below 1e-5:
///
/// ```
/// use burn_tricks_schedule::{LrDecayUnit, ExponentialDecayConfig};
///
/// let schedule = ExponentialDecayConfig::new(1e-2)
///     .with_gamma(0.5)
///     .with_unit(LrDecayUnit::SmoothEpochs { steps: 1000 })
///     .with_floor(Some(1e-5))
///     .init()?;
/// # Ok::<(), burn_tricks_core::ConfigError>(())
/// ```
///
/// # Order
///
/// It gives the `lr` of `ModuleOptimizer::step`, or the third argument of Burn's `Learner::new`. With
/// accumulated gradients, steps are optimizer steps, not batches.
///
/// # Cost
///
/// One power of a number per step. Its state is the number of steps taken.
///
/// # Differences
///
/// - Burn's `ExponentialLrScheduler` decays only per step, refuses η₀ > 1, and multiplies from step to step,
///   starting from η₀/γ, so that its first value is η₀ only up to rounding.
/// - PyTorch's `ExponentialLR` decays whenever its `step` is called, by convention once per epoch:
///   [`LrDecayUnit::Epochs`].
/// - optax's `exponential_decay` is smooth unless `staircase=True`; its `end_value` is the `floor` here.
///
/// # Suggested values
///
/// γ = 0.98 per epoch, the default; 0.97 every 2.4 epochs (EfficientNet, Tan and Le); floor 0.
///
/// # References
///
/// - PyTorch, `torch.optim.lr_scheduler.ExponentialLR`; optax, `exponential_decay`
/// - Tan, Le, *EfficientNet*, 2019, <https://arxiv.org/abs/1905.11946>
#[derive(Config, Debug, PartialEq)]
pub struct ExponentialDecayConfig {
    /// η₀ > 0, the learning rate of the first step.
    pub initial_lr: f64,
    /// γ in `(0, 1]`, the factor per unit of time. Default: 0.98, which is meant for epochs.
    #[config(default = 0.98)]
    pub gamma: f64,
    /// What t counts. Default: [`LrDecayUnit::Steps`].
    #[config(default = "LrDecayUnit::Steps")]
    pub unit: LrDecayUnit,
    /// The smallest learning rate, in `[0, η₀]`. Default: none.
    #[config(default = "None")]
    pub floor: Option<f64>,
}

impl ExponentialDecayConfig {
    /// Decays once per epoch of `steps` optimizer steps: [`LrDecayUnit::Epochs`].
    ///
    /// For `n` batches and gradients accumulated over `k` of them, `steps` is `n.div_ceil(k)`.
    #[must_use]
    pub fn with_steps_per_epoch(self, steps: usize) -> Self {
        self.with_unit(LrDecayUnit::Epochs { steps })
    }

    /// The schedule, before its first step.
    ///
    /// # Errors
    ///
    /// If η₀ is not finite and positive, γ not in `(0, 1]`, the floor not in `[0, η₀]`, or an epoch
    /// has no step.
    pub fn init(&self) -> Result<ExponentialDecay, ConfigError> {
        ConfigError::positive("initial_lr", self.initial_lr)?;
        ConfigError::factor("gamma", self.gamma)?;
        match self.unit {
            LrDecayUnit::Steps => {}
            LrDecayUnit::Epochs { steps } | LrDecayUnit::SmoothEpochs { steps } => {
                ConfigError::at_least_one("steps_per_epoch", steps)?;
            }
        }
        if let Some(floor) = self.floor {
            ConfigError::within("floor", floor, 0.0..=self.initial_lr)?;
        }
        Ok(ExponentialDecay {
            config: self.clone(),
            steps: 0,
        })
    }
}

/// The schedule `η₀ · γᵗ`. Made by [`ExponentialDecayConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct ExponentialDecay {
    config: ExponentialDecayConfig,
    /// Steps taken.
    steps: u64,
}

impl ExponentialDecay {
    /// The learning rate of step `step`, counted from 0. The schedule does not advance.
    pub fn at(&self, step: u64) -> LearningRate {
        let t = match self.config.unit {
            LrDecayUnit::Steps => step as f64,
            LrDecayUnit::Epochs { steps } => (step / steps as u64) as f64,
            LrDecayUnit::SmoothEpochs { steps } => step as f64 / steps as f64,
        };
        let rate = self.config.initial_lr * self.config.gamma.powf(t);
        rate.max(self.config.floor.unwrap_or(0.0))
    }
}

steps_along_its_curve!(ExponentialDecay);
