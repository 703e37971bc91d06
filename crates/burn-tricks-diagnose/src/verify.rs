//! Whether a prescription helps: the training with it and without it, over seeds.

use crate::finding::prescription::Prescription;
use burn_tricks_compare::{
    Answer, CompareError, Comparison, Looks, LooksError, Protocol, QualityMetric, Recipe,
    TooFewSeeds, TrainingRun, Verdict,
};
use burn_tricks_core::Config;
use serde::{Deserialize, Serialize};
use std::fmt::Display;

/// The names of the two recipes.
const WITHOUT: &str = "without";
const WITH: &str = "with";

/// The settings of a verification: is the training better with a prescription than without it?
///
/// Both are trained with the same seeds, and the verdict is that of `burn-tricks-compare`: a sign-flip test of the
/// differences seed by seed, and a test of equivalence within the margin of the metric. By default verdicts are read after
/// 8, 14 and 23 pairs of runs, and a verdict that is clear ends the verification.
///
/// # Example
///
/// ```
/// use burn_tricks_compare::{QualityMetric, Verdict};
/// use burn_tricks_diagnose::{Prescription, Treatment, VerifyConfig};
///
/// # fn main() -> Result<(), burn_tricks_diagnose::VerifyError> {
/// let prescription = Prescription::ScaleLr { factor: 0.1 };
/// let verification = VerifyConfig::new().run(
///     &prescription,
///     QualityMetric::loss("loss"),
///     // Trains with this seed and returns the metric: a stand-in.
///     |prescription, seed| {
///         let lr = match prescription.and_then(Prescription::treatment) {
///             Some(Treatment::LrFactor(factor)) => 0.5 * factor,
///             _ => 0.5,
///         };
///         lr + 1e-3 * (seed % 7) as f64
///     },
/// )?;
/// println!("{verification}");
/// assert_eq!(verification.verdict(), Verdict::Helps);
/// # Ok(())
/// # }
/// ```
///
/// # Cost
///
/// Two trainings for each seed.
#[derive(Config, Debug)]
pub struct VerifyConfig {
    /// The first seed; the others follow it. A seed with which the diagnosis was made should not be among them. Default:
    /// 1001.
    #[config(default = 1001)]
    pub first_seed: u64,
    /// The numbers of pairs of runs after which a verdict is read, ascending. The last must be at least 6, with which any
    /// verdict is possible; several need more. Default: 8, 14 and 23.
    pub looks: Option<Vec<usize>>,
    /// What is scored without a model, such as the share of the most frequent class or the variance of the target: a run
    /// that fails, with a metric that is not finite, counts as this. Default: unknown, and then there is no verdict if one
    /// run of a pair fails and the other does not.
    pub no_model: Option<f64>,
}

/// The result of a verification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Verification {
    /// What was tried.
    pub prescription: Prescription,
    /// The comparison of the trainings with it and without it, with every run.
    pub comparison: Comparison,
}

impl VerifyConfig {
    /// Trains with and without `prescription`, over seeds, until there is a verdict, there can be none or the last look is
    /// reached.
    ///
    /// `train` gets the prescription, or `None` for the training as it is, and a seed, with which it seeds the device, the
    /// weights and the data. It returns the value of `metric` on the validation; NaN if the training failed.
    ///
    /// # Errors
    ///
    /// If the looks do not ascend or are too few for any verdict, or the metric's margin makes no sense.
    pub fn run(
        &self,
        prescription: &Prescription,
        metric: QualityMetric,
        mut train: impl FnMut(Option<&Prescription>, u64) -> f64,
    ) -> Result<Verification, VerifyError> {
        let looks = match &self.looks {
            Some(seeds) => Looks::at(seeds.clone()).map_err(VerifyError::Looks)?,
            None => Looks::for_rows(1),
        };
        looks.least_seeds(1).map_err(VerifyError::TooFewSeeds)?;
        let name = metric.name.clone();
        let protocol = Protocol::new([metric])
            .with_looks(looks.clone())
            .with_first_seed(self.first_seed);
        let about = prescription.to_string();
        let recipes = [
            Recipe::baseline(WITHOUT, "the training as it is"),
            Recipe::variant(WITH, WITHOUT, &about),
        ];
        let compare = |runs: &[TrainingRun]| {
            Comparison::init(&protocol, &recipes, runs).map_err(VerifyError::Compare)
        };
        let mut runs = Vec::new();
        let mut comparison = compare(&runs)?;
        for place in 0..looks.last() {
            let seed = protocol.seed(place);
            for (recipe, tried) in [(WITHOUT, None), (WITH, Some(prescription))] {
                let value = train(tried, seed);
                let run = TrainingRun::new(recipe, seed);
                runs.push(match self.no_model {
                    Some(no_model) => run.with_metric_and_no_model(&name, value, no_model),
                    None => run.with_metric(&name, value),
                });
            }
            if looks.seeds().contains(&(place + 1)) {
                comparison = compare(&runs)?;
                if comparison.is_finished() {
                    break;
                }
            }
        }
        Ok(Verification {
            prescription: prescription.clone(),
            comparison,
        })
    }
}

impl Verification {
    /// Whether the prescription helped. [`Undecided`](Verdict::Undecided) if neither a difference nor equivalence is
    /// shown.
    pub fn verdict(&self) -> Verdict {
        self.answer()
            .and_then(|answer| answer.verdict)
            .unwrap_or(Verdict::Undecided)
    }

    /// The differences, with their intervals and p-values; `None` if no pair of runs could be compared.
    pub fn answer(&self) -> Option<&Answer> {
        self.comparison.row(WITH)?.quality.first()
    }
}

/// As in "multiply the learning rate by 10: helps (better accuracy +10.01 [+9.89, +10.13] points; 8 seeds)".
impl Display for Verification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.prescription, self.verdict())?;
        if let Some(row) = self.comparison.row(WITH) {
            write!(f, " ({}; {} seeds)", row.summary(), row.seeds)?;
        }
        Ok(())
    }
}

/// Why a verification was not made.
#[derive(Debug)]
#[non_exhaustive]
pub enum VerifyError {
    /// The looks do not ascend.
    Looks(LooksError),
    /// The looks are too few for any verdict.
    TooFewSeeds(TooFewSeeds),
    /// The metric makes no sense.
    Compare(CompareError),
}

impl Display for VerifyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Looks(error) => error.fmt(f),
            Self::TooFewSeeds(error) => error.fmt(f),
            Self::Compare(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for VerifyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Looks(error) => Some(error),
            Self::TooFewSeeds(error) => Some(error),
            Self::Compare(error) => Some(error),
        }
    }
}
