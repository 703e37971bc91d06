//! The rule for when a new value of a metric is better than the best so far.
//!
//! Early stopping and plateau schedules share this rule. Some other libraries get it wrong for negative
//! metrics: a relative threshold written as `best · (1 − δ)` moves the wrong way when `best < 0`. Here the
//! relative margin is `δ · |best|`.

use crate::config_error::ConfigError;
use serde::{Deserialize, Serialize};

/// Whether the metric is to be minimised or maximised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Goal {
    /// Smaller is better: a loss.
    Minimize,
    /// Larger is better: an accuracy.
    Maximize,
}

impl Goal {
    /// Whether `value` is strictly better than `than`. If either is NaN, it is not.
    pub fn is_better(self, value: f64, than: f64) -> bool {
        match self {
            Self::Minimize => value < than,
            Self::Maximize => value > than,
        }
    }

    /// Whether `value` is a new best value: it is finite, and either the first or strictly better than `best`,
    /// the best so far.
    pub fn is_new_best(self, value: f64, best: Option<f64>) -> bool {
        value.is_finite() && best.is_none_or(|best| self.is_better(value, best))
    }

    /// By how much `value` is better than `than`: negative when it is worse.
    fn gain(self, value: f64, than: f64) -> f64 {
        match self {
            Self::Minimize => than - value,
            Self::Maximize => value - than,
        }
    }
}

/// How much better than the best value a value must be to count as an improvement. A value that is better by
/// exactly this margin does not count.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum MinDelta {
    /// In units of the metric: better by more than this.
    Absolute(f64),
    /// As a fraction of the size of the best value, `|best|`: better by more than this fraction.
    /// With a best value of zero every strictly better value counts.
    Relative(f64),
}

impl MinDelta {
    fn margin(self, best: f64) -> f64 {
        match self {
            Self::Absolute(delta) => delta,
            Self::Relative(fraction) => fraction * best.abs(),
        }
    }

    /// Returns `self` if its number is finite and not negative.
    pub fn validated(self, field: &'static str) -> Result<Self, ConfigError> {
        let (Self::Absolute(delta) | Self::Relative(delta)) = self;
        ConfigError::non_negative(field, delta)?;
        Ok(self)
    }
}

/// The rule that says whether a value improves on the best one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Improvement {
    /// Whether the metric is to be minimised or maximised.
    pub goal: Goal,
    /// How much better a value must be.
    pub min_delta: MinDelta,
}

impl Improvement {
    /// Whether `value` improves on `best`, the last value that was an improvement. (A value that is better by
    /// less than the margin may still be the best so far: [`Goal::is_new_best`].)
    ///
    /// A value that is not finite never improves; the first finite value always does.
    ///
    /// ```
    /// use burn_tricks_core::{Goal, Improvement, MinDelta};
    ///
    /// let rule = Improvement { goal: Goal::Maximize, min_delta: MinDelta::Relative(0.1) };
    /// assert!(!rule.improves(-9.5, Some(-10.0)), "better, but by less than a tenth of 10");
    /// assert!(rule.improves(-8.5, Some(-10.0)));
    /// assert!(!rule.improves(f64::NAN, None));
    /// ```
    pub fn improves(&self, value: f64, best: Option<f64>) -> bool {
        value.is_finite()
            && best.is_none_or(|best| self.goal.gain(value, best) > self.min_delta.margin(best))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(goal: Goal, min_delta: MinDelta) -> Improvement {
        Improvement { goal, min_delta }
    }

    #[test]
    fn zero_delta_means_strictly_better() {
        for min_delta in [MinDelta::Absolute(0.0), MinDelta::Relative(0.0)] {
            assert!(!rule(Goal::Minimize, min_delta).improves(1.0, Some(1.0)));
            assert!(rule(Goal::Minimize, min_delta).improves(0.999, Some(1.0)));
            assert!(rule(Goal::Maximize, min_delta).improves(1.001, Some(1.0)));
        }
    }

    #[test]
    fn the_bound_itself_does_not_count() {
        let by_a_half = rule(Goal::Minimize, MinDelta::Absolute(0.5));
        assert!(!by_a_half.improves(0.5, Some(1.0)));
        assert!(by_a_half.improves(0.49, Some(1.0)));
    }

    #[test]
    fn relative_is_right_for_negative_metrics() {
        // PyTorch's `best * (1 - threshold)` calls -1 an improvement on -1 for ever.
        let relative = rule(Goal::Minimize, MinDelta::Relative(1e-4));
        assert!(!relative.improves(-1.0, Some(-1.0)));
        assert!(!relative.improves(-1.00005, Some(-1.0)));
        assert!(relative.improves(-1.001, Some(-1.0)));
        let maximize = rule(Goal::Maximize, MinDelta::Relative(0.1));
        assert!(!maximize.improves(-10.5, Some(-10.0)));
        assert!(maximize.improves(-8.9, Some(-10.0)));
    }

    #[test]
    fn what_is_not_finite_is_never_better() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for goal in [Goal::Minimize, Goal::Maximize] {
                assert!(!rule(goal, MinDelta::Absolute(0.0)).improves(value, None));
                assert!(!rule(goal, MinDelta::Absolute(0.0)).improves(value, Some(0.0)));
            }
        }
    }

    #[test]
    fn a_negative_or_nan_delta_is_refused() {
        for bad in [-0.1, f64::NAN] {
            assert!(MinDelta::Absolute(bad).validated("min_delta").is_err());
            assert!(MinDelta::Relative(bad).validated("min_delta").is_err());
        }
    }
}
