//! A validation metric that jumps from epoch to epoch.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::data::DataHistory;
use crate::history::floor::score_variance;
use crate::history::measures::Outcome;
use crate::history::outputs::deviation;

/// Fewer epochs than this do not show a swing.
const EPOCHS: usize = 8;

/// The deviation of the accuracy over the second half of the epochs.
const SWING: f64 = 0.05;

/// Standard errors of an accuracy by which it must be above that.
const ERRORS: f64 = 1.5;

/// Batches from this size on are not small.
const SMALL: usize = 16;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let half = &history.epochs[history.epochs.len() / 2..];
    let accuracies: Vec<f64> = half.iter().filter_map(|of| of.valid_accuracy).collect();
    if history.epochs.len() < EPOCHS || accuracies.len() < EPOCHS / 2 {
        return Vec::new();
    }
    // At chance the accuracy jumps with every change of the most frequent prediction.
    if history.outcome() == Outcome::Stuck {
        return Vec::new();
    }
    // A trend is no swing: of the differences of neighbours, which have twice the variance.
    let differences: Vec<f64> = accuracies
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .collect();
    let swing = deviation(differences.iter().copied()) / 2f64.sqrt();
    // Of few rows an accuracy swings by chance.
    let valid = history.valid.as_ref();
    let rows = valid.map_or(usize::MAX, DataHistory::known_rows);
    let mean = accuracies.iter().sum::<f64>() / accuracies.len() as f64;
    let error = score_variance(mean, true, rows).sqrt();
    let limit = SWING.max(ERRORS * error);
    if swing < limit {
        return Vec::new();
    }
    let is_small = history
        .train
        .as_ref()
        .is_some_and(|train| train.batches > 0 && train.largest_batch < SMALL);
    let text = "The validation accuracy jumps from epoch to epoch: each batch moves the weights far in its own direction.";
    let lower = Prescription::ScaleLr { factor: 0.1 };
    let batch = Prescription::BatchSize { size: 32 };
    let [first, second] = if is_small {
        [batch, lower]
    } else {
        [lower, batch]
    };
    let severity = if history.costs_nothing() {
        Severity::Note
    } else {
        Severity::Warning
    };
    vec![
        Finding::new(FindingKind::Oscillation, severity, text)
            .measured(swing, limit, "deviation of the accuracy around its trend over the second half of the epochs; clinic, and one and a half standard errors")
            .with([
                first,
                second,
                Prescription::Momentum { momentum: 0.0 },
                Prescription::ScaleInputs,
                Prescription::AverageWeights { decay: 0.99 },
            ]),
    ]
}
