//! The differences between the two runs of a pair.

use crate::outcome::{
    metric::{Better, QualityMetric, Scale},
    run::TrainingRun,
};

/// Differences no larger than this are rounding, and count as none.
const TIE: f64 = 1e-9;
/// The least value of a positive metric whose logarithm is taken.
const LEAST: f64 = 1e-9;
/// A loss of at least this share of what is scored without a model is that of a failed run.
const NO_BETTER: f64 = 0.99;

/// A run of a variant and the run of its baseline with the same seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair<'a> {
    pub(crate) variant: &'a TrainingRun,
    pub(crate) baseline: &'a TrainingRun,
}

impl<'a> Pair<'a> {
    /// A run paired with itself, to ask about it alone.
    pub(crate) fn alone(run: &'a TrainingRun) -> Self {
        Self {
            variant: run,
            baseline: run,
        }
    }

    /// Whether any run of these pairs gave a result. If none did, they are not equal: nothing was measured.
    pub(crate) fn any_has_ended(pairs: &[Self]) -> bool {
        let has_ended = |pair: &Self| pair.runs().iter().any(|run| run.failure.is_none());
        pairs.iter().any(has_ended)
    }

    /// Whether each of the two runs has failed: it gave no result, one of these metrics is not a finite
    /// number, or it is no better than no model at all.
    pub(crate) fn failed(&self, metrics: &[QualityMetric]) -> [bool; 2] {
        self.runs().map(|run| self.has_failed(run, metrics))
    }

    /// Whether each of the two runs arrived at the target. A run that failed did not.
    pub(crate) fn arrived(&self, metrics: &[QualityMetric]) -> [bool; 2] {
        self.runs().map(|run| {
            let has_arrived = run.arrival.is_some_and(|arrival| arrival.steps.is_some());
            has_arrived && !self.has_failed(run, metrics)
        })
    }

    /// The difference in a metric, variant minus baseline, on the scale on which it is tested. A run
    /// that failed counts as no model. `None` if it is not known what that scores.
    pub(crate) fn quality(&self, metric: &QualityMetric, metrics: &[QualityMetric]) -> Option<f64> {
        let value = |run: &TrainingRun, has_failed: bool| {
            let no_model = self.no_model(metric);
            let value = if has_failed {
                no_model?
            } else {
                run.quality.get(&metric.name)?.value
            };
            Some(match (metric.scale, no_model) {
                (Scale::Share | Scale::Plain, _) => value,
                (Scale::Positive, None) => value.max(LEAST).ln(),
                // No worse than no model, as a run that failed.
                (Scale::Positive, Some(no_model)) => match metric.better {
                    Better::Lower => value.min(no_model).max(LEAST).ln(),
                    Better::Higher => value.max(no_model).max(LEAST).ln(),
                },
            })
        };
        match self.failed(metrics) {
            [true, true] => Some(0.0),
            [variant, baseline] => Some(without_rounding(
                value(self.variant, variant)? - value(self.baseline, baseline)?,
            )),
        }
    }

    /// The difference of the logarithms of the steps to the target. A run that did not arrive counts
    /// as arriving with the last step of a full run, of the longer one if the two are not equally long: it is never sooner
    /// than one that arrived.
    pub(crate) fn speed(&self, metrics: &[QualityMetric]) -> Option<f64> {
        let arrived = self.arrived(metrics);
        if arrived == [false, false] {
            return Some(0.0);
        }
        let arrivals = self.runs().into_iter().filter_map(|run| run.arrival);
        let last = arrivals.map(|arrival| arrival.of).max()?;
        let steps = |run: &TrainingRun, has_arrived: bool| {
            let arrived_at = run.arrival.and_then(|arrival| arrival.steps);
            let arrived_at = arrived_at.filter(|_| has_arrived);
            (arrived_at.unwrap_or(last).max(1) as f64).ln()
        };
        let [variant, baseline] = arrived;
        Some(without_rounding(
            steps(self.variant, variant) - steps(self.baseline, baseline),
        ))
    }

