//! The tests of one set of paired differences: do they differ, and are they equivalent?

use crate::statistics::{
    moments::{mean, sample_sd},
    sign_flips::{sign_flip_p, sign_flip_p_greater},
    student::t_upper_tail,
};

/// The tests of paired differences, made by [`paired_test`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedTest {
    /// Number of pairs.
    pub pairs: usize,
    /// Mean difference.
    pub mean: f64,
    /// Sample standard deviation of the differences.
    pub sd: f64,
    /// The standard deviation that the tests use: `sd`, but at least a quarter of the margin.
    pub floored_sd: f64,
    /// The t statistic, `mean * sqrt(pairs) / floored_sd`.
    pub t: f64,
    /// Two-sided p-value of Student's t-test.
    pub t_p: f64,
    /// The p-value of "no difference": the larger of Student's and the sign-flip test's.
    pub difference_p: f64,
    /// The p-value of "the difference is beyond the margin": the largest over both sides and both
    /// tests.
    pub equivalence_p: f64,
}

/// Tests paired differences, twice: whether they have a mean other than zero, and whether their mean
/// lies within `margin` of zero on either side (two one-sided tests: Schuirmann, 1987, J.
/// Pharmacokinet. Biopharm. 15:657).
///
/// Two tests must agree each time. The exact [sign-flip test](crate::sign_flip_p) holds for
/// differences of any distribution if variant and baseline do not differ; Student's t-test asks about
/// the mean. Its standard deviation is at least a quarter of the margin: a spread of zero over a few
/// seeds is luck, or rounding, and without that floor differences that are rare jumps are often called
/// equivalent.
///
/// With fewer than two differences, or one that is not finite, every p-value is 1.
pub fn paired_test(differences: &[f64], margin: f64) -> PairedTest {
    paired_test_to_level(differences, margin, 1.0)
}

/// As [`paired_test`], without the sign flips where the p-value of Student's test is above `level`
/// already: there they could only raise it further. At 40 differences they take some milliseconds.
pub fn paired_test_to_level(differences: &[f64], margin: f64, level: f64) -> PairedTest {
    let pairs = differences.len();
    let (mean, sd) = (mean(differences), sample_sd(differences));
    let floored_sd = sd.max(margin / 4.0);
    if pairs < 2 || !mean.is_finite() {
        return PairedTest {
            pairs,
            mean,
            sd,
            floored_sd: sd,
            t: f64::NAN,
            t_p: 1.0,
            difference_p: 1.0,
            equivalence_p: 1.0,
        };
    }
    let t = mean * (pairs as f64).sqrt() / floored_sd;
    let t_p = match mean {
        0.0 => 1.0,
        _ => 2.0 * t_upper_tail(t.abs(), pairs as f64 - 1.0),
    };
    PairedTest {
        pairs,
        mean,
        sd,
        floored_sd,
        t,
        t_p,
        difference_p: with_flips(t_p, level, || sign_flip_p(differences)),
        equivalence_p: equivalence_p(differences, margin, level),
    }
}

/// The p-value of "the difference is beyond the margin" alone, as in [`paired_test_to_level`].
pub fn equivalence_p(differences: &[f64], margin: f64, level: f64) -> f64 {
    let (n, mean) = (differences.len() as f64, mean(differences));
    if differences.len() < 2 || !mean.is_finite() {
        return 1.0;
    }
    let per_error = n.sqrt() / sample_sd(differences).max(margin / 4.0);
    let side = |sign: f64| {
        let t_p = t_upper_tail((margin + sign * mean) * per_error, n - 1.0);
        with_flips(t_p, level, || {
            let room: Vec<f64> = differences.iter().map(|d| margin + sign * d).collect();
            sign_flip_p_greater(&room)
        })
    };
    match side(-1.0) {
        beyond if beyond > level => beyond,
        below => below.max(side(1.0)),
    }
}

/// The larger p-value of Student's test and the sign flips, which are left out above the level.
fn with_flips(t_p: f64, level: f64, flips: impl Fn() -> f64) -> f64 {
    if t_p <= level { t_p.max(flips()) } else { t_p }
}
