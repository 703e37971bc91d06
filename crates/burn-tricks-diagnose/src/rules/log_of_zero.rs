//! A loss that takes the logarithm of zero.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::loss_check::LossCheck;
use crate::history::measures::median;
use crate::loss_kind::LossKind;
use crate::rules::non_finite::backward;

/// The difference of two scores from which the exponential of its negative begins to underflow in `f32`.
const UNDERFLOW: f64 = 87.0;

/// The range of the outputs from which the logarithm is not to blame.
const EXPLODED: f64 = 1e6;

/// How many times their median the last loss and the last gradient before may be: those of a run that explodes are far
/// larger.
const ORDINARY: f64 = 100.0;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let Some(outputs) = history
        .outputs
        .as_ref()
        .filter(|_| is_classification(history))
    else {
        return Vec::new();
    };
    let loss = history.first_bad_loss().map(|(step, _)| step);
    let finite_at = |step: usize| outputs.first_non_finite.is_none_or(|bad| bad > step);
    let underflows = outputs.highest - outputs.lowest > UNDERFLOW;
    let from_loss = loss.filter(|step| outputs.batches >= *step && finite_at(*step));
    // The logarithm of a 0 that the loss does not even use has no gradient: all gradients are spoiled, from the last
    // layer on.
    let last = history
        .params
        .iter()
        .rev()
        .find(|param| !param.steps.is_empty());
    let from_gradient = backward(history).filter(|(step, path)| {
        finite_at(*step) && underflows && last.is_some_and(|last| last.path == *path)
    });
    // The gradient of a step that was not recorded: in the next step loss and outputs are spoiled together.
    let from_unseen = loss.filter(|step| outputs.first_non_finite == Some(*step) && underflows);
    let step = from_loss
        .or(from_gradient.map(|(step, _)| step))
        .or(from_unseen);
    let Some(step) = step.filter(|step| is_ordinary_before(history, *step)) else {
        return Vec::new();
    };
    let size = outputs.highest - outputs.lowest;
    // Of scores that no exponential makes 0, there is no such logarithm: the loss divides by 0, perhaps by a number of rows.
    let are_scores = matches!(
        history.loss_kind,
        Some(LossKind::BinaryCrossEntropyOfScores | LossKind::CrossEntropyOfScores)
    );
    let is_told = |check: &LossCheck| check.step == step && check.own.is_finite();
    if are_scores && !underflows && history.loss_checks.iter().any(is_told) {
        return Vec::new();
    }
    // Scores of such a size are those of a signal that explodes.
    if size > EXPLODED {
        return Vec::new();
    }
    let text = "The loss or its gradient is not finite although the outputs of the network are: the loss takes the logarithm of a probability that is 0, or multiplies 0 by its infinity.";
    vec![
        Finding::new(FindingKind::LogOfZero, Severity::Fault, text)
            .in_step(step)
            .measured(size, UNDERFLOW, "range of the outputs; exp(-87.3) is the smallest normal number of f32")
            .with([
                Prescription::change("calculate the loss from the scores with `log_softmax`, or with Burn's `CrossEntropyLoss`"),
                Prescription::ScaleLr { factor: 0.1 },
                Prescription::ScaleInputs,
            ]),
    ]
}

/// Whether the loss may be one of probabilities.
fn is_classification(history: &History) -> bool {
    match history.loss_kind {
        Some(LossKind::MeanSquaredError | LossKind::OtherRegression) => false,
        Some(_) => true,
        None => (history.train.as_ref()).is_none_or(|train| train.target.is_none()),
    }
}

fn is_ordinary_before(history: &History, step: usize) -> bool {
    let is_ordinary = |before: &[f64]| {
        let usual = median(before.iter().copied()).unwrap_or(0.0);
        before
            .last()
            .is_none_or(|last| *last <= ORDINARY * usual.max(1.0))
    };
    let norms: Vec<f64> = (history.gradient_norms().iter())
        .filter(|(at, _)| *at < step)
        .map(|(_, norm)| *norm)
        .collect();
    let losses: Vec<f64> = (history.step_losses().iter())
        .take_while(|(at, _)| *at < step)
        .map(|(_, loss)| *loss)
        .collect();
    is_ordinary(&norms) && is_ordinary(&losses)
}
