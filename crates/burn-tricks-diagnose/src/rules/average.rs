//! An average of weights that never started.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;

/// After one step an average may be the weights that this step has made.
const STEPS: usize = 2;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let has_moved = history.params.iter().any(|param| param.changed);
    if !has_moved || history.steps_taken < STEPS {
        return Vec::new();
    }
    let (text, source) = if history.average_moved == Some(0.0) {
        (
            "The average of the weights is the initial weights, although the model has been trained.",
            "distance of the average from the initial weights",
        )
    } else if history.average_is_model == Some(true) {
        (
            "The average of the weights is the trained weights, to the bit: it has averaged nothing.",
            "distance of the average from the trained weights",
        )
    } else {
        return Vec::new();
    };
    let change =
        "update the average after each step, and check the step at which it is configured to start";
    vec![
        Finding::new(FindingKind::AverageNeverStarted, Severity::Fault, text)
            .measured(0.0, 0.0, source)
            .with([Prescription::change(change)]),
    ]
}
