//! Where the cycles of a learning rate end.
//!
//! A snapshot of the weights is worth keeping after the step with the lowest rate of a cycle. Which step that
//! is, the whole schedule says: the restarts begin later behind a warm-up, and each of their steps is an epoch
//! in [`PerEpoch`]. So every schedule and every wrapper of this crate can be asked by the step of the run.
//!
//! # Example
//!
//! ```
//! use burn_tricks_schedule::{CosineRestartsConfig, Cycles, LrSchedulerExt, WarmupConfig};
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let schedule = CosineRestartsConfig::new(0.1, 18)
//!     .init()?
//!     .with_warmup(WarmupConfig::new(10))?
//!     .at_least(1e-4)?;
//! let ends: Vec<u64> = (0..50).filter(|&step| schedule.is_cycle_end(step)).collect();
//! assert_eq!(ends, [27, 45]); // 10 + 18 - 1, 10 + 36 - 1
//! # Ok(())
//! # }
//! ```
//!
//! # What each says
//!
//! | schedule | a cycle ends | a trough is |
//! | --- | --- | --- |
//! | [`CosineRestarts`](crate::CosineRestarts) | at the last step before a restart | the end of a cycle |
//! | [`Cyclic`](crate::Cyclic) | at the last step before the base | a step at the lower of the two rates, but the first of all |
//! | [`OneCycle`](crate::OneCycle) | at the last step of the run | the end of the cycle |
//! | every other schedule | never | never |
//!
//! A wrapper gives the answers of the schedule that it wraps:
//!
//! | wrapper | |
//! | --- | --- |
//! | [`Floor`](crate::Floor), [`Ceiling`](crate::Ceiling), [`ReduceOnPlateau`](crate::ReduceOnPlateau) | at the same steps, whatever becomes of the rate |
//! | [`RepeatSkipped`](crate::RepeatSkipped) | at the same steps, of those that were taken |
//! | [`Warmup`](crate::Warmup) | later by the warm-up; at the same steps with [`WarmupMode::Over`](crate::WarmupMode::Over) |
//! | [`PerEpoch`] | at the last step of the epoch |
//! | [`Sequence`](crate::Sequence) | of each phase while it is in charge; a cycle that is cut off by the next phase has no end |
//! | [`BaseRate`](crate::BaseRate), [`Boxed`](crate::Boxed) | cannot be asked: what is in them does not say |
//!
//! [`PerEpoch`]: crate::PerEpoch

use crate::{
    Cosine, ExponentialDecay, InverseSqrt, LinearRamp, MultiStep, Polynomial, WarmupStableDecay,
};
use burn::lr_scheduler::constant::ConstantLr;

/// A schedule that can be asked where its cycles end. See the [module documentation](self).
///
/// The defaults are those of a schedule without cycles: `impl Cycles for MySchedule {}`. A wrapper asks the
/// schedule that it wraps.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say where its cycles end",
    note = "`BaseRate` (Burn's schedules) and `Boxed` cannot: ask the schedule before it is put into them",
    note = "of a schedule of your own: `impl burn_tricks::schedule::Cycles for MySchedule {{ .. }}`"
)]
pub trait Cycles {
    /// Whether step `step`, counted from 0 at the first step of this schedule, is the last of a cycle,
    /// wherever the schedule stands now.
    fn is_cycle_end(&self, _step: u64) -> bool {
        false
    }

    /// Whether step `step`, counted as in [`is_cycle_end`](Self::is_cycle_end), has the lowest rate of its
    /// cycle: after it a snapshot of the weights is worth keeping. Default: at the end of the cycle.
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
    WarmupStableDecay,
);

/// For a wrapper that changes rates and no steps: the cycles are those of its `inner`.
macro_rules! cycles_of_inner {
    ($wrapper:ident) => {
        impl<S: $crate::Cycles> $crate::Cycles for $wrapper<S> {
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
