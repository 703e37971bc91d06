//! A schedule that repeats its last rate after a skipped step.
//!
//! A step that is skipped, because a gradient was not finite, should not use up a step of the schedule. In a
//! hand-written loop the schedule is simply not stepped. Burn's `Learner` asks its schedule for a rate before
//! the gradients are known; this wrapper, told by a [`SkipCount`] that a step was skipped, gives the next step
//! the same rate again.
//!
//! # Example
//!
//! ```
//! use burn::lr_scheduler::LrScheduler;
//! use burn_tricks_core::SkipCount;
//! use burn_tricks_schedule::{LinearRampConfig, LrSchedulerExt};
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let skips = SkipCount::new(); // `StepGuard::skips` of burn-tricks-grad gives one
//! let mut schedule = LinearRampConfig::new(1.0, 0.0, 4).init()?.repeating_skipped(skips.clone());
//! assert_eq!(schedule.step(), 1.0);
//! assert_eq!(schedule.step(), 0.75);
//! skips.add(); // that step was not taken
//! assert_eq!(schedule.step(), 0.75);
//! assert_eq!(schedule.step(), 0.5);
//! # Ok(())
//! # }
//! ```
//!
//! # Order
//!
//! Outermost: what stands around it counts a repeated rate as a step of its own. A `PerEpoch` inside it counts
//! the steps that were taken, so that its epochs end later than the loader's by as many steps as were skipped.
//!
//! # Cost
//!
//! One comparison per step. Its record holds the last rate and the number of skipped steps that it has seen; a
//! resumed run restores the [`SkipCount`] too, as the session does with a `StepGuard` among the tricks.
//!
//! # Differences
//!
//! PyTorch's schedules advance where `GradScaler` has skipped a step.

use crate::cycles::cycles_of_inner;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::optim::LearningRate;
use burn_tricks_core::SkipCount;

/// A schedule that repeats its last rate after a skipped step. Made by [`RepeatSkipped::new`].
#[derive(Debug, Clone)]
pub struct RepeatSkipped<S> {
    inner: S,
    skips: SkipCount,
    /// How many skips have been answered by repeating a rate.
    seen: u64,
    last: Option<LearningRate>,
}

impl<S> RepeatSkipped<S> {
    /// `inner`, told of skipped steps by `skips`.
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

    /// The wrapped schedule, to change.
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
