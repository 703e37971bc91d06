//! The summary of a comparison, variant by variant.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::{
    error::CompareError,
    paired::{Paired, paired},
    run::RunResult,
    stats::{Interval, mean},
    verdict::{Difference, Verdict},
};

/// What a variant is, and what it is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// Name of the variant.
    pub name: String,
    /// Name of the variant it is a single change from, `None` if it is not compared with another.
    pub baseline: Option<String>,
    /// A few words on what it does.
    pub about: String,
}

/// Runs of several variants over seeds, and what they show.
///
/// Nothing in it depends on the order in which the runs finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// One summary for each recipe, in the order of the recipes.
    pub variants: Vec<VariantSummary>,
    /// Every run, in the order of the recipes and of the seeds.
    pub runs: Vec<RunResult>,
}

/// The runs of one variant, summarised over its seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VariantSummary {
    /// Name of the variant.
    pub name: String,
    /// Name of the variant it is compared with.
    pub baseline: Option<String>,
    /// A few words on what it does.
    pub about: String,
    /// Number of seeds.
    pub seeds: usize,
    /// Accuracy on the test set, from 0 to 1.
    pub test_accuracy: Interval,
    /// Loss on the test set.
    pub test_loss: Interval,
    /// Epochs until the validation accuracy first reached 90 %.
    pub epochs_to_90: EpochsTo90,
    /// Accuracy on the training set minus accuracy on the test set.
    pub gap: Interval,
    /// Wall-clock time of an epoch.
    pub seconds_per_epoch: Interval,
    /// Mean time of an epoch divided by the baseline's. `None` if there is no baseline, or if a
    /// time is not known.
    pub time_ratio: Option<f64>,
    /// Test accuracy minus the baseline's. `None` if there is no baseline.
    pub difference: Option<Difference>,
    /// What the difference shows. `None` if there is no baseline.
    pub verdict: Option<Verdict>,
}

/// Epochs until the validation accuracy first reached 90 %, over the seeds with which it did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochsTo90 {
    /// Number of epochs, over these seeds only. NaN if there are none.
    pub epochs: Interval,
    /// Number of these seeds.
    pub reached: usize,
}

impl Comparison {
    /// Compares each variant with its baseline, paired by seed.
    ///
    /// # Errors
    ///
    /// - Two recipes have the same name, or a recipe's baseline is not the name of another.
    /// - A run is of no recipe's variant, or two are of the same variant and seed.
    /// - A variant and its baseline do not have runs for the same seeds, or a variant has none.
    pub fn new(recipes: &[Recipe], mut runs: Vec<RunResult>) -> Result<Self, CompareError> {
        check_recipes(recipes)?;
        sort_runs(recipes, &mut runs)?;
        let by_variant: HashMap<&str, &[RunResult]> = runs
            .chunk_by(|a, b| a.variant == b.variant)
            .map(|runs| (runs[0].variant.as_str(), runs))
            .collect();
        let runs_of = |name: &str| by_variant.get(name).copied().unwrap_or_default();

        let mut comparisons = Vec::with_capacity(recipes.len());
        for Recipe { name, baseline, .. } in recipes {
            let comparison = match baseline {
                Some(baseline) => Some(pair((name, runs_of(name)), (baseline, runs_of(baseline)))?),
                None => None,
            };
            if runs_of(name).is_empty() {
                let variant = name.clone();
                return Err(CompareError::NoRuns { variant });
            }
            comparisons.push(comparison);
        }

        let variants = recipes
            .iter()
            .zip(Difference::corrected(&comparisons))
            .map(|(recipe, difference)| {
                let baseline = recipe.baseline.as_deref().map(runs_of);
                VariantSummary::new(recipe, runs_of(&recipe.name), baseline, difference)
            })
            .collect();
        Ok(Self { variants, runs })
    }
}

