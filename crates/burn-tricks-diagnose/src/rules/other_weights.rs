//! A validation of other weights than those that are trained, although its numbers change.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::floor::Scores;
use crate::history::measures::median;
use crate::rules::{average, modes};

/// Fewer epochs, or rows, tell nothing.
const EPOCHS: usize = 3;
const ROWS: usize = 100;

/// By how much the validation is below a model that is fitted to the same training rows, in the last epoch, and in the median of
/// the second half of the epochs.
const BELOW: f64 = 0.25;

/// By how much the network may be below it on the training rows.
const KNOWN: f64 = 0.05;

/// How far apart the scores of neighbours on both may be, and their distances.
const APART: f64 = 0.1;
const SPREAD: f64 = 1.15;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    found(history).into_iter().collect()
}

fn found(history: &History) -> Option<Finding> {
    let (floor, scores) = history.compared()?;
    let train = scores.train?;
    let valid = history.valid.as_ref()?;
    let near = history.closeness?;
    // A few rows are learned by heart, and so is noise that is to be given back.
    let train_rows = history.train.as_ref()?.distinct_rows;
    let is_enough = history.epochs.len() >= EPOCHS
        && valid.distinct_rows >= ROWS
        && train_rows >= 2 * ROWS
        && !history.gives_back();
    let is_alike = valid.shifted_features == 0.0
        && valid.rescaled_features == 0.0
        && (near.train_score - near.valid_score).abs() < APART
        && near
            .spread
            .is_some_and(|spread| (1.0 / SPREAD..SPREAD).contains(&spread));
    let half = &history.epochs[history.epochs.len() / 2..];
    let gaps = half
        .iter()
        .filter_map(|epoch| history.scores_after(epoch))
        .map(|Scores { valid, .. }| floor.score - valid);
    let usual = median(gaps)?;
    let gap = floor.score - scores.valid;
    // Who knows the training rows no better than that model has not learned them, and layers in training mode tell it
    // by themselves.
    let is_other = train > floor.score - KNOWN && gap > BELOW && usual > BELOW;
    let has_cause = !modes::rule(history).is_empty() || !average::rule(history).is_empty();
    if !(is_enough && is_alike && is_other) || has_cause {
        return None;
    }
    let what = if floor.is_accuracy {
        "accuracy"
    } else {
        "share of explained variance"
    };
    let text = format!(
        "The network has {what} {train:.2} on training rows and {:.2} on the validation, for which {} that is fitted to the same training rows has {:.2}, and neighbours say as much about both: the validated weights are not the trained ones, in a part that a checkpoint lacked perhaps, or the inputs of the validation are prepared in another way.",
        scores.valid, floor.model, floor.score
    );
    let change = "validate the model that is trained, and load a checkpoint so that a missing or an unknown name is an error";
    Some(
        Finding::new(FindingKind::StaleValidation, Severity::Warning, text)
            .measured(
                gap,
                BELOW,
                "score of the best of four models that need no network minus that of a network that knows its training rows as well; threshold chosen by us",
            )
            .with([Prescription::change(change)]),
    )
}
