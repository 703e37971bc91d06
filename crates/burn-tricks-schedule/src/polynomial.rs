//! Polynomial decay.

use crate::curve::steps_along_its_curve;
use burn::optim::LearningRate;
use burn_tricks_core::{Config, ConfigError};

/// Configuration of [`Polynomial`] decay.
///
/// ```text
/// η(t) = η₁ + (η₀ − η₁) · (1 − min(t/T, 1))ᵖ
/// ```
///
/// # Example
///
/// ```
/// use burn::lr_scheduler::LrScheduler;
/// use burn_tricks_schedule::PolynomialConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let mut schedule = PolynomialConfig::new(1.0, 4).with_power(2.0).init()?;
/// let rates: Vec<f64> = (0..6).map(|_| schedule.step()).collect();
/// assert_eq!(rates, [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0]);
/// # Ok(())
/// # }
/// ```
///
/// The usual schedule for segmentation networks:
///
/// ```
/// use burn_tricks_schedule::PolynomialConfig;
///
/// let schedule = PolynomialConfig::new(0.01, 90_000).with_power(0.9).with_final_lr(1e-4).init()?;
/// # Ok::<(), burn_tricks_core::ConfigError>(())
/// ```
///
/// # Order
///
/// It gives the `lr` of `ModuleOptimizer::step`.
///
/// # Cost
///
/// One power of a number per step. Its state is the number of steps taken.
///
/// # Differences
///
/// - PyTorch's `PolynomialLR` has no η₁; optax's `polynomial_schedule` may also rise; this one may not.
/// - Keras's `cycle=True`, which doubles T when it is reached, does not exist here.
///
/// # Suggested values
///
/// p = 0.9 (DeepLab, Chen et al.); p = 2 with LARS for large batches (You et al.). p = 1 gives the learning rates of
/// [`LinearRamp`](crate::LinearRamp) up to rounding.
///
/// # References
///
/// - Chen et al., *DeepLab*, 2017, <https://arxiv.org/abs/1606.00915>
/// - You, Gitman, Ginsburg, *Large batch training of convolutional networks*, 2017,
///   <https://arxiv.org/abs/1708.03888>
#[derive(Config, Debug, PartialEq)]
pub struct PolynomialConfig {
    /// η₀ > 0, the learning rate of the first step.
    pub initial_lr: f64,
    /// T, the optimizer steps from η₀ to η₁, at least 1.
    pub steps: usize,
    /// p > 0: above 1 the learning rate falls fastest at the start, below 1 at the end. Default: 1, a straight line.
    #[config(default = 1.0)]
    pub power: f64,
    /// η₁ in `[0, η₀]`, the learning rate of step T and of all after it. Default: 0.
    #[config(default = 0.0)]
    pub final_lr: f64,
}

impl PolynomialConfig {
    /// The schedule, before its first step.
    ///
    /// # Errors
    ///
    /// If η₀ or the power is not finite and positive, η₁ not in `[0, η₀]`, or `steps` is 0.
    pub fn init(&self) -> Result<Polynomial, ConfigError> {
        ConfigError::positive("initial_lr", self.initial_lr)?;
        ConfigError::at_least_one("steps", self.steps)?;
        ConfigError::positive("power", self.power)?;
        ConfigError::within("final_lr", self.final_lr, 0.0..=self.initial_lr)?;
        Ok(Polynomial {
            config: self.clone(),
            steps: 0,
        })
    }
}

/// A decay by a power of the remaining time. Made by [`PolynomialConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct Polynomial {
    config: PolynomialConfig,
    /// Steps taken.
    steps: u64,
}

impl Polynomial {
    /// The learning rate of step `step`, counted from 0. The schedule does not advance.
    pub fn at(&self, step: u64) -> LearningRate {
        let PolynomialConfig {
            initial_lr,
            steps,
            power,
            final_lr,
        } = self.config;
        // Both ends are exact: η₁ + (η₀ − η₁) need not give η₀ back.
        if step == 0 {
            return initial_lr;
        }
        let left = steps as f64 - step as f64;
        if left <= 0.0 {
            return final_lr;
        }
        final_lr + (initial_lr - final_lr) * (left / steps as f64).powf(power)
    }
}

steps_along_its_curve!(Polynomial);
