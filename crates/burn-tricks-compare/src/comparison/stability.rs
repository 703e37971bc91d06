//! Which of the two fails more often.

use serde::{Deserialize, Serialize};

use crate::{
    comparison::{pair::Pair, verdict::Verdict},
    outcome::metric::QualityMetric,
    statistics::{
        holm::holm,
        looks::ALPHA,
        proportions::{mcnemar_p, share_upper_bound},
    },
};

/// How often the runs of a variant and its baseline failed or, where there is a target, never arrived at
/// it.
///
/// Stability is never called equivalent: no failure in 14 seeds is what a recipe that fails every tenth
/// time shows in one comparison of four. `upper_bound` says how often it may fail.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stability {
    /// Number of seeds.
    pub seeds: usize,
    /// Seeds with which the variant failed or never arrived.
    pub variant: usize,
    /// Seeds with which the baseline did.
    pub baseline: usize,
    /// Seeds with which the variant did and the baseline did not.
    pub only_variant: usize,
    /// Seeds with which the baseline did and the variant did not.
    pub only_baseline: usize,
    /// McNemar's exact p-value, adjusted for the looks and, by Holm, for the rows.
    pub p: f64,
    /// The largest share of failures of the variant that the seeds leave possible: the one-sided 95 %
    /// bound of Clopper and Pearson.
    pub upper_bound: f64,
    /// `None` if no seed made one of the two fail and not the other: then there is nothing to test.
    pub verdict: Option<Verdict>,
}

impl Stability {
    /// Counts failures. The p-value is not adjusted yet.
    pub(crate) fn count(pairs: &[Pair<'_>], metrics: &[QualityMetric], has_target: bool) -> Self {
        let failed = |pair: &Pair<'_>| {
            if has_target {
                pair.arrived(metrics).map(|arrived| !arrived)
            } else {
                pair.failed(metrics)
            }
        };
        let failed: Vec<[bool; 2]> = pairs.iter().map(failed).collect();
        let count = |which: fn(&[bool; 2]) -> bool| failed.iter().filter(|f| which(f)).count();
        let only_variant = count(|[variant, baseline]| *variant && !*baseline);
        let only_baseline = count(|[variant, baseline]| *baseline && !*variant);
        let variant = count(|[variant, _]| *variant);
        Self {
            seeds: pairs.len(),
            variant,
            baseline: count(|[_, baseline]| *baseline),
            only_variant,
            only_baseline,
            p: mcnemar_p(only_variant, only_baseline),
            upper_bound: share_upper_bound(variant, pairs.len()),
            verdict: None,
        }
    }

    /// The last count of each row, with the p-value of its `looks` planned looks and of all rows, and
    /// the verdict.
    pub(crate) fn judge(rows: &[Vec<Self>], looks: usize) -> Vec<Option<Self>> {
        // The look of least p, whose sign the verdict has.
        let least = |counts: &[Self]| {
            let by_p = counts.iter().min_by(|a, b| a.p.total_cmp(&b.p));
            by_p.copied()
        };
        let q = |counts: &Vec<Self>| {
            least(counts).map_or(1.0, |count| (looks as f64 * count.p).min(1.0))
        };
        let adjusted = holm(&rows.iter().map(q).collect::<Vec<f64>>());
        let judged = |(counts, p): (&Vec<Self>, f64)| {
            let (last, read) = (*counts.last()?, least(counts)?);
            let verdict = match () {
                () if last.only_variant + last.only_baseline == 0 => None,
                () if p > ALPHA => Some(Verdict::Undecided),
                () if read.only_variant < read.only_baseline => Some(Verdict::Helps),
                () => Some(Verdict::Hurts),
            };
            Some(Self { p, verdict, ..last })
        };
        rows.iter().zip(adjusted).map(judged).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(only_variant: usize, only_baseline: usize) -> Stability {
        Stability {
            seeds: 14,
            variant: only_variant,
            baseline: only_baseline,
            only_variant,
            only_baseline,
            p: mcnemar_p(only_variant, only_baseline),
            upper_bound: 1.0,
            verdict: None,
        }
    }

    #[test]
    fn rarer_failures_help_and_no_failure_is_no_verdict() {
        let rows = [
            vec![count(0, 14)],
            vec![count(13, 0)],
            vec![count(0, 0)],
            vec![count(4, 0)],
            vec![],
        ];
        let judged = Stability::judge(&rows, 3);
        let verdict = |row: usize| judged[row].unwrap().verdict;
        assert_eq!(verdict(0), Some(Verdict::Helps));
        assert_eq!(verdict(1), Some(Verdict::Hurts));
        assert_eq!(verdict(2), None);
        assert_eq!(verdict(3), Some(Verdict::Undecided));
        assert_eq!(judged[4], None);
        // Three looks, five rows.
        assert!((judged[0].unwrap().p - 15.0 * 2.0_f64.powi(-13)).abs() < 1e-12);
    }
}
