//! Stops after a number of checks.

use crate::criterion::{Observation, StopCriterion};
use crate::decision::{Decision, StopReason};
use burn_tricks_core::{Config, ConfigError, Goal};
use serde::{Deserialize, Serialize};

/// Configuration of [`CheckLimit`], which stops after a number of checks; inside [`All`](crate::All), it is the
/// least number of checks before any stop.
///
/// ```text
/// check ≥ limit   stop: CheckLimit
/// ```
///
/// # Example
///
/// ```
/// use burn_tricks_stop::{CheckLimitConfig, StopCriterion};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let mut limit = CheckLimitConfig::new(2).init()?;
/// assert!(!limit.observe(0.5).should_stop());
/// assert!(limit.observe(0.4).should_stop());
/// # Ok(())
/// # }
/// ```
///
/// At least ten checks, then patience:
///
/// ```
/// use burn_tricks_stop::{All, CheckLimitConfig, EarlyStoppingConfig, Goal};
///
/// let stop = EarlyStoppingConfig::new(Goal::Minimize).init()?;
/// let stop = All::init((stop, CheckLimitConfig::new(10).init()?))?;
/// # Ok::<(), burn_tricks_core::ConfigError>(())
/// ```
///
/// # Order
///
/// Call `observe` after validation, and combine the limit with a criterion that looks at the metric: a limit alone
/// reports no best check.
///
/// # Cost
///
/// One number.
///
/// # Differences
///
/// With `warmup_checks` of [`EarlyStoppingConfig`](crate::EarlyStoppingConfig), none of the first checks can be the
/// best. With `All` and a limit of checks they can, as with Lightning's `min_epochs`.
///
/// # Suggested values
///
/// As a least number of checks: the length of the schedule's warm-up.
///
/// # References
///
/// - Lightning, `Trainer(min_epochs, max_epochs)`
#[derive(Config, Debug, PartialEq)]
pub struct CheckLimitConfig {
    /// The check at which to stop, from 1. `usize::MAX` never stops.
    pub checks: usize,
}

impl CheckLimitConfig {
    /// The criterion before its first check.
    ///
    /// # Errors
    ///
    /// If `checks` is 0.
    pub fn init(&self) -> Result<CheckLimit, ConfigError> {
        Ok(CheckLimit {
            limit: ConfigError::at_least_one("checks", self.checks)?,
            state: CheckLimitState::default(),
        })
    }
}

/// The part of [`CheckLimit`] that a resumed run needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckLimitState {
    checks: usize,
}

/// Counts checks. Made by [`CheckLimitConfig::init`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckLimit {
    limit: usize,
    state: CheckLimitState,
}

impl StopCriterion for CheckLimit {
    type State = CheckLimitState;

    fn goal(&self) -> Option<Goal> {
        None
    }

    fn best(&self) -> Option<f64> {
        None
    }

    fn observe(&mut self, _observation: impl Into<Observation>) -> Decision {
        self.state.checks += 1;
        let checks = self.limit;
        let stop = (self.state.checks >= checks).then_some(StopReason::CheckLimit { checks });
        Decision::without_metric(self.state.checks, stop)
    }

    fn state(&self) -> CheckLimitState {
        self.state.clone()
    }

    fn with_state(mut self, state: CheckLimitState) -> Self {
        self.state = state;
        self
    }

    fn reset_waiting(&mut self) {}
}
