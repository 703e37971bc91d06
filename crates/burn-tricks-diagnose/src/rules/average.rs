//! An average of weights that never started.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let has_moved = history.params.iter().any(|param| param.changed);
    if history.average_moved != Some(0.0) || !has_moved {
        return Vec::new();
    }
    let text =
        "The average of the weights is the initial weights, although the model has been trained.";
    let change =
        "update the average after each step, and check the step at which it is configured to start";
    vec![
        Finding::new(FindingKind::AverageNeverStarted, Severity::Fault, text)
            .measured(0.0, 0.0, "distance of the average from the initial weights")
            .with([Prescription::change(change)]),
    ]
}
