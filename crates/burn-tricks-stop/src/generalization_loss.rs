//! Prechelt's generalisation loss.

use crate::criterion::{Observation, StopCriterion};
use crate::decision::{Decision, StopReason};
use crate::lowest_error::LowestError;
use burn_tricks_core::{Config, ConfigError, Goal};
use serde::{Deserialize, Serialize};

/// Configuration of [`GeneralizationLoss`] (Prechelt's GL): stops when the validation error exceeds its minimum by more
/// than a given percentage.
///
/// ```text
/// GL(t) = 100 (E(t) / min E − 1)     E(t): the validation error of check t; the minimum over all checks up to t
/// GL(t) > α                          stop: GeneralizationLoss
/// ```
///
/// # Example
///
/// ```
/// use burn_tricks_stop::{GeneralizationLossConfig, StopCriterion, StopReason};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let mut stop = GeneralizationLossConfig::new(5.0).init()?;
/// for error in [0.50, 0.40, 0.41, 0.42] {
///     assert!(!stop.observe(error).should_stop()); // 0.42 is 5 % above 0.40, and no more
/// }
/// let decision = stop.observe(0.43);
/// assert_eq!(decision.stop, Some(StopReason::GeneralizationLoss { percent: 5.0 }));
/// assert_eq!((decision.best, decision.best_check), (Some(0.40), Some(2)));
/// # Ok(())
/// # }
/// ```
///
/// Prechelt also bounds the time, and takes whichever criterion stops first:
///
/// ```
/// use burn_tricks_stop::{Any, CheckLimitConfig, GeneralizationLossConfig};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let stop = Any::init((
///     GeneralizationLossConfig::new(5.0).init()?,
///     CheckLimitConfig::new(3_000).init()?,
/// ))?;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Call `observe` after validation. The metric must be an error or a loss of at least 0; for an accuracy, observe one
/// minus it. A negative metric stops the training with [`StopReason::NegativeError`], since its percentages mean
/// nothing; one that is NaN or infinite stops it with [`StopReason::NonFinite`].
///
/// # Cost
///
/// One quotient per check.
///
/// # Differences
///
/// [`EarlyStopping`](crate::EarlyStopping) waits for a number of checks however little the error rises. This criterion
/// waits however long, until the error has risen enough. A single noisy check can stop it: see
/// [`SmoothedConfig`](crate::SmoothedConfig).
///
/// # Suggested values
///
/// Prechelt compares α = 1, 2, 3 and 5.
///
/// # References
///
/// - Prechelt, *Early stopping — but when?*, 1998, <https://doi.org/10.1007/3-540-49430-8_3>
#[derive(Config, Debug, PartialEq)]
pub struct GeneralizationLossConfig {
    /// α in percent, at least 0: by how much the error may exceed its minimum. With 0 the first check that is worse than
    /// the best stops.
    pub percent: f64,
}

impl GeneralizationLossConfig {
    /// The criterion before its first check.
    ///
    /// # Errors
    ///
    /// If `percent` is negative or not finite.
    pub fn init(&self) -> Result<GeneralizationLoss, ConfigError> {
        ConfigError::non_negative("percent", self.percent)?;
        Ok(GeneralizationLoss {
            config: self.clone(),
            state: GeneralizationLossState::default(),
        })
    }
}

/// The part of [`GeneralizationLoss`] that a resumed run needs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GeneralizationLossState {
    error: LowestError,
}

/// Watches how far an error rises above its minimum. Made by [`GeneralizationLossConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct GeneralizationLoss {
    config: GeneralizationLossConfig,
    state: GeneralizationLossState,
}

impl StopCriterion for GeneralizationLoss {
    type State = GeneralizationLossState;

    fn goal(&self) -> Option<Goal> {
        Some(Goal::Minimize)
    }

    fn best(&self) -> Option<f64> {
        self.state.error.lowest()
    }

    fn observe(&mut self, observation: impl Into<Observation>) -> Decision {
        let error = observation.into().value;
        let percent = self.config.percent;
        let watched = &mut self.state.error;
        match watched.take(error) {
            Err(reason) => watched.decision(false, Some(reason)),
            Ok(is_best) => {
                let stop = watched.loss(error) > percent;
                let reason = stop.then_some(StopReason::GeneralizationLoss { percent });
                watched.decision(is_best, reason)
            }
        }
    }

    fn state(&self) -> GeneralizationLossState {
        self.state.clone()
    }

    fn with_state(mut self, state: GeneralizationLossState) -> Self {
        self.state = state;
        self
    }

    /// It does not wait: nothing to do.
    fn reset_waiting(&mut self) {}
}
