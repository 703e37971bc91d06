//! Training and validation that do not say the same, as models see them that need no network.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::closeness::Closeness;
use crate::history::data::DataHistory;
use crate::history::floor::{EVIDENT, score_variance};
use crate::history::target::TargetStats;
use std::collections::BTreeSet;

/// The difference of the scores.
const APART: f64 = 0.05;

/// The same for training rows that are easier than the validation rows.
const FAR_APART: f64 = 0.25;

/// The distance of neighbours in the training over that in the validation from which the inputs of the training were changed.
const SPREAD: f64 = 1.15;

/// The score of the network on the validation up to which something is missing.
const SHORT: f64 = 0.85;

/// The share of rows that would have to be of another class, so that both have the same shares.
const MOVED: f64 = 0.1;

/// By how much the sum of two recalls may be above that of lots, at most; up to a standard error it is by chance.
const COIN: f64 = 0.3;

/// By how much it is below, at least, and by three standard errors, where labels were exchanged in most rows.
const LOTS: f64 = 0.1;

/// The recall of a class that is lost, and the share of its rows that are taken for one other class.
const LOST: f64 = 0.3;
const TAKEN: f64 = 0.6;

/// The recall of each other class.
const TELLS: f64 = 0.85;

/// Fewer validation rows of a class do not tell its recall.
const FEW: usize = 15;

/// The accuracy of the network on its training rows from which their labels are right.
const KNOWN: f64 = 0.93;

/// The score of neighbours that say something.
const TOLD: f64 = 0.3;

/// Standard errors of a difference by which it must be above that.
const ERRORS: f64 = 3.0;

/// How far the network's score on the validation is below that on the training.
const GAP: f64 = 0.1;

/// The distance of the means of the targets, in deviations, and the factor of the deviations.
const TARGETS: [f64; 2] = [0.5, 1.7];

/// Fewer rows tell nothing.
const ENOUGH: usize = 100;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let found = [other(history), targets(history)];
    found.into_iter().flatten().collect()
}

/// How far two scores of neighbours may be apart: three standard errors of their difference.
fn room(near: &Closeness) -> f64 {
    let variance = |score: f64, rows: usize| score_variance(score, near.is_accuracy, rows);
    let variance = variance(near.train_score, near.rows) + variance(near.valid_score, near.queries);
    f64::max(APART, ERRORS * variance.sqrt())
}

fn is_enough(near: &Closeness) -> bool {
    near.rows >= ENOUGH && near.queries >= ENOUGH
}

/// For a training without another cause: the neighbours of a row say less about training rows than about validation
/// rows, so that many training labels are wrong.
pub(crate) fn noisier(history: &History) -> Option<Finding> {
    let near = history.closeness.filter(is_enough)?;
    let (train, valid) = history.train.as_ref().zip(history.valid.as_ref())?;
    let gap = near.valid_score - near.train_score;
    let is_alike = valid.rescaled_features == 0.0 && valid.shifted_features == 0.0;
    let shares = train.most_frequent().zip(valid.most_frequent());
    let is_alike = is_alike && shares.is_none_or(|(one, other)| (one - other).abs() < APART);
    let is_known = history
        .scores()
        .is_none_or(|of| of.train.is_none_or(|train| train > KNOWN));
    // Rows that were augmented are farther from each other, and say less without a wrong label.
    let is_spread = near.spread.is_some_and(|spread| spread > SPREAD);
    if gap <= room(&near) || !is_alike || !near.is_accuracy || is_known || is_spread {
        return None;
    }
    let text = format!(
        "The five nearest training rows know {:.2} of the validation labels, and {:.2} of those of the training itself: many labels of the training are wrong, or its inputs were changed so that their labels no longer fit.",
        near.valid_score, near.train_score
    );
    let change = "look at training rows whose neighbours have another label, and at augmentations that change what the label says";
    // A few wrong labels cost a network little.
    let is_short = history.scores().is_some_and(|scores| scores.valid < SHORT);
    let severity = if is_short {
        Severity::Warning
    } else {
        Severity::Note
    };
    Some(
        Finding::new(FindingKind::UnrelatedLabels, severity, text)
            .measured(gap, room(&near), "accuracy of the five nearest training rows on the validation minus that on the training; threshold chosen by us, and three standard errors")
            .with([Prescription::change(change)]),
    )
}

