//! An average of weights that never started.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::{Prescription, short};
use crate::finding::severity::Severity;
use crate::history::History;

/// How far the average is from the trained weights, as a share of how far these are from the first ones, from which it has
/// hardly followed.
const BEHIND: f64 = 0.5;

/// By how much the score of the validation is below that of the training.
const GAP: f64 = 0.1;

/// After one step an average may be the weights that this step has made.
const STEPS: usize = 2;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    found(history).into_iter().collect()
}

fn found(history: &History) -> Option<Finding> {
    let has_moved = history.params.iter().any(|param| param.changed);
    if !has_moved || history.steps_taken < STEPS {
        return None;
    }
    let unmoved = "distance of the average from the initial weights";
    let (severity, text, measured) = if history.average_moved == Some(0.0) {
        let text = "The average of the weights is the initial weights, although the model has been trained.".to_owned();
        (Severity::Fault, text, (0.0, 0.0, unmoved))
    } else if history.average_is_model == Some(true) {
        let text = "The average of the weights is the trained weights, to the bit: it has averaged nothing.".to_owned();
        let source = "distance of the average from the trained weights";
        (Severity::Fault, text, (0.0, 0.0, source))
    } else if let Some(behind) = history.average_behind.filter(|behind| *behind > BEHIND) {
        let steps = history.steps_taken;
        let text = format!(
            "After {steps} steps the average of the weights is still {} of their way behind them: it is too slow for so few steps, as one with a decay of 0.999 or more is.",
            short(behind)
        );
        let source = "distance of the average from the trained weights over that of these from the initial ones; threshold chosen by us";
        (is_worse(history)?, text, (behind, BEHIND, source))
    } else {
        return None;
    };
    let (value, threshold, source) = measured;
    let change = "update the average after each step, check the step at which it is configured to start, and let its decay fit the number of steps";
    Some(
        Finding::new(FindingKind::AverageNeverStarted, severity, text)
            .measured(value, threshold, source)
            .with([
                Prescription::change(change),
                Prescription::AverageWeights { decay: 0.99 },
            ]),
    )
}

/// How serious it is that the average is behind: a note where the validation, which may be of the average, is as good as the
/// training, and there is nothing to say where both are unknown.
fn is_worse(history: &History) -> Option<Severity> {
    let scores = history.scores()?;
    let gap = scores.train.map_or(0.0, |train| train - scores.valid);
    Some(if gap > GAP || history.below(GAP).is_some() {
        Severity::Fault
    } else {
        Severity::Note
    })
}
