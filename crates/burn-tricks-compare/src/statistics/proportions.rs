//! Shares of seeds: McNemar's test and the bound of Clopper and Pearson.

use statrs::distribution::{Beta, Binomial, ContinuousCDF, DiscreteCDF};

/// McNemar's exact test: of the pairs in which exactly one of the two failed, `only_first` and
/// `only_second`, whether one fails more often. Two-sided.
///
/// Pairs in which both failed, or neither, say nothing.
pub fn mcnemar_p(only_first: usize, only_second: usize) -> f64 {
    let pairs = (only_first + only_second) as u64;
    let one_fails_less = Binomial::new(0.5, pairs).expect("a half is a probability");
    let tail = one_fails_less.cdf(only_first.min(only_second) as u64);
    (2.0 * tail).min(1.0)
}

/// The upper end of the one-sided 95 % interval of a share of which `events` in `n` were seen, by
/// Clopper and Pearson: with a share above it, so few would be seen in under 5 % of samples.
///
/// It is 1 for no samples.
pub fn share_upper_bound(events: usize, n: usize) -> f64 {
    match (events, n) {
        (events, n) if events >= n => 1.0,
        (0, n) => 1.0 - 0.05_f64.powf(1.0 / n as f64),
        (events, n) => Beta::new(events as f64 + 1.0, (n - events) as f64)
            .expect("both are positive")
            .inverse_cdf(0.95),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(actual: f64, expected: f64) {
        assert!((actual - expected).abs() < 1e-9, "{actual} {expected}");
    }

    #[test]
    fn mcnemar_is_the_binomial_test_of_scipy() {
        for (b, c, p) in [
            (7, 0, 0.015625),
            (5, 1, 0.21875),
            (1, 5, 0.21875),
            (16, 0, 3.051_757_812_5e-5),
            (0, 0, 1.0),
            (3, 3, 1.0),
            (600, 600, 1.0),
        ] {
            assert_close(mcnemar_p(b, c), p);
        }
    }

    #[test]
    fn the_bound_is_the_beta_quantile_of_scipy() {
        for (events, n, bound) in [
            (0, 14, 0.192_636_175_7),
            (0, 24, 0.117_346_156_2),
            (1, 24, 0.182_892_469_8),
            (6, 36, 0.302_677_423_6),
            (5, 5, 1.0),
            (0, 0, 1.0),
        ] {
            assert_close(share_upper_bound(events, n), bound);
        }
    }
}
