//! Which wrappers may go around which.

use crate::master_weights::MasterWeightsWrap;
use crate::schedule_free::ScheduleFreeWrap;
use burn_tricks_core::ConfigError;
use std::any::type_name;

/// Refuses a wrapper of this name around an optimizer `O` that must be around it: master weights are the outermost wrapper,
/// and only they may go around a schedule-free optimizer. The name of a nested type is all that is known of the optimizers
/// inside, so an optimizer of your own that hides their types is not recognised.
pub(crate) fn check<O>(outer: &'static str) -> Result<(), ConfigError> {
    let inside = type_name::<O>();
    if inside.contains(type_name::<MasterWeightsWrap>()) {
        return Err(refused(
            outer,
            MASTER_WEIGHTS,
            "must be the outermost wrapper",
        ));
    }
    if outer != MASTER_WEIGHTS && inside.contains(type_name::<ScheduleFreeWrap>()) {
        return Err(refused(
            outer,
            SCHEDULE_FREE,
            "must be around all wrappers but `master_weights`, since a wrapper around it changes its average of the weights",
        ));
    }
    Ok(())
}

/// [`check`], for a wrapper whose method returns no error.
pub(crate) fn check_or_panic<O>(outer: &'static str) {
    check::<O>(outer).unwrap_or_else(|error| panic!("{error}"));
}

pub(crate) const MASTER_WEIGHTS: &str = "master_weights";
pub(crate) const SCHEDULE_FREE: &str = "schedule_free";

fn refused(outer: &'static str, inner: &str, why: &str) -> ConfigError {
    let requirement = if outer == inner {
        format!("be applied once, not around itself: it {why}")
    } else {
        format!("be applied before `{inner}`, which {why}")
    };
    ConfigError::new(
        outer,
        requirement,
        format_args!("`{outer}` around `{inner}`"),
    )
}
