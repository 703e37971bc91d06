//! A mean and an interval around it.

use serde::{Deserialize, Serialize};

use crate::statistics::{
    moments::{mean, sample_sd},
    student::t_upper_quantile,
};

/// A mean and the ends of an interval around it.
///
/// What is not known is NaN, which JSON holds as `null`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The mean.
    #[serde(with = "crate::float")]
    pub mean: f64,
    /// Lower end.
    #[serde(with = "crate::float")]
    pub low: f64,
    /// Upper end.
    #[serde(with = "crate::float")]
    pub high: f64,
}

impl Interval {
    /// The mean of `values` with its 95 % interval from Student's t distribution.
    ///
    /// Fewer than two values have no interval: its ends are NaN. If there are no values, or one is
    /// not finite, the mean is NaN too.
    pub fn confidence_95(values: &[f64]) -> Self {
        let mean = mean(values);
        if !mean.is_finite() {
            return Self::UNKNOWN;
        }
        Self::student(mean, sample_sd(values), values.len(), 0.025)
    }

    /// The interval of a mean of `n` values of that standard deviation, which leaves out `tail` on
    /// each side.
    pub(crate) fn student(mean: f64, sd: f64, n: usize, tail: f64) -> Self {
        let half = if n < 2 {
            f64::NAN
        } else {
            t_upper_quantile(tail, n as f64 - 1.0) * sd / (n as f64).sqrt()
        };
        Self {
            mean,
            low: mean - half,
            high: mean + half,
        }
    }

    /// The interval without what lies outside of the values that are possible. It covers as often as
    /// before.
    pub(crate) fn within(self, low: f64, high: f64) -> Self {
        // NaN stays NaN.
        let clamp = |value: f64| {
            if value < low {
                low
            } else if value > high {
                high
            } else {
                value
            }
        };
        Self {
            low: clamp(self.low),
            high: clamp(self.high),
            ..self
        }
    }

    /// The mean and both ends under an ascending function.
    pub(crate) fn map(self, ascending: impl Fn(f64) -> f64) -> Self {
        Self {
            mean: ascending(self.mean),
            low: ascending(self.low),
            high: ascending(self.high),
        }
    }

    /// The interval of the negative value.
    pub(crate) fn negated(self) -> Self {
        Self {
            mean: -self.mean,
            low: -self.high,
            high: -self.low,
        }
    }

    /// Nothing is known.
    pub(crate) const UNKNOWN: Self = Self {
        mean: f64::NAN,
        low: f64::NAN,
        high: f64::NAN,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(actual: f64, expected: f64, relative: f64) {
        assert!(
            (actual - expected).abs() <= relative * expected.abs(),
            "{actual} is not {expected}"
        );
    }

    #[test]
    fn half_width_is_the_t_quantile_times_the_standard_error() {
        // Quantiles from a printed table; 0, 1, 0, 1, ... has a known standard error.
        for (n, quantile) in [(2, 12.706_205), (6, 2.570_581_8), (10, 2.262_157_2)] {
            let values: Vec<f64> = (0..n).map(|index| f64::from(index % 2)).collect();
            let n = f64::from(n);
            let standard_error = (0.25 * n / (n - 1.0)).sqrt() / n.sqrt();
            let interval = Interval::confidence_95(&values);
            assert_eq!(interval.mean, 0.5);
            assert_close(interval.high - 0.5, quantile * standard_error, 1e-7);
            assert_close(0.5 - interval.low, quantile * standard_error, 1e-7);
        }
    }

    #[test]
    fn equal_values_have_an_interval_of_no_width() {
        let interval = Interval::confidence_95(&[0.5; 4]);
        assert_eq!((interval.low, interval.high), (0.5, 0.5));
    }

    #[test]
    fn an_interval_ends_where_the_possible_values_do() {
        let interval = Interval::confidence_95(&[0.85, 1.0, 0.95]);
        assert!(interval.high > 1.0, "{interval:?}");
        let within = interval.within(0.0, 1.0);
        assert_eq!((within.low, within.high), (interval.low, 1.0));
        assert!(Interval::UNKNOWN.within(0.0, 1.0).low.is_nan());
    }

    #[test]
    fn what_is_not_known_is_nan_and_survives_json() {
        let one = Interval::confidence_95(&[0.25]);
        assert_eq!(one.mean, 0.25);
        assert!(one.low.is_nan() && one.high.is_nan());
        assert!(Interval::confidence_95(&[]).mean.is_nan());
        for value in [f64::NAN, f64::INFINITY] {
            let interval = Interval::confidence_95(&[0.25, value]);
            assert!(interval.mean.is_nan() && interval.low.is_nan() && interval.high.is_nan());
        }

        let json = serde_json::to_string(&one).unwrap();
        assert_eq!(json, r#"{"mean":0.25,"low":null,"high":null}"#);
        let read: Interval = serde_json::from_str(&json).unwrap();
        assert_eq!(read.mean, 0.25);
        assert!(read.low.is_nan() && read.high.is_nan());
    }
}
