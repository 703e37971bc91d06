//! Where a NaN or an infinity came from.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::{Prescription, short};
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::param::ParamHistory;
use crate::replay::origin::NonFinitePlace;

const FORWARD: &str = "replace the function before it, such as a logarithm, a root or an exponential of a number out of its range, or add an epsilon within it";

const BACKWARD: &str = "add an epsilon within the norm, the root or the standard deviation after this layer: none of them has a gradient at 0";

const OVERFLOW: &str = "if the loss is multiplied by a scale, let `LossScaler` of `burn-tricks-grad` lower it and skip such steps; if not, look at the gradient of the loss";

/// Where the first number that is not finite was seen.
struct Origin {
    step: usize,
    path: Option<String>,
    text: String,
    /// The change that comes before the general ones.
    change: Option<&'static str>,
}

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let origin = replayed(history)
        .or_else(|| initial(history))
        .or_else(|| forward(history))
        .or_else(|| of_gradient(history))
        .or_else(|| of_loss(history))
        .or_else(|| at_the_end(history));
    let Some(Origin {
        step,
        path,
        text,
        change,
    }) = origin
    else {
        return Vec::new();
    };
    let general = [
        Prescription::ScaleLr { factor: 0.1 },
        Prescription::ClipGradNorm { max_norm: 1.0 },
        Prescription::change(
            "skip steps whose gradients are not finite: `StepGuard` of `burn-tricks-grad`",
        ),
    ];
    vec![
        Finding::new(FindingKind::NonFinite, Severity::Fault, text)
            .in_step(step)
            .at(path)
            .measured(
                step as f64,
                0.0,
                "first step with a number that is not finite",
            )
            .with(change.map(Prescription::change).into_iter().chain(general)),
    ]
}

/// The first step whose loss is not finite.
fn loss(history: &History) -> Option<usize> {
    history.first_bad_loss().map(|(step, _)| step)
}

/// What a replay of the steps has found.
fn replayed(history: &History) -> Option<Origin> {
    let origin = history.non_finite_origin.as_ref()?;
    let change = match origin.place {
        NonFinitePlace::Activation => Some(FORWARD),
        NonFinitePlace::Gradient | NonFinitePlace::ActivationGradient => Some(BACKWARD),
        _ => None,
    };
    Some(Origin {
        step: origin.step,
        path: Some(origin.path.clone()),
        text: format!("Taken again from the last good state: {origin}."),
        change,
    })
}

fn initial(history: &History) -> Option<Origin> {
    let param = history
        .params
        .iter()
        .find(|param| param.initial.non_finite > 0.0)?;
    Some(Origin {
        step: 0,
        path: Some(param.path.clone()),
        text: "The weight contained NaN or infinity before the first step.".to_owned(),
        change: Some("initialise the weight with finite numbers, or load another record"),
    })
}

/// The first activation of the forward pass, at the earliest step.
fn forward(history: &History) -> Option<Origin> {
    let probes = history.probes.iter().filter_map(|probe| {
        let at = probe.steps.iter().position(|at| at.non_finite > 0.0)?;
        Some((probe, at))
    });
    let (probe, at) = probes.min_by_key(|(probe, at)| probe.steps[*at].step)?;
    let step = probe.steps[at].step;
    let is_first = loss(history).is_none_or(|loss| step <= loss)
        && backward(history).is_none_or(|(before, _)| step <= before);
    let before = match at.checked_sub(1).map(|at| probe.steps[at]) {
        Some(before) => format!(
            "; in step {} it lay between {} and {}",
            before.step,
            short(before.min),
            short(before.max)
        ),
        None => String::new(),
    };
    // From the first step on it is not the training that made it so.
    let change = (step == 1).then_some(FORWARD);
    is_first.then(|| Origin {
        step,
        path: Some(probe.name.clone()),
        text: format!(
            "The activation is NaN or infinite: it is the first in the forward pass{before}."
        ),
        change,
    })
}

fn of_gradient(history: &History) -> Option<Origin> {
    let (step, path) = backward(history)?;
    let is_first = loss(history).is_none_or(|loss| step < loss);
    let last = history
        .params
        .iter()
        .rev()
        .find(|param| !param.steps.is_empty());
    // What spoils the last parameter comes from the loss itself.
    let is_last = last.is_some_and(|last| last.path == path);
    let param = history.params.iter().find(|param| param.path == path);
    let before = param.and_then(|param| param.steps.iter().rfind(|at| at.step < step));
    let before = before.map_or_else(String::new, |at| {
        format!("; in step {} its norm was {}", at.step, short(at.gradient))
    });
    is_first.then(|| Origin {
        step,
        path: Some(path.to_owned()),
        text: format!("The gradient is NaN or infinite while the loss is finite: the parameter is the first of the backward pass{before}."),
        change: Some(if is_last { OVERFLOW } else { BACKWARD }),
    })
}

fn of_loss(history: &History) -> Option<Origin> {
    let (step, before) = history.first_bad_loss()?;
    let before: Vec<String> = (before.iter().rev().take(3).rev())
        .map(|loss| short(*loss))
        .collect();
    let text = if before.is_empty() {
        "The first loss is not finite.".to_owned()
    } else {
        format!(
            "The loss is not finite; the losses before it were {}.",
            before.join(", ")
        )
    };
    Some(Origin {
        step,
        path: None,
        text,
        change: None,
    })
}

fn at_the_end(history: &History) -> Option<Origin> {
    let param = history
        .params
        .iter()
        .find(|param| param.last.non_finite > 0.0);
    if let Some(param) = param {
        return Some(Origin {
            step: history.steps_seen(),
            path: Some(param.path.clone()),
            text: "The weight contains NaN or infinity.".to_owned(),
            change: None,
        });
    }
    let step = history.outputs.as_ref()?.first_non_finite?;
    let text = "The outputs of the network contain NaN or infinity.".to_owned();
    Some(Origin {
        step,
        path: None,
        text,
        change: None,
    })
}

/// The step and the parameter of the first gradient that is not finite: of the parameters of that step the last in
/// the model's order, which the backward pass reaches first.
pub(crate) fn backward(history: &History) -> Option<(usize, &str)> {
    let first = |param: &ParamHistory| {
        let at = param.steps.iter().find(|at| at.gradient_non_finite > 0.0)?;
        Some(at.step)
    };
    let found: Vec<_> = history
        .params
        .iter()
        .filter_map(|param| Some((first(param)?, param)))
        .collect();
    let recorded = found.iter().map(|(step, _)| *step).min();
    // Of every step, if it was checked.
    if let Some(first) = &history.first_non_finite
        && recorded.is_none_or(|recorded| first.step <= recorded)
        && let Some(path) = first.paths.last()
    {
        return Some((first.step, path));
    }
    let earliest = recorded?;
    let (step, param) = found.into_iter().rfind(|(step, _)| *step == earliest)?;
    Some((step, param.path.as_str()))
}
