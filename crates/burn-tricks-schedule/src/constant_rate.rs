//! A plain number, which is a constant schedule.

use crate::boxed::Boxed;
use burn::lr_scheduler::LrScheduler as _;
use burn::lr_scheduler::constant::ConstantLr;
use burn::optim::LearningRate;
use burn_tricks_core::ConfigError;
use std::any::Any;

/// Refuses a constant rate that is negative or not finite. Other schedules have checked their own settings.
pub(crate) fn check<S: 'static>(schedule: &S) -> Result<(), ConfigError> {
    ConfigError::non_negative("lr", constant(schedule).unwrap_or(0.0))?;
    Ok(())
}

/// The rate of a constant, boxed or not; none for another schedule.
pub(crate) fn constant<S: 'static>(schedule: &S) -> Option<LearningRate> {
    let schedule: &dyn Any = schedule;
    if let Some(boxed) = schedule.downcast_ref::<Boxed>() {
        return boxed.constant;
    }
    let rate = schedule.downcast_ref::<f64>().copied();
    rate.or_else(|| Some(schedule.downcast_ref::<ConstantLr>()?.clone().step()))
}
