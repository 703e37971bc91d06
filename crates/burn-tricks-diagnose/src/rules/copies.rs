//! Validation rows that are training rows with a little noise.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::floor::score_variance;

/// The share of validation rows with a copy among the training rows, where one in fifty has one by chance.
const COPIED: f64 = 0.2;

/// The same where training rows have as many copies among each other.
const MOST: f64 = 0.5;

/// Standard errors by which the validation rows must have more than those.
const ERRORS: f64 = 3.0;

/// Twice the twenty neighbours that are looked at.
const OF_CLASS: f64 = 40.0;

/// Fewer rows on either side tell nothing.
const ENOUGH: usize = 60;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let Some(near) = history
        .closeness
        .filter(|near| near.near_copies > COPIED && near.rows >= ENOUGH && near.queries >= ENOUGH)
        // Rows that were changed lie elsewhere.
        .filter(|_| {
            let valid = history.valid.as_ref();
            valid.is_none_or(|of| of.shifted_features == 0.0 && of.rescaled_features == 0.0)
        })
        // The few rows of a class lie near each other by themselves.
        .filter(|near| near.rows_of_class.is_none_or(|rows| rows >= OF_CLASS))
    else {
        return Vec::new();
    };
    let text = format!(
        "{:.0} % of the validation rows have a training row far nearer to them than other rows are to each other: they are copies with a little noise, and the validation says how well the network remembers.",
        100.0 * near.near_copies
    );
    // Where training rows have as many, rows may come in groups, as the measurements of one thing do, be copied on purpose, or be
    // alike by themselves, as pictures of one shape at one place are: it tells if most rows have one.
    // Of columns of few values rows share cells, in which they are near each other by themselves.
    let has_cells = history
        .train
        .as_ref()
        .is_some_and(|train| train.measured_features < train.features - train.constant_features);
    let variance = score_variance(near.near_copies, true, near.queries)
        + score_variance(near.train_copies, true, near.rows);
    let severity = if near.near_copies - near.train_copies > ERRORS * variance.sqrt() {
        Severity::Fault
    } else if has_cells || near.near_copies < MOST {
        Severity::Note
    } else {
        Severity::Warning
    };
    let change = "split the data before rows are copied, augmented or cut into pieces, and put all that comes of one row on one side";
    vec![
        Finding::new(FindingKind::LeakedValidation, severity, text)
            .measured(
                near.near_copies,
                COPIED,
                "share of validation rows whose nearest training row is so near, against the 20th, as that of one row in fifty by chance in as many dimensions, which are estimated after Levina and Bickel (2004); threshold chosen by us",
            )
            .with([Prescription::change(change)]),
    ]
}
