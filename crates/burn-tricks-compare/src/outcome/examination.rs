//! What an examination of a training found.

use serde::{Deserialize, Serialize};

use crate::outcome::run::{FailedRun, TrainingRun};

/// One thing that an examination of a training found, such as a finding of `burn-tricks-diagnose`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExaminationFinding {
    /// How serious it is, such as `fault`, `warning` or `note`.
    pub severity: String,
    /// What was found, in a few words.
    pub kind: String,
    /// The parameters or layers concerned; empty if it concerns the whole training.
    #[serde(default)]
    pub paths: Vec<String>,
    /// The number that shows it.
    #[serde(default)]
    pub value: Option<f64>,
    /// The number at which the finding begins.
    #[serde(default)]
    pub threshold: Option<f64>,
    /// What it means and what to try.
    #[serde(default)]
    pub text: String,
}

/// What an examination of one recipe found: a training of its own, which is not compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Examination {
    /// Name of the recipe.
    pub variant: String,
    /// The seed of the training.
    pub seed: u64,
    /// What was found.
    pub findings: Vec<ExaminationFinding>,
    /// Why there is no result, if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailedRun>,
}

impl Examination {
    pub(crate) fn of(run: TrainingRun) -> Self {
        Self {
            variant: run.variant,
            seed: run.seed,
            findings: run.findings,
            failure: run.failure,
        }
    }
}