impl VariantSummary {
    fn new(
        recipe: &Recipe,
        runs: &[RunResult],
        baseline: Option<&[RunResult]>,
        difference: Option<Difference>,
    ) -> Self {
        let interval = |value: fn(&RunResult) -> f64| Interval::confidence_95(&each(runs, value));
        let epochs: Vec<f64> = runs
            .iter()
            .filter_map(|run| run.epochs_to_90.map(|epochs| epochs as f64))
            .collect();
        let time = |runs| mean(&each(runs, |run| run.seconds_per_epoch));
        Self {
            name: recipe.name.clone(),
            baseline: recipe.baseline.clone(),
            about: recipe.about.clone(),
            seeds: runs.len(),
            test_accuracy: interval(|run| run.test_accuracy),
            test_loss: interval(|run| run.test_loss),
            epochs_to_90: EpochsTo90 {
                epochs: Interval::confidence_95(&epochs),
                reached: epochs.len(),
            },
            gap: interval(|run| run.gap),
            seconds_per_epoch: interval(|run| run.seconds_per_epoch),
            time_ratio: baseline
                .map(|baseline| time(runs) / time(baseline))
                .filter(|ratio| ratio.is_finite()),
            difference,
            verdict: difference.map(|difference| Verdict::new(&difference, runs.len())),
        }
    }
}

fn each(runs: &[RunResult], value: fn(&RunResult) -> f64) -> Vec<f64> {
    runs.iter().map(value).collect()
}

fn check_recipes(recipes: &[Recipe]) -> Result<(), CompareError> {
    let mut names = HashSet::new();
    for Recipe { name, .. } in recipes {
        if !names.insert(name) {
            let name = name.clone();
            return Err(CompareError::DuplicateRecipe { name });
        }
    }
    for Recipe { name, baseline, .. } in recipes {
        if let Some(baseline) = baseline
            && (baseline == name || !names.contains(baseline))
        {
            return Err(CompareError::UnknownBaseline {
                recipe: name.clone(),
                baseline: baseline.clone(),
            });
        }
    }
    Ok(())
}

/// Sorts the runs by recipe, then seed.
fn sort_runs(recipes: &[Recipe], runs: &mut [RunResult]) -> Result<(), CompareError> {
    let names = recipes.iter().map(|recipe| recipe.name.as_str());
    let position: HashMap<&str, usize> = names.zip(0..).collect();
    if let Some(run) = runs
        .iter()
        .find(|run| !position.contains_key(&*run.variant))
    {
        return Err(CompareError::UnknownVariant {
            variant: run.variant.clone(),
            seed: run.seed,
        });
    }
    runs.sort_by_key(|run| (position[&*run.variant], run.seed));
    for pair in runs.windows(2) {
        if (&pair[0].variant, pair[0].seed) == (&pair[1].variant, pair[1].seed) {
            return Err(CompareError::DuplicateRun {
                variant: pair[0].variant.clone(),
                seed: pair[0].seed,
            });
        }
    }
    Ok(())
}

/// Pairs the runs of a variant and of its baseline by seed. Both must be sorted.
fn pair(
    (name, runs): (&str, &[RunResult]),
    (baseline, baseline_runs): (&str, &[RunResult]),
) -> Result<Paired, CompareError> {
    let lacks = |runs: &[RunResult], other: &[RunResult]| {
        let seeds: HashSet<u64> = runs.iter().map(|run| run.seed).collect();
        other
            .iter()
            .map(|run| run.seed)
            .find(|seed| !seeds.contains(seed))
    };
    let missing = |variant: &str, seed, paired_with: &str| CompareError::MissingRun {
        variant: variant.to_owned(),
        seed,
        paired_with: paired_with.to_owned(),
    };
    if let Some(seed) = lacks(runs, baseline_runs) {
        return Err(missing(name, seed, baseline));
    }
    if let Some(seed) = lacks(baseline_runs, runs) {
        return Err(missing(baseline, seed, name));
    }
    let accuracy = |runs| each(runs, |run| run.test_accuracy);
    Ok(paired(&accuracy(runs), &accuracy(baseline_runs)))
}
