//! A loss that is not the mean over the rows: a sum, or one that is multiplied by a scale.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::prescription::short;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::loss_check::LossCheck;
use crate::history::measures::{Outcome, median};
use crate::history::param::ParamHistory;
use crate::loss_kind::LossKind;
use burn_tricks_core::ParamRole;

/// The factor up to which a loss is another convention: half of a square, or twice.
const FACTOR: f64 = 3.0;

/// The relative error up to which a factor is the same in all steps.
const SAME: f64 = 1e-2;

/// Fewer checked steps do not show that a factor stays.
const STEPS: usize = 3;

/// The first checked steps.
const EARLY: usize = 5;

/// A gradient below this is made of rounding errors.
const TINY: f64 = 1e-5;

/// The room for rounding and for penalties.
const ROOM: f64 = 1.1;

/// The norm of the gradient of the last bias at first, over a batch of mean losses: far below its bound, since the rows
/// of a batch pull in different directions. In the clinic it is 0.1 to 0.5.
const USUAL: f64 = 0.3;

const OF_LOSS: &str = "loss that was handed over, over the mean loss of its outputs and targets; threshold chosen by us";
const OF_GRADIENT: &str = "norm of the first gradients of the last bias over those of the mean loss of outputs and targets; threshold chosen by us";
const OF_BOUND: &str = "norm of the first gradient of the last bias over its bound: that of a mean cross-entropy is p − y, of norm √2 at most";

/// By which factor the loss is not the mean, and what shows it.
struct Evidence<'a> {
    scale: f64,
    text: String,
    bias: Option<(&'a ParamHistory, usize)>,
    measured: (f64, f64, &'static str),
}

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let evidence = by_loss(history)
        .or_else(|| by_gradient(history))
        .or_else(|| by_bound(history));
    let Some(Evidence {
        scale,
        text,
        bias,
        measured,
    }) = evidence
    else {
        return Vec::new();
    };
    let severity = match history.outcome() {
        // Adam's steps do not depend on the scale of the gradient.
        Outcome::Learned => Severity::Note,
        Outcome::Partial | Outcome::Unknown => Severity::Warning,
        Outcome::Stuck => Severity::Fault,
    };
    let (value, threshold, source) = measured;
    let mut finding = Finding::new(FindingKind::ScaledLoss, severity, text)
        .measured(value, threshold, source)
        .with([
            Prescription::change("take the mean of the loss over the rows, and divide the gradients by a loss scale before the optimizer's step"),
            Prescription::ScaleLr { factor: 1.0 / scale },
            Prescription::ClipGradNorm { max_norm: 1.0 },
        ]);
    if let Some((bias, step)) = bias {
        finding = finding.at([bias.path.as_str()]).in_step(step);
    }
    vec![finding]
}

/// The loss that was handed over, against the mean loss of outputs and targets.
fn by_loss(history: &History) -> Option<Evidence<'_>> {
    let checks: Vec<&LossCheck> = (history.loss_checks.iter())
        .filter(|check| check.own > 0.0 && check.given.is_finite())
        .collect();
    let ratio = |check: &LossCheck| check.given / check.own;
    // Nine steps of ten, since a small last batch of an epoch may be weighted.
    let fits = |factor: &dyn Fn(&LossCheck) -> f64| {
        let fitting =
            (checks.iter()).filter(|check| (ratio(check) / factor(check) - 1.0).abs() < SAME);
        checks.len() >= STEPS && 10 * fitting.count() >= 9 * checks.len()
    };
    let scale = median(checks.iter().map(|check| ratio(check)))?;
    // Gradients that are accumulated over several batches are a mean if each loss is divided by their number.
    if (scale * usual_losses(history) - 1.0).abs() < SAME {
        return None;
    }
    let all = |check: &LossCheck| (check.rows * check.columns) as f64;
    let what = if fits(&all) || fits(&|check| check.rows as f64) {
        "it is the sum over the rows of a batch".to_owned()
    } else if fits(&|check| check.columns as f64) {
        // The sum over the columns of a row is as usual as their mean.
        return None;
    } else if fits(&|_| scale) && scale > 0.0 {
        format!("it is multiplied by {}", short(scale))
    } else {
        return None;
    };
    if (1.0 / FACTOR..=FACTOR).contains(&scale) {
        return None;
    }
    let text = format!(
        "The loss is {} times the mean loss that its outputs and targets have: {what}, and so are the gradients.",
        short(scale)
    );
    let threshold = if scale > 1.0 { FACTOR } else { 1.0 / FACTOR };
    let measured = (scale, threshold, OF_LOSS);
    Some(Evidence {
        scale,
        text,
        bias: None,
        measured,
    })
}

