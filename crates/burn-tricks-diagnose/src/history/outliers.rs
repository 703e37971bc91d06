//! Numbers of which a few are far larger than the others.

/// The deviation over that of the middle 90 % from which a few numbers are outliers: 1.3 for a normal distribution, 2.0 for
/// the logarithm of one.
pub(crate) const OUTLYING: f64 = 10.0;

/// Fewer numbers have no middle.
const ENOUGH: usize = 40;

/// Fewer different numbers in the middle are those of something that is seldom on.
const VARIED: usize = 10;

/// The deviation of the finite numbers over that of their middle 90 %; 1 if there are few, or the middle hardly varies.
pub(crate) fn outlier_ratio(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    if values.len() < ENOUGH {
        return 1.0;
    }
    let cut = values.len().div_ceil(20);
    let middle = &values[cut..values.len() - cut];
    let different = 1 + middle.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let ratio = deviation(&values) / deviation(middle);
    if different >= VARIED && ratio.is_finite() {
        ratio
    } else {
        1.0
    }
}

/// The deviation of the middle 90 % of the finite numbers; 0 if there are few.
pub(crate) fn middle_deviation(values: &[f32]) -> f64 {
    let mut values: Vec<f32> = (values.iter().copied())
        .filter(|value| value.is_finite())
        .collect();
    let cut = values.len().div_ceil(20);
    if values.len() < ENOUGH {
        return 0.0;
    }
    values.select_nth_unstable_by(cut, f32::total_cmp);
    let end = values.len() - 2 * cut;
    let rest = &mut values[cut..];
    rest.select_nth_unstable_by(end, f32::total_cmp);
    let middle: Vec<f64> = rest[..end].iter().copied().map(f64::from).collect();
    deviation(&middle)
}

fn deviation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / count)
        .sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_what_is_left_without_a_twentieth_at_either_end() {
        let spread = |at: usize| (at * 37 % 101) as f32;
        let mut values: Vec<f32> = (0..101).map(spread).collect();
        // Of 0 to 100, 6 to 94 are left.
        let whole = |count: f64| ((count * count - 1.0) / 12.0).sqrt();
        assert!((middle_deviation(&values) - whole(89.0)).abs() < 1e-9);
        let before = middle_deviation(&values);
        values[0] = -1e6;
        assert_eq!(middle_deviation(&values), before, "the smallest one");
        assert_eq!(middle_deviation(&values[..39]), 0.0);
    }

    #[test]
    fn one_number_of_a_hundred_drowns_the_others_and_a_rare_one_does_not() {
        let spread = |at: usize| (at * 37 % 101) as f64 / 101.0;
        let with = |last: f64| (0..100).map(spread).chain([last]);
        assert!(outlier_ratio(with(1e3)) > 100.0);
        assert!(outlier_ratio(with(0.5)) < 1.3);
        // On for one row of a hundred.
        let rare = (0..100).map(|at| f64::from(u8::from(at == 7)));
        assert_eq!(outlier_ratio(rare), 1.0);
        assert_eq!(outlier_ratio((0..20).map(spread).chain([1e9])), 1.0);
        assert_eq!(outlier_ratio([f64::NAN; 80].into_iter()), 1.0);
    }
}
