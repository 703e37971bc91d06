//! Gradients that are larger than those of a mean loss can be.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::prescription::short;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::measures::Outcome;
use crate::history::param::ParamHistory;
use crate::loss_kind::LossKind;
use burn_tricks_core::ParamRole;

/// The room for rounding and for penalties.
const ROOM: f64 = 1.1;

/// The norm of the gradient of the last bias at first, over a batch of mean losses: far below its bound, since the rows
/// of a batch pull in different directions. In the clinic it is 0.1 to 0.5.
const USUAL: f64 = 0.3;

const SOURCE: &str = "norm of the first gradient of the last bias over its bound: that of a mean cross-entropy is p − y, of norm √2 at most";

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let Some((bias, bound)) = last_bias(history) else {
        return Vec::new();
    };
    let Some(first) = bias.steps.first().filter(|at| at.gradient.is_finite()) else {
        return Vec::new();
    };
    let ratio = first.gradient / bound;
    if ratio <= ROOM {
        return Vec::new();
    }
    let severity = match history.outcome() {
        // Adam's steps do not depend on the scale of the gradient.
        Outcome::Learned => Severity::Note,
        Outcome::Partial | Outcome::Unknown => Severity::Warning,
        Outcome::Stuck => Severity::Fault,
    };
    let scale = first.gradient / USUAL;
    let text = format!(
        "The gradient of the last bias has norm {}, which that of the mean loss of the rows cannot have: the loss is their sum, or is multiplied by a scale of about {}.",
        short(first.gradient),
        short(scale)
    );
    vec![
        Finding::new(FindingKind::ScaledLoss, severity, text)
            .at([bias.path.as_str()])
            .in_step(first.step)
            .measured(ratio, ROOM, SOURCE)
            .with([
                Prescription::change("take the mean of the loss over the rows, and divide the gradients by a loss scale before the optimizer's step"),
                Prescription::ScaleLr { factor: 1.0 / scale },
                Prescription::ClipGradNorm { max_norm: 1.0 },
            ]),
    ]
}

/// The bias of the output layer, and the largest norm that the gradient of a mean loss has there.
fn last_bias(history: &History) -> Option<(&ParamHistory, f64)> {
    let outputs = history.outputs.as_ref()?;
    let are_probabilities = outputs.lowest >= 0.0 && outputs.highest <= 1.0;
    let bound = match history.loss_kind? {
        LossKind::CrossEntropyOfScores => 2f64.sqrt(),
        LossKind::BinaryCrossEntropyOfScores => 1.0,
        LossKind::CrossEntropyOfProbabilities
            if are_probabilities && outputs.sum_error < 1e-3 && outputs.columns > 1 =>
        {
            2f64.sqrt()
        }
        LossKind::BinaryCrossEntropyOfProbabilities if are_probabilities => 1.0,
        _ => return None,
    };
    let mut from_last = history.params.iter().rev();
    let last = from_last.find(|param| !param.steps.is_empty())?;
    let fits = last.role == ParamRole::Bias && last.elements() == outputs.columns;
    fits.then_some((last, bound))
}
