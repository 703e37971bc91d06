//! Prechelt's quotient of generalisation loss and training progress.

use crate::criterion::{Observation, StopCriterion};
use crate::decision::{Decision, StopReason};
use crate::lowest_error::{LowestError, check, positive_zero};
use burn_tricks_core::{Config, ConfigError, Goal};
use serde::{Deserialize, Serialize};

/// Configuration of [`ProgressQuotient`] (Prechelt's PQ): stops when the validation error has risen and the training
/// error falls too slowly to make up for it.
///
/// ```text
/// GL(t) = 100 (E(t) / min E − 1)                                  E: the validation error
/// P(t)  = 1000 (mean of the last k E_tr / min of the last k E_tr − 1)    E_tr: the training error
/// GL(t) / P(t) > α at the end of a strip of k checks              stop: LittleProgress
/// ```
///
/// While the training error falls fast, the validation error has a good chance to fall again: many of its rises are
/// temporary. P is large while the training error falls, or is unstable, and near 0 at the end of a training.
///
/// # Example
///
/// ```
/// use burn_tricks_stop::{Observation, ProgressQuotientConfig, StopCriterion, StopReason};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let mut stop = ProgressQuotientConfig::new(0.5).with_strip(2).init()?;
/// let mut observe = |validation: f64, training| {
///     stop.observe(Observation::from(validation).with_training(training)).stop
/// };
/// assert_eq!(observe(0.50, 0.50), None);
/// assert_eq!(observe(0.40, 0.40), None);
/// assert_eq!(observe(0.43, 0.36), None);
/// assert_eq!(observe(0.44, 0.30), None); // GL = 10, P = 1000 (0.33 / 0.30 − 1) = 100
/// assert_eq!(observe(0.44, 0.299), None); // only the end of a strip counts
/// let stopped = Some(StopReason::LittleProgress { quotient: 0.5 });
/// assert_eq!(observe(0.44, 0.298), stopped); // GL = 10, P = 1.7
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Call `observe` after validation. The training error must be given with each observation, by
/// [`Observation::with_training`]: the mean of the loss over the epoch. A `Session` of `burn-tricks-train` does so if
/// the metric is registered for the training split too. An observation without it stops the training with
/// [`StopReason::NoTrainingError`], and errors that are negative or not finite stop it as for
/// [`GeneralizationLoss`](crate::GeneralizationLoss). Such a check is never the best, even if its validation error is the lowest.
///
/// # Cost
///
/// The training errors of a strip.
///
/// # Differences
///
/// None of Keras, Lightning and optax has it.
///
/// # Suggested values
///
/// k = 5. Prechelt compares α = 0.5, 0.75, 1, 2 and 3. He recommends this criterion for the best result on average if the
/// network hardly overfits, [`RisingStrips`](crate::RisingStrips) if it does, and
/// [`GeneralizationLoss`](crate::GeneralizationLoss) for the best chance of a good result.
///
/// # References
///
/// - Prechelt, *Early stopping — but when?*, 1998, <https://doi.org/10.1007/3-540-49430-8_3>
#[derive(Config, Debug, PartialEq)]
pub struct ProgressQuotientConfig {
    /// α, at least 0.
    pub quotient: f64,
    /// k, the checks of a strip, at least 2: the progress of a single check is 0. Default: 5.
    #[config(default = 5)]
    pub strip: usize,
}

impl ProgressQuotientConfig {
    /// The criterion before its first check.
    ///
    /// # Errors
    ///
    /// If `quotient` is negative or not finite, or if `strip` is less than 2.
    pub fn init(&self) -> Result<ProgressQuotient, ConfigError> {
        ConfigError::non_negative("quotient", self.quotient)?;
        if self.strip < 2 {
            return Err(ConfigError::new("strip", "be at least 2", self.strip));
        }
        Ok(ProgressQuotient {
            config: self.clone(),
            state: ProgressQuotientState::default(),
        })
    }
}

/// The part of [`ProgressQuotient`] that a resumed run needs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProgressQuotientState {
    error: LowestError,
    /// The training errors of the present strip.
    training: Vec<f64>,
}

/// Compares the rise of the validation error with the progress of the training error. Made by
/// [`ProgressQuotientConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct ProgressQuotient {
    config: ProgressQuotientConfig,
    state: ProgressQuotientState,
}

impl StopCriterion for ProgressQuotient {
    type State = ProgressQuotientState;

    fn goal(&self) -> Option<Goal> {
        Some(Goal::Minimize)
    }

    fn best(&self) -> Option<f64> {
        self.state.error.lowest()
    }

    fn needs_training(&self) -> bool {
        true
    }

    fn observe(&mut self, observation: impl Into<Observation>) -> Decision {
        let Observation {
            value, training, ..
        } = observation.into();
        let watched = &mut self.state.error;
        let training = training.ok_or(StopReason::NoTrainingError);
        let checked = training.and_then(|training| check(training).map(|()| training));
        let training = match check(value).and(checked) {
            Ok(training) => training,
            Err(reason) => return watched.skip(reason),
        };
        let is_best = watched.take(value) == Ok(true);
        self.state.training.push(positive_zero(training));
        let mut stop = None;
        if self.state.training.len() >= self.config.strip {
            let quotient = self.config.quotient;
            // GL / P > α, also where P is 0.
            let rises = watched.loss(value) > quotient * progress(&self.state.training);
            stop = rises.then_some(StopReason::LittleProgress { quotient });
            self.state.training.clear();
        }
        self.state.error.decision(is_best, stop)
    }

    fn state(&self) -> ProgressQuotientState {
        self.state.clone()
    }

    fn with_state(mut self, state: ProgressQuotientState) -> Self {
        self.state = state;
        self
    }

    /// A new strip begins.
    fn reset_waiting(&mut self) {
        self.state.training.clear();
    }
}

/// P of a strip, in thousandths of its lowest training error.
fn progress(training: &[f64]) -> f64 {
    let mean = training.iter().sum::<f64>() / training.len() as f64;
    let lowest = training.iter().copied().fold(f64::INFINITY, f64::min);
    if mean == 0.0 {
        return 0.0;
    }
    1000.0 * (mean / lowest - 1.0)
}
