//! Where the cycles of a learning rate end.

use crate::cosine::Cosine;
use crate::exponential_decay::ExponentialDecay;
use crate::inverse_sqrt::InverseSqrt;
use crate::linear_ramp::LinearRamp;
use crate::multi_step::MultiStep;
use crate::polynomial::Polynomial;
use crate::rex::Rex;
use crate::warmup_stable_decay::WarmupStableDecay;
use burn::lr_scheduler::constant::ConstantLr;

/// A schedule that knows where its cycles end.
///
/// The default methods are right for a schedule without cycles: `impl Cycles for MySchedule {}`. A wrapper
/// calls those of the schedule that it wraps.
///
/// A snapshot of the weights is worth keeping after the step with the lowest learning rate of a cycle. Which step
/// that is depends on the whole schedule: behind a warm-up the restarts come later, and in [`PerEpoch`] each of their
/// steps is an epoch. So every schedule and every wrapper of this crate answers for a step of the run.
///
/// # Example
///
/// ```
/// use burn_tricks_schedule::{CosineRestartsConfig, Cycles, LrSchedulerExt, WarmupConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let schedule = CosineRestartsConfig::new(0.1, 18)
///     .init()?
///     .with_warmup(WarmupConfig::new(10))?
///     .at_least(1e-4)?;
/// let ends: Vec<u64> = (0..50).filter(|&step| schedule.is_cycle_end(step)).collect();
/// assert_eq!(ends, [27, 45]); // 10 + 18 - 1, 10 + 36 - 1
/// # Ok(())
/// # }
/// ```
///
/// # What each schedule answers
///
/// | schedule | a cycle ends | a trough is |
/// | --- | --- | --- |
/// | [`CosineRestarts`](crate::CosineRestarts) | at the last step before a restart | the end of a cycle |
/// | [`Cyclic`](crate::Cyclic) | at the last step before the learning rate is `base_lr` again | a step at the lower of the two rates, except the first step of the run |
/// | [`OneCycle`](crate::OneCycle) | at the last step of the run | the end of the cycle |
/// | every other schedule | never | never |
///
/// A wrapper passes on the answers of the schedule that it wraps:
///
/// | wrapper | |
/// | --- | --- |
/// | [`Floor`](crate::Floor), [`Ceiling`](crate::Ceiling), [`Scaled`](crate::Scaled), [`ReduceOnPlateau`](crate::ReduceOnPlateau) | at the same steps, whatever the wrapper does to the learning rate |
/// | [`RepeatSkipped`](crate::RepeatSkipped) | at the same steps, counting only steps that were taken |
/// | [`Warmup`](crate::Warmup) | later by the length of the warm-up; with [`WarmupMode::Over`](crate::WarmupMode::Over), at the same steps |
/// | [`PerEpoch`] | at the last step of the epoch |
/// | [`Sequence`](crate::Sequence) | as each phase says, while it lasts; a cycle that the next phase cuts off has no end |
/// | [`BaseLr`](crate::BaseLr), [`Boxed`](crate::Boxed) | do not implement `Cycles`, since the schedule inside cannot be asked |
///
/// [`PerEpoch`]: crate::PerEpoch
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say where its cycles end",
    note = "`BaseLr` (Burn's schedules) and `Boxed` hide the schedule that they hold: ask that schedule before you wrap it",
    note = "of a schedule of your own: `impl burn_tricks::schedule::Cycles for MySchedule {{ .. }}`"
)]
pub trait Cycles {
    /// Whether step `step`, counted from 0 at the first step of this schedule, is the last of a cycle. The
    /// answer does not depend on the number of steps taken.
    fn is_cycle_end(&self, _step: u64) -> bool {
        false
    }

    /// Whether step `step`, counted as in [`is_cycle_end`](Self::is_cycle_end), has the lowest learning rate of its
    /// cycle: after this step a snapshot of the weights is worth keeping. Default: the last step of the cycle.
    fn is_trough(&self, step: u64) -> bool {
        self.is_cycle_end(step)
    }
}

macro_rules! without_cycles {
    ($($schedule:ty),+ $(,)?) => {
        $(impl Cycles for $schedule {})+
    };
}

without_cycles!(
    f64, // Burn's constant schedule
    ConstantLr,
    Cosine,
    ExponentialDecay,
    InverseSqrt,
    LinearRamp,
    MultiStep,
    Polynomial,
    Rex,
    WarmupStableDecay,
);

/// For a wrapper that changes only rates: its cycles are those of its `inner`.
macro_rules! cycles_of_inner {
    ($wrapper:ident) => {
        impl<S: $crate::cycles::Cycles> $crate::cycles::Cycles for $wrapper<S> {
            fn is_cycle_end(&self, step: u64) -> bool {
                self.inner.is_cycle_end(step)
            }

            fn is_trough(&self, step: u64) -> bool {
                self.inner.is_trough(step)
            }
        }
    };
}

pub(crate) use cycles_of_inner;
