//! Columns of a table that were lost, filled in, cut off, scaled row by row or rounded, where the network's score is low.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::data::DataHistory;
use crate::history::floor::EVIDENT;
use crate::history::measures::Outcome;

/// More features are the pixels of an image, or words, of which many are 0.
const TABLE: usize = 40;

/// The score up to which something is missing.
const SHORT: f64 = 0.85;

/// The rows of the first epoch over the different ones, from which few values are left of measurements.
const REPEATED: usize = 10;

/// Fewer rows repeat by chance.
const ENOUGH: usize = 200;

/// The deviation of the lengths of rows over their mean below which all have one length.
const ONE_LENGTH: f64 = 1e-3;

/// The share of the columns of a table that is 0 in all rows, from which it counts.
const LOST: f64 = 0.2;

/// The share of the columns of a table that is filled, or cut off, from which it counts.
const SHARE: f64 = 0.1;

/// The share of all numbers of a table that were filled in with a value among the others, from which much of it is
/// missing whatever the network has learned.
const IMPUTED: f64 = 0.1;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let Some(train) = history
        .train
        .as_ref()
        .filter(|train| train.features <= TABLE)
    else {
        return Vec::new();
    };
    let is_short = history.scores().is_some_and(|scores| scores.valid < SHORT);
    if !is_short || train.features < 2 {
        return Vec::new();
    }
    let found = [
        lost(train),
        filled(train),
        clipped(train),
        one_length(train),
        few_values(train),
    ];
    // Columns may be as they should, and the rest noise.
    let costs_nothing =
        history.outcome() == Outcome::Learned && history.shortfall(EVIDENT).is_none();
    let mut found: Vec<Finding> = found.into_iter().flatten().collect();
    for finding in &mut found {
        if costs_nothing && !is_certain(train, finding.kind) {
            finding.severity = Severity::Note;
        }
    }
    found
}

/// Whether something is missing whatever the network has learned: a column of zeros among columns that are measured, or
/// much that was filled in. Columns of few values may be 0 as that of a category that does not occur.
fn is_certain(train: &DataHistory, kind: FindingKind) -> bool {
    let varying = train.features - train.constant_features;
    let is_lost = train.constant_features > 0 && 2 * train.measured_features > varying;
    kind == FindingKind::ConstantInputs && (is_lost || train.imputed > IMPUTED)
}

fn lost(train: &DataHistory) -> Option<Finding> {
    let share = train.constant_features as f64 / train.features as f64;
    // Other rules are about those of another value, and about all.
    let are_zeros = train.constant_nonzero_features == 0 && share <= 0.5;
    if share < LOST || !are_zeros {
        return None;
    }
    let text = format!(
        "{} of {} columns are 0 in all rows, and the network does not reach {SHORT}: what these columns should tell is missing.",
        train.constant_features, train.features
    );
    let change = "look at how the table is joined and read: the columns were lost, or their missing values became 0";
    Some(
        Finding::new(FindingKind::ConstantInputs, Severity::Warning, text)
            .measured(
                share,
                LOST,
                "share of the columns of a table that are 0; threshold chosen by us",
            )
            .with([Prescription::change(change)]),
    )
}

fn filled(train: &DataHistory) -> Option<Finding> {
    let share = train.filled_features.len() as f64 / train.features as f64;
    if share < SHARE {
        return None;
    }
    let text = format!(
        "In the columns {:?} many rows have one value that the measured ones do not lead up to: a constant in place of missing values.",
        train.filled_features
    );
    let change = "look at the rows with this value: restore what is missing, leave the rows out, or add a column that says where it was filled in";
    Some(
        Finding::new(FindingKind::ConstantInputs, Severity::Warning, text)
            .measured(share, SHARE, "share of the columns of a table in which one value stands apart and occurs in 3 % of the rows or more; threshold chosen by us")
            .with([Prescription::change(change)]),
    )
}

fn clipped(train: &DataHistory) -> Option<Finding> {
    let share = train.clipped_features.len() as f64 / train.features as f64;
    if share < SHARE {
        return None;
    }
    let text = format!(
        "The columns {:?} are cut off: many rows have their smallest number and many their largest one, and the others lie between. What was beyond is lost.",
        train.clipped_features
    );
    let change = "scale the columns into the range, or leave them uncut: look at conversions to bytes or whole numbers, and at a clamp that was meant for another scale";
    Some(
        Finding::new(FindingKind::UnscaledInputs, Severity::Warning, text)
            .measured(share, SHARE, "share of the columns of a table of which 3 % of the rows or more are at either end; threshold chosen by us")
            .with([Prescription::change(change), Prescription::ScaleInputs]),
    )
}

fn one_length(train: &DataHistory) -> Option<Finding> {
    let variation = train
        .length_variation
        .filter(|variation| *variation < ONE_LENGTH)?;
    let text = "All rows of the table have one length: they were scaled row by row, over columns that mean different things, and how large a row is can no longer be told.";
    let change =
        "scale each column over the rows, and not each row over its columns: the other axis";
    Some(
        Finding::new(FindingKind::UnscaledInputs, Severity::Warning, text)
            .measured(
                variation,
                ONE_LENGTH,
                "deviation of the lengths of the rows over their mean; threshold chosen by us",
            )
            .with([Prescription::ScaleInputs, Prescription::change(change)]),
    )
}

/// Rows of which many are equal, since their features have few values.
fn few_values(train: &DataHistory) -> Option<Finding> {
    let (rows, different) = (train.first_epoch_rows, train.first_epoch_distinct);
    let are_few = train.possible_rows > 0.0 && train.possible_rows <= rows as f64;
    let ambiguous = train.ambiguous.filter(|share| *share > 1.0 - SHORT)?;
    if rows < ENOUGH || different < 2 || different * REPEATED > rows || !are_few {
        return None;
    }
    let text = format!(
        "The {rows} rows of the first epoch are {different} different ones, since the columns have few values, and {:.0} % of the variance of the targets lies among equal rows: what would tell them apart is lost, or was never there.",
        100.0 * ambiguous
    );
    let change = "look at conversions to whole numbers, and at divisions of whole numbers, where the inputs are prepared";
    Some(
        Finding::new(FindingKind::Underfitting, Severity::Warning, text)
            .measured(
                rows as f64 / different as f64,
                REPEATED as f64,
                "rows of the first epoch over the different ones, of a table whose columns have few values; threshold chosen by us",
            )
            .with([Prescription::change(change)]),
    )
}
