//! A validation of weights that are not those that are trained.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::outputs::OutputHistory;

/// Fewer epochs than this may have one value by chance.
const EPOCHS: usize = 3;

/// The relative change of the training loss from the first epoch to the last from which weights have moved.
const MOVED: f64 = 1e-2;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let losses: Vec<f64> = history
        .epochs
        .iter()
        .filter_map(|of| of.valid_loss)
        .collect();
    let trained: Vec<f64> = history
        .epochs
        .iter()
        .filter_map(|of| of.train_loss)
        .collect();
    let [first, .., last] = trained[..] else {
        return Vec::new();
    };
    let is_same = losses.len() >= EPOCHS && losses.iter().all(|loss| *loss == losses[0]);
    let has_moved = (first - last).abs() > MOVED * first.abs();
    // A network that gives one number for every row may do so for ever.
    let is_constant = |outputs: &OutputHistory| outputs.is_constant();
    let gives_one_output = history.valid_outputs.as_ref().is_some_and(is_constant);
    if !is_same || gives_one_output || !has_moved || !losses[0].is_finite() {
        return Vec::new();
    }
    let text = format!(
        "The validation loss is {} in all {} epochs, to the last digit, while the training loss changes: the validated model is not the trained one.",
        losses[0],
        losses.len()
    );
    let change = "call `valid()` on the trained model anew in each epoch: it returns a copy";
    vec![
        Finding::new(FindingKind::StaleValidation, Severity::Fault, text)
            .measured(
                0.0,
                0.0,
                "largest difference between the validation losses of two epochs",
            )
            .with([Prescription::change(change)]),
    ]
}