    /// The difference of the logarithms of the time per step. `None` if one is not known.
    pub(crate) fn cost(&self) -> Option<f64> {
        let [variant, baseline] = self.runs().map(|run| {
            let seconds = run.cost.seconds_per_step?;
            (seconds.is_finite() && seconds > 0.0).then(|| seconds.ln())
        });
        Some(without_rounding(variant? - baseline?))
    }

    /// Peak memory of the variant over the baseline's.
    pub(crate) fn memory_ratio(&self) -> Option<f64> {
        let [variant, baseline] = self.runs().map(|run| run.cost.peak_bytes);
        let ratio = variant? as f64 / baseline? as f64;
        ratio.is_finite().then_some(ratio)
    }

    fn runs(&self) -> [&'a TrainingRun; 2] {
        [self.variant, self.baseline]
    }

    /// What is scored without a model: both are judged on the same test part.
    fn no_model(&self, metric: &QualityMetric) -> Option<f64> {
        let of = |run: &TrainingRun| run.quality.get(&metric.name)?.no_model;
        of(self.baseline).or_else(|| of(self.variant))
    }

    fn has_failed(&self, run: &TrainingRun, metrics: &[QualityMetric]) -> bool {
        let is_bad = |metric: &QualityMetric| {
            let Some(quality) = run.quality.get(&metric.name) else {
                return false;
            };
            let is_a_loss = metric.scale == Scale::Positive && metric.better == Better::Lower;
            let no_model = self.no_model(metric).filter(|_| is_a_loss);
            let no_better = |no_model: f64| quality.value >= NO_BETTER * no_model;
            !quality.value.is_finite() || no_model.is_some_and(no_better)
        };
        run.failure.is_some() || metrics.iter().any(is_bad)
    }
}

