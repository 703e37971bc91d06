//! Labels that do not depend on the inputs.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::data::DataHistory;

/// How far above chance an accuracy must be to be told from it.
const MARGIN: f64 = 0.05;

/// Fewer epochs than this show nothing.
const EPOCHS: usize = 3;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let Some(last) = history
        .epochs
        .last()
        .filter(|_| history.epochs.len() >= EPOCHS)
    else {
        return Vec::new();
    };
    let accuracies = last.train_accuracy.zip(last.valid_accuracy);
    let (Some((train, valid)), Some(chance)) = (accuracies, history.chance()) else {
        return Vec::new();
    };
    // Of few training rows the shares of the classes are not those of the validation.
    let of_valid = history
        .valid
        .as_ref()
        .and_then(DataHistory::most_frequent)
        .unwrap_or(chance);
    let limit = of_valid + MARGIN;
    if valid >= limit || train < chance + MARGIN || train - valid < MARGIN {
        return Vec::new();
    }
    let text = format!(
        "The network learns some of its training labels (accuracy {train:.2}), and is no better than chance on the validation: as far as it can tell, the labels do not depend on the inputs."
    );
    let change = "check that inputs and labels stay in the same order when they are shuffled, and that labels are read correctly";
    vec![
        Finding::new(FindingKind::UnrelatedLabels, Severity::Fault, text)
            .measured(
                valid,
                limit,
                "validation accuracy; limit: the share of the most frequent class plus 0.05",
            )
            .with([Prescription::change(change)]),
    ]
}
