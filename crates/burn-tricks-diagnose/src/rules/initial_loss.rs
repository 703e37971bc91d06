//! The loss of a classification before the first step.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::{Prescription, short};
use crate::finding::severity::Severity;
use crate::history::History;
use crate::loss_kind::LossKind;
use crate::rules::initial::initial;

/// How many times the loss of equal probabilities the first loss may be.
const RATIO: f64 = 3.0;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let is_cross_entropy = matches!(
        history.loss_kind,
        Some(LossKind::CrossEntropyOfScores | LossKind::CrossEntropyOfProbabilities)
    );
    let classes = history
        .train
        .as_ref()
        .map_or(0, |train| train.classes.len());
    let columns = history
        .outputs
        .as_ref()
        .map_or(0, |outputs| outputs.columns);
    let first = history
        .losses
        .first()
        .copied()
        .filter(|loss| loss.is_finite());
    let Some(first) = first.filter(|_| is_cross_entropy && classes.max(columns) >= 2) else {
        return Vec::new();
    };
    let expected = (classes.max(columns) as f64).ln();
    let ratio = first / expected;
    if ratio <= RATIO {
        return Vec::new();
    }
    let text = format!(
        "The first loss is {}; a network that knows nothing has {} for {} classes. The first scores are large and wrong, and the first steps only make them smaller.",
        short(first),
        short(expected),
        classes.max(columns)
    );
    vec![
        // Its causes, such as the scale of inputs or weights, are findings of their own.
        Finding::new(FindingKind::InitialLoss, Severity::Note, text)
            .measured(
                ratio,
                RATIO,
                "first loss over the logarithm of the number of classes; clinic",
            )
            .with([Prescription::ScaleInputs, initial(history)]),
    ]
}
