//! Outputs that do not fit the loss or the targets, and outputs that are constant.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::floor::EVIDENT;
use crate::history::measures::Outcome;

use crate::finding::prescription::short;
use crate::history::outputs::OutputHistory;
use crate::loss_kind::LossKind;
use crate::rules::initial::initial;

/// The error of the sum of a row up to which its numbers are probabilities.
const SUM: f64 = 1e-3;

/// The error of the sum of a row from which its numbers are no probabilities.
const APART: f64 = 0.1;

/// The share of negative targets from which an output that is never negative is bounded.
const NEGATIVE_TARGETS: f64 = 0.1;

/// The range of all outputs, and the spread of those of one batch, in deviations of the target, from which outputs vary.
const VARIED: [f64; 2] = [0.5, 0.05];

/// The difference of the sum of the targets of a row from 1 from which they are no probabilities.
const HALF: f64 = 0.5;

/// A loss below this is negative, and not rounded.
const NEGATIVE: f64 = -1e-4;

/// The share of scores that are exactly 0 from which they are dropped.
const DROPPED: f64 = 0.1;

/// The share from which all of them are 0.
const ALL: f64 = 0.99;

/// The lowest output of a sigmoid that hardly moves from one half, or the highest of one that does.
const INSIDE: [f64; 2] = [0.2, 0.8];

/// How near to -1 and 1 the scores behind a hyperbolic tangent come.
const SQUASHED: f64 = 0.98;

/// Fewer rows than this do not show the range of the outputs.
const MANY: usize = 100;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let Some(outputs) = history
        .outputs
        .as_ref()
        .filter(|outputs| outputs.non_finite == 0.0)
    else {
        return Vec::new();
    };
    let mismatch = single_softmax(history, outputs)
        .or_else(|| negative_loss(history))
        .or_else(|| labels_outside(history, outputs))
        .or_else(|| softmax_over_rows(history, outputs))
        .or_else(|| softmax_twice(history, outputs))
        .or_else(|| softmax_of_many(history, outputs))
        .or_else(|| sigmoid_twice(history, outputs))
        .or_else(|| rectified_scores(history, outputs))
        .or_else(|| dropped(history, outputs))
        .or_else(|| squashed_scores(history, outputs))
        .or_else(|| scores_as_probabilities(history, outputs))
        .or_else(|| apart(history, outputs))
        .or_else(|| bounded(history, outputs));
    mismatch
        .into_iter()
        .chain(constant(history, outputs))
        .collect()
}

pub(crate) fn mismatch(severity: Severity, text: impl Into<String>, change: &str) -> Finding {
    let finding = Finding::new(FindingKind::OutputMismatch, severity, text);
    finding.with([Prescription::change(change)])
}

fn single_softmax(history: &History, outputs: &OutputHistory) -> Option<Finding> {
    let regression = history.train.as_ref().and_then(|train| train.target);
    let is_one = outputs.columns == 1 && outputs.lowest == 1.0 && outputs.highest == 1.0;
    let varies = regression.is_none_or(|target| target.deviation > 0.0);
    let text = "The single output is exactly 1 for every row: the softmax of one number is 1, and its gradient 0.";
    let change = "use a sigmoid for one output, or a softmax over two outputs";
    (is_one && varies && outputs.rows * outputs.batches >= 2).then(|| {
        mismatch(Severity::Fault, text, change).measured(
            1.0,
            2.0,
            "outputs per row; a softmax needs two",
        )
    })
}

/// A softmax over the axis of the rows.
fn softmax_over_rows(history: &History, outputs: &OutputHistory) -> Option<Finding> {
    let error = outputs.column_sum_error.filter(|error| *error < SUM)?;
    let is_over_rows = outputs.columns >= 2 && outputs.lowest >= 0.0 && outputs.sum_error > APART;
    let text = "The outputs of each column add up to 1 over the rows of a batch: the softmax is taken over the rows, which compete with each other, and not over the classes of a row.";
    let change = "take the softmax over the axis of the classes, 1 for outputs `[rows, classes]`";
    is_over_rows.then(|| {
        mismatch(severity(history), text, change).measured(
            error,
            SUM,
            "largest difference of the sum of a column from 1",
        )
    })
}

