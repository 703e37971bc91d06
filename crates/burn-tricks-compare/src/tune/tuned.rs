//! What a tuning has found.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::outcome::{recipe::Recipe, run::TrainingRun};

/// Recipes at their best value of a setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tuned {
    /// The setting that was tuned.
    pub setting: String,
    /// The metric by which the candidates were judged, on validation data.
    pub metric: String,
    /// The recipes, in their order, with the tuned setting.
    pub recipes: Vec<Recipe>,
    /// What was found for each of them.
    pub arms: Vec<TunedArm>,
    /// Number of runs for each of them.
    pub runs_per_recipe: usize,
    /// The runs that ended without a result, each of a candidate, whose name is the variant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<TrainingRun>,
}

/// What was found for one recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TunedArm {
    /// Name of the recipe.
    pub name: String,
    /// The best value.
    pub chosen: f64,
    /// The candidates, ascending.
    pub candidates: Vec<Candidate>,
    /// Whether the best is the least or the largest candidate: a value further out may be better.
    pub is_at_edge: bool,
    /// Whether every run of the best failed: then the recipe's own value stays.
    pub has_failed: bool,
}

/// One value that was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The value.
    pub value: f64,
    /// The multiple of the recipe's own value that it is.
    pub factor: f64,
    /// The seeds with which it ran. The more, the longer it stayed among the better half.
    pub seeds: usize,
    /// The runs among them that failed: without a result, or no better than no model.
    pub failed: usize,
    /// The mean over these; less is better. Of a positive metric it is the logarithm, and of one of which more
    /// is better the negative.
    #[serde(with = "crate::float")]
    pub score: f64,
}

impl Candidate {
    pub(crate) fn new(own: f64, factor: f64) -> Self {
        Self {
            value: own * factor,
            factor,
            seeds: 0,
            failed: 0,
            score: f64::NAN,
        }
    }

    /// The better one first; of two that are equal, the one nearer to the recipe's own value. One of which every
    /// run failed comes behind all others, whatever no model scores.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let far = |candidate: &Self| candidate.factor.ln().abs();
        let has_failed = |candidate: &Self| candidate.failed == candidate.seeds;
        let by_failure = has_failed(self).cmp(&has_failed(other));
        let by_score = by_failure.then(self.score.total_cmp(&other.score));
        by_score.then(far(self).total_cmp(&far(other)))
    }
}

impl TunedArm {
    pub(crate) fn new(name: &str, candidates: Vec<Candidate>, best: usize) -> Self {
        let has_failed = candidates.len() > 1 && candidates[best].failed == candidates[best].seeds;
        let own = candidates
            .iter()
            .position(|candidate| candidate.factor == 1.0);
        let best = own.filter(|_| has_failed).unwrap_or(best);
        let ends = [0, candidates.len() - 1];
        Self {
            name: name.to_owned(),
            chosen: candidates[best].value,
            is_at_edge: !has_failed && candidates.len() > 1 && ends.contains(&best),
            has_failed,
            candidates,
        }
    }
}
