//! Decay with the inverse square root of time.

use crate::curve::steps_along_its_curve;
use burn::optim::LearningRate;
use burn_tricks_core::{Config, ConfigError};

/// Configuration of [`InverseSqrt`]: decay with the inverse square root of time.
///
/// ```text
/// η(t) = η₀ · √(s / (s + t))
/// ```
///
/// The decay never ends, so the length of the run need not be known. The time scale s determines how soon the
/// learning rate falls: after 3s steps it is half of η₀.
///
/// # Example
///
/// ```
/// use burn_tricks_schedule::InverseSqrtConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let schedule = InverseSqrtConfig::new(0.1).with_timescale(1000).init()?;
/// assert_eq!(schedule.at(0), 0.1);
/// assert_eq!(schedule.at(3000), 0.05);
/// # Ok(())
/// # }
/// ```
///
/// The Transformer's schedule ("Noam") for width d and w steps of warm-up. With the step number n = t + 1, its
/// learning rate is d^(−1/2) · min(n^(−1/2), n · w^(−3/2)). It rises to (d·w)^(−1/2) at n = w, in equal steps from
/// 1/w of that rate; then it decays as here, with time scale w.
///
/// ```
/// use burn::lr_scheduler::LrScheduler;
/// use burn_tricks_schedule::{InverseSqrtConfig, LrSchedulerExt, WarmupConfig, WarmupStart};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let (d, w) = (512.0, 4000);
/// let start = WarmupStart::Factor(1.0 / w as f64);
/// let mut noam = InverseSqrtConfig::new((d * w as f64).powf(-0.5))
///     .with_timescale(w)
///     .init()?
///     .with_warmup(WarmupConfig::new(w - 1).with_start(start))?;
/// let first = d.powf(-0.5) * (w as f64).powf(-1.5);
/// assert!((noam.step() / first - 1.0).abs() < 1e-12);
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// It gives the `lr` of `ModuleOptimizer::step`, nearly always behind a [`Warmup`](crate::Warmup).
///
/// # Cost
///
/// One square root per step. Its state is the number of steps taken.
///
/// # Differences
///
/// - Burn's Noam schedule, fairseq's `inverse_sqrt` and the Transformer's include the warm-up and use its
///   length as the time scale; here warm-up and decay are separate.
/// - Hugging Face's `timescale` is s; its default is the length of the warm-up.
///
/// # Suggested values
///
/// s = the steps of the warm-up: 4000 (Vaswani et al.), 10⁴ (T5, Raffel et al.).
///
/// # References
///
/// - Vaswani et al., *Attention is all you need*, 2017, <https://arxiv.org/abs/1706.03762>
/// - Raffel et al., *T5*, 2020, <https://arxiv.org/abs/1910.10683>
#[derive(Config, Debug, PartialEq)]
pub struct InverseSqrtConfig {
    /// η₀ > 0, the learning rate of the first step.
    pub initial_lr: f64,
    /// s, the time scale in optimizer steps, at least 1. Default: 1, which gives η₀/√(t + 1).
    #[config(default = 1)]
    pub timescale: usize,
}

impl InverseSqrtConfig {
    /// The schedule, before its first step.
    ///
    /// # Errors
    ///
    /// If η₀ is not finite and positive, or `timescale` is 0.
    pub fn init(&self) -> Result<InverseSqrt, ConfigError> {
        ConfigError::positive("initial_lr", self.initial_lr)?;
        ConfigError::at_least_one("timescale", self.timescale)?;
        Ok(InverseSqrt {
            config: self.clone(),
            steps: 0,
        })
    }
}

/// The schedule `η₀ · √(s / (s + t))`. Made by [`InverseSqrtConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct InverseSqrt {
    config: InverseSqrtConfig,
    /// Steps taken.
    steps: u64,
}

impl InverseSqrt {
    /// The learning rate of step `step`, counted from 0. The schedule does not advance.
    pub fn at(&self, step: u64) -> LearningRate {
        let timescale = self.config.timescale as f64;
        self.config.initial_lr * (timescale / (timescale + step as f64)).sqrt()
    }
}

steps_along_its_curve!(InverseSqrt);
