//! Targets and inputs that belong together in another way in the training than in the validation, or in no way at all.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::{Prescription, short};
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::data::DataHistory;
use crate::history::measures::median;

/// The share of the squared differences of nearest rows that vanishes around the range of the targets.
const AROUND: f64 = 0.6;

/// How far the targets of the validation reach beyond those of the training, as a share of the range of these, so that the
/// training targets were cut.
const BEYOND: f64 = 0.05;

/// The share of training targets at one end of their range.
const PILED: f64 = 0.05;

/// How far the network's score on the validation is below that on the training.
const GAP: f64 = 0.1;

/// Fewer rows tell nothing.
const ENOUGH: usize = 100;

/// The difference of the squared correlations at the same place.
const IN_PLACE: f64 = 0.15;

/// The distance of neighbours in the training over that in the validation up to which the inputs are alike.
const SPREAD: f64 = 1.15;

/// The share of rows that would have to be of another class, so that both have the same shares.
const MOVED: f64 = 0.1;

/// The share of the shift that shares of classes say up to which the inputs do not follow the labels, and how many standard errors
/// below it.
const FOLLOWS: f64 = 0.6;
const ERRORS: f64 = 3.0;

/// The share of the variance that outputs explain of what is among the inputs, and by how much it is above that of what is not.
const COPIED: f64 = 0.95;
const COPIES: f64 = 0.2;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let found = [
        around(history).or_else(|| piled(history)),
        less_told(history),
        in_place(history),
        filled(history),
        ahead(history),
    ];
    found.into_iter().flatten().collect()
}

fn severity(history: &History) -> Severity {
    if history.has_something_left() {
        Severity::Warning
    } else {
        Severity::Note
    }
}

/// Whether the inputs of the validation are as those of the training, and there are enough of both.
fn alike(history: &History) -> Option<(&DataHistory, &DataHistory)> {
    let (train, valid) = history.train.as_ref().zip(history.valid.as_ref())?;
    let is_enough = train.distinct_rows >= ENOUGH && valid.distinct_rows >= ENOUGH;
    let is_alike = valid.shifted_features == 0.0 && valid.rescaled_features == 0.0;
    (is_enough && is_alike).then_some((train, valid))
}

/// Targets that begin anew at the end of their range.
fn around(history: &History) -> Option<Finding> {
    let train = history.train.as_ref()?;
    let share = train.wrapped_target.filter(|share| *share > AROUND)?;
    let ends = |data: &DataHistory| data.target.map(|target| (target.min, target.max));
    let (low, high) = ends(train)?;
    let reaches = |(from, to): (f64, f64)| (low - from).max(to - high) > BEYOND * (high - low);
    let is_cut = history.valid.as_ref().and_then(ends).is_some_and(reaches);
    let measure = "share of the mean squared difference between the targets of nearest training rows that vanishes around their range; threshold chosen by us";
    let range = format!("{} to {}", short(low), short(high));
    let (kind, text, change) = if is_cut {
        (
            FindingKind::UnrelatedLabels,
            format!(
                "Training rows with nearly the same inputs have targets at opposite ends of their range, {range}, and the targets of the validation go beyond it: those of the training have overflowed their type, or were taken modulo a number."
            ),
            "store targets in a type that holds them, and read them again",
        )
    } else {
        (
            FindingKind::OutputMismatch,
            format!(
                "Training rows with nearly the same inputs have targets at opposite ends of their range, {range}: they begin anew at its end, as an angle or an hour does, or have overflowed their type. A squared or absolute error takes both ends for far apart."
            ),
            "predict the sine and the cosine of a cyclic target; if it is no cyclic one, look at the type that it is stored in",
        )
    };
    Some(
        Finding::new(kind, severity(history), text)
            .measured(share, AROUND, measure)
            .with([Prescription::change(change)]),
    )
}

/// Training targets that end where those of the validation do not.
fn piled(history: &History) -> Option<Finding> {
    let (train, valid) = history.train.as_ref().zip(history.valid.as_ref())?;
    let (of_train, of_valid) = train.target.zip(valid.target)?;
    let range = of_train.max - of_train.min;
    let beyond = [of_train.min - of_valid.min, of_valid.max - of_train.max];
    let is_enough = train.distinct_rows >= ENOUGH && valid.distinct_rows >= ENOUGH;
    // At the same end: counts pile up at 0, and the largest is another one in other rows.
    let shares = train.piled_targets.into_iter().zip(valid.piled_targets);
    let (share, _) = shares
        .zip(beyond)
        .map(|((train, valid), beyond)| {
            let is_cut = train > PILED && valid <= 0.5 * train && beyond > BEYOND * range;
            (train, is_cut)
        })
        .find(|(_, is_cut)| *is_cut && is_enough)?;
    let text = format!(
        "{share:.2} of the training targets are the smallest or the largest one, {} or {}, and those of the validation go beyond it: the targets of the training were cut off.",
        short(of_train.min),
        short(of_train.max)
    );
    let change = "read the targets of the training again without a limit, or take those at the limit for at least as large (censored); if the limit is meant, as one on the life that is left to a machine, apply it to the validation too";
    Some(
        Finding::new(FindingKind::UnrelatedLabels, severity(history), text)
            .measured(share, PILED, "share of training targets at an end of their range, which the validation exceeds; threshold chosen by us")
            .with([Prescription::change(change)]),
    )
}

