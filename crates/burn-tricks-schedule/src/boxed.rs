//! Any schedule, behind one type.
//!
//! For a schedule that is chosen at run time, or phases in a loop: a wrapper takes one type, and a
//! `Box<dyn LrScheduler>` is no `LrScheduler` in Burn.
//!
//! # Example
//!
//! ```
//! use burn_tricks_schedule::{Boxed, CosineConfig, LinearRampConfig, LrSchedulerExt, WarmupConfig};
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! # let name = "cosine";
//! let schedule: Boxed = match name {
//!     "cosine" => CosineConfig::new(0.1, 900).init()?.boxed(),
//!     _ => LinearRampConfig::new(0.1, 0.0, 900).init()?.boxed(),
//! };
//! let schedule = schedule.with_warmup(WarmupConfig::new(100))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Order
//!
//! Anywhere. What a schedule can be asked besides its next rate ([`Curve`](crate::Curve),
//! [`Cycles`](crate::Cycles), `observe`) is to be asked before it is boxed.
//!
//! # Cost
//!
//! A call through a pointer per step. The record is the boxed schedule's.

use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::optim::LearningRate;

/// Any schedule. Made by [`Boxed::new`], or from a `Box<dyn LrScheduler>`.
#[derive(Clone)]
pub struct Boxed {
    inner: Box<dyn LrScheduler>,
}

impl Boxed {
    /// `inner`, whatever its type.
    pub fn new(inner: impl LrScheduler + 'static) -> Self {
        Self {
            inner: Box::new(inner),
        }
    }
}

impl From<Box<dyn LrScheduler>> for Boxed {
    fn from(inner: Box<dyn LrScheduler>) -> Self {
        Self { inner }
    }
}

impl std::fmt::Debug for Boxed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Boxed").finish_non_exhaustive()
    }
}

impl LrScheduler for Boxed {
    fn step(&mut self) -> LearningRate {
        self.inner.step()
    }

    fn to_record(&self) -> LrSchedulerRecord {
        self.inner.to_record()
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        self.inner.load_record(record);
    }
}