fn without_rounding(difference: f64) -> f64 {
    if difference.abs() <= TIE {
        0.0
    } else {
        difference
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> [QualityMetric; 2] {
        [
            QualityMetric::share("accuracy"),
            QualityMetric::loss("loss"),
        ]
    }

    fn run(accuracy: f64, loss: f64) -> TrainingRun {
        TrainingRun::new("a", 1)
            .with_metric_and_no_model("accuracy", accuracy, 0.1)
            .with_metric_and_no_model("loss", loss, 2.0)
    }

    fn quality(variant: &TrainingRun, baseline: &TrainingRun) -> [Option<f64>; 2] {
        let pair = Pair { variant, baseline };
        let metrics = metrics();
        [0, 1].map(|at| pair.quality(&metrics[at], &metrics))
    }

    fn assert_close(actual: [Option<f64>; 2], expected: [f64; 2]) {
        for (actual, expected) in actual.into_iter().zip(expected) {
            assert!((actual.unwrap() - expected).abs() < 1e-12, "{actual:?}");
        }
    }

    #[test]
    fn shares_are_subtracted_and_positive_numbers_divided() {
        let expected = [0.9 - 0.8, f64::ln(0.5)];
        assert_close(quality(&run(0.9, 0.2), &run(0.8, 0.4)), expected);
        let floor = [0.0, f64::ln(1e-9) - f64::ln(0.4)];
        assert_close(quality(&run(0.8, 0.0), &run(0.8, 0.4)), floor);
        let tie = quality(&run(0.8 + 1e-10, 0.4), &run(0.8, 0.4));
        assert_eq!(tie, [Some(0.0), Some(0.0)]);
    }

    #[test]
    fn a_failed_run_counts_as_no_model() {
        let good = run(0.9, 0.2);
        let expected = [0.1 - 0.9, f64::ln(2.0 / 0.2)];
        for bad in [
            run(0.5, f64::NAN),
            run(f64::NAN, 0.1),
            run(0.5, 1.98),
            run(0.5, 9.0),
            TrainingRun::failed("a", 1, "out of memory"),
        ] {
            assert_close(quality(&bad, &good), expected);
            assert_close(quality(&good, &bad), expected.map(|d| -d));
            assert_eq!(quality(&bad, &bad), [Some(0.0); 2]);
            let pair = Pair {
                variant: &good,
                baseline: &bad,
            };
            assert_eq!(pair.failed(&metrics()), [false, true]);
        }
        let pair = Pair {
            variant: &run(0.5, 1.979),
            baseline: &good,
        };
        assert_eq!(pair.failed(&metrics()), [false, false]);
    }

    #[test]
    fn without_a_value_for_no_model_a_failed_run_has_no_difference() {
        let plain = |value| {
            TrainingRun::new("a", 1)
                .with_metric("accuracy", value)
                .with_metric("loss", 0.1)
        };
        let failed = TrainingRun::failed("a", 1, "killed");
        assert_eq!(quality(&failed, &plain(0.5)), [None, None]);
        assert_close(quality(&plain(0.75), &plain(0.5)), [0.25, 0.0]);
        assert_eq!(quality(&failed, &failed), [Some(0.0); 2]);
    }

    #[test]
    fn a_run_that_never_arrives_takes_every_step() {
        let at = |steps| run(0.9, 0.2).with_arrival(steps, 3300);
        let speed = |variant: &TrainingRun, baseline: &TrainingRun| {
            let pair = Pair { variant, baseline };
            pair.speed(&metrics()).unwrap()
        };
        let baseline = [Some(300), Some(330), None, Some(270)].map(at);
        let variant = [Some(100), None, None, Some(90)].map(at);
        let expected = [-(3.0_f64.ln()), 10.0_f64.ln(), 0.0, -(3.0_f64.ln())];
        let pairs = variant.iter().zip(&baseline);
        let differences: Vec<f64> = pairs.map(|(v, b)| speed(v, b)).collect();
        for (actual, expected) in differences.iter().zip(expected) {
            assert!((actual - expected).abs() < 1e-10, "{actual} {expected}");
        }
        let ratio = (-differences.iter().sum::<f64>() / 4.0).exp();
        assert!((ratio - 0.974_003_746_5).abs() < 1e-10, "{ratio}");

        // Having failed in the end, it never arrived.
        let failed = run(0.9, f64::NAN).with_arrival(Some(100), 3300);
        assert_eq!(speed(&failed, &at(Some(3300))), 0.0);
        assert_eq!(speed(&failed, &at(None)), 0.0);
        let crashed = TrainingRun::failed("a", 1, "killed");
        assert!((speed(&crashed, &at(Some(330))) - 10.0_f64.ln()).abs() < 1e-12);

        // With larger batches it has fewer steps, and is not sooner for that.
        let short = run(0.9, 0.2).with_arrival(None, 825);
        let arrived = at(Some(1200));
        assert!((speed(&short, &arrived) - 2.75_f64.ln()).abs() < 1e-12);
        assert!((speed(&arrived, &short) + 2.75_f64.ln()).abs() < 1e-12);
        assert_eq!(speed(&short, &at(None)), 0.0);
    }

    #[test]
    fn cost_is_a_ratio_of_what_is_known() {
        let run = |seconds, bytes| {
            run(0.9, 0.2)
                .with_seconds_per_step(seconds)
                .with_peak_bytes(bytes)
        };
        let (variant, baseline) = (run(0.3, 30), run(0.2, 20));
        let pair = Pair {
            variant: &variant,
            baseline: &baseline,
        };
        assert!((pair.cost().unwrap() - 1.5_f64.ln()).abs() < 1e-12);
        assert_eq!(pair.memory_ratio(), Some(1.5));
        let unknown = TrainingRun::failed("a", 1, "killed");
        let pair = Pair {
            variant: &unknown,
            baseline: &baseline,
        };
        assert_eq!((pair.cost(), pair.memory_ratio()), (None, None));
    }
}
