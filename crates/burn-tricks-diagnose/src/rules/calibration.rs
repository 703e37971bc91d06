//! Outputs that follow the targets on another scale.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::{Prescription, short};
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::output_fit::OutputFit;
use crate::loss_kind::LossKind;

/// By how much the share that is explained after the best shift and factor may be above the one that is explained.
const OFF: f64 = 0.25;

/// The share that the exponentials of the outputs explain, from which the outputs are logarithms.
const EXPONENTIAL: f64 = 0.2;

/// Fewer rows tell nothing.
const ENOUGH: usize = 40;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    // The outputs of a loss that takes logarithms may be logarithms on purpose; one that is never negative, not even in the first
    // batch, has an activation behind it.
    let is_other = history.loss_kind == Some(LossKind::OtherRegression);
    let has_activation = history.outputs.as_ref().is_some_and(|of| of.lowest >= 0.0);
    let (Some(train), Some(valid)) = (&history.train_fit, &history.valid_fit) else {
        return Vec::new();
    };
    if !is_other
        || !has_activation
        || train.rows < ENOUGH
        || valid.rows < ENOUGH
        || history.gives_back()
    {
        return Vec::new();
    }
    let is_off = |fit: &OutputFit| fit.correlated - fit.explained > OFF && fit.correlated > OFF;
    if !is_off(valid) || !is_off(train) {
        return Vec::new();
    }
    let are_logarithms =
        valid.exponential > EXPONENTIAL && valid.exponential - valid.explained > OFF;
    let (text, change) = if are_logarithms {
        (
            format!(
                "The exponentials of the outputs explain {} of the variance of the targets, and the outputs themselves {}: the loss takes logarithms, and the outputs are used as if they were none.",
                short(valid.exponential),
                short(valid.explained)
            ),
            "use the loss that takes rates, or end the network without an activation and take the exponential of its outputs",
        )
    } else {
        (
            format!(
                "The outputs follow the targets (squared correlation {}) and explain {} of their variance: they have mean {} and deviation {}, the targets {} and {}.",
                short(valid.correlated),
                short(valid.explained),
                short(valid.output_mean),
                short(valid.output_deviation),
                short(valid.target_mean),
                short(valid.target_deviation)
            ),
            "let the last activation reach the targets, scale the targets into its range, and scale the outputs back as the targets were scaled",
        )
    };
    let finding = Finding::new(FindingKind::OutputMismatch, Severity::Warning, text).measured(
        valid.correlated - valid.explained,
        OFF,
        "squared correlation of outputs and targets, minus the share of the variance that the outputs explain, in training and validation; threshold chosen by us",
    );
    vec![finding.with([Prescription::change(change)])]
}
