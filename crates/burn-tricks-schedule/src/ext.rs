//! The wrappers as methods of every `LrScheduler`, and of what Burn's configurations give.
//!
//! A chain reads from the inside out. Orders that differ: a warm-up before `per_epoch` counts epochs, after
//! it steps; `at_least` after a warm-up lifts the warm-up, before it not.

use crate::{
    BaseRate, Boxed, Ceiling, Floor, PerEpoch, PlateauConfig, ReduceOnPlateau, RepeatSkipped,
    Scaled, Sequence,
};
use crate::{Warmup, WarmupConfig};
use burn::lr_scheduler::LrScheduler;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::optim::LearningRate;
use burn_tricks_core::{ConfigError, SkipCount};

/// The wrappers as methods of every `LrScheduler`, Burn's constant (an `f64`) included. What the `init()` of
/// Burn's own configurations gives has them from [`ModuleLrSchedulerExt`].
///
/// ```
/// use burn_tricks_schedule::{CosineConfig, LrSchedulerExt};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let schedule = CosineConfig::new(0.1, 9_500)
///     .init()?
///     .at_least(1e-4)?
///     .with_warmup(500)?
///     .then(10_000, 1e-4)?;
/// # Ok(())
/// # }
/// ```
pub trait LrSchedulerExt: LrScheduler + Clone + Sized + 'static {
    /// Behind a warm-up, of a number of steps or as a [`WarmupConfig`] says: see [`WarmupConfig::init`].
    fn with_warmup(self, warmup: impl Into<WarmupConfig>) -> Result<Warmup<Self>, ConfigError> {
        warmup.into().init(self)
    }

    /// Followed by `next` from step `milestone` on: see [`Sequence::new`]. A sequence's own
    /// [`then`](Sequence::then) refuses a milestone before its last one; there is no error here. As `next`,
    /// one of Burn's own is `config.init()?.base_rate()?`.
    fn then<N: LrScheduler + Clone + 'static>(
        self,
        milestone: usize,
        next: N,
    ) -> Result<Sequence<Self, N>, ConfigError> {
        Ok(Sequence::new(self, milestone, next))
    }

    /// Stepped once per epoch: see [`PerEpoch::init`].
    fn per_epoch(self, steps_per_epoch: usize) -> Result<PerEpoch<Self>, ConfigError> {
        PerEpoch::init(self, steps_per_epoch)
    }

    /// Never below `floor`: see [`Floor::init`].
    fn at_least(self, floor: LearningRate) -> Result<Floor<Self>, ConfigError> {
        Floor::init(self, floor)
    }

    /// Never above `ceiling`: see [`Ceiling::init`].
    fn at_most(self, ceiling: LearningRate) -> Result<Ceiling<Self>, ConfigError> {
        Ceiling::init(self, ceiling)
    }

    /// Times `factor`: see [`Scaled::init`].
    fn scaled(self, factor: f64) -> Result<Scaled<Self>, ConfigError> {
        Scaled::init(self, factor)
    }

    /// Reduced when a metric stops improving: see [`ReduceOnPlateau::init`].
    fn reduced_on_plateau(
        self,
        config: &PlateauConfig,
    ) -> Result<ReduceOnPlateau<Self>, ConfigError> {
        ReduceOnPlateau::init(self, config)
    }

    /// Of one type, whatever schedule it is: see [`Boxed::new`].
    fn boxed(self) -> Boxed {
        Boxed::new(self)
    }

    /// The last rate again after a skipped step: see [`RepeatSkipped::new`].
    fn repeating_skipped(self, skips: SkipCount) -> RepeatSkipped<Self> {
        RepeatSkipped::new(self, skips)
    }
}

impl<S: LrScheduler + Clone + 'static> LrSchedulerExt for S {}

/// The wrappers as methods of Burn's `ModuleLrScheduler`, which the `init()` of Burn's own configurations gives.
/// They wrap its [`BaseRate`]; the result is an `LrScheduler`, with [`LrSchedulerExt`]'s methods for the next
/// wrapper.
///
/// Each is an error where the scheduler has groups of parameters, whose rates a wrapper cannot reach: see
/// [`base_rate`](crate::base_rate#groups-of-parameters). The other errors are those of the wrapper.
///
/// ```
/// use burn::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
/// use burn_tricks_schedule::{LrSchedulerExt, ModuleLrSchedulerExt};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let schedule = CosineAnnealingLrSchedulerConfig::new(0.1, 9_500)
///     .init()?
///     .with_warmup(500)?
///     .then(10_000, 1e-4)?;
/// # Ok(())
/// # }
/// ```
pub trait ModuleLrSchedulerExt: Sized {
    /// Its base rate, as an `LrScheduler`: see [`BaseRate::init`].
    fn base_rate(self) -> Result<BaseRate, ConfigError>;

    /// Behind a warm-up, of a number of steps or as a [`WarmupConfig`] says: see [`WarmupConfig::init`].
    fn with_warmup(self, warmup: impl Into<WarmupConfig>) -> Result<Warmup<BaseRate>, ConfigError> {
        self.base_rate()?.with_warmup(warmup)
    }

    /// Followed by `next` from step `milestone` on: see [`Sequence::new`]. As `next`, another of Burn's own is
    /// `config.init()?.base_rate()?`.
    fn then<N: LrScheduler + Clone + 'static>(
        self,
        milestone: usize,
        next: N,
    ) -> Result<Sequence<BaseRate, N>, ConfigError> {
        self.base_rate()?.then(milestone, next)
    }

    /// Stepped once per epoch: see [`PerEpoch::init`].
    fn per_epoch(self, steps_per_epoch: usize) -> Result<PerEpoch<BaseRate>, ConfigError> {
        self.base_rate()?.per_epoch(steps_per_epoch)
    }

    /// Never below `floor`: see [`Floor::init`].
    fn at_least(self, floor: LearningRate) -> Result<Floor<BaseRate>, ConfigError> {
        self.base_rate()?.at_least(floor)
    }

    /// Never above `ceiling`: see [`Ceiling::init`].
    fn at_most(self, ceiling: LearningRate) -> Result<Ceiling<BaseRate>, ConfigError> {
        self.base_rate()?.at_most(ceiling)
    }

    /// Times `factor`: see [`Scaled::init`].
    fn scaled(self, factor: f64) -> Result<Scaled<BaseRate>, ConfigError> {
        self.base_rate()?.scaled(factor)
    }

    /// Reduced when a metric stops improving: see [`ReduceOnPlateau::init`].
    fn reduced_on_plateau(
        self,
        config: &PlateauConfig,
    ) -> Result<ReduceOnPlateau<BaseRate>, ConfigError> {
        self.base_rate()?.reduced_on_plateau(config)
    }

    /// Of one type, whatever schedule it is: see [`Boxed::new`].
    fn boxed(self) -> Result<Boxed, ConfigError> {
        self.base_rate().map(Boxed::new)
    }

    /// The last rate again after a skipped step: see [`RepeatSkipped::new`].
    fn repeating_skipped(self, skips: SkipCount) -> Result<RepeatSkipped<BaseRate>, ConfigError> {
        Ok(self.base_rate()?.repeating_skipped(skips))
    }
}

impl ModuleLrSchedulerExt for ModuleLrScheduler {
    fn base_rate(self) -> Result<BaseRate, ConfigError> {
        BaseRate::init(self)
    }
}
