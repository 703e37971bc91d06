//! The trait of everything that says when to stop, and what it is told.
//!
//! A criterion is told of each check of the model by an [`Observation`], a metric with or without its
//! standard error, and answers with a [`Decision`]. [`EarlyStopping`](crate::EarlyStopping),
//! [`NoiseAware`](crate::NoiseAware), [`TimeLimit`](crate::TimeLimit) and
//! [`CheckLimit`](crate::CheckLimit) are criteria, and so are [`Any`](crate::Any) and
//! [`All`](crate::All) of several.
//!
//! ```
//! use burn_tricks_stop::{EarlyStoppingConfig, Goal, Observation, StopCriterion};
//!
//! fn first_stop(mut criterion: impl StopCriterion, values: &[f64]) -> Option<usize> {
//!     let mut decisions = values.iter().map(|value| criterion.observe(*value));
//!     decisions.find(|decision| decision.should_stop()).map(|decision| decision.check)
//! }
//!
//! # fn main() -> Result<(), burn_tricks_core::ConfigError> {
//! let stop = EarlyStoppingConfig::new(Goal::Minimize).with_patience(2).init()?;
//! assert_eq!(first_stop(stop, &[3.0, 2.0, 2.5, 2.1, 1.0]), Some(4));
//!
//! let losses = [0.2, 0.4, 0.6, 0.8]; // of the validation samples, one by one
//! let observation = Observation::of_samples(&losses);
//! assert_eq!(observation.value, 0.5);
//! // √((0.3² + 0.1² + 0.1² + 0.3²) / 3 / 4)
//! assert!((observation.standard_error.unwrap() - 0.1291).abs() < 1e-4);
//! # Ok(())
//! # }
//! ```

use crate::Decision;
use burn_tricks_core::Goal;
use serde::{Serialize, de::DeserializeOwned};

/// The metric of one check.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// The metric.
    pub value: f64,
    /// The standard error of `value`, in its units, where it is known: how far a metric of as many
    /// other samples would typically lie from the true one. Only
    /// [`NoiseAware`](crate::NoiseAware) looks at it.
    pub standard_error: Option<f64>,
}

impl Observation {
    /// The mean of `samples` and its standard error, `s / √n` with
    /// `s² = Σ (x − mean)² / (n − 1)`.
    ///
    /// One sample has no known error, and no samples have the mean NaN.
    pub fn of_samples(samples: &[f64]) -> Self {
        let n = samples.len() as f64;
        let mean = samples.iter().sum::<f64>() / n;
        let squares: f64 = samples.iter().map(|x| (x - mean) * (x - mean)).sum();
        Self {
            value: mean,
            standard_error: (samples.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt()),
        }
    }

    /// With this standard error.
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
        }
    }
}

impl From<f32> for Observation {
    fn from(value: f32) -> Self {
        f64::from(value).into()
    }
}

/// Says after each check whether to stop.
pub trait StopCriterion {
    /// What a resumed run needs. It survives JSON (to the last bit with the feature `float_roundtrip` of
    /// `serde_json`).
    type State: Clone + Serialize + DeserializeOwned;

    /// The run begins, or is resumed: whoever drives the training calls it before the first step. For clocks;
    /// default: nothing.
    fn start(&mut self) {}

    /// Which way the metric should go; none if the decisions do not depend on it, as those of a limit of time
    /// or of checks do not. It does not change during a run.
    fn goal(&self) -> Option<Goal>;

    /// Whether the decisions depend on the metric, so that they can say which check is the best: whether there
    /// is a [`goal`](Self::goal).
    fn watches_metric(&self) -> bool {
        self.goal().is_some()
    }

    /// The best value so far; none before the first that counts (see [`Decision::is_best`]), and of a criterion
    /// that looks at no metric.
    fn best(&self) -> Option<f64>;

    /// Whether an observation without a standard error leaves the criterion without what it is for. Whoever
    /// drives the training then refuses one. Default: no.
    fn needs_standard_error(&self) -> bool {
        false
    }

    /// Takes the metric of the next check. It may be called again after a decision to stop.
    fn observe(&mut self, observation: impl Into<Observation>) -> Decision;

    /// What to save with a checkpoint.
    fn state(&self) -> Self::State;

    /// Goes on where the saved state was.
    fn with_state(self, state: Self::State) -> Self
    where
        Self: Sized;

    /// Begins to count patience anew; the best value, the value that improvements are measured against and
    /// what else was seen stay. For a run that goes
    /// on from its best weights: [`RollBack`](crate::RollBack) calls it.
    fn reset_waiting(&mut self);
}
