//! Cosine decay with warm restarts (SGDR).

use crate::anneal::Anneal;
use crate::curve::steps_along_its_curve;
use crate::cycles::Cycles;
use burn::optim::LearningRate;
use burn_tricks_core::{Config, ConfigError};

/// Configuration of [`CosineRestarts`]: cosine decay with warm restarts (SGDR).
///
/// Cycle n has T·mⁿ steps. With t the number of steps since the cycle began:
///
/// ```text
/// η = η_min + (η₀ − η_min) · dⁿ · (1 + cos(π · t / (T·mⁿ))) / 2
/// ```
///
/// # Example
///
/// ```
/// use burn_tricks_schedule::CosineRestartsConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let schedule = CosineRestartsConfig::new(1.0, 2).with_multiplier(2).init()?;
/// assert_eq!([0, 2, 6, 14].map(|step| schedule.at(step)), [1.0; 4]); // cycles of 2, 4, 8 steps
/// # Ok(())
/// # }
/// ```
///
/// Five equal cycles, with a model of the ensemble kept at the end of each (snapshot ensembles):
///
/// ```
/// use burn_tricks_schedule::CosineRestartsConfig;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let steps = 1000_usize;
/// let schedule = CosineRestartsConfig::new(0.1, steps.div_ceil(5)).init()?;
/// let kept: Vec<u64> = (0..1000).filter(|&step| schedule.is_cycle_end(step)).collect();
/// assert_eq!(kept, [199, 399, 599, 799, 999]);
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// It gives the `lr` of `ModuleOptimizer::step`. [`CosineRestarts::is_cycle_end`] says after which steps a
/// snapshot is worth keeping. If a warm-up or another wrapper is around the schedule, call `is_cycle_end` of
/// the wrapper ([`Cycles`]).
///
/// # Cost
///
/// One cosine per step, and one loop over the cycles so far when they grow (64 at most). Its state is
/// the number of steps taken.
///
/// # Differences
///
/// - PyTorch's `CosineAnnealingWarmRestarts` has no d.
/// - Keras's `t_mul` and timm's `cycle_mul` may be fractions; here m is a whole number, as in PyTorch, so that
///   the cycles have whole lengths. Keras's `m_mul` is d here. timm's `cycle_decay` shrinks η₀ itself, so the
///   learning rate may fall below η_min.
/// - optax's `sgdr_schedule` lists the cycles one by one, each with a warm-up: a
///   [`Sequence`](crate::Sequence), made in a loop with [`Boxed`](crate::Boxed).
///
/// # Suggested values
///
/// m = 2 and T of 1 or 10 epochs (Loshchilov and Hutter); m = 1 and five cycles for snapshots (Huang et al.).
///
/// # References
///
/// - Loshchilov, Hutter, *SGDR*, 2017, <https://arxiv.org/abs/1608.03983>
/// - Huang et al., *Snapshot ensembles*, 2017, <https://arxiv.org/abs/1704.00109>
#[derive(Config, Debug, PartialEq)]
pub struct CosineRestartsConfig {
    /// η₀ > 0, the learning rate of the first step.
    pub initial_lr: f64,
    /// T, the optimizer steps of the first cycle, at least 1.
    pub period: usize,
    /// m, the factor by which each cycle is longer than the one before, at least 1. Default: 1.
    #[config(default = 1)]
    pub multiplier: usize,
    /// η_min in `[0, η₀]`, which the learning rate approaches at the end of a cycle. Default: 0.
    #[config(default = 0.0)]
    pub min_lr: f64,
    /// d in `(0, 1]`, the factor by which the distance from η_min to the first learning rate of a cycle shrinks from
    /// cycle to cycle. Default: 1.
    #[config(default = 1.0)]
    pub peak_decay: f64,
}

impl CosineRestartsConfig {
    /// The schedule, before its first step.
    ///
    /// # Errors
    ///
    /// If η₀ is not finite and positive, η_min not in `[0, η₀]`, `period` or `multiplier` 0, or
    /// `peak_decay` not in `(0, 1]`.
    pub fn init(&self) -> Result<CosineRestarts, ConfigError> {
        ConfigError::positive("initial_lr", self.initial_lr)?;
        ConfigError::at_least_one("period", self.period)?;
        ConfigError::at_least_one("multiplier", self.multiplier)?;
        ConfigError::within("min_lr", self.min_lr, 0.0..=self.initial_lr)?;
        ConfigError::factor("peak_decay", self.peak_decay)?;
        Ok(CosineRestarts {
            config: self.clone(),
            steps: 0,
        })
    }
}

/// Cosine decays one after the other. Made by [`CosineRestartsConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct CosineRestarts {
    config: CosineRestartsConfig,
    /// Steps taken.
    steps: u64,
}

/// The cycle of a step: its number, its length, and the steps that have passed in it.
struct Cycle {
    number: u64,
    length: u64,
    passed: u64,
}

impl CosineRestarts {
    /// The learning rate of step `step`, counted from 0. The schedule does not advance.
    pub fn at(&self, step: u64) -> LearningRate {
        let CosineRestartsConfig {
            initial_lr,
            min_lr,
            peak_decay,
            ..
        } = self.config;
        let cycle = self.cycle(step);
        // η_min + (η₀ − η_min) need not give η₀ back.
        let peak = if peak_decay == 1.0 || cycle.number == 0 {
            initial_lr
        } else {
            min_lr + (initial_lr - min_lr) * peak_decay.powf(cycle.number as f64)
        };
        Anneal::Cosine.between(peak, min_lr, cycle.passed as f64 / cycle.length as f64)
    }

    /// Whether step `step`, counted from 0, is the last of its cycle, that of the smallest learning rate.
    pub fn is_cycle_end(&self, step: u64) -> bool {
        let cycle = self.cycle(step);
        cycle.passed + 1 == cycle.length
    }

    fn cycle(&self, step: u64) -> Cycle {
        let mut length = self.config.period as u64;
        let multiplier = self.config.multiplier as u64;
        if multiplier == 1 {
            return Cycle {
                number: step / length,
                length,
                passed: step % length,
            };
        }
        let (mut number, mut passed) = (0, step);
        while passed >= length {
            passed -= length;
            length = length.saturating_mul(multiplier);
            number += 1;
        }
        Cycle {
            number,
            length,
            passed,
        }
    }
}

impl Cycles for CosineRestarts {
    fn is_cycle_end(&self, step: u64) -> bool {
        Self::is_cycle_end(self, step)
    }
}

steps_along_its_curve!(CosineRestarts);
