//! The summary of a comparison, variant by variant.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::error::CompareError;
use crate::paired::{Paired, paired};
use crate::run::RunResult;
use crate::runner::Job;
use crate::runs::{FailedRun, Runs};
use crate::stats::{Interval, mean};
use crate::verdict::{Difference, Verdict};

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
    /// Every run that finished, in the order of the recipes and of the seeds.
    pub runs: Vec<RunResult>,
    /// Every run that failed, in the same order.
    pub failed: Vec<FailedRun>,
}

/// The runs of one variant, summarised over the seeds with which they finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VariantSummary {
    /// Name of the variant.
    pub name: String,
    /// Name of the variant it is compared with.
    pub baseline: Option<String>,
    /// A few words on what it does.
    pub about: String,
    /// Number of seeds with which a run finished.
    pub seeds: usize,
    /// Number of seeds with which a run failed.
    pub failed: usize,
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
    /// Whether the runs of `jobs` can be compared, asked before they are run: then [`new`](Self::new) takes
    /// what [`Runner::run`](crate::Runner::run) makes of them, whichever of them fail.
    ///
    /// # Errors
    ///
    /// As those of [`new`](Self::new).
    pub fn check(recipes: &[Recipe], jobs: &[Job]) -> Result<(), CompareError> {
        // Each run ends as finished or failed: if all fail, there is a comparison too.
        let mut runs = Runs::default();
        for Job { label, seeds, .. } in jobs {
            runs.failed.extend(seeds.iter().map(|&seed| FailedRun {
                variant: label.clone(),
                seed,
                reason: String::new(),
                stderr: String::new(),
            }));
        }
        Self::init(recipes, runs).map(drop)
    }

    /// Compares each variant with its baseline, paired by seed.
    ///
    /// Where a run failed, its pair is left out of the difference, and the verdict is
    /// [`Verdict::Incomplete`].
    ///
    /// None of the errors comes from a run that failed. [`check`](Self::check) finds them before the runs, which
    /// are lost to an error here.
    ///
    /// # Errors
    ///
    /// - Two recipes have the same name, or a recipe's baseline is not the name of another.
    /// - A run is of no recipe's variant, or two are of the same variant and seed.
    /// - A variant and its baseline do not have runs, finished or failed, for the same seeds, or a
    ///   variant has none.
    pub fn init(recipes: &[Recipe], runs: impl Into<Runs>) -> Result<Self, CompareError> {
        let Runs {
            finished: mut runs,
            mut failed,
        } = runs.into();
        check_recipes(recipes)?;
        sort_runs(recipes, &mut runs, &mut failed)?;
        let arms = arms(&runs, &failed);
        let arm = |name: &str| arms.get(name).copied().unwrap_or_default();

        let mut comparisons = Vec::with_capacity(recipes.len());
        for Recipe { name, baseline, .. } in recipes {
            let comparison = match baseline {
                Some(baseline) => Some(pair((name, arm(name)), (baseline, arm(baseline)))?),
                None => None,
            };
            if arm(name).seeds().is_empty() {
                let variant = name.clone();
                return Err(CompareError::NoRuns { variant });
            }
            comparisons.push(comparison);
        }

        let variants = recipes
            .iter()
            .zip(Difference::corrected(&comparisons))
            .map(|(recipe, difference)| {
                let baseline = recipe.baseline.as_deref().map(arm);
                VariantSummary::new(recipe, arm(&recipe.name), baseline, difference)
            })
            .collect();
        Ok(Self {
            variants,
            runs,
            failed,
        })
    }
}

