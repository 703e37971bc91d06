//! A smoothed metric in front of any criterion.

use crate::criterion::{Observation, StopCriterion};
use crate::decision::Decision;
use burn_tricks_core::{Config, ConfigError, Goal};
use serde::{Deserialize, Serialize};

/// Configuration of [`Smoothed`]: any criterion, which observes a moving average of the metric in place of the metric.
///
/// ```text
/// mₜ = β mₜ₋₁ + (1 − β) xₜ          m₀ = 0
/// x̂ₜ = mₜ / (1 − βᵗ)                without the pull towards m₀; x̂₁ = x₁
///    = x̂ₜ₋₁ + (1 − β) / (1 − βᵗ) · (xₜ − x̂ₜ₋₁)
/// ```
///
/// The last line is the one that is calculated: the average of a metric that stands still is that metric, to the last
/// digit, and rounding errors are no improvements.
///
/// # Example
///
/// ```
/// use burn_tricks_stop::{EarlyStoppingConfig, Goal, SmoothedConfig, StopCriterion};
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let patience = EarlyStoppingConfig::new(Goal::Minimize).with_patience(3).init()?;
/// let mut stop = SmoothedConfig::new(0.5).init(patience)?;
/// assert_eq!(stop.observe(1.0).best, Some(1.0));
/// let decision = stop.observe(0.4); // (0.25 · 1.0 + 0.5 · 0.4) / 0.75
/// assert!((decision.best.unwrap() - 0.6).abs() < 1e-12);
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Put it around a criterion, in a loop or in `stop_early` of a `Session`. [`Decision::best`] and the best check are
/// those of the smoothed metric, which follows the metric with a delay of about β/(1 − β) checks. So the best weights
/// are those of a stretch of good checks rather than of one lucky check, and thresholds such as a target are compared
/// with smoothed values. In a `Session` that keeps several checkpoints, the others are ranked by the metric itself.
///
/// A value that is NaN or infinite is passed on as it is, and leaves the average alone. A standard error is smoothed as
/// that of a weighted mean of independent values; without one, or with one that is negative or not finite, the value
/// counts as exact, and the average keeps the error of the other values. A training error is passed on as it is.
///
/// When the run goes back to its best weights, by a [`RollBack`](crate::RollBack), the average goes back to that of the
/// best check, so that it does not remember how the metric diverged.
///
/// # Cost
///
/// Six numbers.
///
/// # Differences
///
/// Keras and Lightning have no smoothed criterion; users of TensorFlow Addons asked for one, since patience on a noisy
/// metric stops early. [`NoiseAware`](crate::NoiseAware) is the alternative if the standard error is known: it has no
/// delay.
///
/// # Suggested values
///
/// β = 0.5 to 0.8, with a patience that is longer by the delay.
#[derive(Config, Debug, PartialEq)]
pub struct SmoothedConfig {
    /// β in [0, 1), the share of the old average. With 0 the metric is passed on as it is.
    pub decay: f64,
}

impl SmoothedConfig {
    /// `criterion`, which has seen no check yet, behind the average.
    ///
    /// # Errors
    ///
    /// If `decay` does not lie in [0, 1).
    pub fn init<C: StopCriterion>(&self, criterion: C) -> Result<Smoothed<C>, ConfigError> {
        ConfigError::decay_rate("decay", self.decay)?;
        Ok(Smoothed {
            config: self.clone(),
            inner: criterion,
            average: Average::default(),
            best: Average::default(),
        })
    }
}

/// The moving average.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "SavedAverage", into = "SavedAverage")]
struct Average {
    /// x̂ₜ; 0 before the first value.
    value: f64,
    /// 1 − βᵗ.
    weight: f64,
    /// The standard error of mₜ, from those of the values.
    standard_error: f64,
}

/// An [`Average`] as a state holds it, also one that was saved before.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct SavedAverage {
    /// It was not saved before.
    value: Option<f64>,
    /// mₜ, which was saved in its place, and is saved still.
    mean: f64,
    weight: f64,
    /// It was not saved before.
    standard_error: f64,
}