/// Features that tell the target in the training only.
fn less_told(history: &History) -> Option<Finding> {
    let (_, valid) = alike(history)?;
    let scores = history.scores()?;
    let gap = scores.train? - scores.valid;
    let features = &valid.less_told_features;
    if features.is_empty() || gap <= GAP {
        return None;
    }
    let text = format!(
        "The features {features:?} tell far more of the training targets than of those of the validation: they were made from the targets of the training, as the mean of the targets of a category is, or are known there by accident."
    );
    let change = "calculate features that use targets from other rows only, as out-of-fold means are, or remove them";
    Some(
        Finding::new(FindingKind::LeakingInput, Severity::Warning, text)
            .measured(
                gap,
                GAP,
                "score of the network on the training minus that on the validation, where single features tell at least 0.2 more of the variance of the target there; thresholds chosen by us",
            )
            .with([Prescription::change(change)]),
    )
}

/// Pictures or series whose targets lie elsewhere in the training than in the validation.
fn in_place(history: &History) -> Option<Finding> {
    let (train, valid) = alike(history)?;
    let squares = [train, valid].map(|data| data.in_place.map(|of| of * of.abs()));
    let [Some(of_train), Some(of_valid)] = squares else {
        return None;
    };
    let spread = history.closeness.and_then(|near| near.spread);
    let is_spread = spread.is_some_and(|spread| !(1.0 / SPREAD..SPREAD).contains(&spread));
    let difference = (of_train - of_valid).abs();
    if difference <= IN_PLACE || is_spread {
        return None;
    }
    let text = format!(
        "Inputs and targets of one place have the squared correlation {} in the training and {} in the validation: inputs were moved, mirrored or made noisy and their targets were not, or the other way round.",
        short(of_train),
        short(of_valid)
    );
    let change = "apply what moves pixels or moments, such as a flip, to inputs and targets alike, and prepare the targets of the training as those of the validation";
    Some(
        Finding::new(FindingKind::UnrelatedLabels, severity(history), text)
            .measured(difference, IN_PLACE, "difference of the signed squared correlations of inputs and targets at the same place; threshold chosen by us")
            .with([Prescription::change(change)]),
    )
}

/// Classes with other shares in the training whose inputs have not changed with them.
fn filled(history: &History) -> Option<Finding> {
    let (train, valid) = alike(history)?;
    let [follows, error] = valid.shift_with_classes?;
    let share = |data: &DataHistory, class: &i64| {
        let all: usize = data.classes.values().sum();
        data.classes.get(class).copied().unwrap_or(0) as f64 / all.max(1) as f64
    };
    let more = |class: &i64| share(train, class) - share(valid, class);
    let classes = || train.classes.keys();
    let moved: f64 = classes().map(|class| more(class).max(0.0)).sum();
    let (class, _) = classes()
        .map(|class| (class, more(class)))
        .max_by(|one, other| one.1.total_cmp(&other.1))?;
    if moved <= MOVED || follows + ERRORS * error >= FOLLOWS {
        return None;
    }
    let text = format!(
        "Class {class} has {:.2} of the training rows and {:.2} of those of the validation, and the inputs are the same: many training rows of other classes are labelled {class}, as where it stands for a missing label.",
        share(train, class),
        share(valid, class)
    );
    let change = "leave out rows without a label, or give them a mark that the loss ignores, and read the labels again";
    Some(
        Finding::new(FindingKind::UnrelatedLabels, severity(history), text)
            .measured(
                follows,
                FOLLOWS,
                "shift of the inputs of the training over that which the shares of its classes say; threshold chosen by us, and three standard errors",
            )
            .with([Prescription::change(change)]),
    )
}

/// A series whose next values are given back where they are among the inputs, and not where they are not.
fn ahead(history: &History) -> Option<Finding> {
    let repeated = &history.valid.as_ref()?.repeated_targets;
    let columns = &history.valid_columns;
    let [inside, outside] = [true, false].map(|wanted| {
        let all = columns.iter().enumerate();
        let some = all.filter(|(at, _)| repeated.contains(at) == wanted);
        median(
            some.map(|(_, share)| *share)
                .filter(|share| share.is_finite()),
        )
    });
    let (inside, outside) = inside.zip(outside)?;
    if repeated.len() < 3 || inside <= COPIED || inside - outside <= COPIES {
        return None;
    }
    let text = format!(
        "The network explains {inside:.2} of the variance of the targets that are among its inputs, as in a series whose next value is asked for at each place, and {outside:.2} of that of the others: it sees what it is asked for."
    );
    let change = "let each place see earlier ones only: pad convolutions on one side, mask the attention, and use no recurrence from the end";
    Some(
        Finding::new(FindingKind::LeakingInput, Severity::Fault, text)
            .measured(
                inside - outside,
                COPIES,
                "median share of explained variance of the columns of targets that are inputs minus that of the others; threshold chosen by us",
            )
            .with([Prescription::change(change)]),
    )
}
