//! The wrappers as methods of every `LrScheduler`, and of the schedulers that Burn's configurations give.
//!
//! Each method wraps the schedule to its left, so a chain reads from the inside out, and the order matters. A
//! warm-up called before `per_epoch` counts epochs and should start above 0, or the first epoch has the rate 0; one
//! called after it counts steps. `at_least` after a
//! warm-up also raises the learning rates of the warm-up; before it, it does not.

use crate::base_lr::BaseLr;
use crate::boxed::Boxed;
use crate::ceiling::Ceiling;
use crate::constant_rate;
use crate::floor::Floor;
use crate::per_epoch::PerEpoch;
use crate::plateau::PlateauConfig;
use crate::reduce_on_plateau::ReduceOnPlateau;
use crate::repeat_skipped::RepeatSkipped;
use crate::scaled::Scaled;
use crate::sequence::Sequence;
use crate::warmup::{Warmup, WarmupConfig};
use burn::lr_scheduler::LrScheduler;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::optim::LearningRate;
use burn_tricks_core::{ConfigError, SkipCount};

/// The wrappers as methods of every `LrScheduler`, Burn's constant (an `f64`) included. Schedulers from the
/// `init()` of Burn's own configurations have the methods of [`ModuleLrSchedulerExt`].
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
    /// This schedule behind a warm-up, given as a number of steps or a [`WarmupConfig`]: see [`WarmupConfig::init`].
    fn with_warmup(self, warmup: impl Into<WarmupConfig>) -> Result<Warmup<Self>, ConfigError> {
        warmup.into().init(self)
    }

    /// This schedule, followed by `next` from step `milestone` on: see [`Sequence::new`]. On a [`Sequence`],
    /// its own [`then`](Sequence::then) is called instead, where a milestone before the last one is an error.
    /// To use a schedule of Burn's as `next`, write `config.init()?.base_lr()?`.
    fn then<N: LrScheduler + Clone + 'static>(
        self,
        milestone: usize,
        next: N,
    ) -> Result<Sequence<Self, N>, ConfigError> {
        constant_rate::check(&self)?;
        constant_rate::check(&next)?;
        Ok(Sequence::new(self, milestone, next))
    }

    /// This schedule, stepped once per epoch: see [`PerEpoch::init`].
    fn per_epoch(self, steps_per_epoch: usize) -> Result<PerEpoch<Self>, ConfigError> {
        PerEpoch::init(self, steps_per_epoch)
    }

    /// This schedule, with learning rates never below `floor`: see [`Floor::init`].
    fn at_least(self, floor: LearningRate) -> Result<Floor<Self>, ConfigError> {
        Floor::init(self, floor)
    }

    /// This schedule, with learning rates never above `ceiling`: see [`Ceiling::init`].
    fn at_most(self, ceiling: LearningRate) -> Result<Ceiling<Self>, ConfigError> {
        Ceiling::init(self, ceiling)
    }

    /// This schedule, with all learning rates times `factor`: see [`Scaled::init`].
    fn scaled(self, factor: f64) -> Result<Scaled<Self>, ConfigError> {
        Scaled::init(self, factor)
    }

    /// This schedule, reduced when a metric stops improving: see [`ReduceOnPlateau::init`].
    fn reduced_on_plateau(
        self,
        config: &PlateauConfig,
    ) -> Result<ReduceOnPlateau<Self>, ConfigError> {
        ReduceOnPlateau::init(self, config)
    }

    /// This schedule, as a type that is the same for all schedules: see [`Boxed::new`].
    #[must_use]
    fn boxed(self) -> Boxed {
        Boxed::new(self)
    }

    /// This schedule, which repeats its last learning rate after a skipped step: see [`RepeatSkipped::new`].
    #[must_use]
    fn repeating_skipped(self, skips: SkipCount) -> RepeatSkipped<Self> {
        RepeatSkipped::new(self, skips)
    }
}

impl<S: LrScheduler + Clone + 'static> LrSchedulerExt for S {}

/// The wrappers as methods of Burn's `ModuleLrScheduler`, which the `init()` of Burn's own configurations
/// returns. They wrap its [`BaseLr`]; the result is an `LrScheduler`, and has the methods of
/// [`LrSchedulerExt`] for the next wrapper.
///
/// Each method returns an error if the scheduler has groups of parameters, whose learning rates a wrapper cannot
/// change: see [`BaseLr`](crate::BaseLr#groups-of-parameters). The other errors are those of the wrapper.
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
    /// The scheduler's base rate, as an `LrScheduler`: see [`BaseLr::init`].
    fn base_lr(self) -> Result<BaseLr, ConfigError>;

    /// This schedule behind a warm-up, given as a number of steps or a [`WarmupConfig`]: see [`WarmupConfig::init`].
    fn with_warmup(self, warmup: impl Into<WarmupConfig>) -> Result<Warmup<BaseLr>, ConfigError> {
        self.base_lr()?.with_warmup(warmup)
    }

    /// This schedule, followed by `next` from step `milestone` on: see [`Sequence::new`]. To use another
    /// schedule of Burn's as `next`, write `config.init()?.base_lr()?`.
    fn then<N: LrScheduler + Clone + 'static>(
        self,
        milestone: usize,
        next: N,
    ) -> Result<Sequence<BaseLr, N>, ConfigError> {
        self.base_lr()?.then(milestone, next)
    }

    /// This schedule, stepped once per epoch: see [`PerEpoch::init`].
    fn per_epoch(self, steps_per_epoch: usize) -> Result<PerEpoch<BaseLr>, ConfigError> {
        self.base_lr()?.per_epoch(steps_per_epoch)
    }

    /// This schedule, with learning rates never below `floor`: see [`Floor::init`].
    fn at_least(self, floor: LearningRate) -> Result<Floor<BaseLr>, ConfigError> {
        self.base_lr()?.at_least(floor)
    }

    /// This schedule, with learning rates never above `ceiling`: see [`Ceiling::init`].
    fn at_most(self, ceiling: LearningRate) -> Result<Ceiling<BaseLr>, ConfigError> {
        self.base_lr()?.at_most(ceiling)
    }

    /// This schedule, with all learning rates times `factor`: see [`Scaled::init`].
    fn scaled(self, factor: f64) -> Result<Scaled<BaseLr>, ConfigError> {
        self.base_lr()?.scaled(factor)
    }

    /// This schedule, reduced when a metric stops improving: see [`ReduceOnPlateau::init`].
    fn reduced_on_plateau(
        self,
        config: &PlateauConfig,
    ) -> Result<ReduceOnPlateau<BaseLr>, ConfigError> {
        self.base_lr()?.reduced_on_plateau(config)
    }

    /// This schedule, as a type that is the same for all schedules: see [`Boxed::new`].
    fn boxed(self) -> Result<Boxed, ConfigError> {
        self.base_lr().map(Boxed::new)
    }

    /// This schedule, which repeats its last learning rate after a skipped step: see [`RepeatSkipped::new`].
    fn repeating_skipped(self, skips: SkipCount) -> Result<RepeatSkipped<BaseLr>, ConfigError> {
        Ok(self.base_lr()?.repeating_skipped(skips))
    }
}

impl ModuleLrSchedulerExt for ModuleLrScheduler {
    fn base_lr(self) -> Result<BaseLr, ConfigError> {
        BaseLr::init(self)
    }
}
