//! Parameters that are meant to be trained and never change, and models without parameters or gradients.
//!
//! A weight of half precision also keeps its value if each step is below half of the distance to the next number; that half is
//! at most 1/2048 of the weight in `f16` and 1/256 in `bf16`. The optimizer steps it then, and what helps is a copy of the
//! weights in `f32` that takes the steps. The record does not say in which type a weight is stored, so both are named.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::measures::Outcome;
use crate::history::param::ParamHistory;

/// The step of plain gradient descent, relative to the weight, that shows in the digits of an `f32`.
const VISIBLE: f64 = 1e-6;

const SOURCE: &str = "parameters without a change; none is expected in a training";

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    if history.params.is_empty() {
        let text = "The model has no float parameter: there is nothing to train.";
        let change = "declare the layers as fields of a struct with `derive(Module)`; a bare `Tensor` field and a field with `#[module(skip)]` hold no parameters";
        return vec![
            Finding::new(FindingKind::NoParameters, Severity::Fault, text)
                .measured(0.0, 1.0, "parameters of the model; a training needs one")
                .with([Prescription::change(change)]),
        ];
    }
    if history.steps.is_empty() {
        return Vec::new();
    }
    if history.params.iter().all(|param| param.steps.is_empty()) {
        let text = "No parameter got a gradient in any recorded step.";
        let change = "calculate the loss from the model on a device with autodiff, and make the gradients with `GradientsParams::from_grads` from the model that the optimizer steps";
        return vec![
            Finding::new(FindingKind::NoGradients, Severity::Fault, text)
                .measured(0.0, 1.0, "parameters with a gradient; a training needs one")
                .with([Prescription::change(change)]),
        ];
    }
    let meant = |param: &&ParamHistory| {
        param.requires_grad && param.tied_to.is_none() && !param.changed && param.elements() > 0
    };
    let unchanged: Vec<_> = history.params.iter().filter(meant).collect();
    let severity = match history.outcome() {
        Outcome::Learned => Severity::Warning,
        _ => Severity::Fault,
    };
    let rate = history.steps.iter().map(|of| of.lr).fold(0.0, f64::max);
    let find = |which: &dyn Fn(&ParamHistory) -> bool, text: &str, change: &str| {
        let found = unchanged.iter().filter(|param| which(param));
        let paths: Vec<&str> = found.map(|param| param.path.as_str()).collect();
        let count = paths.len();
        (count > 0).then(|| {
            Finding::new(FindingKind::NeverTrained, severity, text)
                .at(paths)
                .measured(count as f64, 0.0, SOURCE)
                .with([Prescription::change(change)])
        })
    };
    let found = [
        find(
            &|param| param.steps.is_empty(),
            "These parameters require a gradient and never got one: the loss does not depend on them, or their gradients are not handed to the optimizer.",
            "use the layers in the forward pass, and make the gradients from the whole model",
        ),
        find(
            // A gradient of 0, or one that vanishes in the rounding of the weight, is another fault.
            &|param| (param.steps.iter()).any(|at| rate * at.gradient > VISIBLE * at.weight),
            "These parameters got gradients and still hold their first values to the bit: the optimizer does not step them, or half precision rounds its steps away.",
            "let the optimizer step the whole model, and continue with the model that `step` returns; in half precision, let it step a copy of the weights in `f32`",
        ),
    ];
    found.into_iter().flatten().collect()
}
