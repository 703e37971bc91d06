//! A lower bound for the learning rate of any schedule.

use crate::constant_rate;
use crate::curve::Curve;
use crate::cycles::cycles_of_inner;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::optim::LearningRate;
use burn_tricks_core::ConfigError;

/// A lower bound for the learning rate of any schedule. Made by [`Floor::init`].
///
/// ```text
/// η(t) = max(inner(t), floor)
/// ```
///
/// # Example
///
/// ```
/// use burn::lr_scheduler::LrScheduler;
/// use burn_tricks_schedule::{LinearRampConfig, LrSchedulerExt};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let mut schedule = LinearRampConfig::new(1.0, 0.0, 4).init()?.at_least(0.5)?;
/// let rates: Vec<f64> = (0..5).map(|_| schedule.step()).collect();
/// assert_eq!(rates, [1.0, 0.75, 0.5, 0.5, 0.5]);
/// # Ok(())
/// # }
/// ```
///
/// An endless decay that does not bring the training to a halt:
///
/// ```
/// use burn_tricks_schedule::{ExponentialDecayConfig, LrSchedulerExt};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let decay = ExponentialDecayConfig::new(0.1).with_steps_per_epoch(391);
/// let schedule = decay.init()?.at_least(1e-5)?;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// It goes around any `LrScheduler`: it bounds the learning rate of the schedule inside it, but not what a wrapper
/// outside makes of that rate. [`ReduceOnPlateau`](crate::ReduceOnPlateau) has a floor of its own, which never
/// raises the wrapped rate.
///
/// # Cost
///
/// One comparison per step. It has no state: its records are those of the wrapped schedule, so a floor may be
/// added or removed when a run is resumed.
///
/// # Differences
///
/// - Some schedules of optax have an `end_value`, some of PyTorch an `eta_min`; here a floor fits any schedule.
///
/// # Suggested values
///
/// A thousandth of the first learning rate, or none.
///
/// # References
///
/// - optax, `exponential_decay` (`end_value`)
#[derive(Debug, Clone, PartialEq)]
pub struct Floor<S> {
    inner: S,
    floor: LearningRate,
}

impl<S> Floor<S> {
    /// `inner`, never below `floor`. With 0 it is `inner` itself.
    ///
    /// # Errors
    ///
    /// If `floor` is negative or not finite. Also if `inner` is a constant rate that is negative or not finite.
    pub fn init(inner: S, floor: LearningRate) -> Result<Self, ConfigError>
    where
        S: 'static,
    {
        constant_rate::check(&inner)?;
        ConfigError::non_negative("floor", floor)?;
        Ok(Self { inner, floor })
    }

    /// The wrapped schedule.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// The wrapped schedule, mutably.
    pub fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Not `f64::max`, which would hide a NaN.
    fn bounded(&self, rate: LearningRate) -> LearningRate {
        if rate < self.floor { self.floor } else { rate }
    }
}

impl<S: Curve> Curve for Floor<S> {
    fn at(&self, step: u64) -> LearningRate {
        self.bounded(self.inner.at(step))
    }
}

cycles_of_inner!(Floor);

impl<S: LrScheduler + Clone + 'static> LrScheduler for Floor<S> {
    fn step(&mut self) -> LearningRate {
        let rate = self.inner.step();
        self.bounded(rate)
    }

    fn to_record(&self) -> LrSchedulerRecord {
        self.inner.to_record()
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        self.inner.load_record(record);
    }
}
