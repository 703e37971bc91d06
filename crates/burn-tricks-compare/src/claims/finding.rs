//! What a claim was found to be.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use serde::{Deserialize, Serialize};

use crate::{
    claims::claim::{Claim, ClaimRow, Expected},
    comparison::{
        comparison::{Comparison, Row},
        verdict::Verdict,
    },
    outcome::run::TrainingRun,
    report::{numbers::ratio, wording},
    statistics::{
        looks::ALPHA,
        moments::{mean, sample_sd},
        student::t_upper_tail,
    },
};

/// What the measurements make of a claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClaimFinding {
    /// The sentence.
    pub sentence: String,
    /// What follows from all rows.
    pub conclusion: Conclusion,
    /// Row by row.
    pub rows: Vec<RowFinding>,
    /// The claim's note.
    pub note: String,
}

/// What one row says of a claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowFinding {
    /// The row.
    pub row: ClaimRow,
    /// What was asked.
    pub question: String,
    /// `None` if the question does not arise there, as that of speed where no run reaches the target.
    pub conclusion: Option<Conclusion>,
    /// The effect and the verdict, in words.
    pub told: String,
}

/// What becomes of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conclusion {
    /// It was shown, wherever anything was shown.
    Confirmed,
    /// Nothing was shown.
    NotConfirmed,
    /// The opposite was shown, or that there is no difference beyond the margin, wherever anything was shown.
    Refuted,
    /// It holds in some places and not in others, or in other words.
    Corrected,
}

impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Confirmed => "confirmed",
            Self::NotConfirmed => "not confirmed",
            Self::Refuted => "refuted",
            Self::Corrected => "corrected",
        })
    }
}

impl Claim {
    /// Holds the claim against comparisons, each under the name of its task.
    ///
    /// A spread over seeds is compared by the test of Pitman and Morgan (1939) for paired variances, at 5 %
    /// over the rows of the claim.
    ///
    /// # Errors
    ///
    /// If a task, a variant or all questions of the claim are not there.
    pub fn check(&self, tasks: &BTreeMap<String, Comparison>) -> Result<ClaimFinding, ClaimError> {
        let rows = self.rows.iter().map(|row| self.check_row(row, tasks));
        let rows = rows.collect::<Result<Vec<RowFinding>, ClaimError>>()?;
        let has = |conclusion| rows.iter().any(|row| row.conclusion == Some(conclusion));
        let conclusion = match (has(Conclusion::Confirmed), has(Conclusion::Refuted)) {
            (true, false) => Conclusion::Confirmed,
            (false, true) => Conclusion::Refuted,
            (true, true) => Conclusion::Corrected,
            (false, false) => Conclusion::NotConfirmed,
        };
        Ok(ClaimFinding {
            sentence: self.sentence.clone(),
            conclusion,
            rows,
            note: self.note.clone(),
        })
    }

    fn check_row(
        &self,
        at: &ClaimRow,
        tasks: &BTreeMap<String, Comparison>,
    ) -> Result<RowFinding, ClaimError> {
        let missing = |missing: NotCompared| ClaimError {
            sentence: self.sentence.clone(),
            missing,
        };
        let task = || at.task.clone();
        let comparison = tasks
            .get(&at.task)
            .ok_or_else(|| missing(NotCompared::Task { task: task() }))?;
        let row = comparison.row(&at.variant).ok_or_else(|| {
            let variant = at.variant.clone();
            missing(NotCompared::Variant {
                variant,
                task: task(),
            })
        })?;
        let is_asked = |question: &&String| match question.as_str() {
            "cost" => true,
            "speed" => row.speed.is_some(),
            metric => row.quality.iter().any(|answer| answer.question == metric),
        };
        let question = self.questions.iter().find(is_asked).ok_or_else(|| {
            let questions = self.questions.clone();
            missing(NotCompared::Question {
                questions,
                task: task(),
            })
        })?;
        let (conclusion, told) = match self.expected {
            Expected::LessSpread => self.spread(comparison, row, question),
            // Two that both learn nothing are equal, which says nothing about either.
            Expected::Worse | Expected::NotWorse if learns_nothing(comparison, row) => {
                (None, "neither is better than no model".to_owned())
            }
            expected => answered(row, question, expected),
        };
        Ok(RowFinding {
            row: at.clone(),
            question: question.clone(),
            conclusion,
            told,
        })
    }

