//! The difference between two samples that belong together pair by pair.

use std::f64::consts::SQRT_2;

use statrs::{distribution::ContinuousCDF, function::erf::erfc};

use crate::stats::{Interval, sample_sd, student_t};

/// Up to this many pairs, every assignment of signs is tried.
const EXACT_PAIRS: usize = 20;

/// Differences that are apart by less than this share of the largest value count as equal. It is
/// far above the rounding of a subtraction, and far below one sample of any test set.
const ROUNDING: f64 = 1e-12;

/// A paired comparison; see [`paired`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paired {
    /// Number of pairs.
    pub pairs: usize,
    /// Mean difference with its 95 % interval.
    pub difference: Interval,
    /// Two-sided p-value of the paired t-test.
    pub t_p: f64,
    /// Two-sided p-value of the sign-flip permutation test.
    pub sign_flip_p: f64,
}

/// Compares two samples whose values at the same index are a pair, `a` minus `b`.
///
/// - `t_p` is from the paired t-test. Where the differences are all equal the t statistic has no
///   value, and `t_p` is `sign_flip_p`, or 1 if they are all zero. For one pair it is NaN.
/// - `sign_flip_p` is the share of all assignments of signs to the differences that give a mean at
///   least as far from zero. It assumes only that, if nothing differs, a difference is as likely
///   to be negative as positive. It is exact for up to 20 pairs. For more, it is the
///   normal approximation, which is too small by some where most differences are equal in size.
///
/// If there are no pairs, or a value is not finite, everything is NaN.
///
/// # Panics
///
/// If the samples differ in length.
pub fn paired(a: &[f64], b: &[f64]) -> Paired {
    assert_eq!(a.len(), b.len(), "paired samples must be of equal length");
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    let difference = Interval::confidence_95(&differences);
    if difference.mean.is_nan() {
        return Paired {
            pairs: a.len(),
            difference,
            t_p: f64::NAN,
            sign_flip_p: f64::NAN,
        };
    }

    let largest = a
        .iter()
        .chain(b)
        .fold(0.0, |m: f64, value| m.max(value.abs()));
    let rounding = ROUNDING * largest;
    let sign_flip_p = sign_flip_p(&differences, rounding);

    let n = differences.len() as f64;
    let sd = sample_sd(&differences);
    let t_p = if sd.is_nan() {
        f64::NAN
    } else if sd > rounding {
        let t = difference.mean / (sd / n.sqrt());
        2.0 * student_t(n - 1.0).sf(t.abs())
    } else if difference.mean.abs() > rounding {
        sign_flip_p
    } else {
        1.0
    };
    Paired {
        pairs: a.len(),
        difference,
        t_p,
        sign_flip_p,
    }
}

fn sign_flip_p(differences: &[f64], rounding: f64) -> f64 {
    let n = differences.len();
    let sum: f64 = differences.iter().sum();
    // A mean of zero, up to rounding: every assignment is at least as far from it.
    let observed = sum.abs() - rounding * n as f64;
    if observed <= 0.0 {
        1.0
    } else if n <= EXACT_PAIRS {
        as_far(differences, 0.0, observed) as f64 / 2.0_f64.powi(n as i32)
    } else {
        let squares: f64 = differences.iter().map(|d| d * d).sum();
        erfc(sum.abs() / squares.sqrt() / SQRT_2)
    }
}

/// How many assignments of signs to `differences`, added to `sum`, are at least `observed` from
/// zero.
fn as_far(differences: &[f64], sum: f64, observed: f64) -> u64 {
    match differences {
        [] => u64::from(sum.abs() >= observed),
        [first, rest @ ..] => {
            as_far(rest, sum + first, observed) + as_far(rest, sum - first, observed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [f64; 8] = [0.912, 0.905, 0.918, 0.91, 0.915, 0.908, 0.911, 0.917];
    const B: [f64; 8] = [0.905, 0.903, 0.909, 0.911, 0.908, 0.902, 0.907, 0.91];

    fn assert_close(actual: f64, expected: f64) {
        assert!(
            (actual - expected).abs() <= 1e-7 * expected.abs(),
            "{actual} is not {expected}"
        );
    }

    #[test]
    fn agrees_with_an_independent_implementation() {
        // scipy.stats: ttest_rel, its confidence interval, and permutation_test over all signs.
        let result = paired(&A, &B);
        assert_close(result.difference.mean, 0.005_125);
        assert_close(result.difference.low, 0.002_390_760_6);
        assert_close(result.difference.high, 0.007_859_239_4);
        assert_close(result.t_p, 0.003_036_163_4);
        assert_eq!(result.sign_flip_p, 0.015_625);
    }

    #[test]
    fn exchanging_the_samples_only_turns_the_sign() {
        let (forward, back) = (paired(&A, &B), paired(&B, &A));
        assert_eq!(forward.difference.mean, -back.difference.mean);
        assert_eq!(forward.difference.low, -back.difference.high);
        assert_eq!(forward.t_p, back.t_p);
        assert_eq!(forward.sign_flip_p, back.sign_flip_p);
    }

    #[test]
    fn smallest_sign_flip_p_is_two_in_all_assignments() {
        for (n, smallest) in (3..=8).zip([0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125]) {
            let a: Vec<f64> = (1..=n).map(f64::from).collect();
            assert_eq!(paired(&a, &vec![0.0; a.len()]).sign_flip_p, smallest);
        }
    }

    #[test]
    fn rounding_of_the_subtraction_does_not_break_ties() {
        // All assignments with three of a kind and one other tie: 2 + 8 of 16, however the four
        // differences of 0.01 and -0.01 were rounded.
        let b = [0.91, 0.92, 0.93, 0.94];
        let a = [0.92, 0.93, 0.94, 0.93];
        assert_eq!(paired(&a, &b).sign_flip_p, 10.0 / 16.0);
    }

    #[test]
    fn equal_differences_have_no_t_statistic() {
        // Equal but for rounding.
        let b = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6];
        let a = b.map(|value| value + 0.01);
        let result = paired(&a, &b);
        assert_eq!(result.sign_flip_p, 0.03125);
        assert_eq!(result.t_p, 0.03125);
    }

    #[test]
    fn no_difference_at_all_has_p_one() {
        let result = paired(&A, &A);
        assert_eq!(result.difference.mean, 0.0);
        assert_eq!((result.t_p, result.sign_flip_p), (1.0, 1.0));
        let many = paired(&[0.9; 21], &[0.9; 21]);
        assert_eq!((many.t_p, many.sign_flip_p), (1.0, 1.0));
    }

    #[test]
    fn one_pair_shows_nothing_and_a_nan_is_not_hidden() {
        let one = paired(&[0.9], &[0.8]);
        assert!(one.t_p.is_nan() && one.difference.low.is_nan());
        assert_eq!(one.sign_flip_p, 1.0);
        let diverged = paired(&[0.9, f64::NAN], &[0.8, 0.8]);
        assert!(diverged.t_p.is_nan() && diverged.sign_flip_p.is_nan());
        assert!(diverged.difference.mean.is_nan());
    }

    #[test]
    fn many_pairs_use_the_normal_approximation() {
        // 15 of +1 and 6 of -1: the normal tails beyond 9 / sqrt(21).
        let a: Vec<f64> = (0..21).map(|i| if i < 15 { 1.0 } else { -1.0 }).collect();
        assert_close(paired(&a, &[0.0; 21]).sign_flip_p, 0.049_534_613);
    }

    #[test]
    #[should_panic(expected = "equal length")]
    fn samples_of_different_length_are_refused() {
        paired(&A, &B[1..]);
    }
}
