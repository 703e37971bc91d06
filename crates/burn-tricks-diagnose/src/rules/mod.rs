//! The rules: each is a function from what was recorded to findings, in a file of its own.

mod accumulated;
mod agreement;
mod average;
mod calibration;
mod capacity;
mod class_numbers;
mod columns;
mod constant_init;
mod copies;
mod crossed_loss;
mod dead_units;
mod depth;
mod dropout;
mod exploding;
mod frozen;
mod init_scale;
mod initial;
mod initial_loss;
mod inputs;
mod labels;
mod linear;
mod log_of_zero;
mod lr_high;
mod lr_invalid;
mod lr_low;
mod lr_range;
mod missing_columns;
mod modes;
mod never_trained;
mod noisy_batch;
mod non_finite;
mod norm_statistics;
mod optimizer_steps;
mod oscillation;
mod other_weights;
mod outputs;
mod over_regularized;
mod overfitting;
mod random_bias;
mod sampler;
mod saturated;
mod scaled_loss;
mod sorted;
mod split;
mod stale_validation;
mod targets;
mod tied;
mod underfitting;
mod unrelated_labels;
mod validation;
mod vanishing;
mod weights_reset;

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::severity::Severity;
use crate::history::History;

type Rule = fn(&History) -> Vec<Finding>;

/// All rules but those that need the findings of others.
const RULES: &[Rule] = &[
    never_trained::rule,
    frozen::rule,
    tied::rule,
    constant_init::rule,
    init_scale::rule,
    random_bias::rule,
    inputs::rule,
    labels::rule,
    sorted::rule,
    outputs::rule,
    crossed_loss::rule,
    targets::rule,
    missing_columns::rule,
    calibration::rule,
    validation::rule,
    copies::rule,
    split::rule,
    sampler::rule,
    modes::rule,
    stale_validation::rule,
    other_weights::rule,
    agreement::rule,
    optimizer_steps::rule,
    columns::rule,
    weights_reset::rule,
    norm_statistics::rule,
    dropout::rule,
    linear::rule,
    average::rule,
    lr_invalid::rule,
    scaled_loss::rule,
    over_regularized::rule,
    exploding::from_the_first,
    lr_high::rule,
    lr_low::rule,
    accumulated::rule,
    vanishing::rule,
    depth::rule,
    exploding::after_the_first,
    dead_units::rule,
    saturated::rule,
    log_of_zero::rule,
    non_finite::rule,
    oscillation::rule,
    noisy_batch::rule,
    capacity::rule,
    lr_range::rule,
    initial_loss::rule,
    overfitting::rule,
    unrelated_labels::rule,
];

/// A finding of the first kind explains findings of the other kinds, which are left out.
const EXPLAINS: &[(FindingKind, &[FindingKind])] = {
    use FindingKind::*;
    &[
        (
            LrInvalid,
            &[
                LrTooHigh,
                LrTooLow,
                TooFewSteps,
                ExplodingGradient,
                DeadUnits,
                Saturated,
                Oscillation,
                NeverTrained,
                AccumulatedGradients,
                ConstantOutput,
            ],
        ),
        (
            AccumulatedGradients,
            &[
                ScaledLoss,
                LrTooHigh,
                ExplodingGradient,
                Overfitting,
                Oscillation,
                DeadUnits,
            ],
        ),
        (
            UnscaledTarget,
            &[ExplodingGradient, LrTooLow, TooFewSteps, Oscillation],
        ),
        (
            SingleClass,
            &[
                Overfitting,
                UnrelatedLabels,
                ValidationClasses,
                ConstantOutput,
                LrTooHigh,
                VanishingGradient,
                DeadUnits,
                LeakingInput,
            ],
        ),
        (
            OutputMismatch,
            &[
                StaleValidation,
                ScaledLoss,
                VanishingGradient,
                DeadUnits,
                LrTooLow,
                LrTooHigh,
                TooFewSteps,
                ConstantOutput,
                Oscillation,
            ],
        ),
        (
            ScaledLoss,
            &[
                LrTooHigh,
                ExplodingGradient,
                DeadUnits,
                ConstantOutput,
                Oscillation,
            ],
        ),
        (
            OverRegularized,
            &[
                VanishingGradient,
                DeadUnits,
                ConstantOutput,
                LrTooLow,
                TooFewSteps,
                Saturated,
            ],
        ),
        (
            WeightsReset,
            &[
                LrTooHigh,
                LrTooLow,
                TooFewSteps,
                Oscillation,
                UnrelatedLabels,
            ],
        ),
        (
            StaleValidation,
            &[
                Overfitting,
                UnrelatedLabels,
                WrongMode,
                TooLargeModel,
                Oscillation,
            ],
        ),
        (
            AverageNeverStarted,
            &[Overfitting, UnrelatedLabels, TooLargeModel, Oscillation],
        ),
        (SortedData, &[LrTooHigh, Oscillation, WeightsReset]),
        (SingleSampleNorm, &[NormStatistics]),
        (
            NormStatistics,
            &[TooFewSteps, LrTooLow, Underfitting, Overfitting],
        ),
        (
            WrongMode,
            &[Overfitting, Oscillation, NormStatistics, UnrelatedLabels],
        ),
        (RareClass, &[TooFewSteps, LrTooLow]),
        (RandomBias, &[LinearNetwork]),
        (
            ScalingDiffers,
            &[Overfitting, Oscillation, UnrelatedLabels, TooLargeModel],
        ),
        (
            ConstantInit,
            &[
                InitScale,
                VanishingGradient,
                LrTooLow,
                TooFewSteps,
                NeverTrained,
            ],
        ),
        (
            NeverTrained,
            &[
                VanishingGradient,
                LrTooLow,
                TooFewSteps,
                DeadUnits,
                Underfitting,
            ],
        ),
        (
            DeadUnits,
            &[VanishingGradient, LrTooLow, TooFewSteps, ConstantOutput],
        ),
        (VanishingGradient, &[LrTooLow, TooFewSteps, ConstantOutput]),
        (
            LogOfZero,
            &[NonFinite, DeadUnits, ExplodingGradient, Oscillation],
        ),
        (
            DropoutTooHigh,
            &[
                LrTooHigh,
                DeadUnits,
                LrTooLow,
                TooFewSteps,
                Oscillation,
                OverRegularized,
                UnrelatedLabels,
            ],
        ),
        (InitScale, &[DeadUnits]),
        (UnscaledInputs, &[DeadUnits]),
        (ConstantInputs, &[DeadUnits]),
        (UnrelatedLabels, &[TooFewSteps, LrTooLow, TooLargeModel]),
        (Saturated, &[LrTooLow, TooFewSteps]),
        (ValidationClasses, &[UnrelatedLabels, Overfitting]),
        (Frozen, &[LrTooLow, TooFewSteps, Underfitting]),
    ]
};