    /// Pitman and Morgan: two paired variables have one variance exactly if their sum and their difference
    /// are uncorrelated.
    fn spread(
        &self,
        comparison: &Comparison,
        row: &Row,
        metric: &str,
    ) -> (Option<Conclusion>, String) {
        let values = |name: &str| -> HashMap<u64, f64> {
            let runs = comparison.runs.iter().filter(|run| run.variant == name);
            let value = |run: &TrainingRun| Some((run.seed, run.quality.get(metric)?.value));
            let values = runs.filter_map(value);
            values.filter(|(_, value)| value.is_finite()).collect()
        };
        // Why a run fails can have to do with what it would have given: the others do not stand for all.
        let of_row = |run: &&TrainingRun| [&row.name, &row.baseline].contains(&&run.variant);
        let runs = comparison.runs.iter().filter(of_row).count();
        let arms = [&row.name, &row.baseline].map(|name| comparison.arm(name));
        let failed: usize = arms.into_iter().flatten().map(|arm| arm.failed).sum();
        if failed > 0 {
            return (None, format!("{failed} of {runs} runs failed"));
        }
        let (variant, baseline) = (values(&row.name), values(&row.baseline));
        let mut pairs: Vec<(u64, f64, f64)> = variant
            .iter()
            .filter_map(|(seed, value)| Some((*seed, *value, *baseline.get(seed)?)))
            .collect();
        pairs.sort_by_key(|(seed, ..)| *seed);
        let [variant, baseline]: [Vec<f64>; 2] = [
            pairs.iter().map(|(_, variant, _)| *variant).collect(),
            pairs.iter().map(|(.., baseline)| *baseline).collect(),
        ];
        let sds = [&variant, &baseline].map(|values| sample_sd(values));
        let told = format!("standard deviation over seeds ×{}", ratio(sds[0] / sds[1]));
        let sums: Vec<f64> = variant.iter().zip(&baseline).map(|(v, b)| v + b).collect();
        let differences: Vec<f64> = variant.iter().zip(&baseline).map(|(v, b)| v - b).collect();
        let (sum, difference) = (mean(&sums), mean(&differences));
        let products = sums
            .iter()
            .zip(&differences)
            .map(|(s, d)| (s - sum) * (d - difference));
        let covariance = products.sum::<f64>() / (pairs.len() as f64 - 1.0);
        let correlation = covariance / (sample_sd(&sums) * sample_sd(&differences));
        if pairs.len() < 3 || !correlation.is_finite() {
            return (None, told);
        }
        let freedom = pairs.len() as f64 - 2.0;
        // Rounding can make it 1 or more.
        let unexplained = (1.0 - correlation * correlation).max(1e-12);
        let t = correlation * (freedom / unexplained).sqrt();
        let p = 2.0 * t_upper_tail(t.abs(), freedom) * self.rows.len() as f64;
        let conclusion = match (p <= ALPHA, correlation < 0.0) {
            (true, true) => Conclusion::Confirmed,
            (true, false) => Conclusion::Refuted,
            (false, _) => Conclusion::NotConfirmed,
        };
        (Some(conclusion), format!("{told}, p = {:.2}", p.min(1.0)))
    }
}

/// Whether every run of both arms failed.
fn learns_nothing(comparison: &Comparison, row: &Row) -> bool {
    [&row.name, &row.baseline].into_iter().all(|name| {
        let arm = comparison.arm(name);
        arm.is_some_and(|arm| arm.runs > 0 && arm.failed == arm.runs)
    })
}

