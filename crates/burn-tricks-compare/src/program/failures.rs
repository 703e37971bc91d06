//! What is told of runs that failed or diverged.

use crate::outcome::{examination::Examination, metric::QualityMetric, run::TrainingRun};

/// Seeds that are listed; the others are counted.
const LISTED: usize = 5;

/// Each failure, and each of these metrics that is no finite number: once for each recipe, with the seeds.
pub(crate) fn told(runs: &[TrainingRun], metrics: &[QualityMetric]) -> Vec<String> {
    let mut groups: Vec<(&str, String, Vec<u64>)> = Vec::new();
    let mut add = |variant, what, seed| {
        let mut same = groups.iter_mut();
        match same.find(|group| group.0 == variant && group.1 == what) {
            Some((_, _, seeds)) => seeds.push(seed),
            None => groups.push((variant, what, vec![seed])),
        }
    };
    for run in runs {
        if let Some(failure) = &run.failure {
            add(&*run.variant, format!("failed: {failure}"), run.seed);
            continue;
        }
        for metric in metrics {
            let quality = run.quality.get(&metric.name);
            if let Some(quality) = quality.filter(|quality| !quality.value.is_finite()) {
                let (name, value) = (&metric.name, quality.value);
                let what = format!("ended with {name:?} {value}, which counts as no model");
                add(&*run.variant, what, run.seed);
            }
        }
    }
    let line = |(variant, what, seeds): (&str, String, Vec<u64>)| {
        format!("{variant:?} with {} {what}", listed(&seeds))
    };
    groups.into_iter().map(line).collect()
}

/// The examinations that gave no result.
pub(crate) fn of_examinations(examinations: &[Examination]) -> Vec<String> {
    let failed = examinations.iter().filter_map(|examination| {
        let (variant, failure) = (&examination.variant, examination.failure.as_ref()?);
        Some(format!("the examination of {variant:?} failed: {failure}"))
    });
    failed.collect()
}

/// As in "seed 3" and "seeds 1, 2, 3, 4, 5 and 7 more".
fn listed(seeds: &[u64]) -> String {
    let first: Vec<String> = seeds.iter().take(LISTED).map(u64::to_string).collect();
    let first = first.join(", ");
    match seeds.len() {
        1 => format!("seed {first}"),
        all if all > LISTED => format!("seeds {first} and {} more", all - LISTED),
        _ => format!("seeds {first}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        comparison::comparison::Comparison,
        outcome::{protocol::Protocol, recipe::Recipe},
    };

    #[test]
    fn one_reason_is_told_once_for_all_its_seeds() {
        let recipes = [
            Recipe::baseline("sgd", ""),
            Recipe::variant("clip", "sgd", ""),
        ];
        let mut runs = Vec::new();
        for seed in 1..=7 {
            runs.push(TrainingRun::failed("clip", seed, "no disk"));
            let loss = if seed == 3 { f64::NAN } else { 0.5 };
            let run = TrainingRun::new("sgd", seed).with_metric("accuracy", 0.5);
            runs.push(run.with_metric("loss", loss));
        }
        let comparison = Comparison::init(&Protocol::classification(), &recipes, &runs).unwrap();
        let expected = [
            "\"sgd\" with seed 3 ended with \"loss\" NaN, which counts as no model",
            "\"clip\" with seeds 1, 2, 3, 4, 5 and 2 more failed: no disk",
        ];
        let told = told(&comparison.runs, &comparison.protocol.metrics);
        assert_eq!(told, expected);
    }
}
