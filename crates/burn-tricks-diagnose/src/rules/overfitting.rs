//! A model that fits its training data far better than the validation data.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::data::DataHistory;
use crate::history::floor::{self, score_variance};
use crate::history::measures::median;

const BEHIND: &str = "score of a model that needs no network minus that of the network on the validation, where the network knows the training rows as well as that model the validation; margin: clinic";

/// The difference of the accuracies.
const GAP: f64 = 0.15;

/// The difference of the shares of explained variance.
const UNEXPLAINED: f64 = 0.2;

/// Standard errors of the difference by which it must be above that: of few rows a score is one by chance.
const ERRORS: f64 = 2.0;

/// Fewer different rows are few for any network.
const FEW: usize = 50;

/// The same, up to which a rise of the validation loss costs little.
const LITTLE: f64 = 0.1;

/// The rise of the validation loss above its minimum.
const RISE: f64 = 1.5;

/// The same for a network that is as good as other models, and the standard errors of a mean loss by which it rises by chance.
const RISEN: f64 = 1.1;
const RISES: f64 = 3.0;

/// The different rows from which other models say how good a network can be.
const MANY: usize = 100;

/// The epochs after the lowest loss for which a patient early stopping waits.
const PATIENCE: usize = 10;

/// Standard errors of the score of the best model within which a network is as good.
const BY_CHANCE: f64 = 2.0;

/// The epochs whose median is taken: a single one may be low or high by chance.
const USUAL: usize = 3;

/// The parameters per training sample from which a model is large for its data.
const PARAMETERS: f64 = 10.0;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let Some(last) = history.epochs.last().filter(|_| history.epochs.len() >= 3) else {
        return Vec::new();
    };
    let accuracies = last.train_accuracy.zip(last.valid_accuracy);
    let gap = accuracies.map(|(train, valid)| train - valid);
    let room = |least: f64, is_accuracy: bool, scores: Option<(f64, f64)>| {
        let rows = |data: &Option<DataHistory>| {
            (data.as_ref()).map_or(usize::MAX, DataHistory::known_rows)
        };
        let variance = scores.map_or(0.0, |(train, valid)| {
            score_variance(train, is_accuracy, rows(&history.train))
                + score_variance(valid, is_accuracy, rows(&history.valid))
        });
        least.max(ERRORS * variance.sqrt())
    };
    let of_gap = room(GAP, true, accuracies);
    let losses: Vec<f64> = history
        .epochs
        .iter()
        .filter_map(|of| of.valid_loss)
        .collect();
    let rise = rise(&losses);
    let shares = history
        .scores()
        .filter(|scores| !scores.is_accuracy)
        .and_then(|scores| {
            // Who explains nothing of the training has another fault.
            let train = scores.train.filter(|train| *train > UNEXPLAINED)?;
            Some((train, scores.valid))
        });
    let unexplained = shares.map(|(train, valid)| train - valid);
    let of_shares = room(UNEXPLAINED, false, shares);
    let fits = last
        .train_loss
        .zip(last.valid_loss)
        .is_some_and(|(train, valid)| train < 0.5 * valid);
    let knows_something = (history.scores())
        .is_some_and(|of| of.is_accuracy || of.train.is_some_and(|train| train > UNEXPLAINED));
    let behind = history.memorised(floor::BEHIND);
    let behind = behind.filter(|_| knows_something);
    let harm = if harms(history, &losses, rise) {
        Severity::Warning
    } else {
        Severity::Note
    };
    let (severity, value, threshold, source) = match (gap, rise) {
        (Some(gap), _) if gap > of_gap => (
            harm,
            gap,
            of_gap,
            "training accuracy minus validation accuracy; clinic, and two standard errors",
        ),
        _ if unexplained.is_some_and(|gap| gap > of_shares) && fits => (
            harm,
            unexplained.unwrap_or(0.0),
            of_shares,
            "share of the variance that is explained on the training data, minus that on the validation data; clinic, and two standard errors",
        ),
        _ if behind.is_some() => {
            let (gap, room) = behind.unwrap_or_default();
            (Severity::Warning, gap, room, BEHIND)
        }
        (gap, Some(rise)) if rise > RISE && fits => {
            // The scores hardly differ: surer, or less sure, of the same.
            let is_small =
                gap.is_some_and(|gap| gap < of_gap) || unexplained.is_some_and(|gap| gap < LITTLE);
            let severity = if is_small {
                Severity::Note
            } else {
                Severity::Warning
            };
            (
                severity,
                rise,
                RISE,
                "median of the last three validation losses over the lowest median of three in a row; clinic",
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

/// Whether it costs something that the training is known better: a network that is as good as other models, and whose validation
/// loss has not risen much, is not worse for it.
fn harms(history: &History, losses: &[f64], rise: Option<f64>) -> bool {
    let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let at = losses.iter().position(|loss| *loss == lowest);
    // So long early stopping waits, which then takes the weights of the lowest loss.
    let waits = at.is_some_and(|at| losses.len() - at <= PATIENCE);
    // The losses of single rows have a deviation of about their mean, and so have their differences: of few rows a loss rises by
    // chance.
    let valid = history.valid.as_ref();
    let rows = valid.map_or(usize::MAX, DataHistory::known_rows) as f64;
    let by_chance = 1.0 + RISES / rows.sqrt();
    let limit = if waits { RISE } else { RISEN };
    // A few rows say little about others, however well a model does on these.
    let is_few = (history.train.as_ref()).is_none_or(|train| train.distinct_rows < MANY);
    // The best of four models is better than each of them by chance.
    is_few
        || !history.is_level_within(BY_CHANCE)
        || rise.is_none_or(|rise| rise > limit.max(by_chance))
}

/// The usual loss at the end over the lowest usual one.
fn rise(losses: &[f64]) -> Option<f64> {
    let medians: Vec<f64> = (losses.windows(USUAL))
        .filter_map(|part| median(part.iter().copied()))
        .collect();
    let lowest = medians.iter().copied().fold(f64::INFINITY, f64::min);
    let last = medians.last()?;
    Some(last / lowest).filter(|_| lowest > 0.0)
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
