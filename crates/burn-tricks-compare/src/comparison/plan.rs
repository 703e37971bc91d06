//! Which runs are wanted next.

use std::collections::HashSet;

use crate::{
    comparison::{comparison::Comparison, error::CompareError, pool::Pool, stages::Stages},
    outcome::{protocol::Protocol, recipe::Recipe, run::TrainingRun},
};

/// A run that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PlannedRun {
    /// Name of the recipe.
    pub variant: String,
    /// The seed.
    pub seed: u64,
    /// Its place among all runs up to the look that could be wanted, from 0, and their number. They
    /// depend on the protocol and the recipes alone; [`Shard`](crate::Shard) divides by them.
    pub place: (usize, usize),
}

/// The runs that are wanted next, given those that are there.
///
/// All rows run up to the first look. Then a row goes on to the next look, together with its baseline,
/// while a question about its quality or its speed is open: seeds go where they are needed. A row whose
/// questions are answered stays answered. The plan follows from the runs alone: killed and started
/// again at any moment, a comparison makes the runs that it would have made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The runs, in the order in which to make them: every recipe of a seed before the next seed, so
    /// that a machine that grows slower is the same to both runs of a pair.
    pub wanted: Vec<PlannedRun>,
    /// The number of seeds of the look for which they are wanted.
    pub look: usize,
    /// The rows that are open.
    pub open: Vec<String>,
}

impl Plan {
    /// The runs that are wanted next; none if the comparison is finished.
    ///
    /// # Errors
    ///
    /// As those of [`Comparison::init`].
    pub fn init(
        protocol: &Protocol,
        recipes: &[Recipe],
        runs: &[TrainingRun],
    ) -> Result<Self, CompareError> {
        let pool = Pool::new(protocol, recipes, runs)?;
        let stages = Stages::of(&pool);
        let seeds = pool.looks.seeds();
        let before = match stages.look {
            0 => 0,
            look => seeds[look - 1],
        };
        let arms = recipes.len();
        let wanted = stages.wanted.iter().map(|&(recipe, place)| PlannedRun {
            variant: recipes[recipe].name.clone(),
            seed: protocol.seed(place),
            // A baseline may be wanted for the first time at a later look only in another order of the
            // recipes; its early seeds then come first.
            place: (
                place.saturating_sub(before) * arms + recipe,
                (seeds[stages.look] - before) * arms,
            ),
        });
        let open = pool.rows.iter().zip(&stages.open);
        Ok(Self {
            wanted: wanted.collect(),
            look: seeds[stages.look],
            open: open
                .filter(|(_, open)| **open)
                .map(|((variant, _), _)| recipes[*variant].name.clone())
                .collect(),
        })
    }

    /// The part of the plan that fits into that many runs: whole rows, those that need the fewest seeds
    /// first, since a verdict on them is likeliest. `comparison` is that of the same runs. At least one
    /// row is kept, as far as it fits.
    pub fn within(mut self, runs: usize, comparison: &Comparison) -> Self {
        let needs = |name: &String| {
            let row = comparison.row(name);
            let answers = row.into_iter().flat_map(|row| {
                let speed = row.speed.iter().map(|speed| &speed.answer);
                row.quality.iter().chain(speed)
            });
            answers.filter_map(|answer| answer.need).min()
        };
        let mut rows = self.open.clone();
        rows.sort_by_key(|name| needs(name).unwrap_or(usize::MAX));
        let mut arms: HashSet<&str> = HashSet::new();
        let mut kept = Vec::new();
        for row in &rows {
            let mut with = arms.clone();
            with.insert(row);
            with.extend(comparison.row(row).map(|row| &*row.baseline));
            let count = |run: &&PlannedRun| with.contains(&*run.variant);
            if kept.is_empty() || self.wanted.iter().filter(count).count() <= runs {
                arms = with;
                kept.push(row.clone());
            }
        }
        self.wanted.retain(|run| arms.contains(&*run.variant));
        self.wanted.truncate(runs);
        self.open.retain(|name| kept.contains(name));
        self
    }
}
