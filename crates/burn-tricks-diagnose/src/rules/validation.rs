//! Validation data that does not fit the training data.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::data::DataHistory;
use crate::history::measures::Outcome;

/// The factor of deviations, or the distance of means in deviations, from which the data is scaled differently.
const SCALE: f64 = 3.0;

/// How far the score of the validation may be below that of the training where nothing is lost.
const COSTS: f64 = 0.05;

/// The same of the shares of explained variance: up to here the rule of overfitting is silent too.
const UNEXPLAINED: f64 = 0.2;

/// The validation loss over the training loss up to which nothing is lost.
const TWICE: f64 = 2.0;

/// The share of features whose means differ.
const SHIFTED: f64 = 0.2;

/// The share of validation rows among the training rows from which rows have leaked.
const LEAKED: f64 = 0.05;

/// The share of all rows that can be, by the values of the features, up to which the training rows meet others seldom.
const RARE: f64 = 0.01;

/// The share of different rows of an epoch from which rows do not repeat.
const UNLIKE: f64 = 0.95;

/// How many times as many are beyond chance, where rows do not repeat.
const BEYOND: f64 = 10.0;

/// The chance that no row of a class that is as frequent in the training as in the validation is among the training rows, up to
/// which it does not occur there at all.
const CHANCE: f64 = 0.01;

/// Fewer different rows than this coincide by chance.
const ENOUGH: usize = 20;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let (Some(train), Some(valid)) = (&history.train, &history.valid) else {
        return Vec::new();
    };
    let found = [
        scaling(history, train, valid),
        leaked(train, valid),
        classes(train, valid),
    ];
    found.into_iter().flatten().collect()
}

fn scaling(history: &History, train: &DataHistory, valid: &DataHistory) -> Option<Finding> {
    let is_comparable =
        train.rows >= ENOUGH && valid.rows >= ENOUGH && train.features == valid.features;
    if !is_comparable || train.deviation == 0.0 || valid.deviation == 0.0 {
        return None;
    }
    let ratio = valid.deviation / train.deviation;
    let shift = (valid.mean - train.mean).abs() / train.deviation;
    let factor = ratio.max(1.0 / ratio);
    // A few large numbers make most of a deviation, and are others in other rows: the middle must differ as well.
    let of_middle = valid.middle_deviation / train.middle_deviation;
    let of_middle = of_middle.max(1.0 / of_middle);
    let factor = if of_middle.is_finite() {
        factor.min(of_middle)
    } else {
        factor
    };
    let value = factor.max(shift);
    if value <= SCALE {
        return shifted(history, valid).or_else(|| rescaled(history, valid));
    }
    let text = "The inputs of the validation are on another scale than those of the training.";
    let change = "apply the scaling of the training data, fitted on the training data, to the validation data";
    Some(
        Finding::new(FindingKind::ScalingDiffers, Severity::Fault, text)
            .measured(
                value,
                SCALE,
                "factor of the deviations, of all numbers and of their middle 90 %, or distance of the means in deviations; clinic",
            )
            .with([Prescription::change(change), Prescription::ScaleInputs]),
    )
}

/// Other means that cost the network nothing may be those of another season, or be meant.
fn severity(history: &History) -> Severity {
    let scores = history.scores();
    let is_accuracy = scores.is_none_or(|scores| scores.is_accuracy);
    let costs = scores.is_none_or(|scores| {
        let limit = if is_accuracy { COSTS } else { UNEXPLAINED };
        let gap = scores.train.map(|train| train - scores.valid);
        gap.is_none_or(|gap| gap > limit)
    });
    // What is left of the variance of numbers may double while most of it is explained.
    let last = history.epochs.last().filter(|_| is_accuracy);
    let losses = last.and_then(|of| of.train_loss.zip(of.valid_loss));
    let costs = costs || losses.is_some_and(|(train, valid)| valid > TWICE * train);
    match history.outcome() {
        Outcome::Learned if !costs => Severity::Note,
        _ => Severity::Fault,
    }
}

/// Features whose means differ although all of them together have the scale of the training data.
fn shifted(history: &History, valid: &DataHistory) -> Option<Finding> {
    if valid.shifted_features < SHIFTED {
        return None;
    }
    let text = format!(
        "The means of {:.0} % of the input features of the validation are far from those of the training: other columns, another order of the pixels, or other data.",
        100.0 * valid.shifted_features
    );
    let change = "prepare the validation data exactly as the training data, and draw both from the same source";
    Some(
        Finding::new(FindingKind::ScalingDiffers, severity(history), text)
            .measured(
                valid.shifted_features,
                SHIFTED,
                "share of features whose mean is more than half a deviation and six standard errors away; clinic",
            )
            .with([Prescription::change(change), Prescription::ScaleInputs]),
    )
}

