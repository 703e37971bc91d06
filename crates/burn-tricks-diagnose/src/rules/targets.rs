//! Regression targets on another scale than a network gives.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::measures::Outcome;

use crate::finding::prescription::short;
use crate::history::outliers::OUTLYING;
use crate::loss_kind::LossKind;

/// The size of a mean or a deviation from which a target is far from standardised.
const FAR: f64 = 10.0;

/// The deviation below which it is.
const TINY: f64 = 1e-3;

const SOURCE: &str = "largest of |mean| and deviation of the target; threshold chosen by us";

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let target = history.train.as_ref().and_then(|train| train.target);
    // Where none is finite there is no scale.
    let Some(target) = target.filter(|target| target.non_finite < 1.0) else {
        return Vec::new();
    };
    let size = target.mean.abs().max(target.deviation);
    let outcome = history.outcome();
    let rows = history.train.as_ref().map_or(0, |train| train.rows);
    if target.min == target.max && target.deviation < TINY && rows != 1 {
        // As many rows without rain before the first one with some: of those that come after nothing is known.
        let is_all = history
            .train
            .as_ref()
            .is_none_or(|train| !train.has_other_targets);
        let is_all = is_all && target.non_finite == 0.0;
        let equal = is_all.then(|| equal(target.mean, rows));
        return equal.into_iter().collect();
    }
    let (threshold, text) = if size > FAR && target.outlier_ratio <= OUTLYING {
        let text = format!(
            "The targets have mean {} and deviation {}. The loss and its gradients have the square of this scale, and the weights must grow to reach it.",
            short(target.mean),
            short(target.deviation)
        );
        (FAR, text)
    } else if target.outlier_ratio > OUTLYING && outcome != Outcome::Learned {
        return vec![outlying(target.outlier_ratio, history.loss_kind)];
    } else if size < TINY {
        (
            TINY,
            "The targets are tiny: the network learns them as 0.".to_owned(),
        )
    } else {
        return Vec::new();
    };
    let severity = match outcome {
        Outcome::Learned => Severity::Note,
        Outcome::Stuck => Severity::Fault,
        _ => Severity::Warning,
    };
    vec![
        Finding::new(FindingKind::UnscaledTarget, severity, text)
            .measured(size, threshold, SOURCE)
            .with([Prescription::ScaleTargets, Prescription::ScaleInputs]),
    ]
}

/// Targets of which there is nothing to learn but one number.
fn equal(value: f64, rows: usize) -> Finding {
    let text = format!(
        "All targets of the {rows} training rows that were looked at are {}.",
        short(value)
    );
    let change = "look at how the targets are read and converted";
    Finding::new(FindingKind::UnscaledTarget, Severity::Fault, text)
        .measured(0.0, 0.0, "deviation of the targets")
        .with([Prescription::change(change)])
}

/// Targets of which a few are far from all others: the squares of their errors are all that counts. Another loss may be one that
/// bears them, as an absolute or a Huber loss does.
fn outlying(ratio: f64, loss: Option<LossKind>) -> Finding {
    let (severity, text, change) = if loss == Some(LossKind::OtherRegression) {
        (
            Severity::Note,
            "A few targets are far larger than the others: unless the loss grows slowly with an error, theirs drown those of all other rows.",
            "look at the rows with the largest targets: correct or remove them if they are wrong, or take logarithms",
        )
    } else {
        (
            Severity::Fault,
            "A few targets are far larger than the others: their errors, or the squares of them, drown those of all other rows.",
            "look at the rows with the largest targets: correct or remove them, take logarithms, or use an absolute or a Huber loss",
        )
    };
    Finding::new(FindingKind::UnscaledTarget, severity, text)
        .measured(
            ratio,
            OUTLYING,
            "deviation of the targets over that of their middle 90 %, 1.3 for a normal distribution; threshold chosen by us",
        )
        .with([Prescription::change(change)])
}
