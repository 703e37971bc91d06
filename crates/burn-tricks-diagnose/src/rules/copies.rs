//! Validation rows that are training rows with a little noise.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;

/// The share of validation rows with a copy among the training rows, where one in fifty has one by chance.
const COPIED: f64 = 0.2;

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
    // Where training rows have copies too, rows may come in groups, as the measurements of one thing do, or be copied on purpose.
    // Of columns of few values rows share cells, in which they are near each other by themselves.
    let has_cells = history
        .train
        .as_ref()
        .is_some_and(|train| train.measured_features < train.features - train.constant_features);
    let severity = if near.train_copies <= COPIED {
        Severity::Fault
    } else if has_cells {
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
