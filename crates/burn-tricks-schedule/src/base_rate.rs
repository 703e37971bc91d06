//! Burn's own schedules, for the wrappers of this crate.
//!
//! Burn's configurations give a `ModuleLrScheduler`, which is no `LrScheduler` itself: it has a rate per
//! group of parameters. [`BaseRate`] steps it and gives the rate of its base group, that of every parameter
//! no other group names.
//!
//! **The other groups are lost**: they are stepped and saved, but a wrapper has one rate to give, and Burn
//! lets nobody scale a rate per group. For groups with wrapped schedules wrap each schedule, and give
//! the results to `ModuleLrScheduler::with_group`.
//!
//! # Example
//!
//! ```
//! use burn::lr_scheduler::LrScheduler;
//! use burn::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
//! use burn_tricks_schedule::{BaseRate, LrSchedulerExt, WarmupConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cosine = CosineAnnealingLrSchedulerConfig::new(0.5, 100).init()?;
//! let mut schedule = BaseRate::from(cosine).with_warmup(WarmupConfig::new(2))?;
//! assert_eq!([schedule.step(), schedule.step(), schedule.step()], [0.0, 0.25, 0.5]);
//! # Ok(())
//! # }
//! ```
//!
//! # Where it stands
//!
//! Innermost.
//!
//! # Cost
//!
//! What the wrapped scheduler costs: Burn copies its groups at each step. The record is the wrapped
//! scheduler's.

use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::optim::LearningRate;

/// The rate of a `ModuleLrScheduler`'s base group. Made by `BaseRate::from`.
#[derive(Clone)]
pub struct BaseRate {
    inner: ModuleLrScheduler,
}

impl From<ModuleLrScheduler> for BaseRate {
    fn from(inner: ModuleLrScheduler) -> Self {
        Self { inner }
    }
}

impl std::fmt::Debug for BaseRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BaseRate").finish_non_exhaustive()
    }
}

impl LrScheduler for BaseRate {
    fn step(&mut self) -> LearningRate {
        self.inner.step().base()
    }

    fn to_record(&self) -> LrSchedulerRecord {
        self.inner.to_record()
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        self.inner = self.inner.clone().load_record(record);
    }
}
