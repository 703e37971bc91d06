//! Rows that are drawn again and again within an epoch.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::measures::Outcome;

/// The share of different rows of an epoch below which its rows repeat: a draw with replacement leaves 0.63.
const DIFFERENT: f64 = 0.4;

/// Fewer rows tell nothing.
const ENOUGH: usize = 64;

/// An epoch over this many batches is no single batch that is repeated on purpose.
const BATCHES: usize = 4;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let Some(train) = history.train.as_ref() else {
        return Vec::new();
    };
    let rows = train.first_epoch_rows;
    let share = train.first_epoch_distinct as f64 / rows.max(1) as f64;
    // Of inputs with few values rows are equal by chance.
    let can_differ = train.possible_rows > 20.0 * rows as f64;
    let has_batches = rows >= BATCHES * train.largest_batch;
    if rows < ENOUGH || share >= DIFFERENT || !can_differ || !has_batches {
        return Vec::new();
    }
    let text = format!(
        "Of {rows} rows of the first epoch {} are different: the same rows are drawn again and again, and others perhaps never.",
        train.first_epoch_distinct
    );
    let change = "let each epoch go through all rows once: look at the sampler, at the weights of the rows, and at where the iterator is made";
    // To overfit one batch is a usual test.
    let is_one_batch = train.first_epoch_distinct <= train.largest_batch;
    let severity = match history.outcome() {
        _ if is_one_batch => Severity::Note,
        Outcome::Learned => Severity::Note,
        _ => Severity::Warning,
    };
    vec![
        Finding::new(FindingKind::TooLittleData, severity, text)
            .measured(share, DIFFERENT, "share of different rows in the first epoch, 0.63 for draws with replacement; threshold chosen by us")
            .with([Prescription::change(change)]),
    ]
}
