//! The numbers of classes as targets of a regression.

use crate::finding::finding::Finding;
use crate::finding::prescription::short;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::measures::Outcome;
use crate::loss_kind::LossKind;
use crate::rules::outputs::mismatch;

/// Fewer classes have distances as good as any.
const CLASSES: usize = 3;

/// For a training in which no fault was found: the numbers of classes as targets of a regression.
pub(crate) fn rule(history: &History) -> Option<Finding> {
    let target = history.train.as_ref()?.target?;
    let is_regression = history.loss_kind? == LossKind::MeanSquaredError;
    let is_learned = matches!(history.outcome(), Outcome::Learned | Outcome::Unknown);
    let classes = target.class_numbers;
    if !is_regression || is_learned || target.columns != 1 || classes < CLASSES {
        return None;
    }
    let text = format!(
        "The targets are {classes} whole numbers from {} to {}, as those of classes, and the loss takes their distances: a class between two others becomes a mean of them.",
        short(target.min),
        short(target.max)
    );
    let change = "if they number classes, use one output for each class and a cross-entropy";
    Some(mismatch(Severity::Warning, text, change).measured(
        classes as f64,
        CLASSES as f64,
        "different targets, if they are whole numbers without a gap; threshold chosen by us",
    ))
}
