//! The wrappers as methods of every `LrScheduler`.
//!
//! A chain reads from the inside out. Orders that differ: a warm-up before `per_epoch` counts epochs, after
//! it steps; `at_least` after a warm-up lifts the warm-up, before it not.

use crate::{Ceiling, Floor, PerEpoch, PlateauConfig, ReduceOnPlateau, Sequence};
use crate::{Warmup, WarmupConfig};
use burn::lr_scheduler::LrScheduler;
use burn::optim::LearningRate;
use burn_tricks_core::ConfigError;

/// The wrappers as methods of every `LrScheduler`, Burn's constant (an `f64`) included.
///
/// ```
/// use burn_tricks_schedule::{CosineConfig, LrSchedulerExt, WarmupConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let schedule = CosineConfig::new(0.1, 9_500)
///     .init()?
///     .at_least(1e-4)?
///     .with_warmup(WarmupConfig::new(500))?
///     .then(10_000, 1e-4)?;
/// # Ok(())
/// # }
/// ```
pub trait LrSchedulerExt: LrScheduler + Clone + Sized + 'static {
    /// Behind a warm-up: see [`WarmupConfig::init`].
    fn with_warmup(self, config: WarmupConfig) -> Result<Warmup<Self>, ConfigError> {
        config.init(self)
    }

    /// Followed by `next` from step `milestone` on: see [`Sequence::then`].
    fn then(
        self,
        milestone: usize,
        next: impl LrScheduler + 'static,
    ) -> Result<Sequence, ConfigError> {
        Sequence::new(self).then(milestone, next)
    }

    /// Stepped once per epoch: see [`PerEpoch::new`].
    fn per_epoch(self, steps_per_epoch: usize) -> Result<PerEpoch<Self>, ConfigError> {
        PerEpoch::new(self, steps_per_epoch)
    }

    /// Never below `floor`: see [`Floor::new`].
    fn at_least(self, floor: LearningRate) -> Result<Floor<Self>, ConfigError> {
        Floor::new(self, floor)
    }

    /// Never above `ceiling`: see [`Ceiling::new`].
    fn at_most(self, ceiling: LearningRate) -> Result<Ceiling<Self>, ConfigError> {
        Ceiling::new(self, ceiling)
    }

    /// Reduced when a metric stops improving: see [`ReduceOnPlateau::new`].
    fn reduced_on_plateau(
        self,
        config: &PlateauConfig,
    ) -> Result<ReduceOnPlateau<Self>, ConfigError> {
        ReduceOnPlateau::new(self, config)
    }
}

impl<S: LrScheduler + Clone + 'static> LrSchedulerExt for S {}