/// For a training without another cause: two classes that the network tells from all others, and not from each other, and no
/// model without a network does.
pub(crate) fn exchanged(history: &History) -> Option<Finding> {
    let outputs = history.valid_outputs.as_ref()?;
    let recall = &outputs.recall;
    let known = recall.iter().filter(|(_, [rows, _])| *rows >= FEW);
    let mut shares: Vec<(i64, f64)> = known
        .map(|(class, [rows, right])| (*class, *right as f64 / *rows as f64))
        .collect();
    shares.sort_by(|(_, one), (_, other)| one.total_cmp(other));
    // The class for which the worst one is taken comes second.
    if let Some((worst, _)) = shares.first()
        && let Some((taken_for, _)) = outputs.mistaken.get(worst)
        && let Some(at) = shares.iter().position(|(class, _)| class == taken_for)
        && at > 1
        && shares[0].1 < LOST
    {
        shares[1..=at].rotate_right(1);
    }
    let [(one, of_one), (other, of_other), ref others @ ..] = shares[..] else {
        return None;
    };
    let sum = of_one + of_other;
    let lowest = others.iter().map(|(_, share)| *share).reduce(f64::min)?;
    let (gap, _, _) = history.gap(EVIDENT)?;
    // The higher one of two classes that are not told apart is no class that the network knows.
    let variance: f64 = [one, other]
        .iter()
        .filter_map(|class| recall.get(class))
        // With half a row more on either side: of few rows that are all right not all need be.
        .map(|[rows, right]| {
            let share = (*right as f64 + 0.5) / (*rows as f64 + 1.0);
            score_variance(share, true, *rows)
        })
        .sum();
    let error = variance.sqrt();
    // Two classes that overlap have recalls whose sum is above 1 by little.
    let room = error.min(COIN);
    // Whose labels were exchanged in more than half of the rows are told worse than by lots, which no other model needs to show.
    let is_worse = sum < 1.0 - f64::max(LOTS, ERRORS * error);
    let is_chance = sum - 1.0 <= room;
    let draws_lots = is_chance && of_other < TELLS;
    // Of two classes whose labels were exchanged in half of the rows one may be taken for the other altogether.
    let (taken_for, count) = outputs.mistaken.get(&one).copied().unwrap_or_default();
    let rows = recall.get(&one).map_or(0, |[rows, _]| *rows);
    let is_taken = of_one < LOST && taken_for == other && count as f64 > TAKEN * rows as f64;
    let draws_lots = draws_lots || is_taken && is_chance;
    // Of one that is right hardly anything is mistaken.
    let back = outputs.mistaken.get(&other).map(|(class, _)| *class);
    let are_mixed = taken_for == other && (is_taken || back == Some(one));
    if !draws_lots
        || !are_mixed
        || !are_as_frequent(history, [one, other])
        || lowest < TELLS
        || gap > EVIDENT && !is_worse
    {
        return None;
    }
    let how = if is_worse {
        "between these two it does worse than lots. Their labels are exchanged in many rows."
    } else {
        "between these two it draws lots, and models that need no network are no better. Their labels do not depend on the inputs."
    };
    let text = format!(
        "The network recognises {of_one:.2} of class {one} and {of_other:.2} of class {other} in the validation, and {lowest:.2} or more of each other class: {how}"
    );
    let change = "look at rows of these two classes: labels that are exchanged, or an augmentation, such as a mirror image, that turns one into the other";
    Some(
        Finding::new(FindingKind::UnrelatedLabels, Severity::Warning, text)
            .measured(sum, 1.0 + room, "sum of the recalls of two classes, 1 for lots, where all others are recognised; threshold chosen by us, and a standard error")
            .with([Prescription::change(change)]),
    )
}

/// Whether one of two classes has at most half as many training rows again as the other. Of a rarer class that overlaps with
/// another one, the other is the better guess in every row although the inputs tell something.
fn are_as_frequent(history: &History, classes: [i64; 2]) -> bool {
    let counts = history.train.as_ref().map(|train| {
        let count = |class| train.classes.get(&class).copied().unwrap_or(0);
        classes.map(count)
    });
    counts.is_none_or(|[one, other]| 2 * one.max(other) <= 3 * one.min(other))
}

