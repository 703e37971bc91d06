//! A schedule that repeats its last learning rate after a skipped step.

use crate::cycles::cycles_of_inner;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::optim::LearningRate;
use burn_tricks_core::SkipCount;

/// A schedule that repeats its last learning rate after a skipped step. Made by [`RepeatSkipped::new`].
///
/// A step that is skipped, because a gradient was not finite, should not use up a step of the schedule. In a
/// hand-written loop the schedule is simply not stepped. Burn's `Learner` asks its schedule for a learning rate
/// before the gradients are known. This wrapper learns from a [`SkipCount`] that a step was skipped, and gives the
/// next step the same rate again.
///
/// # Example
///
/// ```
/// use burn::lr_scheduler::LrScheduler;
/// use burn_tricks_core::SkipCount;
/// use burn_tricks_schedule::{LinearRampConfig, LrSchedulerExt};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let skips = SkipCount::new(); // `StepGuard::skips` of burn-tricks-grad gives one
/// let mut schedule = LinearRampConfig::new(1.0, 0.0, 4).init()?.repeating_skipped(skips.clone());
/// assert_eq!(schedule.step(), 1.0);
/// assert_eq!(schedule.step(), 0.75);
/// skips.add(); // that step was not taken
/// assert_eq!(schedule.step(), 0.75);
/// assert_eq!(schedule.step(), 0.5);
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// In place of [`GroupLrConfig::init`](crate::GroupLrConfig::init) and this wrapper, use
/// [`init_repeating_skipped`](crate::GroupLrConfig::init_repeating_skipped). Of
/// [`LayerWiseLrConfig`](crate::LayerWiseLrConfig), whose factors are the same at every step, it may be the schedule. In all
/// other cases `RepeatSkipped` must be the outermost wrapper: a wrapper around it counts a repeated learning rate as
/// another step. A `PerEpoch` inside it counts the steps that were taken, so its epochs end later than those of the
/// data loader by the number of skipped steps.
///
/// It repeats the number, whatever has changed in the meantime: if a [`ReduceOnPlateau`](crate::ReduceOnPlateau) inside it is
/// reduced between a skipped step and the next one, that next step still has the rate from before, and the step after it is
/// the first with the reduced rate.
///
/// # Cost
///
/// One comparison per step. Its record holds the last learning rate and the number of skipped steps that it has seen.
/// A resumed run must restore the [`SkipCount`] too; a session of the `Learner` does so for a `StepGuard` among its
/// tricks.
///
/// # Differences
///
/// PyTorch's schedules advance even if `GradScaler` has skipped the step.
#[derive(Debug, Clone)]
pub struct RepeatSkipped<S> {
    inner: S,
    skips: SkipCount,
    /// The number of skips for which a learning rate has been repeated.
    seen: u64,
    last: Option<LearningRate>,
}

impl<S> RepeatSkipped<S> {
    /// `inner`, which learns of skipped steps from `skips`.
    pub fn new(inner: S, skips: SkipCount) -> Self {
        let seen = skips.get();
        Self {
            inner,
            skips,
            seen,
            last: None,
        }
    }

    /// The wrapped schedule.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// The wrapped schedule, mutably.
    pub fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }
}

// In steps that were taken.
cycles_of_inner!(RepeatSkipped);

impl<S: LrScheduler + Clone + 'static> LrScheduler for RepeatSkipped<S> {
    fn step(&mut self) -> LearningRate {
        let skipped = self.skips.get();
        let repeat = skipped > self.seen;
        self.seen = skipped;
        match self.last {
            Some(last) if repeat => last,
            _ => {
                let rate = self.inner.step();
                self.last = Some(rate);
                rate
            }
        }
    }

    fn to_record(&self) -> LrSchedulerRecord {
        let record = LrSchedulerRecord::new()
            .with_scalar("kind.RepeatSkipped", true)
            .with_record("inner", self.inner.to_record())
            .with_scalar("seen", self.seen);
        match self.last {
            Some(last) => record.with_scalar("last", last),
            None => record,
        }
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        let Some(seen) = record.scalar("seen") else {
            self.inner.load_record(record); // of a run without this wrapper
            return;
        };
        self.seen = seen;
        self.last = record.scalar("last");
        self.inner.load_record(record.record("inner"));
    }
}