fn softmax_twice(history: &History, outputs: &OutputHistory) -> Option<Finding> {
    let takes_scores = history.loss_kind == Some(LossKind::CrossEntropyOfScores);
    let is_softmax = outputs.columns >= 2 && outputs.lowest >= 0.0 && outputs.sum_error < SUM;
    let text = "The outputs are probabilities already, and the loss applies a softmax once more: its gradients are small, and the loss stays far above 0.";
    let change = "hand the scores to the loss, without the softmax";
    (takes_scores && is_softmax).then(|| {
        mismatch(severity(history), text, change).measured(
            outputs.sum_error,
            SUM,
            "largest difference of the sum of a row from 1",
        )
    })
}

/// A softmax for targets of which several, or none, can be 1.
fn softmax_of_many(history: &History, outputs: &OutputHistory) -> Option<Finding> {
    let target = history.train.as_ref()?.target?;
    let is_softmax = outputs.columns >= 2 && outputs.lowest >= 0.0 && outputs.sum_error < SUM;
    let text = format!(
        "The outputs of a row add up to 1, as those of a softmax, and the targets of some rows add up to something that is {} away from it.",
        short(target.sum_error)
    );
    let change = "use a sigmoid for each output, or the loss that takes scores, if several targets of a row can be 1, and no activation for other numbers";
    (is_softmax && target.columns == outputs.columns && target.sum_error > HALF).then(|| {
        mismatch(severity(history), text, change).measured(
            target.sum_error,
            HALF,
            "largest difference of the sum of a row of targets from 1; threshold chosen by us",
        )
    })
}

/// A loss that cannot be negative, and is.
fn negative_loss(history: &History) -> Option<Finding> {
    let kind = history
        .loss_kind
        .filter(|kind| *kind != LossKind::OtherRegression)?;
    let lowest = history
        .losses
        .iter()
        .copied()
        .filter(|loss| loss.is_finite());
    let lowest = lowest.reduce(f64::min).filter(|loss| *loss < NEGATIVE)?;
    let text = format!(
        "The loss falls to {}, but a {} is never negative: its sign is turned round, or the targets lie outside [0, 1].",
        short(lowest),
        if kind == LossKind::MeanSquaredError {
            "mean of squares"
        } else {
            "cross-entropy of targets from 0 to 1"
        }
    );
    let change = "minimise the loss and not its negative, and let the labels of a binary cross-entropy be 0 and 1";
    Some(mismatch(Severity::Fault, text, change).measured(lowest, 0.0, "smallest loss"))
}

/// Labels of a single output that are not 0 and 1.
fn labels_outside(history: &History, outputs: &OutputHistory) -> Option<Finding> {
    use LossKind::{BinaryCrossEntropyOfProbabilities, BinaryCrossEntropyOfScores};
    let is_binary = matches!(
        history.loss_kind?,
        BinaryCrossEntropyOfProbabilities | BinaryCrossEntropyOfScores
    );
    let mut classes = history.train.as_ref()?.classes.keys().copied();
    if !is_binary {
        return unknown_label(history, outputs);
    }
    let far = classes.find(|class| !(0..=1).contains(class))?;
    (outputs.columns == 1).then(|| {
        let text =
            format!("The labels of a binary cross-entropy are 0 and 1; one of them is {far}.");
        let change =
            "number the two classes 0 and 1, or use one output for each class and a cross-entropy";
        mismatch(severity(history), text, change).measured(far as f64, 1.0, "label outside 0 and 1")
    })
}

/// A label for which there is no output.
fn unknown_label(history: &History, outputs: &OutputHistory) -> Option<Finding> {
    use LossKind::{CrossEntropyOfProbabilities, CrossEntropyOfScores};
    let is_cross_entropy = matches!(
        history.loss_kind?,
        CrossEntropyOfProbabilities | CrossEntropyOfScores
    );
    let largest = *history.train.as_ref()?.classes.keys().next_back()?;
    let columns = outputs.columns as i64;
    (is_cross_entropy && columns >= 2 && largest >= columns).then(|| {
        let text = format!(
            "A label is {largest}, and the network has {columns} outputs, for the classes 0 to {}.",
            columns - 1
        );
        let change = "number the classes from 0 on, and give the last layer one output for each";
        mismatch(Severity::Fault, text, change).measured(
            largest as f64,
            (columns - 1) as f64,
            "largest label; limit: that of the last output",
        )
    })
}