/// The neighbours of a row say less about validation rows than about training rows, and so does the network.
fn other(history: &History) -> Option<Finding> {
    let near = history.closeness.filter(is_enough)?;
    let gap = near.train_score - near.valid_score;
    let scores = history.scores()?;
    let network = scores.train? - scores.valid;
    // Rows of which copies are in the training have neighbours that say everything.
    let says_something = near.train_score > TOLD && scores.is_accuracy == near.is_accuracy;
    // Of other shares of the classes another rule tells.
    let (train, valid) = history.train.as_ref().zip(history.valid.as_ref())?;
    let is_alike = moved_classes(train, valid) < MOVED;
    let room = f64::max(FAR_APART, 2.0 * room(&near));
    // Of rows as near to the training rows as these to each other, no better than by chance, the labels are others.
    let chance = valid.most_frequent().unwrap_or(0.0);
    let has_other_inputs = valid.shifted_features > 0.0
        || valid.rescaled_features > 0.0
        || near
            .spread
            .is_none_or(|spread| !(1.0 / SPREAD..SPREAD).contains(&spread));
    // Rows that are changed at random in each epoch, or were copied, have neighbours that say everything.
    let copied = score_variance(near.train_copies, true, near.rows)
        + score_variance(near.near_copies, true, near.queries);
    let has_copies = near.train_copies - near.near_copies > ERRORS * copied.sqrt();
    let has_other_labels = scores.is_accuracy && scores.valid < chance + APART && !has_other_inputs;
    let is_told = says_something && !has_copies;
    if gap <= room || network <= GAP || !is_told || !is_alike || has_other_labels {
        return None;
    }
    let text = format!(
        "The five nearest training rows reach {:.2} on other training rows and {:.2} on the validation, and the network {:.2} and {:.2}: what the inputs say about the targets is another thing in the validation.",
        near.train_score, near.valid_score, scores.train?, scores.valid
    );
    let change = "prepare inputs and labels of the validation exactly as those of the training, and draw both from the same source";
    Some(
        Finding::new(FindingKind::ScalingDiffers, Severity::Warning, text)
            .measured(gap, room, "score of the five nearest training rows on the training minus that on the validation; threshold chosen by us, and six standard errors")
            .with([Prescription::change(change)]),
    )
}

/// Half of the sum of the differences between the shares of the classes.
fn moved_classes(train: &DataHistory, valid: &DataHistory) -> f64 {
    let share = |data: &DataHistory, class: &i64| {
        let all: usize = data.classes.values().sum();
        data.classes.get(class).copied().unwrap_or(0) as f64 / all.max(1) as f64
    };
    let classes: BTreeSet<&i64> = train.classes.keys().chain(valid.classes.keys()).collect();
    let differences = classes
        .into_iter()
        .map(|class| (share(train, class) - share(valid, class)).abs());
    0.5 * differences.sum::<f64>()
}

/// Targets of a regression on another scale in the validation.
fn targets(history: &History) -> Option<Finding> {
    let (of_train, of_valid) = history.train.as_ref().zip(history.valid.as_ref())?;
    let target = |data: &DataHistory| data.target.filter(|_| data.distinct_rows >= ENOUGH);
    let (train, valid): (TargetStats, TargetStats) = target(of_train).zip(target(of_valid))?;
    let [far, factor] = TARGETS;
    let distance = (train.mean - valid.mean).abs() / train.column_deviation;
    let ratio = valid.column_deviation / train.column_deviation;
    let ratio = ratio.max(1.0 / ratio);
    let scores = history.scores()?;
    let network = scores.train.map_or(0.0, |train| train - scores.valid);
    let value = f64::max(distance / far, ratio / factor);
    let is_far = value > 1.0 && value.is_finite() && network > GAP;
    let is_even = train.outlier_ratio < 4.0 && valid.outlier_ratio < 4.0;
    if !is_far || !is_even {
        return None;
    }
    let text = "The targets of the validation have another mean or deviation than those of the training: they are scaled differently, or are of other data.";
    let change = "scale the targets of the validation with the numbers of the training, and draw both from the same source";
    Some(
        Finding::new(FindingKind::ScalingDiffers, Severity::Warning, text)
            .measured(value, 1.0, "distance of the means of the targets over half a deviation, or factor of the deviations over 1.7; thresholds chosen by us")
            .with([Prescription::change(change)]),
    )
}
