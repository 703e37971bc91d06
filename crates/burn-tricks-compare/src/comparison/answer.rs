//! The answer to one question about one row.

use serde::{Deserialize, Serialize};

use crate::{
    comparison::verdict::Verdict,
    outcome::metric::{Better, Scale},
    statistics::{
        bootstrap::bootstrap_95,
        family::Family,
        interval::Interval,
        moments::{interquartile_mean, probability_of_improvement, sample_sd},
        need,
        paired_test::PairedTest,
    },
};

/// The unit in which an effect is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// A difference of shares, told in percentage points.
    Points,
    /// The logarithm of a ratio, told as the ratio.
    Ratio,
    /// A difference in the metric's own unit.
    Plain,
}

impl Unit {
    pub(crate) fn of(scale: Scale) -> Self {
        match scale {
            Scale::Share => Self::Points,
            Scale::Positive => Self::Ratio,
            Scale::Plain => Self::Plain,
        }
    }

    /// The difference in the unit of the reports: in points, as a ratio, or unchanged.
    pub fn told(self, difference: Interval) -> Interval {
        match self {
            Self::Points => difference.map(|share| 100.0 * share),
            Self::Ratio => difference.map(f64::exp),
            Self::Plain => difference,
        }
    }
}

/// The effect of a variant on one outcome: its differences from the baseline, seed by seed, variant
/// minus baseline, as shares, logarithms of ratios or plain numbers; [`Unit::told`] makes them
/// readable.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// In which unit they are told.
    pub unit: Unit,
    /// Which sign is an improvement.
    pub better: Better,
    /// Number of pairs.
    pub pairs: usize,
    /// The mean with its plain 95 % interval.
    pub interval: Interval,
    /// The mean with the interval that the verdict reads, adjusted for the looks and the rows. It
    /// excludes zero exactly if a difference is shown, and lies within the margin exactly if
    /// equivalence is shown.
    pub adjusted: Interval,
    /// Sample standard deviation.
    #[serde(with = "crate::float")]
    pub sd: f64,
    /// The margin within which the two are equivalent.
    pub margin: f64,
    /// The mean of the middle half, with a bootstrap interval of 95 %. No verdict is read from it.
    pub interquartile_mean: Interval,
    /// The share of seeds with which the variant is better, ties counted as half, with a bootstrap
    /// interval of 95 %. No verdict is read from it.
    pub probability_of_improvement: Interval,
}

/// The answer to one question about one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The question: the name of a metric, `speed` or `cost`.
    pub question: String,
    /// The verdict; `None` if the question is not asked, as for speed if too few runs reach the target.
    pub verdict: Option<Verdict>,
    /// The differences. `None` before the first pair.
    pub effect: Option<Effect>,
    /// The p-value of "no difference", adjusted for the looks and, by Holm's method, for the rows.
    pub difference_p: f64,
    /// The p-value of "beyond the margin", adjusted in the same way.
    pub equivalence_p: f64,
    /// Where the verdict is undecided: the seeds with which a verdict would be likely if the effect
    /// seen were the true one. `None` if 1,000 would not suffice, if fewer than two differences are known, which
    /// have no spread, and if more seeds can bring none, since a run failed and nothing says
    /// [what that scores](crate::Quality::no_model), or did not arrive.
    pub need: Option<usize>,
}

/// All that an answer is made of.
pub(crate) struct Asked<'a> {
    pub(crate) question: &'a str,
    pub(crate) unit: Unit,
    pub(crate) better: Better,
    pub(crate) margin: f64,
    /// The differences at the last look, or before the first as far as they are known.
    pub(crate) differences: &'a [f64],
    pub(crate) arises: bool,
    /// Whether more seeds can show a difference, and equivalence.
    pub(crate) can_show: [bool; 2],
    /// The fewest seeds with which a difference can be shown.
    pub(crate) least: usize,
}

impl Answer {
    pub(crate) fn new(
        asked: &Asked<'_>,
        family: &Family,
        row: usize,
        tests: &[PairedTest],
    ) -> Self {
        let reading = &family.readings[row];
        let gain = |difference: f64| match asked.better {
            Better::Higher => difference,
            Better::Lower => -difference,
        };
        // The sign of the look at which the difference was shown, which later looks do not take back.
        let shown_at = reading.difference_look.and_then(|look| tests.get(look));
        let verdict = Verdict::of(reading, gain(shown_at.map_or(0.0, |test| test.mean)));
        let sd = sample_sd(asked.differences);
        let interval = Interval::confidence_95(asked.differences);
        let need = || {
            if asked.differences.len() < 2 {
                return None;
            }
            let floored = sd.max(asked.margin / 4.0);
            let (mean, margin) = (interval.mean, asked.margin);
            let difference = need::for_a_difference(mean, floored, family.difference_level);
            let equivalence =
                need::for_equivalence(mean, floored, margin, family.equivalence_level);
            let [can_differ, can_be_equivalent] = asked.can_show;
            let difference = difference.filter(|_| can_differ);
            let equivalence = equivalence.filter(|_| can_be_equivalent);
            let need = difference.into_iter().chain(equivalence).min();
            // More than there are, and enough to show a difference.
            need.map(|seeds| seeds.max(asked.least).max(asked.differences.len() + 1))
        };
        let effect = || {
            let gains: Vec<f64> = asked.differences.iter().map(|d| gain(*d)).collect();
            let range = match asked.unit {
                Unit::Points => 1.0,
                Unit::Ratio | Unit::Plain => f64::INFINITY,
            };
            let adjusted = family.interval(row, tests, asked.margin);
            Effect {
                unit: asked.unit,
                better: asked.better,
                pairs: asked.differences.len(),
                interval: interval.within(-range, range),
                adjusted: adjusted.within(-range, range),
                sd,
                margin: asked.margin,
                interquartile_mean: bootstrap_95(asked.differences, interquartile_mean),
                probability_of_improvement: bootstrap_95(&gains, probability_of_improvement),
            }
        };
        Self {
            question: asked.question.to_owned(),
            verdict: asked.arises.then_some(verdict),
            effect: (!asked.differences.is_empty()).then(effect),
            difference_p: reading.difference_p,
            equivalence_p: reading.equivalence_p,
            need: match verdict {
                Verdict::Undecided if asked.arises => need(),
                _ => None,
            },
        }
    }
}