impl From<SavedAverage> for Average {
    fn from(saved: SavedAverage) -> Self {
        let SavedAverage {
            value,
            mean,
            weight,
            standard_error,
        } = saved;
        let of_mean = if weight > 0.0 { mean / weight } else { 0.0 };
        Self {
            value: value.unwrap_or(of_mean),
            weight,
            standard_error,
        }
    }
}

impl From<Average> for SavedAverage {
    fn from(average: Average) -> Self {
        let Average {
            value,
            weight,
            standard_error,
        } = average;
        Self {
            value: Some(value),
            mean: value * weight,
            weight,
            standard_error,
        }
    }
}

/// The part of [`Smoothed`] that a resumed run needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SmoothedState<S> {
    inner: S,
    average: Average,
    /// The average at the best check.
    #[serde(default)] // it was not saved before
    best: Average,
}

/// A criterion that observes a moving average of its metric. Made by [`SmoothedConfig::init`].
#[derive(Debug, Clone, PartialEq)]
pub struct Smoothed<C> {
    config: SmoothedConfig,
    inner: C,
    average: Average,
    /// The average at the best check.
    best: Average,
}

impl<C> Smoothed<C> {
    /// The criterion behind the average.
    pub fn inner(&self) -> &C {
        &self.inner
    }

    /// The smoothed metric; none before the first finite value.
    pub fn value(&self) -> Option<f64> {
        (self.average.weight > 0.0).then_some(self.average.value)
    }

    fn smooth(&mut self, observation: Observation) -> Observation {
        let Observation {
            value,
            standard_error,
            training,
        } = observation;
        if !value.is_finite() {
            return observation;
        }
        let old = self.config.decay;
        let new = 1.0 - old;
        let error = standard_error.filter(|error| error.is_finite() && *error >= 0.0);
        let before = self.average.value;
        let weight = old * self.average.weight + new;
        let share = new / weight;
        let average = Average {
            // Of the first value, and of each without a share of the old ones, the value itself.
            value: if share < 1.0 {
                before + share * (value - before)
            } else {
                value
            },
            weight,
            // The root of a sum of squares, none of which overflows.
            standard_error: (old * self.average.standard_error).hypot(new * error.unwrap_or(0.0)),
        };
        self.average = average;
        Observation {
            value: average.value,
            standard_error: (error.is_some() || average.standard_error > 0.0)
                .then_some(average.standard_error / average.weight),
            training,
        }
    }
}

impl<C: StopCriterion> StopCriterion for Smoothed<C> {
    type State = SmoothedState<C::State>;

    fn start(&mut self) {
        self.inner.start();
    }

    fn goal(&self) -> Option<Goal> {
        self.inner.goal()
    }

    fn best(&self) -> Option<f64> {
        self.inner.best()
    }

    fn needs_standard_error(&self) -> bool {
        self.inner.needs_standard_error()
    }

    fn needs_training(&self) -> bool {
        self.inner.needs_training()
    }

    fn observe(&mut self, observation: impl Into<Observation>) -> Decision {
        let smoothed = self.smooth(observation.into());
        let decision = self.inner.observe(smoothed);
        if decision.is_best {
            self.best = self.average;
        }
        decision
    }

    fn state(&self) -> Self::State {
        SmoothedState {
            inner: self.inner.state(),
            average: self.average,
            best: self.best,
        }
    }

    fn with_state(self, state: Self::State) -> Self {
        let inner = self.inner.with_state(state.inner);
        let average = state.average;
        let best = match inner.best() {
            // Of a state without it the best value is known.
            Some(best) if state.best.weight == 0.0 => Average {
                value: best,
                ..average
            },
            _ => state.best,
        };
        Self {
            inner,
            average,
            best,
            ..self
        }
    }

    /// The average, too, goes back to the best check.
    fn reset_waiting(&mut self) {
        self.average = self.best;
        self.inner.reset_waiting();
    }
}
