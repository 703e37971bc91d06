//! Families redrawn from real runs of one recipe, in which nothing can differ.

use burn_tricks_compare::{Comparison, Looks, Protocol, Recipe, TrainingRun, Verdict};
use rand::{SeedableRng as _, seq::SliceRandom as _};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use std::{collections::BTreeMap, error::Error, fs, path::Path};

/// A line of a store. Runs of one recipe in one context, and so on one split, have one key.
#[derive(Deserialize)]
struct Line {
    key: String,
    run: TrainingRun,
}

/// The runs of one recipe: for each split its replicates, which differ in nothing but the seed of the
/// training.
pub(crate) struct Pool {
    /// Name of the recipe.
    pub(crate) name: String,
    /// Split by split.
    pub(crate) splits: Vec<Vec<TrainingRun>>,
}

/// The pools of a store, one for each recipe.
pub(crate) fn read(path: &Path) -> Result<Vec<Pool>, Box<dyn Error>> {
    let mut pools: BTreeMap<String, BTreeMap<String, BTreeMap<u64, TrainingRun>>> = BTreeMap::new();
    for line in fs::read_to_string(path)?.lines() {
        let Line { key, run } = serde_json::from_str(line)?;
        let of_recipe = pools.entry(run.variant.clone()).or_default();
        of_recipe.entry(key).or_default().insert(run.seed, run);
    }
    let pool = |(name, splits): (String, BTreeMap<String, BTreeMap<u64, TrainingRun>>)| {
        let splits = splits
            .into_values()
            .map(|runs| runs.into_values().collect());
        Pool {
            name,
            splits: splits.collect(),
        }
    };
    let pools: Vec<Pool> = pools.into_iter().map(pool).collect();
    for pool in &pools {
        let (rows, looks) = (pool.rows(), Looks::for_rows(pool.rows()));
        if rows < 2 || pool.splits.len() < looks.last() {
            return Err(format!(
                "{:?} has {} splits of at least {} replicates: a family of {rows} rows is read at {looks} splits, \
                 and it takes 3 replicates for two rows",
                pool.name,
                pool.splits.len(),
                rows + 1
            )
            .into());
        }
    }
    Ok(pools)
}

impl Pool {
    /// One replicate of each split is the baseline's run.
    pub(crate) fn rows(&self) -> usize {
        let replicates = self.splits.iter().map(Vec::len).min().unwrap_or(0);
        replicates.saturating_sub(1)
    }

    /// The share of redraws with any false "helps" or "hurts", question by question, those that are
    /// slight included. In each redraw, one replicate of each split is the baseline's run and the others are
    /// those of as many rows, drawn anew.
    pub(crate) fn false_verdicts(
        &self,
        redraws: u64,
    ) -> Result<BTreeMap<String, f64>, Box<dyn Error>> {
        let rows = self.rows();
        let mut recipes = vec![Recipe::baseline("0", "")];
        recipes.extend((1..=rows).map(|row| Recipe::variant(&row.to_string(), "0", "")));
        let has_target = self
            .splits
            .iter()
            .flatten()
            .any(|run| run.arrival.is_some());
        let mut protocol = Protocol::classification();
        if has_target {
            protocol = protocol.with_target("the target");
        }
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for _ in 0..redraws {
            let mut splits: Vec<&Vec<TrainingRun>> = self.splits.iter().collect();
            splits.shuffle(&mut random);
            let mut runs = Vec::new();
            for (seed, split) in (protocol.first_seed..).zip(splits) {
                let mut split = split.clone();
                split.shuffle(&mut random);
                let named = (0..=rows).zip(split).map(|(arm, run)| TrainingRun {
                    variant: arm.to_string(),
                    seed,
                    curve: Vec::new(),
                    ..run
                });
                runs.extend(named);
            }
            let comparison = Comparison::init(&protocol, &recipes, &runs)?;
            let mut seen: BTreeMap<&str, bool> = BTreeMap::new();
            for row in &comparison.rows {
                let speed = row.speed.iter().map(|speed| &speed.answer);
                for answer in row.quality.iter().chain(speed).chain([&row.cost]) {
                    let differs = !matches!(
                        answer.verdict,
                        None | Some(Verdict::Undecided | Verdict::Equivalent)
                    );
                    *seen.entry(&answer.question).or_default() |= differs;
                }
            }
            for (question, differs) in seen {
                *counts.entry(question.to_owned()).or_default() += u64::from(differs);
            }
        }
        let share = |(question, count)| (question, count as f64 / redraws as f64);
        Ok(counts.into_iter().map(share).collect())
    }
}