/// Features whose deviations differ although all of them together have that of the training data.
fn rescaled(history: &History, valid: &DataHistory) -> Option<Finding> {
    if valid.rescaled_features < SHIFTED {
        return None;
    }
    let severity = match history.outcome() {
        // Training rows may be changed at random on purpose.
        Outcome::Learned => Severity::Note,
        _ => Severity::Warning,
    };
    let text = format!(
        "The deviations of {:.0} % of the input features of the validation differ from those of the training by a factor of more than 1.5: other columns, another scaling, or noise on one of the two.",
        100.0 * valid.rescaled_features
    );
    let change = "prepare the validation data exactly as the training data, and draw both from the same source";
    Some(
        Finding::new(FindingKind::ScalingDiffers, severity, text)
            .measured(
                valid.rescaled_features,
                SHIFTED,
                "share of features whose deviation differs by a factor of 1.5 and by six standard errors; thresholds chosen by us",
            )
            .with([Prescription::change(change), Prescription::ScaleInputs]),
    )
}

fn leaked(train: &DataHistory, valid: &DataHistory) -> Option<Finding> {
    if train.distinct_rows < ENOUGH || valid.distinct_rows < ENOUGH || train.features == 0 {
        return None;
    }
    let share = valid.rows_in_training as f64 / valid.distinct_rows as f64;
    // Of inputs with few values rows are equal by chance.
    let possible = if train.likely_rows > 0.0 {
        train.likely_rows
    } else {
        train.possible_rows
    };
    let by_chance = train.distinct_rows as f64 / possible.max(1.0);
    // Rows that are measured do not repeat within an epoch.
    let (rows, different) = match train.first_epoch_rows {
        0 => (train.rows, train.distinct_rows),
        rows => (rows, train.first_epoch_distinct),
    };
    let repeat = (different as f64) < UNLIKE * rows as f64;
    // Of rows of few values that hang together, as those of a text, as many differ from a training row in one place as in none.
    // Rows that were copied have no such neighbours.
    let are_natural =
        train.measured_features == 0 && valid.rows_beside_training >= valid.rows_in_training;
    let limit = if are_natural && repeat {
        return None;
    } else if possible == 0.0 || by_chance <= RARE {
        LEAKED
    } else if repeat {
        return None;
    } else {
        f64::max(LEAKED, BEYOND * by_chance)
    };
    if share < limit {
        return None;
    }
    let text = format!(
        "{} of {} different validation rows are training rows: the validation says how well the network remembers.",
        valid.rows_in_training, valid.distinct_rows
    );
    Some(
        Finding::new(FindingKind::LeakedValidation, Severity::Fault, text)
            .measured(
                share,
                limit,
                "share of validation rows among the examined training rows, and ten times that by chance; clinic",
            )
            .with([Prescription::change(
                "split the data before training, each row on one side",
            )]),
    )
}

fn classes(train: &DataHistory, valid: &DataHistory) -> Option<Finding> {
    let enough = |data: &DataHistory| data.classes.values().sum::<usize>() >= ENOUGH;
    if !enough(train) || !enough(valid) || train.classes.len() < 2 {
        return None;
    }
    // Which classes come after the labels that were kept, nobody knows.
    let unseen: Vec<usize> = (valid.classes.iter())
        .filter(|(class, _)| !train.has_other_targets && !train.classes.contains_key(class))
        .map(|(_, rows)| *rows)
        .collect();
    let count = |data: &DataHistory| data.classes.values().sum::<usize>() as f64;
    // A class of so few rows may be missing among the training rows by chance (Fisher, 1922): each of them is one of
    // the validation as often as the validation has rows. Rows that are handed over in each epoch count once.
    let different = |data: &DataHistory| count(data).min(data.known_rows() as f64);
    let (known, asked) = (different(train), different(valid));
    let most = unseen.iter().copied().max().unwrap_or(0) as f64;
    let most = most * asked / count(valid);
    let chance = unseen.len() as f64 * (asked / (known + asked)).powf(most);
    let unseen = unseen.len();
    if unseen > 0 && chance > CHANCE {
        return None;
    }
    let text = if unseen > 0 {
        format!("{unseen} classes of the validation do not occur in the training data.")
    } else if valid.classes.len() == 1 && !valid.has_other_targets {
        "All labels of the validation are of one class.".to_owned()
    } else {
        return None;
    };
    Some(
        Finding::new(FindingKind::ValidationClasses, Severity::Fault, text)
            .measured(
                valid.classes.len() as f64,
                train.classes.len() as f64,
                "classes of the validation, and of the training",
            )
            .with([Prescription::change("shuffle the data before it is split")]),
    )
}