/// A sigmoid before a loss that applies one, or a softmax, itself.
fn sigmoid_twice(history: &History, outputs: &OutputHistory) -> Option<Finding> {
    let takes_scores = matches!(
        history.loss_kind?,
        LossKind::BinaryCrossEntropyOfScores | LossKind::CrossEntropyOfScores
    );
    // Scores of a network that knows something leave [0, 1] on either side; those of one that hardly moves are near 0.
    let [near_half, far] = INSIDE;
    let is_inside = outputs.lowest >= 0.0 && outputs.highest <= 1.0 && outputs.highest > 0.5;
    let is_inside = is_inside && (outputs.highest > far || outputs.lowest > near_half);
    let text = "All outputs lie between 0 and 1, as those of a sigmoid, and the loss applies its own function once more: it can say neither a clear yes nor a clear no.";
    let change = "hand the scores to the loss, without the sigmoid";
    (takes_scores && is_inside && outputs.rows * outputs.batches >= MANY).then(|| {
        mismatch(severity(history), text, change).measured(
            outputs.highest,
            1.0,
            "largest output of all batches; scores have no bound",
        )
    })
}

/// A ReLU before a loss that takes scores.
fn rectified_scores(history: &History, outputs: &OutputHistory) -> Option<Finding> {
    let takes_scores = matches!(
        history.loss_kind?,
        LossKind::BinaryCrossEntropyOfScores | LossKind::CrossEntropyOfScores
    );
    let is_rectified = outputs.lowest == 0.0 && outputs.highest > 0.0;
    let text = "The smallest score of all batches is exactly 0, as behind a ReLU: a class whose score has become 0 gets no gradient, and is not predicted any more.";
    let change = "hand the scores to the loss, without an activation behind the last layer";
    (takes_scores && is_rectified && outputs.rows * outputs.batches >= MANY).then(|| {
        let severity = match history.outcome() {
            Outcome::Learned => Severity::Warning,
            _ => Severity::Fault,
        };
        mismatch(severity, text, change).measured(0.0, 0.0, "smallest output of all batches")
    })
}

/// Dropout behind the last layer.
fn dropped(history: &History, outputs: &OutputHistory) -> Option<Finding> {
    use LossKind::{BinaryCrossEntropyOfScores, CrossEntropyOfScores, MeanSquaredError};
    let is_unbounded = matches!(
        history.loss_kind?,
        BinaryCrossEntropyOfScores | CrossEntropyOfScores | MeanSquaredError
    );
    let text = format!(
        "Of the outputs that the loss gets, {:.0} % are exactly 0, and others are below 0: they are dropped behind the last layer.",
        100.0 * outputs.zeros
    );
    let change = "put dropout between the layers, and none behind the last one";
    // A network that has died gives zeros only.
    let are_some = outputs.zeros > DROPPED && outputs.zeros < ALL;
    // Nothing is dropped in the validation, and what is masked there is masked in both.
    let valid = history.valid_outputs.as_ref();
    let are_some = are_some && valid.is_none_or(|valid| valid.zeros <= DROPPED);
    (is_unbounded && outputs.lowest < 0.0 && are_some).then(|| {
        mismatch(severity(history), text, change).measured(
            outputs.zeros,
            DROPPED,
            "share of outputs that are exactly 0; clinic",
        )
    })
}

/// A hyperbolic tangent before a loss that takes scores.
fn squashed_scores(history: &History, outputs: &OutputHistory) -> Option<Finding> {
    let takes_scores = matches!(
        history.loss_kind?,
        LossKind::BinaryCrossEntropyOfScores | LossKind::CrossEntropyOfScores
    );
    let is_squashed = outputs.lowest >= -1.0 && outputs.highest <= 1.0;
    let reaches = outputs.lowest < -SQUASHED && outputs.highest > SQUASHED;
    let text = "All scores lie between -1 and 1 and come near to both, as those of a hyperbolic tangent: the loss cannot come near to 0.";
    let change = "hand the scores to the loss, without an activation behind the last layer";
    (takes_scores && is_squashed && reaches && outputs.rows * outputs.batches >= MANY).then(|| {
        mismatch(severity(history), text, change).measured(
            outputs.highest,
            1.0,
            "largest output of all batches; scores have no bound",
        )
    })
}

fn scores_as_probabilities(history: &History, outputs: &OutputHistory) -> Option<Finding> {
    let is_outside = outputs.lowest < 0.0 || outputs.highest > 1.0 + SUM;
    let takes = history.loss_kind?.takes_probabilities();
    let text = format!(
        "The loss takes probabilities, and the outputs lie between {} and {}.",
        short(outputs.lowest),
        short(outputs.highest)
    );
    let change = "use the loss that takes scores, or end the network with a softmax or a sigmoid";
    (takes && is_outside).then(|| {
        let far = outputs.highest.max(1.0 - outputs.lowest);
        mismatch(severity(history), text, change).measured(
            far,
            1.0,
            "how far the outputs leave [0, 1]",
        )
    })
}

