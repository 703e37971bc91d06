//! Holm's correction for several tests.

/// The p-values, in the same order, adjusted by Holm's method for having made that many tests.
///
/// Rejecting where the adjusted value is at most 0.05 keeps the chance of even one false rejection
/// at 5 %, however the tests depend on one another. An adjusted value is at most 1; a p-value that
/// is NaN counts as 1.
///
/// Holm, 1979, A Simple Sequentially Rejective Multiple Test Procedure, Scand. J. Stat. 6:65.
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

    fn assert_close(p: &[f64], expected: &[f64]) {
        for (actual, expected) in holm(p).into_iter().zip(expected) {
            assert!((actual - expected).abs() < 1e-12, "{actual} {expected}");
        }
    }

    #[test]
    fn holm_adjusts_in_place() {
        // statsmodels.stats.multitest.multipletests(method="holm").
        assert_close(&[0.01, 0.04, 0.03, 0.005], &[0.03, 0.06, 0.06, 0.02]);
        assert_close(
            &[0.0004, 0.01, 0.03, 0.0005, 0.6],
            &[0.002, 0.03, 0.06, 0.002, 0.6],
        );
    }

    #[test]
    fn holm_is_capped_at_one_and_takes_nan_for_one() {
        assert_eq!(holm(&[]), Vec::<f64>::new());
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert_eq!(holm(&[f64::NAN, 0.01]), [1.0, 0.02]);
    }
}
