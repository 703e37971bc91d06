//! The momentum m of Burn's batch norm: the share of a batch in its running statistics. It is a plain number,
//! which a walk through a module does not visit.
//!
//! A running statistic r becomes `(1 − m) r + m s`, where s is the statistic of the batch. Starting from 0, the
//! result is `m s`. Starting from r and from −r, with r far larger than s, half the difference of the results
//! is `(1 − m) r`, and half their sum is `m s` again. If one of these equations does not hold in some channel
//! of either statistic, the layer follows another rule, which is an error.

use crate::recalibration::recalibration_error::RecalibrationError;
use crate::recalibration::running_statistics::{MEAN, RunningStatistics, VARIANCE};
use burn::tensor::DType;
use burn_tricks_core::epsilon;

/// The momentum of a layer, given the results of starting from 0, from [`far`] and from its negative.
pub(crate) fn momentum(
    layer: &str,
    zero: &RunningStatistics,
    above: &RunningStatistics,
    below: &RunningStatistics,
) -> Result<f64, RecalibrationError> {
    let dtype = zero.dtype(layer);
    let in_far = |statistics: &RunningStatistics| -> Vec<f64> {
        let values = [MEAN, VARIANCE].map(|name| statistics.values(layer, name));
        (values.concat().iter())
            .map(|value| value / far(dtype))
            .collect()
    };
    let [zero, above, below] = [zero, above, below].map(in_far);
    let all = [&zero, &above, &below].into_iter().flatten();
    if let Some(got) = all.copied().find(|value| !value.is_finite()) {
        let layer = layer.to_owned();
        return Err(RecalibrationError::NonFinite { layer, got });
    }
    let near = |a: f64, b: f64| (a - b).abs() <= epsilon(dtype);
    let kept = above.first().zip(below.first());
    let kept = kept.map_or(1.0, |(above, below)| (above - below) / 2.0);
    let follows = |at| {
        let (above, below) = (above[at], below[at]);
        near((above - below) / 2.0, kept) && near((above + below) / 2.0, zero[at])
    };
    let is_share = (0.0..=1.0).contains(&kept) || near(kept, kept.clamp(0.0, 1.0));
    if !is_share || !(0..zero.len()).all(follows) {
        let layer = layer.to_owned();
        return Err(RecalibrationError::UnknownRule { layer });
    }
    let kept = rounded(kept.clamp(0.0, 1.0), dtype);
    if kept == 1.0 {
        let layer = layer.to_owned();
        return Err(RecalibrationError::NoMomentum { layer, dtype });
    }
    // As the layer multiplies by it, in its type.
    Ok(rounded(1.0 - shortest_decimal(kept, dtype), dtype))
}

/// A power of two that the type can hold, and next to which every statistic is lost in rounding. In `f16` large
/// statistics are not lost.
pub(crate) fn far(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => 2f64.powi(15),
        _ => 2f64.powi(100),
    }
}

/// `value`, a number of type `dtype` in [0, 1], as the decimal number it was: the shortest one, of six
/// digits at most, that rounds to it in that type.
fn shortest_decimal(value: f64, dtype: DType) -> f64 {
    let mut decimals = (1..=6).map(|digits| format!("{value:.digits$}").parse().unwrap_or(value));
    let same = |decimal: &f64| rounded(*decimal, dtype) == rounded(value, dtype);
    decimals.find(same).unwrap_or(value)
}

/// `value`, in [0, 1], to the nearest number of the type, ties to even.
fn rounded(value: f64, dtype: DType) -> f64 {
    // The exponent below which numbers lie evenly.
    let least = match dtype {
        DType::BF16 => -126,
        DType::F16 => -14,
        DType::F64 => return value,
        _ => return f64::from(value as f32),
    };
    let exponent = (value.log2().floor() as i32).max(least);
    let spacing = 2f64.powi(exponent) * epsilon(dtype);
    (value / spacing).round_ties_even() * spacing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_momentum_is_recovered_from_its_complement() {
        for (dtype, momenta) in [
            (DType::F64, &[0.1, 0.01, 0.001, 0.0003, 0.5, 0.9, 1.0][..]),
            (DType::F32, &[0.1, 0.01, 0.001, 0.0003, 0.5, 0.9, 1.0]),
            (DType::F16, &[0.1, 0.01, 0.003, 0.001, 0.5, 0.9, 1.0]),
            (DType::BF16, &[0.1, 0.01, 0.03, 0.05, 0.5, 0.9, 1.0]),
        ] {
            for momentum in momenta {
                let kept = rounded(1.0 - momentum, dtype);
                let recovered = 1.0 - shortest_decimal(kept, dtype);
                assert!(
                    (recovered - momentum).abs() < 1e-12,
                    "{momentum} in {dtype:?}: {recovered}"
                );
            }
        }
    }

    #[test]
    fn numbers_round_as_in_their_types() {
        assert_eq!(rounded(0.9, DType::BF16), 0.8984375);
        assert_eq!(rounded(0.999, DType::BF16), 1.0);
        assert_eq!(rounded(0.999, DType::F16), 0.9990234375);
        assert_eq!(rounded(2f64.powi(-24) * 1.4, DType::F16), 2f64.powi(-24));
        assert_eq!(rounded(0.1, DType::F32), f64::from(0.1f32));
    }
}
