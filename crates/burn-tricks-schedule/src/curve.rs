//! The trait of all closed-form schedules.
//!
//! A closed-form schedule is a function of the step number, [`Curve`], and a count of the steps taken. Burn's
//! `LrScheduler` advances, saves and loads the count. So rounding errors do not accumulate, a learning rate far ahead
//! costs no more than the next one, and a record is one number, `steps`, and the name of the kind of schedule.

use burn::optim::LearningRate;

/// A learning rate as a function of the step.
///
/// ```
/// use burn_tricks_schedule::{CosineConfig, Curve};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// fn mean(curve: &dyn Curve, steps: u64) -> f64 {
///     (0..steps).map(|step| curve.at(step)).sum::<f64>() / steps as f64
/// }
/// assert!((mean(&CosineConfig::new(0.2, 1000).init()?, 1000) - 0.1).abs() < 1e-3);
/// # Ok(())
/// # }
/// ```
pub trait Curve {
    /// The learning rate of step `step`, counted from 0, whatever number of steps has been taken. The schedule does
    /// not advance.
    fn at(&self, step: u64) -> LearningRate;
}

/// Burn's constant schedule.
impl Curve for LearningRate {
    fn at(&self, _step: u64) -> LearningRate {
        *self
    }
}

/// Implements [`Curve`] and Burn's scheduler trait for a struct with `at(&self, u64)` and a count `steps: u64`.
macro_rules! steps_along_its_curve {
    ($schedule:ty) => {
        impl $crate::curve::Curve for $schedule {
            fn at(&self, step: u64) -> burn::optim::LearningRate {
                <$schedule>::at(self, step)
            }
        }

        impl burn::lr_scheduler::LrScheduler for $schedule {
            fn step(&mut self) -> burn::optim::LearningRate {
                let rate = self.at(self.steps);
                self.steps = self.steps.saturating_add(1);
                rate
            }

            fn to_record(&self) -> burn::lr_scheduler::LrSchedulerRecord {
                burn::lr_scheduler::LrSchedulerRecord::new()
                    .with_scalar(concat!("kind.", stringify!($schedule)), true)
                    .with_scalar("steps", self.steps)
            }

            /// Resumes the recorded schedule. A record without a step count (of another kind of schedule)
            /// changes nothing.
            fn load_record(&mut self, record: burn::lr_scheduler::LrSchedulerRecord) {
                if let Some(steps) = record.scalar("steps") {
                    self.steps = steps;
                }
            }
        }
    };
}

pub(crate) use steps_along_its_curve;
