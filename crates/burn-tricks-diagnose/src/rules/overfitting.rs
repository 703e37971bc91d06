//! A model that fits its training data far better than the validation data.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::floor;

const BEHIND: &str = "score of a model that needs no network minus that of the network on the validation, where the network knows the training rows as well as that model the validation; margin: clinic";

/// The difference of the accuracies.
const GAP: f64 = 0.15;

/// The difference of the shares of explained variance.
const UNEXPLAINED: f64 = 0.2;

/// Fewer different rows are few for any network.
const FEW: usize = 50;

/// The rise of the validation loss above its minimum.
const RISE: f64 = 1.5;

/// The parameters per training sample from which a model is large for its data.
const PARAMETERS: f64 = 10.0;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let Some(last) = history.epochs.last().filter(|_| history.epochs.len() >= 3) else {
        return Vec::new();
    };
    let gap = last
        .train_accuracy
        .zip(last.valid_accuracy)
        .map(|(train, valid)| train - valid);
    let losses: Vec<f64> = history
        .epochs
        .iter()
        .filter_map(|of| of.valid_loss)
        .collect();
    let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let rise = last
        .valid_loss
        .filter(|_| lowest > 0.0)
        .map(|loss| loss / lowest);
    let unexplained = history
        .scores()
        .filter(|scores| !scores.is_accuracy)
        .and_then(|scores| {
            // Who explains nothing of the training has another fault.
            let train = scores.train.filter(|train| *train > UNEXPLAINED)?;
            Some(train - scores.valid)
        });
    let fits = last
        .train_loss
        .zip(last.valid_loss)
        .is_some_and(|(train, valid)| train < 0.5 * valid);
    let knows_something = (history.scores())
        .is_some_and(|of| of.is_accuracy || of.train.is_some_and(|train| train > UNEXPLAINED));
    let behind = history.memorised(floor::BEHIND);
    let behind = behind.filter(|_| knows_something);
    let (severity, value, threshold, source) = match (gap, rise) {
        (Some(gap), _) if gap > GAP => (
            Severity::Warning,
            gap,
            GAP,
            "training accuracy minus validation accuracy; clinic",
        ),
        _ if unexplained.is_some_and(|gap| gap > UNEXPLAINED) && fits => (
            Severity::Warning,
            unexplained.unwrap_or(0.0),
            UNEXPLAINED,
            "share of the variance that is explained on the training data, minus that on the validation data; clinic",
        ),
        _ if behind.is_some() => {
            let (gap, room) = behind.unwrap_or_default();
            (Severity::Warning, gap, room, BEHIND)
        }
        (gap, Some(rise)) if rise > RISE && fits => {
            let severity = if gap.is_some_and(|gap| gap < GAP) {
                Severity::Note
            } else {
                Severity::Warning
            };
            (
                severity,
                rise,
                RISE,
                "validation loss over its minimum; clinic",
            )
        }
        _ => return Vec::new(),
    };
    let mut findings = Vec::new();
    let text = "The network fits its training data far better than the validation data.";
    findings.push(
        Finding::new(FindingKind::Overfitting, severity, text)
            .measured(value, threshold, source)
            .with([
                Prescription::EarlyStopping { patience: 5 },
                Prescription::WeightDecay { decay: 1e-2 },
                Prescription::Dropout { prob: 0.3 },
                Prescription::Smaller,
                Prescription::change("collect or augment training data"),
            ]),
    );
    findings.extend(too_large(history, severity));
    findings.extend(too_few(history, severity));
    findings
}

/// Fewer rows than any network needs.
fn too_few(history: &History, severity: Severity) -> Option<Finding> {
    let train = history.train.as_ref()?;
    let rows = train.distinct_rows;
    if rows == 0 || rows >= train.rows || rows >= FEW {
        return None;
    }
    let text = format!(
        "There are {rows} different training rows, which the network knows by heart: they say little about others."
    );
    Some(
        Finding::new(FindingKind::TooLittleData, severity, text)
            .measured(
                rows as f64,
                FEW as f64,
                "different training rows, of a model that overfits; threshold chosen by us",
            )
            .with([
                Prescription::change("collect or augment training data"),
                Prescription::WeightDecay { decay: 1e-2 },
            ]),
    )
}

fn too_large(history: &History, severity: Severity) -> Option<Finding> {
    let train = history.train.as_ref()?;
    // If rows repeat, an epoch has ended, and its different rows are the data.
    if train.distinct_rows == 0 || train.distinct_rows >= train.rows {
        return None;
    }
    let ratio = history.elements() as f64 / train.distinct_rows as f64;
    if ratio <= PARAMETERS {
        return None;
    }
    let text = format!(
        "The model has {} parameters for {} training rows, and overfits.",
        history.elements(),
        train.distinct_rows
    );
    Some(
        Finding::new(FindingKind::TooLargeModel, severity, text)
            .measured(
                ratio,
                PARAMETERS,
                "parameters per training row, of a model that overfits; clinic",
            )
            .with([
                Prescription::EarlyStopping { patience: 5 },
                Prescription::WeightDecay { decay: 1e-2 },
                Prescription::Smaller,
                Prescription::change("collect or augment training data"),
            ]),
    )
}
