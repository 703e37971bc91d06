//! The trait of stopping criteria, and the observation that a criterion gets.

use crate::decision::Decision;
use burn_tricks_core::Goal;
use serde::{Serialize, de::DeserializeOwned};

/// The metric of one check.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// The metric.
    pub value: f64,
    /// The standard error of `value` in the units of `value`, if it is known: how far the metric of as many other
    /// samples would typically lie from the true value. Only [`NoiseAware`](crate::NoiseAware) uses it.
    pub standard_error: Option<f64>,
    /// The same metric on the training data, if it is known: its mean over the steps since the last check. Only
    /// [`ProgressQuotient`](crate::ProgressQuotient) uses it.
    pub training: Option<f64>,
}

impl Observation {
    /// The mean of `samples` and its standard error, `s / √n` with
    /// `s² = Σ (x − mean)² / (n − 1)`.
    ///
    /// With one sample the standard error is unknown; with no samples the mean is NaN.
    pub fn of_samples(samples: &[f64]) -> Self {
        let n = samples.len() as f64;
        let mean = samples.iter().sum::<f64>() / n;
        let squares: f64 = samples.iter().map(|x| (x - mean) * (x - mean)).sum();
        Self {
            value: mean,
            standard_error: (samples.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt()),
            training: None,
        }
    }

    /// The same observation with the metric on the training data.
    #[must_use]
    pub fn with_training(mut self, training: f64) -> Self {
        self.training = Some(training);
        self
    }

    /// The same observation with this standard error.
    #[must_use]
    pub fn with_standard_error(mut self, standard_error: f64) -> Self {
        self.standard_error = Some(standard_error);
        self
    }
}

impl From<f64> for Observation {
    fn from(value: f64) -> Self {
        Self {
            value,
            standard_error: None,
            training: None,
        }
    }
}

impl From<f32> for Observation {
    fn from(value: f32) -> Self {
        f64::from(value).into()
    }
}

/// A stopping criterion: says after each check of the model whether to stop.
///
/// At each check of the model, a criterion gets an [`Observation`], a metric with or without its standard error, and
/// returns a [`Decision`]. [`EarlyStopping`](crate::EarlyStopping), [`NoiseAware`](crate::NoiseAware),
/// [`TimeLimit`](crate::TimeLimit) and [`CheckLimit`](crate::CheckLimit) are criteria, and so are [`Any`](crate::Any)
/// and [`All`](crate::All) of several.
///
/// ```
/// use burn_tricks_stop::{EarlyStoppingConfig, Goal, Observation, StopCriterion};
///
/// fn first_stop(mut criterion: impl StopCriterion, values: &[f64]) -> Option<usize> {
///     let mut decisions = values.iter().map(|value| criterion.observe(*value));
///     decisions.find(|decision| decision.should_stop()).map(|decision| decision.check)
/// }
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let stop = EarlyStoppingConfig::new(Goal::Minimize).with_patience(2).init()?;
/// assert_eq!(first_stop(stop, &[3.0, 2.0, 2.5, 2.1, 1.0]), Some(4));
///
/// let losses = [0.2, 0.4, 0.6, 0.8]; // of the validation samples, one by one
/// let observation = Observation::of_samples(&losses);
/// assert_eq!(observation.value, 0.5);
/// // √((0.3² + 0.1² + 0.1² + 0.3²) / 3 / 4)
/// assert!((observation.standard_error.unwrap() - 0.1291).abs() < 1e-4);
/// # Ok(())
/// # }
/// ```
pub trait StopCriterion {
    /// The state that a resumed run needs. It is saved as JSON (to the last bit with the feature `float_roundtrip` of
    /// `serde_json`), so every number in it must be finite: use an `Option` for a best value that is not known yet.
    type State: Clone + Serialize + DeserializeOwned;

    /// Tells the criterion that the run begins, or is resumed. The training loop calls this before the first step. It
    /// is for clocks; by default it does nothing.
    fn start(&mut self) {}

    /// Whether the metric should fall or rise; none if the decisions do not depend on the metric, as for a limit of
    /// time or of checks. The goal does not change during a run.
    fn goal(&self) -> Option<Goal>;

    /// Whether the decisions depend on the metric, so that they can say which check is the best: whether there
    /// is a [`goal`](Self::goal).
    fn uses_metric(&self) -> bool {
        self.goal().is_some()
    }

    /// The best value so far; none before the first value that counts (see [`Decision::is_best`]), and none for a
    /// criterion that ignores the metric.
    fn best(&self) -> Option<f64>;

    /// Whether the criterion makes sense only with standard errors. If so, the training refuses an observation
    /// without a standard error. Default: no.
    fn needs_standard_error(&self) -> bool {
        false
    }

    /// Whether the criterion needs the metric on the training data too ([`Observation::training`]). Default: no.
    fn needs_training(&self) -> bool {
        false
    }

    /// Takes the metric of the next check. It may be called again after a decision to stop.
    fn observe(&mut self, observation: impl Into<Observation>) -> Decision;

    /// What to save with a checkpoint.
    fn state(&self) -> Self::State;

    /// The criterion with a saved state, from which it continues.
    fn with_state(self, state: Self::State) -> Self
    where
        Self: Sized;

    /// Starts counting patience anew; the best value, the value that improvements are measured against and the rest
    /// of the state stay, except that the average of a [`Smoothed`](crate::Smoothed) goes back to that of the best check.
    /// [`RollBack`](crate::RollBack) calls this when a run continues from its best weights.
    fn reset_waiting(&mut self);
}
