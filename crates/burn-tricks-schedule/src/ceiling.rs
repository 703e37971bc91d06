//! An upper bound for the learning rate of any schedule.

use crate::constant_rate;
use crate::curve::Curve;
use crate::cycles::cycles_of_inner;
use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::optim::LearningRate;
use burn_tricks_core::ConfigError;

/// An upper bound for the learning rate of any schedule. Made by [`Ceiling::init`].
///
/// ```text
/// η(t) = min(inner(t), ceiling)
/// ```
///
/// # Example
///
/// ```
/// use burn::lr_scheduler::LrScheduler;
/// use burn_tricks_schedule::{LinearRampConfig, LrSchedulerExt};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let mut schedule = LinearRampConfig::new(1.0, 0.0, 4).init()?.at_most(0.5)?;
/// let rates: Vec<f64> = (0..5).map(|_| schedule.step()).collect();
/// assert_eq!(rates, [0.5, 0.5, 0.5, 0.25, 0.0]);
/// # Ok(())
/// # }
/// ```
///
/// The flat top of a trapezoid:
///
/// ```
/// use burn_tricks_schedule::{CyclicConfig, LrSchedulerExt};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let schedule = CyclicConfig::new(0.0, 0.3, 500).init()?.at_most(0.1)?;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// It goes around any `LrScheduler`: it bounds the learning rate of the schedule inside it, but not what a wrapper
/// outside makes of that rate.
///
/// # Cost
///
/// One comparison per step. It has no state: its records are those of the wrapped schedule, so a ceiling may be
/// added or removed when a run is resumed.
///
/// # Differences
///
/// - PyTorch, optax and Keras have no such wrapper.
///
/// # Suggested values
///
/// A ceiling below the learning rate at which a range test diverges.
///
/// # References
///
/// - Smith, *Cyclical learning rates*, 2017, <https://arxiv.org/abs/1506.01186> (the range test)
#[derive(Debug, Clone, PartialEq)]
pub struct Ceiling<S> {
    inner: S,
    ceiling: LearningRate,
}

impl<S> Ceiling<S> {
    /// `inner`, never above `ceiling`. With `f64::MAX` it is `inner` itself.
    ///
    /// # Errors
    ///
    /// If `ceiling` is negative or not finite. Also if `inner` is a constant rate that is negative or not finite.
    pub fn init(inner: S, ceiling: LearningRate) -> Result<Self, ConfigError>
    where
        S: 'static,
    {
        constant_rate::check(&inner)?;
        ConfigError::non_negative("ceiling", ceiling)?;
        Ok(Self { inner, ceiling })
    }

    /// The wrapped schedule.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// The wrapped schedule, mutably.
    pub fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Not `f64::min`, which would hide a NaN.
    fn bounded(&self, rate: LearningRate) -> LearningRate {
        if rate > self.ceiling {
            self.ceiling
        } else {
            rate
        }
    }
}

impl<S: Curve> Curve for Ceiling<S> {
    fn at(&self, step: u64) -> LearningRate {
        self.bounded(self.inner.at(step))
    }
}

cycles_of_inner!(Ceiling);

impl<S: LrScheduler + Clone + 'static> LrScheduler for Ceiling<S> {
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
