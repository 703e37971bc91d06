//! Labels that do not depend on the inputs.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::data::DataHistory;
use crate::history::epoch::EpochMetrics;
use crate::history::floor::score_variance;
use crate::history::measures::Outcome;

/// How far above chance an accuracy must be to be told from it.
const MARGIN: f64 = 0.05;

/// How far above that the accuracy of a model that needs no network is, from which labels depend on inputs.
const TOLD: f64 = 0.15;

/// So many epochs in a row show it although the network moves.
const LONG: usize = 5;

/// The share of explained variance below which nothing is explained.
const EXPLAINED: f64 = 0.05;

/// The share of explained variance times the rows, from which it is none by chance: three standard errors of a correlation.
const SEEN: f64 = 9.0;

/// Fewer epochs than this show nothing.
const EPOCHS: usize = 3;

/// How far the accuracy of the validation may be above that of the training.
const BETTER: f64 = 0.15;

/// The distance of neighbours in the training over that in the validation up to which the inputs are alike.
const SPREAD: f64 = 1.15;

/// The change of the training accuracy in the last epoch up to which it has settled.
const SETTLED: f64 = 0.03;

/// Standard errors of a difference by which it must be above that.
const ERRORS: f64 = 2.0;

/// Fewer validation rows do not tell an accuracy.
const ROWS: usize = 100;

/// The share of the most frequent class from which an accuracy that is beyond chance may be less than the margin above it.
const FREQUENT: f64 = 0.8;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    if let Some(finding) = unpaired(history) {
        if finding.severity == Severity::Fault {
            return vec![finding];
        }
        // What else is known does not need pairs.
        let mut found = beyond_chance(history);
        found.push(finding);
        return found;
    }
    let mut found = beyond_chance(history);
    found.extend(wrong_in_training(history));
    found.extend(by_heart(history));
    found
}

/// Batches whose inputs and targets do not belong together.
fn unpaired(history: &History) -> Option<Finding> {
    let both = [("training", &history.train), ("validation", &history.valid)];
    let mut found = (both.into_iter()).filter_map(|(name, data)| {
        let data = data.as_ref()?;
        let is_every = data.unpaired_batches == data.batches;
        Some((name, data.unpaired?, is_every))
    });
    // Batches of which some are so come first.
    let first = found.clone().find(|(_, _, is_every)| !is_every);
    let (name, [inputs, targets], is_every) = first.or_else(|| found.next())?;
    // A layout in which the first dimension is not the rows, labels that are left out, or two views of each row.
    let is_layout = is_every && history.outcome() != Outcome::Stuck;
    let severity = if is_layout {
        Severity::Note
    } else {
        Severity::Fault
    };
    let text = format!(
        "A batch of the {name} has {inputs} inputs and {targets} targets: which target belongs to which input cannot be told."
    );
    let change = "hand over one target, or one row of targets, for each input, and as many for each step of a sequence";
    Some(
        Finding::new(FindingKind::UnrelatedLabels, severity, text)
            .measured(
                targets as f64,
                inputs as f64,
                "targets of a batch; as many as inputs, or a multiple of them, are expected",
            )
            .with([Prescription::change(change)]),
    )
}

/// A regression that fits the training rows and explains nothing of the validation rows, of which the inputs tell nothing.
fn by_heart(history: &History) -> Option<Finding> {
    let scores = history.scores().filter(|scores| !scores.is_accuracy)?;
    let (train, valid) = (scores.train?, scores.valid);
    let of_valid = history.valid.as_ref()?;
    let is_told = history.epochs.len() >= EPOCHS && of_valid.rows >= ROWS;
    let says_nothing = (history.floor())
        .filter(|floor| !floor.is_accuracy)
        .is_some_and(|floor| floor.score < EXPLAINED);
    let is_alike = of_valid.rescaled_features == 0.0 && of_valid.shifted_features == 0.0;
    // The square of the correlation, of so many rows, is beyond chance.
    let is_seen = valid * of_valid.known_rows() as f64 > SEEN;
    if is_seen || valid >= EXPLAINED || train < EXPLAINED || !(is_told && says_nothing && is_alike)
    {
        return None;
    }
    let text = format!(
        "The network explains {train:.2} of the variance of its training targets, and {valid:.2} of that of the validation: as far as it can tell, the targets do not depend on the inputs."
    );
    let change = "check that inputs and targets stay in the same order when they are shuffled, and that targets are read correctly";
    Some(
        Finding::new(FindingKind::UnrelatedLabels, Severity::Fault, text)
            .measured(
                valid,
                EXPLAINED,
                "share of the variance of the validation that is explained; threshold chosen by us",
            )
            .with([Prescription::change(change)]),
    )
}

/// For a training that has learned nothing, without another cause: other models do not learn anything from the inputs either.
pub(crate) fn nothing_told(history: &History) -> Option<Finding> {
    let floor = history.floor()?;
    let rows = history.train.as_ref()?.distinct_rows;
    let chance = if floor.is_accuracy {
        history
            .valid
            .as_ref()
            .and_then(DataHistory::most_frequent)?
    } else {
        0.0
    };
    let limit = chance + MARGIN;
    if floor.score >= limit || floor.queries < ROWS || rows < ROWS {
        return None;
    }
    let text = format!(
        "The network has learned nothing, and {} is no better than a constant prediction ({:.2}): the targets may not depend on the inputs.",
        floor.model, floor.score
    );
    let change = "check that inputs and targets stay in the same order when they are shuffled, and that both are read correctly";
    Some(
        Finding::new(FindingKind::UnrelatedLabels, Severity::Warning, text)
            .measured(
                floor.score,
                limit,
                "score of the nearest neighbours or of a linear fit, whichever is better; limit, chosen by us: that of a constant prediction plus 0.05",
            )
            .with([Prescription::change(change)]),
    )
}

