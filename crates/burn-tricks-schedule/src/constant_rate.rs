//! A plain number, which is a constant schedule.

use burn::lr_scheduler::LrScheduler as _;
use burn::lr_scheduler::constant::ConstantLr;
use burn_tricks_core::ConfigError;
use std::any::Any;

/// Refuses a constant rate that is negative or not finite. Other schedules have checked their own settings.
pub(crate) fn check<S: 'static>(schedule: &S) -> Result<(), ConfigError> {
    let schedule: &dyn Any = schedule;
    let rate = schedule.downcast_ref::<f64>().copied();
    let rate = rate.or_else(|| Some(schedule.downcast_ref::<ConstantLr>()?.clone().step()));
    ConfigError::non_negative("lr", rate.unwrap_or(0.0))?;
    Ok(())
}
