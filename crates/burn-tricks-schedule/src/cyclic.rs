//! A triangle wave between two learning rates.

use crate::curve::steps_along_its_curve;
use crate::cycles::Cycles;
use burn::optim::LearningRate;
use burn_tricks_core::{Config, ConfigError};
use serde::{Deserialize, Serialize};

/// The heights of the triangles.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum CyclicMode {
    /// All have the same height.
    Triangular,
    /// Each is half as high as the one before.
    Triangular2,
    /// The height shrinks from step to step.
    ExpRange {
        /// γ in `(0, 1]`, the factor per step.
        gamma: f64,
    },
}

/// Configuration of [`Cyclic`]: a triangle wave between two learning rates.
///
/// The learning rate moves in a straight line from `base_lr` to `max_lr` and back, again and again. With a = max −
/// base, the height h of the triangle in `[0, 1]`, and the number n of the cycle, from 0:
///
/// ```text
/// Triangular     η(t) = base + a · h(t)
/// Triangular2    η(t) = base + a · h(t) / 2ⁿ
/// ExpRange       η(t) = base + a · h(t) · γᵗ
/// ```
///
/// # Example
///
/// ```
/// use burn_tricks_schedule::CyclicConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let schedule = CyclicConfig::new(0.5, 1.0, 2).init()?;
/// let rates: Vec<f64> = (0..6).map(|step| schedule.at(step)).collect();
/// assert_eq!(rates, [0.5, 0.75, 1.0, 0.75, 0.5, 0.75]);
/// # Ok(())
/// # }
/// ```
///
/// Fast geometric ensembling starts each cycle at the high learning rate, and keeps a model at each low point, in the
/// middle of the cycle:
///
/// ```
/// use burn_tricks_schedule::CyclicConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let schedule = CyclicConfig::new(0.05, 1e-4, 200).init()?;
/// let kept: Vec<u64> = (0..1000).filter(|&step| schedule.is_trough(step)).collect();
/// assert_eq!(kept, [200, 600]);
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// It gives the `lr` of `ModuleOptimizer::step`. [`Cyclic::is_trough`] says after which steps a snapshot is
/// worth keeping. If a warm-up or another wrapper is around the schedule, call `is_trough` of the wrapper
/// ([`Cycles`]).
///
/// # Cost
///
/// One power of a number per step. Its state is the number of steps taken.
///
/// # Differences
///
/// - PyTorch's `CyclicLR` by default also changes the momentum, which falls while the learning rate rises; a schedule
///   here gives only the rate.
/// - Here `max_lr` may be smaller than `base_lr`: then each cycle starts at the higher learning rate.
///
/// # Suggested values
///
/// Half a cycle of 2 to 10 epochs; `base_lr` a quarter to a third of `max_lr`, both from a range test (Smith).
///
/// # References
///
/// - Smith, *Cyclical learning rates*, 2017, <https://arxiv.org/abs/1506.01186>
/// - Garipov et al., *Fast geometric ensembling*, 2018, <https://arxiv.org/abs/1802.10026>
#[derive(Config, Debug, PartialEq)]
pub struct CyclicConfig {
    /// The learning rate of the first step and at the end of each cycle, ≥ 0.
    pub base_lr: f64,
    /// The learning rate in the middle of a cycle, ≥ 0.
    pub max_lr: f64,
    /// Optimizer steps from `base_lr` to `max_lr`, at least 1.
    pub steps_up: usize,
    /// Optimizer steps from `max_lr` to `base_lr`, at least 1. Default: as many as `steps_up`.
    #[config(default = "None")]
    pub steps_down: Option<usize>,
    /// The heights of the triangles. Default: [`CyclicMode::Triangular`].
    #[config(default = "CyclicMode::Triangular")]
    pub mode: CyclicMode,
}

impl CyclicConfig {
    /// The schedule, before its first step.
    ///
    /// # Errors
    ///
    /// If a learning rate is negative or not finite, a number of steps 0, or γ not in `(0, 1]`.
    pub fn init(&self) -> Result<Cyclic, ConfigError> {
        ConfigError::non_negative("base_lr", self.base_lr)?;
        ConfigError::non_negative("max_lr", self.max_lr)?;
        ConfigError::at_least_one("steps_up", self.steps_up)?;
        ConfigError::at_least_one("steps_down", self.steps_down.unwrap_or(self.steps_up))?;
        if let CyclicMode::ExpRange { gamma } = self.mode {
            ConfigError::factor("gamma", gamma)?;
        }
        Ok(Cyclic {
            config: self.clone(),
            steps: 0,
        })
    }
}

/// A triangle wave. Made by [`CyclicConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct Cyclic {
    config: CyclicConfig,
    /// Steps taken.
    steps: u64,
}

impl Cyclic {
    /// The learning rate of step `step`, counted from 0. The schedule does not advance.
    pub fn at(&self, step: u64) -> LearningRate {
        let CyclicConfig {
            base_lr,
            max_lr,
            mode,
            ..
        } = self.config;
        let (up, down) = self.halves();
        let length = up.saturating_add(down);
        let passed = step % length;
        let height = if passed <= up {
            passed as f64 / up as f64
        } else {
            (length - passed) as f64 / down as f64
        };
        let scale = match mode {
            CyclicMode::Triangular => 1.0,
            CyclicMode::Triangular2 => 0.5_f64.powf((step / length) as f64),
            CyclicMode::ExpRange { gamma } => gamma.powf(step as f64),
        };
        let way = height * scale;
        // base + (max − base) need not give max back.
        if way == 1.0 {
            max_lr
        } else {
            base_lr + (max_lr - base_lr) * way
        }
    }

    /// Whether step `step`, counted from 0, is the last of its cycle: the next step has the learning rate `base_lr`.
    pub fn is_cycle_end(&self, step: u64) -> bool {
        let (up, down) = self.halves();
        let length = up.saturating_add(down);
        step % length == length - 1
    }

    /// Whether step `step`, counted from 0, has the lowest learning rate of its cycle: `base_lr`, or `max_lr` if that
    /// is smaller. The first step of the run does not count, since nothing is trained yet.
    pub fn is_trough(&self, step: u64) -> bool {
        let (up, down) = self.halves();
        let low = if self.config.max_lr < self.config.base_lr {
            up
        } else {
            0
        };
        step > 0 && step % up.saturating_add(down) == low
    }

    fn halves(&self) -> (u64, u64) {
        let up = self.config.steps_up;
        let down = self.config.steps_down.unwrap_or(up);
        (up as u64, down as u64)
    }
}

impl Cycles for Cyclic {
    fn is_cycle_end(&self, step: u64) -> bool {
        Self::is_cycle_end(self, step)
    }

    fn is_trough(&self, step: u64) -> bool {
        Self::is_trough(self, step)
    }
}

steps_along_its_curve!(Cyclic);
