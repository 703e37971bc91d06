//! The runs of one recipe, summarised.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    comparison::{pair::Pair, pool::Pool},
    outcome::run::TrainingRun,
    statistics::interval::Interval,
};

/// The runs of one recipe, summarised over its seeds. A run that failed counts as no model in quality
/// and as one that never arrived.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// Name of the recipe.
    pub name: String,
    /// Number of runs, failed ones included.
    pub runs: usize,
    /// Number of runs that failed.
    pub failed: usize,
    /// The mean of each metric, with its 95 % interval, within the values that the metric can take.
    pub quality: BTreeMap<String, Interval>,
    /// Number of runs that arrived at the target.
    pub arrived: usize,
    /// The optimizer steps of these until they arrived.
    pub steps_to_target: Interval,
    /// Wall-clock time of an optimizer step.
    pub seconds_per_step: Interval,
    /// Largest memory in use over all runs.
    pub peak_bytes: Option<u64>,
}

impl Arm {
    pub(crate) fn new(pool: &Pool<'_>, recipe: usize) -> Self {
        let runs = pool.runs_of(recipe);
        let metrics = &pool.protocol.metrics[..];
        let has_failed = |run: &&TrainingRun| Pair::alone(run).failed(metrics)[0];
        let arrived: Vec<f64> = runs
            .iter()
            .filter(|run| Pair::alone(run).arrived(metrics)[0])
            .filter_map(|run| Some(run.arrival?.steps? as f64))
            .collect();
        let quality = metrics.iter().map(|metric| {
            let value = |run: &&TrainingRun| {
                if has_failed(run) {
                    pool.no_model(run.seed, metric)
                } else {
                    Some(run.quality.get(&metric.name)?.value)
                }
            };
            let values = runs
                .iter()
                .map(value)
                .map(|value| value.unwrap_or(f64::NAN));
            let values: Vec<f64> = values.collect();
            let (low, high) = metric.range();
            let interval = Interval::confidence_95(&values).within(low, high);
            (metric.name.clone(), interval)
        });
        let seconds = runs.iter().filter_map(|run| run.cost.seconds_per_step);
        Self {
            name: pool.recipes[recipe].name.clone(),
            runs: runs.len(),
            failed: runs.iter().filter(|run| has_failed(run)).count(),
            quality: quality.collect(),
            arrived: arrived.len(),
            steps_to_target: Interval::confidence_95(&arrived).within(0.0, f64::INFINITY),
            seconds_per_step: Interval::confidence_95(&seconds.collect::<Vec<f64>>())
                .within(0.0, f64::INFINITY),
            peak_bytes: runs.iter().filter_map(|run| run.cost.peak_bytes).max(),
        }
    }
}
