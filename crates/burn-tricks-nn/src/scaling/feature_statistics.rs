//! The statistics of one feature while a scaler is fitted, on the host in `f64`.

use crate::scaling::scaler_config::ScalerKind;
use burn_tricks_core::is_rounding;

/// The running statistics of one feature.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FeatureStatistics {
    /// Count, mean, and the sum of squared deviations from the mean.
    Moments { count: u64, mean: f64, m2: f64 },
    /// The smallest and the largest value.
    Range { low: f64, high: f64 },
    /// All values: exact quantiles of a stream need all of them.
    Values(Vec<f64>),
}

impl FeatureStatistics {
    pub(crate) fn new(kind: ScalerKind) -> Self {
        match kind {
            ScalerKind::Standard => Self::Moments {
                count: 0,
                mean: 0.0,
                m2: 0.0,
            },
            ScalerKind::MinMax { .. } | ScalerKind::MaxAbs => Self::Range {
                low: f64::INFINITY,
                high: f64::NEG_INFINITY,
            },
            ScalerKind::Robust { .. } => Self::Values(Vec::new()),
        }
    }

    /// Whether it has seen no value.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Moments { count, .. } => *count == 0,
            Self::Range { low, high } => low > high,
            Self::Values(all) => all.is_empty(),
        }
    }

    /// Takes one value after the other, so that the result does not depend on how a stream was cut
    /// into batches, to the last bit.
    pub(crate) fn extend(&mut self, values: &[f64]) {
        match self {
            Self::Moments { count, mean, m2 } => {
                for value in values {
                    // Welford: the deviation from the mean before and after the value.
                    *count += 1;
                    let before = value - *mean;
                    *mean += before / *count as f64;
                    *m2 += before * (value - *mean);
                }
            }
            Self::Range { low, high } => {
                for value in values {
                    *low = low.min(*value);
                    *high = high.max(*value);
                }
            }
            Self::Values(all) => all.extend_from_slice(values),
        }
    }

    /// Adds what `other` has seen. Both are of one kind.
    pub(crate) fn merge(&mut self, other: &Self) {
        match (self, other) {
            (
                Self::Moments { count, mean, m2 },
                Self::Moments {
                    count: other_count,
                    mean: other_mean,
                    m2: other_m2,
                },
            ) => {
                // Chan, Golub & LeVeque.
                let (a, b) = (*count as f64, *other_count as f64);
                if b > 0.0 {
                    let delta = other_mean - *mean;
                    *mean += delta * (b / (a + b));
                    *m2 += other_m2 + delta * delta * (a * b / (a + b));
                    *count += other_count;
                }
            }
            (
                Self::Range { low, high },
                Self::Range {
                    low: other_low,
                    high: other_high,
                },
            ) => {
                *low = low.min(*other_low);
                *high = high.max(*other_high);
            }
            (Self::Values(all), Self::Values(other)) => all.extend_from_slice(other),
            _ => unreachable!("columns of one configuration are of one kind"),
        }
    }

    /// The shift and the scale of `(x - shift) / scale`. A feature that varies by no more than the rounding of
    /// values of a type with this `epsilon` has scale 1 (under min-max 1 / (high - low), as in scikit-learn).
    pub(crate) fn shift_and_scale(self, kind: ScalerKind, epsilon: f64) -> (f64, f64) {
        match (self, kind) {
            (Self::Moments { count, mean, m2 }, ScalerKind::Standard) => {
                let count = count as f64;
                // Each of the sums was rounded, too, in f64 (scikit-learn's bound, (n ε mean)²).
                let epsilon = epsilon.max(count * f64::EPSILON / 8.0);
                let deviation = (m2 / count).sqrt();
                (mean, one_if_constant(deviation, mean, epsilon))
            }
            (Self::Range { low, high }, ScalerKind::MinMax { low: a, high: b }) => {
                let largest = high.abs().max(low.abs());
                let scale = one_if_constant(high - low, largest, epsilon) / (b - a);
                (low - a * scale, scale)
            }
            (Self::Range { low, high }, ScalerKind::MaxAbs) => {
                // A size, of which rounding is a part: there is nothing to compare it with.
                (
                    0.0,
                    one_if_constant(high.abs().max(low.abs()), 0.0, epsilon),
                )
            }
            (Self::Values(mut values), ScalerKind::Robust { lower, upper }) => {
                values.sort_unstable_by(f64::total_cmp);
                let [low, middle, high] =
                    [lower, 50.0, upper].map(|percent| percentile(&values, percent));
                let largest = high.abs().max(low.abs());
                (middle, one_if_constant(high - low, largest, epsilon))
            }
            _ => unreachable!("a column is of its configuration's kind"),
        }
    }
}

/// The `spread` of numbers of this `size`, or 1 where it is no more than their rounding, or so small that
/// `f32` could not divide by it.
fn one_if_constant(spread: f64, size: f64, epsilon: f64) -> f64 {
    if is_rounding(spread, size, epsilon) || spread < f64::from(f32::MIN_POSITIVE) {
        1.0
    } else {
        spread
    }
}

/// Interpolated linearly between the two neighbours, as numpy does by default.
fn percentile(sorted: &[f64], percent: f64) -> f64 {
    let at = percent / 100.0 * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}
