//! Cosine decay, held at its end.

use crate::anneal::Anneal;
use crate::curve::steps_along_its_curve;
use burn::optim::LearningRate;
use burn_tricks_core::{Config, ConfigError};

/// Configuration of [`Cosine`]: cosine decay, held at its end.
///
/// ```text
/// η(t) = η_min + (η₀ − η_min) · (1 + cos(π · min(t/T, 1))) / 2
/// ```
///
/// # Example
///
/// ```
/// use burn::lr_scheduler::LrScheduler;
/// use burn_tricks_schedule::CosineConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let mut schedule = CosineConfig::new(0.4, 2).init()?;
/// assert_eq!(schedule.step(), 0.4);
/// assert!((schedule.step() - 0.2).abs() < 1e-12);
/// assert_eq!([schedule.step(), schedule.step()], [0.0, 0.0]);
/// # Ok(())
/// # }
/// ```
///
/// A decay over nine tenths of a run, to a hundredth of the first rate:
///
/// ```
/// use burn_tricks_schedule::{CosineConfig, Run};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let run = Run::init(20, 150)?;
/// let schedule = CosineConfig::new(0.1, run.fraction(0.9)?).with_min_lr(0.001).init()?;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// It gives the `lr` of `ModuleOptimizer::step`. Often a [`Warmup`](crate::Warmup) comes first, and T is the
/// rest of the run.
///
/// # Cost
///
/// One cosine per step. Its state is the number of steps taken.
///
/// # Differences
///
/// - PyTorch's `CosineAnnealingLR` and Burn's schedule rise again after T, so a run that is longer than planned
///   ends at a high learning rate. Here, as in optax and Keras, the rate stays at η_min.
/// - `alpha` of optax and Keras is η_min/η₀.
/// - PyTorch's `SWALR` with `anneal_strategy="cos"` is this schedule with `swa_lr` as η_min, if `swa_lr` is at most the
///   present learning rate. If it is larger, the rise is a [`WarmupConfig`](crate::WarmupConfig) in front of the constant
///   `swa_lr`, with the shape [`Anneal::Cosine`](crate::Anneal::Cosine) and the present rate as its start.
///
/// # Suggested values
///
/// T = the whole run, η_min = 0 (Loshchilov and Hutter); η₀/10 for language models (Hoffmann et al.).
///
/// # References
///
/// - Loshchilov, Hutter, *SGDR*, 2017, <https://arxiv.org/abs/1608.03983>
/// - Hoffmann et al., *Training compute-optimal large language models*, 2022,
///   <https://arxiv.org/abs/2203.15556>
#[derive(Config, Debug, PartialEq)]
pub struct CosineConfig {
    /// η₀ > 0, the learning rate of the first step.
    pub initial_lr: f64,
    /// T, the optimizer steps from η₀ to η_min, at least 1.
    pub steps: usize,
    /// η_min in `[0, η₀]`, the learning rate of step T and of all after it. Default: 0.
    #[config(default = 0.0)]
    pub min_lr: f64,
}

impl CosineConfig {
    /// The schedule, before its first step.
    ///
    /// # Errors
    ///
    /// If η₀ is not finite and positive, η_min not in `[0, η₀]`, or `steps` is 0.
    pub fn init(&self) -> Result<Cosine, ConfigError> {
        ConfigError::positive("initial_lr", self.initial_lr)?;
        ConfigError::at_least_one("steps", self.steps)?;
        ConfigError::within("min_lr", self.min_lr, 0.0..=self.initial_lr)?;
        Ok(Cosine {
            config: self.clone(),
            steps: 0,
        })
    }
}

/// Half a cosine, then constant. Made by [`CosineConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct Cosine {
    config: CosineConfig,
    /// Steps taken.
    steps: u64,
}

impl Cosine {
    /// The learning rate of step `step`, counted from 0. The schedule does not advance.
    pub fn at(&self, step: u64) -> LearningRate {
        let CosineConfig {
            initial_lr,
            steps,
            min_lr,
        } = self.config;
        Anneal::Cosine.between(initial_lr, min_lr, step as f64 / steps as f64)
    }
}

steps_along_its_curve!(Cosine);
