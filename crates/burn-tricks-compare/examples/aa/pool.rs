//! Families redrawn from real runs of one recipe, in which nothing can differ.

use burn_tricks_compare::{Comparison, Protocol, Recipe, Run, Verdict};
use rand::{SeedableRng as _, seq::SliceRandom as _};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use std::{collections::BTreeMap, error::Error, fs, path::Path};

/// Seeds of one split: `SPLIT * split + replicate`.
const SPLIT: u64 = 1000;

/// A line of a store; the key is not read.
#[derive(Deserialize)]
struct Line {
    run: Run,
}

/// The runs of the pool, split by split.
pub(crate) fn read(path: &Path) -> Result<Vec<Vec<Run>>, Box<dyn Error>> {
    let mut splits: BTreeMap<u64, Vec<Run>> = BTreeMap::new();
    for line in fs::read_to_string(path)?.lines() {
        let Line { run } = serde_json::from_str(line)?;
        splits.entry(run.seed / SPLIT).or_default().push(run);
    }
    let splits: Vec<Vec<Run>> = splits.into_values().collect();
    let arms = splits.iter().map(Vec::len).min().unwrap_or(0);
    match arms {
        0..3 => Err(format!("each split needs at least 3 replicates, one has {arms}").into()),
        _ => Ok(splits),
    }
}

/// The share of redraws with any false "helps" or "hurts", question by question, those that are
/// slight included. In each redraw, one replicate of each split is the baseline's run and the others are
/// those of as many rows, drawn anew.
pub(crate) fn false_verdicts(
    splits: &[Vec<Run>],
    redraws: u64,
) -> Result<BTreeMap<String, f64>, Box<dyn Error>> {
    let rows = splits.iter().map(Vec::len).min().unwrap_or(0) - 1;
    let mut recipes = vec![Recipe::baseline("0", "")];
    recipes.extend((1..=rows).map(|row| Recipe::variant(&row.to_string(), "0", "")));
    let has_target = splits.iter().flatten().any(|run| run.arrival.is_some());
    let mut protocol = Protocol::classification();
    if has_target {
        protocol = protocol.with_target("the target");
    }
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for _ in 0..redraws {
        let mut runs = Vec::new();
        for (seed, split) in (protocol.first_seed..).zip(splits) {
            let mut split = split.clone();
            split.shuffle(&mut random);
            let named = (0..=rows).zip(split).map(|(arm, run)| Run {
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
