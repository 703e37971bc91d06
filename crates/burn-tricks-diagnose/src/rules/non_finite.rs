//! Where a NaN or an infinity came from.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;

use crate::finding::prescription::short;
use crate::history::measures::median;
use crate::history::param::ParamHistory;
use crate::loss_kind::LossKind;

/// The difference of two scores from which the exponential of its negative begins to underflow in `f32`.
const UNDERFLOW: f64 = 87.0;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let loss = history
        .losses
        .iter()
        .position(|loss| !loss.is_finite())
        .map(|at| at + 1);
    let outputs = history
        .outputs
        .as_ref()
        .and_then(|outputs| outputs.first_non_finite);
    if let Some(step) = loss
        && is_log_of_zero(history, step, outputs)
    {
        return vec![log_of_zero(history, step)];
    }
    if let Some(step) = gradient_of_log_of_zero(history, outputs) {
        return vec![log_of_zero(history, step)];
    }
    let forward = history.probes.iter().filter_map(|probe| {
        let at = probe.steps.iter().find(|at| at.non_finite > 0.0)?;
        Some((at.step, probe.name.as_str()))
    });
    // Of the probes of one step, the first of the forward pass.
    let forward = forward.min_by_key(|(step, _)| *step);
    let backward = backward(history);
    let initial = history
        .params
        .iter()
        .find(|param| param.initial.non_finite > 0.0);
    let (step, path, text) = if let Some(param) = initial {
        let text = "The weight contained NaN or infinity before the first step.".to_owned();
        (0, Some(param.path.as_str()), text)
    } else if let Some((step, path)) = forward.filter(|(step, _)| {
        loss.is_none_or(|loss| *step <= loss) && backward.is_none_or(|(before, _)| *step <= before)
    }) {
        let text =
            "The activation is NaN or infinite: it is the first in the forward pass.".to_owned();
        (step, Some(path), text)
    } else if let Some((step, path)) =
        backward.filter(|(step, _)| loss.is_none_or(|loss| *step < loss))
    {
        let text = "The gradient is NaN or infinite while the loss is finite: the parameter is the first of the backward pass. A norm, a root or a standard deviation has no gradient at 0.".to_owned();
        (step, Some(path), text)
    } else if let Some(step) = loss {
        let before = history.losses[..step - 1].iter().rev().take(3).rev();
        let before: Vec<String> = before.map(|loss| short(*loss)).collect();
        let text = format!(
            "The loss is not finite; the losses before it were {}.",
            if before.is_empty() {
                "none".to_owned()
            } else {
                before.join(", ")
            }
        );
        (step, None, text)
    } else if let Some(param) = history
        .params
        .iter()
        .find(|param| param.last.non_finite > 0.0)
    {
        (
            history.steps_taken,
            Some(param.path.as_str()),
            "The weight contains NaN or infinity.".to_owned(),
        )
    } else if let Some(step) = outputs {
        (
            step,
            None,
            "The outputs of the network contain NaN or infinity.".to_owned(),
        )
    } else {
        return Vec::new();
    };
    vec![
        Finding::new(FindingKind::NonFinite, Severity::Fault, text)
            .in_step(step)
            .at(path)
            .measured(
                step as f64,
                0.0,
                "first step with a number that is not finite",
            )
            .with([
                Prescription::ScaleRate { factor: 0.1 },
                Prescription::ClipGradNorm { max_norm: 1.0 },
                Prescription::change(
                    "skip steps whose gradients are not finite: `StepGuard` of `burn-tricks-grad`",
                ),
            ]),
    ]
}

/// The step and the parameter of the first gradient that is not finite: of the parameters of that step the last in
/// the model's order, which the backward pass reaches first.
fn backward(history: &History) -> Option<(usize, &str)> {
    let first = |param: &ParamHistory| {
        param
            .steps
            .iter()
            .find(|at| at.gradient_non_finite > 0.0)
            .map(|at| at.step)
    };
    let steps = history
        .params
        .iter()
        .filter_map(|param| Some((first(param)?, param)));
    let (step, param) = steps.fold(
        None,
        |best: Option<(usize, &ParamHistory)>, (step, param)| match best {
            Some((earliest, _)) if earliest < step => best,
            _ => Some((step, param)),
        },
    )?;
    Some((step, param.path.as_str()))
}

/// Whether the loss is not finite although the outputs that it was calculated from are, and the gradients before were
/// ordinary.
fn is_log_of_zero(history: &History, step: usize, outputs: Option<usize>) -> bool {
    let is_regression = matches!(
        history.loss_kind,
        Some(LossKind::MeanSquaredError | LossKind::OtherRegression)
    ) || history
        .train
        .as_ref()
        .is_some_and(|train| train.target.is_some() && train.classes.is_empty());
    let Some(handed) = &history.outputs else {
        return false;
    };
    let finite = handed.batches >= step && outputs.is_none_or(|bad| bad > step);
    let norms = history.gradient_norms();
    let before: Vec<f64> = norms
        .iter()
        .filter(|(at, _)| *at < step)
        .map(|(_, norm)| *norm)
        .collect();
    let usual = median(before.iter().copied()).unwrap_or(0.0);
    let ordinary = before
        .last()
        .is_none_or(|last| *last <= 100.0 * usual.max(1.0));
    !is_regression && finite && ordinary
}

/// The step at which all gradients are not finite from the last layer on, although the outputs are, which are so far
/// apart that a softmax of them underflows: the logarithm of a 0 that the loss does not even use has no gradient.
fn gradient_of_log_of_zero(history: &History, outputs: Option<usize>) -> Option<usize> {
    let (step, path) = backward(history)?;
    let last = history
        .params
        .iter()
        .rev()
        .find(|param| !param.steps.is_empty())?;
    let handed = history.outputs.as_ref()?;
    let is_finite = outputs.is_none_or(|bad| bad > step);
    let is_classification = history
        .train
        .as_ref()
        .is_some_and(|train| train.classes.len() >= 2);
    let underflows = handed.highest - handed.lowest > UNDERFLOW;
    (is_classification && is_finite && underflows && path == last.path).then_some(step)
}

fn log_of_zero(history: &History, step: usize) -> Finding {
    let outputs = history.outputs.as_ref();
    let size = outputs.map_or(0.0, |outputs| {
        outputs.highest.abs().max(outputs.lowest.abs())
    });
    let text = "The loss or its gradient is not finite although the outputs of the network are: it takes the logarithm of a probability that is 0, or multiplies 0 by its infinity.";
    Finding::new(FindingKind::LogOfZero, Severity::Fault, text)
        .in_step(step)
        .measured(size, UNDERFLOW, "largest output; exp(-87) is the smallest normal number of f32")
        .with([
            Prescription::change("calculate the loss from the scores with `log_softmax`, or with Burn's `CrossEntropyLoss`"),
            Prescription::ScaleRate { factor: 0.1 },
            Prescription::ScaleInputs,
        ])
}
