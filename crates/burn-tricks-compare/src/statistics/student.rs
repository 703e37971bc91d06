//! Student's t and the normal distribution.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// The probability that Student's t with that many degrees of freedom is at least `t`.
pub(crate) fn t_upper_tail(t: f64, freedom: f64) -> f64 {
    student_t(freedom).sf(t)
}

/// The value that Student's t exceeds with that probability.
pub(crate) fn t_upper_quantile(tail: f64, freedom: f64) -> f64 {
    // From the lower tail, where a small probability is not rounded to 1.
    -student_t(freedom).inverse_cdf(tail)
}

/// The value that a standard normal variable exceeds with that probability.
pub(crate) fn normal_upper_quantile(tail: f64) -> f64 {
    -Normal::standard().inverse_cdf(tail)
}

fn student_t(freedom: f64) -> StudentsT {
    StudentsT::new(0.0, 1.0, freedom).expect("the degrees of freedom are positive")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_and_quantiles_are_those_of_scipy() {
        // scipy.stats: t.sf, t.isf, norm.isf.
        for (actual, expected) in [
            (t_upper_tail(4.432_201_185, 7.0), 0.003_036_163_4 / 2.0),
            (t_upper_tail(-1.0, 4.0), 0.813_049_516_849_970_4),
            (t_upper_tail(12.0, 39.0), 5.751_440_978_323e-15),
            (t_upper_quantile(0.025, 13.0), 2.160_368_656_462_79),
            (t_upper_quantile(0.05 / 90.0, 13.0), 4.164_315_673_45),
            (normal_upper_quantile(0.2), 0.841_621_233_572_914_2),
            (normal_upper_quantile(0.05 / 45.0), 3.058_804_356_459),
        ] {
            let error = (actual - expected).abs() / expected;
            assert!(error < 1e-7, "{actual} is not {expected}");
        }
    }
}