/// Outputs between 0 and 1 that are no distribution over the classes.
fn apart(history: &History, outputs: &OutputHistory) -> Option<Finding> {
    let takes = history.loss_kind? == LossKind::CrossEntropyOfProbabilities;
    let text = "The loss takes the probabilities of classes, and those of a row do not add up to 1, as behind a sigmoid: unless the loss divides by their sum, every output goes to 1.";
    let change = "end the network with a softmax, or take a binary cross-entropy for each output";
    let severity = match history.outcome() {
        // The loss divides by the sum.
        Outcome::Learned => Severity::Note,
        _ => Severity::Fault,
    };
    (takes && outputs.columns >= 2 && outputs.sum_error > APART).then(|| {
        mismatch(severity, text, change).measured(
            outputs.sum_error,
            APART,
            "largest difference of the sum of a row from 1; threshold chosen by us",
        )
    })
}

/// A last activation whose range does not contain the targets.
fn bounded(history: &History, outputs: &OutputHistory) -> Option<Finding> {
    let target = history.train.as_ref()?.target?;
    // The outputs of a training that diverges are anywhere.
    if outputs.first_non_finite.is_some() {
        return None;
    }
    let (low, high) = (outputs.lowest, outputs.highest);
    // Outputs of the validation beyond that range show that it is none of an activation.
    let stays = |from: f64, to: f64| {
        let valid = history.valid_outputs.as_ref();
        valid.is_none_or(|of| of.lowest >= from && of.highest <= to)
    };
    let above = target.max > 1.5 && target.deviation > 0.0;
    let below = target.min < -0.1 * target.deviation.max(0.1);
    let (name, value) = if low == 0.0 && below && stays(0.0, f64::INFINITY) {
        ("a ReLU, which has no negative outputs", target.min)
    } else if low >= 0.0 && high <= 1.0 && high > 0.95 && above && stays(0.0, 1.0) {
        ("a sigmoid, whose outputs lie between 0 and 1", target.max)
    } else if (-1.0..0.0).contains(&low)
        && high <= 1.0
        && (high > SQUASHED || low < -SQUASHED)
        && (above || target.min < -1.5)
        && stays(-1.0, 1.0)
    {
        (
            "a hyperbolic tangent, whose outputs lie between -1 and 1",
            target.max.max(-target.min),
        )
    } else if low > 0.0
        && target.negative > NEGATIVE_TARGETS
        && high - low > VARIED[0] * target.deviation
        && outputs.spread > VARIED[1] * target.deviation
        && outputs.rows * outputs.batches >= MANY
        && stays(0.0, f64::INFINITY)
    {
        (
            "an exponential or a softplus, which are never negative",
            target.min,
        )
    } else {
        return None;
    };
    let text = format!(
        "The targets lie between {} and {}, but the outputs look like those of {name}.",
        short(target.min),
        short(target.max)
    );
    let change = "end the network without an activation, or scale the targets into the range of the activation";
    // Outputs of a network that knows little may lie in a range by chance, and end at exactly 0 by none.
    let severity = if low != 0.0 && history.is_told() && history.is_at_least(EVIDENT) {
        Severity::Note
    } else {
        severity(history)
    };
    let finding = mismatch(severity, text, change);
    Some(finding.measured(
        value,
        if value < 0.0 { 0.0 } else { 1.0 },
        "target farthest outside the range of the outputs",
    ))
}

fn severity(history: &History) -> Severity {
    match history.outcome() {
        Outcome::Learned => Severity::Warning,
        _ => Severity::Fault,
    }
}

fn constant(history: &History, outputs: &OutputHistory) -> Option<Finding> {
    let is_varied = history
        .train
        .as_ref()
        .is_none_or(|train| train.distinct_rows >= 2);
    let is_stuck = history.outcome() == Outcome::Stuck && history.steps_seen() >= 10;
    if !outputs.is_constant() || !is_stuck || !is_varied {
        return None;
    }
    let text = "The network gives the same output for every row: it has learned the mean of the targets and nothing of the inputs.";
    Some(
        Finding::new(FindingKind::ConstantOutput, Severity::Warning, text)
            .measured(
                outputs.spread,
                1e-5,
                "deviation of the outputs over the rows, relative to their size; f32 rounding",
            )
            .with([
                Prescription::ScaleLr { factor: 0.1 },
                initial(history),
                Prescription::ScaleInputs,
            ]),
    )
}