/// How many losses a step usually has: several where gradients are accumulated over several batches.
fn usual_losses(history: &History) -> f64 {
    let of_steps = history.loss_steps.chunk_by(|one, other| one == other);
    median(of_steps.map(|of_step| of_step.len() as f64)).unwrap_or(1.0)
}

/// The gradient of the last bias, against the one that the mean loss of outputs and targets has there.
fn by_gradient(history: &History) -> Option<Evidence<'_>> {
    let outputs = history.outputs.as_ref()?;
    // The slope of an exponential has no bound.
    if outputs.lowest >= 0.0 && outputs.highest > 1.0 {
        return None;
    }
    let bias = last_bias(history, outputs.columns)?;
    let ratio = |check: &LossCheck| {
        let at = bias.steps.iter().find(|at| at.step == check.step)?;
        Some(at.gradient / check.gradient)
            .filter(|ratio| check.gradient > TINY && ratio.is_finite())
    };
    let ratios: Vec<f64> = history
        .loss_checks
        .iter()
        .take(EARLY)
        .filter_map(ratio)
        .collect();
    let first = *ratios.first()?;
    let scale = median(ratios.iter().copied())?;
    // Gradients that add up begin with the right one, and the sum over the columns of a row is as usual as their mean.
    let sums_columns = (scale / outputs.columns as f64 - 1.0).abs() < SAME;
    if ratios.len() < STEPS || first <= FACTOR || scale <= FACTOR || sums_columns {
        return None;
    }
    let text = format!(
        "The gradient of the last bias is {} times that of the mean loss of outputs and targets: the loss that is differentiated is their sum, or is multiplied by a scale.",
        short(scale)
    );
    let step = history.loss_checks.first()?.step;
    let measured = (scale, FACTOR, OF_GRADIENT);
    Some(Evidence {
        scale,
        text,
        bias: Some((bias, step)),
        measured,
    })
}

/// The gradient of the last bias, against the largest one that a mean cross-entropy can have there.
fn by_bound(history: &History) -> Option<Evidence<'_>> {
    let outputs = history.outputs.as_ref()?;
    let are_probabilities = outputs.lowest >= 0.0 && outputs.highest <= 1.0;
    let bound = match history.loss_kind? {
        LossKind::CrossEntropyOfScores => 2f64.sqrt(),
        // Of several outputs the sum of their losses is as usual as the mean.
        LossKind::BinaryCrossEntropyOfScores => (outputs.columns as f64).sqrt(),
        LossKind::CrossEntropyOfProbabilities
            if are_probabilities && outputs.sum_error < 1e-3 && outputs.columns > 1 =>
        {
            2f64.sqrt()
        }
        LossKind::BinaryCrossEntropyOfProbabilities if are_probabilities => {
            (outputs.columns as f64).sqrt()
        }
        _ => return None,
    };
    let bias = last_bias(history, outputs.columns)?;
    let first = bias.steps.first().filter(|at| at.gradient.is_finite())?;
    let ratio = first.gradient / bound;
    if ratio <= ROOM {
        return None;
    }
    let scale = first.gradient / USUAL;
    let text = format!(
        "The gradient of the last bias has norm {}, which that of the mean loss of the rows cannot have: the loss is their sum, or is multiplied by a scale of about {}.",
        short(first.gradient),
        short(scale)
    );
    let measured = (ratio, ROOM, OF_BOUND);
    Some(Evidence {
        scale,
        text,
        bias: Some((bias, first.step)),
        measured,
    })
}

/// The bias of the output layer.
fn last_bias(history: &History, columns: usize) -> Option<&ParamHistory> {
    let mut from_last = history.params.iter().rev();
    let last = from_last.find(|param| !param.steps.is_empty())?;
    (last.role == ParamRole::Bias && last.elements() == columns).then_some(last)
}
