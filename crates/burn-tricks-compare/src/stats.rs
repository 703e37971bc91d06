//! Means, their intervals, and the correction for several comparisons.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Arithmetic mean, NaN for no values.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Sample standard deviation (divisor `n - 1`), NaN for fewer than two values.
pub fn sample_sd(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return f64::NAN;
    }
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

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
            return Self::NAN;
        }
        let half = if values.len() < 2 {
            f64::NAN
        } else {
            let n = values.len() as f64;
            student_t(n - 1.0).inverse_cdf(0.975) * sample_sd(values) / n.sqrt()
        };
        Self {
            mean,
            low: mean - half,
            high: mean + half,
        }
    }

    const NAN: Self = Self {
        mean: f64::NAN,
        low: f64::NAN,
        high: f64::NAN,
    };
}

/// Student's t distribution with at least one degree of freedom.
pub(crate) fn student_t(freedom: f64) -> StudentsT {
    StudentsT::new(0.0, 1.0, freedom).expect("the degrees of freedom are positive")
}

/// The p-values, in the same order, adjusted by Holm's method for having made that many tests.
///
/// Rejecting where the adjusted value is at most 0.05 keeps the chance of even one false rejection
/// at 5 %, however the tests depend on one another. An adjusted value is at most 1; a p-value that
/// is NaN counts as 1.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let known = |index: usize| if p[index].is_nan() { 1.0 } else { p[index] };
    let mut ascending: Vec<usize> = (0..p.len()).collect();
    ascending.sort_by(|&a, &b| known(a).total_cmp(&known(b)));

    let mut adjusted = vec![1.0; p.len()];
    let mut largest: f64 = 0.0;
    for (rank, &index) in ascending.iter().enumerate() {
        largest = largest.max(known(index) * (p.len() - rank) as f64).min(1.0);
        adjusted[index] = largest;
    }
    adjusted
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
    fn mean_and_sample_sd_of_known_values() {
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        assert_eq!(mean(&values), 5.0);
        assert_close(sample_sd(&values), (32.0_f64 / 7.0).sqrt(), 1e-15);
        assert!(mean(&[]).is_nan());
        assert!(sample_sd(&[1.0]).is_nan());
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

    #[test]
    fn holm_adjusts_in_place() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (actual, expected) in adjusted.into_iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert_close(actual, expected, 1e-12);
        }
    }

    #[test]
    fn holm_is_capped_at_one_and_takes_nan_for_one() {
        assert_eq!(holm(&[]), Vec::<f64>::new());
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert_eq!(holm(&[f64::NAN, 0.01]), [1.0, 0.02]);
    }
}