fn answered(row: &Row, question: &str, expected: Expected) -> (Option<Conclusion>, String) {
    let answer = match question {
        "cost" => Some(&row.cost),
        "speed" => row.speed.as_ref().map(|speed| &speed.answer),
        metric => row.quality.iter().find(|answer| answer.question == metric),
    };
    let Some(answer) = answer else {
        return (None, String::new());
    };
    let (effect, verdict) = match (&row.speed, question) {
        (Some(speed), "speed") => {
            let effect = answer
                .verdict
                .map_or_else(String::new, |_| wording::sooner(speed, row.seeds));
            (effect, wording::speed_verdict(speed, row.seeds))
        }
        (_, "cost") => (wording::effect(answer), wording::verdict(answer)),
        _ => {
            let verdict = wording::quality_verdict(answer, row.seeds);
            (wording::effect(answer), verdict)
        }
    };
    let told = if effect.is_empty() {
        verdict
    } else {
        format!("{effect}, {verdict}")
    };
    (
        answer.verdict.map(|verdict| conclude(verdict, expected)),
        told,
    )
}

fn conclude(verdict: Verdict, expected: Expected) -> Conclusion {
    let is_better = matches!(verdict, Verdict::Helps | Verdict::SlightlyBetter);
    let is_worse = matches!(verdict, Verdict::Hurts | Verdict::SlightlyWorse);
    let is_shown = match expected {
        Expected::Better => is_better,
        Expected::Worse => is_worse,
        Expected::NotWorse => is_better || verdict.is_equivalent(),
        Expected::LessSpread => false,
    };
    match (verdict, is_shown) {
        (Verdict::Undecided, _) => Conclusion::NotConfirmed,
        (_, true) => Conclusion::Confirmed,
        (_, false) => Conclusion::Refuted,
    }
}

impl ClaimFinding {
    /// Where it holds and where not, in words.
    pub fn places(&self) -> String {
        let names = |conclusion: Option<Conclusion>| {
            let rows = self.rows.iter().filter(|row| row.conclusion == conclusion);
            let mut names: Vec<&str> = rows.map(|row| &*row.row.task).collect();
            names.dedup();
            names.join(", ")
        };
        let parts = [
            ("holds", names(Some(Conclusion::Confirmed))),
            ("does not hold", names(Some(Conclusion::Refuted))),
            ("undecided", names(Some(Conclusion::NotConfirmed))),
            ("cannot be asked", names(None)),
        ];
        let parts = parts.into_iter().filter(|(_, names)| !names.is_empty());
        let parts = parts.map(|(what, names)| format!("{what}: {names}"));
        parts.collect::<Vec<String>>().join("; ")
    }
}

/// A claim about what was not compared.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimError {
    /// The sentence of the claim.
    pub sentence: String,
    /// What was not compared.
    pub missing: NotCompared,
}

/// What a claim is about and no comparison has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotCompared {
    /// There is no comparison of this task.
    Task {
        /// The task.
        task: String,
    },
    /// The comparison of the task has no such variant.
    Variant {
        /// The variant.
        variant: String,
        /// The task.
        task: String,
    },
    /// The comparison of the task asks none of the questions.
    Question {
        /// The questions.
        questions: Vec<String>,
        /// The task.
        task: String,
    },
}

impl fmt::Display for NotCompared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task { task } => write!(f, "no task {task:?}"),
            Self::Variant { variant, task } => write!(f, "no variant {variant:?} in {task:?}"),
            Self::Question { questions, task } => {
                write!(f, "none of the questions {questions:?} in {task:?}")
            }
        }
    }
}

impl fmt::Display for ClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the claim {:?} cannot be checked: there is {}",
            self.sentence, self.missing
        )
    }
}

as_displayed!(ClaimError);

impl std::error::Error for ClaimError {}
