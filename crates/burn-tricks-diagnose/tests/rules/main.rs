//! Each rule on numbers that were chosen by hand: at its threshold it speaks, below it is silent.

mod accumulation;
mod capacity;
mod data;
mod evidence;
mod examinations;
mod flow;
mod losses;
mod outliers;
mod rate;
mod references;
mod shortfall;
mod sound;
mod steps;
mod training;
mod unknown;

use burn_tricks_diagnose::{
    Diagnosis, FindingKind, History, ParamHistory, ParamStep, Severity, StepHistory, TensorStats,
};

/// The severity of the finding of this kind, if there is one.
fn severity(history: &History, kind: FindingKind) -> Option<Severity> {
    let diagnosis = Diagnosis::from_history(history.clone());
    diagnosis
        .of_kind(kind)
        .map(|finding| finding.severity)
        .max()
}

/// A weight of `shape` with He's deviation, all of whose gradients have norm 1 and updates of a thousandth.
fn weight(path: &str, shape: [usize; 2], steps: usize) -> ParamHistory {
    let deviation = (2.0 / shape[0] as f64).sqrt();
    let mut stats = TensorStats::default();
    stats.deviation = deviation;
    stats.norm = deviation * ((shape[0] * shape[1]) as f64).sqrt();
    (stats.min, stats.max) = (-2.0 * deviation, 2.0 * deviation);
    let mut param = ParamHistory::default();
    param.path = path.to_owned();
    param.layer = "Linear".to_owned();
    param.shape = shape.to_vec();
    (param.fan_in, param.fan_out) = (Some(shape[0]), Some(shape[1]));
    param.units = Some(shape[1]);
    param.silent_units = Some(0);
    (param.initial, param.last) = (stats, stats);
    param.moved = 0.1 * stats.norm;
    param.steps = (1..=steps).map(|step| at(step, 1.0, stats.norm)).collect();
    param
}

fn at(step: usize, gradient: f64, weight: f64) -> ParamStep {
    let mut at = ParamStep::default();
    (at.step, at.gradient, at.weight) = (step, gradient, weight);
    at.update = Some(1e-3 * weight);
    at
}

/// Four layers and `steps` steps at rate 1e-3, whose loss falls from 2 to `last`.
fn history(steps: usize, last: f64) -> History {
    let mut history = History::default();
    history.steps_taken = steps;
    history.steps = (1..=steps)
        .map(|step| {
            let mut of = StepHistory::default();
            (of.step, of.lr, of.cosine) = (step, 1e-3, Some(0.2));
            of
        })
        .collect();
    let fall = |at: usize| 2.0 + (last - 2.0) * at as f64 / (steps - 1) as f64;
    history.losses = (0..steps).map(fall).collect();
    let shapes = [[8, 16], [16, 16], [16, 16], [16, 3]];
    let layers = shapes.into_iter().enumerate();
    history.params = layers
        .map(|(at, shape)| weight(&format!("layers.{at}.weight"), shape, steps))
        .collect();
    history
}

#[test]
fn a_training_that_learns_has_one_finding() {
    let diagnosis = Diagnosis::from_history(history(100, 0.1));
    assert!(diagnosis.is_healthy());
    assert_eq!(diagnosis.findings.len(), 1, "{diagnosis}");
    assert_eq!(diagnosis.findings[0].kind, FindingKind::Healthy);
}

#[test]
fn every_kind_has_a_title_of_its_own() {
    let mut titles: Vec<_> = FindingKind::ALL.iter().map(|kind| kind.title()).collect();
    titles.sort_unstable();
    titles.dedup();
    assert_eq!(titles.len(), FindingKind::ALL.len());
}
