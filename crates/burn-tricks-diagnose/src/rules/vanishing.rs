//! Gradients that vanish towards the first layer.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::Prescription;
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::measures::{Outcome, median};

use crate::finding::prescription::short;
use crate::history::param::{ParamHistory, ParamStep};
use crate::rules::depth;
use crate::rules::initial::initial;

/// The ratio of the gradient norms of the first and the last layer.
const RATIO: f64 = 1e-3;

const SOURCE: &str =
    "norm of the gradient of the first layer over that of the last; 1e-3 as AUTOTRAINER (2021)";

/// The size of inputs that are far from standardised.
const FAR: f64 = 10.0;

/// So many layers train with skip connections, and hardly with norm layers alone: He et al. (2016), and the clinic.
const DEEP: usize = 12;

/// The first steps, at which the last layer's gradient has not shrunk yet.
const EARLY: usize = 5;

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    let weights = history.weights();
    if weights.len() < 2 || history.outcome() == Outcome::Learned {
        return Vec::new();
    }
    // Inputs that are far too large drive functions with a slope to where it is 0.
    let is_unscaled =
        (history.train.as_ref()).is_some_and(|train| train.mean.abs().max(train.deviation) > FAR);
    if let Some(finding) = cut(&weights).filter(|_| !is_unscaled) {
        return vec![finding];
    }
    if weights.len() < 3 {
        return Vec::new();
    }
    let (first, last) = (weights[0], weights[weights.len() - 1]);
    let ratios = |first: &ParamHistory, last: &ParamHistory, count: usize| {
        let both = first.steps.iter().zip(&last.steps).take(count);
        let ratio = |(first, last): (&ParamStep, &ParamStep)| first.gradient / last.gradient;
        median(
            both.map(ratio)
                .filter(|ratio| ratio.is_finite() && *ratio > 0.0),
        )
    };
    let Some(ratio) = ratios(first, last, EARLY).filter(|ratio| *ratio < RATIO) else {
        return Vec::new();
    };
    let small = weights
        .iter()
        .filter(|param| ratios(param, last, EARLY).is_some_and(|ratio| ratio < RATIO.sqrt()));
    let paths: Vec<&str> = small.map(|param| param.path.as_str()).collect();
    let (explanation, by_weights) = depth::explanation(history).unwrap_or_default();
    let mut text = format!(
        "From the last layer to the first, {} layers before, the gradient shrinks to {} of its norm: the first layers learn nothing.",
        weights.len() - 1,
        short(ratio)
    );
    if !explanation.is_empty() {
        text = format!("{text} {explanation}");
    }
    vec![
        Finding::new(FindingKind::VanishingGradient, Severity::Fault, text)
            .at(paths)
            .measured(ratio, RATIO, SOURCE)
            .with(prescriptions(history, weights.len(), by_weights)),
    ]
}

/// First layers whose gradient is exactly 0 in every step, while that of the last one is not: a function before the last
/// layer has no slope.
fn cut(weights: &[&ParamHistory]) -> Option<Finding> {
    let is_zero = |param: &&ParamHistory| {
        param.steps.len() >= EARLY && param.steps.iter().all(|at| at.gradient == 0.0)
    };
    let last = weights.last()?;
    let count = weights.iter().take_while(|param| is_zero(param)).count();
    let has_slope = last.steps.iter().all(|at| at.gradient > 0.0);
    if count == 0 || !has_slope {
        return None;
    }
    let paths: Vec<&str> = weights[..count]
        .iter()
        .map(|param| param.path.as_str())
        .collect();
    let text = "The gradient of these weights is exactly 0 in every step, and that of the last layer is not: a function between them, such as a sign, a rounding, an index of a maximum or a comparison, has no slope, or the graph is cut there.";
    let change = "replace the function by a smooth one, or give it the gradient of the identity (a straight-through estimator); look for `detach` and for values that are read to the host";
    Some(
        Finding::new(FindingKind::VanishingGradient, Severity::Fault, text)
            .at(paths)
            .measured(0.0, 0.0, "norm of the gradient in all recorded steps")
            .with([Prescription::change(change)]),
    )
}

fn prescriptions(history: &History, layers: usize, by_weights: bool) -> Vec<Prescription> {
    let mut prescriptions = vec![
        Prescription::NormLayers,
        Prescription::Residual,
        Prescription::Activation {
            name: "ReLU".to_owned(),
        },
        Prescription::Shallower,
        initial(history),
    ];
    if layers > DEEP {
        prescriptions.swap(0, 1);
    }
    if by_weights {
        prescriptions.pop();
        // A tower this deep trains with skip connections whatever its weights are.
        prescriptions.insert(usize::from(layers > DEEP), initial(history));
    }
    prescriptions
}
