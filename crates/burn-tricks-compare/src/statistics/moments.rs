//! Mean, standard deviation and the mean of the middle half.

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

/// The mean without the lowest and the highest quarter of the values (of each ⌊n / 4⌋), NaN for no
/// values.
///
/// Agarwal et al., 2021, [Deep Reinforcement Learning at the Edge of the Statistical
/// Precipice](https://arxiv.org/abs/2108.13264): it varies less than the median and is moved less by
/// outliers than the mean.
pub fn interquartile_mean(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let cut = sorted.len() / 4;
    mean(&sorted[cut..sorted.len() - cut])
}

/// The share of paired differences that are above zero, ties counted as half: the probability that
/// the first of a pair beats the second. NaN for no pairs.
///
/// Bouthillier et al., 2021, [Accounting for Variance in Machine Learning
/// Benchmarks](https://arxiv.org/abs/2103.03098).
pub fn probability_of_improvement(gains: &[f64]) -> f64 {
    let score = |gain: &f64| match *gain {
        gain if gain > 0.0 => 1.0,
        gain if gain < 0.0 => 0.0,
        _ => 0.5,
    };
    gains.iter().map(score).sum::<f64>() / gains.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_sample_sd_of_known_values() {
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        assert_eq!(mean(&values), 5.0);
        assert!((sample_sd(&values) - (32.0_f64 / 7.0).sqrt()).abs() < 1e-15);
        assert!(mean(&[]).is_nan());
        assert!(sample_sd(&[1.0]).is_nan());
    }

    #[test]
    fn the_middle_half_ignores_what_is_outside_of_it() {
        // scipy.stats.trim_mean(values, 0.25).
        let values = [7.0, 2.0, 9.0, -1.0, 7.0, 6.0, 4.0, 7.0];
        assert_eq!(interquartile_mean(&values), 6.0);
        assert_eq!(interquartile_mean(&[1.0, 2.0, 6.0]), 3.0);
        let outlier = [7.0, 2.0, 9e9, -1.0, 7.0, 6.0, 4.0, 7.0];
        assert_eq!(interquartile_mean(&outlier), 6.0);
        assert!(interquartile_mean(&[]).is_nan());
    }

    #[test]
    fn a_tie_is_half_a_win() {
        assert_eq!(probability_of_improvement(&[1.0, -1.0, 0.0, 2.0]), 0.625);
        assert!(probability_of_improvement(&[]).is_nan());
    }
}
