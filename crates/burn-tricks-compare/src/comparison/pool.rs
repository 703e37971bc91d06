//! The runs of a comparison, checked and found by recipe and seed.

use std::collections::{HashMap, HashSet};

use crate::{
    comparison::{error::CompareError, pair::Pair},
    outcome::{
        impossible::impossible, metric::QualityMetric, protocol::Protocol, recipe::Recipe,
        run::TrainingRun,
    },
    statistics::looks::{Looks, least_seeds},
};

/// The runs of a comparison, checked and found by recipe and seed.
#[derive(Debug)]
pub(crate) struct Pool<'a> {
    pub(crate) protocol: &'a Protocol,
    pub(crate) recipes: &'a [Recipe],
    pub(crate) looks: Looks,
    /// The recipes that are compared with another, each with its baseline, as indices.
    pub(crate) rows: Vec<(usize, usize)>,
    /// By recipe and place of the seed.
    runs: HashMap<(usize, usize), &'a TrainingRun>,
}

impl<'a> Pool<'a> {
    /// Checks everything. Runs with other seeds than those of the looks are left out.
    pub(crate) fn new(
        protocol: &'a Protocol,
        recipes: &'a [Recipe],
        runs: &'a [TrainingRun],
    ) -> Result<Self, CompareError> {
        protocol.check()?;
        let rows = rows(recipes)?;
        let looks = protocol.looks(rows.len());
        let places: HashMap<u64, usize> = (0..looks.last())
            .map(|place| (protocol.seed(place), place))
            .collect();
        let names: HashMap<&str, usize> = recipes.iter().map(|r| &*r.name).zip(0..).collect();
        let mut by_place = HashMap::new();
        let mut seen = HashSet::new();
        for run in runs {
            let (variant, seed) = (run.variant.clone(), run.seed);
            let Some(&recipe) = names.get(&*variant) else {
                return Err(CompareError::UnknownVariant { variant, seed });
            };
            if !seen.insert((recipe, seed)) {
                return Err(CompareError::DuplicateRun { variant, seed });
            }
            check_run(run, protocol)?;
            if let Some(&place) = places.get(&seed) {
                by_place.insert((recipe, place), run);
            }
        }
        Ok(Self {
            protocol,
            recipes,
            looks,
            rows,
            runs: by_place,
        })
    }

    /// The run of a recipe with the seed at that place.
    pub(crate) fn run(&self, recipe: usize, place: usize) -> Option<&'a TrainingRun> {
        self.runs.get(&(recipe, place)).copied()
    }

    /// The pairs of a row with the first `seeds` seeds, as far as both runs are there.
    pub(crate) fn pairs(&self, row: usize, seeds: usize) -> Vec<Pair<'a>> {
        let (variant, baseline) = self.rows[row];
        let pair = |place| {
            Some(Pair {
                variant: self.run(variant, place)?,
                baseline: self.run(baseline, place)?,
            })
        };
        (0..seeds).filter_map(pair).collect()
    }

    /// The fewest seeds with which a difference can be shown.
    pub(crate) fn least_seeds(&self) -> usize {
        least_seeds(self.rows.len(), self.looks.count())
    }

    /// The runs of a recipe, by seed.
    pub(crate) fn runs_of(&self, recipe: usize) -> Vec<&'a TrainingRun> {
        let run = |place| self.run(recipe, place);
        (0..self.looks.last()).filter_map(run).collect()
    }

    /// What is scored with that seed without a model, as any of its runs says.
    pub(crate) fn no_model(&self, seed: u64, metric: &QualityMetric) -> Option<f64> {
        let place = seed.wrapping_sub(self.protocol.first_seed) as usize;
        let runs = (0..self.recipes.len()).filter_map(|recipe| self.run(recipe, place));
        let mut known = runs.filter_map(|run| run.quality.get(&metric.name)?.no_model);
        known.next()
    }
}

/// The recipes that are compared with another, each with its baseline, as indices.
fn rows(recipes: &[Recipe]) -> Result<Vec<(usize, usize)>, CompareError> {
    let mut places = HashMap::new();
    for (at, Recipe { name, .. }) in recipes.iter().enumerate() {
        if places.insert(name.as_str(), at).is_some() {
            let name = name.clone();
            return Err(CompareError::DuplicateRecipe { name });
        }
    }
    let mut rows = Vec::new();
    for (at, Recipe { name, baseline, .. }) in recipes.iter().enumerate() {
        let Some(baseline) = baseline else { continue };
        match places.get(baseline.as_str()) {
            Some(other) if *other != at => rows.push((at, *other)),
            _ => {
                return Err(CompareError::UnknownBaseline {
                    recipe: name.clone(),
                    baseline: baseline.clone(),
                });
            }
        }
    }
    Ok(rows)
}

/// A run that did not fail must have measured what is asked, and nothing that cannot be.
fn check_run(run: &TrainingRun, protocol: &Protocol) -> Result<(), CompareError> {
    if run.failure.is_some() {
        return Ok(());
    }
    let missing = |what: &str| CompareError::NotMeasured {
        variant: run.variant.clone(),
        seed: run.seed,
        what: what.to_owned(),
    };
    for metric in &protocol.metrics {
        if !run.quality.contains_key(&metric.name) {
            return Err(missing(&metric.name));
        }
    }
    if protocol.target.is_some() && run.arrival.is_none() {
        return Err(missing("arrival"));
    }
    match impossible(run, protocol) {
        Some(what) => Err(CompareError::Impossible {
            variant: run.variant.clone(),
            seed: run.seed,
            what,
        }),
        None => Ok(()),
    }
}