/// What the rules find, the most serious first.
pub(crate) fn findings(history: &History) -> Vec<Finding> {
    let found = RULES.iter().flat_map(|rule| rule(history));
    // An examination that failed is no cause: what else there is to say is said all the same.
    let (failed, mut findings): (Vec<Finding>, Vec<Finding>) =
        found.partition(|finding| finding.kind == FindingKind::ExaminationFailed);
    leave_out_of_bad_rows(history, &mut findings);
    leave_out_explained(&mut findings);
    if findings
        .iter()
        .all(|finding| finding.severity < Severity::Warning)
    {
        findings.extend(optimizer_steps::late(history));
    }
    if findings
        .iter()
        .all(|finding| finding.severity < Severity::Fault)
    {
        let has_warning = (findings.iter()).any(|finding| finding.severity >= Severity::Warning);
        findings.extend(lr_low::unfinished(history, has_warning));
        leave_out_explained(&mut findings);
        findings.extend(class_numbers::rule(history));
    }
    if findings
        .iter()
        .all(|finding| finding.severity < Severity::Warning)
    {
        findings.extend(underfitting::rule(history));
    }
    let says_how = |finding: &Finding| {
        use FindingKind::{Overfitting, TooLargeModel, TooLittleData, Underfitting};
        let kinds = [Overfitting, TooLargeModel, TooLittleData, Underfitting];
        finding.severity < Severity::Warning || kinds.contains(&finding.kind)
    };
    // Not why.
    if findings.iter().all(says_how) {
        findings.extend(split::noisier(history).or_else(|| split::exchanged(history)));
    }
    findings.extend(failed);
    raise_inputs(history, &mut findings);
    if findings
        .iter()
        .all(|finding| finding.severity < Severity::Warning)
    {
        findings.push(healthy(history));
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// Gradients and steps are as large as the inputs: where they go too far, inputs that are very far out of range come first. Of a
/// model that divides its inputs itself, and not by a norm layer, nothing tells: there the other finding, which comes second, is
/// the cause.
fn raise_inputs(history: &History, findings: &mut [Finding]) {
    use FindingKind::{ExplodingGradient, LrTooHigh, UnscaledInputs};
    let is_too_far = |finding: &Finding| {
        matches!(finding.kind, LrTooHigh | ExplodingGradient) && finding.severity == Severity::Fault
    };
    if history.begins_with_norm() || !findings.iter().any(is_too_far) {
        return;
    }
    let inputs = findings.iter_mut().filter(|finding| {
        finding.kind == UnscaledInputs
            && finding.severity == Severity::Warning
            && finding.threshold == inputs::VERY_FAR
    });
    inputs.for_each(|finding| finding.severity = Severity::Fault);
}

/// NaN in the training rows makes everything after it NaN. What a replay found, and the rows of a validation, are of their own.
fn leave_out_of_bad_rows(history: &History, findings: &mut Vec<Finding>) {
    use FindingKind::{ExplodingGradient, LogOfZero, NonFinite};
    let train = history.train.as_ref();
    if !train.is_some_and(|train| train.non_finite_share() > 0.0) {
        return;
    }
    let is_found = history.non_finite_origin.is_some();
    findings.retain(|finding| match finding.kind {
        NonFinite => is_found,
        ExplodingGradient | LogOfZero => false,
        _ => true,
    });
}

fn leave_out_explained(findings: &mut Vec<Finding>) {
    for (cause, consequences) in EXPLAINS {
        let is_cause =
            |finding: &Finding| finding.kind == *cause && finding.severity >= Severity::Warning;
        if findings.iter().any(is_cause) {
            findings.retain(|finding| !consequences.contains(&finding.kind));
        }
    }
}

fn healthy(history: &History) -> Finding {
    let text = match (history.steps_taken, history.losses.len()) {
        (0, 0) => {
            "Nothing is wrong with what was observed; no optimizer step has been observed yet."
                .into()
        }
        (0, losses) => format!(
            "Nothing is wrong with what was observed in {losses} losses; no optimizer step has been observed."
        ),
        (steps, _) => {
            format!("Nothing is wrong with what was observed in {steps} optimizer steps.")
        }
    };
    Finding::new(FindingKind::Healthy, Severity::Healthy, text)
}
