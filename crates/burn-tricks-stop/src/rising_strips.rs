//! Prechelt's successive rises.

use crate::criterion::{Observation, StopCriterion};
use crate::decision::{Decision, StopReason};
use crate::lowest_error::LowestError;
use burn_tricks_core::{Config, ConfigError, Goal};
use serde::{Deserialize, Serialize};

/// Configuration of [`RisingStrips`] (Prechelt's UP): stops when the validation error has risen from the end of one strip
/// to the end of the next, several times in a row.
///
/// ```text
/// E(t) > E(t − k) > ... > E(t − s k) at the end of a strip of k checks     stop: RisingStrips
/// ```
///
/// Only the signs of the changes count, not their sizes, so the criterion needs no scale. Long strips skip the noise of
/// single checks.
///
/// # Example
///
/// ```
/// use burn_tricks_stop::{RisingStripsConfig, StopCriterion, StopReason};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let mut stop = RisingStripsConfig::new(2).with_strip(2).init()?;
/// //             strip 1     strip 2     strip 3
/// for error in [0.50, 0.40, 0.30, 0.41, 0.60] {
///     assert!(!stop.observe(error).should_stop());
/// }
/// let decision = stop.observe(0.42); // 0.42 > 0.41 > 0.40
/// assert_eq!(decision.stop, Some(StopReason::RisingStrips { strips: 2 }));
/// assert_eq!(decision.best, Some(0.30));
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Call `observe` after validation. The metric must be an error or a loss of at least 0, as for
/// [`GeneralizationLoss`](crate::GeneralizationLoss).
///
/// # Cost
///
/// One comparison per strip.
///
/// # Differences
///
/// Patience in Keras and Lightning compares with the best value of all; this criterion compares with the value of one
/// strip before. If an error goes down and up for ever, this criterion never stops the run, and patience always does.
///
/// # Suggested values
///
/// k = 5; Prechelt compares s = 2, 3, 4, 6 and 8.
///
/// # References
///
/// - Prechelt, *Early stopping — but when?*, 1998, <https://doi.org/10.1007/3-540-49430-8_3>
#[derive(Config, Debug, PartialEq, Eq)]
pub struct RisingStripsConfig {
    /// s, the number of rises in a row, at least 1.
    pub strips: usize,
    /// k, the checks of a strip, at least 1. Default: 5.
    #[config(default = 5)]
    pub strip: usize,
}

impl RisingStripsConfig {
    /// The criterion before its first check.
    ///
    /// # Errors
    ///
    /// If `strips` or `strip` is 0.
    pub fn init(&self) -> Result<RisingStrips, ConfigError> {
        ConfigError::at_least_one("strips", self.strips)?;
        ConfigError::at_least_one("strip", self.strip)?;
        Ok(RisingStrips {
            config: self.clone(),
            state: RisingStripsState::default(),
        })
    }
}

/// The part of [`RisingStrips`] that a resumed run needs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RisingStripsState {
    error: LowestError,
    /// The error at the end of the last strip.
    last: Option<f64>,
    /// The rises in a row up to there.
    rises: usize,
}

/// Counts the rises of an error from strip to strip. Made by [`RisingStripsConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct RisingStrips {
    config: RisingStripsConfig,
    state: RisingStripsState,
}

impl StopCriterion for RisingStrips {
    type State = RisingStripsState;

    fn goal(&self) -> Option<Goal> {
        Some(Goal::Minimize)
    }

    fn best(&self) -> Option<f64> {
        self.state.error.lowest()
    }

    fn observe(&mut self, observation: impl Into<Observation>) -> Decision {
        let error = observation.into().value;
        let RisingStripsConfig { strips, strip } = self.config;
        let state = &mut self.state;
        let is_best = match state.error.take(error) {
            Ok(is_best) => is_best,
            Err(reason) => return state.error.decision(false, Some(reason)),
        };
        let mut stop = None;
        if state.error.checks().is_multiple_of(strip) {
            let rises = state.last.is_some_and(|last| error > last);
            state.rises = if rises { state.rises + 1 } else { 0 };
            state.last = Some(error);
            stop = (state.rises >= strips).then_some(StopReason::RisingStrips { strips });
        }
        state.error.decision(is_best, stop)
    }

    fn state(&self) -> RisingStripsState {
        self.state.clone()
    }

    fn with_state(mut self, state: RisingStripsState) -> Self {
        self.state = state;
        self
    }

    fn reset_waiting(&mut self) {
        (self.state.last, self.state.rises) = (None, 0);
    }
}
