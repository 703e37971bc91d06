//! What a comparison shows.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::paired::Paired;
use crate::stats::holm;

/// A difference is shown if its corrected p-value is at most this.
pub const ALPHA: f64 = 0.05;

/// With fewer seeds than this, a verdict is always [`Verdict::NoDifferenceShown`].
///
/// The t-test takes the differences to be normally distributed, which so few values cannot
/// support. The sign-flip test, which does not need that, has 2<sup>n</sup> outcomes for n pairs
/// and so no two-sided p-value below 2 / 2<sup>n</sup>: 0.0625 for five pairs, 0.031 for six. With
/// fewer than six, only the assumption could show anything.
pub const MIN_SEEDS: usize = 6;

/// Test accuracy of a variant minus that of its baseline, paired by seed.
///
/// As a share, like the accuracy itself: 0.01 is one percentage point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Number of seeds with which both runs finished.
    pub pairs: usize,
    /// Mean over these seeds.
    #[serde(with = "crate::float")]
    pub mean: f64,
    /// Lower end of the 95 % interval, not corrected for the number of variants.
    #[serde(with = "crate::float")]
    pub low: f64,
    /// Upper end of the 95 % interval, not corrected for the number of variants.
    #[serde(with = "crate::float")]
    pub high: f64,
    /// Two-sided p-value of the paired t-test.
    #[serde(with = "crate::float")]
    pub p: f64,
    /// `p` after [Holm's correction](crate::holm) over all variants that have a baseline.
    #[serde(with = "crate::float")]
    pub p_holm: f64,
    /// Two-sided p-value of the sign-flip permutation test, not corrected.
    #[serde(with = "crate::float")]
    pub sign_flip_p: f64,
}

impl Difference {
    /// Applies the correction over all of `comparisons` that are there.
    pub(crate) fn corrected(comparisons: &[Option<Paired>]) -> Vec<Option<Self>> {
        let p: Vec<f64> = comparisons.iter().flatten().map(|one| one.t_p).collect();
        let mut p_holm = holm(&p).into_iter();
        let mut correct = |one: &Paired| Self {
            pairs: one.pairs,
            mean: one.difference.mean,
            low: one.difference.low,
            high: one.difference.high,
            p: one.t_p,
            p_holm: p_holm.next().expect("one for each comparison"),
            sign_flip_p: one.sign_flip_p,
        };
        comparisons
            .iter()
            .map(|one| one.as_ref().map(&mut correct))
            .collect()
    }
}

/// What the comparison of a variant with its baseline shows.
///
/// In JSON, and displayed, it is `helps`, `hurts`, `no difference shown` or `incomplete`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// The variant has the higher test accuracy.
    #[serde(rename = "helps")]
    Helps,
    /// The variant has the lower test accuracy.
    #[serde(rename = "hurts")]
    Hurts,
    /// Neither is shown. This is not a sign that the two are equal.
    #[serde(rename = "no difference shown")]
    NoDifferenceShown,
    /// Runs are missing: with some seeds the variant or its baseline failed. Why a run fails can have
    /// to do with what it would have measured, so the others do not stand for all.
    #[serde(rename = "incomplete")]
    Incomplete,
}

impl Verdict {
    /// The verdict on a difference, of which that many seeds were asked for: its sign, if there are at
    /// least [`MIN_SEEDS`] and [`p_holm`](Difference::p_holm) is at most [`ALPHA`]; none if there
    /// are fewer [`pairs`](Difference::pairs) than seeds.
    ///
    /// It can differ from what [`low`](Difference::low) and [`high`](Difference::high) suggest:
    /// they are the plain interval, the verdict is corrected for the number of variants.
    pub fn new(difference: &Difference, seeds: usize) -> Self {
        let shown = seeds >= MIN_SEEDS && difference.p_holm <= ALPHA;
        if difference.pairs < seeds {
            Self::Incomplete
        } else if shown && difference.mean > 0.0 {
            Self::Helps
        } else if shown && difference.mean < 0.0 {
            Self::Hurts
        } else {
            Self::NoDifferenceShown
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Helps => "helps",
            Self::Hurts => "hurts",
            Self::NoDifferenceShown => "no difference shown",
            Self::Incomplete => "incomplete",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(mean: f64, p_holm: f64) -> Difference {
        Difference {
            pairs: 6,
            mean,
            low: f64::NAN,
            high: f64::NAN,
            p: 0.0,
            p_holm,
            sign_flip_p: 0.0,
        }
    }

    #[test]
    fn a_verdict_is_the_sign_of_a_difference_that_the_corrected_p_shows() {
        let verdict = |mean, p_holm| Verdict::new(&difference(mean, p_holm), 6);
        assert_eq!(verdict(0.01, 0.05), Verdict::Helps);
        assert_eq!(verdict(-0.01, 0.05), Verdict::Hurts);
        assert_eq!(verdict(0.01, 0.0501), Verdict::NoDifferenceShown);
        assert_eq!(verdict(-0.01, 1.0), Verdict::NoDifferenceShown);
        assert_eq!(verdict(0.01, f64::NAN), Verdict::NoDifferenceShown);
        assert_eq!(verdict(f64::NAN, 0.01), Verdict::NoDifferenceShown);
    }

    #[test]
    fn too_few_seeds_show_nothing() {
        let sure = difference(0.5, 1e-9);
        assert_eq!(Verdict::new(&sure, 5), Verdict::NoDifferenceShown);
        assert_eq!(Verdict::new(&sure, 6), Verdict::Helps);
    }

    #[test]
    fn a_pair_that_is_missing_leaves_no_verdict() {
        for sure in [0.5, -0.5, f64::NAN] {
            let verdict = Verdict::new(&difference(sure, 1e-9), 7);
            assert_eq!(verdict, Verdict::Incomplete);
        }
    }

    #[test]
    fn json_and_display_are_the_same_words() {
        for (verdict, words) in [
            (Verdict::Helps, "helps"),
            (Verdict::Hurts, "hurts"),
            (Verdict::NoDifferenceShown, "no difference shown"),
            (Verdict::Incomplete, "incomplete"),
        ] {
            assert_eq!(verdict.to_string(), words);
            let json = serde_json::to_string(&verdict).unwrap();
            assert_eq!(json, format!("\"{words}\""));
            assert_eq!(serde_json::from_str::<Verdict>(&json).unwrap(), verdict);
        }
    }
}
