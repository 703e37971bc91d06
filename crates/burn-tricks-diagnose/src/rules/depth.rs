//! The gradient of the first activation over that of the last, against what depth and activations predict.

use crate::finding::finding::Finding;
use crate::finding::kind::FindingKind;
use crate::finding::prescription::{InitScheme, Prescription, short};
use crate::finding::severity::Severity;
use crate::history::History;
use crate::history::measures::{Outcome, median};
use crate::history::probe::{Activation, ProbeHistory, ProbeStep};
use crate::rules::initial::{PASSES, initial};
use crate::rules::vanishing;

/// The measured ratio of gradients over the predicted one from which weights, and not activations, shrink the gradient.
const BELOW: f64 = 1e-2;

/// The ratio of gradients at probes from which they vanish.
const RATIO: f64 = 1e-3;

/// The first steps.
const EARLY: usize = 5;

/// The ratio of gradients from one time step to the last from which they vanish through time.
const THROUGH_TIME: f64 = 1e-6;

const SOURCE: &str = "ratio of the gradients of first and last probe over the product of the slopes of the activations between them, 0.25 at most for a sigmoid: Glorot and Bengio (2010); threshold chosen by us";

/// What the probes of activations say about the way of a gradient.
struct Way<'a> {
    first: &'a ProbeHistory,
    layers: usize,
    measured: f64,
    /// The product of the slopes of all activations but the first, which its gradient does not pass.
    predicted: f64,
}

pub(crate) fn rule(history: &History) -> Vec<Finding> {
    if history.outcome() == Outcome::Learned {
        return Vec::new();
    }
    let layers = if vanishing::rule(history).is_empty() {
        through_layers(history)
    } else {
        None
    };
    let found = [layers, through_time(history)];
    found.into_iter().flatten().collect()
}

/// What the slopes of the activations predict, for a gradient that was seen to vanish, and whether the weights shrink it
/// far below that.
pub(crate) fn explanation(history: &History) -> Option<(String, bool)> {
    let Way {
        layers,
        measured,
        predicted,
        ..
    } = way(history)?;
    let by_weights = measured < BELOW * predicted;
    let because = if by_weights {
        "the weights between them shrink it further"
    } else if predicted < RATIO {
        "the activations alone explain it"
    } else {
        return None;
    };
    let text = format!(
        "From the last activation to the first, {layers} layers before, the gradient shrinks to {} of its norm. The slopes of the activations predict {}: {because}.",
        short(measured),
        short(predicted)
    );
    Some((text, by_weights))
}

fn through_layers(history: &History) -> Option<Finding> {
    let (text, by_weights) = explanation(history)?;
    let Way {
        first,
        measured,
        predicted,
        ..
    } = way(history)?;
    if measured >= RATIO {
        return None;
    }
    let (value, threshold, source) = if by_weights {
        (measured / predicted, BELOW, SOURCE)
    } else {
        (
            measured,
            RATIO,
            "ratio of the gradients of first and last probe; 1e-3 as AUTOTRAINER (2021), for first and last layer",
        )
    };
    let activation = Prescription::Activation {
        name: "ReLU".to_owned(),
    };
    let mut prescriptions = vec![Prescription::NormLayers, Prescription::Residual, activation];
    let place = if by_weights { 0 } else { prescriptions.len() };
    prescriptions.insert(place, initial(history));
    Some(
        Finding::new(FindingKind::VanishingGradient, Severity::Fault, text)
            .at([first.name.as_str()])
            .measured(value, threshold, source)
            .with(prescriptions),
    )
}

/// The way from the last activation to the first, if the probes see at least three activations in different layers.
fn way(history: &History) -> Option<Way<'_>> {
    let is_layer = |probe: &&ProbeHistory| !probe.name.ends_with(']');
    let slopes = history.probes.iter().filter(is_layer);
    let seen: Vec<(&ProbeHistory, f64)> = slopes
        .filter_map(|probe| Some((probe, slope(probe)?)))
        .collect();
    let [(first, _), .., (last, _)] = seen[..] else {
        return None;
    };
    let gradients = |probe: &ProbeHistory| {
        let early = probe.steps.iter().take(EARLY);
        median(early.filter_map(|at| at.gradient))
    };
    let measured = gradients(first)? / gradients(last)?;
    (seen.len() >= 3 && measured.is_finite() && measured > 0.0).then(|| Way {
        first,
        layers: seen.len() - 1,
        measured,
        predicted: seen[1..].iter().map(|(_, slope)| slope).product(),
    })
}

/// The mean slope of the activation function whose values a probe has seen in its first step; `None` if they are not those
/// of a sigmoid, a hyperbolic tangent or a ReLU.
fn slope(probe: &ProbeHistory) -> Option<f64> {
    let first: &ProbeStep = probe.steps.first()?;
    let square = first.deviation.powi(2) + first.mean.powi(2);
    Some(match probe.activation()? {
        Activation::Relu => (1.0 - first.zeros).sqrt(),
        Activation::Sigmoid => (first.mean - square).max(0.0),
        Activation::Tanh => (1.0 - square).max(0.0),
    })
}

/// A probe that is passed in every time step: the first pass against the last.
fn through_time(history: &History) -> Option<Finding> {
    let early = |probe: &ProbeHistory| {
        let steps = probe.steps.iter().take(EARLY);
        median(steps.filter_map(|at| at.gradient))
    };
    let passes = |name: &str| {
        let of_name = |probe: &&ProbeHistory| {
            let rest = probe.name.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with('['))
        };
        history.probes.iter().filter(of_name).collect::<Vec<_>>()
    };
    let found = history.probes.iter().find_map(|first| {
        let later = passes(&first.name);
        let last = later.last().filter(|_| later.len() >= PASSES)?;
        let ratio = early(first)? / early(last)?;
        (ratio < THROUGH_TIME).then_some((first, later.len(), ratio))
    });
    let (first, passes, ratio) = found?;
    let text = format!(
        "From the last time step to the first, {passes} steps before, the gradient shrinks to {} of its norm: nothing is learned about the beginning of a sequence.",
        short(ratio)
    );
    Some(
        Finding::new(FindingKind::VanishingGradient, Severity::Warning, text)
            .at([first.name.as_str()])
            .measured(ratio, THROUGH_TIME, "norm of the gradient of the first state over that of the last, after Pascanu et al. (2013); threshold chosen by us")
            .with([
                Prescription::InitWeights {
                    scheme: InitScheme::Orthogonal,
                },
                Prescription::change("use a gated layer, an LSTM or a GRU, or shorter sequences"),
            ]),
    )
}
