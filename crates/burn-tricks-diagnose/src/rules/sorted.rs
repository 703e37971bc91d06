//! Data that is sorted by its targets.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::data::DataHistory;
use crate::history::floor::EVIDENT;
use crate::history::measures::Outcome;

/// The share of batches with one class from which the data is sorted.
const SORTED: f64 = 0.5;

/// The share of the variance of the targets between batches from which the data is sorted.
const BETWEEN: f64 = 0.3;

/// The batches that count have so many rows.
const FEWEST: i32 = 8;

/// The largest share by chance, of one class that is nearly all.
const MOST: f64 = 0.99;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let Some(train) = history
        .train
        .as_ref()
        .filter(|train| train.classes.len() != 1)
    else {
        return Vec::new();
    };
    let chance = by_chance(train);
    let beyond = (train.single_class_batches - chance) / (1.0 - chance);
    let (text, value, threshold, source) = if beyond > SORTED {
        (
            "Most batches hold rows of one class: the data is sorted, and the network forgets one class while it learns the next.",
            beyond,
            SORTED,
            "share of batches of one class, beyond what chance makes of a frequent class; clinic",
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
    let is_told = history.compared().is_some();
    // Without a validation nothing shows that a series of numbers in its order, as a network with a state needs it,
    // costs anything.
    let is_series =
        train.classes.is_empty() && history.epochs.iter().all(|of| of.valid_loss.is_none());
    let severity = match history.outcome() {
        // A series in its order, which it has learned all the same, as far as other models tell.
        Outcome::Learned if is_told && history.shortfall(EVIDENT).is_none() => Severity::Note,
        Outcome::Learned if is_series => Severity::Note,
        _ => Severity::Warning,
    };
    vec![
        Finding::new(FindingKind::SortedData, severity, text)
            .measured(value, threshold, source)
            .with([Prescription::change(change)]),
    ]
}

/// The share of shuffled batches that hold the most frequent class only.
fn by_chance(train: &DataHistory) -> f64 {
    let most = train.most_frequent().unwrap_or(0.0);
    let rows = i32::try_from(train.largest_batch).unwrap_or(i32::MAX);
    most.powi(rows.max(FEWEST)).min(MOST)
}