/// A network that is better on the validation than on what it is trained on, though nothing makes its training harder.
fn wrong_in_training(history: &History) -> Option<Finding> {
    let [.., before, last] = &history.epochs[..] else {
        return None;
    };
    let scores = history.scores_after(last)?;
    let (train, valid) = (scores.train?, scores.valid);
    let (of_train, of_valid) = history.train.as_ref().zip(history.valid.as_ref())?;
    // A score of a moving network lags behind for an epoch or two.
    let is_better = |epoch: &EpochMetrics| {
        let scores = history.scores_after(epoch);
        scores.is_some_and(|of| of.train.is_some_and(|train| of.valid - train > BETTER))
    };
    let last_ones = history.epochs.iter().rev().take(LONG);
    let has_settled = (train - history.scores_after(before)?.train?).abs() < SETTLED
        || last_ones.filter(|epoch| is_better(epoch)).count() == LONG;
    let shares = of_train.most_frequent().zip(of_valid.most_frequent());
    // Rows that were mixed or moved lie farther from each other.
    let spread = history.closeness.and_then(|near| near.spread);
    let is_moved = spread.is_some_and(|spread| !(1.0 / SPREAD..SPREAD).contains(&spread));
    let is_alike = shares.is_none_or(|(train, valid)| (train - valid).abs() < BETTER)
        && !is_moved
        && of_valid.rescaled_features == 0.0
        && of_valid.shifted_features == 0.0;
    let is_told = history.epochs.len() >= EPOCHS && of_valid.rows >= ROWS;
    // Layers with another training mode make the training harder, and an average of weights is better than the weights.
    let is_plain = history.structure.dropout.is_empty()
        && history.average_moved.is_none()
        && !history.structure.modes.iter().any(|mode| mode.first);
    let variance = |score: f64, data: &DataHistory| {
        score_variance(score, scores.is_accuracy, data.known_rows())
    };
    let error = (variance(train, of_train) + variance(valid, of_valid)).sqrt();
    let room = f64::max(BETTER, ERRORS * error);
    // Who explains nothing of either has another fault.
    if valid <= BETTER || valid - train <= room || !(has_settled && is_alike && is_told && is_plain)
    {
        return None;
    }
    let text = if scores.is_accuracy {
        format!(
            "The network knows {valid:.2} of the labels of the validation, and {train:.2} of those that it is trained on, without dropout: many labels of the training are wrong."
        )
    } else {
        format!(
            "The network explains {valid:.2} of the variance of the validation, and {train:.2} of that of what it is trained on, without dropout: many targets of the training are wrong, or noise was added to its inputs."
        )
    };
    let change = "look at the training rows with the largest loss: their labels may be wrong, or those of other rows";
    Some(
        Finding::new(FindingKind::UnrelatedLabels, Severity::Warning, text)
            .measured(
                valid - train,
                room,
                "accuracy, or share of explained variance, of the validation minus that of the training; threshold chosen by us, and two standard errors",
            )
            .with([
                Prescription::change(change),
                Prescription::EarlyStopping { patience: 5 },
            ]),
    )
}

fn beyond_chance(history: &History) -> Vec<Finding> {
    let Some(last) = history
        .epochs
        .last()
        .filter(|_| history.epochs.len() >= EPOCHS)
    else {
        return Vec::new();
    };
    let accuracies = last.train_accuracy.zip(last.valid_accuracy);
    let (Some((train, valid)), Some(chance)) = (accuracies, history.chance()) else {
        return Vec::new();
    };
    // Of few training rows the shares of the classes are not those of the validation.
    let of_valid = history
        .valid
        .as_ref()
        .and_then(DataHistory::most_frequent)
        .unwrap_or(chance);
    let limit = of_valid + MARGIN;
    // A model that needs no network learns them.
    let is_told =
        (history.floor()).is_some_and(|floor| floor.is_accuracy && floor.score > limit + TOLD);
    // Predictions that do not depend on the inputs have recalls that add up to 1.
    let depends = history
        .informed_by_errors()
        .is_some_and(|errors| errors > ERRORS);
    // Of rows that were not handed over the error is not known.
    let is_counted = (history.valid.as_ref()).is_some_and(|valid| valid.distinct_rows > 0);
    let depends = depends || of_valid > FREQUENT && is_counted && history.is_beyond_chance();
    if depends || valid >= limit || train < chance + MARGIN || train - valid < MARGIN || is_told {
        return Vec::new();
    }
    let text = format!(
        "The network learns some of its training labels (accuracy {train:.2}), and is no better than chance on the validation: as far as it can tell, the labels do not depend on the inputs."
    );
    let change = "check that inputs and labels stay in the same order when they are shuffled, and that labels are read correctly";
    vec![
        Finding::new(FindingKind::UnrelatedLabels, Severity::Fault, text)
            .measured(
                valid,
                limit,
                "validation accuracy; limit, chosen by us: the share of the most frequent class plus 0.05",
            )
            .with([Prescription::change(change)]),
    ]
}