impl VariantSummary {
    fn new(
        recipe: &Recipe,
        Arm { runs, failed }: Arm<'_>,
        baseline: Option<Arm<'_>>,
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
            failed: failed.len(),
            test_accuracy: interval(|run| run.test_accuracy),
            test_loss: interval(|run| run.test_loss),
            epochs_to_90: EpochsTo90 {
                epochs: Interval::confidence_95(&epochs),
                reached: epochs.len(),
            },
            gap: interval(|run| run.gap),
            seconds_per_epoch: interval(|run| run.seconds_per_epoch),
            time_ratio: baseline
                .map(|baseline| time(runs) / time(baseline.runs))
                .filter(|ratio| ratio.is_finite()),
            difference,
            verdict: difference.map(|d| Verdict::new(&d, runs.len() + failed.len())),
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
fn sort_runs(
    recipes: &[Recipe],
    finished: &mut [RunResult],
    failed: &mut [FailedRun],
) -> Result<(), CompareError> {
    let names = recipes.iter().map(|recipe| recipe.name.as_str());
    let position: HashMap<&str, usize> = names.zip(0..).collect();
    let mut seen = HashSet::new();
    let of_finished = finished.iter().map(|run| (&run.variant, run.seed));
    let of_failed = failed.iter().map(|run| (&run.variant, run.seed));
    for (variant, seed) in of_finished.chain(of_failed) {
        if !position.contains_key(variant.as_str()) {
            let variant = variant.clone();
            return Err(CompareError::UnknownVariant { variant, seed });
        }
        if !seen.insert((variant, seed)) {
            let variant = variant.clone();
            return Err(CompareError::DuplicateRun { variant, seed });
        }
    }
    finished.sort_by_key(|run| (position[&*run.variant], run.seed));
    failed.sort_by_key(|run| (position[&*run.variant], run.seed));
    Ok(())
}

/// The runs of one variant, sorted by seed.
#[derive(Debug, Clone, Copy, Default)]
struct Arm<'a> {
    runs: &'a [RunResult],
    failed: &'a [FailedRun],
}

impl Arm<'_> {
    /// The seeds of all runs, finished or failed.
    fn seeds(&self) -> BTreeSet<u64> {
        let finished = self.runs.iter().map(|run| run.seed);
        finished
            .chain(self.failed.iter().map(|run| run.seed))
            .collect()
    }

    /// The accuracies of the runs that finished, by seed.
    fn accuracies(&self) -> HashMap<u64, f64> {
        let accuracy = |run: &RunResult| (run.seed, run.test_accuracy);
        self.runs.iter().map(accuracy).collect()
    }
}

/// The arms by variant. The runs must be sorted.
fn arms<'a>(runs: &'a [RunResult], failed: &'a [FailedRun]) -> HashMap<&'a str, Arm<'a>> {
    let mut arms: HashMap<&str, Arm<'_>> = HashMap::new();
    for runs in runs.chunk_by(|a, b| a.variant == b.variant) {
        arms.entry(&runs[0].variant).or_default().runs = runs;
    }
    for failed in failed.chunk_by(|a, b| a.variant == b.variant) {
        arms.entry(&failed[0].variant).or_default().failed = failed;
    }
    arms
}

/// Compares a variant with its baseline over the seeds with which both finished.
fn pair(
    (name, arm): (&str, Arm<'_>),
    (baseline, baseline_arm): (&str, Arm<'_>),
) -> Result<Paired, CompareError> {
    let (seeds, baseline_seeds) = (arm.seeds(), baseline_arm.seeds());
    let missing = |variant: &str, seed: u64, paired_with: &str| CompareError::MissingRun {
        variant: variant.to_owned(),
        seed,
        paired_with: paired_with.to_owned(),
    };
    if let Some(&seed) = baseline_seeds.difference(&seeds).next() {
        return Err(missing(name, seed, baseline));
    }
    if let Some(&seed) = seeds.difference(&baseline_seeds).next() {
        return Err(missing(baseline, seed, name));
    }
    let (of_variant, of_baseline) = (arm.accuracies(), baseline_arm.accuracies());
    let pairs = seeds
        .iter()
        .filter_map(|seed| Some((of_variant.get(seed)?, of_baseline.get(seed)?)));
    let (a, b): (Vec<f64>, Vec<f64>) = pairs.unzip();
    Ok(paired(&a, &b))
}
