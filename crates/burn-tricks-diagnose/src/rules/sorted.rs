//! Data that is sorted by its targets.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;

/// The share of batches with one class from which the data is sorted.
const SORTED: f64 = 0.5;

/// The share of the variance of the targets between batches from which the data is sorted.
const BETWEEN: f64 = 0.3;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let Some(train) = history
        .train
        .as_ref()
        .filter(|train| train.classes.len() != 1)
    else {
        return Vec::new();
    };
    let (text, value, threshold, source) = if train.single_class_batches > SORTED {
        (
            "Most batches hold rows of one class: the data is sorted, and the network forgets one class while it learns the next.",
            train.single_class_batches,
            SORTED,
            "share of batches of one class; clinic",
        )
    } else if train.between_batches > BETWEEN {
        (
            "The rows of a batch have similar targets, and those of the next batch others: the data is sorted, and the network forgets one part of it while it learns the next.",
            train.between_batches,
            BETWEEN,
            "share of the variance of the targets that lies between batches, ε² of Kelley (1935); threshold chosen by us",
        )
    } else {
        return Vec::new();
    };
    let change = "shuffle the training data before each epoch";
    vec![
        Finding::new(FindingKind::SortedData, Severity::Warning, text)
            .measured(value, threshold, source)
            .with([Prescription::change(change)]),
    ]
}
