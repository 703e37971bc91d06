//! Warm-up, constant, decay (WSD, a trapezoid).

use crate::anneal::Anneal;
use crate::curve::steps_along_its_curve;
use burn::optim::LearningRate;
use burn_tricks_core::{Config, ConfigError};
use serde::{Deserialize, Serialize};

/// The curve of the decay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LrDecayShape {
    /// A straight line.
    Linear,
    /// Half a cosine.
    Cosine,
    /// One minus the square root of time: the learning rate falls fastest at first.
    OneMinusSqrt,
}

/// Configuration of [`WarmupStableDecay`]: warm-up, constant, decay (WSD, a trapezoid).
///
/// The learning rate rises for W steps, stays constant, and falls in the last D of T steps:
///
/// ```text
/// η(t) = η · (t + 1)/W                        t < W
///        η                                    W ≤ t ≤ T − D
///        η₁ + (η − η₁) · s((t − T + D)/D)      T − D < t < T
///        η₁                                   T ≤ t
/// ```
///
/// The function s falls from 1 to 0 as p goes from 0 to 1: 1 − p, (1 + cos πp)/2 or 1 − √p. The end of the
/// constant phase need not be known in advance: a run can be resumed from that phase with a larger T, and decay
/// later.
///
/// # Example
///
/// ```
/// use burn::lr_scheduler::LrScheduler;
/// use burn_tricks_schedule::WarmupStableDecayConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let mut schedule = WarmupStableDecayConfig::new(1.0, 7, 2).with_warmup_steps(2).init()?;
/// let rates: Vec<f64> = (0..9).map(|_| schedule.step()).collect();
/// assert_eq!(rates, [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.0, 0.0]);
/// # Ok(())
/// # }
/// ```
///
/// A decay along 1 − √p over the last fifth of the run, and a warm-up over 1 % of it:
///
/// ```
/// use burn_tricks_schedule::{LrDecayShape, Run, WarmupStableDecayConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let run = Run::init(10, 1000)?;
/// let schedule = WarmupStableDecayConfig::new(1e-3, run.steps(), run.fraction(0.2)?)
///     .with_warmup_steps(run.fraction(0.01)?)
///     .with_shape(LrDecayShape::OneMinusSqrt)
///     .init()?;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// It gives the `lr` of `ModuleOptimizer::step`, for a run of T steps.
///
/// # Cost
///
/// A few operations per step. Its state is the number of steps taken.
///
/// # Differences
///
/// - The warm-up begins at η/W and reaches η at its last step, as in the papers. A [`Warmup`](crate::Warmup)
///   begins at a configured learning rate, and reaches η one step after its last.
/// - MiniCPM's own decay is exponential: use a [`Sequence`](crate::Sequence) that ends in
///   [`ExponentialDecay`](crate::ExponentialDecay).
///
/// # Suggested values
///
/// D = T/5 along 1 − √p, to 0 (Hägele et al.); D = T/10 (MiniCPM, Hu et al.).
///
/// # References
///
/// - Hu et al., *MiniCPM*, 2024, <https://arxiv.org/abs/2404.06395>
/// - Hägele et al., *Scaling laws and compute-optimal training beyond fixed training durations*, 2024,
///   <https://arxiv.org/abs/2405.18392>
#[derive(Config, Debug, PartialEq)]
pub struct WarmupStableDecayConfig {
    /// η > 0, the learning rate of the constant phase.
    pub peak_lr: f64,
    /// T, the optimizer steps of the whole run, at least 1.
    pub steps: usize,
    /// D, the number of last steps over which the learning rate falls. With 0 it never falls.
    pub decay_steps: usize,
    /// W, the number of first steps over which the learning rate rises. Default: 0.
    #[config(default = 0)]
    pub warmup_steps: usize,
    /// η₁ in `[0, η]`, the learning rate of step T and of all after it. Default: 0.
    #[config(default = 0.0)]
    pub final_lr: f64,
    /// The curve of the decay. Default: [`LrDecayShape::Linear`].
    #[config(default = "LrDecayShape::Linear")]
    pub shape: LrDecayShape,
}

impl WarmupStableDecayConfig {
    /// The schedule, before its first step.
    ///
    /// # Errors
    ///
    /// If η is not finite and positive, η₁ not in `[0, η]`, `steps` is 0, or if the warm-up and the decay
    /// together are longer than `steps`.
    pub fn init(&self) -> Result<WarmupStableDecay, ConfigError> {
        ConfigError::positive("peak_lr", self.peak_lr)?;
        ConfigError::at_least_one("steps", self.steps)?;
        ConfigError::within("final_lr", self.final_lr, 0.0..=self.peak_lr)?;
        let both = self.warmup_steps.checked_add(self.decay_steps);
        if both.is_none_or(|both| both > self.steps) {
            let requirement = "be at most `steps`, together with `warmup_steps`";
            let got = (self.decay_steps, self.warmup_steps, self.steps);
            return Err(ConfigError::new("decay_steps", requirement, got));
        }
        Ok(WarmupStableDecay {
            config: self.clone(),
            steps: 0,
        })
    }
}

/// A trapezoid. Made by [`WarmupStableDecayConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct WarmupStableDecay {
    config: WarmupStableDecayConfig,
    /// Steps taken.
    steps: u64,
}

impl WarmupStableDecay {
    /// The learning rate of step `step`, counted from 0. The schedule does not advance.
    pub fn at(&self, step: u64) -> LearningRate {
        let config = &self.config;
        if step < config.warmup_steps as u64 {
            return config.peak_lr * ((step + 1) as f64 / config.warmup_steps as f64);
        }
        let decay_start = (config.steps - config.decay_steps) as u64;
        if step <= decay_start || config.decay_steps == 0 {
            return config.peak_lr;
        }
        let p = (step - decay_start) as f64 / config.decay_steps as f64;
        let (anneal, p) = match config.shape {
            LrDecayShape::Linear => (Anneal::Linear, p),
            LrDecayShape::Cosine => (Anneal::Cosine, p),
            LrDecayShape::OneMinusSqrt => (Anneal::Linear, p.sqrt()),
        };
        anneal.between(config.peak_lr, config.final_lr, p)
    }
}

steps_along_its_curve!(WarmupStableDecay);
