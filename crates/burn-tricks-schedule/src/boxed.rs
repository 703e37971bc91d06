//! A single type for any schedule.

use crate::constant_rate;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::optim::LearningRate;

/// A single type for any schedule. Made by [`Boxed::new`], or from a `Box<dyn LrScheduler>`.
///
/// It serves for a schedule that is chosen at run time, and for phases that are added in a loop. A `Box<dyn
/// LrScheduler>` does not, since in Burn it is not an `LrScheduler`, which a wrapper needs.
///
/// # Example
///
/// ```
/// use burn_tricks_schedule::{Boxed, CosineConfig, LinearRampConfig, LrSchedulerExt, WarmupConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// # let name = "cosine";
/// let schedule: Boxed = match name {
///     "cosine" => CosineConfig::new(0.1, 900).init()?.boxed(),
///     _ => LinearRampConfig::new(0.1, 0.0, 900).init()?.boxed(),
/// };
/// let schedule = schedule.with_warmup(WarmupConfig::new(100))?;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// A boxed schedule can be wrapped like any other. Call the other methods of a schedule
/// ([`Curve`](crate::Curve), [`Cycles`](crate::Cycles), `observe`) before it is boxed: the box has only the
/// next learning rate. A plain number is checked by what is put around its box, as it would be without the box; one that is
/// in a `Box<dyn LrScheduler>` already is not.
///
/// # Cost
///
/// A call through a pointer per step. The record is the boxed schedule's.
#[derive(Clone)]
pub struct Boxed {
    inner: Box<dyn LrScheduler>,
    /// The number, if a plain number is boxed.
    pub(crate) constant: Option<LearningRate>,
}

impl Boxed {
    /// Boxes `inner`, whatever its type.
    pub fn new(inner: impl LrScheduler + 'static) -> Self {
        Self {
            constant: constant_rate::constant(&inner),
            inner: Box::new(inner),
        }
    }
}

impl From<Box<dyn LrScheduler>> for Boxed {
    fn from(inner: Box<dyn LrScheduler>) -> Self {
        let constant = None;
        Self { inner, constant }
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
